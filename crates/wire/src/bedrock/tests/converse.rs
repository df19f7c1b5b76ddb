//! What `Converse` and `CountTokens` read, and what they refuse in Bedrock's words.

use super::*;
use crate::openai::{OutputFormat, Role};

const HELLO: &str = r#""messages":[{"role":"user","content":[{"text":"hello"}]}]"#;

fn with(rest: &str) -> Result<Converse, Failure> {
    converse(&format!("{{{HELLO}{rest}}}"))
}

fn turns(turns: &[crate::openai::Turn]) -> Vec<(Role, String)> {
    turns
        .iter()
        .map(|turn| (turn.role, turn.text().expose().to_owned()))
        .collect()
}

#[test]
fn everything_that_is_served_is_read() {
    let body = r#"{"system":[{"text":"a"},{"text":"b"}],"messages":[
        {"role":"user","content":[{"text":"c"},{"text":"d"}]},{"role":"assistant","content":[{"text":"e"}]},
        {"role":"system","content":[{"text":"f"}]},{"role":"user","content":[{"text":"g"}]}],
        "inferenceConfig":{"maxTokens":5,"temperature":0,"topP":0.5,"stopSequences":["x","y"]},
        "additionalModelRequestFields":{"top_k":7,"min_p":0.1,"seed":-1,"presence_penalty":1,"frequency_penalty":-1,
        "repetition_penalty":1.5},"additionalModelResponseFieldPaths":["/stop_reason","/nowhere~1","/stop_reason"],
        "requestMetadata":{"team":"blue","empty":""},"performanceConfig":{"latency":"standard"},
        "serviceTier":{"type":"default"},"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":
        {"schema":"{\"type\":\"object\"}","name":"n","description":"d"}}}},"later":{"a":[1]},"toolConfig":null}"#;
    let asked = converse(body).unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_eq!(asked.model, ModelIdentifier::Id("m".parse().unwrap()));
    let expected = [
        (Role::System, "a\nb"),
        (Role::User, "c\nd"),
        (Role::Assistant, "e"),
        (Role::System, "f"),
        (Role::User, "g"),
    ];
    assert_eq!(
        turns(&asked.turns),
        expected.map(|(role, text)| (role, text.to_owned()))
    );
    let sampling = asked.sampling;
    assert_eq!((sampling.temperature, sampling.top_p), (Some(0.0), Some(0.5)));
    assert_eq!(
        (sampling.top_k, sampling.min_p, sampling.seed),
        (Some(7), Some(0.1), Some(u64::MAX))
    );
    assert_eq!(
        (sampling.presence_penalty, sampling.frequency_penalty),
        (Some(1.0), Some(-1.0))
    );
    assert_eq!(sampling.repetition_penalty, Some(1.5));
    let stops: Vec<&str> = asked.stop.iter().map(Content::expose).collect();
    assert_eq!((asked.max_tokens, stops.as_slice()), (Some(5), &["x", "y"][..]));
    assert!(
        matches!(asked.format, OutputFormat::JsonSchema { schema, .. } if schema.expose() == r#"{"type":"object"}"#)
    );
    let terms = ReplyTerms {
        service_tier: true,
        performance: true,
        fields: vec![answer::ResponseField::StopReason],
    };
    assert_eq!(asked.terms, terms);
}

#[test]
fn the_least_is_enough_and_the_stream_reads_the_same() {
    let asked = with("").ok().unwrap();
    assert!(
        asked.max_tokens.is_none() && asked.stop.is_empty() && matches!(asked.format, OutputFormat::Text)
    );
    assert_eq!((asked.sampling, asked.terms), Default::default());
    let stream = post("converse-stream", &format!("{{{HELLO}}}"));
    assert!(matches!(stream, Ok(Command::ConverseStream(c)) if c.turns.len() == 1));
}

const TOOLS: &str = "This model doesn't support tool use.";
const GUARDRAIL: &str = "The guardrail identifier or version provided in the request does not exist.";

fn unserved(name: &str) -> String {
    format!("This model doesn't support the {name} field. Remove {name} and try again.")
}

