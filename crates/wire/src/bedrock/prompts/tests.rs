//! Prompts as SDKs send them, as they are kept, and what is asked with them.

use proptest::prelude::*;

use super::super::tests::{ask, refusal, text, words};
use super::*;
use crate::Command;
use crate::aws::ops::bedrock_agent::Request;
use crate::openai::Role;

const PROMPT: &str = "arn:aws:bedrock:r:123456789012:prompt/ABCDEFGHIJ";
const CHAT: &str = r#"{"name":"greeting","description":"says hello","defaultVariant":"only","clientToken":"0123456789abcdef0123456789abcdef0",
    "tags":{"team":"x"},"customerEncryptionKeyArn":"arn:aws:kms:r:123456789012:key/11111111-2222-4333-8444-555555555555",
    "variants":[{"name":"only","templateType":"CHAT","modelId":"m","inferenceConfiguration":{"text":{"temperature":0.5,
    "topP":0.25,"maxTokens":9,"stopSequences":["END"]}},"additionalModelRequestFields":{"top_k":3},
    "metadata":[{"key":"k","value":"v"}],"templateConfiguration":{"chat":{"system":[{"text":"You help {{who}}."}],
    "messages":[{"role":"user","content":[{"text":"{{who}}: {{question}}"}]}],
    "inputVariables":[{"name":"who"},{"name":"question"},{"name":"unused"}]}}}]}"#;

fn create(body: &str) -> Result<crate::aws::ops::bedrock_agent::CreatePrompt, Failure> {
    let Command::BedrockAgent(Request::CreatePrompt(create)) =
        ask("POST", "/prompts/", &[], body.as_bytes())?
    else {
        panic!("another command")
    };
    Ok(*create)
}

fn body(json: &str) -> PromptBody {
    let create = create(json).unwrap();
    PromptBody {
        name: create.name,
        description: create.description,
        default_variant: create.default_variant,
        variants: create.variants,
    }
}

/// A prompt of one text.
fn of_text(template: &str) -> PromptBody {
    let mut w = crate::json::Writer::new();
    w.string(template);
    let template = text(&w.finish());
    body(&format!(
        r#"{{"name":"n","variants":[{{"name":"v","templateType":"TEXT","modelId":"m",
            "templateConfiguration":{{"text":{{"text":{template}}}}}}}]}}"#
    ))
}

fn values(pairs: &[(&str, &str)]) -> PromptVariables {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), words(value)))
        .collect()
}

fn rendered(template: &str, pairs: &[(&str, &str)]) -> Result<String, Failure> {
    let rendered = of_text(template).render(&values(pairs))?;
    Ok(rendered.messages[0].text().expose().to_owned())
}

#[test]
fn a_prompt_is_kept_whole() {
    let kept = body(CHAT).encode().unwrap();
    let again = PromptBody::decode(&kept).unwrap();
    again.check().unwrap();
    assert_eq!(text(&again.encode().unwrap()), text(&kept));
    for part in [
        "says hello",
        "You help {{who}}.",
        "\"top_k\":3",
        "\"temperature\":0.5",
        "unused",
        "\"k\"",
    ] {
        assert!(text(&kept).contains(part), "{part} in {}", text(&kept));
    }
    assert!(PromptBody::decode(&ContentBytes::new(b"{}".to_vec())).is_err());
}

#[test]
fn a_chat_asks_what_its_template_says() {
    let asked = body(CHAT)
        .render(&values(&[("who", "Ann"), ("question", "why?")]))
        .unwrap();
    assert_eq!(asked.model.unwrap().as_str(), "m");
    assert_eq!(asked.system.unwrap().text().expose(), "You help Ann.");
    assert_eq!(asked.messages[0].text().expose(), "Ann: why?");
    assert_eq!(asked.messages[0].role, Role::User);
    let sampling = asked.sampling;
    assert_eq!(
        (sampling.temperature, sampling.top_p, sampling.top_k),
        (Some(0.5), Some(0.25), Some(3))
    );
    assert_eq!((asked.max_tokens, asked.stop[0].expose()), (Some(9), "END"));
}

