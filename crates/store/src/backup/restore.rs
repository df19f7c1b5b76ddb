//! Putting a backup in the place of a store: copied beside it first, and then by two renames.
//!
//! Between the two it is open to whoever has something to write down in it before anybody serves from it.

use std::path::{Path, PathBuf};

use moho_kms::RootKey;
use moho_os::{FileLock, LockError, lock_file_exclusive};
use moho_terms::{Entropy, Timestamp};

use super::check::{damaged, missing, place};
use super::manifest::Line;
use crate::objects::{SegmentId, Segments};
use crate::{Restoration, Store, StoreError};

use super::{BackupError, CheckedBackup, DATABASE, Hearing, JOURNAL, Progress, copy, hex};

/// The anchor beside the database.
const ANCHOR: &str = "anchor";

/// Where a store is to be.
pub struct RestoreInto<'a> {
    /// Its directory.
    pub store: &'a Path,
    /// Where its segments are to rest; without one, in files of its own.
    pub segments: Option<&'a dyn Segments>,
    /// Whether a store that is there makes way.
    pub replace: bool,
    /// The time.
    pub now: Timestamp,
}

/// A backup beside the place that it is for.
pub struct StagedRestore {
    store: PathBuf,
    staged: PathBuf,
    now: Timestamp,
    /// Keeps every process away from the store that makes way.
    _locks: Vec<FileLock>,
}

/// A store that was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where the store is that made way.
    pub set_aside: Option<PathBuf>,
}

/// Where a backup is staged that is to be the store in a directory.
#[must_use]
pub fn staging_of(store: &Path) -> PathBuf {
    beside(store, "restoring")
}

/// Copies a backup beside its place, and checks every file once more.
///
/// # Errors
/// [`BackupError::InUse`] if a process uses the store, [`BackupError::NotEmpty`] if there is one and it is not to make way;
/// nothing of it has changed.
pub fn stage_backup(
    backup: &CheckedBackup,
    into: &RestoreInto<'_>,
    hearing: Hearing<'_>,
) -> Result<StagedRestore, BackupError> {
    let store = into.store.to_owned();
    let locks = locked(&store)?;
    if store.join(DATABASE).exists() && !into.replace {
        return Err(BackupError::NotEmpty(store));
    }
    let staged = staging_of(&store);
    match std::fs::remove_dir_all(&staged) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(BackupError::io(&staged)(error));
        }
        Ok(()) | Err(_) => {}
    }
    copy::folder(&staged)?;
    let copied = copy_all(backup, (&staged, into.segments), hearing);
    if copied.is_err() {
        // What was copied is of no use; should it stay, the next attempt removes it.
        drop(std::fs::remove_dir_all(&staged));
    }
    copied?;
    Ok(StagedRestore {
        store,
        staged,
        now: into.now,
        _locks: locks,
    })
}

impl StagedRestore {
    /// Where it is, until it is put in its place.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.staged
    }

    /// Makes it the last state there was, later than that of the store that makes way, after all of it was compared with its
    /// tree. Whoever does that has consented to what may be an earlier state; with a `restoration` it is served only when that
    /// is accepted, wherever it is put.
    ///
    /// # Errors
    /// [`BackupError::Store`] if it was altered.
    pub fn accept(
        &self,
        trust: (&RootKey, &dyn Entropy),
        restoration: Option<&Restoration>,
    ) -> Result<(), BackupError> {
        let anchor = self.store.join(ANCHOR);
        if anchor.is_file() {
            // What it knows of is earlier from now on.
            copy::copy(&anchor, &self.staged.join(ANCHOR), u64::MAX)?;
        }
        Store::accept_rollback(&self.staged, trust, restoration)?;
        Ok(())
    }

    /// Puts it in its place. A store that is there is set aside, under a name with the time.
    ///
    /// # Errors
    /// [`BackupError`]; then the store that was there is still there, or under that name.
    pub fn put_in_place(self) -> Result<Restored, BackupError> {
        copy::settle(&self.staged)?;
        let set_aside = if self.store.exists() {
            let aside = beside(&self.store, &format!("before-{}", self.now.iso8601_basic()));
            if aside.exists() {
                return Err(BackupError::NotEmpty(aside));
            }
            std::fs::rename(&self.store, &aside).map_err(BackupError::io(&aside))?;
            Some(aside)
        } else {
            None
        };
        std::fs::rename(&self.staged, &self.store).map_err(BackupError::io(&self.store))?;
        if let Some(parent) = self.store.parent() {
            copy::settle(parent)?;
        }
        Ok(Restored { set_aside })
    }
}

