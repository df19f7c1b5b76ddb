//! Whole replies.

use super::*;
use crate::Reply;
use crate::openai::Ending;

fn terms() -> ReplyTerms {
    let body = r#"{"messages":[{"role":"user","content":[{"text":"x"}]}],"serviceTier":{"type":"default"},
        "performanceConfig":{"latency":"standard"},"additionalModelResponseFieldPaths":["/stop_reason","/prompt_token_count","/generation_token_count"]}"#;
    converse(body).ok().unwrap().terms
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let mut all = reply.headers.iter();
    all.find(|(header, _)| *header == name)
        .map(|(_, value)| value.as_str())
}

#[test]
fn a_conversation_is_answered_whole() {
    let mut draft = ConverseDraft::new(ReplyTerms::default());
    draft.push(&words("Hel"));
    draft.push(&words("lo"));
    let reply = draft.complete(Ending::Stop, USAGE, LATENCY).ok().unwrap();
    assert_eq!((reply.status, reply.content_type), (200, "application/json"));
    assert_eq!(
        text(&reply.body),
        r#"{"output":{"message":{"role":"assistant","content":[{"text":"Hello"}]}},"stopReason":"end_turn","usage":{"inputTokens":5,"outputTokens":3,"totalTokens":12,"cacheReadInputTokens":4,"cacheWriteInputTokens":0},"metrics":{"latencyMs":250}}"#
    );
    let whole = |ending| {
        text(
            &ConverseDraft::new(terms())
                .complete(ending, USAGE, LATENCY)
                .ok()
                .unwrap()
                .body,
        )
    };
    let cut = whole(Ending::Length);
    for part in [
        r#""content":[]"#,
        r#""stopReason":"max_tokens""#,
        r#""additionalModelResponseFields":{"stop_reason":"length","prompt_token_count":9,"generation_token_count":3}"#,
        r#""performanceConfig":{"latency":"standard"},"serviceTier":{"type":"default"}"#,
    ] {
        assert!(cut.contains(part), "{cut}");
    }
    assert!(whole(Ending::StopSequence).contains(r#""stopReason":"stop_sequence""#));
}

#[test]
fn llamas_answer_has_bedrocks_headers() {
    let mut draft = LlamaDraft::new(terms());
    draft.push(&words("Hello"));
    let reply = draft.complete(Ending::StopSequence, USAGE, LATENCY).ok().unwrap();
    assert_eq!(
        text(&reply.body),
        r#"{"generation":"Hello","prompt_token_count":9,"generation_token_count":3,"stop_reason":"stop"}"#
    );
    for (name, value) in [
        ("x-amzn-bedrock-input-token-count", "5"),
        ("x-amzn-bedrock-output-token-count", "3"),
        ("x-amzn-bedrock-cache-read-input-token-count", "4"),
        ("x-amzn-bedrock-invocation-latency", "250"),
        ("x-amzn-bedrock-service-tier", "default"),
        ("x-amzn-bedrock-performanceconfig-latency", "standard"),
    ] {
        assert_eq!(header(&reply, name), Some(value), "{name}");
    }
    assert_eq!(reply.content_type, "application/json");
    let plain = ReplyTerms::default();
    let chat = chat_completion(&plain, ContentBytes::new(b"{\"id\":1}".to_vec()), USAGE, LATENCY);
    let chat = chat.ok().unwrap();
    assert_eq!(
        (text(&chat.body), header(&chat, "x-amzn-bedrock-service-tier")),
        ("{\"id\":1}".to_owned(), None)
    );
}

#[test]
fn tokens_are_counted() {
    assert_eq!(
        text(&CountTokens::reply(7).ok().unwrap().body),
        r#"{"inputTokens":7}"#
    );
}

#[test]
fn streams_say_what_they_are() {
    let head = LlamaStream::new(terms()).head();
    assert_eq!(head.content_type, "application/vnd.amazon.eventstream");
    assert_eq!(
        header(&head, "x-amzn-bedrock-content-type"),
        Some("application/json")
    );
    assert_eq!(header(&head, "x-amzn-bedrock-service-tier"), Some("default"));
    let head = ChatChunks::new(ReplyTerms::default()).head();
    assert_eq!(
        header(&head, "x-amzn-bedrock-content-type"),
        Some("application/json")
    );
    let head = ConverseStream::new(terms()).head();
    assert_eq!(
        (head.content_type, head.headers.len(), head.body.len()),
        ("application/vnd.amazon.eventstream", 0, 0)
    );
}

/// Whatever can go wrong here is an exception that Bedrock has, with Bedrock's status.
#[test]
fn failures_are_exceptions_of_the_model() {
    let model = json::parse(include_bytes!("../../../models/bedrock-runtime.json")).unwrap();
    let modelled = |code: &str| {
        let error = model.get("shapes")?.get(code)?.get("error")?;
        let Json::Number(status) = error.get("httpStatusCode")? else {
            return None;
        };
        status.parse::<u16>().ok()
    };
    let unknown = ModelIdentifier::Id("m".parse().unwrap()).unknown();
    let not_found = ModelIdentifier::parse("arn:aws:bedrock:r::custom-model/x")
        .err()
        .unwrap();
    for failure in [
        Failure::Validation(String::new()),
        Failure::AccessDenied(String::new()),
        Failure::ModelNotFound(None),
        Failure::ContextLengthExceeded {
            limit: 1,
            prompt_tokens: None,
        },
        Failure::Throttled { retry_after: 1 },
        Failure::Overloaded { retry_after: 1 },
        Failure::Unavailable,
        Failure::Internal,
        unknown,
        not_found,
    ] {
        let shape = crate::ErrorShape::RestJson;
        assert_eq!(
            modelled(failure.code(shape)),
            Some(failure.status(shape)),
            "{failure:?}"
        );
    }
}
