//! Patterns of properties for events in JSON: conditions on what selectors lead to, with `&&`, `||` and parentheses.

mod path;
mod scan;

use std::borrow::Cow;

pub(super) use path::{Path, Paths};

use self::scan::{Node, scan};
use super::cursor::Cursor;
use super::fault::{Fault, PatternError};
use super::literals::{Prefilter, RequiredLiterals};
use super::operand::{Condition, Number, Value};

/// How deep parentheses may be nested.
const MAX_PARENTHESES: usize = 32;
/// Conditions that a pattern may have; the shortest take seven of its 1,024 characters.
const MAX_TESTS: usize = 256;

/// A pattern in braces.
pub(super) struct Properties {
    logic: Logic,
    tests: Vec<Test>,
    paths: Vec<Path>,
    /// The tests of each path.
    tests_of: Vec<Vec<usize>>,
    table: Paths,
    prefilter: Prefilter,
}

enum Logic {
    /// The condition of this number holds.
    Test(usize),
    All(Vec<Self>),
    Any(Vec<Self>),
}

struct Test {
    path: usize,
    asks: Asks,
}

enum Asks {
    Compares(Condition),
    IsNull,
    IsTrue,
    IsFalse,
    /// `NOT EXISTS`: nothing stands there.
    IsAbsent,
}

/// What is known of each test: for `NOT EXISTS`, that something stands there.
#[derive(Default)]
struct Seen([u128; 2]);

impl Properties {
    /// A whole pattern, from `{` to `}`.
    pub(super) fn parse(cursor: &mut Cursor<'_>, expressions: &mut usize) -> Result<Self, PatternError> {
        let start = cursor.read();
        cursor.eat("{");
        let Some(inner) = cursor.rest().strip_suffix('}') else {
            return cursor.fault(Fault::OpenBrace);
        };
        let mut parser = Parser {
            cursor: Cursor::from(inner, cursor.read()),
            tests: Vec::new(),
            paths: Vec::new(),
            expressions,
        };
        let logic = parser.any(MAX_PARENTHESES)?;
        if !parser.cursor.at_end() {
            return parser.cursor.fault(Fault::Unexpected);
        }
        let Parser { tests, paths, .. } = parser;
        let table = Paths::new(&paths).map_err(|fault| fault.after(start))?;
        let mut tests_of = vec![Vec::new(); paths.len()];
        for (number, test) in tests.iter().enumerate() {
            if let Some(of) = tests_of.get_mut(test.path) {
                of.push(number);
            }
        }
        let required = logic.required(&tests, &paths);
        Ok(Self {
            prefilter: Prefilter::new(required),
            logic,
            tests,
            paths,
            tests_of,
            table,
        })
    }

    /// If a property comes twice, each of the two counts: whoever writes the second hides nothing.
    pub(super) fn is_match(&self, event: &str) -> bool {
        if !self.prefilter.passes(event) {
            return false;
        }
        let mut seen = Seen::default();
        let is_json = scan(event, &self.table, &mut |path, node| {
            // Decoded once for all that is asked of it.
            let text = match node {
                Node::Text(text) => text.text(),
                Node::Number(number) => Cow::Borrowed(number),
                Node::True | Node::False | Node::Null | Node::Object | Node::Array => Cow::Borrowed(""),
            };
            for number in self.tests_of.get(path).into_iter().flatten() {
                let test = self.tests.get(*number);
                if test.is_some_and(|test| test.asks.sees(node, &text)) {
                    seen.set(*number);
                }
            }
        });
        is_json && self.logic.holds(&self.tests, &seen)
    }

    pub(super) fn required(&self) -> RequiredLiterals {
        self.logic.required(&self.tests, &self.paths)
    }

    /// The selectors of the pattern, each once.
    pub(super) fn selectors(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(Path::written)
    }

