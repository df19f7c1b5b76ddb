//! What is read, what is refused and how, and the chunks of a stream.

use moho_terms::{ContentBytes, RequestId, Timestamp};

use super::*;
use crate::Failure;
use crate::openai::{Delta, Ending, OutputFormat, Role, Sampling, Usage};
use crate::samples::{Zeros, measured, said};

const USAGE: Usage = Usage {
    input_tokens: 7,
    cached_tokens: 2,
    output_tokens: 3,
};
const HEAD: &str = r#""id":"chatcmpl-11111111222243338444555555555555","object":"chat.completion.chunk","created":100,"model":"m","service_tier":"default","system_fingerprint":"fp_1""#;

/// The head of the answer to a request with these settings.
fn head(settings: &str) -> ChatHead {
    let request: RequestId = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}]{settings}}}"#);
    let create = CreateChat::parse(body.as_bytes()).unwrap_or_else(|failure| panic!("{failure:?}"));
    ChatHead::new(&request, &create, Timestamp::from_unix_seconds(100)).with_fingerprint("fp_1".to_owned())
}

const PLAIN: &str = r#","stream_options":{"include_obfuscation":false}"#;
const WITH_USAGE: &str = r#","stream_options":{"include_usage":true,"include_obfuscation":false}"#;

fn text(bytes: &ContentBytes) -> String {
    String::from_utf8(bytes.expose().to_vec()).unwrap()
}

fn hello() -> Delta {
    said("Hello")
}

#[test]
fn chunks_come_in_order_and_usage_last() {
    let mut stream = ChatStream::new(head(WITH_USAGE));
    assert_eq!(
        text(&stream.open()),
        format!(
            "data: {{{HEAD},\"choices\":[{{\"index\":0,\"delta\":{{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null}}\n\n"
        )
    );
    assert_eq!(
        text(&stream.delta(0, &hello(), &Zeros).unwrap()),
        format!(
            "data: {{{HEAD},\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"Hello\"}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null}}\n\n"
        )
    );
    assert_eq!(
        text(&stream.end(0, Ending::Length)),
        format!(
            "data: {{{HEAD},\"choices\":[{{\"index\":0,\"delta\":{{}},\"logprobs\":null,\"finish_reason\":\"length\"}}],\"usage\":null}}\n\n"
        )
    );
    let end = text(&stream.complete(USAGE));
    let frames: Vec<&str> = end.split("\n\n").collect();
    assert!(frames[0].contains(
        r#""choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":2,"#
    ));
    assert_eq!(&frames[1..], ["data: [DONE]", ""]);
}

#[test]
fn without_usage_there_is_no_usage() {
    let mut stream = ChatStream::new(head(""));
    let delta = text(&stream.delta(0, &hello(), &Zeros).unwrap());
    assert!(
        delta.contains(&format!("\"obfuscation\":\"{}\"", "A".repeat(25))),
        "{delta}"
    );
    assert!(!text(&stream.end(0, Ending::Stop)).contains("usage"));
    assert_eq!(text(&stream.complete(USAGE)), "data: [DONE]\n\n");
}

