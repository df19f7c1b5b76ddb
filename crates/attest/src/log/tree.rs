//! Roots and proofs of a tree whose hashes are kept somewhere (RFC 9162, 2.1).

use super::hash::TreeHash;
use super::proof::{ConsistencyProof, InclusionProof};

/// A whole part of the tree: `2^level` entries, of which the first is `index · 2^level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subtree {
    /// How high it is: 0 for one entry. At most 63.
    pub level: u8,
    /// Which of those of its level.
    pub index: u64,
}

impl Subtree {
    /// The fewest whole parts that the entries from `start` to before `end` are made of, largest first, where `start` is a
    /// multiple of the largest.
    pub(super) fn peaks(start: u64, end: u64) -> impl Iterator<Item = Self> {
        let mut at = start;
        std::iter::from_fn(move || {
            let level = end.checked_sub(at)?.checked_ilog2()?;
            let part = Self {
                level: u8::try_from(level).ok()?,
                index: at.checked_shr(level)?,
            };
            at = at.checked_add(1_u64.checked_shl(level)?)?;
            Some(part)
        })
    }
}

/// Where hashes are kept.
pub trait Hashes {
    /// Why one cannot be told.
    type Error;

    /// The hash of a whole part of the tree.
    ///
    /// # Errors
    /// It cannot be told.
    fn subtree(&self, part: Subtree) -> Result<TreeHash, Self::Error>;
}

/// A tree by the hashes that are kept of it. Each answer costs about `2 · log2(size)` of them.
///
/// Nobody may ask for a size that is larger than what is kept: the keeper then says what it says of absent hashes.
pub struct Tree<H>(H);

impl<H: Hashes> Tree<H> {
    /// Of these hashes.
    pub fn new(hashes: H) -> Self {
        Self(hashes)
    }

    pub(super) fn hashes(&self) -> &H {
        &self.0
    }

    /// The hash of the tree when it had `size` entries.
    ///
    /// # Errors
    /// What the keeper of the hashes says.
    pub fn root(&self, size: u64) -> Result<TreeHash, H::Error> {
        self.range(0, size)
    }

    /// That entry `index` is in the tree of `size` entries; `None` if that has no such entry.
    ///
    /// # Errors
    /// What the keeper of the hashes says.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Option<InclusionProof>, H::Error> {
        if index >= size {
            return Ok(None);
        }
        let (mut start, mut end) = (0, size);
        let mut path = Vec::new();
        while let Some(middle) = middle(start, end) {
            if index < middle {
                path.push(self.range(middle, end)?);
                end = middle;
            } else {
                path.push(self.range(start, middle)?);
                start = middle;
            }
        }
        path.reverse();
        Ok(Some(InclusionProof { index, size, path }))
    }

    /// That the tree of `old` entries is what that of `new` begins with; `None` if it had more.
    ///
    /// # Errors
    /// What the keeper of the hashes says.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Option<ConsistencyProof>, H::Error> {
        if old > new {
            return Ok(None);
        }
        let mut path = Vec::new();
        // Of nothing, and of the tree itself, there is nothing to show.
        if old > 0 && old < new {
            let (mut start, mut end) = (0, new);
            while let Some(middle) = middle(start, end).filter(|_| old != end) {
                if old <= middle {
                    path.push(self.range(middle, end)?);
                    end = middle;
                } else {
                    path.push(self.range(start, middle)?);
                    start = middle;
                }
            }
            // From the beginning, it is the old root, which is known.
            if start > 0 {
                path.push(self.range(start, end)?);
            }
        }
        path.reverse();
        Ok(Some(ConsistencyProof { old, new, path }))
    }

    /// The hash of the entries from `start` to before `end`, which are one side of a part of the tree.
    fn range(&self, start: u64, end: u64) -> Result<TreeHash, H::Error> {
        let parts: Vec<_> = Subtree::peaks(start, end).collect();
        let mut parts = parts.into_iter().rev();
        let Some(last) = parts.next() else {
            return Ok(TreeHash::of_nothing());
        };
        let mut hash = self.0.subtree(last)?;
        for part in parts {
            hash = TreeHash::of_both(&self.0.subtree(part)?, &hash);
        }
        Ok(hash)
    }
}

/// Where a part of the tree is divided: after the largest power of two of entries that leaves some. `None` for one entry.
fn middle(start: u64, end: u64) -> Option<u64> {
    let last = end.checked_sub(start)?.checked_sub(1)?;
    start.checked_add(1_u64.checked_shl(last.checked_ilog2()?)?)
}
