//! Conditions: `"StringEquals": {"aws:PrincipalAccount": "123456789012"}`.
//!
//! An operator that is not in the table below is refused when the policy is parsed: a condition that nobody evaluates
//! would silently allow, or silently not deny.

mod value;

use moho_terms::Timestamp;

use super::pattern::{Case, Pattern, Variables};
use super::public::FIXING;
use crate::authz::{Context, Key, is_open};
use value::Network;

/// How several values of one key count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    /// The key has one value.
    One,
    /// `ForAnyValue:`.
    Any,
    /// `ForAllValues:`.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What an operator compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text { case: Case, wild: bool },
    Arn,
    Bool,
    Numeric(Order),
    Date(Order),
    Ip,
    Binary,
    Null,
}

/// One value a policy compares with, parsed for its operator.
#[derive(Debug, Clone, PartialEq)]
enum Expected {
    Text(Pattern, Case),
    Arn(Box<[Pattern; 6]>),
    Bool(bool),
    Numeric(Order, f64),
    Date(Order, Timestamp),
    Ip(Network),
    Binary(Box<[u8]>),
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// `Null`: whether the key has to be absent.
    Absent(bool),
    Compare {
        set: Set,
        negated: bool,
        if_exists: bool,
        expected: Box<[Expected]>,
    },
}

/// One key under one operator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    key: Key,
    test: Test,
}

/// How the names of keys begin that say what a recipient of KMS measured.
const ATTESTED: &str = "kms:RecipientAttestation:";
/// A register that nothing was measured into.
const UNTOUCHED: &str =
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";

const UNKNOWN_OPERATOR: &str = "unknown condition operator";
const BAD_VALUE: &str = "a condition value does not fit its operator";

impl Condition {
    /// Parses one operator with one key and its values. In policies of the older version, which `variables` says, `${…}`
    /// is itself.
    pub(crate) fn parse(
        operator: &str,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Self, &'static str> {
        let (set, operator) = match operator.split_once(':') {
            Some(("ForAnyValue", rest)) => (Set::Any, rest),
            Some(("ForAllValues", rest)) => (Set::All, rest),
            Some(_) => return Err(UNKNOWN_OPERATOR),
            None => (Set::One, operator),
        };
        let (operator, if_exists) = match operator.strip_suffix("IfExists") {
            Some(operator) => (operator, true),
            None => (operator, false),
        };
        let (kind, negated) = operator_kind(operator).ok_or(UNKNOWN_OPERATOR)?;
        check_key(key)?;
        if values.iter().any(|value| value.chars().any(is_a_trick)) {
            return Err("a condition value has characters that cannot be seen");
        }
        let test = if kind == Kind::Null {
            match values {
                [value] if set == Set::One && !if_exists => {
                    Test::Absent(value::truth(value).ok_or(BAD_VALUE)?)
                }
                _ => return Err("Null takes one value, no set operator and no IfExists"),
            }
        } else {
            let expected = values
                .iter()
                .map(|value| Expected::parse(kind, value, variables).ok_or(BAD_VALUE))
                .collect::<Result<_, _>>()?;
            Test::Compare {
                set,
                negated,
                if_exists,
                expected,
            }
        };
        Ok(Self {
            key: Key::new(key),
            test,
        })
    }

    /// Whether it holds only for measured code that it names: for one of some values of a register, each of them literal and
    /// none of zeros, as of an enclave in debug mode.
    pub(crate) fn names_measurements(&self) -> bool {
        let Test::Compare {
            set: Set::One,
            negated: false,
            if_exists: false,
            expected,
        } = &self.test
        else {
            return false;
        };
        let is_digest = |expected: &Expected| match expected {
            Expected::Text(pattern, _) => pattern.is_literal() && !pattern.fits(UNTOUCHED),
            Expected::Arn(_)
            | Expected::Bool(_)
            | Expected::Numeric(..)
            | Expected::Date(..)
            | Expected::Ip(_)
            | Expected::Binary(_) => false,
        };
        let start = self.key.name().get(..ATTESTED.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(ATTESTED)) && expected.iter().all(is_digest)
    }

    /// Tells its key, and those of the variables in its values.
    pub(crate) fn for_each_key<'a>(&'a self, tell: &mut impl FnMut(&'a Key)) {
        tell(&self.key);
        let Test::Compare { expected, .. } = &self.test else {
            return;
        };
        for expected in expected {
            match expected {
                Expected::Text(pattern, _) => pattern.for_each_key(tell),
                Expected::Arn(patterns) => patterns.iter().for_each(|pattern| pattern.for_each_key(tell)),
                Expected::Bool(_)
                | Expected::Numeric(..)
                | Expected::Date(..)
                | Expected::Ip(_)
                | Expected::Binary(_) => {}
            }
        }
    }

