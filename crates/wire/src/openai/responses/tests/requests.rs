//! What clients send, and what is wrong with it.

use super::*;

#[test]
fn what_clients_send_is_read() {
    let bare = parse(
        r#"{"model":"m","input":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"output_text","text":"b"}]},{"type":"message","role":"developer","content":[{"type":"input_text","text":"c"},{"type":"input_text","text":"d"}]},{"type":"reasoning","summary":[]}],"nonsense":[{}],"client_metadata":{"x":1}}"#,
    );
    let turns: Vec<(Role, String)> = bare
        .input
        .iter()
        .map(|turn| (turn.role, turn.text().expose().to_owned()))
        .collect();
    let expected = [
        (Role::User, "a"),
        (Role::Assistant, "b"),
        (Role::Developer, "c\nd"),
    ];
    assert_eq!(turns, expected.map(|(role, text)| (role, text.to_owned())));
    assert!(
        bare.store.is_none()
            && bare.echo.store
            && bare.obfuscate
            && !bare.stream
            && bare.previous_response_id.is_none()
    );
    let codex = parse(
        r#"{"model":"m","input":"x","stream":true,"store":false,"include":["reasoning.encrypted_content"],"reasoning":{"summary":"auto"},"tool_choice":"auto","parallel_tool_calls":false,"prompt_cache_key":"k","tools":[{"type":"function","name":"f","parameters":{"z":1,"a":2},"strict":false},{"type":"namespace","name":"n","tools":[]},{"type":"web_search"}],"stream_options":{"include_obfuscation":false},"max_output_tokens":16,"temperature":0,"top_p":0.5,"truncation":"auto","metadata":{"k":"v"}}"#,
    );
    assert!(
        codex.stream
            && codex.store == Some(false)
            && !codex.echo.store
            && !codex.obfuscate
            && codex.truncation == Truncation::Auto
    );
    assert_eq!(
        (codex.max_output_tokens, codex.sampling.top_p),
        (Some(16), Some(0.5))
    );
    let echo = String::from_utf8(codex.echo.members().to_vec()).unwrap();
    for part in [
        r#""tools":[{"type":"function","name":"f","description":null,"parameters":{"z":1,"a":2},"strict":false}]"#,
        r#""metadata":{"k":"v"}"#,
        r#""temperature":0,"#,
        r#""max_output_tokens":16,"#,
        r#""truncation":"auto""#,
    ] {
        assert!(echo.contains(part), "{part} in {echo}");
    }
    let schema = parse(
        r#"{"model":"m","input":"x","text":{"format":{"type":"json_schema","strict":true,"name":"n","schema":{"type":"object","properties":{"z":{},"a":{}}}}}}"#,
    );
    let OutputFormat::JsonSchema { name, schema } = schema.format else {
        panic!("another format")
    };
    assert_eq!(
        (name.as_str(), schema.expose()),
        ("n", r#"{"type":"object","properties":{"z":{},"a":{}}}"#)
    );
}

/// The field to blame, the code and the request.
const WRONG: &str = r#"model missing_required_parameter {"input":"x"}
input missing_required_parameter {"model":"m"}
model invalid_type {"model":1,"input":"x"}
input empty_array {"model":"m","input":[]}
input[0].role invalid_value {"model":"m","input":[{"role":"robot","content":"x"}]}
input[0].content missing_required_parameter {"model":"m","input":[{"role":"user"}]}
input[0].content[0].type unsupported_value {"model":"m","input":[{"role":"user","content":[{"type":"input_image"}]}]}
input[0].type unsupported_value {"model":"m","input":[{"type":"item_reference","id":"x"}]}
input[0].type unsupported_value {"model":"m","input":[{"type":"function_call_output"}]}
temperature decimal_above_max_value {"model":"m","input":"x","temperature":2.1}
top_p decimal_below_min_value {"model":"m","input":"x","top_p":-1}
max_output_tokens integer_below_min_value {"model":"m","input":"x","max_output_tokens":0}
max_output_tokens integer_above_max_value {"model":"m","input":"x","max_output_tokens":99999999999999999999}
max_output_tokens invalid_type {"model":"m","input":"x","max_output_tokens":1.5}
stream invalid_type {"model":"m","input":"x","stream":"yes"}
background unsupported_value {"model":"m","input":"x","background":true}
tool_choice unsupported_value {"model":"m","input":"x","tool_choice":"required"}
messages unsupported_parameter {"model":"m","messages":[{"role":"user","content":"x"}]}
max_tokens unsupported_parameter {"model":"m","input":"x","max_tokens":5}
max_completion_tokens unsupported_parameter {"model":"m","input":"x","max_completion_tokens":5}
response_format unsupported_parameter {"model":"m","input":"x","response_format":{"type":"json_object"}}
logprobs unsupported_parameter {"model":"m","input":"x","logprobs":true}
stop unsupported_parameter {"model":"m","input":"x","stop":"end"}
n unsupported_parameter {"model":"m","input":"x","n":2}
include invalid_type {"model":"m","input":"x","include":"message.output_text.logprobs"}
include[1] invalid_value {"model":"m","input":"x","include":["reasoning.encrypted_content","all"]}
include[0] invalid_type {"model":"m","input":"x","include":[{}]}
text.format.schema missing_required_parameter {"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"n"}}}
metadata invalid_type {"model":"m","input":"x","metadata":{"k":1}}
- - [1]
- - {"#;

#[test]
fn what_is_wrong_is_named() {
    for line in WRONG.lines() {
        let mut columns = line
            .splitn(3, ' ')
            .map(|column| if column == "-" { "" } else { column });
        let (param, code, body) = (
            columns.next().unwrap(),
            columns.next().unwrap(),
            columns.next().unwrap(),
        );
        let failure = CreateResponse::parse(body.as_bytes()).err().unwrap();
        let Failure::Invalid {
            param: got,
            code: got_code,
            ..
        } = failure
        else {
            panic!("{line}")
        };
        assert_eq!(
            (got.unwrap_or_default().as_str(), got_code.unwrap_or_default()),
            (param, code),
            "{line}"
        );
    }
    let unknown = CreateResponse::parse(br#"{"model":"m","input":"x","previous_response_id":"nope"}"#).err();
    assert_eq!(unknown, Some(Failure::PreviousResponseNotFound(None)));
    let model = CreateResponse::parse(br#"{"model":"a/b","input":"x"}"#).err();
    assert_eq!(model, Some(Failure::ModelNotFound(None)));
}

#[test]
fn metadata_has_limits() {
    let parse = |pairs: String| {
        let body = format!(r#"{{"model":"m","input":"x","metadata":{{{pairs}}}}}"#);
        CreateResponse::parse(body.as_bytes()).is_ok()
    };
    let pairs = |count: usize| {
        (0..count)
            .map(|n| format!("\"{n}\":\"v\""))
            .collect::<Vec<_>>()
            .join(",")
    };
    assert!(parse(pairs(16)) && !parse(pairs(17)));
    let pair = |name: usize, value: usize| format!("\"{}\":\"{}\"", "é".repeat(name), "é".repeat(value));
    assert!(parse(pair(64, 512)) && !parse(pair(65, 1)) && !parse(pair(1, 513)));
}
