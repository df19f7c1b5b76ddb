//! What is on its way to a bucket in parts: a file for each in the store's directory, so that what a killed process has left in
//! the bucket is found and given up at the next start. Services keep parts, and charge for them, until somebody does.
//!
//! A file holds the upload's name and is locked by whoever uploads. Several processes may have the directory open.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use moho_store::StoreError;
use moho_store::objects::SegmentId;

/// Beside the folders of a store's own segments.
const FOLDER: &str = "objects/uploads";
/// Bytes of an upload's name.
const LONGEST: u64 = 4096;

/// The folder of unfinished uploads. It comes to be with the first one.
#[derive(Clone)]
pub(super) struct Drafts {
    folder: PathBuf,
}

/// An upload that somebody is making, or has left.
pub(super) struct Draft {
    path: PathBuf,
    /// Locked.
    _file: File,
}

/// One that was left.
pub(super) struct LeftBehind {
    pub(super) id: SegmentId,
    pub(super) upload: String,
    pub(super) draft: Draft,
}

impl Draft {
    /// Forgets the upload: it was finished, or given up. Dropped without that, it is somebody's to give up later.
    pub(super) fn forget(self) {
        // Should it fail, it is given up once more, which does no harm.
        drop(std::fs::remove_file(&self.path));
    }
}

impl Drafts {
    pub(super) fn of(store: &Path) -> Self {
        Self {
            folder: store.join(FOLDER),
        }
    }

    /// Notes that a segment is being uploaded.
    pub(super) fn note(&self, id: SegmentId, upload: &str) -> Result<Draft, StoreError> {
        let path = self.folder.join(id.to_string());
        let noted = || -> io::Result<File> {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.folder)?;
            let mut file = create(&path)?;
            file.write_all(upload.as_bytes())?;
            Ok(file)
        };
        let file = noted().map_err(|source| StoreError::Io {
            path: path.clone(),
            source,
        })?;
        Ok(Draft { path, _file: file })
    }

    /// What processes that ended have left.
    pub(super) fn left_behind(&self) -> io::Result<Vec<LeftBehind>> {
        let files = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut left = Vec::new();
        for file in files {
            let path = file?.path();
            let id = path.file_name().and_then(|name| name.to_str()?.parse().ok());
            if let Some(id) = id
                && let Some(found) = taken_over(id, path)?
            {
                left.push(found);
            }
        }
        Ok(left)
    }
}

/// One that nobody has locked, unless nothing was uploaded yet.
fn taken_over(id: SegmentId, path: PathBuf) -> io::Result<Option<LeftBehind>> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let file = match File::open(&path) {
        Err(error) if gone(&error) => return Ok(None),
        other => other?,
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => {}
    }
    // Another one may have been faster, and the name may be a new file's by now.
    if file.metadata()?.nlink() == 0 {
        return Ok(None);
    }
    let mut upload = String::new();
    (&file).take(LONGEST).read_to_string(&mut upload)?;
    let draft = Draft { path, _file: file };
    if upload.is_empty() {
        draft.forget();
        return Ok(None);
    }
    Ok(Some(LeftBehind { id, upload, draft }))
}

/// A new file that this process has locked.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    loop {
        let file = options.open(path)?;
        file.lock()?;
        // Who looks for what was left may have seen it before it was locked.
        if file.metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_is_no_one_else_s_and_what_was_left_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let drafts = Drafts::of(folder.path());
        assert!(drafts.left_behind().unwrap().is_empty());
        let id = |number: u8| SegmentId::of(&[number; 32]);
        let going = drafts.note(id(1), "one").unwrap();
        drop(drafts.note(id(2), "two").unwrap());
        drafts.note(id(3), "three").unwrap().forget();
        drop(drafts.note(id(4), "").unwrap());
        std::fs::write(folder.path().join(FOLDER).join("foreign"), "x").unwrap();
        let left = drafts.left_behind().unwrap();
        let named: Vec<_> = left.iter().map(|one| (one.id, one.upload.as_str())).collect();
        assert_eq!(named, [(id(2), "two")]);
        assert!(drafts.left_behind().unwrap().is_empty(), "somebody sees to it");
        left.into_iter().for_each(|one| one.draft.forget());
        drop(going);
        assert_eq!(drafts.left_behind().unwrap().len(), 1);
    }
}
