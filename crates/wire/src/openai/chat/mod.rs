//! The Chat Completions API.

mod create;
mod events;

pub use create::CreateChat;
pub use events::{ChatDraft, ChatHead, ChatStream};

use crate::Failure;

/// Blames a field by the name that it has in this API: failures from below name those of Responses.
#[must_use]
pub fn blamed(failure: Failure) -> Failure {
    let message = failure.message();
    let (param, code) = if let Failure::ContextLengthExceeded { .. } = failure {
        ("messages", Some("context_length_exceeded"))
    } else if let Failure::Invalid {
        param: Some(param),
        code,
        ..
    } = &failure
    {
        match param.as_str() {
            "input" => ("messages", *code),
            "text.format.schema" => ("response_format.json_schema.schema", *code),
            _ => return failure,
        }
    } else {
        return failure;
    };
    Failure::Invalid {
        message,
        param: Some(param.to_owned()),
        code,
    }
}

#[cfg(test)]
mod tests;
