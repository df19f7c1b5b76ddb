//! What the replies of all runtime operations share.

use std::time::Duration;

use crate::aws::document::Document;
use crate::openai::{Ending, Usage};

/// How long an answer took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// From the request to the end of the answer.
    pub total: Duration,
    /// From the request to the first text of a stream; `None` if there was none, or nothing was streamed.
    pub first: Option<Duration>,
}

/// What a reply repeats of its request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplyTerms {
    /// Whether the tier of service was given; only `default` is served.
    pub(super) service_tier: bool,
    /// Whether a latency was asked for; only `standard` is served.
    pub(super) performance: bool,
    /// Members of the model's own response that Converse returns beside the message.
    pub(super) fields: Vec<ResponseField>,
}

/// A member of the model's own response, which is Llama's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseField {
    /// `/stop_reason`
    StopReason,
    /// `/prompt_token_count`
    PromptTokens,
    /// `/generation_token_count`
    GenerationTokens,
}

impl ResponseField {
    pub(super) const ALL: [Self; 3] = [Self::StopReason, Self::PromptTokens, Self::GenerationTokens];

    /// Its name in Llama's response.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::StopReason => "stop_reason",
            Self::PromptTokens => "prompt_token_count",
            Self::GenerationTokens => "generation_token_count",
        }
    }
}

/// The tokens of an answer as Bedrock counts them: those read from the cache are none of the input's.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    pub(super) input: u64,
    pub(super) cached: u64,
    pub(super) output: u64,
    pub(super) total: u64,
}

impl Counted {
    pub(super) fn of(usage: Usage) -> Self {
        Self {
            input: usage.input_tokens.saturating_sub(usage.cached_tokens),
            cached: usage.cached_tokens,
            output: usage.output_tokens,
            total: usage.input_tokens.saturating_add(usage.output_tokens),
        }
    }
}

/// Whole milliseconds.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Llama's word for why an answer ended.
pub(super) fn llama_stop_reason(ending: Ending) -> &'static str {
    match ending {
        Ending::Stop | Ending::StopSequence => "stop",
        Ending::Length => "length",
    }
}

/// A structure of these members.
pub(super) fn structure<const N: usize>(members: [(&str, Document); N]) -> Document {
    Document::Structure(members.map(|(name, value)| (name.to_owned(), value)).into())
}

/// A constant word.
pub(super) fn word(word: &str) -> Document {
    Document::Text(word.to_owned())
}

/// A count.
pub(super) fn count(number: u64) -> Document {
    Document::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