    /// What the pattern's selectors lead to, of those that lead to a string, number, truth value or null.
    pub(super) fn values<'e>(&self, event: &'e str) -> Vec<(String, Cow<'e, str>)> {
        let values = values(event, &self.table, self.paths.len());
        let named = self.paths.iter().zip(values);
        named
            .filter_map(|(path, value)| Some((path.written().to_owned(), value?)))
            .collect()
    }
}

/// The first value that each of a table's `count` selectors leads to, in an event that is JSON.
pub(super) fn values<'e>(event: &'e str, table: &Paths, count: usize) -> Vec<Option<Cow<'e, str>>> {
    let mut values = vec![None; count];
    scan(event, table, &mut |path, node| {
        if let Some(value @ None) = values.get_mut(path) {
            *value = match node {
                Node::Text(text) => Some(text.text()),
                Node::Number(number) => Some(Cow::Borrowed(number)),
                Node::True => Some(Cow::Borrowed("true")),
                Node::False => Some(Cow::Borrowed("false")),
                Node::Null => Some(Cow::Borrowed("null")),
                Node::Object | Node::Array => None,
            };
        }
    });
    values
}

impl Seen {
    fn set(&mut self, test: usize) {
        if let Some(bits) = self.0.get_mut(test / 128) {
            *bits |= 1 << (test % 128);
        }
    }

    fn has(&self, test: usize) -> bool {
        self.0
            .get(test / 128)
            .is_some_and(|bits| bits >> (test % 128) & 1 == 1)
    }
}

impl Asks {
    /// Whether what it asks for is here, `text` being that of a string or number.
    fn sees(&self, node: Node<'_>, text: &str) -> bool {
        match (self, node) {
            (Self::IsAbsent, _)
            | (Self::IsNull, Node::Null)
            | (Self::IsTrue, Node::True)
            | (Self::IsFalse, Node::False) => true,
            (Self::Compares(condition), Node::Text(_)) => condition.holds(Value::Text(text)),
            (Self::Compares(condition), Node::Number(_)) => condition.holds(Value::Number(text)),
            // Only strings and numbers are compared: even `!=` does not hold of anything else.
            (Self::Compares(_) | Self::IsNull | Self::IsTrue | Self::IsFalse, _) => false,
        }
    }

    /// What an event has, in JSON, of which this holds at a path.
    fn required(&self, path: &Path) -> RequiredLiterals {
        let value = match self {
            Self::IsAbsent => return RequiredLiterals::nothing(),
            Self::IsNull => RequiredLiterals::one("null"),
            Self::IsTrue => RequiredLiterals::one("true"),
            Self::IsFalse => RequiredLiterals::one("false"),
            Self::Compares(condition) => condition.required(|literal, whole| match whole {
                // A number has no quotation marks.
                true if Number::parse(literal).is_none() => whole_in_json(literal),
                _ => in_json(literal),
            }),
        };
        path.names().map(whole_in_json).fold(value, RequiredLiterals::and)
    }
}

/// Whether JSON can write a character in another way than as it is, or as `\u` and digits.
fn may_be_escaped(letter: char) -> bool {
    letter.is_control() || "\"\\/".contains(letter)
}

/// What JSON has in it that means a text with `literal` in it: its longest part that is there as it is, or else `\u`.
fn in_json(literal: &str) -> RequiredLiterals {
    let longest = literal.split(may_be_escaped).max_by_key(|part| part.len());
    match longest {
        None | Some("") => RequiredLiterals::nothing(),
        Some(part) => RequiredLiterals::any([part, "\\u"]),
    }
}

/// The same for a string that means `text` and nothing else.
fn whole_in_json(text: &str) -> RequiredLiterals {
    if text.contains(may_be_escaped) {
        return in_json(text);
    }
    RequiredLiterals::any([format!("\"{text}\"").as_str(), "\\u"])
}

