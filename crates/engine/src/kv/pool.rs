//! The one store of keys and values, and who may use which part of it.

use zeroize::Zeroize;

use super::{BLOCK_TOKENS, BlockTable};
use crate::device::{HeadBlock, Isa, narrow};
use crate::model::LlamaConfig;

/// The right to use one block of a [`KvPool`]. Neither `Clone` nor `Copy`: whoever holds it is the only user, and gives
/// it back with [`KvPool::release`].
#[must_use = "a block that is not released is lost to the pool"]
pub(crate) struct KvBlock {
    index: usize,
}

#[cfg(test)]
impl KvBlock {
    /// Which block of the pool, for models in tests that keep what is in a block by themselves.
    pub(crate) fn index(&self) -> usize {
        self.index
    }
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
        let cells = self.layers * self.kv_heads * self.head_cells();
        if let Some(used) = self.cells.chunks_exact_mut(cells).nth(block.index) {
            used.fill(0);
            self.free.push(block);
        }
    }

    /// Whether it was made for models of this shape.
    pub(crate) fn fits(&self, config: &LlamaConfig) -> bool {
        (self.layers, self.kv_heads, self.head_size) == (config.layers, config.kv_heads, config.head_size)
    }

    /// Keeps one token's keys and values of one layer: `kv_heads × head_size` floats each.
    pub(crate) fn write(
        &mut self,
        isa: Isa,
        (table, position): (&BlockTable, usize),
        layer: usize,
        (keys, values): (&[f32], &[f32]),
    ) {
        let Some(block) = table.blocks().get(position / BLOCK_TOKENS) else {
            return;
        };
        let token = position % BLOCK_TOKENS;
        let size = self.head_size;
        let first = (block.index * self.layers + layer) * self.kv_heads;
        let cells = self.head_cells();
        let heads = self.cells.chunks_exact_mut(cells).skip(first).take(self.kv_heads);
        let mut halves = vec![0; size];
        for ((cells, keys), values) in heads.zip(keys.chunks_exact(size)).zip(values.chunks_exact(size)) {
            let (own_keys, own_values) = cells.split_at_mut(size * BLOCK_TOKENS);
            narrow(isa, keys, &mut halves);
            for (place, key) in own_keys.iter_mut().skip(token).step_by(BLOCK_TOKENS).zip(&halves) {
                *place = *key;
            }
            if let Some(place) = own_values.chunks_exact_mut(size).nth(token) {
                narrow(isa, values, place);
            }
        }
    }

    /// One head's keys and values of a sequence's first tokens in one layer, block by block.
    pub(crate) fn head(
        &self,
        table: &BlockTable,
        tokens: usize,
        layer: usize,
        pair: usize,
    ) -> Vec<HeadBlock<'_>> {
        let cells = self.head_cells();
        let blocks = table.blocks().iter().take(tokens.div_ceil(BLOCK_TOKENS));
        let block = |block: &KvBlock| {
            let index = (block.index * self.layers + layer) * self.kv_heads + pair;
            let cells = self.cells.get(index * cells..(index + 1) * cells)?;
            let (keys, values) = cells.split_at(self.head_size * BLOCK_TOKENS);
            Some(HeadBlock {
                keys: keys.as_chunks().0,
                values,
            })
        };
        blocks.filter_map(block).collect()
    }

    fn head_cells(&self) -> usize {
        self.head_size * BLOCK_TOKENS * 2
    }
}

impl Drop for KvPool {
    fn drop(&mut self) {
        self.cells.zeroize();
    }
}
