//! OpenAI's paths, under either prefix.

use moho_terms::ResponseId;
use percent_encoding::percent_decode_str;

use super::{Prefix, Target};
use crate::Failure;
use crate::bedrock::ModelIdentifier;
use crate::openai::conversations::ConversationRoute;

/// Under one of the two prefixes, all that OpenAI's clients ask for.
pub(super) fn openai_target(method: &str, rest: &[&str], prefix: Prefix) -> Result<Target, Failure> {
    match (rest, method) {
        (["responses"], "POST") => Ok(Target::CreateResponse(prefix)),
        (["responses"], _) => Err(Failure::MethodNotAllowed("POST")),
        (["responses", id], "GET") => response(id).map(|id| Target::GetResponse(prefix, id)),
        (["responses", id], "DELETE") => response(id).map(|id| Target::DeleteResponse(prefix, id)),
        (["responses", _], _) => Err(Failure::MethodNotAllowed("GET, DELETE")),
        (["responses", id, "input_items"], "GET") => {
            response(id).map(|id| Target::ListInputItems(prefix, id))
        }
        (["responses", _, "input_items"], _) => Err(Failure::MethodNotAllowed("GET")),
        (["chat", "completions"], "POST") => Ok(Target::CreateChat(prefix)),
        (["chat", "completions"], _) => Err(Failure::MethodNotAllowed("POST")),
        (["models"], "GET") => Ok(Target::ListModels(prefix)),
        (["models", id], "GET") => match label(id).and_then(|id| ModelIdentifier::parse(&id).ok()) {
            Some(id) => Ok(Target::GetModel(prefix, id)),
            None => Err(Failure::ModelNotFound(None)),
        },
        (["models"] | ["models", _], _) => Err(Failure::MethodNotAllowed("GET")),
        (["organization", "usage", "completions"], method) if prefix == Prefix::Mantle => match method {
            "GET" => Ok(Target::GetUsage),
            _ => Err(Failure::MethodNotAllowed("GET")),
        },
        (["keys"], "GET") if prefix == Prefix::Mantle => Ok(Target::ListKeys),
        (["keys", key], "GET") if prefix == Prefix::Mantle => {
            label(key).map(Target::GetKey).ok_or(Failure::NoSuchPath)
        }
        (["keys"] | ["keys", _], _) if prefix == Prefix::Mantle => Err(Failure::MethodNotAllowed("GET")),
        (["audit", "records"], "GET") if prefix == Prefix::Mantle => Ok(Target::ListRecords),
        (["audit", "records"], _) if prefix == Prefix::Mantle => Err(Failure::MethodNotAllowed("GET")),
        (["restore"], "GET") if prefix == Prefix::Mantle => Ok(Target::GetRestore),
        (["restore", "accept"], "POST") if prefix == Prefix::Mantle => Ok(Target::AcceptRestore),
        (["restore"], _) if prefix == Prefix::Mantle => Err(Failure::MethodNotAllowed("GET")),
        (["restore", "accept"], _) if prefix == Prefix::Mantle => Err(Failure::MethodNotAllowed("POST")),
        _ => {
            let labels: Option<Vec<String>> = rest.iter().map(|raw| label(raw)).collect();
            let labels = labels.ok_or(Failure::NoSuchPath)?;
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            let found = ConversationRoute::find(method, &labels)?;
            found
                .filter(|found| prefix == Prefix::Mantle || !found.is_own())
                .map(|found| Target::Conversations(prefix, found))
                .ok_or(Failure::NoSuchPath)
        }
    }
}

/// One label of a path, decoded once. An encoded `/` stays inside its label.
pub(super) fn label(raw: &str) -> Option<String> {
    percent_decode_str(raw)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

fn response(raw: &str) -> Result<ResponseId, Failure> {
    label(raw)
        .and_then(|id| id.parse().ok())
        .ok_or(Failure::ResponseNotFound(None))
}
