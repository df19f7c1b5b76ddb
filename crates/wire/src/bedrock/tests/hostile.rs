//! What is no request at all, and that no refusal repeats it.

use proptest::prelude::*;

use super::*;
use crate::ErrorShape;

const OPERATIONS: [&str; 5] = [
    "converse",
    "converse-stream",
    "invoke",
    "invoke-with-response-stream",
    "count-tokens",
];
/// A word that no message of moho has.
const MARK: &str = "Xyzzy7";

/// Requests of other types than the model says, and what is told about them.
const MISTYPED: [(&str, &str); 15] = [
    ("[]", "START_ARRAY can not be converted to a Structure at ''"),
    (
        r#"{"messages":{}}"#,
        "START_OBJECT can not be converted to a List at 'messages'",
    ),
    (
        r#"{"messages":["Xyzzy7"]}"#,
        "STRING_VALUE can not be converted to a Structure at 'messages.1.member'",
    ),
    (
        r#"{"messages":[null]}"#,
        "The item at 'messages.1.member' is null",
    ),
    (
        r#"{"messages":[{"role":1}]}"#,
        "NUMBER_VALUE can not be converted to a String at 'messages.1.member.role'",
    ),
    (
        r#"{"messages":[{"content":[{"text":"a"},{"text":true}]}]}"#,
        "TRUE_VALUE can not be converted to a String at 'messages.1.member.content.2.member.text'",
    ),
    (
        r#"{"messages":[{"content":[{"image":{"source":{"bytes":"Xyzzy7!"}}}]}]}"#,
        "STRING_VALUE can not be converted to a Blob at 'messages.1.member.content.1.member.image.source.bytes'",
    ),
    (
        r#"{"inferenceConfig":{"maxTokens":1.5}}"#,
        "NUMBER_VALUE can not be converted to an Integer at 'inferenceConfig.maxTokens'",
    ),
    (
        r#"{"inferenceConfig":{"maxTokens":2147483648}}"#,
        "NUMBER_VALUE can not be converted to an Integer at 'inferenceConfig.maxTokens'",
    ),
    (
        r#"{"inferenceConfig":{"temperature":"Xyzzy7"}}"#,
        "STRING_VALUE can not be converted to a Float at 'inferenceConfig.temperature'",
    ),
    (
        r#"{"requestMetadata":{"Xyzzy7":1}}"#,
        "NUMBER_VALUE can not be converted to a String at 'requestMetadata.1.value'",
    ),
    (
        r#"{"system":[],"system":[]}"#,
        "The member at 'system' is given twice",
    ),
    (
        r#"{"requestMetadata":{"Xyzzy7":"a","Xyzzy7":"b"}}"#,
        "The map at 'requestMetadata' has one key twice",
    ),
    (
        r#"{"messages":[{"content":[{"text":"a","image":{}}]}]}"#,
        "Exactly one member of the union at 'messages.1.member.content.1.member' must be set",
    ),
    (
        r#"{"messages":[{"content":[{"Xyzzy7":"a"}]}]}"#,
        "Exactly one member of the union at 'messages.1.member.content.1.member' must be set",
    ),
];

#[test]
fn what_has_another_type_is_named_by_its_place_alone() {
    for (body, expected) in MISTYPED {
        let refused = malformed(converse(body));
        assert_eq!(refused, expected, "{body}");
        assert!(!refused.contains(MARK));
    }
}

