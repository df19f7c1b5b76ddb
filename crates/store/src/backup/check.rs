//! Checking a backup against its manifest: every file, every byte.

use std::path::{Path, PathBuf};

use moho_terms::Secret;

use super::manifest::{BackupHead, Line, Manifest};
use super::{BackupError, Hearing, Progress, copy, hex};
use crate::StoreError;

/// A backup whose manifest and files are as they were written.
pub struct CheckedBackup {
    pub(super) path: PathBuf,
    pub(super) manifest: Manifest,
}

impl CheckedBackup {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is of.
    #[must_use]
    pub fn head(&self) -> &BackupHead {
        self.manifest.head()
    }

    /// How many files it has, and how many bytes.
    #[must_use]
    pub fn size(&self) -> (u64, u64) {
        (self.manifest.files(), self.manifest.bytes())
    }
}

/// Checks all of a backup. The newest one of a folder stands for the folder.
///
/// # Errors
/// [`BackupError`]: the first thing that is not as it was written.
pub fn check_backup(path: &Path, key: &Secret, hearing: Hearing<'_>) -> Result<CheckedBackup, BackupError> {
    let path = newest(path)?;
    let manifest = Manifest::open(&path, key)?;
    let mut done = 0_u64;
    let mut bytes = 0_u64;
    for line in manifest.lines()? {
        check_file(&path, &line?).map(|read| bytes = bytes.saturating_add(read))?;
        done = done.saturating_add(1);
        hearing(Progress {
            step: "files",
            done,
            total: manifest.files(),
            bytes,
        });
    }
    if done != manifest.files() {
        return Err(BackupError::Manifest {
            path,
            why: "it was changed while it was read",
        });
    }
    Ok(CheckedBackup { path, manifest })
}

fn newest(path: &Path) -> Result<PathBuf, BackupError> {
    if path.join(super::manifest::FILE).exists() {
        return Ok(path.to_owned());
    }
    let newest = super::backups_in(path)?.pop();
    newest.ok_or_else(|| BackupError::NoBackup(path.to_owned()))
}

fn check_file(backup: &Path, line: &Line) -> Result<u64, BackupError> {
    let path = place(backup, line)?;
    let digest = copy::digest(&path).map_err(|error| missing(error, line))?;
    if digest.bytes != line.bytes {
        return Err(damaged(line, "has another length"));
    }
    if hex(&digest.sha256) != line.sha256 {
        return Err(damaged(line, "has other bytes"));
    }
    Ok(digest.bytes)
}

/// Where a file of a backup is.
pub(super) fn place(backup: &Path, line: &Line) -> Result<PathBuf, BackupError> {
    let path = line
        .path(backup)
        .ok_or_else(|| damaged(line, "is nowhere in a backup"))?;
    let found = std::fs::symlink_metadata(&path);
    match found {
        Ok(found) if found.is_file() => Ok(path),
        Ok(_other) => Err(damaged(line, "is no file")),
        Err(error) => Err(missing(BackupError::io(&path)(error), line)),
    }
}

pub(super) fn missing(error: BackupError, line: &Line) -> BackupError {
    if let BackupError::Store(StoreError::Io { source, .. }) = &error
        && source.kind() == std::io::ErrorKind::NotFound
    {
        return damaged(line, "is missing");
    }
    error
}

pub(super) fn damaged(line: &Line, why: &'static str) -> BackupError {
    BackupError::Damaged {
        file: line.file.clone(),
        why,
    }
}
