//! The hashes of the journal's tree on the disk: for each level of tiles a file of hashes, one after the other, and one of the
//! records' digests, which are the log's entries.
//!
//! All of it follows from the records and is made again from them when it is missing or wrong, so nothing waits for it to reach
//! the disk. A tile is a piece of such a file, whole or partial.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use moho_attest::log::{Hashes, Subtree, TreeHash, fold, hashes_of};

use crate::error::AuditError;

/// Levels of tiles: a tree of 2^64 entries has no more.
const LEVELS: u8 = 8;
/// Files.
const FILES: usize = LEVELS as usize + 1;
/// Bytes of a hash, and of a digest.
const HASH: u64 = TreeHash::LENGTH as u64;

/// Which file.
#[derive(Clone, Copy)]
pub(crate) enum Kept {
    /// Hashes of parts of `256^level` entries.
    Level(u8),
    /// Digests of records.
    Digests,
}

impl Kept {
    fn all() -> impl Iterator<Item = Self> {
        (0..LEVELS).map(Self::Level).chain([Self::Digests])
    }

    fn place(self) -> usize {
        usize::from(match self {
            Self::Level(level) => level,
            Self::Digests => LEVELS,
        })
    }

    fn path(self, directory: &Path) -> PathBuf {
        directory.join(match self {
            Self::Level(level) => format!("hashes-{level}"),
            Self::Digests => "digests".to_owned(),
        })
    }

    /// How many it has of a tree of `size` entries.
    fn of_size(self, size: u64) -> u64 {
        match self {
            Self::Level(level) => size.checked_shr(u32::from(level).saturating_mul(8)).unwrap_or(0),
            Self::Digests => size,
        }
    }
}

/// The files, for one who writes and any number who read what is known to be written. All are open from the beginning: how many
/// files a process has open does not grow with the log.
pub(crate) struct HashFiles {
    directory: PathBuf,
    files: Vec<File>,
}

impl HashFiles {
    /// Opens them; what is absent is made.
    pub(crate) fn open(directory: &Path) -> Result<Self, AuditError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        Self::opened(directory, options.mode(0o600))
    }

    /// Opens them to be read only; an error if one is absent.
    pub(crate) fn open_to_read(directory: &Path) -> Result<Self, AuditError> {
        Self::opened(directory, OpenOptions::new().read(true))
    }

    fn opened(directory: &Path, options: &OpenOptions) -> Result<Self, AuditError> {
        let opened = Kept::all().map(|kept| {
            let path = kept.path(directory);
            options.open(&path).map_err(AuditError::io(&path))
        });
        Ok(Self {
            directory: directory.to_owned(),
            files: opened.collect::<Result<_, _>>()?,
        })
    }

    fn path(&self, kept: Kept) -> PathBuf {
        kept.path(&self.directory)
    }

    fn file(&self, kept: Kept) -> Result<&File, AuditError> {
        self.files
            .get(kept.place())
            .ok_or_else(|| absent(&self.path(kept)))
    }

    /// The hashes from `first` on, as bytes; an error if they are not all there.
    pub(crate) fn read(&self, kept: Kept, first: u64, count: u16) -> Result<Vec<u8>, AuditError> {
        let mut bytes = vec![0; usize::from(count).saturating_mul(TreeHash::LENGTH)];
        let at = first.checked_mul(HASH).ok_or_else(|| absent(&self.path(kept)))?;
        let read = self.file(kept)?.read_exact_at(&mut bytes, at);
        read.map_err(AuditError::io(&self.path(kept)))?;
        Ok(bytes)
    }

    /// Cuts the files off behind what a tree of `size` entries has; `false` if they have less.
    pub(crate) fn cut(&self, size: u64) -> Result<bool, AuditError> {
        for kept in Kept::all() {
            let (there, path) = (kept.of_size(size), self.path(kept));
            let file = self.file(kept)?;
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
        for kept in Kept::all() {
            let synced = self.file(kept)?.sync_data();
            synced.map_err(AuditError::io(&self.path(kept)))?;
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
        let kept = Kept::Level(level);
        let bytes = self.read(kept, first, count)?;
        let (hashes, _) = bytes.as_chunks();
        let hashes: Vec<TreeHash> = hashes.iter().map(|hash| TreeHash::from(*hash)).collect();
        fold(&hashes).ok_or_else(|| absent(&self.path(kept)))
    }
}

/// Hashes on their way into the files, in the order in which they belong there.
pub(crate) struct Gathered([Pile; FILES]);

#[derive(Default)]
struct Pile {
    /// How many are in the file.
    written: u64,
    bytes: Vec<u8>,
}

impl Gathered {
    /// What comes behind a tree of `size` entries.
    pub(crate) fn behind(size: u64) -> Self {
        let mut piles: [Pile; FILES] = Default::default();
        for (kept, pile) in Kept::all().zip(&mut piles) {
            pile.written = kept.of_size(size);
        }
        Self(piles)
    }

    /// Takes the digest of a record.
    pub(crate) fn digest(&mut self, digest: &[u8; 32]) {
        self.gather(Kept::Digests, digest);
    }

    /// Takes the hash of a part of the tree, if files have such.
    pub(crate) fn hash(&mut self, part: Subtree, hash: &TreeHash) {
        let (level, _, count) = hashes_of(part);
        if count == 1 {
            self.gather(Kept::Level(level), hash.as_bytes());
        }
    }

    fn gather(&mut self, kept: Kept, bytes: &[u8; 32]) {
        if let Some(pile) = self.0.get_mut(kept.place()) {
            pile.bytes.extend_from_slice(bytes);
        }
    }

    /// Writes all that was taken; what could not be written is kept, and written the next time.
    pub(crate) fn write(&mut self, files: &HashFiles) -> Result<(), AuditError> {
        for (kept, pile) in Kept::all().zip(&mut self.0) {
            if pile.bytes.is_empty() {
                continue;
            }
            let at = pile.written.saturating_mul(HASH);
            let wrote = files.file(kept)?.write_all_at(&pile.bytes, at);
            wrote.map_err(AuditError::io(&files.path(kept)))?;
            let count = pile.bytes.len().checked_div(TreeHash::LENGTH).unwrap_or(0);
            pile.written = pile.written.saturating_add(count as u64);
            pile.bytes.clear();
        }
        Ok(())
    }
}
