//! Which values a match has.

use std::collections::BTreeMap;

use super::pattern;
use crate::pattern::Selector;

const LINE: &str = r#"10.0.0.7 - mallory [10/Oct/2025:13:25:15 -0700] "GET /index.html HTTP/1.1" 404 1534"#;
const EVENT: &str =
    r#"{"latency": 12.5, "who": "a\tb", "on": true, "none": null, "list": [3, 4], "other": "seen"}"#;

fn values(text: &str, event: &str) -> BTreeMap<String, String> {
    let pattern = pattern(text);
    let found = pattern.matches(event).map(|found| found.values());
    let values = found.unwrap_or_default().into_iter();
    values.map(|(name, value)| (name, value.into_owned())).collect()
}

fn expected(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    owned.collect()
}

#[test]
fn of_fields() {
    let first = [
        ("$1", "10.0.0.7"),
        ("$2", "-"),
        ("$3", "mallory"),
        ("$4", "10/Oct/2025:13:25:15 -0700"),
    ];
    let request = "GET /index.html HTTP/1.1";
    let mut all = first.to_vec();
    all.extend([("$5", request), ("$6", "404"), ("$7", "1534")]);
    assert_eq!(values("[]", LINE), expected(&all));
    all.truncate(6);
    all.push(("$size", "1534"));
    assert_eq!(values("[..., size]", LINE), expected(&all));
    let mut some = first.to_vec();
    some.extend([("$request", request), ("$status", "404"), ("$7", "1534")]);
    assert_eq!(
        values("[..., request=*.html*, status=4*,]", LINE),
        expected(&some)
    );
    let rest = "mallory [10/Oct/2025:13:25:15 -0700] \"GET /index.html HTTP/1.1\" 404 1534";
    let named = [("$ip", "10.0.0.7"), ("$2", "-"), ("$rest", rest)];
    assert_eq!(values("[ip, , rest]", &format!("{LINE}  ")), expected(&named));
    assert_eq!(values("[status=500, rest]", LINE), expected(&[]));
}

#[test]
fn of_properties_and_terms() {
    let text = "{ $.latency > 1 && $.who = * && $.on IS TRUE && $.list[*] > 3 && $.x NOT EXISTS && ($.none IS NULL || $.list = 1) }";
    let pairs = [
        ("$.latency", "12.5"),
        ("$.who", "a\tb"),
        ("$.on", "true"),
        ("$.list[*]", "3"),
        ("$.none", "null"),
    ];
    assert_eq!(values(text, EVENT), expected(&pairs));
    assert_eq!(values("latency", EVENT), expected(&[]));
}

#[test]
fn of_a_selector() {
    for (text, event, selector, expected) in [
        ("{ $.latency = * }", EVENT, "$.latency", Some("12.5")),
        ("{ $.latency = * }", EVENT, "$.other", Some("seen")),
        ("{ $.latency = * }", EVENT, "$.list[1]", Some("4")),
        ("{ $.latency = * }", EVENT, "$.list", None),
        ("{ $.latency = * }", EVENT, "$.nothing", None),
        ("[..., bytes]", LINE, "$bytes", Some("1534")),
        ("[..., bytes]", LINE, "$3", Some("mallory")),
        ("[..., bytes]", LINE, "$8", None),
        ("[x, x, rest]", LINE, "$x", Some("-")),
        ("[..., bytes]", LINE, "$.bytes", None),
        ("latency", EVENT, "$.latency", None),
    ] {
        let (pattern, wanted) = (pattern(text), Selector::parse(selector).unwrap());
        let found = pattern.matches(event).and_then(|found| found.value(&wanted));
        assert_eq!(found.as_deref(), expected, "{text} {selector}");
    }
}

#[test]
fn how_many_expressions_a_pattern_has() {
    for (text, expected) in [
        ("%a%", 1),
        ("-%a% %b%", 2),
        ("[a=%x%, b=%y%]", 2),
        ("{ $.a != %x% }", 1),
        ("{ $.a = \"%x%\" }", 0),
        ("\"%a%\"", 0),
    ] {
        assert_eq!(pattern(text).expressions(), expected, "{text}");
    }
}

#[test]
fn which_selectors_a_pattern_has() {
    for (text, has, has_not, named) in [
        (
            "{ $.a = 1 || $.a = 2 || $.['b.c'] IS NULL }",
            "$.z",
            "$a",
            vec!["$.a", "$.['b.c']"],
        ),
        ("[a, , b>1, ...]", "$b", "$c", vec!["$a", "$b"]),
        ("[a, , b>1, ...]", "$2", "$.a", vec!["$a", "$b"]),
        ("term", "", "$.a", vec![]),
    ] {
        let pattern = pattern(text);
        assert_eq!(pattern.selectors(), named, "{text}");
        assert!(!pattern.has(&Selector::parse(has_not).unwrap()), "{text}");
        if !has.is_empty() {
            assert!(pattern.has(&Selector::parse(has).unwrap()), "{text}");
        }
    }
}
