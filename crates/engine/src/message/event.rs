//! What the engine answers.

use moho_terms::{Content, ContentBytes};

use super::{ModelLoad, SequenceId};

/// Something that happened to a sequence.
///
/// No `Debug`: it holds a tenant's words.
pub struct EngineEvent {
    /// Which sequence.
    pub sequence: SequenceId,
    /// What happened to it.
    pub kind: EventKind,
}

/// What happened to a sequence.
pub enum EventKind {
    /// The prompt is accepted and waits for its turn or runs.
    Admitted {
        /// Length of the prompt.
        prompt_tokens: u32,
        /// How much of it was found in the prefix cache.
        cached_tokens: u32,
    },
    /// It begins to run. Told once, before its first step; what is computed again after a preemption is not told.
    Scheduled,
    /// More of the output: complete UTF-8, perhaps empty when the tokens so far end inside a character or in what may
    /// become a stop text.
    Text {
        /// The words.
        text: Content,
        /// Credit this took: none if only what was held back leaves, as no more credit comes.
        tokens: u32,
        /// If they were asked for, the log-probabilities of those tokens whose text is now out: of each token once, in order.
        /// Tokens that a stop text cuts off, even in part, and tokens without text give none.
        logprobs: Vec<TokenLogprob>,
    },
    /// The end, and the answer to [`EngineCommand::Count`](super::EngineCommand::Count).
    Counted {
        /// Length of the prompt.
        tokens: u32,
    },
    /// The end, and the answer to [`EngineCommand::Measure`](super::EngineCommand::Measure): all models, in the order in
    /// which they were loaded.
    Measured(Vec<ModelLoad>),
    /// The end, as it should be.
    Finished {
        /// Why it ended.
        reason: FinishReason,
        /// What it took.
        usage: Usage,
    },
    /// The end: the request could not be taken, and why is the caller's to mend or to retry.
    Refused(Refusal),
    /// The end: the engine failed.
    Failed(Failure),
}

impl EventKind {
    /// Whether this is the sequence's last event.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Admitted { .. } | Self::Scheduled | Self::Text { .. } => false,
            Self::Counted { .. }
            | Self::Measured(_)
            | Self::Finished { .. }
            | Self::Refused(_)
            | Self::Failed(_) => true,
        }
    }
}

/// How likely a token was, by the model's own distribution: before temperature, bias, penalties and output format.
///
/// No `Debug`: it holds a tenant's words.
pub struct TokenLogprob {
    /// What the token stands for: not always whole characters.
    pub bytes: ContentBytes,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// The likeliest tokens in its place, the likeliest first, with their log-probabilities. A control token, which stands
    /// for no text, has its name here.
    pub top: Vec<(ContentBytes, f32)>,
}

/// Why a sequence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model said that it was done.
    Stop,
    /// One of the request's stop texts appeared.
    StopSequence,
    /// The limit on tokens, the last credit or the end of the context was reached.
    Length,
    /// [`EngineCommand::Cancel`](super::EngineCommand::Cancel).
    Cancelled,
}

/// What a sequence took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Length of the prompt.
    pub prompt_tokens: u32,
    /// How much of the prompt was found in the prefix cache.
    pub cached_tokens: u32,
    /// Tokens produced, the ending one included.
    pub completion_tokens: u32,
}

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such model is loaded.
    #[error("no such model is loaded")]
    UnknownModel,
    /// The prompt leaves no room for output.
    #[error("the prompt has {prompt_tokens} tokens or more, and the model's context holds {limit}")]
    ContextOverflow {
        /// Length of the prompt, or of as much of it as was cut into tokens before it was too long.
        prompt_tokens: u32,
        /// Length of the context.
        limit: u32,
    },
    /// Too many sequences wait already, or too many of the same isolation.
    #[error("too many requests are waiting")]
    Overloaded,
    /// More sequences [`Together`](super::Together) than there is ever room for.
    #[error("one request has at most {most} choices here")]
    TooManyTogether {
        /// The most that one request may have.
        most: u32,
    },
    /// The JSON Schema cannot be enforced.
    #[error("the JSON schema cannot be enforced: {0}")]
    InvalidSchema(String),
    /// The prompt cannot be turned into tokens.
    #[error("{0}")]
    InvalidPrompt(PromptFault),
    /// More stop texts than 16, or one that is empty or longer than 1024 bytes.
    #[error("a request has at most 16 stop texts of 1 to 1024 bytes")]
    InvalidStop,
    /// Biases for more than 1024 tokens, for a token that the model does not have or twice, or out of range.
    #[error(
        "the logit bias names at most 1024 tokens of the model, each once, with numbers from -100 to 100"
    )]
    InvalidBias,
    /// More log-probabilities for each token than 20.
    #[error("a request has at most 20 log-probabilities for each token")]
    InvalidLogprobs,
    /// A sequence of this name still lives; it goes on undisturbed.
    #[error("a sequence of this name is still running")]
    DuplicateSequence,
}

/// What is wrong with a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PromptFault {
    /// Nothing to continue.
    #[error("the prompt is empty")]
    Empty,
    /// More bytes than any context could hold.
    #[error("the prompt is too long")]
    TooLong,
    /// A token id that the model does not have.
    #[error("the prompt holds a token id that the model does not have")]
    UnknownToken,
    /// The tokenizer cannot cut it.
    #[error("the prompt cannot be cut into tokens")]
    Unreadable,
    /// The model has no chat template.
    #[error("the model takes no conversations, as it has no chat template")]
    NoTemplate,
    /// The model's template refuses this order of roles, or fails.
    #[error("the model's chat template refuses this conversation")]
    Template,
}

/// How the engine failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The engine is shutting down, or has failed for good.
    #[error("the engine has stopped")]
    EngineStopped,
    /// The model's computation failed or gave no usable numbers.
    #[error("the model's computation failed")]
    Computation,
    /// The output format could not be held any longer.
    #[error("the output format could not be enforced")]
    Grammar,
    /// No random seed could be had.
    #[error("the system gave no random bytes")]
    Entropy,
}
