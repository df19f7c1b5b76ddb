//! What may be asked of the engine.

use std::fmt;

use moho_terms::{Content, ModelId};
use zeroize::Zeroizing;

use super::Sampling;

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
    /// No more credit will come: the sequence ends with [`FinishReason::Length`](super::FinishReason::Length) once it has
    /// used what it has, at once if it has none. Ignored for a sequence that has ended or was not admitted yet.
    LastCredit(SequenceId),
    /// Ends a sequence now, with [`FinishReason::Cancelled`](super::FinishReason::Cancelled). Ignored for a sequence that has ended.
    Cancel(SequenceId),
    /// Asks how many tokens a prompt has, without continuing it: answered by one
    /// [`EventKind::Counted`](super::EventKind::Counted), or a refusal as it would meet a sequence of this prompt.
    /// [`EngineCommand::Cancel`] ends it too.
    Count {
        /// The name under which the answer comes back; no living sequence's.
        ticket: SequenceId,
        /// Which of the loaded models.
        model: ModelId,
        /// What is counted: the number is the later [`Usage::prompt_tokens`](super::Usage::prompt_tokens).
        prompt: Prompt,
        /// Whose it is, as in [`StartSequence::isolation`]: prompts that are counted wait in the same queue.
        isolation: u64,
    },
    /// Asks how much there is to do: answered at once by one [`EventKind::Measured`](super::EventKind::Measured). The name
    /// under which the answer comes back is no living sequence's.
    Measure(SequenceId),
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
    /// Tokens whose logits are raised or lowered by so much, from -100 to 100: at most 1024, each once.
    pub bias: Vec<(u32, f32)>,
    /// Whether log-probabilities are told, and if so, of how many of the likeliest tokens besides the chosen one: at most 20.
    pub logprobs: Option<u8>,
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
    /// Which others of the same request it comes with.
    pub together: Together,
}

/// Several sequences that are only of use together, sent one after the other. The default is a sequence that comes alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Together {
    /// Whether it is one that an earlier one announced with `to_come`.
    pub follows: bool,
    /// How many more of the same isolation follow once this one is admitted. Room is asked for all of them now, and kept
    /// for them as long as this sequence lives.
    pub to_come: u32,
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

/// What the output must look like.
pub enum OutputFormat {
    /// Anything.
    Text,
    /// One JSON object.
    JsonObject,
    /// JSON that fits this JSON Schema.
    JsonSchema(Content),
}
