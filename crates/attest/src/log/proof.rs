//! Proofs, checked with nothing but what they say and what is known already (RFC 9162, 2.1.3.2 and 2.1.4.2).

use super::hash::TreeHash;

/// Longest path of a proof: a tree has at most 2^64 − 1 entries.
const LONGEST: usize = 65;

/// A proof does not show what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// There is no such entry in a tree of that size, or no such order of sizes.
    #[error("the proof is about what cannot be: an entry behind the tree's end, or a tree that shrank")]
    Impossible,
    /// It has more or fewer hashes than a proof about these numbers has.
    #[error("the proof has not as many hashes as a tree of that size asks for")]
    WrongLength,
    /// It leads to another tree.
    #[error(
        "the proof does not lead to the tree's root hash: the entry, its place or the tree is another one"
    )]
    OtherRoot,
    /// It leads to another earlier tree.
    #[error(
        "the proof does not lead to the earlier root hash: what the log had said before is not what it has now"
    )]
    OtherOldRoot,
}

/// That an entry is in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// Which entry, counted from 0.
    pub index: u64,
    /// How many entries the tree has.
    pub size: u64,
    /// The neighbours' hashes, from the entry to the root.
    pub path: Vec<TreeHash>,
}

impl InclusionProof {
    /// Checks it for an entry of this hash in the tree of this root.
    ///
    /// # Errors
    /// It shows nothing of the kind.
    pub fn check(&self, entry: &TreeHash, root: &TreeHash) -> Result<(), ProofError> {
        if self.index >= self.size {
            return Err(ProofError::Impossible);
        }
        let mut climb = Climb {
            at: self.index,
            last: self.size.saturating_sub(1),
        };
        let mut hash = *entry;
        for neighbour in bounded(&self.path)? {
            hash = if climb.comes_from_the_right()? {
                TreeHash::of_both(neighbour, &hash)
            } else {
                TreeHash::of_both(&hash, neighbour)
            };
        }
        climb.is_at_the_top()?;
        if hash == *root {
            Ok(())
        } else {
            Err(ProofError::OtherRoot)
        }
    }
}

/// That a tree is what a later one begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Entries of the earlier tree.
    pub old: u64,
    /// Entries of the later one.
    pub new: u64,
    /// Hashes of parts, from the end of the earlier tree to the root.
    pub path: Vec<TreeHash>,
}

impl ConsistencyProof {
    /// Checks it for the trees of these roots, the earlier one first.
    ///
    /// # Errors
    /// It shows nothing of the kind.
    pub fn check(&self, old_root: &TreeHash, new_root: &TreeHash) -> Result<(), ProofError> {
        if self.old > self.new {
            return Err(ProofError::Impossible);
        }
        if self.old == self.new || self.old == 0 {
            return self.check_without_hashes(old_root, new_root);
        }
        let (mut climb, mut path) = self.begun_at_the_old_end(old_root)?;
        let first = path.next().ok_or(ProofError::WrongLength)?;
        let (mut old, mut new) = (*first, *first);
        for part in path {
            if climb.comes_from_the_right()? {
                old = TreeHash::of_both(part, &old);
                new = TreeHash::of_both(part, &new);
            } else {
                new = TreeHash::of_both(&new, part);
            }
        }
        climb.is_at_the_top()?;
        if old != *old_root {
            return Err(ProofError::OtherOldRoot);
        }
        if new == *new_root {
            Ok(())
        } else {
            Err(ProofError::OtherRoot)
        }
    }

    /// Of one and the same tree, or one with nothing before it.
    fn check_without_hashes(&self, old_root: &TreeHash, new_root: &TreeHash) -> Result<(), ProofError> {
        let known = if self.old == 0 {
            TreeHash::of_nothing()
        } else {
            *new_root
        };
        if !self.path.is_empty() {
            return Err(ProofError::WrongLength);
        }
        if *old_root == known {
            Ok(())
        } else {
            Err(ProofError::OtherOldRoot)
        }
    }

    /// Where the way up begins: at the earlier tree's last whole part, which is all of it if it was itself whole.
    fn begun_at_the_old_end<'a>(
        &'a self,
        old_root: &'a TreeHash,
    ) -> Result<(Climb, impl Iterator<Item = &'a TreeHash>), ProofError> {
        let whole = self.old.is_power_of_two().then_some(old_root);
        let mut climb = Climb {
            at: self.old.saturating_sub(1),
            last: self.new.saturating_sub(1),
        };
        while climb.at % 2 == 1 {
            climb.up();
        }
        Ok((climb, whole.into_iter().chain(bounded(&self.path)?)))
    }
}

fn bounded(path: &[TreeHash]) -> Result<&[TreeHash], ProofError> {
    if path.len() > LONGEST {
        return Err(ProofError::WrongLength);
    }
    Ok(path)
}

/// A place in the tree, going up level by level, and the last place of its level.
struct Climb {
    at: u64,
    last: u64,
}

impl Climb {
    fn up(&mut self) {
        self.at /= 2;
        self.last /= 2;
    }

    /// Goes up one level where there is a neighbour; whether that is to the left. A last one without a neighbour goes up as it is.
    fn comes_from_the_right(&mut self) -> Result<bool, ProofError> {
        if self.last == 0 {
            return Err(ProofError::WrongLength);
        }
        let from_the_right = self.at % 2 == 1 || self.at == self.last;
        if from_the_right {
            while self.at.is_multiple_of(2) && self.at != 0 {
                self.up();
            }
        }
        self.up();
        Ok(from_the_right)
    }

    fn is_at_the_top(&self) -> Result<(), ProofError> {
        if self.last == 0 {
            Ok(())
        } else {
            Err(ProofError::WrongLength)
        }
    }
}
