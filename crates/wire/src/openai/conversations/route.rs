//! Which of the operations on conversations, and on all content, a method and a path name.

use moho_terms::{ConversationId, ItemId};

use super::{conversation_not_found, item_not_found};
use crate::Failure;

/// An operation by its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConversationRoute {
    /// `POST /conversations`
    Create,
    /// `GET /conversations/{id}`
    Get(ConversationId),
    /// `POST /conversations/{id}`
    Update(ConversationId),
    /// `DELETE /conversations/{id}`
    Delete(ConversationId),
    /// `POST /conversations/{id}/items`
    CreateItems(ConversationId),
    /// `GET /conversations/{id}/items`
    ListItems(ConversationId),
    /// `GET /conversations/{id}/items/{item}`
    GetItem(ConversationId, ItemId),
    /// `DELETE /conversations/{id}/items/{item}`
    DeleteItem(ConversationId, ItemId),
    /// `GET /content`: all that is kept
    Export,
    /// `DELETE /content`
    Erase,
    /// `GET /data_retention`
    GetRetention,
    /// `POST /data_retention`
    PutRetention,
}

impl ConversationRoute {
    /// The operation of a method and the decoded labels of a path; `None` if the path is none of these.
    ///
    /// # Errors
    /// That there is no such thing, or no such method.
    pub(crate) fn find(method: &str, labels: &[&str]) -> Result<Option<Self>, Failure> {
        let conversation = |id: &str| id.parse().map_err(|_no_id| conversation_not_found(None));
        let item = |id: &str| id.parse().map_err(|_no_id| item_not_found(None));
        let found = match (labels, method) {
            (["conversations"], "POST") => Self::Create,
            (["conversations"], _) => return Err(Failure::MethodNotAllowed("POST")),
            (["conversations", id], "GET") => Self::Get(conversation(id)?),
            (["conversations", id], "POST") => Self::Update(conversation(id)?),
            (["conversations", id], "DELETE") => Self::Delete(conversation(id)?),
            (["conversations", _], _) => return Err(Failure::MethodNotAllowed("GET, POST, DELETE")),
            (["conversations", id, "items"], "POST") => Self::CreateItems(conversation(id)?),
            (["conversations", id, "items"], "GET") => Self::ListItems(conversation(id)?),
            (["conversations", _, "items"], _) => return Err(Failure::MethodNotAllowed("GET, POST")),
            (["conversations", id, "items", of], "GET") => Self::GetItem(conversation(id)?, item(of)?),
            (["conversations", id, "items", of], "DELETE") => Self::DeleteItem(conversation(id)?, item(of)?),
            (["conversations", _, "items", _], _) => return Err(Failure::MethodNotAllowed("GET, DELETE")),
            (["content"], "GET") => Self::Export,
            (["content"], "DELETE") => Self::Erase,
            (["content"], _) => return Err(Failure::MethodNotAllowed("GET, DELETE")),
            (["data_retention"], "GET") => Self::GetRetention,
            (["data_retention"], "POST") => Self::PutRetention,
            (["data_retention"], _) => return Err(Failure::MethodNotAllowed("GET, POST")),
            _ => return Ok(None),
        };
        Ok(Some(found))
    }

    /// Its path under `/v1` and under `/openai/v1`, with the names of its labels in braces.
    #[must_use]
    pub fn templates(&self) -> (&'static str, &'static str) {
        match self {
            Self::Create => ("/v1/conversations", "/openai/v1/conversations"),
            Self::Get(_) | Self::Update(_) | Self::Delete(_) => {
                ("/v1/conversations/{id}", "/openai/v1/conversations/{id}")
            }
            Self::CreateItems(_) | Self::ListItems(_) => (
                "/v1/conversations/{id}/items",
                "/openai/v1/conversations/{id}/items",
            ),
            Self::GetItem(..) | Self::DeleteItem(..) => (
                "/v1/conversations/{id}/items/{item}",
                "/openai/v1/conversations/{id}/items/{item}",
            ),
            Self::Export | Self::Erase => ("/v1/content", ""),
            Self::GetRetention | Self::PutRetention => ("/v1/data_retention", ""),
        }
    }

    /// Whether it is moho's own, which OpenAI does not have: under `/v1` only.
    pub(crate) fn is_own(&self) -> bool {
        matches!(
            self,
            Self::Export | Self::Erase | Self::GetRetention | Self::PutRetention
        )
    }

    /// Whether its body holds a tenant's words.
    pub(crate) fn takes_words(&self) -> bool {
        matches!(self, Self::Create | Self::Update(_) | Self::CreateItems(_))
    }
}