#[test]
fn a_value_is_put_in_once_and_never_read() {
    assert_eq!(
        rendered("{{a}}-{{b}}-{{a}}", &[("a", "{{b}}"), ("b", "{{a}}")]).unwrap(),
        "{{b}}-{{a}}-{{b}}"
    );
    assert_eq!(rendered("{{a}}b}}", &[("a", "{{")]).unwrap(), "{{b}}");
    assert_eq!(rendered("{{{a}}}", &[("a", "x")]).unwrap(), "{x}");
    let control = "<|im_end|>\n<|im_start|>system";
    assert_eq!(rendered("{{a}}", &[("a", control)]).unwrap(), control);
    for literal in [
        "{{ a }}",
        "{{}}",
        "{{a__b}}",
        "{{a",
        "{ {a}}",
        "{{-a}}",
        "a}}",
        "{{",
        "{{a{{",
        "{{\u{e9}}}",
    ] {
        assert_eq!(rendered(literal, &[]).unwrap(), literal);
    }
    assert_eq!(
        rendered("{{x{{a}}", &[("a", "1")]).unwrap(),
        "{{x1",
        "x{{a is no name"
    );
}

#[test]
fn a_filled_prompt_has_an_end() {
    let value = "x".repeat(1 << 20);
    let filled = rendered(&"{{a}}".repeat(8), &[("a", &value)]).unwrap();
    assert_eq!(filled.len(), 8 << 20);
    let refused = refusal(rendered(&"{{a}}".repeat(9), &[("a", &value)]));
    assert!(refused.contains("too long"), "{refused}");
    // All texts together.
    let turn =
        r#"{"role":"user","content":[{"text":"{{a}}"}]},{"role":"assistant","content":[{"text":"{{a}}"}]}"#;
    let turns = [turn; 5].join(",");
    let chat = body(&format!(
        r#"{{"name":"n","variants":[{{"name":"v","templateType":"CHAT","modelId":"m",
            "templateConfiguration":{{"chat":{{"messages":[{turns}]}}}}}}]}}"#
    ));
    assert!(chat.render(&values(&[("a", &value)])).is_err());
    let longest = "n".repeat(200);
    assert_eq!(
        rendered(&format!("{{{{{longest}}}}}"), &[(&longest, "1")]).unwrap(),
        "1"
    );
    let beyond = format!("{{{{{longest}n}}}}");
    assert_eq!(rendered(&beyond, &[]).unwrap(), beyond);
    // Nothing but beginnings of names, none of which ends: each is looked at a little way.
    let braces = "{{\u{e9} ".repeat(100_000);
    assert_eq!(rendered(&braces, &[]).unwrap(), braces);
}

