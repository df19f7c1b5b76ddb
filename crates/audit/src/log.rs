//! The journal as a transparency log, for whoever asks: its checkpoint, its tiles, its entries and proofs about them.
//!
//! All that is handed out is of the tree that the last checkpoint is of. Proofs are checked before they are given: hashes that a
//! disk has changed are an error, never a proof of nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use moho_attest::log::{
    ConsistencyProof, Hashes as _, Held, InclusionProof, Subtree, Tile, Tree as Hashed, TreeHash, Trust,
    bundle,
};
use moho_iam::authz::Position;

use crate::checkpoints::Published;
use crate::entries;
use crate::error::AuditError;
use crate::mark::Reached;
use crate::tree::Tree;

/// The journal, for who asks about what is published of it.
#[derive(Clone)]
pub struct TransparencyLog {
    tree: Arc<Tree>,
    directory: PathBuf,
}

/// The hash of an entry, and the proof that it is in the tree of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenHash {
    /// The entry's hash.
    pub entry: TreeHash,
    /// The proof.
    pub proof: InclusionProof,
    /// The checkpoint that it leads to.
    pub checkpoint: Arc<Published>,
}

/// An entry, and the proof that it is in the tree of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenEntry {
    /// The entry: a record without its line break.
    pub entry: Vec<u8>,
    /// The proof.
    pub proof: InclusionProof,
    /// The checkpoint that it leads to.
    pub checkpoint: Arc<Published>,
}

impl TransparencyLog {
    pub(crate) fn new(tree: &Arc<Tree>, directory: &Path) -> Self {
        Self {
            tree: Arc::clone(tree),
            directory: directory.to_owned(),
        }
    }

    /// The last checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Arc<Published> {
        self.tree.published()
    }

    /// Whom to believe about it: its origin and the key that its checkpoints are signed with.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.tree.identity.trust()
    }

    /// Ends when the record at `position` is in a tree that is published: within about a second.
    pub fn published(&self, position: Position) -> Reached {
        self.tree.covered().wait(position.0)
    }

    /// Why the last checkpoint could not be published, if that failed; it is tried again.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.tree.fault()
    }

    /// A tile's bytes; `None` if the published tree has no such tile.
    ///
    /// # Errors
    /// [`AuditError`] if it cannot be read.
    pub fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, AuditError> {
        if !tile.is_in(self.checkpoint().checkpoint.size) {
            return Ok(None);
        }
        match tile.held() {
            Held::Hashes { level } => self.tree.files.read(level, tile.first(), tile.width()).map(Some),
            Held::Entries => {
                let mut bundled = Vec::new();
                for entry in self.entries(tile.first(), u64::from(tile.width()))? {
                    if !bundle::write(&entry, &mut bundled) {
                        return Err(self.damaged("a record is too long to be handed out"));
                    }
                }
                Ok(Some(bundled))
            }
        }
    }

    /// Entries from `first` on, counted from 0, `count` of them.
    ///
    /// # Errors
    /// [`AuditError`] if they cannot be read, or are not those of the tree.
    fn entries(&self, first: u64, count: u64) -> Result<Vec<Vec<u8>>, AuditError> {
        entries::read(&self.directory, &self.tree.offsets, first, count)
    }

    /// That the record at `position` is in the tree of the last checkpoint; `None` if it is not published yet, or never was
    /// written.
    ///
    /// # Errors
    /// [`AuditError`] if hashes cannot be read, or are not those of the tree.
    pub fn inclusion(&self, position: Position) -> Result<Option<ProvenHash>, AuditError> {
        let checkpoint = self.checkpoint();
        let said = &checkpoint.checkpoint;
        let Some(index) = position.0.checked_sub(1) else {
            return Ok(None);
        };
        let Some(proof) = self.hashed().inclusion(index, said.size)? else {
            return Ok(None);
        };
        let entry = (&self.tree.files).subtree(Subtree { level: 0, index })?;
        if proof.check(&entry, &said.root).is_err() {
            return Err(self.damaged("a hash of the tree is not what it was when it was signed"));
        }
        Ok(Some(ProvenHash {
            entry,
            proof,
            checkpoint,
        }))
    }

    /// The record at `position` with its proof; `None` if it is not published yet, or never was written.
    ///
    /// # Errors
    /// [`AuditError`] if it cannot be read, or is not what the tree has.
    pub fn proven(&self, position: Position) -> Result<Option<ProvenEntry>, AuditError> {
        let Some(proven) = self.inclusion(position)? else {
            return Ok(None);
        };
        let entry = self.entries(proven.proof.index, 1)?.pop().unwrap_or_default();
        if TreeHash::of_entry(&entry) != proven.entry {
            return Err(self.damaged("a record is not what it was when it was signed"));
        }
        Ok(Some(ProvenEntry {
            entry,
            proof: proven.proof,
            checkpoint: proven.checkpoint,
        }))
    }

    /// That the tree of the last checkpoint begins with that of `old` entries; `None` if it has fewer.
    ///
    /// # Errors
    /// [`AuditError`] if hashes cannot be read, or are not those of the tree.
    pub fn consistency(&self, old: u64) -> Result<Option<(ConsistencyProof, Arc<Published>)>, AuditError> {
        let checkpoint = self.checkpoint();
        let said = &checkpoint.checkpoint;
        let Some(proof) = self.hashed().consistency(old, said.size)? else {
            return Ok(None);
        };
        let before = self.hashed().root(old)?;
        if proof.check(&before, &said.root).is_err() {
            return Err(self.damaged("a hash of the tree is not what it was when it was signed"));
        }
        Ok(Some((proof, checkpoint)))
    }

    fn hashed(&self) -> Hashed<&crate::hashes::HashFiles> {
        Hashed::new(&self.tree.files)
    }

    fn damaged(&self, what: &'static str) -> AuditError {
        AuditError::Broken {
            path: self.directory.clone(),
            offset: 0,
            what,
        }
    }
}
