//! The response object: the 31 required keys and more.

use moho_terms::{Content, ContentBytes, ResponseId, Timestamp};

use crate::Failure;
use crate::openai::{Ending, Usage};

/// The settings of a request as its response object repeats them.
pub struct Echo {}

/// An answer that is being written.
pub struct ResponseDraft {}

impl ResponseDraft {
    /// An answer without a word yet.
    #[must_use]
    pub fn new(id: ResponseId, created_at: Timestamp, echo: Echo) -> Self {
        let _: (ResponseId, Timestamp, Echo) = (id, created_at, echo);
        todo!()
    }

    /// The next piece of text.
    pub fn push(&mut self, text: &Content) {
        let _: &Content = text;
        todo!()
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> &Content {
        todo!()
    }

    /// The whole response object, as the reply to a request that does not stream and as what is stored.
    #[must_use]
    pub fn complete(self, ending: Ending, usage: Usage, at: Timestamp) -> ContentBytes {
        let _: (Ending, Usage, Timestamp) = (ending, usage, at);
        todo!()
    }

    /// The response object of an answer that failed.
    #[must_use]
    pub fn fail(self, failure: &Failure) -> ContentBytes {
        let _: &Failure = failure;
        todo!()
    }
}
