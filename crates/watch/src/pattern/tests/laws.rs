//! What holds of all patterns and events.

use proptest::prelude::*;

use super::super::fields::Fields;
use super::model::{Json, event, expression, finds, logic, print_expression, quote, text};
use super::pattern;
use crate::pattern::cursor::Cursor;
use crate::pattern::{FilterPattern, RequiredLiterals, Selector};

/// A term of a pattern and what it does: 0 is in, 1 is optional, 2 is out.
type Term = (u8, String);

fn print_terms(terms: &[Term]) -> String {
    let print = |(kind, text): &Term| {
        let sign = ["", "?", "-"][usize::from(*kind)];
        let bare = !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric());
        format!("{sign}{}", if bare { text.clone() } else { quote(text) })
    };
    let terms: Vec<String> = terms.iter().map(print).collect();
    terms.join(" ")
}

fn terms_match(terms: &[Term], event: &str) -> bool {
    let has = |text: &str| {
        text.trim().is_empty()
            || (0..event.len()).any(|at| event.as_bytes()[at..].starts_with(text.as_bytes()))
    };
    let of = |kind: u8| {
        terms
            .iter()
            .filter(move |(own, _)| *own == kind)
            .map(|(_, text)| has(text))
    };
    let only_optional = of(0).count() + of(2).count() == 0;
    of(0).all(|has| has)
        && !of(2).any(|has| has)
        && (!only_optional || terms.is_empty() || of(1).any(|has| has))
}

fn print(event: &Json, turns: &[u8]) -> String {
    let mut text = String::new();
    event.print(&mut turns.iter().copied().cycle().take(10_000), &mut text);
    text
}

/// Texts of the characters that patterns have a use for.
fn near_pattern() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "{", "}", "[", "]", "(", ")", "$", ".", "$.a", "*", "%", "\"", "'", "\\", "=", "!=", "<", ">=", "&&",
        "||", "|", " ", ",", "...", "-", "?", "+", "a", "b1", "IS", "NOT", "EXISTS", "NULL", "TRUE", "1",
        "2e3", "é", "\u{0}", "\\x41", "{2,3}", "^",
    ]);
    let whole = prop::sample::select(vec![
        ("", ""),
        ("{", "}"),
        ("[", "]"),
        ("%", "%"),
        ("{ $.a = %", "% }"),
    ]);
    (whole, prop::collection::vec(part, 0..24))
        .prop_map(|((open, close), parts)| format!("{open}{}{close}", parts.concat()))
}

