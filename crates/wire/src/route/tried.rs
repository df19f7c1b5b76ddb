//! Every route is on a list that real clients are tried with, as strangers and without leave
//! (`tests/clients/test_every_route.py`): a new one that is not does not compile, or fails here.

use super::{Prefix, RequestHead, Target, route};

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
    Target::CreateChat(_) => "POST /v1/chat/completions" | "POST /openai/v1/chat/completions",
    Target::ListModels(_) => "GET /v1/models" | "GET /openai/v1/models",
    Target::GetModel(..) => "GET /v1/models/{model}" | "GET /openai/v1/models/{model}",
    Target::GetUsage => "GET /v1/organization/usage/completions",
    Target::ListKeys => "GET /v1/keys",
    Target::GetKey(_) => "GET /v1/keys/{key}",
    // `crates/wire/models/operations.txt` has these.
    Target::Query(_) | Target::Json(_) | Target::Bedrock(_) => ,
}

#[test]
fn every_route_of_openai_is_tried() {
    let listed: Vec<&str> = LIST.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(listed, LINES);
    for line in listed {
        let (method, path) = line.split_once(' ').unwrap();
        let path = path
            .replace("{id}", &format!("resp_{}", "0".repeat(48)))
            .replace("{model}", "some-model")
            .replace("{key}", "alias%2Fsome-key");
        let head = RequestHead {
            method,
            raw_path: &path,
            raw_query: "",
            content_type: Some("application/json"),
            authorization: None,
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
