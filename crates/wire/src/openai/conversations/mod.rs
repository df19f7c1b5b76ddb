//! The Conversations API: items that are kept one after the other, and read again as the context of responses.

mod item;
mod request;
mod route;
#[cfg(test)]
mod tests;

pub use item::{ConversationItem, ItemUnreadable, Withheld, contents, item_list, item_object};
pub use request::{CreateConversation, CreateItems, ListItems, Metadata, Request};
pub(crate) use request::{days, key};
pub use route::ConversationRoute;

use moho_terms::{ContentBytes, ConversationId, ItemId, Timestamp};

use crate::Failure;
use crate::json::Writer;

/// The header that names the key which seals what a request keeps: by id, ARN or alias.
pub const KEY_HEADER: &str = "moho-kms-key-id";
/// The header that says for how many days what a request keeps may stay.
pub const DAYS_HEADER: &str = "moho-retention-days";

/// How OpenAI says that there is no such conversation.
#[must_use]
pub fn conversation_not_found(id: Option<&ConversationId>) -> Failure {
    let named = id.map_or_else(String::new, |id| format!(" with id '{id}'"));
    Failure::Service {
        code: "conversation_not_found",
        message: format!(
            "Conversation{named} not found. It was deleted, its time has come, or it belongs to somebody else."
        ),
        status: 404,
    }
}

/// How OpenAI says that there is no such item.
#[must_use]
pub fn item_not_found(id: Option<&ItemId>) -> Failure {
    let named = id.map_or_else(String::new, |id| format!(" with id '{id}'"));
    Failure::Service {
        code: "item_not_found",
        message: format!("Item{named} not found in this conversation."),
        status: 404,
    }
}

/// A conversation as it is told.
#[must_use]
pub fn conversation_object(id: &ConversationId, created: Timestamp, metadata: &Metadata) -> ContentBytes {
    let mut w = Writer::new();
    w.object(|w| {
        w.text("id", id.as_str());
        w.text("object", "conversation");
        w.number("created_at", created.unix_seconds());
        w.key("metadata").raw(metadata.json().expose());
    });
    w.finish()
}

/// The reply to `DELETE /conversations/{id}`.
#[must_use]
pub fn conversation_deleted(id: &ConversationId) -> ContentBytes {
    let mut w = Writer::new();
    w.object(|w| {
        w.text("id", id.as_str());
        w.text("object", "conversation.deleted");
        w.fixed("deleted", "true");
    });
    w.finish()
}

/// How long content may stay, as it is told.
#[must_use]
pub fn retention_object(keeps: bool, days: u32) -> ContentBytes {
    let mut w = Writer::new();
    w.object(|w| {
        w.text("object", "data_retention");
        w.text("mode", if keeps { "default" } else { "none" });
        w.number("days", u64::from(days));
    });
    w.finish()
}

/// What was erased, by kind.
#[must_use]
pub fn erased_object(counts: [(&str, usize); 3]) -> ContentBytes {
    let mut w = Writer::new();
    w.object(|w| {
        w.text("object", "content.erased");
        for (kind, count) in counts {
            w.number(kind, u64::try_from(count).unwrap_or(u64::MAX));
        }
    });
    w.finish()
}