#[test]
fn depth_and_numbers_of_values_are_bounded() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let additional = format!(r#"{{"additionalModelRequestFields":{}}}"#, deep(70));
    for body in [
        deep(1_000_000),
        r#"{"messages":"#.repeat(100_000),
        additional,
        format!(r#"{{"messages":[{}1]}}"#, "1,".repeat(600_000)),
        "\"\\ud800\"".to_owned(),
        "{\"a\":\"\u{0}\"}".to_owned(),
    ] {
        let refused = malformed(converse(&body));
        assert!(refused.starts_with("The JSON cannot be read: "), "{refused}");
        assert!(refusal(invoke(&body)).starts_with("Malformed input request: "));
    }
    let bytes = ask("POST", "/model/m/converse", &[], b"{\"messages\":\"\xff\"}");
    assert!(malformed(bytes).contains("not valid UTF-8"));
}

#[test]
fn large_requests_are_read_in_time_that_grows_with_them() {
    let blocks = vec![r#"{"text":"x"}"#; 100_000].join(",");
    let body = format!(r#"{{"messages":[{{"role":"user","content":[{blocks}]}}]}}"#);
    assert_eq!(converse(&body).ok().unwrap().turns[0].parts.len(), 100_000);
    let pairs: Vec<String> = (0..100_000).map(|n| format!("\"{n}\":\"v\"")).collect();
    let many = format!(r#"{{"requestMetadata":{{{}}}}}"#, pairs.join(","));
    assert!(refusal(converse(&many)).contains("less than or equal to 16"));
}

/// Many turns before much white space: whoever looks to the end of the text at every turn reads hundreds of gigabytes here.
#[test]
fn a_llama_prompt_of_many_turns_is_read_once() {
    const HALF: usize = 4 << 20;
    let turn = "<|start_header_id|>user<|end_header_id|><|eot_id|>";
    let (turns, space) = (turn.repeat(HALF / turn.len()), " ".repeat(HALF));
    let read = |end: &str| invoke(&format!(r#"{{"prompt":"{space}{turns}{end}{space}"}}"#));
    let Ok(InvokeBody::Llama(llama)) = read("<|start_header_id|>assistant<|end_header_id|>").map(|i| i.body)
    else {
        panic!("another body")
    };
    assert!(matches!(llama.prompt, LlamaPrompt::Turns(turns) if turns.len() == HALF / turn.len()));
    assert!(refusal(read("x")).starts_with("Malformed input request: #/prompt: a prompt that begins"));
    let header = "<|start_header_id|>user<|end_header_id|>".repeat(HALF / 40);
    let bare = invoke(&format!(r#"{{"prompt":"{header}{space}"}}"#));
    assert!(refusal(bare).starts_with("Malformed input request: #/prompt: a prompt that begins"));
}

#[test]
fn a_refusal_tells_ten_errors_of_very_many() {
    let many = vec!["{}"; 400_000].join(",");
    let told = refusal(converse(&format!(r#"{{"messages":[{many}]}}"#)));
    assert!(
        told.starts_with("10 validation errors detected: Value null at 'messages.1.member.role' failed"),
        "{told}"
    );
    assert!(
        told.contains("'messages.5.member.") && !told.contains("'messages.6.member."),
        "{told}"
    );
    // A list or map that is too long itself is not looked into.
    let pairs: Vec<String> = (0..17).map(|n| format!("\"<{n}>\":\"<v>\"")).collect();
    let told = refusal(converse(&format!(
        r#"{{"requestMetadata":{{{}}}}}"#,
        pairs.join(",")
    )));
    assert!(told.starts_with("1 validation error detected: Value"), "{told}");
    assert!(
        told.contains("'requestMetadata'") && !told.contains("keys"),
        "{told}"
    );
}

#[test]
fn paths_that_are_nobodys_are_unknown_operations() {
    let shape = ErrorShape::RestJson;
    for (method, path) in [
        ("GET", "/model/m/converse"),
        ("POST", "/model/m"),
        ("POST", "/model"),
        ("POST", "/model/a/b/converse"),
        ("POST", "/model/m/converse/x"),
        ("POST", "/model/m%2Fconverse"),
        ("POST", "/foundation-models"),
        ("DELETE", "/foundation-models/m"),
        ("GET", "/foundation-models/m/x"),
    ] {
        let refused = ask(method, path, &[], b"").err().unwrap();
        let told = (refused.status(shape), refused.code(shape));
        assert_eq!(told, (404, "UnknownOperationException"), "{method} {path}");
    }
    for path in ["/model/m/converse/", "/model/m/converse"] {
        assert!(
            ask(
                "POST",
                path,
                &[],
                br#"{"messages":[{"role":"user","content":[{"text":"x"}]}]}"#
            )
            .is_ok()
        );
    }
}

fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(r#""messages":[{"role":"user","content":[{"text":""#.to_owned()),
        Just(r#""}]}]"#.to_owned()),
        Just(r#""inferenceConfig":{"maxTokens":"#.to_owned()),
        Just(r#""prompt":"#.to_owned()),
        Just("null".to_owned()),
        Just(r#""input":{"converse":{"#.to_owned()),
        Just(r#""requestMetadata":{"a":"#.to_owned()),
        Just(r#""<|start_header_id|>user<|end_header_id|>"#.to_owned()),
        Just("<|eot_id|>".to_owned()),
        Just("\"Xyzzy7\"".to_owned()),
        Just("\"Xyzzy7\":".to_owned()),
        "[0-9.eE-]{1,6}",
        ".{0,4}",
    ]
}

proptest! {
    #[test]
    fn no_request_panics_and_no_refusal_repeats_it(
        body in proptest::collection::vec(fragment(), 0..16),
        label in "[a-zA-Z0-9%:./-]{0,12}",
        operation in 0..5_usize,
        header in "[ -~é]{0,12}",
    ) {
        let path = format!("/model/{label}/{}", OPERATIONS[operation]);
        let headers = [
            ("x-amzn-bedrock-trace", format!("{MARK}{header}")),
            ("x-amzn-bedrock-service-tier", header.clone()),
            ("accept", header),
        ];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if let Err(failure) = ask("POST", &path, &headers, body.concat().as_bytes()) {
            let request = "11111111-2222-4333-8444-555555555555".parse().unwrap();
            let reply = failure.reply(ErrorShape::RestJson, &request);
            prop_assert!((400..500).contains(&reply.status), "{:?}", failure);
            prop_assert!(!text(&reply.body).contains(MARK), "{}", text(&reply.body));
        }
    }

    #[test]
    fn no_bytes_panic(body in any::<Vec<u8>>(), operation in 0..5_usize) {
        drop(ask("POST", &format!("/model/m/{}", OPERATIONS[operation]), &[], &body));
    }

    #[test]
    fn words_arrive_as_they_were_sent(texts in proptest::collection::vec(".*[a-z].*", 1..5)) {
        let mut w = Writer::new();
        w.object(|w| {
            w.key("messages").array(|w| {
                w.object(|w| {
                    w.text("role", "user");
                    w.key("content").array(|w| texts.iter().for_each(|text| w.object(|w| w.text("text", text))));
                });
            });
        });
        let asked = converse(&text(&w.finish())).ok().unwrap();
        let read: Vec<&str> = asked.turns[0].parts.iter().map(Content::expose).collect();
        prop_assert_eq!(read, texts);
    }
}
