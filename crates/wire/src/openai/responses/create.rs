//! `POST /responses`: what is asked.

use moho_terms::{Content, ModelId, ResponseId};

use super::Echo;
use crate::Failure;
use crate::openai::{OutputFormat, Sampling, Turn};

/// What to do with a conversation that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncation {
    /// Refuse it.
    Disabled,
    /// Drop the oldest turns.
    Auto,
}

/// A parsed `POST /responses`.
pub struct CreateResponse {
    /// The model asked for.
    pub model: ModelId,
    /// The system's words for this request only; they are not inherited by follow-ups.
    pub instructions: Option<Content>,
    /// The new turns.
    pub input: Vec<Turn>,
    /// The response this one continues: its context goes before `input`.
    pub previous_response_id: Option<ResponseId>,
    /// Whether to answer with events.
    pub stream: bool,
    /// Whether deltas are padded, so that their sizes tell less.
    pub obfuscate: bool,
    /// Whether the response is kept (sealed); true unless the caller says no.
    pub store: bool,
    /// The most tokens to write.
    pub max_output_tokens: Option<u32>,
    /// Sampling.
    pub sampling: Sampling,
    /// The form of the answer.
    pub format: OutputFormat,
    /// What to do if it does not fit.
    pub truncation: Truncation,
    /// The settings as the response object repeats them.
    pub echo: Echo,
}

impl CreateResponse {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Failure::Invalid`] naming the field.
    pub fn parse(body: &[u8]) -> Result<Self, Failure> {
        let _: &[u8] = body;
        todo!()
    }
}