/// Copies the journal of a backup to where there is none.
///
/// # Errors
/// [`BackupError`]; then there may be a part of it.
pub fn restore_journal(backup: &CheckedBackup, to: &Path) -> Result<(), BackupError> {
    copy::folder(to)?;
    for line in backup.manifest.lines()? {
        let line = line?;
        if let Some(name) = line
            .file
            .strip_prefix(JOURNAL)
            .and_then(|name| name.strip_prefix('/'))
        {
            copy_checked(&backup.path, &line, &to.join(name))?;
        }
    }
    copy::settle(to)
}

fn locked(store: &Path) -> Result<Vec<FileLock>, BackupError> {
    if !store.is_dir() {
        return Ok(Vec::new());
    }
    let lock = lock_file_exclusive(&store.join("moho.lock")).map_err(|error| match error {
        LockError::Io { path, source } => BackupError::io(&path)(source),
        LockError::Held(_) | _ => BackupError::InUse(store.to_owned()),
    })?;
    Ok(vec![lock])
}

fn beside(store: &Path, what: &str) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(what);
    store.with_file_name(name)
}

fn copy_all(
    backup: &CheckedBackup,
    (staged, segments): (&Path, Option<&dyn Segments>),
    hearing: Hearing<'_>,
) -> Result<(), BackupError> {
    let (mut done, mut bytes) = (0_u64, 0_u64);
    for line in backup.manifest.lines()? {
        let line = line?;
        if let (Some(segments), Some(id)) = (segments, line.segment()) {
            keep_checked(&backup.path, &line, (segments, id))?;
        } else if !line.file.starts_with(JOURNAL) {
            let to = line
                .path(staged)
                .ok_or_else(|| damaged(&line, "is nowhere in a backup"))?;
            if let Some(parent) = to.parent() {
                copy::folder(parent)?;
            }
            copy_checked(&backup.path, &line, &to)?;
        }
        done = done.saturating_add(1);
        bytes = bytes.saturating_add(line.bytes);
        hearing(Progress {
            step: "files",
            done,
            total: backup.manifest.files(),
            bytes,
        });
    }
    copy::settle(staged)
}

/// Puts a segment where segments rest, unless it is there already.
fn keep_checked(
    backup: &Path,
    line: &Line,
    (segments, id): (&dyn Segments, SegmentId),
) -> Result<(), BackupError> {
    let same = |digest: &copy::Digest| digest.bytes == line.bytes && hex(&digest.sha256) == line.sha256;
    match segments.open(id) {
        Ok(mut resting) if resting.length() == line.bytes => {
            if same(&copy::digest_resting(&mut *resting)?) {
                return Ok(());
            }
        }
        Ok(_other) => {}
        Err(StoreError::SegmentAbsent(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let from = place(backup, line)?;
    let digest = copy::keep_in(segments, (&from, id), &same).map_err(|error| missing(error, line))?;
    if same(&digest) {
        Ok(())
    } else {
        Err(damaged(line, "has other bytes"))
    }
}

fn copy_checked(backup: &Path, line: &Line, to: &Path) -> Result<(), BackupError> {
    let from = place(backup, line)?;
    let digest = copy::copy(&from, to, u64::MAX).map_err(|error| missing(error, line))?;
    if digest.bytes != line.bytes || hex(&digest.sha256) != line.sha256 {
        return Err(damaged(line, "has other bytes"));
    }
    Ok(())
}
