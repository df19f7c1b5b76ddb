//! Segments as files of the store's own directory: `objects/<two digits>/<id>`.
//!
//! A file is written as `objects/incoming/<id>`, locked by whoever writes it, and renamed when all of it is on the disk. What
//! a process that ended left there is nobody's, as locks end with their process: it is removed when a store is opened.
//! Several processes may have the directory open.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, ReadDir};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use moho_os::{PrivateFileError, open_regular};
use moho_terms::Timestamp;

use super::SegmentId;
use super::resting::{IncomingSegment, PresentSegment, RestingSegment, Segments};
use crate::error::StoreError;

const INCOMING: &str = "incoming";
const FOLDERS: usize = 256;

/// The folder of a store's segments. It comes to be with the first one.
pub struct LocalSegments {
    folder: PathBuf,
    /// Folders that this process knows to be on the disk for good.
    settled: Mutex<Vec<PathBuf>>,
}

impl LocalSegments {
    /// In this folder, where what ended processes left behind is removed.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be read.
    pub fn open(folder: PathBuf) -> Result<Self, StoreError> {
        let local = Self {
            folder,
            settled: Mutex::default(),
        };
        local.sweep()?;
        Ok(local)
    }

    fn incoming(&self) -> PathBuf {
        self.folder.join(INCOMING)
    }

    fn folder_of(&self, id: SegmentId) -> PathBuf {
        self.folder.join(format!("{:02x}", id.folder()))
    }

    fn path_of(&self, id: SegmentId) -> PathBuf {
        self.folder_of(id).join(id.to_string())
    }

    /// Sees to it that a folder below [`Self::folder`] is there, and stays.
    fn settle(&self, folder: &Path) -> Result<(), StoreError> {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        if settled.iter().any(|known| known == folder) {
            return Ok(());
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(StoreError::io(folder))?;
        // Another process may have made them and not have come that far.
        for one in folder.ancestors().skip(1).take(2) {
            sync(one)?;
        }
        settled.push(folder.to_owned());
        Ok(())
    }

    fn sweep(&self) -> Result<(), StoreError> {
        let Some(files) = list(&self.incoming())? else {
            return Ok(());
        };
        for file in files {
            let path = file.map_err(StoreError::io(&self.incoming()))?.path();
            if id_of(&path).is_some() {
                sweep(&path).map_err(StoreError::io(&path))?;
            }
        }
        Ok(())
    }

    /// The segments in one of the folders.
    fn present_in(&self, number: usize) -> Result<Vec<PresentSegment>, StoreError> {
        let folder = self.folder.join(format!("{number:02x}"));
        let Some(files) = list(&folder)? else {
            return Ok(Vec::new());
        };
        let mut present = Vec::new();
        for file in files {
            let file = file.map_err(StoreError::io(&folder))?;
            let path = file.path();
            let Some(id) = id_of(&path) else { continue };
            match file.metadata() {
                Ok(found) if found.is_file() => present.push(PresentSegment {
                    id,
                    sealed_length: found.len(),
                    kept_at: modified(&found),
                }),
                Ok(_no_file) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(StoreError::io(&path)(error)),
            }
        }
        Ok(present)
    }
}

impl Segments for LocalSegments {
    fn begin(&self, id: SegmentId) -> Result<Box<dyn IncomingSegment>, StoreError> {
        let (incoming, folder) = (self.incoming(), self.folder_of(id));
        self.settle(&incoming)?;
        self.settle(&folder)?;
        let path = incoming.join(id.to_string());
        let file = create(&path).map_err(StoreError::io(&path))?;
        Ok(Box::new(Incoming {
            draft: Draft(Some(path)),
            file,
            target: self.path_of(id),
            folder,
        }))
    }

