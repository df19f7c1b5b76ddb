//! The Responses API.

mod create;
mod echo;
mod events;
mod items;
mod object;
mod stored;

pub use create::{CreateResponse, Truncation};
pub use echo::Echo;
pub use events::{ClosingFrames, CompletedStream, ResponseStream};
pub use items::ListInputItems;
pub use object::ResponseDraft;
pub use stored::{StoredResponse, StoredResponseUnreadable};

use moho_terms::{ContentBytes, ResponseId};

use crate::json::Writer;

/// The reply to `DELETE /responses/{id}`.
#[must_use]
pub fn deleted(id: &ResponseId) -> ContentBytes {
    let mut w = Writer::new();
    w.object(|w| {
        w.text("id", id.as_str());
        w.text("object", "response");
        w.fixed("deleted", "true");
    });
    w.finish()
}

#[cfg(test)]
mod tests;
