//! Event streams, read back by AWS's own decoder.

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use aws_smithy_types::event_stream::{HeaderValue, Message};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::super::event_stream::{event, padded};
use super::super::{converse_out, invoke_out};
use super::*;
use crate::openai::chat::{ChatHead, ChatStream};
use crate::openai::{Delta, Ending};

/// All messages in some bytes, which have to be nothing else.
fn messages(bytes: &[u8]) -> Vec<Message> {
    let mut decoder = MessageFrameDecoder::new();
    let mut rest = bytes;
    let mut found = Vec::new();
    while !rest.is_empty() {
        match decoder.decode_frame(&mut rest).unwrap() {
            DecodedFrame::Complete(message) => found.push(message),
            DecodedFrame::Incomplete => panic!("cut off"),
        }
    }
    found
}

fn header(message: &Message, name: &str) -> Option<String> {
    let mut all = message.headers().iter();
    let header = all.find(|header| header.name().as_str() == name)?;
    let HeaderValue::String(text) = header.value() else {
        panic!("another header")
    };
    Some(text.as_str().to_owned())
}

/// Kind, name and payload of each frame.
fn read(frames: &[&ContentBytes]) -> Vec<(String, String, String)> {
    let all: Vec<u8> = frames.iter().flat_map(|frame| frame.expose().to_vec()).collect();
    let read = |message: &Message| {
        assert_eq!(
            header(message, ":content-type").as_deref(),
            Some("application/json")
        );
        let kind = header(message, ":message-type").unwrap();
        let name = header(message, &format!(":{kind}-type")).unwrap();
        (kind, name, String::from_utf8(message.payload().to_vec()).unwrap())
    };
    messages(&all).iter().map(read).collect()
}

fn of(kind: &str, name: &str, payload: &str) -> (String, String, String) {
    (kind.to_owned(), name.to_owned(), payload.to_owned())
}

/// The objects inside of `chunk` events.
fn chunks(frames: &[&ContentBytes]) -> Vec<String> {
    let inside = |(kind, name, payload): (String, String, String)| {
        assert_eq!((kind.as_str(), name.as_str()), ("event", "chunk"));
        let payload = json::parse(payload.as_bytes()).unwrap();
        let Some(Json::String(bytes)) = payload.get("bytes") else {
            panic!("no bytes")
        };
        String::from_utf8(STANDARD.decode(bytes.expose()).unwrap()).unwrap()
    };
    read(frames).into_iter().map(inside).collect()
}

