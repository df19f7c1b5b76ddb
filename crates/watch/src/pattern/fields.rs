//! Patterns of fields for events whose words are set off by spaces.

use std::borrow::Cow;

use super::cursor::{Cursor, is_word};
use super::fault::{Fault, PatternError};
use super::literals::RequiredLiterals;
use super::operand::{Condition, Value};

/// The fields that a pattern speaks of, in their order.
#[derive(Default)]
pub(super) struct Fields {
    /// Those before an ellipsis, or all.
    first: Vec<Field>,
    /// Those behind the ellipsis, if there is one.
    last: Option<Vec<Field>>,
}

/// A field by its name, which is empty if it has none, and what must hold for it: one of these sets, all of it.
#[derive(Default)]
struct Field {
    name: String,
    any: Vec<Vec<Condition>>,
}

impl Fields {
    /// A whole pattern, from `[` to `]`.
    pub(super) fn parse(cursor: &mut Cursor<'_>, expressions: &mut usize) -> Result<Self, PatternError> {
        let mut fields = Self::default();
        cursor.eat("[");
        let Some(inner) = cursor.rest().strip_suffix(']') else {
            return cursor.fault(Fault::OpenBracket);
        };
        let mut cursor = Cursor::from(inner, cursor.read());
        cursor.skip_blank();
        if cursor.at_end() {
            // No field is as any number of them.
            fields.last = Some(Vec::new());
            return Ok(fields);
        }
        loop {
            cursor.skip_blank();
            if cursor.eat("...") {
                if fields.last.replace(Vec::new()).is_some() {
                    return cursor.fault(Fault::TwoEllipses);
                }
                cursor.skip_blank();
            } else {
                let field = Field::parse(&mut cursor, expressions)?;
                fields.last.as_mut().unwrap_or(&mut fields.first).push(field);
            }
            if cursor.at_end() {
                return Ok(fields);
            }
            if !cursor.eat(",") {
                return cursor.fault(Fault::Unexpected);
            }
        }
    }

    pub(super) fn is_match(&self, event: &str) -> bool {
        let Some(total) = self.count(event) else {
            return false;
        };
        if self
            .first
            .iter()
            .chain(self.last.iter().flatten())
            .all(|field| field.any.is_empty())
        {
            return true;
        }
        self.pairs(event, total)
            .all(|(_, text, field)| field.is_none_or(|field| field.holds(text)))
    }

    /// What each field of an event that matches is called, with a dollar sign, and its text. Those without a name are
    /// called by their number, from one.
    pub(super) fn values<'e>(&self, event: &'e str) -> Vec<(String, Cow<'e, str>)> {
        let Some(total) = self.count(event) else {
            return Vec::new();
        };
        let named = self.pairs(event, total).map(|(number, text, field)| {
            let name = match field {
                Some(field) if !field.name.is_empty() => format!("${}", field.name),
                _ => format!("${number}"),
            };
            (name, Cow::Borrowed(text))
        });
        named.collect()
    }

    /// The text of the field that is called by this name or number; of the last, if two have the name.
    pub(super) fn value<'e>(&self, event: &'e str, name: &str) -> Option<&'e str> {
        let total = self.count(event)?;
        let is_wanted = |number: usize, field: Option<&Field>| match field {
            Some(field) if !field.name.is_empty() => field.name == name,
            _ => name.parse() == Ok(number),
        };
        let wanted = self
            .pairs(event, total)
            .filter(|(number, _, field)| is_wanted(*number, *field));
        wanted.last().map(|(_, text, _)| text)
    }

    /// The names of all fields that have one.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let fields = self.first.iter().chain(self.last.iter().flatten());
        fields
            .map(|field| field.name.as_str())
            .filter(|name| !name.is_empty())
    }

    pub(super) fn required(&self) -> RequiredLiterals {
        let fields = self.first.iter().chain(self.last.iter().flatten());
        fields
            .map(Field::required)
            .fold(RequiredLiterals::nothing(), RequiredLiterals::and)
    }

    /// How many fields an event has, if enough of them; without an ellipsis, the last one has whatever is left.
    fn count(&self, event: &str) -> Option<usize> {
        match &self.last {
            Some(last) => {
                let total = Words::new(event).count();
                (total >= self.first.len().saturating_add(last.len())).then_some(total)
            }
            None => {
                let total = Words::new(event).take(self.first.len()).count();
                (total == self.first.len()).then_some(total)
            }
        }
    }

    /// Each field of an event: its number, its text, and what the pattern says of it.
    fn pairs<'p, 'e>(
        &'p self,
        event: &'e str,
        total: usize,
    ) -> impl Iterator<Item = (usize, &'e str, Option<&'p Field>)> {
        let mut words = Words::new(event);
        (1..=total).map_while(move |number| {
            let left = total.saturating_sub(number);
            let field = match &self.last {
                Some(last) if number > self.first.len() => last
                    .len()
                    .checked_sub(left.saturating_add(1))
                    .and_then(|at| last.get(at)),
                _ => self.first.get(number.saturating_sub(1)),
            };
            let whole = words.left;
            let word = words.next()?;
            let rest_is_one = left == 0 && !words.left.trim_ascii().is_empty();
            Some((number, if rest_is_one { whole.trim_ascii() } else { word }, field))
        })
    }
}

