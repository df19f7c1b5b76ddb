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
    let (param, code) = match failure {
        Failure::ContextLengthExceeded { .. } => ("messages", Some("context_length_exceeded")),
        Failure::Invalid {
            param: Some(ref param),
            code,
            ..
        } => match param.as_str() {
            "input" => ("messages", code),
            "text.format.schema" => ("response_format.json_schema.schema", code),
            _ => return failure,
        },
        other => return other,
    };
    Failure::Invalid {
        message,
        param: Some(param.to_owned()),
        code,
    }
}

#[cfg(test)]
mod tests;