impl Logic {
    fn holds(&self, tests: &[Test], seen: &Seen) -> bool {
        match self {
            Self::Test(number) => {
                let absent = tests
                    .get(*number)
                    .is_some_and(|test| matches!(test.asks, Asks::IsAbsent));
                seen.has(*number) != absent
            }
            Self::All(parts) => parts.iter().all(|part| part.holds(tests, seen)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(tests, seen)),
        }
    }

    fn required(&self, tests: &[Test], paths: &[Path]) -> RequiredLiterals {
        let nothing = RequiredLiterals::nothing;
        match self {
            Self::Test(number) => {
                let test = tests.get(*number);
                test.and_then(|test| Some(test.asks.required(paths.get(test.path)?)))
                    .unwrap_or_else(nothing)
            }
            Self::All(parts) => {
                let parts = parts.iter().map(|part| part.required(tests, paths));
                parts.fold(nothing(), RequiredLiterals::and)
            }
            Self::Any(parts) => {
                let parts = parts.iter().map(|part| part.required(tests, paths));
                parts.reduce(RequiredLiterals::or).unwrap_or_else(nothing)
            }
        }
    }
}

struct Parser<'p> {
    cursor: Cursor<'p>,
    tests: Vec<Test>,
    paths: Vec<Path>,
    expressions: &'p mut usize,
}

impl Parser<'_> {
    fn any(&mut self, room: usize) -> Result<Logic, PatternError> {
        let mut parts = vec![self.all(room)?];
        while self.cursor.eat("||") {
            parts.push(self.all(room)?);
        }
        Ok(Logic::Any(parts))
    }

    fn all(&mut self, room: usize) -> Result<Logic, PatternError> {
        let mut parts = vec![self.part(room)?];
        while self.cursor.eat("&&") {
            parts.push(self.part(room)?);
        }
        Ok(Logic::All(parts))
    }

    fn part(&mut self, room: usize) -> Result<Logic, PatternError> {
        self.cursor.skip_blank();
        let before = self.cursor;
        let part = if self.cursor.eat("(") {
            let Some(room) = room.checked_sub(1) else {
                return before.fault(Fault::TooDeep);
            };
            let part = self.any(room)?;
            if !self.cursor.eat(")") {
                return self.cursor.fault(Fault::OpenParenthesis);
            }
            part
        } else {
            self.test()?
        };
        self.cursor.skip_blank();
        Ok(part)
    }

    fn test(&mut self) -> Result<Logic, PatternError> {
        let before = self.cursor;
        let path = Path::parse(&mut self.cursor)?;
        let known = self.paths.iter().position(|other| other.leads_where(&path));
        let number = known.unwrap_or(self.paths.len());
        if known.is_none() {
            self.paths.push(path);
        }
        self.cursor.skip_blank();
        let asks = self.asks()?;
        if self.tests.len() >= MAX_TESTS {
            return before.fault(Fault::TooComplex);
        }
        self.tests.push(Test { path: number, asks });
        Ok(Logic::Test(self.tests.len().saturating_sub(1)))
    }

    fn asks(&mut self) -> Result<Asks, PatternError> {
        let cursor = &mut self.cursor;
        let before = *cursor;
        if cursor.eat_word("IS") {
            cursor.skip_blank();
            let words = [
                ("NULL", Asks::IsNull),
                ("TRUE", Asks::IsTrue),
                ("FALSE", Asks::IsFalse),
            ];
            if let Some((_, asks)) = words.into_iter().find(|(word, _)| cursor.eat_word(word)) {
                return Ok(asks);
            }
            let negated = cursor.eat_word("NOT");
            return before.fault(if negated { Fault::Unsupported } else { Fault::BadIs });
        }
        if cursor.eat_word("NOT") {
            cursor.skip_blank();
            return match cursor.eat_word("EXISTS") {
                true => Ok(Asks::IsAbsent),
                false => before.fault(Fault::NoOperator),
            };
        }
        if cursor.eat_word("EXISTS") {
            return before.fault(Fault::Unsupported);
        }
        Condition::parse(cursor, self.expressions).map(Asks::Compares)
    }
}
