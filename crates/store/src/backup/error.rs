//! Why there is no backup, or none that can be used.

use std::path::{Path, PathBuf};

use crate::StoreError;

/// What is wrong with a backup. Files are named by where they are in it; nothing of what they hold is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There is no backup at all.
    #[error("`{}` is no backup: it has no manifest", .0.display())]
    NoBackup(PathBuf),
    /// The manifest is not one, or was altered, or is another installation's.
    #[error("the manifest of the backup `{}` cannot be trusted: {why}", path.display())]
    Manifest {
        /// The backup.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// A file of the backup is not as it was written.
    #[error("the backup is damaged: `{file}` {why}")]
    Damaged {
        /// The file, as the manifest names it.
        file: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Somebody else makes a backup there.
    #[error("a backup is being made in `{}`: wait until it has ended", .0.display())]
    Making(PathBuf),
    /// Bytes that a row names are not there.
    #[error("the segment {0} is named in the store, but its bytes are not there: the store is damaged")]
    SegmentGone(String),
    /// There is no store to copy.
    #[error("there is no store in `{}`", .0.display())]
    NoStore(PathBuf),
    /// The store was written by another version.
    #[error("the store has schema version {found}, and this moho knows {known}: use the moho that serves it")]
    OtherVersion {
        /// The store's.
        found: u32,
        /// This moho's.
        known: u32,
    },
    /// A process has the store open.
    #[error("a moho uses the store in `{}`: stop it first", .0.display())]
    InUse(PathBuf),
    /// Something is there already.
    #[error("there is a store in `{}` already: --replace sets it aside", .0.display())]
    NotEmpty(PathBuf),
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Cryptography,
    /// It cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let failed = StoreError::io(path);
        move |error| failed(error).into()
    }

    pub(super) fn sqlite(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |error| StoreError::from_sqlite(&path, error).into()
    }
}
