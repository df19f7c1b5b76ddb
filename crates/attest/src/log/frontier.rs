//! What a writer has to remember of a tree to go on with it: a hash for each whole part that has no right neighbour yet.

use super::hash::TreeHash;
use super::tree::{Hashes, Subtree, Tree};

/// The right edge of a tree. At most 64 hashes, however large the tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// Of whole parts, each smaller than the one before, which together are the tree.
    peaks: Vec<TreeHash>,
}

impl Frontier {
    /// Of a tree whose hashes are kept.
    ///
    /// # Errors
    /// What the keeper of the hashes says.
    pub fn of<H: Hashes>(tree: &Tree<H>, size: u64) -> Result<Self, H::Error> {
        let peaks = Subtree::peaks(0, size)
            .map(|peak| tree.hashes().subtree(peak))
            .collect::<Result<_, _>>()?;
        Ok(Self { size, peaks })
    }

    /// How many entries the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes one more entry, of this hash, and tells `whole` each part of the tree that it makes whole, itself first.
    pub fn push(&mut self, entry: TreeHash, mut whole: impl FnMut(Subtree, TreeHash)) {
        let index = self.size;
        let mut part = Subtree { level: 0, index };
        let mut hash = entry;
        whole(part, hash);
        // A part is whole with each right half: as many as the new size has zeros at its end.
        while part.index % 2 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            part = Subtree {
                level: part.level.saturating_add(1),
                index: part.index / 2,
            };
            hash = TreeHash::of_both(&left, &hash);
            whole(part, hash);
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// The hash of the whole tree.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return TreeHash::of_nothing();
        };
        peaks.fold(*last, |right, left| TreeHash::of_both(left, &right))
    }
}
