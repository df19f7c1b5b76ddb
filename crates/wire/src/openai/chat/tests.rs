//! What is read, what is refused and how, and the chunks of a stream.

use moho_terms::{Content, ContentBytes, Entropy, EntropyUnavailable, RequestId, Timestamp};

use super::*;
use crate::Failure;
use crate::openai::{Ending, OutputFormat, Role, Usage};

struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        bytes.fill(0);
        Ok(())
    }
}

const USAGE: Usage = Usage {
    input_tokens: 7,
    cached_tokens: 2,
    output_tokens: 3,
};
const HEAD: &str = r#""id":"chatcmpl-11111111222243338444555555555555","object":"chat.completion.chunk","created":100,"model":"m","service_tier":"default""#;

fn draft() -> ChatDraft {
    let request: RequestId = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    ChatDraft::new(&request, &"m".parse().unwrap(), Timestamp::from_unix_seconds(100))
}

fn text(bytes: &ContentBytes) -> String {
    String::from_utf8(bytes.expose().to_vec()).unwrap()
}

fn hello() -> Content {
    Content::new("Hello".to_owned())
}

#[test]
fn chunks_come_in_order_and_usage_last() {
    let mut stream = ChatStream::new(draft(), true, false);
    assert_eq!(
        text(&stream.open()),
        format!(
            "data: {{{HEAD},\"choices\":[{{\"index\":0,\"delta\":{{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null}}\n\n"
        )
    );
    assert_eq!(
        text(&stream.delta(&hello(), &Zeros).unwrap()),
        format!(
            "data: {{{HEAD},\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"Hello\"}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null}}\n\n"
        )
    );
    let end = text(&stream.complete(Ending::Length, USAGE));
    let frames: Vec<&str> = end.split("\n\n").collect();
    assert!(frames[0].contains(r#""delta":{},"logprobs":null,"finish_reason":"length""#));
    assert!(
        frames[1]
            .contains(r#""choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"#)
    );
    assert_eq!(&frames[2..], ["data: [DONE]", ""]);
}

#[test]
fn without_usage_there_is_no_usage() {
    let mut stream = ChatStream::new(draft(), false, true);
    let delta = text(&stream.delta(&hello(), &Zeros).unwrap());
    assert!(
        delta.contains(&format!("\"obfuscation\":\"{}\"", "A".repeat(25))),
        "{delta}"
    );
    assert!(!text(&stream.complete(Ending::Stop, USAGE)).contains("usage"));
}

#[test]
fn a_failure_never_looks_like_an_end() {
    let frames = text(&ChatStream::new(draft(), true, true).fail(&Failure::Internal));
    assert_eq!(
        frames,
        "data: {\"error\":{\"message\":\"An internal error occurred.\",\"type\":\"server_error\",\"param\":null,\"code\":\"server_error\"}}\n\n"
    );
}

#[test]
fn a_whole_completion_is_one_object() {
    let mut draft = draft();
    draft.push(&hello());
    let object = text(&draft.complete(Ending::Stop, USAGE));
    assert!(object.contains(r#""choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}]"#));
}

#[test]
fn what_clients_send_is_read() {
    let chat = CreateChat::parse(br#"{"model":"m","messages":[{"role":"system","content":"a"},{"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}],"name":"n"},{"role":"assistant","content":null,"refusal":"no"}],"stream":true,"stream_options":{"include_usage":true},"max_tokens":5,"max_completion_tokens":6,"stop":"end","n":1,"seed":-1,"temperature":0.5,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}},"tools":[{"type":"function","function":{"name":"f"}}],"logit_bias":{},"frequency_penalty":0,"unknown":1}"#);
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
        (r#""messages":[{"role":"user","content":"x"}],"n":2"#, "n"),
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
            r#""messages":[{"role":"user","content":"x"}],"logprobs":true"#,
            "logprobs",
        ),
        (
            r#""messages":[{"role":"user","content":"x"}],"presence_penalty":1"#,
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
