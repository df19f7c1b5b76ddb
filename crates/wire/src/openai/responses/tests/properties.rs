//! What holds for any request and any answer.

use super::*;

const MARKER: &str = "kumquat";

/// JSON in which every name and string may hold the marker.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1".to_owned()),
        Just("-1.5e400".to_owned()),
        Just(format!("\"{MARKER}\"")),
        Just("\"user\"".to_owned()),
        Just("\"message\"".to_owned()),
    ];
    let name = prop_oneof![
        Just(MARKER),
        Just("role"),
        Just("content"),
        Just("type"),
        Just("text"),
        Just("format"),
        Just("name"),
        Just("schema"),
        Just("json_schema"),
        Just("mode"),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec((name.clone(), inner), 0..4).prop_map(|members| {
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(name, value)| format!("\"{name}\":{value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn errors_repeat_nothing_of_a_request(field in prop_oneof![
        Just("input"), Just("instructions"), Just("text"), Just("tools"), Just("tool_choice"), Just("metadata"), Just("stream"),
        Just("stream_options"), Just("temperature"), Just("max_output_tokens"), Just("previous_response_id"), Just("reasoning"),
        Just("truncation"), Just("include"), Just("service_tier"), Just("messages"), Just("stop"), Just("response_format"),
        Just("n"), Just("seed"), Just("logit_bias"), Just("modalities"), Just("logprobs"), Just("top_logprobs"), Just("min_p"),
        Just("top_k"), Just("repetition_penalty"), Just("presence_penalty")], value in any_json()) {
        let request = "11111111-2222-4333-8444-555555555555".parse().unwrap();
        let body = format!(r#"{{"model":"m","input":"x","{field}":{value}}}"#);
        let responses = CreateResponse::parse(body.as_bytes()).err();
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"{field}":{value}}}"#);
        let chat = crate::openai::chat::CreateChat::parse(body.as_bytes()).err();
        for failure in [responses, chat].into_iter().flatten() {
            let reply = failure.reply(crate::ErrorShape::OpenAi, &request);
            prop_assert!(!text(&reply.body).contains(MARKER), "{}", text(&reply.body));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        drop(CreateResponse::parse(&bytes));
        drop(StoredResponse::decode(&bytes));
    }

    #[test]
    fn any_text_streams_and_stores_whole(pieces in proptest::collection::vec(any::<String>(), 0..5)) {
        let mut stream = ResponseStream::new(draft(), true);
        let mut frames = text(&stream.open());
        for piece in &pieces {
            frames.push_str(&text(&stream.delta(&said(piece), &Zeros).unwrap()));
        }
        let done = stream.complete(Ending::Stop, USAGE, at(101));
        let whole = pieces.concat();
        let object = json::parse(done.object().expose()).unwrap();
        frames.push_str(&closing(done));
        let mut read = String::new();
        for (name, data) in events(&frames) {
            if let (true, Some(Json::String(delta))) = (name == "response.output_text.delta", data.get("delta")) {
                read.push_str(delta.expose());
            }
        }
        prop_assert_eq!(&read, &whole);
        let Some(Json::Array(output)) = object.get("output") else { panic!("no output") };
        let Some(Json::Array(parts)) = output[0].get("content") else { panic!("no content") };
        prop_assert!(matches!(parts[0].get("text"), Some(Json::String(text)) if text.expose() == whole));
    }
}
