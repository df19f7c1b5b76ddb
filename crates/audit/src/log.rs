//! The journal as a transparency log, for whoever asks: its checkpoint, its tiles, its entries and proofs about them.
//!
//! The log's entries are the digests of records, 64 hexadecimal digits, and each record's digest stands for all before it. So all
//! of the log can be public, and says nothing of what records say: each has a random id in it that nobody guesses. Whoever may
//! read a record checks its digest, and the proof of that.
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

use crate::chain::{Digest, Record};
use crate::checkpoints::{Published, Witnesses};
use crate::error::AuditError;
use crate::hashes::{HashFiles, Kept};
use crate::mark::Reached;
use crate::offsets::Offsets;
use crate::records;
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

/// A record, and the proof that its digest is in the tree of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenRecord {
    /// The record, with its line break.
    pub record: Vec<u8>,
    /// The proof of its digest's 64 digits, which are the log's entry.
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

    /// Has witnesses cosign every checkpoint from now on, of which there are fewer then: one in ten seconds.
    pub fn witnessed_by(&self, witnesses: Box<dyn Witnesses>) {
        self.tree.witnessed_by(witnesses);
    }

    /// Ends when the record at `position` is in a tree that is published: within about a second, or ten if witnesses are asked.
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
            Held::Hashes { level } => {
                let level = Kept::Level(level);
                self.tree.files.read(level, tile.first(), tile.width()).map(Some)
            }
            Held::Entries => {
                let digests = self.tree.files.read(Kept::Digests, tile.first(), tile.width())?;
                let mut bundled = Vec::new();
                for digest in digests.as_chunks().0 {
                    let entry = Digest::from_bytes(*digest);
                    // INVARIANT: an entry has 64 bytes.
                    let _written = bundle::write(entry.as_str().as_bytes(), &mut bundled);
                }
                Ok(Some(bundled))
            }
        }
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
    pub fn proven(&self, position: Position) -> Result<Option<ProvenRecord>, AuditError> {
        let Some(proven) = self.inclusion(position)? else {
            return Ok(None);
        };
        let mut found = records::read(&self.directory, &self.tree.offsets, proven.proof.index, 1)?;
        let record = found.pop().unwrap_or_default();
        let read = Record::parse(&record);
        let is_it =
            |read: &Record| read.sequence() == position.0 && read.digest().tree_hash() == proven.entry;
        if !read.is_ok_and(|read| is_it(&read)) {
            return Err(self.damaged("a record is not what it was when it was signed"));
        }
        Ok(Some(ProvenRecord {
            record,
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

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn offsets(&self) -> &Offsets {
        &self.tree.offsets
    }

    fn hashed(&self) -> Hashed<&HashFiles> {
        Hashed::new(&self.tree.files)
    }

    pub(crate) fn damaged(&self, what: &'static str) -> AuditError {
        AuditError::Broken {
            path: self.directory.clone(),
            offset: 0,
            what,
        }
    }
}
