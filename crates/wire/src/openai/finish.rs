//! How an answer ended and what it cost.

/// Why an answer ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The model was done.
    Stop,
    /// One of the caller's stop texts was met.
    StopSequence,
    /// The token limit or the context was used up.
    Length,
}

/// Tokens used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Of these, taken from the prefix cache.
    pub cached_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
}
