//! The Responses API's event stream, in the one order clients rely on.

use moho_terms::{Content, ContentBytes, Entropy, EntropyUnavailable, Timestamp};

use super::ResponseDraft;
use crate::Failure;
use crate::openai::{Ending, Usage};

/// A response that is being streamed. Each method returns the frames to send next.
pub struct ResponseStream {}

impl ResponseStream {
    /// A stream for `draft`; with `obfuscate`, deltas are padded.
    #[must_use]
    pub fn new(draft: ResponseDraft, obfuscate: bool) -> Self {
        let _: (ResponseDraft, bool) = (draft, obfuscate);
        todo!()
    }

    /// `response.created`, `response.in_progress`: once the engine has admitted the request.
    #[must_use]
    pub fn open(&mut self) -> ContentBytes {
        todo!()
    }

    /// `response.output_text.delta`, and before the first one the item and its part.
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

    /// The answer is whole. Store [`CompletedStream::object`] first, then send [`CompletedStream::into_frames`].
    #[must_use]
    pub fn complete(self, ending: Ending, usage: Usage, at: Timestamp) -> CompletedStream {
        let _: (Ending, Usage, Timestamp) = (ending, usage, at);
        todo!()
    }

    /// `error`, then `response.failed`; no `[DONE]`.
    #[must_use]
    pub fn fail(self, failure: &Failure) -> ContentBytes {
        let _: &Failure = failure;
        todo!()
    }
}

/// A finished stream whose last frames are not sent yet.
pub struct CompletedStream {}

impl CompletedStream {
    /// The response object, to be stored before the client is told.
    #[must_use]
    pub fn object(&self) -> &ContentBytes {
        todo!()
    }

    /// The closing events up to `response.completed` or `response.incomplete`, and `[DONE]`.
    #[must_use]
    pub fn into_frames(self) -> ContentBytes {
        todo!()
    }

    /// It could not be stored: `error`, then `response.failed` instead.
    #[must_use]
    pub fn into_failure(self, failure: &Failure) -> ContentBytes {
        let _: &Failure = failure;
        todo!()
    }
}
