//! What a lane has done since it began, in numbers.

use crate::message::StepTokens;

/// Counters that never fall.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) preemptions: u64,
    pub(super) prompt_tokens: u64,
    pub(super) cached_tokens: u64,
    pub(super) generated_tokens: u64,
    pub(super) steps: u64,
    pub(super) step_tokens: StepTokens,
}

impl Tally {
    /// Counts a step of so many tokens.
    pub(super) fn step(&mut self, tokens: usize) {
        self.steps = self.steps.saturating_add(1);
        self.step_tokens
            .observe(u64::try_from(tokens).unwrap_or(u64::MAX));
    }

    /// Counts a token that a sequence was given; for its first one, also its prompt.
    pub(super) fn token(&mut self, usage: crate::message::Usage) {
        self.generated_tokens = self.generated_tokens.saturating_add(1);
        if usage.completion_tokens == 1 {
            self.prompt_tokens = self.prompt_tokens.saturating_add(u64::from(usage.prompt_tokens));
            self.cached_tokens = self.cached_tokens.saturating_add(u64::from(usage.cached_tokens));
        }
    }

    /// Counts a sequence that lost its blocks to another.
    pub(super) fn preemption(&mut self) {
        self.preemptions = self.preemptions.saturating_add(1);
    }
}
