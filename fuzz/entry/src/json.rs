//! JSON bodies of every route: parsed into a command, or refused in the route's own words.
#![expect(clippy::disallowed_types, reason = "serde_json is the oracle here")]

use moho_terms::RequestId;
use moho_wire::hostile_input::json_again;
use moho_wire::{ErrorShape, Failure, RequestHead};
use quick_xml::events::Event;
use serde_json::Value;

const CONVERSATION: &str = "/v1/conversations/conv_0123456789abcdef0123456789abcdef0123456789abcdef";
const ITEMS: &str = "/v1/conversations/conv_0123456789abcdef0123456789abcdef0123456789abcdef/items";

/// Every route that takes a body, and some that take none.
const ROUTES: [(&str, &str); 20] = [
    ("POST", "/v1/responses"),
    ("POST", "/openai/v1/responses"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/openai/v1/chat/completions"),
    ("POST", "/model/m/converse"),
    ("POST", "/model/m/converse-stream"),
    ("POST", "/model/m/invoke"),
    (
        "POST",
        "/model/arn%3Aaws%3Abedrock%3Amoho-local-1%3A%3Afoundation-model%2Fm/invoke",
    ),
    ("POST", "/model/m/invoke-with-response-stream"),
    ("POST", "/model/m/count-tokens"),
    ("POST", "/v1/conversations"),
    ("POST", CONVERSATION),
    ("POST", ITEMS),
    ("POST", "/v1/restore/accept"),
    ("POST", "/prompts/"),
    ("PUT", "/prompts/ABCDEFGHIJ/"),
    ("POST", "/prompts/ABCDEFGHIJ/versions"),
    (
        "POST",
        "/tags/arn%3Aaws%3Abedrock%3Amoho-local-1%3A123456789012%3Aprompt%2FABCDEFGHIJ",
    ),
    ("GET", "/v1/models"),
    ("GET", "/foundation-models"),
];

/// The bytes as the body of every route. Says whether one of them that asks for something takes them.
pub fn json_is_taken(data: &[u8]) -> bool {
    let printed = json_again(data);
    if let Some(printed) = &printed {
        let again = json_again(printed.expose());
        let same = again.is_some_and(|again| again.expose() == printed.expose());
        assert!(same, "JSON printed is JSON that prints the same");
        is_what_others_read(data, printed.expose());
    }
    let mut taken = false;
    for (method, raw_path) in ROUTES {
        let found = moho_wire::route(&RequestHead {
            method,
            raw_path,
            raw_query: "",
            content_type: Some("application/json"),
            authorization: None,
            host: "localhost",
            of_aws: false,
        });
        let Ok(route) = found else {
            assert!(raw_path.is_empty(), "{raw_path} is a route");
            continue;
        };
        assert!(route.body_limit() > 0);
        let header = |name: &str| {
            let json = (name == "content-type").then_some(&b"application/json"[..]);
            json.into_iter().collect()
        };
        let command = route.command(&header, data);
        if let Some(printed) = &printed {
            let again = route.command(&header, printed.expose());
            assert_eq!(
                command.is_ok(),
                again.is_ok(),
                "{raw_path} takes what is printed again"
            );
        }
        match command {
            // What may leave out everything takes any object.
            Ok(_) => taken |= method != "GET" && route.command(&header, b"{}").is_err(),
            Err(failure) => is_well_formed(&failure, route.error_shape()),
        }
    }
    taken
}

/// The bytes as the body of every route.
pub fn json_commands(data: &[u8]) {
    json_is_taken(data);
}

/// What another parser takes as well, it reads as the same, before and after printing.
fn is_what_others_read(data: &[u8], printed: &[u8]) {
    let Ok(theirs) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let ours = serde_json::from_slice::<Value>(printed);
    assert!(
        ours.is_ok_and(|ours| same(&theirs, &ours)),
        "another parser reads the same"
    );
}

/// Whether two values say the same. Fractions may lose their last digits.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        (Value::Number(one), Value::Number(other)) => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() <= one.abs() * 1e-9 + f64::MIN_POSITIVE,
            _ => one == other,
        },
        _ => one == other,
    }
}

/// A refusal is a body of its protocol, whatever it is about.
pub(crate) fn is_well_formed(failure: &Failure, shape: ErrorShape) {
    let Ok(id) = "00000000-0000-4000-8000-000000000000".parse::<RequestId>() else {
        return;
    };
    let reply = failure.reply(shape, &id);
    assert!(
        (400..600).contains(&reply.status),
        "a refusal has the status of one"
    );
    let body = reply.body.expose();
    match shape {
        ErrorShape::Query { .. } | ErrorShape::Ec2 | ErrorShape::S3 => is_xml(body),
        ErrorShape::OpenAi | ErrorShape::AwsJson | ErrorShape::RestJson => {
            assert!(json_again(body).is_some(), "a refusal is JSON");
        }
    }
}

fn is_xml(body: &[u8]) {
    let mut reader = quick_xml::Reader::from_reader(body);
    let mut elements = 0_u32;
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(Event::Start(_)) => elements = elements.saturating_add(1),
            Ok(Event::Text(text)) => assert!(text.xml10_content().is_ok(), "text of XML"),
            Ok(_) => {}
            Err(_) => assert!(body.is_empty(), "a refusal is XML"),
        }
    }
    assert!(elements >= 5, "ErrorResponse, Error, Type, Code, Message");
}