#[test]
fn a_conversation_is_answered_in_events() {
    let mut stream = ConverseStream::new(ReplyTerms::default());
    let open = stream.open().ok().unwrap();
    let delta = stream.delta(&words("Hé\"llo"), &Zeros).ok().unwrap();
    let end = stream
        .complete(Ending::StopSequence, USAGE, LATENCY)
        .ok()
        .unwrap();
    let event = |name: &str, payload: &str| of("event", name, payload);
    let said = r#"{"delta":{"text":"Hé\"llo"},"contentBlockIndex":0,"p":"AAAAAAAAAAAAA"}"#;
    assert_eq!(
        read(&[&open, &delta, &end]),
        [
            event("messageStart", r#"{"role":"assistant"}"#),
            event("contentBlockDelta", said),
            event("contentBlockStop", r#"{"contentBlockIndex":0}"#),
            event("messageStop", r#"{"stopReason":"stop_sequence"}"#),
            event(
                "metadata",
                r#"{"usage":{"inputTokens":5,"outputTokens":3,"totalTokens":12,"cacheReadInputTokens":4,"cacheWriteInputTokens":0},"metrics":{"latencyMs":250}}"#
            ),
        ]
    );
}

#[test]
fn the_size_of_a_delta_does_not_tell_its_words() {
    let mut stream = ConverseStream::new(ReplyTerms::default());
    let mut size = |text: &str| stream.delta(&words(text), &Zeros).ok().unwrap().len();
    assert_eq!(size("a"), size("four"));
    let mut stream = LlamaStream::new(ReplyTerms::default());
    let mut size = |text: &str| stream.delta(&words(text), &Zeros).ok().unwrap().len();
    assert_eq!(size("a"), size("four"));
}

#[test]
fn llama_answers_in_chunks_and_tells_the_counts_last() {
    let mut stream = LlamaStream::new(ReplyTerms::default());
    let delta = stream.delta(&words("Hi"), &Zeros).ok().unwrap();
    let end = stream.complete(Ending::Length, USAGE, LATENCY).ok().unwrap();
    assert_eq!(
        chunks(&[&delta, &end]),
        [
            r#"{"generation":"Hi","prompt_token_count":null,"generation_token_count":null,"stop_reason":null}"#,
            r#"{"generation":"","prompt_token_count":9,"generation_token_count":3,"stop_reason":"length","amazon-bedrock-invocationMetrics":{"inputTokenCount":5,"outputTokenCount":3,"invocationLatency":250,"firstByteLatency":20,"cacheReadInputTokenCount":4,"cacheWriteInputTokenCount":0}}"#
        ]
    );
}

#[test]
fn a_chat_answers_in_its_own_chunks_without_lines_of_events() {
    let Ok(Command::InvokeModelWithResponseStream(asked)) = post(
        "invoke-with-response-stream",
        r#"{"messages":[{"role":"user","content":"hi"}]}"#,
    ) else {
        panic!("refused")
    };
    let InvokeBody::Chat(create) = asked.body else {
        panic!("another body")
    };
    let request = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    let head = ChatHead::new(&request, &create, moho_terms::Timestamp::from_unix_seconds(100));
    let mut chat = ChatStream::new(head);
    let mut framed = ChatChunks::new(asked.terms);
    let open = framed.wrap(&chat.open()).ok().unwrap();
    let delta = chat
        .delta(0, &Delta::of(words("a\ndata: [DONE]\n")), &Zeros)
        .ok()
        .unwrap();
    let delta = framed.wrap(&delta).ok().unwrap();
    let end = framed.wrap(&chat.end(0, Ending::Stop)).ok().unwrap();
    let last = framed
        .complete(&chat.complete(USAGE), USAGE, LATENCY)
        .ok()
        .unwrap();
    let all = chunks(&[&open, &delta, &end, &last]);
    assert_eq!(all.len(), 4);
    assert!(
        all.iter()
            .all(|chunk| chunk.contains(r#""object":"chat.completion.chunk""#))
    );
    assert!(all[1].contains(r#""content":"a\ndata: [DONE]\n""#));
    assert!(all[2].contains(r#""finish_reason":"stop""#));
    assert!(all[3].contains(r#""total_tokens":12"#) && all[3].contains(r#""invocationLatency":250"#));
    assert!(all.iter().all(|chunk| json::parse(chunk.as_bytes()).is_ok()));
}

#[test]
fn a_failure_is_an_exception_of_the_stream() {
    let converse = |failure: &Failure| read(&[&ConverseStream::new(ReplyTerms::default()).fail(failure)]);
    let named = |failure: &Failure| converse(failure).remove(0).1;
    assert_eq!(
        converse(&Failure::Validation("Too \"long\".".to_owned())),
        [of(
            "exception",
            "validationException",
            r#"{"message":"Too \"long\"."}"#
        )]
    );
    let timeout = Failure::Service {
        code: "ModelTimeoutException",
        message: String::new(),
        status: 408,
    };
    for (failure, name) in [
        (Failure::Throttled { retry_after: 1 }, "throttlingException"),
        (
            Failure::Overloaded { retry_after: 1 },
            "serviceUnavailableException",
        ),
        (Failure::Unavailable, "serviceUnavailableException"),
        (Failure::Internal, "internalServerException"),
        (Failure::Validation(String::new()), "validationException"),
        (Failure::NoSuchPath, "validationException"),
    ] {
        assert_eq!(named(&failure), name);
    }
    assert_eq!(named(&timeout), "validationException");
    let invoke = LlamaStream::new(ReplyTerms::default()).fail(&timeout);
    assert_eq!(read(&[&invoke])[0].1, "modelTimeoutException");
    let chat = ChatChunks::new(ReplyTerms::default()).fail(&Failure::Internal);
    assert_eq!(read(&[&chat])[0].1, "internalServerException");
}

#[test]
fn the_exceptions_are_those_of_the_model() {
    let model = json::parse(include_bytes!("../../../models/bedrock-runtime.json")).unwrap();
    let exceptions = |stream: &str| {
        let members = model.get("shapes").unwrap().get(stream).unwrap().get("members");
        let Some(Json::Object(members)) = members else {
            panic!("no members")
        };
        let names = members.iter().map(|(name, _)| name.expose().to_owned());
        let mut names: Vec<String> = names.filter(|name| name.ends_with("Exception")).collect();
        names.sort();
        names
    };
    assert_eq!(exceptions(converse_out::EVENTS), converse_out::EXCEPTIONS);
    assert_eq!(exceptions(invoke_out::EVENTS), invoke_out::EXCEPTIONS);
}

proptest! {
    #[test]
    fn frames_are_read_back_as_they_were_written(payloads in proptest::collection::vec(any::<Vec<u8>>(), 1..8)) {
        let frames: Vec<ContentBytes> =
            payloads.iter().map(|p| event("chunk", ContentBytes::new(p.clone())).ok().unwrap()).collect();
        let all: Vec<u8> = frames.iter().flat_map(|frame| frame.expose().to_vec()).collect();
        let read: Vec<Vec<u8>> = messages(&all).iter().map(|message| message.payload().to_vec()).collect();
        prop_assert_eq!(read, payloads);
    }

    #[test]
    fn a_frame_that_was_changed_is_no_frame(payload in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let frame = event("chunk", ContentBytes::new(payload)).ok().unwrap();
        let mut bytes = frame.expose().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let mut decoder = MessageFrameDecoder::new();
        let read = decoder.decode_frame(&mut bytes.as_slice());
        prop_assert!(!matches!(read, Ok(DecodedFrame::Complete(_))));
    }

    #[test]
    fn whatever_is_said_arrives(said in any::<String>()) {
        let mut stream = ConverseStream::new(ReplyTerms::default());
        let frame = stream.delta(&words(&said), &Zeros).ok().unwrap();
        let payload = json::parse(read(&[&frame])[0].2.as_bytes()).unwrap();
        let Some(Json::String(text)) = payload.get("delta").and_then(|delta| delta.get("text")) else {
            panic!("no text")
        };
        prop_assert_eq!(text.expose(), said);
        let mut w = Writer::new();
        w.object(|w| w.text("a", text.expose()));
        prop_assert_eq!(padded(&w.finish(), &Zeros).ok().unwrap().len() % 32, 7);
    }
}
