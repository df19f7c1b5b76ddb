//! A chat completion, whole or in chunks.

use moho_terms::{Content, ContentBytes, Entropy, EntropyUnavailable, ModelId, RequestId, Timestamp};

use crate::Failure;
use crate::openai::{Ending, Usage};

/// A completion that is being written, to be sent whole.
pub struct ChatDraft {}

impl ChatDraft {
    /// A completion without a word yet; its id comes from the request's.
    #[must_use]
    pub fn new(request: &RequestId, model: &ModelId, created: Timestamp) -> Self {
        let _: (&RequestId, &ModelId, Timestamp) = (request, model, created);
        todo!()
    }

    /// The next piece of text.
    pub fn push(&mut self, text: &Content) {
        let _: &Content = text;
        todo!()
    }

    /// The whole `chat.completion` object.
    #[must_use]
    pub fn complete(self, ending: Ending, usage: Usage) -> ContentBytes {
        let _: (Ending, Usage) = (ending, usage);
        todo!()
    }
}

/// A completion sent in chunks. Each method returns the frames to send next.
pub struct ChatStream {}

impl ChatStream {
    /// A stream for `draft`.
    #[must_use]
    pub fn new(draft: ChatDraft, include_usage: bool, obfuscate: bool) -> Self {
        let _: (ChatDraft, bool, bool) = (draft, include_usage, obfuscate);
        todo!()
    }

    /// The first chunk, which has the role.
    #[must_use]
    pub fn open(&mut self) -> ContentBytes {
        todo!()
    }

    /// A chunk of text.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: there is nothing to pad with.
    pub fn delta(
        &mut self,
        text: &Content,
        entropy: &dyn Entropy,
    ) -> Result<ContentBytes, EntropyUnavailable> {
        let _: (&Content, &dyn Entropy) = (text, entropy);
        todo!()
    }

    /// The last chunks and `[DONE]`.
    #[must_use]
    pub fn complete(self, ending: Ending, usage: Usage) -> ContentBytes {
        let _: (Ending, Usage) = (ending, usage);
        todo!()
    }

    /// A frame with the error; no `[DONE]`.
    #[must_use]
    pub fn fail(self, failure: &Failure) -> ContentBytes {
        let _: &Failure = failure;
        todo!()
    }
}
