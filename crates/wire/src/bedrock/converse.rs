//! `Converse` and `ConverseStream`: what is asked, the answer whole, and the answer in events.

use moho_terms::{Content, ContentBytes, Entropy};

use super::{Latency, ModelIdentifier, ReplyTerms};
use crate::openai::{Ending, OutputFormat, Sampling, Turn, Usage};
use crate::{Failure, Reply};

/// A parsed `Converse` or `ConverseStream`.
pub struct Converse {
    /// The model asked for.
    pub model: ModelIdentifier,
    /// System blocks first, then the messages.
    pub turns: Vec<Turn>,
    /// Sampling.
    pub sampling: Sampling,
    /// The most tokens to write.
    pub max_tokens: Option<u32>,
    /// Texts that end the answer.
    pub stop: Vec<Content>,
    /// The form of the answer.
    pub format: OutputFormat,
    /// What the reply repeats.
    pub terms: ReplyTerms,
}

/// An answer that is being written, to be sent whole.
pub struct ConverseDraft {
    terms: ReplyTerms,
    text: Content,
}

impl ConverseDraft {
    /// An answer without a word yet.
    #[must_use]
    pub fn new(terms: ReplyTerms) -> Self {
        Self {
            terms,
            text: Content::new(String::new()),
        }
    }

    /// The next piece of text.
    pub fn push(&mut self, text: &Content) {
        self.text.push(text);
    }

    /// The whole reply.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it does not fit the service model.
    pub fn complete(self, ending: Ending, usage: Usage, latency: Latency) -> Result<Reply, Failure> {
        drop((self.terms, self.text, ending, usage, latency));
        Err(Failure::Internal)
    }
}

/// An answer that is being streamed. Each method returns the frames to send next.
pub struct ConverseStream {
    terms: ReplyTerms,
}

impl ConverseStream {
    /// A stream that has not begun.
    #[must_use]
    pub fn new(terms: ReplyTerms) -> Self {
        Self { terms }
    }

    /// Status, content type and headers of the reply; its body is empty, as the frames are yet to come.
    #[must_use]
    pub fn head(&self) -> Reply {
        super::invoke::stream_head(Vec::new())
    }

    /// `messageStart`: once the engine has admitted the request.
    ///
    /// # Errors
    /// [`Failure::Internal`]: it cannot be framed.
    pub fn open(&mut self) -> Result<ContentBytes, Failure> {
        Err(Failure::Internal)
    }

    /// `contentBlockDelta`, padded so that its size tells less.
    ///
    /// # Errors
    /// [`Failure::Unavailable`]: there is nothing to pad with.
    pub fn delta(&mut self, text: &Content, entropy: &dyn Entropy) -> Result<ContentBytes, Failure> {
        let _unused = (text, entropy);
        Err(Failure::Internal)
    }

    /// `contentBlockStop`, `messageStop`, `metadata`.
    ///
    /// # Errors
    /// [`Failure::Internal`]: they cannot be framed.
    pub fn complete(self, ending: Ending, usage: Usage, latency: Latency) -> Result<ContentBytes, Failure> {
        drop((self.terms, ending, usage, latency));
        Err(Failure::Internal)
    }

    /// An exception, as the last frame.
    #[must_use]
    pub fn fail(self, failure: &Failure) -> ContentBytes {
        let _unused = failure;
        ContentBytes::new(Vec::new())
    }
}