impl Field {
    fn parse(cursor: &mut Cursor<'_>, expressions: &mut usize) -> Result<Self, PatternError> {
        let name = cursor.take_while(|letter| is_word(letter) || letter == '-');
        let mut field = Self {
            name: name.to_owned(),
            any: Vec::new(),
        };
        cursor.skip_blank();
        if matches!(cursor.peek(), None | Some(',')) {
            return Ok(field);
        }
        if name.is_empty() {
            return cursor.fault(Fault::BadField);
        }
        let mut all = vec![Condition::parse(cursor, expressions)?];
        loop {
            cursor.skip_blank();
            if cursor.eat("||") {
                field.any.push(std::mem::take(&mut all));
            } else if !cursor.eat("&&") {
                field.any.push(all);
                return Ok(field);
            }
            cursor.skip_blank();
            let before = *cursor;
            match cursor.take_while(|letter| is_word(letter) || letter == '-') {
                "" => return before.fault(Fault::BadField),
                again if again != name => return before.fault(Fault::OtherField),
                _ => cursor.skip_blank(),
            }
            all.push(Condition::parse(cursor, expressions)?);
        }
    }

    fn holds(&self, text: &str) -> bool {
        let holds = |all: &Vec<Condition>| all.iter().all(|condition| condition.holds(Value::Field(text)));
        self.any.is_empty() || self.any.iter().any(holds)
    }

    fn required(&self) -> RequiredLiterals {
        let each = self.any.iter().map(|all| {
            let parts = all
                .iter()
                .map(|condition| condition.required(|literal, _| RequiredLiterals::one(literal)));
            parts.fold(RequiredLiterals::nothing(), RequiredLiterals::and)
        });
        each.reduce(RequiredLiterals::or)
            .unwrap_or_else(RequiredLiterals::nothing)
    }
}

/// The fields of what is left of an event: words, and what stands between brackets or quotation marks, without these.
struct Words<'e> {
    left: &'e str,
    /// No bracket closes any more: looked for once, or a line of open brackets would be read again for each.
    unclosed: bool,
}

impl<'e> Words<'e> {
    fn new(event: &'e str) -> Self {
        Self {
            left: event,
            unclosed: false,
        }
    }
}

impl<'e> Iterator for Words<'e> {
    type Item = &'e str;

    fn next(&mut self) -> Option<&'e str> {
        let text = self.left.trim_ascii_start();
        let enclosed = match text.as_bytes().first()? {
            b'[' if !self.unclosed => {
                let found = enclosed(text, "[", b']');
                self.unclosed = found.is_none();
                found
            }
            b'"' => enclosed(text, "\"", b'"'),
            _ => None,
        };
        let (word, left) = enclosed.unwrap_or_else(|| {
            let end = text.bytes().position(|byte| byte.is_ascii_whitespace());
            end.and_then(|end| text.split_at_checked(end))
                .unwrap_or((text, ""))
        });
        self.left = left;
        Some(word)
    }
}

/// The text up to a closing mark, and what is behind it. Between quotation marks a backslash takes the mark its meaning,
/// as web servers write it.
fn enclosed<'e>(text: &'e str, open: &str, close: u8) -> Option<(&'e str, &'e str)> {
    let inner = text.strip_prefix(open)?;
    let mut escaped = false;
    let end = inner.bytes().position(|byte| {
        let ends = byte == close && !escaped;
        escaped = close == b'"' && byte == b'\\' && !escaped;
        ends
    })?;
    let (word, rest) = inner.split_at_checked(end)?;
    Some((word, rest.get(1..)?))
}
