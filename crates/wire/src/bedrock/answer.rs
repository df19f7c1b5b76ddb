//! What the replies of all runtime operations share.

use std::time::Duration;

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
    pub(crate) service_tier: bool,
    /// Whether `performanceConfig` was given, whose only served latency is `standard`.
    pub(crate) performance: bool,
    /// JSON pointers into the model's own response that Converse returns beside the message.
    pub(crate) paths: Vec<String>,
}