    /// Whether it depends on a key that the context lacks, though a request may have it.
    pub(crate) fn is_open(&self, context: &Context) -> bool {
        let mut open = false;
        self.for_each_key(&mut |key| open |= is_open(key, context));
        open
    }

    /// Whether it holds only for requests from, or by, what its values name one by one.
    pub(super) fn fixes_who_comes(&self) -> bool {
        let Test::Compare {
            set,
            negated,
            if_exists,
            expected,
        } = &self.test
        else {
            return false;
        };
        let key = self.key.name().to_ascii_lowercase();
        FIXING.contains(&key.as_str())
            && !(*negated || *if_exists || *set == Set::All)
            && expected.iter().all(Expected::is_fixed)
    }

    /// Whether the request fulfils it.
    pub(crate) fn holds(&self, context: &Context) -> bool {
        let values = context.values(&self.key).filter(|values| !values.is_empty());
        let (set, negated, if_exists, expected) = match &self.test {
            Test::Absent(absent) => return values.is_none() == *absent,
            Test::Compare {
                set,
                negated,
                if_exists,
                expected,
            } => (*set, *negated, *if_exists, expected),
        };
        let Some(values) = values else {
            return if_exists || set == Set::All || (negated && set == Set::One);
        };
        let equal = |value: &String| expected.iter().any(|e| e.matches(value, context));
        match set {
            Set::One => values.iter().any(equal) != negated,
            Set::Any => values.iter().any(|value| equal(value) != negated),
            Set::All => values.iter().all(|value| equal(value) != negated),
        }
    }
}

fn check_key(key: &str) -> Result<(), &'static str> {
    let named = |b: u8| b.is_ascii_graphic() && !b"*?\"\\".contains(&b) || b == b' ';
    // A tag's key may be any word of any language.
    let foreign = |c: char| !c.is_ascii() && c.is_alphanumeric();
    let fits = |c: char| u8::try_from(c).is_ok_and(|b| b.is_ascii() && named(b)) || foreign(c);
    if key.is_empty() || key.len() > 1024 || !key.chars().all(fits) {
        Err("a condition key is malformed")
    } else {
        Ok(())
    }
}

