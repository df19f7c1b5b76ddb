//! What can be wrong with a journal, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use moho_attest::log::CheckpointError;

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
    /// It had more records when its last checkpoint was signed.
    #[error(
        "the journal in `{}` has {has} records, and {had} were signed: its newest ones were taken away, or an older state was put back. \
         Nothing was changed: keep a copy of the whole directory as evidence, then restore the newest state, or move the \
         journal away to begin a new one",
        .directory.display()
    )]
    RolledBack {
        /// The journal's directory.
        directory: PathBuf,
        /// How many records there are.
        has: u64,
        /// How many there were.
        had: u64,
    },
    /// It is a log, and what that published last is missing.
    #[error(
        "the journal in `{}` is the log that its file `log` names, but the `checkpoint` beside it is missing: nobody can tell how many \
         records were signed, and fewer must not be. Nothing was changed: keep a copy of the whole directory as evidence, then put \
         the newest checkpoint of this log back, or move `log` away to begin a new log with all records that are left",
        .0.display()
    )]
    NoCheckpoint(PathBuf),
    /// The last checkpoint is not one that this journal has signed.
    #[error(
        "the journal's checkpoint `{}` is not one that it has signed: it was altered, or is another journal's. Keep a copy of \
         the whole directory as evidence, then restore it from a backup or move it away to begin a new journal",
        .path.display()
    )]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// The file that says which log the journal is says nothing of the kind.
    #[error("`{}` is not the id of a log, 32 hexadecimal digits: restore it from where checkpoints of this log are kept", .0.display())]
    NoLog(PathBuf),
    /// A checkpoint could not be signed.
    #[error("the journal's checkpoint cannot be signed: {0}")]
    Unsigned(String),
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
