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
fn white_space_comes_to_an_end() {
    for output in [
        "{\"city\": \"Paris\",\n  \"people\": 2\n}",
        "{\r\n\r\n\t\"city\" : \"Paris\", \"people\" :2 }",
    ] {
        assert!(accepts(CITY, output), "{output}");
    }
    for output in [
        "{  \"city\": \"Paris\", \"people\": 2}",
        "{\n\n\n\"city\": \"Paris\", \"people\": 2}",
        "{\n \n\"city\": \"Paris\", \"people\": 2}",
        "{\n                     \"city\": \"Paris\", \"people\": 2}",
    ] {
        assert!(!accepts(CITY, output), "{output}");
    }
}

#[test]
fn a_schema_says_nothing_to_the_library() {
    let own = CITY.replacen(
        '{',
        r#"{"x-guidance":{"whitespace_pattern":"x","lenient":true},"#,
        1,
    );
    assert!(accepts(&own, r#"{"city": "Paris", "people": 2}"#));
    assert!(!accepts(&own, r#"{x"city":"Paris","people":2}"#));
    assert!(accepts("{ }", r#"{"a": [1]}"#));
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

/// What people ask for: nested objects, enumerations, arrays, patterns, formats, alternatives; and an output of each.
const ORDINARY: [(&str, &str); 4] = [
    (
        r#"{"type":"object","properties":{"name":{"type":"string","minLength":1,"maxLength":200},"status":{"enum":["open","closed","in progress","on hold"]},"tags":{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":20},"address":{"type":"object","properties":{"street":{"type":"string"},"zip":{"type":"string","pattern":"^[0-9]{5}(-[0-9]{4})?$"},"country":{"enum":["FR","DE","US","JP","BR"]}},"required":["street","zip","country"],"additionalProperties":false}},"required":["name","status","tags","address"],"additionalProperties":false}"#,
        r#"{"name":"Ada Lovelace","status":"in progress","tags":["maths","engines"],"address":{"street":"12 Rue de la Paix","zip":"75002-0001","country":"FR"}}"#,
    ),
    (
        r##"{"$defs":{"node":{"type":"object","properties":{"kind":{"enum":["leaf","branch"]},"value":{"type":["number","null"]},"children":{"type":"array","items":{"$ref":"#/$defs/node"}}},"required":["kind","value","children"],"additionalProperties":false}},"$ref":"#/$defs/node"}"##,
        r#"{"kind":"branch","value":null,"children":[{"kind":"leaf","value":-1.5e3,"children":[]},{"kind":"branch","value":7,"children":[{"kind":"leaf","value":0,"children":[]}]}]}"#,
    ),
    (
        r#"{"type":"object","properties":{"event":{"anyOf":[{"type":"object","properties":{"type":{"const":"click"},"x":{"type":"integer","minimum":0,"maximum":4096},"y":{"type":"integer","minimum":0,"maximum":4096}},"required":["type","x","y"],"additionalProperties":false},{"type":"object","properties":{"type":{"const":"key"},"code":{"type":"string","pattern":"^(Key[A-Z]|Digit[0-9]|Enter|Escape)$"}},"required":["type","code"],"additionalProperties":false}]},"at":{"type":"string","format":"date-time"},"id":{"type":"string","format":"uuid"}},"required":["event","at","id"],"additionalProperties":false}"#,
        r#"{"event":{"type":"key","code":"KeyQ"},"at":"2026-11-22T04:45:25Z","id":"123e4567-e89b-42d3-a456-426614174000"}"#,
    ),
    (
        r#"{"type":"object","properties":{"mail":{"type":"string","pattern":"^[a-zA-Z0-9._%+-]{1,64}@[a-zA-Z0-9.-]{1,255}\\.[a-zA-Z]{2,}$"},"scores":{"type":"array","items":{"type":"array","items":{"type":"number"},"minItems":3,"maxItems":3}},"extra":{"type":"object","additionalProperties":{"type":"string"}}},"required":["mail","scores","extra"]}"#,
        r#"{"mail":"ada@example.org","scores":[[1,2.5,3],[4,5,6]],"extra":{"colour":"a \"deep\" blue é","x":"\n"}}"#,
    ),
];

fn ordinary_schemas_hold(tokenizer: &Tokenizer) {
    let grammars = Grammars::new(tokenizer).unwrap();
    let properties: Vec<String> = (0..60)
        .map(|n| format!(r#""field_{n}":{{"type":"string","enum":["a{n}","b{n}","c{n}"]}}"#))
        .collect();
    let wide = format!(
        r#"{{"type":"object","properties":{{{}}},"additionalProperties":false}}"#,
        properties.join(",")
    );
    let all = ORDINARY
        .into_iter()
        .chain([(wide.as_str(), r#"{"field_3":"b3","field_59":"a59"}"#)]);
    for (schema, output) in all {
        let format = OutputFormat::JsonSchema(Content::new(schema.to_owned()));
        let Ok(Some(mut grammar)) = grammars.compile(&format) else {
            panic!("refused: {schema}")
        };
        let mut tokens = Vec::new();
        tokenizer.encode_plain(output, usize::MAX, &mut tokens).unwrap();
        for token in tokens {
            assert!(
                grammar.allowed().unwrap().is_allowed(token),
                "{token} in {output}"
            );
            grammar.advance(token).unwrap();
        }
        let end = tokenizer.endings()[0];
        assert!(grammar.allowed().unwrap().is_allowed(end), "{output}");
    }
}

#[test]
fn ordinary_schemas_stay_within_the_fuel() {
    ordinary_schemas_hold(&tokenizer());
}

#[test]
#[ignore = "needs the demo model"]
fn ordinary_schemas_stay_within_the_fuel_of_the_demo_model() {
    #[expect(clippy::disallowed_methods, reason = "a test is its own rim")]
    let path = std::env::var("MOHO_TEST_MODEL").expect("MOHO_TEST_MODEL names the demo model");
    let gguf = crate::gguf::Gguf::open(path.as_ref()).unwrap();
    let metadata = crate::tokenizer::Metadata::read(&gguf).unwrap();
    ordinary_schemas_hold(&Tokenizer::new(&metadata).unwrap());
}