#[test]
fn each_choice_has_its_chunks() {
    let mut stream = ChatStream::new(head(r#","n":3"#));
    let opening = text(&stream.open());
    let chunks: Vec<&str> = opening.split("\n\n").filter(|chunk| !chunk.is_empty()).collect();
    assert_eq!(chunks.len(), 3);
    for (index, chunk) in chunks.iter().enumerate() {
        let role = format!(r#""choices":[{{"index":{index},"delta":{{"role":"assistant","#);
        assert!(chunk.contains(&role), "{chunk}");
    }
    let delta = text(&stream.delta(2, &hello(), &Zeros).unwrap());
    assert!(delta.contains(r#""choices":[{"index":2,"delta":{"content":"Hello"}"#));
    let end = text(&stream.end(1, Ending::StopSequence));
    assert!(end.contains(r#""choices":[{"index":1,"delta":{},"logprobs":null,"finish_reason":"stop"}]"#));
}

#[test]
fn a_failure_never_looks_like_an_end() {
    let failure = Failure::Service {
        code: "broken",
        message: "It broke.".to_owned(),
        status: 500,
    };
    let frames = text(&ChatStream::new(head("")).fail(&failure));
    assert_eq!(
        frames,
        "data: {\"error\":{\"message\":\"It broke.\",\"type\":\"server_error\",\"param\":null,\"code\":\"broken\"}}\n\n"
    );
}

#[test]
fn a_whole_completion_is_one_object() {
    let mut draft = ChatDraft::new(head(""));
    draft.push(0, &hello()).unwrap();
    draft.end(0, Ending::Stop);
    let object = text(&draft.complete(USAGE));
    assert!(object.contains(r#""choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}]"#));
    assert!(object.contains(r#""system_fingerprint":"fp_1""#));
}

#[test]
fn a_whole_completion_has_every_choice_in_its_place() {
    let mut draft = ChatDraft::new(head(r#","n":2"#));
    draft.push(1, &said("b1")).unwrap();
    draft.push(0, &said("a")).unwrap();
    draft.push(1, &said("b2")).unwrap();
    draft.end(1, Ending::Length);
    draft.end(0, Ending::StopSequence);
    assert_eq!(draft.push(2, &said("c")), Err(Failure::Internal));
    let object = text(&draft.complete(USAGE));
    assert!(object.contains(r#"{"index":0,"message":{"role":"assistant","content":"a","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"},{"index":1,"message":{"role":"assistant","content":"b1b2","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"length"}]"#), "{object}");
}

const TOKEN: &str = r#"{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.5,"bytes":[72,105]}]}"#;

#[test]
fn log_probabilities_are_told_whole_and_in_chunks() {
    let asked = r#","logprobs":true,"top_logprobs":1,"stream_options":{"include_obfuscation":false}"#;
    let mut stream = ChatStream::new(head(asked));
    let delta = text(&stream.delta(0, &measured("Hi"), &Zeros).unwrap());
    let list = format!(r#""logprobs":{{"content":[{TOKEN}],"refusal":null}},"finish_reason":null"#);
    assert!(delta.contains(&list), "{delta}");
    let silent = text(&stream.delta(0, &hello(), &Zeros).unwrap());
    assert!(silent.contains(r#""logprobs":{"content":[],"refusal":null}"#));
    let mut draft = ChatDraft::new(head(asked));
    draft.push(0, &measured("Hi")).unwrap();
    draft.push(0, &measured("Hi")).unwrap();
    draft.end(0, Ending::Stop);
    let object = text(&draft.complete(USAGE));
    let list = format!(r#""logprobs":{{"content":[{TOKEN},{TOKEN}],"refusal":null}},"finish_reason":"stop""#);
    assert!(object.contains(&list), "{object}");
}

#[test]
fn padding_hides_the_length_of_log_probabilities_too() {
    let length = |delta: &Delta, settings: &str| {
        let mut stream = ChatStream::new(head(settings));
        stream.delta(0, delta, &Zeros).unwrap().len()
    };
    let asked = r#","logprobs":true"#;
    let bare = r#","logprobs":true,"stream_options":{"include_obfuscation":false}"#;
    assert_eq!(length(&measured("a"), asked), length(&measured("ab"), asked));
    assert_ne!(length(&measured("a"), bare), length(&measured("ab"), bare));
    assert_eq!(length(&measured("a"), asked) % 32, length(&hello(), asked) % 32);
    assert_ne!(length(&hello(), PLAIN), length(&hello(), ""));
}

#[test]
fn log_probabilities_of_all_choices_are_bounded_together() {
    let mut draft = ChatDraft::new(head(r#","n":128,"logprobs":true"#));
    let mut pushed: usize = 0;
    while draft.push(pushed % 128, &measured(&"\0".repeat(2000))).is_ok() {
        pushed += 1;
        // Each choice alone could hold as many.
        assert!(pushed < 1000);
    }
    assert!(pushed > 128, "{pushed}");
}

#[test]
fn what_clients_send_is_read() {
    let chat = CreateChat::parse(br#"{"model":"m","messages":[{"role":"system","content":"a"},{"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}],"name":"n"},{"role":"assistant","content":null,"refusal":"no"}],"stream":true,"stream_options":{"include_usage":true},"max_tokens":5,"max_completion_tokens":6,"stop":"end","n":2,"seed":-1,"temperature":0.5,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}},"tools":[{"type":"function","function":{"name":"f"}}],"logit_bias":{"7":-100,"07":1.5,"3":100},"frequency_penalty":0.5,"presence_penalty":-2,"repetition_penalty":1.1,"min_p":0.05,"top_k":40,"logprobs":true,"top_logprobs":20,"unknown":1}"#);
    let chat = chat.unwrap_or_else(|failure| panic!("{failure:?}"));
    let turns: Vec<(Role, String)> = chat
        .messages
        .iter()
        .map(|turn| (turn.role, turn.text().expose().to_owned()))
        .collect();
    let expected = [(Role::System, "a"), (Role::User, "b\nc"), (Role::Assistant, "no")];
    assert_eq!(turns, expected.map(|(role, text)| (role, text.to_owned())));
    assert!(chat.stream && chat.include_usage && chat.obfuscate);
    assert_eq!(
        (chat.max_tokens, chat.stop.len(), chat.sampling.seed),
        (Some(6), 1, Some(u64::MAX))
    );
    assert!(matches!(chat.format, OutputFormat::JsonSchema { .. }));
    assert_eq!((chat.choices, chat.logprobs), (2, Some(20)));
    // Of two biases of one token the last counts, however its id is written.
    assert_eq!(chat.logit_bias, [(3, 100.0), (7, 1.5)]);
}

#[test]
fn what_is_not_sent_is_off() {
    let chat = CreateChat::parse(br#"{"model":"m","messages":[{"role":"user","content":"x"}],"n":null,"logprobs":false,"top_logprobs":0,"logit_bias":null,"stop":null}"#);
    let chat = chat.unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_eq!((chat.choices, chat.logprobs), (1, None));
    assert_eq!(chat.sampling, Sampling::default());
    assert!(chat.logit_bias.is_empty() && chat.stop.is_empty());
}

#[test]
fn a_text_that_ends_an_answer_is_of_bounded_length() {
    let stop = |length: usize| {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"stop":["{}"]}}"#,
            "s".repeat(length)
        );
        CreateChat::parse(body.as_bytes())
    };
    assert_eq!(stop(1024).ok().unwrap().stop[0].len(), 1024);
    let Some(Failure::Invalid { message, param, code }) = stop(1025).err() else {
        panic!("taken")
    };
    assert!(
        message.contains("maximum length 1024, but got a string with length 1025"),
        "{message}"
    );
    assert_eq!(
        (param.as_deref(), code),
        (Some("stop"), Some("string_above_max_length"))
    );
}

#[test]
fn what_is_wrong_is_named() {
    for (rest, param) in [
        (r#""messages":[]"#, "messages"),
        (
            r#""messages":[{"role":"tool","content":"x"}]"#,
            "messages[0].role",
        ),
        (
            r#""messages":[{"role":"user","content":[{"type":"image_url"}]}]"#,
            "messages[0].content[0].type",
        ),
        (r#""messages":[{"role":"user","content":"x"}],"n":129"#, "n"),
        (
            r#""messages":[{"role":"user","content":"x"}],"stop":["a","b","c","d","e"]"#,
            "stop",
        ),
        (
            r#""messages":[{"role":"user","content":"x"}],"stop":[""]"#,
            "stop",
        ),
        (
            r#""messages":[{"role":"user","content":"x"}],"max_tokens":-1"#,
            "max_tokens",
        ),
        (
            r#""messages":[{"role":"user","content":"x"}],"logprobs":1"#,
            "logprobs",
        ),
        (
            r#""messages":[{"role":"user","content":"x"}],"presence_penalty":2.5"#,
            "presence_penalty",
        ),
        (
            r#""messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema"}"#,
            "response_format.json_schema",
        ),
    ] {
        let failure = CreateChat::parse(format!(r#"{{"model":"m",{rest}}}"#).as_bytes()).err();
        let Some(Failure::Invalid { param: Some(got), .. }) = failure else {
            panic!("{rest}")
        };
        assert_eq!(got, param);
    }
}

#[test]
fn fields_are_blamed_by_their_names_here() {
    let blamed_param = |failure: Failure| {
        let before = failure.message();
        let Failure::Invalid { message, param, code } = blamed(failure) else {
            panic!("no field is to blame")
        };
        assert_eq!(message, before);
        (param.unwrap(), code)
    };
    let invalid = |param: &str| Failure::Invalid {
        message: "no".to_owned(),
        param: Some(param.to_owned()),
        code: Some("c"),
    };
    let too_long = Failure::ContextLengthExceeded {
        limit: 8192,
        prompt_tokens: Some(9000),
    };
    for (failure, param, code) in [
        (too_long, "messages", "context_length_exceeded"),
        (invalid("input"), "messages", "c"),
        (
            invalid("text.format.schema"),
            "response_format.json_schema.schema",
            "c",
        ),
        (invalid("logit_bias"), "logit_bias", "c"),
    ] {
        assert_eq!(blamed_param(failure), (param.to_owned(), Some(code)));
    }
    assert_eq!(blamed(Failure::Unavailable), Failure::Unavailable);
}
