//! What is kept of a response: the object as it was sent, and the turns a follow-up needs.
//!
//! A follow-up's context is whole in its own document: one look-up opens a conversation, however long it is, and a
//! response that was deleted does not break those that came after it.

use moho_terms::{Content, ContentBytes};

use super::ListInputItems;
use super::object::message_id;
use crate::Failure;
use crate::json::{self, Json, Writer};
use crate::openai::fields::invalid;
use crate::openai::{Role, Turn};

/// A stored document that cannot be read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored response cannot be read")]
pub struct StoredResponseUnreadable;

/// A stored response. Its bytes are sealed by `store`, never written as they are.
pub struct StoredResponse {
    /// Earlier turns and the own input, then the output.
    context: Vec<Turn>,
    /// The object as sent.
    object: ContentBytes,
}

impl StoredResponse {
    /// Puts a finished response together: `earlier` is the context it continued, `input` its own turns, `output` the
    /// answer's text, `object` the response object as sent.
    #[must_use]
    pub fn new(earlier: Vec<Turn>, input: Vec<Turn>, output: Content, object: ContentBytes) -> Self {
        let mut context = earlier;
        context.extend(input);
        context.push(Turn::of(Role::Assistant, output));
        Self { context, object }
    }

    /// The document to seal.
    #[must_use]
    pub fn encode(&self) -> ContentBytes {
        let mut w = Writer::new();
        w.object(|w| {
            w.number("version", 1);
            // The object as text within text: what GET returns is byte for byte what was sent.
            w.text(
                "object",
                std::str::from_utf8(self.object.expose()).unwrap_or_default(),
            );
            w.key("context").array(|w| {
                for turn in &self.context {
                    w.object(|w| {
                        w.text("role", turn.role.as_str());
                        w.key("parts")
                            .array(|w| turn.parts.iter().for_each(|part| w.string(part.expose())));
                    });
                }
            });
        });
        w.finish()
    }

    /// Reads a document back.
    ///
    /// # Errors
    /// [`StoredResponseUnreadable`] if it is not one.
    pub fn decode(document: &[u8]) -> Result<Self, StoredResponseUnreadable> {
        let json = json::parse(document).map_err(|_unsuitable| StoredResponseUnreadable)?;
        Self::of(&json).ok_or(StoredResponseUnreadable)
    }

    fn of(json: &Json) -> Option<Self> {
        if !matches!(json.get("version")?, Json::Number(version) if &**version == "1") {
            return None;
        }
        let Json::String(object) = json.get("object")? else {
            return None;
        };
        let Json::Array(turns) = json.get("context")? else {
            return None;
        };
        let context = turns.iter().map(read_turn).collect::<Option<Vec<_>>>()?;
        context.last().filter(|turn| turn.role == Role::Assistant)?;
        Some(Self {
            context,
            object: ContentBytes::new(object.expose().as_bytes().to_vec()),
        })
    }

    /// The response object, exactly as it was sent: the reply to `GET /responses/{id}`.
    #[must_use]
    pub fn into_object(self) -> ContentBytes {
        self.object
    }

    /// The same, to look at.
    #[must_use]
    pub fn object(&self) -> &ContentBytes {
        &self.object
    }

    /// Earlier turns, own input and output: what goes before a follow-up's input.
    #[must_use]
    pub fn into_context(self) -> Vec<Turn> {
        self.context
    }

    /// The reply to `GET /responses/{id}/input_items`: everything the answer was made from but `instructions`.
    ///
    /// # Errors
    /// [`Failure::Invalid`] if `after` names no item.
    pub fn input_items(&self, page: &ListInputItems) -> Result<ContentBytes, Failure> {
        let (_, input) = self.context.split_last().ok_or(Failure::Internal)?;
        let mut items: Vec<(String, &Turn)> = input
            .iter()
            .enumerate()
            .map(|(index, turn)| (message_id(&page.id, index + 1), turn))
            .collect();
        if !page.ascending {
            items.reverse();
        }
        let start = match &page.after {
            None => 0,
            Some(after) => {
                1 + items.iter().position(|(id, _)| id == after).ok_or_else(|| {
                    invalid(
                        "Invalid 'after': no such item in this response.".to_owned(),
                        "after",
                        "invalid_value",
                    )
                })?
            }
        };
        let rest = items.get(start..).unwrap_or_default();
        let shown = rest.get(..page.limit).unwrap_or(rest);
        let mut w = Writer::new();
        w.object(|w| {
            w.text("object", "list");
            w.key("data").array(|w| {
                shown
                    .iter()
                    .for_each(|(id, turn)| write_item(w, (id, "completed"), turn))
            });
            // OpenAI's own type has plain strings here, also for an empty page.
            w.text("first_id", shown.first().map_or("", |(id, _)| id));
            w.text("last_id", shown.last().map_or("", |(id, _)| id));
            w.fixed(
                "has_more",
                if shown.len() < rest.len() { "true" } else { "false" },
            );
        });
        Ok(w.finish())
    }
}

pub(crate) fn read_turn(json: &Json) -> Option<Turn> {
    let Json::String(role) = json.get("role")? else {
        return None;
    };
    let Json::Array(parts) = json.get("parts")? else {
        return None;
    };
    let part = |part: &Json| match part {
        Json::String(text) => Some(Content::new(text.expose().to_owned())),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => None,
    };
    Some(Turn {
        role: Role::from_name(role.expose())?,
        parts: parts.iter().map(part).collect::<Option<_>>()?,
    })
}

pub(crate) fn write_item(w: &mut Writer, (id, status): (&str, &str), turn: &Turn) {
    w.object(|w| {
        w.text("id", id);
        w.text("type", "message");
        w.text("status", status);
        w.text("role", turn.role.as_str());
        w.key("content").array(|w| {
            for part in &turn.parts {
                w.object(|w| {
                    if turn.role == Role::Assistant {
                        w.text("type", "output_text");
                        w.text("text", part.expose());
                        w.fixed("annotations", "[]");
                        w.fixed("logprobs", "[]");
                    } else {
                        w.text("type", "input_text");
                        w.text("text", part.expose());
                    }
                });
            }
        });
    });
}
