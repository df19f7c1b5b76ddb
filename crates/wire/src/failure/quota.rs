//! A quota that is used up, as OpenAI and AWS word it.

use std::time::Duration;

use moho_terms::ModelId;

/// Which quota stands in the way of a request, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaExceeded {
    /// The model that was asked for.
    pub model: ModelId,
    /// What is limited.
    pub of: QuotaOf,
    /// Within which time.
    pub per: QuotaPer,
    /// The most there may be.
    pub limit: u64,
    /// What is used, or set aside for requests in progress.
    pub used: u64,
    /// What the request would need, at most.
    pub requested: u64,
    /// When there may be room; `None` if so much never fits.
    pub retry_after: Option<Duration>,
}

/// What a quota limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaOf {
    /// Requests.
    Requests,
    /// Tokens of prompts.
    InputTokens,
    /// Tokens of answers.
    OutputTokens,
    /// Tokens of both.
    Tokens,
    /// Sequences that run, or wait to.
    Sequences,
}

/// Within which time a quota limits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaPer {
    /// Any sixty seconds.
    Minute,
    /// A day of UTC.
    Day,
    /// At the same time.
    Now,
}

impl QuotaExceeded {
    /// OpenAI's `type`: which of its two kinds of limits this is.
    pub(super) fn kind(&self) -> &'static str {
        match self.of {
            QuotaOf::Requests | QuotaOf::Sequences => "requests",
            QuotaOf::InputTokens | QuotaOf::OutputTokens | QuotaOf::Tokens => "tokens",
        }
    }

    /// Whole seconds after which it is worth another try; `None` if it never is.
    pub(super) fn retry_seconds(&self) -> Option<u64> {
        let wait = self.retry_after?;
        let part = u64::from(wait.subsec_nanos() > 0);
        Some(wait.as_secs().saturating_add(part).max(1))
    }

    /// OpenAI's sentences.
    pub(super) fn openai_message(&self) -> String {
        let Self {
            model,
            limit,
            used,
            requested,
            ..
        } = self;
        let what = self.named();
        match self.retry_seconds() {
            Some(seconds) => format!(
                "Rate limit reached for {model} on {what}: Limit {limit}, Used {used}, Requested {requested}. Please try again \
                 in {seconds}s."
            ),
            None => format!(
                "Request too large for {model} on {what}: Limit {limit}, Requested {requested}. The input or output tokens \
                 must be reduced in order to run successfully: {}.",
                self.smaller()
            ),
        }
    }

    /// AWS's sentences.
    pub(super) fn aws_message(&self) -> String {
        let Self {
            model,
            limit,
            used,
            requested,
            ..
        } = self;
        let what = self.named();
        let quota = format!("The quota of {limit} {what} for {model}");
        match self.retry_seconds() {
            Some(seconds) => format!(
                "{}, please wait before trying again. {quota} has {used} in use, and this request needs {requested}: try \
                 again in {seconds} s (`retry-after`).",
                self.too_many()
            ),
            None => format!(
                "Your request exceeds the service quota for your account. {quota} is less than the {requested} that this \
                 request needs: {}.",
                self.smaller()
            ),
        }
    }

    fn too_many(&self) -> &'static str {
        match (self.kind(), self.per) {
            ("tokens", QuotaPer::Day) => "Too many tokens per day",
            ("tokens", _) => "Too many tokens",
            (_, QuotaPer::Day) => "Too many requests per day",
            (_, _) => "Too many requests",
        }
    }

    fn named(&self) -> &'static str {
        let day = self.per == QuotaPer::Day;
        match (self.of, day) {
            (QuotaOf::Requests, false) => "requests per min (RPM)",
            (QuotaOf::Requests, true) => "requests per day (RPD)",
            (QuotaOf::InputTokens, false) => "input tokens per min",
            (QuotaOf::InputTokens, true) => "input tokens per day",
            (QuotaOf::OutputTokens, false) => "output tokens per min",
            (QuotaOf::OutputTokens, true) => "output tokens per day",
            (QuotaOf::Tokens, false) => "tokens per min (TPM)",
            (QuotaOf::Tokens, true) => "tokens per day (TPD)",
            (QuotaOf::Sequences, _) => "concurrent sequences",
        }
    }

    /// What makes a request fit that is too large.
    fn smaller(&self) -> &'static str {
        match self.of {
            QuotaOf::InputTokens => "shorten the prompt",
            QuotaOf::Sequences => "ask for fewer choices",
            QuotaOf::Requests | QuotaOf::OutputTokens | QuotaOf::Tokens => {
                "shorten the prompt, or allow fewer tokens for the answer"
            }
        }
    }
}
