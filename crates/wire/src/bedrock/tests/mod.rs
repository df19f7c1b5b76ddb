//! Bedrock requests as SDKs send them, replies as SDKs read them, and what hostile clients send.

mod bodies;
mod converse;
mod frames;
mod hostile;
mod replies;

use std::time::Duration;

use moho_terms::{Content, ContentBytes};

use super::*;
use crate::json::{self, Json, Writer};
use crate::openai::Usage;
use crate::samples::Zeros;
use crate::{Command, Failure, RequestHead, route};

const USAGE: Usage = Usage {
    input_tokens: 9,
    cached_tokens: 4,
    output_tokens: 3,
};
const LATENCY: Latency = Latency {
    total: Duration::from_millis(250),
    first: Some(Duration::from_millis(20)),
};

/// What a request becomes.
pub(super) fn ask(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Command, Failure> {
    let (raw_path, raw_query) = path.split_once('?').unwrap_or((path, ""));
    let route = route(&RequestHead {
        method,
        raw_path,
        raw_query,
        content_type: None,
        authorization: None,
        host: "localhost",
        of_aws: false,
    });
    let route = route.map_err(|refused| refused.failure)?;
    let header = |name: &str| {
        let named = headers.iter().filter(|(header, _)| *header == name);
        named.map(|(_, value)| value.as_bytes()).collect()
    };
    route.command(&header, body)
}

fn post(operation: &str, body: &str) -> Result<Command, Failure> {
    ask("POST", &format!("/model/m/{operation}"), &[], body.as_bytes())
}

fn converse(body: &str) -> Result<Converse, Failure> {
    {
        let Command::Converse(converse) = post("converse", body)? else {
            panic!("another command")
        };
        Ok(*converse)
    }
}

fn invoke(body: &str) -> Result<InvokeModel, Failure> {
    {
        let Command::InvokeModel(invoke) = post("invoke", body)? else {
            panic!("another command")
        };
        Ok(*invoke)
    }
}

/// The sentence of a refusal that is a matter of validation.
pub(super) fn refusal<T>(result: Result<T, Failure>) -> String {
    match result.err() {
        Some(Failure::Validation(message)) => message,
        other => panic!("{other:?}"),
    }
}

/// The sentence of a refusal of what is not the protocol.
fn malformed<T>(result: Result<T, Failure>) -> String {
    match result.err() {
        Some(Failure::Invalid {
            message, code: None, ..
        }) => message,
        other => panic!("{other:?}"),
    }
}

pub(super) fn text(bytes: &ContentBytes) -> String {
    String::from_utf8(bytes.expose().to_vec()).unwrap()
}

pub(super) fn words(text: &str) -> Content {
    Content::new(text.to_owned())
}
