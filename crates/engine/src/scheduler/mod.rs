//! Continuous batching: which tokens of which sequences the model computes next.
//!
//! Each model has a [`Lane`]. Every step has one budget of tokens: first each running sequence's next token (decode),
//! oldest first, then pieces of prompts (chunked prefill), then sequences that wait: the oldest of the account that has the
//! fewest running, so that many requests of one account hold up no other's. KV blocks are taken as sequences
//! grow; when they run out, an older sequence takes those of the newest, which waits and is computed again later
//! (preemption by recompute). A sequence without credit is not computed, keeps its blocks, and is the first to lose them.
//!
//! Why nothing starves: of those that run, the one that has credit and ran first can take every block there is; who lost
//! blocks so comes back before anybody new; and an account of which nothing runs is served in the order of arrival. And [`Lane::limit`] keeps each sequence within what all blocks together hold. What recomputing may cost
//! is bounded twice: who lost blocks waits until it has credit for some tokens more, and who lost too many ends.
//!
//! A prefix cache has its place in [`Sequence::begin`]: keyed by [`Sequence::isolation`] first, so that no tenant's
//! prompt can be timed by another's. There is none yet, and `cached_tokens` is 0.

mod lane;
mod output;
mod sequence;
mod tally;

pub(crate) use lane::{Lane, LaneLimits};
pub(crate) use sequence::{Outcome, Request, Sequence};

use crate::kv::KvPool;
use crate::message::EventKind;
use crate::message::SequenceId;
use crate::model::{Llama, LlamaConfig, Step, StepError};

/// What a lane needs of a model: a real one, and in tests a small one whose every number is known.
pub(crate) trait Decoder: Send {
    /// Sizes.
    fn config(&self) -> &LlamaConfig;

    /// Computes all rows of a step.
    fn forward(&mut self, step: &mut Step<'_>) -> Result<(), StepError>;

    /// Wipes what it keeps from step to step.
    fn wipe(&mut self);

    /// Takes memory for blocks of this model's keys and values.
    fn pool(&self, blocks: usize) -> Option<KvPool> {
        KvPool::new(self.config(), blocks)
    }
}

impl Decoder for Llama {
    fn config(&self) -> &LlamaConfig {
        Self::config(self)
    }

    fn forward(&mut self, step: &mut Step<'_>) -> Result<(), StepError> {
        Self::forward(self, step)
    }

    fn wipe(&mut self) {
        Self::wipe(self);
    }
}

/// Where a lane's events go.
pub(crate) trait Events {
    /// Tells what happened; a terminal kind ends the sequence.
    fn tell(&mut self, sequence: SequenceId, kind: EventKind);
}

#[cfg(test)]
pub(crate) mod tests;
