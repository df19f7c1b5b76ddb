//! Which blocks hold a sequence's tokens, in order.

use super::{BLOCK_TOKENS, KvBlock, KvPool};

/// The blocks of one sequence. Token `n` is in block `n / BLOCK_TOKENS`.
#[derive(Default)]
pub(crate) struct BlockTable {
    blocks: Vec<KvBlock>,
    tokens: usize,
}

impl BlockTable {
    /// A sequence without any token.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Tokens whose keys and values have been computed.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Tokens that fit in the blocks held.
    pub(crate) fn capacity(&self) -> usize {
        self.blocks.len().saturating_mul(BLOCK_TOKENS)
    }

    /// The blocks, in order of their tokens.
    pub(crate) fn blocks(&self) -> &[KvBlock] {
        &self.blocks
    }

    /// Takes blocks from the pool until `tokens` fit. On `false` the pool is exhausted; blocks taken so far stay, and
    /// are released with the rest.
    #[must_use]
    pub(crate) fn reserve(&mut self, pool: &mut KvPool, tokens: usize) -> bool {
        while self.capacity() < tokens {
            let Some(block) = pool.allocate() else {
                return false;
            };
            self.blocks.push(block);
        }
        true
    }

    /// Counts tokens that a step has just computed. They stay within the capacity.
    pub(crate) fn advance(&mut self, tokens: usize) {
        self.tokens = self.tokens.saturating_add(tokens).min(self.capacity());
    }

    /// Gives every block back and forgets all tokens.
    pub(crate) fn release(&mut self, pool: &mut KvPool) {
        self.tokens = 0;
        for block in self.blocks.drain(..) {
            pool.release(block);
        }
    }
}
