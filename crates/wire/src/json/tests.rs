//! What is taken, what is refused, and that nothing of a request comes back in an error.
#![expect(clippy::disallowed_types, reason = "serde_json is the oracle here")]

use super::*;
use proptest::prelude::*;

fn round_trip(text: &str) -> String {
    let mut writer = Writer::new();
    writer.json(&parse(text.as_bytes()).unwrap());
    String::from_utf8(writer.finish().expose().to_vec()).unwrap()
}

#[test]
fn order_numbers_and_text_survive() {
    for text in [
        r#"{"z":1,"a":[1.50,-0,1e400,12345678901234567890],"m":{"k":"\u0000\n\"\\é😀"}}"#,
        "null",
        r#""""#,
        "[]",
        "{}",
        r#"[{},[],"a",true,false,null,0]"#,
    ] {
        assert_eq!(round_trip(text), text);
    }
    assert_eq!(round_trip(r#""\ud83d\ude00\/\b\f""#), "\"😀/\\u0008\\u000c\"");
}

#[test]
fn the_last_of_two_members_counts() {
    let json = parse(br#"{"a":1,"a":"two"}"#).unwrap();
    assert!(matches!(json.get("a"), Some(Json::String(text)) if text.expose() == "two"));
}

#[test]
fn depth_is_bounded_without_recursion() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(parse(nested(64).as_bytes()).is_ok());
    let error = parse(nested(65).as_bytes()).err().unwrap();
    assert_eq!(error.to_string(), "nested more than 64 levels deep at byte 64");
    assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
    assert!(parse(r#"{"a":"#.repeat(1_000_000).as_bytes()).is_err());
}

#[test]
fn the_number_of_values_is_bounded() {
    let many = format!("[{}1]", "1,".repeat(600_000));
    assert!(
        parse(many.as_bytes())
            .err()
            .unwrap()
            .to_string()
            .starts_with("too many values")
    );
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "'a'",
        "01",
        "1.",
        "-",
        "1e",
        "+1",
        "nul",
        "NaN",
        "\"\t\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u+123\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\\",
        "\"abc",
        "1 2",
        "\u{feff}1",
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
    }
    assert!(parse(b"\"\xff\"").is_err());
    assert!(parse(b"\"\xed\xa0\x80\"").is_err());
}

/// Any value as it is printed: JSON text of which each part stands once.
fn printed() -> impl Strategy<Value = String> {
    let quoted = || any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap());
    let number = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,4})?";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        number,
        quoted()
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        let pair = (quoted(), inner.clone()).prop_map(|(name, value)| format!("{name}:{value}"));
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec(pair, 0..4).prop_map(|pairs| format!("{{{}}}", pairs.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn parsing_and_printing_lose_nothing(text in printed()) {
        // Once printed by us, escapes are ours; from then on nothing changes, not even the digits of a number.
        let ours = round_trip(&text);
        prop_assert_eq!(&round_trip(&ours), &ours);
        let (ours, theirs) = (serde_json::from_str::<serde_json::Value>(&ours), serde_json::from_str(&text));
        prop_assert_eq!(ours.ok(), theirs.ok());
    }

    #[test]
    fn any_bytes_agree_with_serde_json(bytes in proptest::collection::vec(prop_oneof![
        Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b','), Just(b':'), Just(b'\\'), Just(b'u'), Just(b'1'),
        Just(b'0'), Just(b'-'), Just(b'.'), Just(b'e'), Just(b' '), Just(b'n'), any::<u8>()], 0..24)) {
        let ours = parse(&bytes);
        let theirs = serde_json::from_slice::<serde_json::Value>(&bytes);
        // serde_json also refuses numbers beyond f64; we keep a number's text.
        if theirs.is_ok() || !theirs.as_ref().is_err_and(|e| e.to_string().starts_with("number out of range")) {
            prop_assert_eq!(ours.is_ok(), theirs.is_ok());
        }
    }

    #[test]
    fn strings_survive(text in any::<String>()) {
        let mut writer = Writer::new();
        writer.string(&text);
        let bytes = writer.finish();
        prop_assert_eq!(&serde_json::from_slice::<String>(bytes.expose()).unwrap(), &text);
        prop_assert!(matches!(parse(bytes.expose()), Ok(Json::String(read)) if read.expose() == text));
    }
}
