//! What is kept of a response: the object as it was sent, and the turns a follow-up needs.

use moho_terms::{Content, ContentBytes};

use super::ListInputItems;
use crate::Failure;
use crate::openai::Turn;

/// A stored document that cannot be read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored response cannot be read")]
pub struct StoredResponseUnreadable;

/// A stored response. Its bytes are sealed by `store`, never written as they are.
pub struct StoredResponse {}

impl StoredResponse {
    /// Puts a finished response together: `earlier` is the context it continued, `input` its own turns, `output` the
    /// answer's text, `object` the response object as sent.
    #[must_use]
    pub fn new(earlier: Vec<Turn>, input: Vec<Turn>, output: Content, object: ContentBytes) -> Self {
        let _: (Vec<Turn>, Vec<Turn>, Content, ContentBytes) = (earlier, input, output, object);
        todo!()
    }

    /// The document to seal.
    #[must_use]
    pub fn encode(&self) -> ContentBytes {
        todo!()
    }

    /// Reads a document back.
    ///
    /// # Errors
    /// [`StoredResponseUnreadable`] if it is not one.
    pub fn decode(document: &[u8]) -> Result<Self, StoredResponseUnreadable> {
        let _: &[u8] = document;
        todo!()
    }

    /// The response object, exactly as it was sent: the reply to `GET /responses/{id}`.
    #[must_use]
    pub fn into_object(self) -> ContentBytes {
        todo!()
    }

    /// Earlier turns, own input and output: what goes before a follow-up's input.
    #[must_use]
    pub fn into_context(self) -> Vec<Turn> {
        todo!()
    }

    /// The reply to `GET /responses/{id}/input_items`.
    ///
    /// # Errors
    /// [`Failure::Invalid`] if `after` names no item.
    pub fn input_items(&self, page: &ListInputItems) -> Result<ContentBytes, Failure> {
        let _: &ListInputItems = page;
        todo!()
    }
}
