//! What can go wrong with what is kept, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use moho_kms::{ContextError, KmsError};
use moho_terms::{ArnError, EntropyUnavailable};
use rusqlite::ErrorCode;

/// Something cannot be kept, found or opened. No variant holds content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full. Nothing was changed.
    #[error("the disk is full: free space on the file system of `{}`", .0.display())]
    DiskFull(PathBuf),
    /// The disk failed. Whether something was changed shows when the store is opened again.
    #[error("the disk failed under `{}`: check the disk, then start moho again", .path.display())]
    DiskFailed {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The database is damaged.
    #[error("the database `{}` is damaged: stop moho, keep a copy, and restore it from a backup", .path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Something else has put its tables there.
    #[error("the database `{}` is not moho's: choose another data directory", .0.display())]
    Foreign(PathBuf),
    /// A later moho has written it.
    #[error("the database `{}` has schema version {found}, but this moho knows only {known}: install the newer moho again", .path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The last one known here.
        known: u32,
    },
    /// A process has it open that shares it with no other.
    #[error("the store in `{}` is in use: a moho of an earlier version is running on this directory; stop it first", .0.display())]
    InUse(PathBuf),
    /// Another process is changing it for so long that this one gave up waiting. Nothing was changed.
    #[error("the database `{}` is busy: another moho changes it; try again", .0.display())]
    Busy(PathBuf),
    /// There is something with this name already, or what it belongs to is absent.
    #[error("it exists already, or what it belongs to does not exist")]
    Conflict(#[source] rusqlite::Error),
    /// There are as many of these as there may be.
    #[error("there is no room for more {0}")]
    Full(&'static str),
    /// The file system refused.
    #[error("`{}` cannot be used", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// SQLite refused what it never should.
    #[error("the database `{}` cannot be used", .path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The permit is for something else than a response of its caller's account.
    #[error("the permit is not for a response of the caller's account")]
    NotAResponse,
    /// The permit is for something else than is asked for, or for another account's.
    #[error("the permit is not for that")]
    OtherPermit,
    /// The key cannot be used, or the object does not open.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// An encryption context could not be made.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
    /// A name could not be made.
    #[error(transparent)]
    Name(#[from] ArnError),
}

impl StoreError {
    /// Sorts what SQLite said about the database at `path`.
    pub(crate) fn from_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        if unreadable_row(&source) {
            return Self::Corrupt { path, source };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull(path),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { path, source },
            Some(ErrorCode::SystemIoFailure) => Self::DiskFailed { path, source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(path),
            Some(ErrorCode::ConstraintViolation) => Self::Conflict(source),
            _ => Self::Database { path, source },
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| {
            let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
            if full.contains(&source.kind()) {
                Self::DiskFull(path)
            } else {
                Self::Io { path, source }
            }
        }
    }
}

/// Whether a row holds what moho never wrote.
fn unreadable_row(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
    matches!(
        error,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..)
    )
}