fn check_total(text: &str, event: &str) -> Result<(), TestCaseError> {
    match FilterPattern::parse(text) {
        Err(error) => prop_assert!(error.at >= 1 && error.at <= text.chars().count() + 1, "{error}"),
        Ok(pattern) => {
            let found = pattern.matches(event);
            prop_assert_eq!(found.is_some(), pattern.is_match(event));
            prop_assert!(found.is_none() || pattern.required_literals().are_in(event));
            if let Some(found) = found {
                prop_assert!(found.values().len() <= event.len() + text.len());
            }
            for selector in pattern.selectors() {
                let selector = Selector::parse(&selector);
                prop_assert!(selector.is_ok_and(|selector| pattern.has(&selector)));
            }
        }
    }
    if let Err(error) = Selector::parse(text) {
        prop_assert!(error.at <= text.chars().count() + 1);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_text_is_a_pattern_or_refused(text in any::<String>(), event in any::<String>()) {
        check_total(&text, &event)?;
    }

    #[test]
    fn so_is_what_looks_like_one(text in near_pattern(), event in "[\\[\\]\"a1 {}:,\\\\]{0,30}") {
        check_total(&text, &event)?;
        check_total(&text, r#"{"a":"a1","b1":[1,null]}"#)?;
    }

    #[test]
    fn terms_are_searched_for(
        terms in prop::collection::vec((0..3_u8, "[ab\" \\\\é-]{0,3}"), 0..4),
        event in "[ab\" \\\\é-]{0,12}",
    ) {
        let text = print_terms(&terms);
        let pattern = pattern(&text);
        prop_assert_eq!(pattern.is_match(&event), terms_match(&terms, &event), "{}", text);
        prop_assert!(!pattern.is_match(&event) || pattern.required_literals().are_in(&event), "{}", text);
    }

    #[test]
    fn expressions_find_what_a_slow_search_finds(alternatives in expression(), event in "[ab1_A. é\n-]{0,8}") {
        let text = format!("%{}%", print_expression(&alternatives));
        let pattern = pattern(&text);
        let letters: Vec<char> = event.chars().collect();
        prop_assert_eq!(pattern.is_match(&event), finds(&alternatives, &letters), "{}", text);
        let required = pattern.required_literals();
        prop_assert!(!pattern.is_match(&event) || required.are_in(&event), "{} {:?}", text, required);
    }

    #[test]
    fn properties_are_found_in_the_tree(
        event in event(),
        logic in logic(),
        turns in prop::collection::vec(0..8_u8, 1..40),
    ) {
        let (text, written) = (format!("{{ {} }}", logic.print()), print(&event, &turns));
        // More wildcards than a pattern may have.
        prop_assume!(text.matches(".*").count() + text.matches("[*]").count() <= 3);
        let pattern = pattern(&text);
        prop_assert_eq!(pattern.is_match(&written), logic.holds(&event), "{}\n{}", text, written);
        let required = pattern.required_literals();
        prop_assert!(!logic.holds(&event) || required.are_in(&written), "{} {:?}\n{}", text, required, written);
    }

    #[test]
    fn strings_are_read_as_they_were_meant(meant in text(), turns in prop::collection::vec(0..4_u8, 1..9)) {
        let event = print(&Json::Object(vec![("a".to_owned(), Json::Text(meant.clone()))]), &turns);
        let (all, selector) = (pattern("{ $.a = * }"), Selector::parse("$.a").unwrap());
        let value = all.matches(&event).and_then(|found| found.value(&selector));
        prop_assert_eq!(value.as_deref(), Some(meant.as_str()));
    }

    #[test]
    fn what_is_json_is_what_serde_takes_for_it(
        event in event(),
        turns in prop::collection::vec(0..6_u8, 1..20),
        at in any::<prop::sample::Index>(),
        put in prop::sample::select(vec!["", ",", "}", "]", "{", "[", "\"", ":", "\\", "\\u12", "0", "-", ".", "e1", " ", "t", "\n"]),
        cut in 0..2_usize,
    ) {
        let mut letters: Vec<char> = print(&event, &turns).chars().collect();
        let at = at.index(letters.len());
        letters.splice(at..(at + cut).min(letters.len()), put.chars());
        let text: String = letters.into_iter().collect();
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok()
            && text.trim_start().starts_with(['{', '[']);
        prop_assert_eq!(pattern("{ $.never NOT EXISTS }").is_match(&text), is_json, "{}", text);
        // The way through the selectors' table is another than past it.
        let everywhere = pattern("{ $.*.never = 1 || $[*].a.b NOT EXISTS || $.a[0] = 1 || $.b.c.d NOT EXISTS }");
        prop_assert_eq!(everywhere.is_match(&text), is_json, "{}", text);
    }

    #[test]
    fn fields_are_words(words in prop::collection::vec("[ab1:]{1,3}", 0..6), named in 0..5_usize, ahead in 0..3_usize) {
        let event = words.join(" ");
        let names: Vec<String> = (0..named).map(|at| format!("f{at}")).collect();
        let (first, last) = names.split_at(ahead.min(named));
        let text = format!("[{}]", [first, &["...".to_owned()], last].concat().join(","));
        prop_assert_eq!(pattern(&text).is_match(&event), words.len() >= named);
        if named > 0 {
            let fields = Fields::parse(&mut Cursor::new(&format!("[{}]", names.join(", "))), &mut 0).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(fields.is_match(&event), words.len() >= named);
            let values: Vec<String> = fields.values(&event).into_iter().map(|(_, value)| value.into_owned()).collect();
            let mut expected = words.clone();
            if words.len() >= named {
                let rest = expected.split_off(named - 1).join(" ");
                expected.push(rest);
                prop_assert_eq!(values, expected);
            }
        }
    }

    #[test]
    fn requirements_combine(
        one in prop::collection::vec("[ab]{0,2}", 1..12),
        two in prop::collection::vec("[ab]{0,2}", 1..12),
        text in "[ab]{0,4}",
    ) {
        let any = |literals: &[String]| RequiredLiterals::any(literals.iter().map(String::as_str));
        let (one, two) = (any(&one), any(&two));
        if one.are_in(&text) && two.are_in(&text) {
            prop_assert!(one.clone().and(two.clone()).are_in(&text));
        }
        if one.are_in(&text) || two.are_in(&text) {
            prop_assert!(one.or(two).are_in(&text));
        }
    }
}

#[test]
fn what_is_required() {
    for (text, sets) in [
        ("ERROR \"disk full\"", vec![vec!["disk full", "ERROR"]]),
        ("?ERROR ?WARN", vec![vec!["ERROR"], vec!["WARN"]]),
        ("?ERROR ?WARN x", vec![vec!["x"]]),
        ("-ERROR", vec![vec![]]),
        ("%abc?def+|gh%", vec![vec!["def"], vec!["gh"]]),
        ("[a=x*, b=*yy*, c!=z, d>5]", vec![vec!["yy", "x"]]),
        ("[a=x || a=y, b]", vec![vec!["x"], vec!["y"]]),
        (
            r#"{ $.level = "ERROR" }"#,
            vec![vec!["\"ERROR\"", "\"level\""], vec!["\\u"]],
        ),
        (
            "{ $.a = E* && $.n = 5 }",
            vec![vec!["\"a\"", "\"n\"", "E"], vec!["\\u"]],
        ),
        ("{ $.a = \"b/ccc\" || $.x NOT EXISTS }", vec![vec![]]),
        ("{ $.a = \"b/cccc\" }", vec![vec!["cccc", "\"a\""], vec!["\\u"]]),
        (
            "{ $.a IS NULL }",
            vec![vec!["null", "\"a\""], vec!["null", "\\u"]],
        ),
    ] {
        assert_eq!(pattern(text).required_literals().sets(), sets, "{text}");
    }
}

/// More alternatives than are kept, in both ways to combine them.
#[test]
fn requirements_stay_few() {
    let names: Vec<String> = (0..40).map(|at| format!("$.a=w{at}")).collect();
    let any = pattern(&format!("{{ {} }}", names.join("||"))).required_literals();
    assert_eq!(any.sets(), [vec!["\\u"], vec!["\"a\""]]);
    let words: Vec<String> = (0..40).map(|at| format!("?w{at}")).collect();
    assert!(pattern(&words.join(" ")).required_literals().allows_all());
    let halves: Vec<String> = (0..8).map(|at| format!("($.a=v{at} || $.b=w{at})")).collect();
    let all = pattern(&format!("{{ {} }}", halves.join("&&"))).required_literals();
    assert!(!all.allows_all() && all.sets().len() <= 32, "{all:?}");
    let words: Vec<String> = (0..40).map(|at| format!("w{at}")).collect();
    let all = pattern(&words.join(" ")).required_literals();
    assert_eq!(all.sets().iter().map(Vec::len).collect::<Vec<_>>(), [8]);
    // Too many to look for in each event: all the same, each is found.
    let event = r#"{"a":"w39"}"#;
    assert!(pattern(&format!("{{ {} }}", names.join("||"))).is_match(event));
}