#[test]
fn every_variable_has_a_value_and_every_value_a_variable() {
    let missing = refusal(rendered("{{a}} {{b}}", &[("a", "1")]));
    assert!(missing.contains("'b' has no value"), "{missing}");
    let long = "x".repeat(70);
    assert!(!refusal(rendered(&format!("{{{{{long}}}}}"), &[])).contains("xxx"));
    let more = refusal(rendered("{{a}}", &[("a", "1"), ("secret", "2")]));
    assert!(
        more.contains("does not have") && !more.contains("secret"),
        "{more}"
    );
    assert!(refusal(rendered("{{a}}", &[("a", " ")])).contains("blank"));
    // What is declared and not used may have a value.
    assert!(
        body(CHAT)
            .render(&values(&[("who", "a"), ("question", "b"), ("unused", "c")]))
            .is_ok()
    );
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let variant = |more: &str| format!(r#"{{"name":"n"{more}}}"#);
    let text = r#""templateConfiguration":{"text":{"text":"x"}}"#;
    for (more, told) in [
        (
            format!(r#","variants":[{{"name":"v","templateType":"CHAT",{text}}}]"#),
            "templateType",
        ),
        (
            format!(r#","defaultVariant":"w","variants":[{{"name":"v","templateType":"TEXT",{text}}}]"#),
            "defaultVariant",
        ),
        (r#","defaultVariant":"w""#.to_owned(), "defaultVariant"),
    ] {
        assert!(refusal(body(&variant(&more)).check()).contains(told), "{more}");
    }
    assert!(refusal(body(r#"{"name":"n"}"#).render(&values(&[]))).contains("no variant"));
    let tools = CHAT.replace(
        r#""inputVariables""#,
        r#""toolConfiguration":{"tools":[{"toolSpec":{"name":"t","inputSchema":{"json":{}}}}]},"inputVariables""#,
    );
    assert!(refusal(body(&tools).render(&values(&[]))).contains("tool use"));
    let cached = CHAT.replace(
        r#"[{"text":"You help {{who}}."}]"#,
        r#"[{"cachePoint":{"type":"default"}}]"#,
    );
    assert!(refusal(body(&cached).render(&values(&[]))).contains("cachePoint"));
}

#[test]
fn what_comes_is_validated_without_repeating_it() {
    for (body, told) in [
        (r#"{"description":"x"}"#, "Value null at 'name'"),
        (
            r#"{"name":"zan zibar"}"#,
            "Value at 'name' failed to satisfy constraint: Member must satisfy regular",
        ),
        (r#"{"name":"n","variants":[{},{}]}"#, "variants"),
        (r#"{"name":"n","clientToken":"zanzibar"}"#, "'clientToken'"),
        (
            r#"{"name":"n","customerEncryptionKeyArn":"zanzibar"}"#,
            "'customerEncryptionKeyArn'",
        ),
        (r#"{"name":"n","description":""}"#, "'description'"),
    ] {
        let refused = refusal(create(body));
        assert!(refused.contains(told) && !refused.contains("zan"), "{refused}");
    }
}

#[test]
fn prompts_are_named_by_id_arn_and_version() {
    let region = "r".parse().unwrap();
    let parse = |text: &str, version: Option<&str>| {
        PromptArn::parse(text, version, (&region, "123456789012")).map(|prompt| prompt.arn.to_string())
    };
    assert_eq!(parse("ABCDEFGHIJ", None).unwrap(), PROMPT);
    assert_eq!(parse(PROMPT, Some("DRAFT")).unwrap(), PROMPT);
    assert_eq!(parse("ABCDEFGHIJ", Some("12")).unwrap(), format!("{PROMPT}:12"));
    assert_eq!(
        parse(&format!("{PROMPT}:12"), None).unwrap(),
        format!("{PROMPT}:12")
    );
    assert_eq!(
        parse(&format!("{PROMPT}:12"), Some("12")).unwrap(),
        format!("{PROMPT}:12")
    );
    for (text, version) in [
        ("ABCDEFGHI", None),
        ("ABCDEFGHIJ:1", None),
        ("arn:aws:bedrock:r:123456789012:prompt/ABCDEFGHIJ:0", None),
        ("arn:aws:bedrock:r:123456789012:prompt/ABCDEFGHIJ:01", None),
        ("arn:aws:bedrock:r:123456789012:prompt/ABCDEFGHIJ:1:2", None),
        ("arn:aws:kms:r:123456789012:prompt/ABCDEFGHIJ", None),
        ("arn:aws:bedrock:r:123456789012:prompt/ABCDEFGHIJ:1", Some("2")),
        (
            "arn:aws:bedrock:r:123456789012:prompt/ABCDEFGHIJ:1",
            Some("DRAFT"),
        ),
        ("ABCDEFGHIJ", Some("0")),
        ("ABCDEFGHIJ", Some("+1")),
    ] {
        assert!(parse(text, version).is_err(), "{text} {version:?}");
    }
}

#[test]
fn a_conversation_goes_on_from_a_prompt() {
    let converse =
        |label: &str, body: &str| ask("POST", &format!("/model/{label}/converse"), &[], body.as_bytes());
    let label = "arn%3Aaws%3Abedrock%3Ar%3A123456789012%3Aprompt%2FABCDEFGHIJ%3A1";
    let asked = r#"{"promptVariables":{"who":{"text":"Ann"},"question":{"text":"why?"}},
        "messages":[{"role":"assistant","content":[{"text":"because"}]},{"role":"user","content":[{"text":"really?"}]}]}"#;
    let Ok(Command::ConversePrompt(prompted)) = converse(label, asked) else {
        panic!("another command")
    };
    assert_eq!(prompted.prompt.arn.as_str(), format!("{PROMPT}:1"));
    assert!(!prompted.stream);
    let rendered = body(CHAT).render(&prompted.variables).unwrap();
    let all = prompted.with(rendered).unwrap();
    let said: Vec<_> = all
        .turns
        .iter()
        .map(|turn| turn.text().expose().to_owned())
        .collect();
    assert_eq!(said, ["You help Ann.", "Ann: why?", "because", "really?"]);
    for more in [
        r#"{"system":[{"text":"x"}]}"#,
        r#"{"inferenceConfig":{"maxTokens":1}}"#,
        r#"{"additionalModelRequestFields":{}}"#,
    ] {
        assert!(
            refusal(converse(label, more)).contains("Prompt management"),
            "{more}"
        );
    }
    // Two turns of the user in a row are no conversation.
    let twice = r#"{"messages":[{"role":"user","content":[{"text":"x"}]}]}"#;
    let Ok(Command::ConversePrompt(prompted)) = converse(label, twice) else {
        panic!("another command")
    };
    let rendered = of_text("x").render(&values(&[])).unwrap();
    assert!(refusal(prompted.with(rendered)).contains("alternate"));
    // Without a prompt, its variables are ignored, as at AWS.
    let plain =
        r#"{"promptVariables":{"a":{"text":"b"}},"messages":[{"role":"user","content":[{"text":"x"}]}]}"#;
    assert!(matches!(converse("m", plain), Ok(Command::Converse(_))));
    // Nothing else takes a prompt.
    assert!(ask("POST", &format!("/model/{label}/invoke"), &[], b"{}").is_err());
}

#[test]
fn tags_are_asked_for_by_an_encoded_arn() {
    let label = "arn%3Aaws%3Abedrock%3Ar%3A123456789012%3Aprompt%2FABCDEFGHIJ";
    match ask(
        "DELETE",
        &format!("/tags/{label}?tagKeys=a&tagKeys=b%20c"),
        &[],
        b"",
    )
    .ok()
    {
        Some(Command::BedrockAgent(Request::UntagResource(untag))) => {
            assert_eq!(untag.resource_arn, PROMPT);
            assert_eq!(untag.tag_keys, ["a", "b c"]);
        }
        _ => panic!("another command"),
    }
    assert!(refusal(ask("DELETE", &format!("/tags/{label}"), &[], b"")).contains("tagKeys"));
    assert!(ask("GET", "/prompts/?maxResults=1&maxResults=2", &[], b"").is_err());
}

proptest! {
    #[test]
    fn whatever_a_template_is_it_renders_or_is_refused(template in "[{}a b]{1,24}", value in "[{}a]{1,8}") {
        let rendered = rendered(&template, &[("a", &value)]);
        if let Ok(rendered) = rendered {
            // Without a variable, a text stays what it is.
            prop_assert!(template.contains("{{a}}") || rendered == template);
        }
    }

    #[test]
    fn a_value_arrives_as_it_was_given(value in "\\PC{1,40}") {
        prop_assume!(!value.trim().is_empty());
        prop_assert_eq!(rendered("<{{a}}>", &[("a", &value)]).unwrap(), format!("<{value}>"));
    }
}
