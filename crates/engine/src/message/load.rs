//! How much each model has to do, in numbers that say nothing of what is asked.

use moho_terms::ModelId;

/// What a model does and has done. Counters run from the engine's start and never fall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelLoad {
    /// Which of the loaded models.
    pub model: ModelId,
    /// Sequences that have KV blocks.
    pub running: u32,
    /// Sequences that have none: being read, new, or preempted.
    pub waiting: u32,
    /// KV blocks in use.
    pub kv_blocks_used: u32,
    /// KV blocks in all.
    pub kv_blocks: u32,
    /// Tokens that one KV block holds.
    pub block_tokens: u32,
    /// Counter: times that a sequence lost its blocks to another.
    pub preemptions: u64,
    /// Counter: tokens of the prompts of sequences that got their first token.
    pub prompt_tokens: u64,
    /// Counter: how many of these were found in the prefix cache.
    pub cached_tokens: u64,
    /// Counter: tokens generated, the ending ones included.
    pub generated_tokens: u64,
    /// Counter: steps computed.
    pub steps: u64,
    /// How many tokens these steps had.
    pub step_tokens: StepTokens,
    /// Counter: tokens looked for in the prefix cache; 0 without a cache.
    pub prefix_queries: u64,
    /// Counter: tokens found there.
    pub prefix_hits: u64,
}

/// A histogram of the number of tokens in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepTokens {
    /// Steps of at most as many tokens as the bound at the same place in [`StepTokens::BOUNDS`] says; the last counts all.
    pub cumulative: [u64; 12],
    /// Tokens of all steps together.
    pub sum: u64,
}

impl StepTokens {
    /// Upper bounds of the buckets, in tokens, before that of no bound.
    pub const BOUNDS: [u64; 11] = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

    /// Counts one step.
    pub(crate) fn observe(&mut self, tokens: u64) {
        let bounds = Self::BOUNDS.into_iter().chain([u64::MAX]);
        for (count, bound) in self.cumulative.iter_mut().zip(bounds) {
            if tokens <= bound {
                *count = count.saturating_add(1);
            }
        }
        self.sum = self.sum.saturating_add(tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_bounds_inclusive() {
        let mut steps = StepTokens::default();
        [1, 2, 8, 9, 4096, 4097]
            .into_iter()
            .for_each(|n| steps.observe(n));
        assert_eq!(steps.cumulative, [1, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 6]);
        assert_eq!(steps.sum, 1 + 2 + 8 + 9 + 4096 + 4097);
    }
}
