//! Backups: a copy of the metadata of one moment and of every sealed segment that it names, made beside a moho that serves.
//!
//! ```text
//! DIR/20261123T101500Z/  manifest, moho.sqlite, objects/xx/<segment>, journal/journal-….jsonl
//! DIR/unfinished/        one that is being made: it has no manifest, so nobody takes it for a backup
//! ```
//! What is copied is ciphertext, names and the journal. No root key and no key of a session is near it: what a backup can be
//! opened with is kept elsewhere. A segment never changes, so one that an earlier backup of the same folder has is linked, not
//! copied; each backup is whole by itself, and any of them can be removed.

mod check;
mod copy;
mod error;
mod make;
mod manifest;
mod named;
mod pin;
mod restore;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use moho_kms::RootKey;
use moho_terms::{Secret, Timestamp};

use crate::objects::Segments;

pub use check::{CheckedBackup, check_backup};
pub use error::BackupError;
pub use make::{BackupMade, back_up};
pub use manifest::BackupHead;
pub use named::{WhatIsKnown, what_is_known};
pub use restore::{RestoreInto, Restored, StagedRestore, restore_journal, stage_backup, staging_of};

pub(crate) use manifest::{files_of, of_files};
pub(crate) use pin::deleting;

/// What a backup is called by the root key: the purpose that its key is derived for.
pub const BACKUP_KEY: &str = "store/backup-manifest/1";

/// The database in a backup.
const DATABASE: &str = "moho.sqlite";
/// The folder of segments.
const OBJECTS: &str = "objects";
/// The folder of the journal.
const JOURNAL: &str = "journal";
/// A backup that is being made.
const UNFINISHED: &str = "unfinished";

/// A file of the journal, and how much of it are whole entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalPart {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of whole entries.
    pub whole: u64,
}

/// What there is to back up.
pub struct Original<'a> {
    /// The store's directory.
    pub store: &'a Path,
    /// Where its segments rest.
    pub segments: &'a dyn Segments,
    /// Says how far the journal goes by now: asked once the metadata is copied, so that it knows of every change there is.
    pub journal: &'a dyn Fn() -> std::io::Result<Vec<JournalPart>>,
    /// The moho's name, empty if there is but one.
    pub node: &'a str,
    /// The root of trust.
    pub root: &'a RootKey,
    /// Derived from the root key for [`BACKUP_KEY`].
    pub key: &'a Secret,
    /// The time.
    pub now: Timestamp,
}

/// How far a backup, a check or a restoration has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, in a word: `metadata`, `segments`, `journal`, `files`.
    pub step: &'static str,
    /// How much of it is done: pages, segments or files.
    pub done: u64,
    /// Of how much.
    pub total: u64,
    /// How many bytes were read or linked.
    pub bytes: u64,
}

/// Hears of it.
pub type Hearing<'a> = &'a mut dyn FnMut(Progress);

/// Every backup in a folder, oldest first.
///
/// # Errors
/// [`BackupError::Store`] if the folder cannot be read.
pub fn backups_in(folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(BackupError::io(folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(BackupError::io(folder))?.path();
        let named = path.file_name().is_some_and(|name| name != UNFINISHED);
        if named && path.join(manifest::FILE).is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    };
    pairs.map(byte).collect()
}
