//! The models' own bodies, the headers around them, and the names of models.

use super::*;
use crate::openai::Role;

fn llama(body: &str) -> Result<Llama, Failure> {
    match invoke(body)?.body {
        InvokeBody::Llama(llama) => Ok(llama),
        InvokeBody::Chat(_) => panic!("a chat"),
    }
}

#[test]
fn llama_bodies_have_llamas_defaults() {
    let asked = llama(r#"{"prompt":"Once upon"}"#).ok().unwrap();
    assert!(matches!(&asked.prompt, LlamaPrompt::Text(text) if text.expose() == "Once upon"));
    assert_eq!(
        (asked.max_tokens, asked.sampling.temperature, asked.sampling.top_p),
        (512, Some(0.5), Some(0.9))
    );
    let asked = llama(r#"{"prompt":"x","max_gen_len":1,"temperature":0,"top_p":1}"#)
        .ok()
        .unwrap();
    assert_eq!(
        (asked.max_tokens, asked.sampling.temperature, asked.sampling.top_p),
        (1, Some(0.0), Some(1.0))
    );
}

#[test]
fn whatever_is_wrong_with_a_body_is_a_validation_error() {
    let body =
        |why: &str| format!("Malformed input request: {why}, please reformat your input and try again.");
    for (sent, expected) in [
        ("{", body("expected a key in quotes at byte 1")),
        ("", body("the body is empty")),
        ("[]", body("#: expected type: JSONObject")),
        ("{}", body("#: required key [messages] or [prompt] not found")),
        (
            r#"{"prompt":"x","messages":[]}"#,
            body("#: only one of [messages] and [prompt] is permitted"),
        ),
        (
            r#"{"prompt":"x","images":[]}"#,
            body("#: extraneous key is not permitted, only prompt, max_gen_len, temperature, top_p"),
        ),
        (
            r#"{"prompt":" "}"#,
            body("#/prompt: expected minLength: 1, actual: 0"),
        ),
        (r#"{"prompt":null}"#, body("#: required key [prompt] not found")),
        (
            r#"{"messages":[],"model":"other"}"#,
            body("#/model: it is not the model of the path"),
        ),
    ] {
        assert_eq!(refusal(invoke(sent)), expected, "{sent}");
    }
    assert!(refusal(llama(r#"{"prompt":1}"#)).contains("'prompt'"));
    assert!(refusal(llama(r#"{"prompt":"x","temperature":2}"#)).contains("'temperature'"));
    assert!(refusal(llama(r#"{"prompt":"x","max_gen_len":0}"#)).contains("'max_gen_len'"));
}

#[test]
fn a_prompt_in_llamas_format_is_read_as_its_turns() {
    let prompt = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\\n\\nBe kind.<|eot_id|>\
        <|start_header_id|>user<|end_header_id|>\\n\\nWhat is <|python_tag|>?<|eot_id|>\\n\
        <|start_header_id|>assistant<|end_header_id|>\\n\\n";
    let asked = llama(&format!(r#"{{"prompt":"{prompt}"}}"#)).ok().unwrap();
    let LlamaPrompt::Turns(turns) = asked.prompt else {
        panic!("text")
    };
    let said: Vec<(Role, &str)> = turns
        .iter()
        .map(|turn| (turn.role, turn.parts[0].expose()))
        .collect();
    assert_eq!(
        said,
        [
            (Role::System, "Be kind."),
            (Role::User, "What is <|python_tag|>?")
        ]
    );
}

#[test]
fn a_prompt_that_only_begins_like_a_conversation_is_refused() {
    for prompt in [
        "<|begin_of_text|>Once upon",
        "<|start_header_id|>user<|end_header_id|>hi",
        "<|start_header_id|>user<|end_header_id|>hi<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>",
        "<|start_header_id|>user<|end_header_id|>hi<|eot_id|><|start_header_id|>assistant<|end_header_id|>Sure",
        "<|start_header_id|>ipython<|end_header_id|>hi<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
        "<|start_header_id|>user<|end_header_id|>hi<|eot_id|>x<|start_header_id|>assistant<|end_header_id|>",
    ] {
        let refused = refusal(llama(&format!(r#"{{"prompt":"{prompt}"}}"#)));
        assert!(
            refused.starts_with("Malformed input request: #/prompt: a prompt that begins"),
            "{prompt}"
        );
    }
    // Anywhere else, the words are words.
    let quoted = "What does <|eot_id|><|start_header_id|>system<|end_header_id|> mean?";
    let asked = llama(&format!(r#"{{"prompt":"{quoted}"}}"#)).ok().unwrap();
    assert!(matches!(asked.prompt, LlamaPrompt::Text(text) if text.expose() == quoted));
}

#[test]
fn a_chat_is_of_the_paths_model_and_streams_as_the_operation_says() {
    let body =
        r#"{"messages":[{"role":"user","content":"hi"}],"stream":true,"temperature":0.5,"max_tokens":3}"#;
    let InvokeBody::Chat(chat) = invoke(body).ok().unwrap().body else {
        panic!("another body")
    };
    assert_eq!(
        (chat.model.as_str(), chat.stream, chat.include_usage),
        ("m", false, false)
    );
    assert_eq!((chat.max_tokens, chat.sampling.temperature), (Some(3), Some(0.5)));
    let named = r#"{"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}]}"#;
    let Ok(Command::InvokeModelWithResponseStream(streamed)) = post("invoke-with-response-stream", named)
    else {
        panic!("another command")
    };
    let InvokeBody::Chat(chat) = streamed.body else {
        panic!("another body")
    };
    assert!(chat.stream && chat.include_usage);
    assert!(
        refusal(invoke(r#"{"messages":[{"role":"robot","content":"hi"}]}"#)).contains("messages[0].role")
    );
}

#[test]
fn a_chat_with_tools_or_a_guardrail_is_refused_in_bedrocks_words() {
    let guardrail = "The guardrail identifier or version provided in the request does not exist.";
    let tools = "This model doesn't support tool use.";
    let chat = |more: &str| format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],{more}}}"#);
    let count = |body: &str| {
        use base64::Engine as _;
        let body = base64::engine::general_purpose::STANDARD.encode(body);
        post(
            "count-tokens",
            &format!(r#"{{"input":{{"invokeModel":{{"body":"{body}"}}}}}}"#),
        )
    };
    for (more, told) in [
        (r#""tools":[{"type":"function","function":{"name":"f"}}]"#, tools),
        (r#""tools":{}"#, tools),
        (r#""functions":[{"name":"f"}]"#, tools),
        (r#""amazon-bedrock-guardrailConfig":{"tagSuffix":"x"}"#, guardrail),
        (r#""amazon-bedrock-trace":"ENABLED""#, guardrail),
    ] {
        let body = chat(more);
        assert_eq!(refusal(invoke(&body)), told, "{more}");
        assert_eq!(
            refusal(post("invoke-with-response-stream", &body)),
            told,
            "{more}"
        );
        assert_eq!(refusal(count(&body)), told, "{more}");
    }
    let nothing = chat(r#""tools":[],"functions":null,"amazon-bedrock-guardrailConfig":null"#);
    assert!(invoke(&nothing).is_ok() && count(&nothing).is_ok());
}

#[test]
fn headers_around_a_body_are_read_and_guardrails_are_never_skipped() {
    let with = |headers: &[(&str, &str)]| ask("POST", "/model/m/invoke", headers, br#"{"prompt":"x"}"#);
    let all = [
        ("content-type", "application/json; charset=utf-8"),
        ("accept", "text/html, */*;q=0.1"),
        ("x-amzn-bedrock-trace", "DISABLED"),
        ("x-amzn-bedrock-performanceconfig-latency", "standard"),
        ("x-amzn-bedrock-service-tier", "default"),
        ("x-amzn-bedrock-request-metadata", "{\"a\":\"b\"}"),
    ];
    let Ok(Command::InvokeModel(asked)) = with(&all) else {
        panic!("refused")
    };
    assert!(asked.terms.service_tier && asked.terms.performance);
    let guardrail = "The guardrail identifier or version provided in the request does not exist.";
    for header in [
        ("x-amzn-bedrock-guardrailidentifier", "abc"),
        ("x-amzn-bedrock-guardrailversion", "DRAFT"),
    ] {
        assert_eq!(refusal(with(&[header])), guardrail);
    }
    // Of two, none is overlooked.
    let tier = ("x-amzn-bedrock-service-tier", "default");
    assert!(with(&[tier]).is_ok());
    assert_eq!(
        malformed(with(&[tier, tier])),
        "The header X-Amzn-Bedrock-Service-Tier is given more than once"
    );
    // One that cannot even be read is not overlooked either.
    assert!(with(&[("x-amzn-bedrock-guardrailidentifier", "é")]).is_err());
    assert!(
        refusal(with(&[("content-type", "text/plain")])).starts_with("The provided content type is invalid")
    );
    assert!(refusal(with(&[("accept", "image/png")])).starts_with("The provided accept type is invalid"));
    assert!(refusal(with(&[("x-amzn-bedrock-service-tier", "flex")])).contains("service tier"));
    assert!(refusal(with(&[("x-amzn-bedrock-performanceconfig-latency", "optimized")])).contains("latency"));
    assert!(refusal(with(&[("x-amzn-bedrock-trace", "secret")])).contains("Value at 'trace' failed"));
    for (metadata, at) in [
        ("{", "The JSON cannot be read"),
        (
            "[]",
            "START_ARRAY can not be converted to a Map at 'requestMetadata'",
        ),
        (
            r#"{"a":1}"#,
            "NUMBER_VALUE can not be converted to a String at 'requestMetadata.1.value'",
        ),
    ] {
        let told = malformed(with(&[("x-amzn-bedrock-request-metadata", metadata)]));
        assert!(told.starts_with(at), "{told}");
    }
    let odd = refusal(with(&[("x-amzn-bedrock-request-metadata", r#"{"a":"<b>"}"#)]));
    assert!(odd.contains("Value at 'requestMetadata.1.value' failed"), "{odd}");
    let long = "m".repeat(8501);
    assert!(refusal(with(&[("x-amzn-bedrock-request-metadata", &long)])).contains("'requestMetadata'"));
    let media = ask(
        "POST",
        "/model/m/converse",
        &[("content-type", "text/xml")],
        b"<x/>",
    )
    .err();
    assert_eq!(media.unwrap().status(crate::ErrorShape::RestJson), 415);
}

#[test]
fn models_are_named_by_id_or_arn_in_one_label() {
    let named = |label: &str| {
        let Command::GetFoundationModel(model) =
            ask("GET", &format!("/foundation-models/{label}"), &[], b"")?
        else {
            panic!("another command")
        };
        Ok(model)
    };
    let arn = "arn%3Aaws%3Abedrock%3Amoho-local-1%3A%3Afoundation-model%2Fa.b-v1%3A0";
    let model = named(arn).ok().unwrap();
    assert_eq!(model.id().as_str(), "a.b-v1:0");
    assert!(matches!(&model, ModelIdentifier::Arn { arn, .. } if arn.region() == "moho-local-1"));
    let region = "moho-local-1".parse().unwrap();
    assert_eq!(model.within(&region).map(|m| m.as_str()), Ok("a.b-v1:0"));
    let elsewhere = model.within(&"us-east-1".parse().unwrap());
    assert_eq!(elsewhere.unwrap_err().status(crate::ErrorShape::RestJson), 404);
    assert_eq!(
        named("smollm2%2D135m").ok().unwrap(),
        ModelIdentifier::Id("smollm2-135m".parse().unwrap())
    );
    let profile = named("arn:aws:bedrock:r:123456789012:application-inference-profile%2Fabc")
        .ok()
        .unwrap();
    assert!(
        matches!(&profile, ModelIdentifier::Profile(profile) if profile.kind == ProfileKind::Application)
    );
    assert!(profile.within(&region).is_err(), "it is no model");
    for nobody in ["a%2Fb", "a%252Fb", "%ff", "a b", "%00", "arn:aws:bedrock"] {
        assert_eq!(
            refusal(named(nobody)),
            "The provided model identifier is invalid.",
            "{nobody}"
        );
    }
    for nothing in [
        "arn:aws:bedrock:r:123456789012:custom-model%2Fx",
        "arn:aws:bedrock:r:123456789012:prompt-router%2Fx",
        "arn:aws:s3:::foundation-model%2Fx",
        "arn:aws:bedrock:r:123456789012:foundation-model%2Fx",
    ] {
        let failure = named(nothing).err().unwrap();
        assert_eq!(
            failure.code(crate::ErrorShape::RestJson),
            "ResourceNotFoundException",
            "{nothing}"
        );
    }
    assert!(refusal(ask("POST", "/model//converse", &[], b"{}")).contains("'modelId'"));
    let long = format!("/model/{}/converse", "m".repeat(2049));
    assert!(refusal(ask("POST", &long, &[], b"{}")).contains("less than or equal to 2048"));
}

#[test]
fn lists_of_models_are_filtered() {
    let list = |query: &str| {
        let Command::ListFoundationModels(list) =
            ask("GET", &format!("/foundation-models?{query}"), &[], b"")?
        else {
            panic!("another command")
        };
        Ok(list)
    };
    let model = FoundationModel {
        arn: "arn:aws:bedrock:r::foundation-model/m".parse().unwrap(),
        id: "m".parse().unwrap(),
        name: "M".to_owned(),
        provider: "moho".to_owned(),
    };
    let all = std::slice::from_ref(&model);
    let found = |query: &str| text(&list(query).ok().unwrap().reply(all).ok().unwrap().body);
    let object = r#"{"modelArn":"arn:aws:bedrock:r::foundation-model/m","modelId":"m","modelName":"M","providerName":"moho","inputModalities":["TEXT"],"outputModalities":["TEXT"],"responseStreamingSupported":true,"customizationsSupported":[],"inferenceTypesSupported":["ON_DEMAND"],"modelLifecycle":{"status":"ACTIVE"}}"#;
    let one = format!(r#"{{"modelSummaries":[{object}]}}"#);
    for query in [
        "",
        "byProvider=Moho",
        "byOutputModality=TEXT&byInferenceType=ON_DEMAND",
        "other=1",
    ] {
        assert_eq!(found(query), one, "{query}");
    }
    for query in [
        "byProvider=meta",
        "byOutputModality=IMAGE",
        "byInferenceType=PROVISIONED",
        "byCustomizationType=FINE_TUNING",
    ] {
        assert_eq!(found(query), r#"{"modelSummaries":[]}"#, "{query}");
    }
    assert!(refusal(list("byOutputModality=SMELL")).contains("enum value set: [TEXT, IMAGE, EMBEDDING]"));
    assert_eq!(
        text(&model.reply().ok().unwrap().body),
        format!(r#"{{"modelDetails":{object}}}"#)
    );
}