/// Characters that cannot be seen, or that change how others are shown: a value with them is not what it looks like.
pub(super) fn is_a_trick(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The table of operators, with whether each is the negation of its kind.
fn operator_kind(name: &str) -> Option<(Kind, bool)> {
    let text = |case, wild| Kind::Text { case, wild };
    Some(match name {
        "StringEquals" => (text(Case::Sensitive, false), false),
        "StringNotEquals" => (text(Case::Sensitive, false), true),
        "StringEqualsIgnoreCase" => (text(Case::Insensitive, false), false),
        "StringNotEqualsIgnoreCase" => (text(Case::Insensitive, false), true),
        "StringLike" => (text(Case::Sensitive, true), false),
        "StringNotLike" => (text(Case::Sensitive, true), true),
        "ArnEquals" | "ArnLike" => (Kind::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Kind::Arn, true),
        "Bool" => (Kind::Bool, false),
        "BinaryEquals" => (Kind::Binary, false),
        "Null" => (Kind::Null, false),
        "NumericEquals" => (Kind::Numeric(Order::Equal), false),
        "NumericNotEquals" => (Kind::Numeric(Order::Equal), true),
        "NumericLessThan" => (Kind::Numeric(Order::Less), false),
        "NumericLessThanEquals" => (Kind::Numeric(Order::LessOrEqual), false),
        "NumericGreaterThan" => (Kind::Numeric(Order::Greater), false),
        "NumericGreaterThanEquals" => (Kind::Numeric(Order::GreaterOrEqual), false),
        "DateEquals" => (Kind::Date(Order::Equal), false),
        "DateNotEquals" => (Kind::Date(Order::Equal), true),
        "DateLessThan" => (Kind::Date(Order::Less), false),
        "DateLessThanEquals" => (Kind::Date(Order::LessOrEqual), false),
        "DateGreaterThan" => (Kind::Date(Order::Greater), false),
        "DateGreaterThanEquals" => (Kind::Date(Order::GreaterOrEqual), false),
        "IpAddress" => (Kind::Ip, false),
        "NotIpAddress" => (Kind::Ip, true),
        _ => return None,
    })
}

impl Expected {
    fn parse(kind: Kind, value: &str, variables: bool) -> Option<Self> {
        match kind {
            Kind::Text { case, wild } => {
                let pattern = match (variables, wild) {
                    (false, wild) => Pattern::plain(value, wild),
                    (true, true) => Pattern::wild(value),
                    (true, false) => Pattern::literal(value),
                };
                pattern.map(|pattern| Self::Text(pattern, case))
            }
            // A variable that stands for a whole ARN.
            Kind::Arn if variables && value.starts_with("${") => {
                Pattern::wild(value).map(|pattern| Self::Text(pattern, Case::Sensitive))
            }
            Kind::Arn => arn_patterns(value, variables).map(|parts| Self::Arn(Box::new(parts))),
            Kind::Bool => value::truth(value).map(Self::Bool),
            Kind::Numeric(order) => value::number(value).map(|number| Self::Numeric(order, number)),
            Kind::Date(order) => value::moment(value).map(|moment| Self::Date(order, moment)),
            Kind::Ip => Network::parse(value).map(Self::Ip),
            Kind::Binary => value::bytes(value).map(|bytes| Self::Binary(bytes.into())),
            Kind::Null => None,
        }
    }

    /// Whether it is one value, or a narrow range of addresses.
    fn is_fixed(&self) -> bool {
        match self {
            Self::Text(pattern, _) => pattern.is_literal(),
            Self::Arn(patterns) => patterns.iter().all(Pattern::is_literal),
            Self::Ip(network) => network.is_narrow(),
            Self::Bool(_) | Self::Numeric(..) | Self::Date(..) | Self::Binary(_) => false,
        }
    }

    fn matches(&self, value: &str, context: &Context) -> bool {
        match self {
            Self::Text(pattern, case) => pattern.matches(value, *case, context),
            Self::Arn(patterns) => {
                arn_parts(value).is_some_and(|parts| {
                    // Each of the six parts is compared for itself: a star never crosses a colon. The last ones tell ARNs
                    // apart best.
                    let mut pairs = patterns.iter().zip(parts).rev();
                    pairs.all(|(pattern, part)| pattern.matches(part, Case::Sensitive, context))
                })
            }
            Self::Bool(expected) => value::truth(value) == Some(*expected),
            Self::Numeric(order, expected) => {
                value::number(value).is_some_and(|actual| order.holds(&actual, expected))
            }
            Self::Date(order, expected) => {
                value::moment(value).is_some_and(|actual| order.holds(&actual, expected))
            }
            Self::Ip(network) => network.contains(value),
            Self::Binary(expected) => value::bytes(value).is_some_and(|bytes| *bytes == **expected),
        }
    }
}

impl Order {
    fn holds<T: PartialOrd>(self, actual: &T, expected: &T) -> bool {
        match self {
            Self::Equal => actual == expected,
            Self::Less => actual < expected,
            Self::LessOrEqual => actual <= expected,
            Self::Greater => actual > expected,
            Self::GreaterOrEqual => actual >= expected,
        }
    }
}

/// What an ARN consists of; the last part may have colons of its own.
fn arn_parts(text: &str) -> Option<[&str; 6]> {
    let mut parts = [""; 6];
    let mut rest = text.splitn(6, ':');
    for place in &mut parts {
        *place = rest.next()?;
    }
    Some(parts)
}

fn arn_patterns(text: &str, variables: bool) -> Option<[Pattern; 6]> {
    let pattern = |part: &str| {
        if variables {
            Pattern::wild(part)
        } else {
            Pattern::plain(part, true)
        }
    };
    if text == "*" {
        return ["*"; 6]
            .into_iter()
            .map(pattern)
            .collect::<Option<Vec<_>>>()?
            .try_into()
            .ok();
    }
    if !text.starts_with("arn:") {
        return None;
    }
    let parts: Option<Vec<Pattern>> = split_outside_variables(text).into_iter().map(pattern).collect();
    parts?.try_into().ok()
}

/// Splits at the first five colons that are not inside `${…}`.
fn split_outside_variables(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut inside = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => inside = true,
            b'}' => inside = false,
            b':' if !inside && parts.len() < 5 => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

impl Variables for Context {
    fn value(&self, key: &Key) -> Option<&str> {
        match self.values(key) {
            Some([only]) => Some(only),
            Some(_) | None => None,
        }
    }
}

#[cfg(test)]
mod tests;
