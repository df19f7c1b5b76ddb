//! Where a sequence's keys and values live between steps.
//!
//! Memory is taken once, at start, and cut into blocks of [`BLOCK_TOKENS`] tokens, so that sequences can grow without
//! copying and a full cache is a plain `None` rather than an allocation failure in the middle of a step.

mod pool;
mod table;

pub(crate) use pool::{KvBlock, KvPool};
pub(crate) use table::BlockTable;

/// Tokens per block.
pub(crate) const BLOCK_TOKENS: usize = 16;
