//! What can go wrong with what is kept, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use moho_kms::{ContextError, KmsError, SealedError};
use moho_terms::{ArnError, EntropyUnavailable};
use rusqlite::ErrorCode;

use crate::authentic::{Alteration, Tampering, tampering};
use crate::migrations::known;
use crate::objects::SegmentId;

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
    /// A row is not the one that was written last, or the tree that says so was altered itself.
    #[error("the store was altered: {0}; stop moho, keep a copy, and restore it from a backup")]
    Altered(Alteration),
    /// The store is an earlier one than the last that was seen here.
    #[error(
        "the store in `{}` was rolled back: it is at change {found}, but change {expected} was made here before; \
         put the newer files back, or restore a backup and consent to it", .path.display()
    )]
    RolledBack {
        /// The database.
        path: PathBuf,
        /// How many changes it has seen.
        found: u64,
        /// How many it had seen at least.
        expected: u64,
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
    /// A backup is being made: what it copies may not be deleted meanwhile.
    #[error("a backup is being made: nothing that it may copy can be deleted until it has ended")]
    BackingUp,
    /// The account keeps no content.
    #[error("the account keeps no content")]
    KeepsNothing,
    /// What was to be done could not be written down, so it was not done.
    #[error(transparent)]
    NotWrittenDown(#[from] NotWrittenDown),
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
    /// A segment's bytes are not where they were kept.
    #[error("segment `{0}` is missing: restore it from a backup")]
    SegmentAbsent(SegmentId),
    /// The place elsewhere where segments rest does not do what it is asked for.
    #[error("the place of objects, `{place}`, {problem}")]
    Elsewhere {
        /// The place, as the settings name it.
        place: String,
        /// What it does instead.
        problem: PlaceProblem,
    },
    /// A segment is not the one that is remembered.
    #[error("segment `{segment}` is damaged: restore it from a backup")]
    SegmentDamaged {
        /// Which.
        segment: SegmentId,
        /// What is wrong with its head.
        source: SealedError,
    },
    /// A chunk of a segment was altered, moved, cut off or added.
    #[error("chunk {chunk} of segment `{segment}` is damaged: restore it from a backup")]
    ChunkDamaged {
        /// Which segment.
        segment: SegmentId,
        /// Which chunk, counted from 0.
        chunk: u32,
    },
    /// Part of a segment could not be written before.
    #[error("the segment cannot be finished, as part of it could not be written")]
    SegmentUnfinished,
    /// What is kept of an object is not all there.
    #[error("what is kept of an object is incomplete ({0}): restore it from a backup")]
    Incomplete(&'static str),
    /// The metadata of an object opens, and is none.
    #[error("the sealed metadata of an object cannot be read")]
    UnreadableMetadata,
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

/// What is about to be done could not be written down.
#[derive(Debug, thiserror::Error)]
#[error("what is to be done cannot be written down")]
pub struct NotWrittenDown(#[source] Box<dyn std::error::Error + Send + Sync>);

impl NotWrittenDown {
    /// Because of `source`.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// What a place elsewhere does instead of keeping and giving segments. It holds nothing that the place said, but for the name
/// of an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceProblem {
    /// Nobody answers there, or whoever does hangs up.
    #[error("cannot be reached")]
    Unreachable,
    /// It takes longer than is waited for.
    #[error("does not answer in time")]
    Slow,
    /// It does not let this moho in.
    #[error("refuses this moho{}: look after its credentials, and what they may do there", named(.0))]
    Refused(String),
    /// It cannot do it now, or does not as S3 does.
    #[error("fails{}", named(.0))]
    Failed(String),
    /// It says what cannot be: other bytes than were asked for, or fewer.
    #[error("answers what is no answer to what it was asked for")]
    Nonsense,
    /// As much is on its way to it as there may be.
    #[error("has as much on its way to it as there may be: try again")]
    Crowded,
    /// This moho's credentials for it cannot be read.
    #[error("cannot be asked: its credentials file {0}")]
    Credentials(&'static str),
    /// moho is stopping, and waits for it no longer.
    #[error("is not asked any more, as moho is stopping")]
    Stopping,
}

/// An error's name, where there is one.
fn named(code: &str) -> String {
    if code.is_empty() {
        String::new()
    } else {
        format!(" ({code})")
    }
}

impl StoreError {
    /// Sorts what SQLite said about the database at `path`.
    pub(crate) fn from_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let source = if let rusqlite::Error::UserFunctionError(inner) = source {
            // It may have been ours.
            match inner.downcast::<Self>() {
                Ok(own) => return *own,
                Err(other) => rusqlite::Error::UserFunctionError(other),
            }
        } else {
            source
        };
        match tampering(&source) {
            Some(Tampering::Altered(alteration)) => return Self::Altered(alteration.clone()),
            Some(&Tampering::RolledBack { found, expected }) => {
                return Self::RolledBack {
                    path,
                    found,
                    expected,
                };
            }
            Some(&Tampering::Newer(found)) => {
                let known = known();
                return Self::Newer { path, found, known };
            }
            None => {}
        }
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

    /// Whether something that is kept is not as it was written, or cannot be read.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Altered(_)
                | Self::Corrupt { .. }
                | Self::DiskFailed { .. }
                | Self::Incomplete(_)
                | Self::Io { .. }
        )
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
