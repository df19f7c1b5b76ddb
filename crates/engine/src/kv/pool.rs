//! The one store of keys and values, and who may use which part of it.

use zeroize::Zeroize;

use super::BLOCK_TOKENS;
use crate::model::LlamaConfig;

/// The right to use one block of a [`KvPool`]. Neither `Clone` nor `Copy`: whoever holds it is the only user, and gives
/// it back with [`KvPool::release`].
#[must_use = "a block that is not released is lost to the pool"]
pub(crate) struct KvBlock {
    index: usize,
}

/// Keys and values of all sequences, as half-precision floats; its capacity is fixed at start.
///
/// Within a block, layer by layer and key/value head by head: the keys as `[head size][BLOCK_TOKENS]` (so that one
/// vector holds one component of sixteen tokens), then the values as `[BLOCK_TOKENS][head size]`.
pub(crate) struct KvPool {
    cells: Vec<u16>,
    free: Vec<KvBlock>,
    blocks: usize,
    layers: usize,
    kv_heads: usize,
    head_size: usize,
}

impl KvPool {
    /// Takes memory for `blocks` blocks of a model's keys and values; `None` when that is more than can be addressed
    /// or allocated.
    pub(crate) fn new(config: &LlamaConfig, blocks: usize) -> Option<Self> {
        let total = Self::block_cells(config)?.checked_mul(blocks)?;
        let mut cells = Vec::new();
        cells.try_reserve_exact(total).ok()?;
        cells.resize(total, 0);
        let free = (0..blocks).rev().map(|index| KvBlock { index }).collect();
        let (layers, kv_heads, head_size) = (config.layers, config.kv_heads, config.head_size);
        Some(Self {
            cells,
            free,
            blocks,
            layers,
            kv_heads,
            head_size,
        })
    }

    /// Bytes that one block takes.
    pub(crate) fn block_bytes(config: &LlamaConfig) -> usize {
        Self::block_cells(config)
            .unwrap_or(usize::MAX)
            .saturating_mul(size_of::<u16>())
    }

    fn block_cells(config: &LlamaConfig) -> Option<usize> {
        let per_head = config.head_size.checked_mul(BLOCK_TOKENS)?.checked_mul(2)?;
        per_head.checked_mul(config.kv_heads)?.checked_mul(config.layers)
    }

    /// Blocks in all.
    pub(crate) fn capacity(&self) -> usize {
        self.blocks
    }

    /// Blocks that nobody uses.
    pub(crate) fn available(&self) -> usize {
        self.free.len()
    }

    /// Takes a block, or `None` when all are in use.
    pub(crate) fn allocate(&mut self) -> Option<KvBlock> {
        self.free.pop()
    }

    /// Takes a block back and wipes it, so that nothing of a tenant stays behind.
    pub(crate) fn release(&mut self, block: KvBlock) {
        let cells = self.layers * self.layer_cells();
        if let Some(used) = self.cells.chunks_exact_mut(cells.max(1)).nth(block.index) {
            used.fill(0);
            self.free.push(block);
        }
    }

    fn layer_cells(&self) -> usize {
        self.kv_heads * self.head_size * BLOCK_TOKENS * 2
    }
}

impl Drop for KvPool {
    fn drop(&mut self) {
        self.cells.zeroize();
    }
}
