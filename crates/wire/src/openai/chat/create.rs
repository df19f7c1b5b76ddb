//! `POST /chat/completions`: what is asked.

use moho_terms::{Content, ModelId};

use crate::Failure;
use crate::openai::{OutputFormat, Sampling, Turn};

/// A parsed `POST /chat/completions`.
pub struct CreateChat {
    /// The model asked for.
    pub model: ModelId,
    /// The conversation.
    pub messages: Vec<Turn>,
    /// Whether to answer with chunks.
    pub stream: bool,
    /// Whether the stream ends with a chunk of token counts.
    pub include_usage: bool,
    /// Whether deltas are padded, so that their sizes tell less.
    pub obfuscate: bool,
    /// The most tokens to write.
    pub max_tokens: Option<u32>,
    /// Texts that end the answer, at most four.
    pub stop: Vec<Content>,
    /// Sampling.
    pub sampling: Sampling,
    /// The form of the answer.
    pub format: OutputFormat,
}

impl CreateChat {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Failure::Invalid`] naming the field.
    pub fn parse(body: &[u8]) -> Result<Self, Failure> {
        let _: &[u8] = body;
        todo!()
    }
}
