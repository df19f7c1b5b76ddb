//! What is counted, and how much of it a quota allows.

/// Requests and tokens that were used, are asked for, or are set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Amounts {
    pub(crate) requests: u64,
    /// Tokens of prompts.
    pub(crate) input: u64,
    /// Tokens of answers.
    pub(crate) output: u64,
}

impl Amounts {
    /// One request, whose tokens are not known yet.
    pub(crate) const REQUEST: Self = Self {
        requests: 1,
        input: 0,
        output: 0,
    };

    /// Tokens, of a request that was counted before.
    pub(crate) fn tokens(input: u64, output: u64) -> Self {
        Self {
            requests: 0,
            input,
            output,
        }
    }

    pub(super) fn plus(self, more: Self) -> Self {
        self.each(more, u64::saturating_add)
    }

    pub(super) fn minus(self, less: Self) -> Self {
        self.each(less, u64::saturating_sub)
    }

    /// The greater of each.
    pub(super) fn max(self, other: Self) -> Self {
        self.each(other, u64::max)
    }

    /// Whether nothing of it is more than in `other`.
    pub(super) fn is_within(self, other: Self) -> bool {
        self.max(other) == other
    }

    fn each(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            requests: of(self.requests, other.requests),
            input: of(self.input, other.input),
            output: of(self.output, other.output),
        }
    }

    /// How much there is of what a cap is for.
    pub(super) fn of(self, measure: Measure) -> u64 {
        match measure {
            Measure::Requests => self.requests,
            Measure::Input => self.input,
            Measure::Output => self.output,
            Measure::Tokens => self.input.saturating_add(self.output),
        }
    }
}

/// What a cap is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Requests,
    /// Tokens of prompts.
    Input,
    /// Tokens of answers.
    Output,
    /// Tokens of both.
    Tokens,
}

impl Measure {
    pub(super) const ALL: [Self; 4] = [Self::Requests, Self::Input, Self::Output, Self::Tokens];
}

/// The most of each within one window; what is not set is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Caps {
    pub(crate) requests: Option<u64>,
    pub(crate) input: Option<u64>,
    pub(crate) output: Option<u64>,
    /// Of tokens of both kinds together.
    pub(crate) tokens: Option<u64>,
}

impl Caps {
    pub(super) fn of(self, measure: Measure) -> Option<u64> {
        match measure {
            Measure::Requests => self.requests,
            Measure::Input => self.input,
            Measure::Output => self.output,
            Measure::Tokens => self.tokens,
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }

    pub(super) fn limit_tokens(self) -> bool {
        self.input.or(self.output).or(self.tokens).is_some()
    }

    /// The most tokens that the answer to a prompt of so many may have.
    pub(super) fn longest_answer(self, prompt: u64) -> Option<u64> {
        let both = self.tokens.map(|tokens| tokens.saturating_sub(prompt));
        self.output.into_iter().chain(both).min()
    }
}

/// What one quota allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    /// In any sixty seconds.
    pub(crate) minute: Caps,
    /// In one day of UTC.
    pub(crate) day: Caps,
    /// Sequences at once.
    pub(crate) sequences: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited.
    pub(crate) fn are_empty(&self) -> bool {
        self.minute.is_empty() && self.day.is_empty() && self.sequences.is_none()
    }

    /// Whether no request can ever be let in.
    pub(crate) fn let_nobody_in(&self) -> bool {
        let caps = [self.minute, self.day].map(|caps| Measure::ALL.map(|measure| caps.of(measure)));
        caps.concat().contains(&Some(0)) || self.sequences == Some(0)
    }

    pub(super) fn limit_tokens(&self) -> bool {
        self.minute.limit_tokens() || self.day.limit_tokens()
    }

    /// How much of a day's counters is written down ahead of its use, so that not every request has to wait for the
    /// disk: a crash costs at most so much of the day.
    pub(super) fn ahead(&self) -> Amounts {
        let share = |cap: Option<u64>| cap.map_or(0, |cap| cap / 64);
        let both = self.day.tokens;
        Amounts {
            requests: share(self.day.requests),
            input: share(self.day.input.into_iter().chain(both).min()),
            output: share(self.day.output.into_iter().chain(both).min()),
        }
    }
}
