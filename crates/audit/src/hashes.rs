//! The hashes of the journal's tree on the disk: for each level of tiles a file of hashes, one after the other.
//!
//! All of it follows from the records and is made again from them when it is missing or wrong, so nothing waits for it to reach
//! the disk. A tile is a piece of such a file, whole or partial.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use moho_attest::log::{Hashes, Subtree, TreeHash, fold, hashes_of};

use crate::error::AuditError;

/// Levels of tiles: a tree of 2^64 entries has no more.
const LEVELS: usize = 8;
/// Bytes of a hash.
const HASH: u64 = TreeHash::LENGTH as u64;

/// The files, for one who writes and any number who read what is known to be written.
pub(crate) struct HashFiles {
    directory: PathBuf,
    files: [OnceLock<File>; LEVELS],
}

impl HashFiles {
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            files: Default::default(),
        }
    }

    fn path(&self, level: u8) -> PathBuf {
        self.directory.join(format!("hashes-{level}"))
    }

    /// The file of a level, made if absent.
    fn file(&self, level: u8) -> Result<&File, AuditError> {
        let path = self.path(level);
        let slot = self.files.get(usize::from(level)).ok_or_else(|| absent(&path))?;
        if let Some(file) = slot.get() {
            return Ok(file);
        }
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let file = options.open(&path).map_err(AuditError::io(&path))?;
        Ok(slot.get_or_init(|| file))
    }

    /// The hashes of a level from `first` on, as bytes; an error if they are not all there.
    pub(crate) fn read(&self, level: u8, first: u64, count: u16) -> Result<Vec<u8>, AuditError> {
        let mut bytes = vec![0; usize::from(count).saturating_mul(TreeHash::LENGTH)];
        let at = first.checked_mul(HASH).ok_or_else(|| absent(&self.path(level)))?;
        let read = self.file(level)?.read_exact_at(&mut bytes, at);
        read.map_err(AuditError::io(&self.path(level)))?;
        Ok(bytes)
    }

    /// Cuts the files off behind what a tree of `size` entries has; `false` if they have less.
    pub(crate) fn cut(&self, size: u64) -> Result<bool, AuditError> {
        for level in (0..).take(LEVELS) {
            let there = size.checked_shr(u32::from(level) * 8).unwrap_or(0);
            let path = self.path(level);
            if there == 0 && !path.exists() {
                continue;
            }
            let file = self.file(level)?;
            let length = file.metadata().map_err(AuditError::io(&path))?.len();
            let wanted = there.saturating_mul(HASH);
            if length < wanted {
                return Ok(false);
            }
            file.set_len(wanted).map_err(AuditError::io(&path))?;
        }
        Ok(true)
    }

    /// Brings the files to the disk.
    pub(crate) fn sync(&self) -> Result<(), AuditError> {
        for (level, file) in (0..).zip(&self.files) {
            if let Some(file) = file.get() {
                file.sync_data().map_err(AuditError::io(&self.path(level)))?;
            }
        }
        Ok(())
    }
}

fn absent(path: &Path) -> AuditError {
    AuditError::io(path)(io::ErrorKind::UnexpectedEof.into())
}

impl Hashes for &HashFiles {
    type Error = AuditError;

    fn subtree(&self, part: Subtree) -> Result<TreeHash, AuditError> {
        let (level, first, count) = hashes_of(part);
        let bytes = self.read(level, first, count)?;
        let (hashes, _) = bytes.as_chunks();
        let hashes: Vec<TreeHash> = hashes.iter().map(|hash| TreeHash::from(*hash)).collect();
        fold(&hashes).ok_or_else(|| absent(&self.path(level)))
    }
}

/// Hashes on their way into the files, in the order in which they belong there.
#[derive(Default)]
pub(crate) struct Gathered([Level; LEVELS]);

#[derive(Default)]
struct Level {
    /// How many are in the file.
    written: u64,
    bytes: Vec<u8>,
}

impl Gathered {
    /// What comes behind a tree of `size` entries.
    pub(crate) fn behind(size: u64) -> Self {
        let mut gathered = Self::default();
        for (level, of_level) in (0_u32..).zip(&mut gathered.0) {
            of_level.written = size.checked_shr(level.saturating_mul(8)).unwrap_or(0);
        }
        gathered
    }

    /// Takes the hash of a part of the tree, if files have such.
    pub(crate) fn push(&mut self, part: Subtree, hash: &TreeHash) {
        let (level, _, count) = hashes_of(part);
        if let Some(of_level) = self.0.get_mut(usize::from(level)).filter(|_| count == 1) {
            of_level.bytes.extend_from_slice(hash.as_bytes());
        }
    }

    /// Writes all that was taken; what could not be written is kept, and written the next time.
    pub(crate) fn write(&mut self, files: &HashFiles) -> Result<(), AuditError> {
        for (level, of_level) in (0..).zip(&mut self.0) {
            if of_level.bytes.is_empty() {
                continue;
            }
            let at = of_level.written.saturating_mul(HASH);
            let wrote = files.file(level)?.write_all_at(&of_level.bytes, at);
            wrote.map_err(AuditError::io(&files.path(level)))?;
            let count = of_level.bytes.len().checked_div(TreeHash::LENGTH).unwrap_or(0);
            of_level.written = of_level.written.saturating_add(count as u64);
            of_level.bytes.clear();
        }
        Ok(())
    }
}
