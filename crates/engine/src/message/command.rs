//! What may be asked of the engine.

use std::fmt;

use moho_terms::{Content, ModelId};
use zeroize::Zeroizing;

/// Everything that may be asked of the engine.
///
/// No `Debug`: it holds a tenant's words.
pub enum EngineCommand {
    /// Begins a sequence.
    Start(Box<StartSequence>),
    /// Lets a sequence produce `tokens` more tokens. A sequence without credit keeps its place and waits; that is how
    /// a slow reader slows its own sequence and no other; if others take its place meanwhile, it goes on once it has
    /// 16 credits, or half of what it began with. Ignored for a sequence that has ended.
    Credit {
        /// Which sequence.
        sequence: SequenceId,
        /// How many tokens more.
        tokens: u32,
    },
    /// Ends a sequence now, with [`FinishReason::Cancelled`](super::FinishReason::Cancelled). Ignored for a sequence that has ended.
    Cancel(SequenceId),
    /// Ends every sequence with [`Failure::EngineStopped`](super::Failure::EngineStopped), and the engine.
    Shutdown,
}

/// Names one sequence for as long as it lives; chosen by the caller, who may use a number again after its terminal event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceId(pub u64);

impl fmt::Display for SequenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sequence {}", self.0)
    }
}

/// One request for text.
pub struct StartSequence {
    /// The name under which events come back.
    pub sequence: SequenceId,
    /// Which of the loaded models.
    pub model: ModelId,
    /// What it shall continue.
    pub prompt: Prompt,
    /// How the next token is chosen.
    pub sampling: Sampling,
    /// At most so many tokens; without it, as many as the context holds.
    pub max_tokens: Option<u32>,
    /// Texts that end the output and are not part of it: at most 16, each of 1 to 1024 bytes.
    pub stop: Vec<Content>,
    /// What the output must look like.
    pub output: OutputFormat,
    /// Tokens that may be produced before the first [`EngineCommand::Credit`].
    pub credit: u32,
    /// Whose it is: salt for everything cached, as sequences of different isolation share nothing that can be timed. At
    /// most half of those that wait may be of one isolation.
    pub isolation: u64,
}

/// What the model shall continue.
pub enum Prompt {
    /// A conversation, put through the model's own chat template. The words of a turn are always plain text: a turn
    /// that spells a control token does not become one.
    Chat(Vec<ChatTurn>),
    /// Text as it is, likewise without control tokens.
    Text(Content),
    /// Token ids as they are.
    Tokens(Zeroizing<Vec<u32>>),
}

/// One turn of a conversation.
pub struct ChatTurn {
    /// The role's name in the model's template: `system`, `user`, `assistant`, `tool`.
    pub role: &'static str,
    /// The words.
    pub text: Content,
}

/// How the next token is chosen. Can only hold numbers that make sense.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    temperature: f32,
    top_p: f32,
    top_k: u32,
    seed: Option<u64>,
}

/// Numbers that are no [`Sampling`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SamplingError(&'static str);

impl Sampling {
    /// Always the likeliest token.
    pub const GREEDY: Self = Self {
        temperature: 0.0,
        top_p: 1.0,
        top_k: 0,
        seed: None,
    };

    /// `temperature` 0 is greedy; `top_p` 1 and `top_k` 0 are off; without a `seed` the engine draws one.
    ///
    /// # Errors
    /// [`SamplingError`] unless `temperature` is in 0 to 100 and `top_p` in 0 to 1.
    pub fn new(temperature: f32, top_p: f32, top_k: u32, seed: Option<u64>) -> Result<Self, SamplingError> {
        if !(0.0..=100.0).contains(&temperature) {
            return Err(SamplingError("the temperature is a number from 0 to 100"));
        }
        if !(0.0..=1.0).contains(&top_p) {
            return Err(SamplingError("top_p is a number from 0 to 1"));
        }
        Ok(Self {
            temperature,
            top_p,
            top_k,
            seed,
        })
    }

    /// Divides the logits; 0 is greedy.
    #[must_use]
    pub fn temperature(&self) -> f32 {
        self.temperature
    }

    /// The likeliest tokens of at least this share together are kept.
    #[must_use]
    pub fn top_p(&self) -> f32 {
        self.top_p
    }

    /// So many of the likeliest tokens are kept; 0 keeps all.
    #[must_use]
    pub fn top_k(&self) -> u32 {
        self.top_k
    }

    /// The same seed, prompt and model give the same tokens.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }
}

/// What the output must look like.
pub enum OutputFormat {
    /// Anything.
    Text,
    /// One JSON object.
    JsonObject,
    /// JSON that fits this JSON Schema.
    JsonSchema(Content),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampling_numbers_out_of_range_are_refused() {
        for (temperature, top_p) in [
            (f32::NAN, 1.0),
            (-0.1, 1.0),
            (f32::INFINITY, 1.0),
            (1.0, f32::NAN),
            (1.0, 1.1),
            (1.0, -0.5),
        ] {
            assert!(
                Sampling::new(temperature, top_p, 0, None).is_err(),
                "{temperature} {top_p}"
            );
        }
        assert!(Sampling::new(0.7, 0.9, 40, Some(1)).is_ok());
    }
}
