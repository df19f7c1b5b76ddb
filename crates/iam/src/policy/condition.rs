//! Conditions: `"StringEquals": {"aws:PrincipalAccount": "123456789012"}`.
//!
//! An operator that is not in the table below is refused when the policy is parsed: a condition that nobody evaluates
//! would silently allow, or silently not deny.

use std::net::IpAddr;

use moho_terms::Timestamp;

use super::pattern::{Case, Pattern, Variables};
use crate::authz::Context;

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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: u128,
    mask: u128,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// `Null`: whether the key has to be absent.
    Absent(bool),
    Compare {
        set: Set,
        negated: bool,
        if_exists: bool,
        expected: Vec<Expected>,
    },
}

/// One key under one operator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    key: String,
    test: Test,
}

const UNKNOWN_OPERATOR: &str = "unknown condition operator";
const BAD_VALUE: &str = "a condition value does not fit its operator";

impl Condition {
    /// Parses one operator with one key and its values.
    pub(crate) fn parse(operator: &str, key: &str, values: &[String]) -> Result<Self, &'static str> {
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
        let named = |b: u8| b.is_ascii_alphanumeric() || b":/-_.@=+${}".contains(&b);
        if key.is_empty() || !key.bytes().all(named) {
            return Err("a condition key is malformed");
        }
        let test = if kind == Kind::Null {
            match values {
                [value] if set == Set::One && !if_exists => Test::Absent(parse_bool(value).ok_or(BAD_VALUE)?),
                _ => return Err("Null takes one value, no set operator and no IfExists"),
            }
        } else {
            let expected = values
                .iter()
                .map(|value| Expected::parse(kind, value).ok_or(BAD_VALUE))
                .collect::<Result<_, _>>()?;
            Test::Compare {
                set,
                negated,
                if_exists,
                expected,
            }
        };
        Ok(Self {
            key: key.to_owned(),
            test,
        })
    }

    /// Tells its key, and those of the variables in its values.
    pub(crate) fn for_each_key<'a>(&'a self, tell: &mut impl FnMut(&'a str)) {
        tell(&self.key);
        let Test::Compare { expected, .. } = &self.test else {
            return;
        };
        for expected in expected {
            match expected {
                Expected::Text(pattern, _) => pattern.for_each_key(tell),
                Expected::Arn(patterns) => patterns.iter().for_each(|pattern| pattern.for_each_key(tell)),
                Expected::Bool(_) | Expected::Numeric(..) | Expected::Date(..) | Expected::Ip(_) => {}
            }
        }
    }

    /// Whether the request fulfils it.
    pub(crate) fn holds(&self, context: &Context) -> bool {
        let values = context.get(&self.key).filter(|values| !values.is_empty());
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
    fn parse(kind: Kind, value: &str) -> Option<Self> {
        match kind {
            Kind::Text { case, wild } => {
                let pattern = if wild {
                    Pattern::wild(value)
                } else {
                    Pattern::literal(value)
                };
                pattern.map(|pattern| Self::Text(pattern, case))
            }
            Kind::Arn => arn_patterns(value).map(|parts| Self::Arn(Box::new(parts))),
            Kind::Bool => parse_bool(value).map(Self::Bool),
            Kind::Numeric(order) => parse_number(value).map(|number| Self::Numeric(order, number)),
            Kind::Date(order) => parse_date(value).map(|date| Self::Date(order, date)),
            Kind::Ip => Network::parse(value).map(Self::Ip),
            Kind::Null => None,
        }
    }

    fn matches(&self, value: &str, context: &Context) -> bool {
        match self {
            Self::Text(pattern, case) => pattern.matches(value, *case, context),
            Self::Arn(patterns) => {
                // Each of the six parts is compared for itself: a star never crosses a colon.
                let parts: Vec<&str> = value.splitn(6, ':').collect();
                parts.len() == 6
                    && patterns
                        .iter()
                        .zip(parts)
                        .all(|(pattern, part)| pattern.matches(part, Case::Sensitive, context))
            }
            Self::Bool(expected) => parse_bool(value) == Some(*expected),
            Self::Numeric(order, expected) => {
                parse_number(value).is_some_and(|actual| order.holds(&actual, expected))
            }
            Self::Date(order, expected) => {
                parse_date(value).is_some_and(|actual| order.holds(&actual, expected))
            }
            Self::Ip(network) => value.parse().is_ok_and(|address| network.contains(address)),
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

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(widest);
        if length > widest {
            return None;
        }
        let mask = u128::MAX.checked_shl(widest - length).unwrap_or(0);
        let address = as_ipv6_bits(address);
        Some(Self {
            address: address & mask,
            mask,
        })
    }

    fn contains(self, address: IpAddr) -> bool {
        as_ipv6_bits(address) & self.mask == self.address
    }
}

fn as_ipv6_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn arn_patterns(text: &str) -> Option<[Pattern; 6]> {
    if text == "*" {
        let any = || Pattern::wild_without_variables("*");
        return Some([any(), any(), any(), any(), any(), any()]);
    }
    if !text.starts_with("arn:") {
        return None;
    }
    let parts: Vec<Pattern> = split_outside_variables(text)
        .into_iter()
        .map(Pattern::wild)
        .collect::<Option<_>>()?;
    parts.try_into().ok()
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

fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn parse_number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Seconds since 1970, `2026-11-22` or `2026-11-22T03:00:00Z`.
fn parse_date(text: &str) -> Option<Timestamp> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().map(Timestamp::from_unix_seconds);
    }
    let full = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    let basic: String = full.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    Timestamp::parse_iso8601_basic(&basic)
        .ok()
        .filter(|time| time.to_string() == full)
}

