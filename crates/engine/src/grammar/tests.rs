//! Schemas that hold, and schemas that are refused.

use super::*;
use crate::tokenizer::tests::tokenizer;

fn compile(schema: &str) -> Result<Grammar, Refusal> {
    let grammars = Grammars::new(&tokenizer()).unwrap();
    let format = OutputFormat::JsonSchema(Content::new(schema.to_owned()));
    grammars.compile(&format).map(|grammar| grammar.unwrap())
}

/// Whether the output is complete under the schema, byte by byte.
fn accepts(schema: &str, output: &str) -> bool {
    let mut grammar = compile(schema).unwrap();
    for byte in output.bytes() {
        if !grammar.allowed().unwrap().is_allowed(byte.into()) {
            return false;
        }
        grammar.advance(byte.into()).unwrap();
    }
    grammar.allowed().unwrap().is_allowed(257)
}

const CITY: &str = r#"{"type":"object","properties":{"city":{"type":"string","maxLength":9},"people":{"type":"integer","minimum":0}},"required":["city","people"],"additionalProperties":false}"#;

#[test]
fn only_what_fits_the_schema_is_allowed() {
    assert!(accepts(CITY, r#"{"city": "Paris", "people": 2}"#));
    for output in [
        "",
        "Paris",
        r#"{"city":"Paris"}"#,
        r#"{"city":"Paris","people":-1}"#,
        r#"{"city":"Paris","people":2,"x":1}"#,
        r#"{"city":"ABCDEFGHIJ","people":2}"#,
    ] {
        assert!(!accepts(CITY, output), "{output}");
    }
}

#[test]
fn references_within_the_schema_hold() {
    let schema = r##"{"$defs":{"n":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["next"],"additionalProperties":false}},"$ref":"#/$defs/n"}"##;
    assert!(accepts(schema, r#"{"next":{"next":null}}"#));
    assert!(!accepts(schema, r#"{"next":{"next":1}}"#));
}

#[test]
fn json_object_is_any_object_and_nothing_else() {
    let grammars = Grammars::new(&tokenizer()).unwrap();
    let mut grammar = grammars.compile(&OutputFormat::JsonObject).unwrap().unwrap();
    let first = grammar.allowed().unwrap();
    assert!(first.is_allowed(u32::from(b'{')) && !first.is_allowed(u32::from(b'[')));
    assert!(!first.is_allowed(257) && !first.is_allowed(256));
    assert!(grammars.compile(&OutputFormat::Text).unwrap().is_none());
}

#[test]
fn schemas_that_cannot_be_enforced_are_refused() {
    let deep = format!("{}{}", r#"{"not":"#.repeat(1000), "}".repeat(1000));
    let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(70_000));
    for schema in [
        "",
        "[]",
        "true",
        "{",
        r#"{}]}],"grammars":[{"lark_grammar":"start: /.*/""#,
        r#"{"type":"nothing"}"#,
        r#"{"type":"object","properties":{"a":{"$ref":"https://example.com/x"}}}"#,
        r##"{"$ref":"#/nowhere"}"##,
        r#"{"type":"string","pattern":"(?=x)"}"#,
        r#"{"type":"string","minLength":9,"maxLength":3}"#,
        &deep,
        &long,
    ] {
        let Err(Refusal::InvalidSchema(reason)) = compile(schema) else {
            panic!("accepted: {}", schema.chars().take(80).collect::<String>())
        };
        assert!(
            !reason.is_empty() && reason.len() < 1300 && !reason.contains('\n'),
            "{reason}"
        );
    }
}

#[test]
fn costly_masks_end_in_an_error_rather_than_in_a_long_wait() {
    let properties: Vec<String> = (0..400)
        .map(|n| format!(r#""p{n}":{{"type":"string","pattern":"^(.*{n}.*|a{{0,50}}b)+$"}}"#))
        .collect();
    let schema = format!(r#"{{"type":"object","properties":{{{}}}}}"#, properties.join(","));
    let nested = r#"{"type":"object","properties":{"p1":{"type":"string","pattern":"^((((((a{1,99}){1,99}){1,99}){1,99}){1,99}){1,99})$"}}}"#;
    for schema in [schema.as_str(), nested] {
        let Ok(mut grammar) = compile(schema) else {
            continue;
        };
        for byte in b"{\"p1\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
            if grammar.allowed().is_err() || grammar.advance(u32::from(*byte)).is_err() {
                break;
            }
        }
    }
}
