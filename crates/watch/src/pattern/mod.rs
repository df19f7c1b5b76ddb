//! Filter patterns of CloudWatch Logs, as FilterLogEvents, PutMetricFilter, PutSubscriptionFilter and TestMetricFilter take
//! them: which events match, and which values they have. Source:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>.
//!
//! A pattern is a tenant's text, as hostile as any: it is read once into a [`FilterPattern`] of bounded size, and matching
//! takes time linear in the event, whose factor the limits of a pattern bound. Where AWS says nothing:
//! - A field of a space-delimited event ends with white space or with its bracket or quotation mark; in quotation marks,
//!   a backslash takes the next character its meaning. Without an ellipsis, the last field is all that is left.
//! - A `*` within a text, rather than at its end, is a `*`.
//! - A comparison of a property that is missing, or neither string nor number, does not hold, `!=` no more than `=`.
//! - A number in a pattern is compared with a JSON string, or a field that is no number, as text.
//! - A property that comes twice matches by any of its values.
//! - An event nested deeper than 128 is none that a pattern of properties matches.
//! - Regular expressions may stand among terms, too, and have at most 128 places when their repetitions are written out.

mod cursor;
mod expression;
mod fault;
mod fields;
mod json;
mod literals;
mod operand;
mod terms;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use self::fault::{Fault, PatternError};
pub use self::literals::RequiredLiterals;

use self::cursor::{Cursor, is_word};
use self::fields::Fields;
use self::json::{Path, Paths, Properties};
use self::terms::Terms;

/// Characters that a pattern may have.
pub const MAX_PATTERN: usize = 1024;

/// A filter pattern that was read. It has no `Debug`: its text is its author's.
pub struct FilterPattern {
    kind: Kind,
    expressions: usize,
}

enum Kind {
    Terms(Terms),
    Fields(Fields),
    Properties(Box<Properties>),
}

impl FilterPattern {
    /// Reads a pattern; one that is empty or blank matches every event.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        if pattern.chars().nth(MAX_PATTERN).is_some() {
            return Err(Fault::TooLong.after(MAX_PATTERN));
        }
        let mut cursor = Cursor::new(pattern.trim_end());
        cursor.skip_blank();
        let mut expressions = 0;
        let kind = match cursor.peek() {
            Some('{') => Kind::Properties(Box::new(Properties::parse(&mut cursor, &mut expressions)?)),
            Some('[') => Kind::Fields(Fields::parse(&mut cursor, &mut expressions)?),
            _ => Kind::Terms(Terms::parse(&mut cursor, &mut expressions)?),
        };
        Ok(Self { kind, expressions })
    }

    /// Whether an event matches.
    #[must_use]
    pub fn is_match(&self, event: &str) -> bool {
        match &self.kind {
            Kind::Terms(terms) => terms.is_match(event),
            Kind::Fields(fields) => fields.is_match(event),
            Kind::Properties(properties) => properties.is_match(event),
        }
    }

    /// The match of an event, of which values can be asked; none if it does not match.
    #[must_use]
    pub fn matches<'p, 'e>(&'p self, event: &'e str) -> Option<Match<'p, 'e>> {
        self.is_match(event).then_some(Match { pattern: self, event })
    }

    /// What an event must have to match.
    #[must_use]
    pub fn required_literals(&self) -> RequiredLiterals {
        match &self.kind {
            Kind::Terms(terms) => terms.required(),
            Kind::Fields(fields) => fields.required(),
            Kind::Properties(properties) => properties.required(),
        }
    }

    /// How many regular expressions the pattern has: of filters with any, a log group has few.
    #[must_use]
    pub fn expressions(&self) -> usize {
        self.expressions
    }

    /// The selectors that the pattern names: `$.a` of its properties, `$name` of its fields.
    #[must_use]
    pub fn selectors(&self) -> Vec<String> {
        match &self.kind {
            Kind::Terms(_) => Vec::new(),
            Kind::Fields(fields) => fields.names().map(|name| format!("${name}")).collect(),
            Kind::Properties(properties) => properties.selectors().map(str::to_owned).collect(),
        }
    }

    /// Whether matches of this pattern can have a value for a selector: properties need a pattern of properties, which need
    /// not name them, and fields one of fields, which must name them or leave the field of that number without a name.
    #[must_use]
    pub fn has(&self, selector: &Selector) -> bool {
        match (&self.kind, &selector.0) {
            (Kind::Properties(_), Wanted::Property(_)) => true,
            (Kind::Fields(fields), Wanted::Field(wanted)) => {
                wanted.parse::<usize>().is_ok() || fields.names().any(|name| name == wanted)
            }
            (Kind::Terms(_) | Kind::Fields(_) | Kind::Properties(_), _) => false,
        }
    }
}

/// An event that matches a pattern. It has no `Debug`: it holds the event.
pub struct Match<'p, 'e> {
    pattern: &'p FilterPattern,
    event: &'e str,
}

impl<'e> Match<'_, 'e> {
    /// The values that TestMetricFilter reports, by selector: of every field, and of the properties that the pattern names
    /// and the event has. A pattern of terms has none. If a name comes twice, the last one counts.
    #[must_use]
    pub fn values(&self) -> Vec<(String, Cow<'e, str>)> {
        match &self.pattern.kind {
            Kind::Terms(_) => Vec::new(),
            Kind::Fields(fields) => fields.values(self.event),
            Kind::Properties(properties) => properties.values(self.event),
        }
    }

    /// The value that a selector leads to, for a metric's value or dimension.
    #[must_use]
    pub fn value(&self, selector: &Selector) -> Option<Cow<'e, str>> {
        match (&self.pattern.kind, &selector.0) {
            (Kind::Fields(fields), Wanted::Field(name)) => fields.value(self.event, name).map(Cow::Borrowed),
            (Kind::Properties(_), Wanted::Property(table)) => {
                json::values(self.event, table, 1).pop().flatten()
            }
            (Kind::Terms(_) | Kind::Fields(_) | Kind::Properties(_), _) => None,
        }
    }
}

/// Where the value of a metric or dimension is: `$.latency` of a property, `$bytes` or `$7` of a field.
pub struct Selector(Wanted);

enum Wanted {
    Property(Paths),
    Field(String),
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// Text that is none, or more than one.
    pub fn parse(selector: &str) -> Result<Self, PatternError> {
        let mut cursor = Cursor::new(selector);
        if selector.chars().nth(MAX_PATTERN).is_some() {
            return Err(Fault::TooLong.after(MAX_PATTERN));
        }
        let mut field = cursor;
        let is_field = field.eat("$")
            && field
                .peek()
                .is_some_and(|letter| is_word(letter) || letter == '-');
        let wanted = if is_field {
            let name = field.take_while(|letter| is_word(letter) || letter == '-');
            cursor = field;
            Wanted::Field(name.to_owned())
        } else {
            let path = Path::parse(&mut cursor)?;
            Wanted::Property(Paths::new(&[path]).map_err(|fault| fault.after(0))?)
        };
        if !cursor.at_end() {
            return cursor.fault(Fault::Unexpected);
        }
        Ok(Self(wanted))
    }
}