impl Variables for Context {
    fn value(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some([only]) => Some(only),
            Some(_) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(operator: &str, policy: &[&str], request: Option<&[&str]>) -> bool {
        let values: Vec<String> = policy.iter().map(|v| (*v).to_owned()).collect();
        let condition = Condition::parse(operator, "aws:Key", &values).unwrap();
        let mut context = Context::new().with("aws:other", "here");
        if let Some(request) = request {
            context.set("AWS:KEY", request.iter().map(|v| (*v).to_owned()).collect());
        }
        condition.holds(&context)
    }

    #[test]
    fn each_operator_holds_and_does_not() {
        for (operator, policy, yes, no) in [
            ("StringEquals", "ab", "ab", "aB"),
            ("StringEquals", "a*", "a*", "ab"),
            ("StringNotEquals", "ab", "aB", "ab"),
            ("StringEqualsIgnoreCase", "ab", "AB", "ac"),
            ("StringNotEqualsIgnoreCase", "ab", "ac", "AB"),
            ("StringLike", "a*", "ab", "ba"),
            ("StringNotLike", "a*", "ba", "ab"),
            ("StringEquals", "${aws:other}", "here", "there"),
            (
                "ArnLike",
                "arn:aws:iam::*:role/*",
                "arn:aws:iam::123456789012:role/x",
                "arn:aws:iam:x:y:123456789012:role/x",
            ),
            (
                "ArnEquals",
                "arn:aws:iam::1:role/${aws:other}",
                "arn:aws:iam::1:role/here",
                "arn:aws:iam::1:role/there",
            ),
            (
                "ArnNotLike",
                "arn:aws:iam::1:role/x",
                "arn:aws:iam::2:role/x",
                "arn:aws:iam::1:role/x",
            ),
            ("Bool", "true", "TRUE", "false"),
            ("NumericEquals", "5", "5.0", "6"),
            ("NumericNotEquals", "5", "6", "5"),
            ("NumericLessThan", "5", "4", "5"),
            ("NumericLessThanEquals", "5", "5", "6"),
            ("NumericGreaterThan", "5", "6", "5"),
            ("NumericGreaterThanEquals", "5", "5", "4"),
            ("DateEquals", "2026-11-22", "1795305600", "2026-11-22T00:00:01Z"),
            (
                "DateNotEquals",
                "2026-11-22",
                "2026-11-22T00:00:01Z",
                "2026-11-22T00:00:00Z",
            ),
            (
                "DateLessThan",
                "2026-11-22T00:00:00Z",
                "2026-11-21T23:59:59Z",
                "2026-11-22T00:00:00Z",
            ),
            ("DateLessThanEquals", "2026-11-22", "2026-11-22", "2026-11-23"),
            ("DateGreaterThan", "2026-11-22", "2026-11-23", "2026-11-22"),
            ("DateGreaterThanEquals", "2026-11-22", "2026-11-22", "2026-11-21"),
            ("IpAddress", "10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("IpAddress", "10.0.0.0/8", "::ffff:10.1.2.3", "::1"),
            ("IpAddress", "0.0.0.0/0", "9.9.9.9", "2001:db8::1"),
            ("IpAddress", "::/0", "2001:db8::1", "not an address"),
            ("NotIpAddress", "2001:db8::/32", "2001:db9::1", "2001:db8::1"),
        ] {
            assert!(
                holds(operator, &[policy], Some(&[yes])),
                "{operator} {policy} {yes}"
            );
            assert!(
                !holds(operator, &[policy], Some(&[no])),
                "{operator} {policy} {no}"
            );
        }
    }

    #[test]
    fn an_absent_key_fails_what_is_positive_only() {
        assert!(!holds("StringEquals", &["a"], None));
        assert!(holds("StringNotEquals", &["a"], None));
        assert!(holds("StringEqualsIfExists", &["a"], None));
        assert!(!holds("StringEqualsIfExists", &["a"], Some(&["b"])));
        assert!(holds("Null", &["true"], None));
        assert!(!holds("Null", &["false"], None));
        assert!(holds("Null", &["false"], Some(&["x"])));
        assert!(holds("ForAllValues:StringEquals", &["a"], None));
        assert!(!holds("ForAnyValue:StringEquals", &["a"], None));
        assert!(!holds("ForAnyValue:StringNotEquals", &["a"], None));
    }

    #[test]
    fn several_values_count_as_the_operator_says() {
        assert!(holds("StringEquals", &["a", "b"], Some(&["b"])));
        assert!(!holds("StringNotEquals", &["a", "b"], Some(&["b"])));
        assert!(holds("ForAllValues:StringEquals", &["a", "b"], Some(&["a", "b"])));
        assert!(!holds(
            "ForAllValues:StringEquals",
            &["a", "b"],
            Some(&["a", "c"])
        ));
        assert!(holds("ForAnyValue:StringEquals", &["a", "b"], Some(&["a", "c"])));
        assert!(holds("ForAnyValue:StringNotEquals", &["a"], Some(&["a", "c"])));
        assert!(!holds("ForAllValues:StringNotEquals", &["a"], Some(&["a", "c"])));
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused() {
        for (operator, value) in [
            ("StringEqual", "a"),
            ("stringequals", "a"),
            ("ForSomeValues:StringEquals", "a"),
            ("BinaryEquals", "a"),
            ("NullIfExists", "true"),
            ("Bool", "yes"),
            ("NumericEquals", "NaN"),
            ("DateEquals", "tomorrow"),
            ("DateEquals", "20261122T000000Z"),
            ("IpAddress", "10.0.0.0/33"),
            ("IpAddress", "10.0.0"),
            ("ArnLike", "role/x"),
            ("StringLike", "${open"),
        ] {
            assert!(
                Condition::parse(operator, "aws:k", &[value.to_owned()]).is_err(),
                "{operator} {value}"
            );
        }
        assert!(Condition::parse("StringEquals", "", &[]).is_err());
    }

    proptest! {
        #[test]
        fn a_negation_is_the_opposite_when_the_key_is_there(policy in "[ab*]{0,3}", request in "[ab]{0,3}") {
            for (positive, negative) in [("StringEquals", "StringNotEquals"), ("StringLike", "StringNotLike")] {
                prop_assert_ne!(holds(positive, &[&policy], Some(&[&request])), holds(negative, &[&policy], Some(&[&request])));
            }
        }
    }
}
