//! What is read, what is refused and how, the order of events, and what is stored.

mod properties;
mod requests;

use moho_terms::{Content, ContentBytes, ResponseId, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::Failure;
use crate::json::{self, Json};
use crate::openai::{Ending, OutputFormat, Role, Turn, Usage};
use crate::samples::{Zeros, measured, said};

const USAGE: Usage = Usage {
    input_tokens: 7,
    cached_tokens: 2,
    output_tokens: 3,
};

fn id() -> ResponseId {
    "resp_0123456789abcdef0123456789abcdef0123456789abcdef"
        .parse()
        .unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn content(text: &str) -> Content {
    Content::new(text.to_owned())
}

fn parse(body: &str) -> CreateResponse {
    CreateResponse::parse(body.as_bytes()).unwrap_or_else(|failure| panic!("{failure:?}"))
}

fn draft() -> ResponseDraft {
    ResponseDraft::new(
        id(),
        at(100),
        parse(r#"{"model":"m","input":"hi","instructions":"be brief"}"#).echo,
    )
}

fn text(bytes: &ContentBytes) -> String {
    String::from_utf8(bytes.expose().to_vec()).unwrap()
}

/// The events of frames: names, which have to equal the types, and data.
fn events(frames: &str) -> Vec<(String, Json)> {
    let frame = |frame: &str| {
        let (name, data) = frame.split_once('\n').unwrap();
        let data = json::parse(data.strip_prefix("data: ").unwrap().as_bytes()).unwrap();
        let name = name.strip_prefix("event: ").unwrap();
        assert!(matches!(data.get("type"), Some(Json::String(kind)) if kind.expose() == name));
        (name.to_owned(), data)
    };
    frames
        .strip_suffix("\n\n")
        .unwrap()
        .split("\n\n")
        .filter(|f| *f != "data: [DONE]")
        .map(frame)
        .collect()
}

fn names(frames: &str) -> Vec<String> {
    events(frames).into_iter().map(|(name, _)| name).collect()
}

const OPENING: [&str; 2] = ["response.created", "response.in_progress"];
const SPEAKING: [&str; 2] = ["response.output_item.added", "response.content_part.added"];
const CLOSING: [&str; 3] = [
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
];

/// All that follows the last words.
fn closing(completed: CompletedStream) -> String {
    let frames: Vec<String> = completed.into_frames().map(|frame| text(&frame)).collect();
    assert!(
        frames
            .iter()
            .all(|frame| frame.matches(".done\ndata: ").count() <= 1),
        "each event is a frame of its own"
    );
    frames.concat() + &text(&CompletedStream::done())
}

#[test]
fn the_order_of_events_is_the_one_clients_rely_on() {
    for (ending, last) in [
        (Ending::Stop, "response.completed"),
        (Ending::Length, "response.incomplete"),
    ] {
        let mut stream = ResponseStream::new(draft(), true);
        let mut frames = text(&stream.open());
        frames.push_str(&text(&stream.delta(&said("Hel"), &Zeros).unwrap()));
        frames.push_str(&text(&stream.delta(&said("lo \"you\"\n"), &Zeros).unwrap()));
        let done = stream.complete(ending, USAGE, at(101));
        let object = text(done.object());
        frames.push_str(&closing(done));
        let mut expected = [OPENING, SPEAKING].concat();
        expected.extend(["response.output_text.delta"; 2]);
        expected.extend(CLOSING);
        expected.push(last);
        assert_eq!(names(&frames), expected);
        assert!(
            frames.ends_with(&format!("\"response\":{object}}}\n\ndata: [DONE]\n\n")),
            "{frames}"
        );
        for (number, (_, data)) in events(&frames).iter().enumerate() {
            assert!(
                matches!(data.get("sequence_number"), Some(Json::Number(n)) if **n == number.to_string())
            );
        }
    }
}

#[test]
fn an_answer_without_a_word_has_its_item_too() {
    let mut stream = ResponseStream::new(draft(), false);
    let mut frames = text(&stream.open());
    frames.push_str(&closing(stream.complete(Ending::Stop, USAGE, at(101))));
    let expected = [&OPENING[..], &SPEAKING, &CLOSING, &["response.completed"]].concat();
    assert_eq!(names(&frames), expected);
}

#[test]
fn settings_that_are_repeated_have_bounds() {
    let long = |count: usize| "x".repeat(count);
    let tool = |count| {
        format!(
            r#"{{"type":"function","name":"f","description":"{}"}}"#,
            long(count)
        )
    };
    let quoted = |count| format!("\"{}\"", long(count));
    let choice = |count| {
        format!(
            r#"{{"type":"allowed_tools","mode":"auto","tools":["{}"]}}"#,
            long(count)
        )
    };
    let format = |count| {
        format!(
            r#"{{"format":{{"type":"json_object","description":"{}"}}}}"#,
            long(count)
        )
    };
    let number = |count| format!("0.{}", "0".repeat(count));
    for (field, param, fits, too_long) in [
        ("user", "user", quoted(512), quoted(513)),
        ("safety_identifier", "safety_identifier", quoted(512), quoted(513)),
        ("prompt_cache_key", "prompt_cache_key", quoted(512), quoted(513)),
        (
            "tools",
            "tools",
            format!("[{}]", tool(250 << 10)),
            format!("[{0},{0}]", tool(128 << 10)),
        ),
        ("tool_choice", "tool_choice", choice(16_000), choice(17_000)),
        ("text", "text.format", format(128_000), format(132_000)),
        ("temperature", "temperature", number(62), number(63)),
        ("top_p", "top_p", number(62), number(63)),
        ("presence_penalty", "presence_penalty", number(62), number(63)),
        ("frequency_penalty", "frequency_penalty", number(62), number(63)),
    ] {
        let body = |value: &str| format!(r#"{{"model":"m","input":"x","{field}":{value}}}"#);
        assert!(
            CreateResponse::parse(body(&fits).as_bytes()).is_ok(),
            "{field} fits"
        );
        let refused = CreateResponse::parse(body(&too_long).as_bytes()).err();
        let Some(Failure::Invalid { param: named, .. }) = refused else {
            panic!("{field} is taken")
        };
        assert_eq!(named.as_deref(), Some(param));
    }
}

#[test]
fn log_probabilities_are_in_deltas_dones_and_the_object() {
    let token = |letter: char, code: u8| {
        format!(
            r#"{{"token":"{letter}","logprob":-0.5,"bytes":[{code}],"top_logprobs":[{{"token":"{letter}","logprob":-0.5,"bytes":[{code}]}}]}}"#
        )
    };
    let mut stream = ResponseStream::new(draft(), false);
    let mut frames = text(&stream.open());
    frames.push_str(&text(&stream.delta(&measured("a"), &Zeros).unwrap()));
    frames.push_str(&text(&stream.delta(&said("-"), &Zeros).unwrap()));
    frames.push_str(&text(&stream.delta(&measured("b"), &Zeros).unwrap()));
    let done = stream.complete(Ending::StopSequence, USAGE, at(101));
    let object = text(done.object());
    frames.push_str(&closing(done));
    let lists: Vec<(String, String)> = frames
        .split("\n\n")
        .filter_map(|frame| {
            let name = frame.strip_prefix("event: ")?.split_once('\n')?.0.to_owned();
            let list = frame.split_once("\"logprobs\":")?.1;
            Some((name, list.to_owned()))
        })
        .collect();
    let (a, both) = (token('a', 97), format!("{},{}", token('a', 97), token('b', 98)));
    let expected = [
        ("response.content_part.added", String::new()),
        ("response.output_text.delta", a),
        ("response.output_text.delta", String::new()),
        ("response.output_text.delta", token('b', 98)),
        ("response.output_text.done", both.clone()),
        ("response.content_part.done", both.clone()),
        ("response.output_item.done", both.clone()),
        ("response.completed", both),
    ];
    assert_eq!(lists.len(), expected.len());
    for ((name, list), (event, members)) in lists.iter().zip(&expected) {
        assert_eq!(name, event);
        assert!(list.starts_with(&format!("[{members}]}}")), "{name}: {list}");
    }
    let mut whole = draft();
    for piece in [measured("a"), said("-"), measured("b")] {
        whole.push(&piece).unwrap();
    }
    assert_eq!(
        text(&whole.complete(Ending::StopSequence, USAGE, at(101))),
        object
    );
    assert!(object.contains(r#""status":"completed""#));
}

#[test]
fn log_probabilities_of_an_answer_are_bounded() {
    let mut whole = draft();
    let mut stream = ResponseStream::new(draft(), false);
    let long = "\0".repeat(2000);
    let mut pushed = 0;
    while whole.push(&measured(&long)).is_ok() {
        assert!(stream.delta(&measured(&long), &Zeros).is_ok());
        pushed += 1;
        assert!(pushed < 100_000);
    }
    assert!(pushed > 100);
    let Err(Failure::Invalid { param, .. }) = stream.delta(&measured(&long), &Zeros) else {
        panic!("a stream takes more")
    };
    assert_eq!(param.as_deref(), Some("top_logprobs"));
}

#[test]
fn log_probabilities_come_only_if_included() {
    for (settings, expected) in [
        ("", None),
        (r#","top_logprobs":5"#, None),
        (
            r#","include":["reasoning.encrypted_content"],"top_logprobs":5"#,
            None,
        ),
        (r#","include":["message.output_text.logprobs"]"#, Some(0)),
        (
            r#","include":["web_search_call.results","message.output_text.logprobs"],"top_logprobs":20"#,
            Some(20),
        ),
    ] {
        let body = format!(r#"{{"model":"m","input":"x"{settings}}}"#);
        assert_eq!(parse(&body).logprobs, expected, "{settings}");
    }
}

#[test]
fn the_effective_sampling_is_repeated() {
    let echo = |settings: &str| {
        let parsed = parse(&format!(r#"{{"model":"m","input":"x"{settings}}}"#));
        std::str::from_utf8(parsed.echo.members()).unwrap().to_owned()
    };
    let plain = echo("");
    for part in [
        r#""top_p":1.0"#,
        r#""presence_penalty":0.0"#,
        r#""frequency_penalty":0.0"#,
        r#""top_logprobs":0"#,
        r#""temperature":1.0"#,
    ] {
        assert!(plain.contains(part), "{part} in {plain}");
    }
    let set = echo(
        r#","top_p":0.5,"presence_penalty":1.5,"frequency_penalty":-2,"top_logprobs":7,"temperature":0.1,"n":1,"logprobs":false"#,
    );
    for part in [
        r#""top_p":0.5"#,
        r#""presence_penalty":1.5"#,
        r#""frequency_penalty":-2"#,
        r#""top_logprobs":7"#,
        r#""temperature":0.1"#,
    ] {
        assert!(set.contains(part), "{part} in {set}");
    }
}

#[test]
fn a_failure_never_looks_like_an_end() {
    let mut stream = ResponseStream::new(draft(), false);
    let _opening: ContentBytes = stream.open();
    let _delta: ContentBytes = stream.delta(&said("Hel"), &Zeros).unwrap();
    let done = stream.complete(Ending::Stop, USAGE, at(101));
    let frames = text(&done.into_failure(&Failure::Unavailable));
    assert_eq!(names(&frames), ["error", "response.failed"]);
    assert!(!frames.contains("[DONE]"));
    let (_, error) = &events(&frames)[0];
    for json in [error, error.get("error").unwrap()] {
        assert!(
            matches!(json.get("code"), Some(Json::String(code)) if code.expose() == "service_unavailable")
        );
    }
    assert!(matches!(error.get("sequence_number"), Some(Json::Number(n)) if &**n == "5"));
    let all = events(&frames);
    let failed = all[1]
        .1
        .get("response")
        .unwrap()
        .get("error")
        .unwrap()
        .get("code");
    assert!(matches!(failed, Some(Json::String(code)) if code.expose() == "server_error"));
}

#[test]
fn padded_deltas_fill_whole_buckets() {
    let length = |delta: &str, obfuscate| {
        let mut stream = ResponseStream::new(draft(), obfuscate);
        let frames = text(&stream.delta(&said(delta), &Zeros).unwrap());
        frames.split("\n\n").nth(2).unwrap().len()
    };
    assert_eq!(length("a", true), length("abcdefg\u{1}", true));
    assert_ne!(length("a", false), length("abc", false));
}

#[test]
fn the_object_has_every_required_key() {
    let object = json::parse(draft().complete(Ending::Length, USAGE, at(101)).expose()).unwrap();
    for key in [
        "id",
        "object",
        "created_at",
        "completed_at",
        "status",
        "incomplete_details",
        "model",
        "previous_response_id",
        "instructions",
        "output",
        "error",
        "tools",
        "tool_choice",
        "truncation",
        "parallel_tool_calls",
        "text",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "top_logprobs",
        "temperature",
        "reasoning",
        "usage",
        "max_output_tokens",
        "max_tool_calls",
        "store",
        "background",
        "service_tier",
        "metadata",
        "safety_identifier",
        "prompt_cache_key",
    ] {
        assert!(object.get(key).is_some(), "{key}");
    }
    let Json::Object(members) = &object else {
        panic!("not an object")
    };
    let mut keys: Vec<&str> = members.iter().map(|(name, _)| name.expose()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), members.len());
}

#[test]
fn what_is_stored_is_what_was_sent_and_all_a_follow_up_needs() {
    let object = draft().complete(Ending::Stop, USAGE, at(101));
    let sent = text(&object);
    let earlier = vec![
        Turn::of(Role::User, content("oldest")),
        Turn::of(Role::Assistant, content("answer")),
    ];
    let input = vec![Turn {
        role: Role::User,
        parts: vec![content("a"), content("b")],
    }];
    let stored = StoredResponse::new(earlier, input, content("out"), object);
    let document = stored.encode();
    let read = StoredResponse::decode(document.expose()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(text(&read.encode()), text(&document));
    let page = |ascending, limit, after: Option<&str>| {
        let page = ListInputItems {
            id: id(),
            limit,
            ascending,
            after: after.map(str::to_owned),
        };
        read.input_items(&page).map(|list| text(&list))
    };
    let newest = page(false, 2, None).unwrap();
    assert!(
        newest.contains(r#""content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]"#),
        "{newest}"
    );
    assert!(newest.contains(r#""has_more":true"#) && !newest.contains("oldest"));
    let last = json::parse(newest.as_bytes()).unwrap();
    let Some(Json::String(last)) = last.get("last_id") else {
        panic!("no last_id")
    };
    assert!(page(false, 2, Some(last.expose())).unwrap().contains("oldest"));
    assert!(page(true, 100, None).unwrap().contains(r#""has_more":false"#));
    assert!(page(true, 1, Some("msg_other")).is_err());
    assert_eq!(
        text(
            &StoredResponse::decode(document.expose())
                .ok()
                .unwrap()
                .into_object()
        ),
        sent
    );
    let context = read.into_context();
    let last = context.last().unwrap();
    assert_eq!(
        (context.len(), last.role, last.text().expose()),
        (4, Role::Assistant, "out")
    );
    for broken in [
        "",
        "{}",
        r#"{"version":2,"object":"","context":[]}"#,
        r#"{"version":1,"object":"","context":[]}"#,
    ] {
        assert!(StoredResponse::decode(broken.as_bytes()).is_err(), "{broken}");
    }
}