#[test]
fn what_is_not_served_is_refused_in_the_words_of_bedrock() {
    for (rest, expected) in [
        (
            r#","toolConfig":{"tools":[{"toolSpec":{"name":"t","inputSchema":{"json":{}}}}]}"#,
            TOOLS.to_owned(),
        ),
        (r#","guardrailConfig":{}"#, GUARDRAIL.to_owned()),
        (
            r#","guardrailConfig":{"guardrailIdentifier":"abc","guardrailVersion":"1"}"#,
            GUARDRAIL.to_owned(),
        ),
        (r#","outputConfig":{"effort":"high"}"#, unserved("effort")),
        (
            r#","system":[{"text":"a"},{"cachePoint":{"type":"default"}}]"#,
            unserved("cachePoint"),
        ),
        (
            r#","system":[{"guardContent":{"text":{"text":"x"}}}]"#,
            GUARDRAIL.to_owned(),
        ),
    ] {
        assert_eq!(refusal(with(rest)), expected, "{rest}");
    }
}

#[test]
fn blocks_other_than_text_are_refused_in_the_words_of_bedrock() {
    let image = r#"{"image":{"format":"png","source":{"bytes":"aGk="}}}"#;
    for (block, expected) in [
        (image, unserved("image")),
        (
            r#"{"document":{"name":"d","source":{"text":"x"}}}"#,
            unserved("document"),
        ),
        (
            r#"{"video":{"format":"mp4","source":{"bytes":"aGk="}}}"#,
            unserved("video"),
        ),
        (
            r#"{"audio":{"format":"mp3","source":{"bytes":"aGk="}}}"#,
            unserved("audio"),
        ),
        (r#"{"cachePoint":{"type":"default"}}"#, unserved("cachePoint")),
        (
            r#"{"reasoningContent":{"reasoningText":{"text":"x"}}}"#,
            unserved("reasoningContent"),
        ),
        (
            r#"{"toolUse":{"toolUseId":"1","name":"n","input":{}}}"#,
            TOOLS.to_owned(),
        ),
        (
            r#"{"toolResult":{"toolUseId":"1","content":[{"json":{}}]}}"#,
            TOOLS.to_owned(),
        ),
        (r#"{"guardContent":{"text":{"text":"x"}}}"#, GUARDRAIL.to_owned()),
    ] {
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{{"text":"a"}},{block}]}}]}}"#);
        assert_eq!(refusal(converse(&body)), expected, "{block}");
    }
}

const ALTERNATE: &str = "A conversation must alternate between user and assistant roles. Make sure the conversation \
    alternates between user and assistant roles and try again.";

