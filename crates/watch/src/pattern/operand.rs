//! What a value of an event is compared with: a number, a text with wildcards at its ends, or a regular expression.

use std::cmp::Ordering;

use super::cursor::{Cursor, is_word};
use super::expression::Expression;
use super::fault::{Fault, PatternError};
use super::literals::{Needle, RequiredLiterals};

/// Regular expressions that a pattern may have.
pub(super) const MAX_EXPRESSIONS: usize = 2;

/// `=`, `!=` and their kin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A comparison with what it compares with.
pub(super) struct Condition {
    comparison: Comparison,
    operand: Operand,
}

enum Operand {
    Number(Number, String),
    Text(Wild),
    Expression(Expression),
}

/// A text in which a `*` at an end stands for any text; one in the middle is a `*`.
enum Wild {
    Any,
    Exact(String),
    Starts(String),
    Ends(String),
    Contains(Needle),
}

/// What an event has where it is compared.
#[derive(Clone, Copy)]
pub(super) enum Value<'e> {
    /// A field, which is a number if it looks like one.
    Field(&'e str),
    /// A string of JSON, which is none.
    Text(&'e str),
    /// A number of JSON as it was written.
    Number(&'e str),
}

impl Condition {
    /// A comparison, if one comes next, and its operand. `expressions` counts the regular expressions of the pattern.
    pub(super) fn parse(cursor: &mut Cursor<'_>, expressions: &mut usize) -> Result<Self, PatternError> {
        let Some(comparison) = comparison(cursor) else {
            return cursor.fault(Fault::NoOperator);
        };
        cursor.skip_blank();
        let before = *cursor;
        let operand = operand(cursor, expressions)?;
        let orders = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if orders && !matches!(operand, Operand::Number(..)) {
            return before.fault(Fault::NeedsNumber);
        }
        Ok(Self { comparison, operand })
    }

    pub(super) fn holds(&self, value: Value<'_>) -> bool {
        let text = match value {
            Value::Field(text) | Value::Text(text) | Value::Number(text) => text,
        };
        let equal = match &self.operand {
            Operand::Text(wild) => wild.is_match(text),
            Operand::Expression(expression) => expression.is_match(text),
            Operand::Number(number, written) => {
                let read = match value {
                    Value::Text(_) => None,
                    Value::Field(_) | Value::Number(_) => Number::parse(text),
                };
                match read {
                    Some(read) => return self.orders(read.compare(*number)),
                    None => text == written,
                }
            }
        };
        match self.comparison {
            Comparison::Equal => equal,
            Comparison::NotEqual => !equal,
            Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => {
                false
            }
        }
    }

    fn orders(&self, ordering: Ordering) -> bool {
        match self.comparison {
            Comparison::Equal => ordering.is_eq(),
            Comparison::NotEqual => ordering.is_ne(),
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
        }
    }

    /// What a value has, as text, for which this holds: `one` tells it for a literal, and is told whether the literal is the
    /// whole value. Numbers can be written in many ways: nothing is required then.
    pub(super) fn required(&self, one: impl Fn(&str, bool) -> RequiredLiterals) -> RequiredLiterals {
        let nothing = RequiredLiterals::nothing();
        if self.comparison != Comparison::Equal {
            return nothing;
        }
        match &self.operand {
            Operand::Number(..) | Operand::Text(Wild::Any) => nothing,
            Operand::Text(Wild::Exact(text)) => one(text, true),
            Operand::Text(Wild::Starts(text) | Wild::Ends(text)) => one(text, false),
            Operand::Text(Wild::Contains(needle)) => one(needle.text(), false),
            Operand::Expression(expression) => {
                let each = expression.literals().iter().map(|literal| one(literal, false));
                each.reduce(RequiredLiterals::or).unwrap_or(nothing)
            }
        }
    }
}

impl Wild {
    fn new(text: &str) -> Self {
        let (after, open_start) = match text.strip_prefix('*') {
            Some(after) => (after, true),
            None => (text, false),
        };
        let (inner, open_end) = match after.strip_suffix('*') {
            Some(inner) => (inner, true),
            None => (after, false),
        };
        match (open_start, open_end) {
            (true, _) | (_, true) if inner.is_empty() => Self::Any,
            (false, false) => Self::Exact(inner.to_owned()),
            (true, false) => Self::Ends(inner.to_owned()),
            (false, true) => Self::Starts(inner.to_owned()),
            (true, true) => Self::Contains(Needle::new(inner)),
        }
    }

    fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => text == exact,
            Self::Starts(start) => text.starts_with(start.as_str()),
            Self::Ends(end) => text.ends_with(end.as_str()),
            Self::Contains(needle) => needle.is_in(text),
        }
    }
}

fn comparison(cursor: &mut Cursor<'_>) -> Option<Comparison> {
    [
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("=", Comparison::Equal),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ]
    .into_iter()
    .find_map(|(sign, comparison)| cursor.eat(sign).then_some(comparison))
}

fn operand(cursor: &mut Cursor<'_>, expressions: &mut usize) -> Result<Operand, PatternError> {
    let before = *cursor;
    if cursor.eat("%") {
        return expression(cursor, expressions).map(Operand::Expression);
    }
    if cursor.eat("\"") {
        return Ok(Operand::Text(Wild::new(&cursor.quoted('"')?)));
    }
    let word = cursor.take_while(|letter| is_word(letter) || "*.+-".contains(letter));
    if word.is_empty() {
        return match cursor.peek() {
            None | Some(')' | ',' | '&' | '|') => before.fault(Fault::NoOperand),
            Some(_) => before.fault(Fault::NeedsQuotes),
        };
    }
    let behind = cursor.peek();
    if behind.is_some_and(|letter| !letter.is_whitespace() && !"),&|".contains(letter)) {
        return cursor.fault(Fault::NeedsQuotes);
    }
    Ok(match Number::parse(word) {
        Some(number) => Operand::Number(number, word.to_owned()),
        None => Operand::Text(Wild::new(word)),
    })
}

/// A regular expression, whose `%` is behind the cursor, if the pattern may have one more.
pub(super) fn expression(
    cursor: &mut Cursor<'_>,
    expressions: &mut usize,
) -> Result<Expression, PatternError> {
    *expressions = expressions.saturating_add(1);
    if *expressions > MAX_EXPRESSIONS {
        return cursor.fault(Fault::TooManyExpressions);
    }
    Expression::parse(cursor)
}

/// A number, exact if it is whole and has at most 38 digits.
#[derive(Clone, Copy)]
pub(super) enum Number {
    Whole(i128),
    Float(f64),
}

impl Number {
    /// Digits with an optional sign, decimal point and exponent; nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let some = |text: &str| !text.is_empty() && digits(text);
        let exponent_is_one =
            exponent.is_none_or(|exponent| some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
        let mantissa_is_one = match fraction {
            None => some(whole),
            Some(fraction) => digits(whole) && digits(fraction) && (some(whole) || some(fraction)),
        };
        if !exponent_is_one || !mantissa_is_one {
            return None;
        }
        if fraction.is_none() && exponent.is_none() && whole.len() <= 38 {
            return text.parse().ok().map(Self::Whole);
        }
        text.parse().ok().map(Self::Float)
    }

    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => one.cmp(&two),
            (one, two) => one.float().total_cmp(&two.float()),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the nearest float is what the other side was rounded to, too"
    )]
    fn float(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            // Zero has one sign here: `total_cmp` would tell -0 from 0.
            Self::Float(float) => float + 0.0,
        }
    }
}
