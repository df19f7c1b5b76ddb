//! The Responses API.

mod create;
mod echo;
mod events;
mod items;
mod object;
mod prompted;
mod stored;

pub use create::{CreateResponse, Truncation};
pub(crate) use create::{includes, read_items};
pub use echo::Echo;
pub use events::{ClosingFrames, CompletedStream, ResponseStream};
pub use items::ListInputItems;
pub(crate) use items::Paging;
pub use object::ResponseDraft;
pub use prompted::PromptedResponse;
pub use stored::{StoredResponse, StoredResponseUnreadable};
pub(crate) use stored::{read_turn, write_item};

use moho_terms::{ContentBytes, ItemId, ResponseId};

use crate::Failure;
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

/// The id of the `index`th message of a response: 0 is its output, 1 and up its input.
///
/// # Errors
/// [`Failure::Internal`]: never.
pub fn item_id(id: &ResponseId, index: usize) -> Result<ItemId, Failure> {
    object::message_id(id, index)
        .parse()
        .map_err(|_never| Failure::Internal)
}

#[cfg(test)]
mod tests;
