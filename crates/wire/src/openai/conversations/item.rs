//! Items: as they are kept, and as they are told.

use moho_terms::{Content, ContentBytes, ItemId};

use crate::json::{self, Json, Writer};
use crate::openai::responses::{read_turn, write_item};
use crate::openai::{Role, Turn};

/// A stored item that cannot be read back, or that is not the one it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored item cannot be read")]
pub struct ItemUnreadable;

/// A message of a conversation.
pub struct ConversationItem {
    /// Its id.
    pub id: ItemId,
    /// Whether it was written to its end.
    pub complete: bool,
    /// Who said what.
    pub turn: Turn,
}

impl ConversationItem {
    /// The document to seal: with its id and its place, so that no other can stand for it.
    #[must_use]
    pub fn encode(&self, position: u64) -> ContentBytes {
        let mut w = Writer::new();
        w.object(|w| {
            w.number("version", 1);
            w.text("id", self.id.as_str());
            w.number("position", position);
            w.fixed("complete", if self.complete { "true" } else { "false" });
            w.text("role", self.turn.role.as_str());
            w.key("parts")
                .array(|w| self.turn.parts.iter().for_each(|part| w.string(part.expose())));
        });
        w.finish()
    }

    /// Reads a document back, which was found under this id at this place.
    ///
    /// # Errors
    /// [`ItemUnreadable`] if it is not the one that was put there.
    pub fn decode(document: &ContentBytes, id: ItemId, position: u64) -> Result<Self, ItemUnreadable> {
        let json = json::parse(document.expose()).map_err(|_unsuitable| ItemUnreadable)?;
        let number = |name: &str, expected: u64| matches!(json.get(name), Some(Json::Number(text)) if **text == *expected.to_string());
        let own = matches!(json.get("id"), Some(Json::String(text)) if text.expose() == id.as_str());
        if !own || !number("version", 1) || !number("position", position) {
            return Err(ItemUnreadable);
        }
        Ok(Self {
            id,
            complete: matches!(json.get("complete"), Some(Json::Bool(true))),
            turn: read_turn(&json).ok_or(ItemUnreadable)?,
        })
    }

    fn write(&self, w: &mut Writer) {
        let status = if self.complete { "completed" } else { "incomplete" };
        write_item(w, (self.id.as_str(), status), &self.turn);
    }
}

/// An item as it is told.
#[must_use]
pub fn item_object(item: &ConversationItem) -> ContentBytes {
    let mut w = Writer::new();
    item.write(&mut w);
    w.finish()
}

/// A page of items as it is told.
#[must_use]
pub fn item_list(items: &[ConversationItem], has_more: bool) -> ContentBytes {
    let mut w = Writer::new();
    w.object(|w| {
        w.text("object", "list");
        w.key("data")
            .array(|w| items.iter().for_each(|item| item.write(w)));
        w.text("first_id", items.first().map_or("", |item| item.id.as_str()));
        w.text("last_id", items.last().map_or("", |item| item.id.as_str()));
        w.fixed("has_more", if has_more { "true" } else { "false" });
    });
    w.finish()
}

/// Why an export does not have what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// The caller may not read it.
    Denied,
    /// Nobody can read it now: it is damaged, or what it takes is away.
    Unreadable,
}

/// One line of an export: an object, with its kind, its id, and what it is or has; a line break at its end.
#[must_use]
pub fn contents(
    (kind, id): (&str, &str),
    object: Result<&ContentBytes, Withheld>,
    items: &[ConversationItem],
) -> ContentBytes {
    let mut w = Writer::new();
    w.object(|w| {
        w.text("kind", kind);
        w.text("id", id);
        match object {
            Ok(object) => w.key("content").raw(object.expose()),
            // There is something, which the caller may not read.
            Err(Withheld::Denied) => w.fixed("content", "null"),
            Err(Withheld::Unreadable) => {
                w.fixed("content", "null");
                w.fixed("error", "\"unreadable\"");
            }
        }
        if !items.is_empty() {
            w.key("items")
                .array(|w| items.iter().for_each(|item| item.write(w)));
        }
    });
    w.put(b"\n");
    w.finish()
}

impl ConversationItem {
    /// What a model said at the end of a response.
    #[must_use]
    pub fn said(id: ItemId, text: Content, complete: bool) -> Self {
        Self {
            id,
            complete,
            turn: Turn::of(Role::Assistant, text),
        }
    }
}