    fn open(&self, id: SegmentId) -> Result<Box<dyn RestingSegment>, StoreError> {
        let path = self.path_of(id);
        match open_regular(&path) {
            Ok((file, length)) => Ok(Box::new(Resting { path, file, length })),
            Err(PrivateFileError::Absent(_)) => Err(StoreError::SegmentAbsent(id)),
            Err(PrivateFileError::Io { path, source }) => Err(StoreError::io(&path)(source)),
            Err(other) => Err(StoreError::io(&path)(io::Error::other(other))),
        }
    }

    fn delete(&self, id: SegmentId) -> Result<(), StoreError> {
        let path = self.path_of(id);
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io(&path)(error)),
        }
        // Also if it was gone: whoever removed it may have ended in between.
        match sync(&self.folder_of(id)) {
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn present(&self) -> Box<dyn Iterator<Item = Result<PresentSegment, StoreError>> + Send + '_> {
        Box::new((0..FOLDERS).flat_map(|number| match self.present_in(number) {
            Ok(found) => found.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        }))
    }
}

/// A name in the folder of incoming files, which goes when it is not kept.
struct Draft(Option<PathBuf>);

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // Should it fail, the next start removes it.
            drop(std::fs::remove_file(path));
        }
    }
}

struct Incoming {
    draft: Draft,
    /// Locked until it is kept.
    file: File,
    target: PathBuf,
    folder: PathBuf,
}

impl IncomingSegment for Incoming {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(StoreError::io(&self.target))
    }

    fn keep(mut self: Box<Self>) -> Result<(), StoreError> {
        let failed = StoreError::io(&self.target);
        let Some(path) = self.draft.0.as_deref() else {
            return Err(StoreError::SegmentUnfinished);
        };
        self.file
            .sync_data()
            .and_then(|()| std::fs::rename(path, &self.target))
            .map_err(failed)?;
        self.draft.0 = None;
        sync(&self.folder).inspect_err(|_| {
            // Nobody will remember a segment that was not kept.
            drop(std::fs::remove_file(&self.target));
        })
    }
}

struct Resting {
    path: PathBuf,
    file: File,
    length: u64,
}

impl RestingSegment for Resting {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&mut self, from: u64, into: &mut [u8]) -> Result<usize, StoreError> {
        let mut done = 0_usize;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, from.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(read) => done = done.saturating_add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::io(&self.path)(error)),
            }
        }
        Ok(done)
    }
}

/// A new file of mode 0600 that this process has locked.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    loop {
        let file = options.open(path)?;
        file.lock()?;
        // Whoever sweeps may have been faster with the lock: then the file has no name any more.
        if file.metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

/// Removes an incoming file, unless somebody is writing it.
fn sweep(path: &Path) -> io::Result<()> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let file = match open_regular(path) {
        Ok((file, _)) => file,
        Err(PrivateFileError::Io { source, .. }) => return Err(source),
        Err(_absent_or_no_file) => return Ok(()),
    };
    match file.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => return Ok(()),
        Err(std::fs::TryLockError::Error(error)) => return Err(error),
        Ok(()) => {}
    }
    // Another one that sweeps may have been faster, and the name may be a new file's by now.
    if file.metadata()?.nlink() == 0 {
        return Ok(());
    }
    std::fs::remove_file(path).or_else(|error| if gone(&error) { Ok(()) } else { Err(error) })
}

fn id_of(path: &Path) -> Option<SegmentId> {
    path.file_name()?.to_str()?.parse().ok()
}

/// When a file was written last; never, if nobody can say: nobody takes it for forgotten then.
fn modified(file: &Metadata) -> Timestamp {
    let at = file.modified().ok();
    let since = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let micros = since.and_then(|since| u64::try_from(since.as_micros()).ok());
    Timestamp::from_unix_micros(micros.unwrap_or(u64::MAX))
}

/// What is in a folder, if there is one.
fn list(folder: &Path) -> Result<Option<ReadDir>, StoreError> {
    match std::fs::read_dir(folder) {
        Ok(files) => Ok(Some(files)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io(folder)(error)),
    }
}

fn sync(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(StoreError::io(folder))
}
