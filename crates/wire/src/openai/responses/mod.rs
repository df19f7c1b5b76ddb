//! The Responses API.

mod create;
mod events;
mod items;
mod object;
mod stored;

pub use create::{CreateResponse, Truncation};
pub use events::{CompletedStream, ResponseStream};
pub use items::ListInputItems;
pub use object::{Echo, ResponseDraft};
pub use stored::{StoredResponse, StoredResponseUnreadable};

use moho_terms::{ContentBytes, ResponseId};

/// The reply to `DELETE /responses/{id}`.
#[must_use]
pub fn deleted(id: &ResponseId) -> ContentBytes {
    let _: &ResponseId = id;
    todo!()
}
