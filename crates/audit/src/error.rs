//! What can be wrong with a journal, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// The journal cannot be opened, written or verified. Never holds an entry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// An entry was altered, removed or moved.
    #[error(
        "the journal is broken in `{}` at byte {offset}: {what}. It was altered or the disk failed. Nothing was changed: keep a \
         copy of the whole directory as evidence, then restore it from a backup or move it away to begin a new journal",
        .path.display()
    )]
    Broken {
        /// The file.
        path: PathBuf,
        /// Where the first wrong record begins.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// Another process writes this journal.
    #[error("the journal in `{}` is in use: another moho is running on this directory; stop it first", .0.display())]
    InUse(PathBuf),
    /// An entry is longer than any real one.
    #[error("an entry of the journal has at most {limit} bytes")]
    TooLong {
        /// The most there may be.
        limit: usize,
    },
    /// Entries may not have reached the disk, and which ones cannot be told.
    #[error("the journal's disk failed to keep what was written: check the disk, then start moho again")]
    NotDurable,
    /// The disk is full.
    #[error("the disk of the journal is full: free space on the file system of `{}`", .0.display())]
    DiskFull(PathBuf),
    /// The disk or the kernel failed.
    #[error("the journal's `{}` cannot be read or written", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl AuditError {
    /// Sorts what the kernel said about `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| {
            let full = [
                io::ErrorKind::StorageFull,
                io::ErrorKind::QuotaExceeded,
                io::ErrorKind::FileTooLarge,
            ];
            if full.contains(&source.kind()) {
                Self::DiskFull(path)
            } else {
                Self::Io { path, source }
            }
        }
    }
}
