//! Every route is on a list that real clients are tried with, as strangers and without leave
//! (`tests/clients/test_every_route.py`): a new one that is not does not compile, or fails here.

use super::{ConversationRoute, Prefix, RequestHead, Target, route};

const LIST: &str = include_str!("../../../../tests/clients/openai_routes.txt");

macro_rules! lines {
    ($($target:pat => $($line:literal)|*,)+) => {
        const LINES: &[&str] = &[$($($line,)*)+];

        /// The lines of an API, one for each prefix. AWS's operations are on a list of their own.
        fn lines(target: &Target) -> &'static [&'static str] {
            match target {
                $($target => &[$($line,)*],)+
            }
        }
    };
}

lines! {
    Target::CreateResponse(_) => "POST /v1/responses" | "POST /openai/v1/responses",
    Target::GetResponse(..) => "GET /v1/responses/{id}" | "GET /openai/v1/responses/{id}",
    Target::DeleteResponse(..) => "DELETE /v1/responses/{id}" | "DELETE /openai/v1/responses/{id}",
    Target::ListInputItems(..) => "GET /v1/responses/{id}/input_items" | "GET /openai/v1/responses/{id}/input_items",
    Target::Conversations(_, ConversationRoute::Create) => "POST /v1/conversations" | "POST /openai/v1/conversations",
    Target::Conversations(_, ConversationRoute::Get(_)) =>
        "GET /v1/conversations/{conversation}" | "GET /openai/v1/conversations/{conversation}",
    Target::Conversations(_, ConversationRoute::Update(_)) =>
        "POST /v1/conversations/{conversation}" | "POST /openai/v1/conversations/{conversation}",
    Target::Conversations(_, ConversationRoute::Delete(_)) =>
        "DELETE /v1/conversations/{conversation}" | "DELETE /openai/v1/conversations/{conversation}",
    Target::Conversations(_, ConversationRoute::CreateItems(_)) =>
        "POST /v1/conversations/{conversation}/items" | "POST /openai/v1/conversations/{conversation}/items",
    Target::Conversations(_, ConversationRoute::ListItems(_)) =>
        "GET /v1/conversations/{conversation}/items" | "GET /openai/v1/conversations/{conversation}/items",
    Target::Conversations(_, ConversationRoute::GetItem(..)) =>
        "GET /v1/conversations/{conversation}/items/{item}" | "GET /openai/v1/conversations/{conversation}/items/{item}",
    Target::Conversations(_, ConversationRoute::DeleteItem(..)) =>
        "DELETE /v1/conversations/{conversation}/items/{item}" | "DELETE /openai/v1/conversations/{conversation}/items/{item}",
    Target::Conversations(_, ConversationRoute::Export) => "GET /v1/content",
    Target::Conversations(_, ConversationRoute::Erase) => "DELETE /v1/content",
    Target::Conversations(_, ConversationRoute::GetRetention) => "GET /v1/data_retention",
    Target::Conversations(_, ConversationRoute::PutRetention) => "POST /v1/data_retention",
    Target::CreateChat(_) => "POST /v1/chat/completions" | "POST /openai/v1/chat/completions",
    Target::ListModels(_) => "GET /v1/models" | "GET /openai/v1/models",
    Target::GetModel(..) => "GET /v1/models/{model}" | "GET /openai/v1/models/{model}",
    Target::GetUsage => "GET /v1/organization/usage/completions",
    Target::ListKeys => "GET /v1/keys",
    Target::GetKey(_) => "GET /v1/keys/{key}",
    Target::ListRecords => "GET /v1/audit/records",
    Target::GetRestore => "GET /v1/restore",
    Target::AcceptRestore => "POST /v1/restore/accept",
    // `crates/wire/models/operations.txt` has these.
    Target::Query(_) | Target::Json(_) | Target::Bedrock(_) => ,
    // S3's operations are the gateway's.
    Target::S3(_) => ,
}

#[test]
fn every_route_of_openai_is_tried() {
    let listed: Vec<&str> = LIST.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(listed, LINES);
    for line in listed {
        let (method, path) = line.split_once(' ').unwrap();
        let path = path
            .replace("{id}", &format!("resp_{}", "0".repeat(48)))
            .replace("{conversation}", &format!("conv_{}", "0".repeat(48)))
            .replace("{item}", &format!("msg_{}", "0".repeat(48)))
            .replace("{model}", "some-model")
            .replace("{key}", "alias%2Fsome-key");
        let head = RequestHead {
            method,
            raw_path: &path,
            raw_query: "",
            content_type: Some("application/json"),
            authorization: None,
            host: "localhost",
            of_aws: false,
        };
        let found = route(&head).unwrap();
        assert!(lines(found.target()).contains(&line), "{line}");
        let prefix = if line.contains("/openai/") {
            Prefix::Runtime
        } else {
            Prefix::Mantle
        };
        assert_eq!(found.target().prefix(), Some(prefix), "{line}");
    }
}