#[test]
fn a_conversation_is_what_bedrock_calls_one() {
    let start = "A conversation must start with a user message. Try again with a conversation that starts with a user message.";
    let prefill = "This model does not support assistant message prefill. The conversation must end with a user message.";
    let message = |role: &str, text: &str| format!(r#"{{"role":"{role}","content":[{{"text":"{text}"}}]}}"#);
    let (user, assistant, system) = (
        message("user", "a"),
        message("assistant", "b"),
        message("system", "c"),
    );
    for (messages, expected) in [
        (String::new(), start),
        (system.clone(), start),
        (format!("{assistant},{user}"), start),
        (format!("{user},{assistant}"), prefill),
        (format!("{user},{user}"), ALTERNATE),
        (format!("{user},{system},{user}"), ALTERNATE),
        (format!("{user},{assistant},{assistant},{user}"), ALTERNATE),
        (
            r#"{"role":"user","content":[]}"#.to_owned(),
            "The content field in the Message object at messages.0 is empty. Add a ContentBlock object to the content field and try again.",
        ),
        (
            format!("{user},{}", message("user", " \\n")),
            "The text field in the ContentBlock object at messages.1.content.0 is blank. Add text to the text field, and try again.",
        ),
    ] {
        assert_eq!(
            refusal(converse(&format!(r#"{{"messages":[{messages}]}}"#))),
            expected,
            "{messages}"
        );
    }
    assert_eq!(refusal(converse("")), start);
    assert_eq!(
        refusal(with(r#","system":[{"text":" "}]"#)),
        "The text field in the SystemContentBlock object at system.0 is blank. Add text to the text field, and try again."
    );
    for messages in [
        format!("{system},{user}"),
        format!("{user},{assistant},{user},{system}"),
    ] {
        assert!(
            converse(&format!(r#"{{"messages":[{messages}]}}"#)).is_ok(),
            "{messages}"
        );
    }
}

#[test]
fn constraints_of_the_model_are_told_without_the_words() {
    let secret = "my secret plan";
    let at = |path: &str, constraint: &str| {
        format!("Value at '{path}' failed to satisfy constraint: Member must {constraint}")
    };
    let one = |what: String| format!("1 validation error detected: {what}");
    let message = refusal(converse(&format!(
        r#"{{"messages":[{{"role":"{secret}","content":[{{"text":"x"}}]}}],"serviceTier":{{"type":"{secret}"}}}}"#
    )));
    assert_eq!(
        message,
        format!(
            "2 validation errors detected: {}; {}",
            at(
                "messages.1.member.role",
                "satisfy enum value set: [user, assistant, system]"
            ),
            at(
                "serviceTier.type",
                "satisfy enum value set: [priority, default, flex, reserved]"
            )
        )
    );
    assert_eq!(
        refusal(with(r#","inferenceConfig":{"temperature":1.5}"#)),
        "1 validation error detected: Value '1.5' at 'inferenceConfig.temperature' failed to satisfy constraint: Member \
         must have value less than or equal to 1"
    );
    for nan in [r#""NaN""#, r#""-Infinity""#, "-0.1"] {
        let refused = refusal(with(&format!(r#","inferenceConfig":{{"topP":{nan}}}"#)));
        assert!(
            refused.ends_with("Member must have value greater than or equal to 0"),
            "{refused}"
        );
    }
    assert!(refusal(with(r#","inferenceConfig":{"maxTokens":0}"#)).contains("greater than or equal to 1"));
    assert_eq!(
        refusal(with(r#","inferenceConfig":{"stopSequences":[""]}"#)),
        one(at(
            "inferenceConfig.stopSequences.1.member",
            "have length greater than or equal to 1"
        ))
    );
    assert_eq!(
        refusal(converse(r#"{"messages":[{"content":[{"text":"x"}]}]}"#)),
        "1 validation error detected: Value null at 'messages.1.member.role' failed to satisfy constraint: Member must not be null"
    );
}

#[test]
fn texts_that_end_an_answer_are_as_many_as_the_engine_takes() {
    let at = |path: &str, limit: usize| {
        format!(
            "1 validation error detected: Value at 'inferenceConfig.{path}' failed to satisfy constraint: Member must have \
             length less than or equal to {limit}"
        )
    };
    let stops = |count: usize, length: usize| {
        let list = vec![format!("\"{}\"", "s".repeat(length)); count].join(",");
        with(&format!(r#","inferenceConfig":{{"stopSequences":[{list}]}}"#))
    };
    assert!(stops(16, 1024).is_ok());
    assert_eq!(refusal(stops(17, 1)), at("stopSequences", 16));
    assert_eq!(refusal(stops(1, 1025)), at("stopSequences.1.member", 1024));
}

#[test]
fn metadata_is_checked_even_though_nobody_reads_it() {
    let metadata = |count: usize, key: &str| {
        let pairs: Vec<String> = (0..count).map(|n| format!("\"{key}{n}\":\"v\"")).collect();
        with(&format!(r#","requestMetadata":{{{}}}"#, pairs.join(",")))
    };
    assert!(metadata(16, "key").is_ok());
    assert!(refusal(metadata(17, "key")).ends_with(
        "at 'requestMetadata' failed to satisfy constraint: Member must have length less than or equal to 16"
    ));
    let keys = refusal(metadata(1, "ké"));
    assert!(keys.contains("Value at 'requestMetadata' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: "), "{keys}");
    assert!(!keys.contains("ké"));
    let value = refusal(with(r#","requestMetadata":{"k":"<secret>"}"#));
    assert!(
        value.contains("Value at 'requestMetadata.1.value'") && !value.contains("secret"),
        "{value}"
    );
}

#[test]
fn further_settings_are_those_of_the_sampler_and_no_others() {
    let additional = |json: &str| with(&format!(r#","additionalModelRequestFields":{json}"#));
    assert!(additional("{}").is_ok() && additional("null").is_ok());
    let refused = refusal(additional(r#"{"secret_key":1}"#));
    assert!(
        refused.starts_with("Malformed input request: #/additionalModelRequestFields: extraneous key"),
        "{refused}"
    );
    assert!(!refused.contains("secret_key"));
    for own in ["temperature", "top_p", "max_tokens", "logit_bias"] {
        assert!(additional(&format!(r#"{{"{own}":1}}"#)).is_err(), "{own}");
    }
    for other in ["[]", "1", r#""x""#] {
        assert_eq!(
            refusal(additional(other)),
            "The format of the additionalModelRequestFields field is invalid. Provide a json object for the field and try again."
        );
    }
    assert!(matches!(
        additional(r#"{"min_p":2}"#).err(),
        Some(Failure::Invalid { param: Some(param), .. }) if param == "additionalModelRequestFields.min_p"
    ));
}

#[test]
fn schemas_pointers_tiers_and_latencies_are_checked() {
    let schema = |schema: &str| {
        with(&format!(
            r#","outputConfig":{{"textFormat":{{"type":"json_schema","structure":{{"jsonSchema":{{"schema":"{schema}"}}}}}}}}"#
        ))
    };
    assert!(schema("{}").is_ok());
    for bad in ["", "[]", "true", "{", "secret"] {
        assert!(
            refusal(schema(bad)).starts_with("The format of the schema field at outputConfig"),
            "{bad}"
        );
    }
    for bad in ["stop_reason", "/a~2", "/~"] {
        let refused = refusal(with(&format!(
            r#","additionalModelResponseFieldPaths":["/a","{bad}"]"#
        )));
        assert!(
            refused.starts_with("The value at additionalModelResponseFieldPaths.1 is not a JSON Pointer"),
            "{refused}"
        );
    }
    for tier in ["priority", "flex", "reserved"] {
        let refused = refusal(with(&format!(r#","serviceTier":{{"type":"{tier}"}}"#)));
        assert_eq!(
            refused,
            "This model doesn't support the service tier that you provided. Use default and try again."
        );
    }
    assert!(refusal(with(r#","performanceConfig":{"latency":"optimized"}"#)).contains("Use standard"));
}

fn count(body: &str) -> Result<CountTokens, Failure> {
    {
        let Command::CountTokens(count) = post("count-tokens", body)? else {
            panic!("another command")
        };
        Ok(*count)
    }
}

#[test]
fn both_kinds_of_request_can_be_counted() {
    let counted = count(&format!(
        r#"{{"input":{{"converse":{{{HELLO},"system":[{{"text":"a"}}]}}}}}}"#
    ));
    assert!(matches!(counted.ok().unwrap().input, CountInput::Turns(turns) if turns.len() == 2));
    let invoke = |body: &str| {
        use base64::Engine as _;
        let body = base64::engine::general_purpose::STANDARD.encode(body);
        count(&format!(r#"{{"input":{{"invokeModel":{{"body":"{body}"}}}}}}"#))
    };
    let llama = invoke(r#"{"prompt":"hi"}"#).ok().unwrap().input;
    assert!(matches!(llama, CountInput::Llama(LlamaPrompt::Text(text)) if text.expose() == "hi"));
    let chat = invoke(r#"{"messages":[{"role":"user","content":"hi"}]}"#)
        .ok()
        .unwrap()
        .input;
    assert!(matches!(chat, CountInput::Turns(turns) if turns.len() == 1));
    assert!(refusal(invoke("{")).starts_with("Malformed input request: "));
    assert_eq!(
        malformed(count(r#"{"input":{}}"#)),
        "Exactly one member of the union at 'input' must be set"
    );
    assert!(refusal(count("{}")).contains("Value null at 'input'"));
    let tools = format!(
        r#"{{"input":{{"converse":{{{HELLO},"toolConfig":{{"tools":[{{"cachePoint":{{"type":"default"}}}}]}}}}}}}}"#
    );
    assert_eq!(refusal(count(&tools)), "This model doesn't support tool use.");
}
