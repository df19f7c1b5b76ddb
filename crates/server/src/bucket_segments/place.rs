//! Where a store's segments rest, remembered beside the store: settings that name another place are refused before anything is
//! lost, and a bucket is used only with the folder that was made in it for this store.
//!
//! Without the file of the place, segments are files of the store. While a store has none, it may come to rest elsewhere, if no
//! other process has it open.

use std::path::Path;
use std::sync::Arc;

use moho_os::{
    FileLock, LockError, PrivateFileError, lock_file_exclusive, lock_file_in_turn, try_lock_file_shared,
};
use moho_store::objects::{LocalSegments, Segments};
use moho_store::{Store, StoreError};
use moho_terms::{Entropy, EntropyUnavailable};

use super::{BucketError, BucketSegments};
use crate::closing::Closing;
use crate::config::ObjectsConfig;

/// The place, in the store's directory: the folder's name, and where it is, for people.
const FILE: &str = "segments.place";
/// Held by every process that has the store open, with others.
const LOCK: &str = "segments.lock";
/// Held by one process at a time, while it finds out.
const TURN: &str = "segments.turn";
/// Bytes of the file.
const LONGEST: usize = 4096;
/// Random bytes of a folder's name.
const RANDOM: usize = 16;

/// Why segments have no place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error(
        "the objects of this store rest {remembered}, and the settings (`objects.url`) say {named}: set them back; \
         to move the objects, make a backup (`moho backup`), and restore it with the new settings"
    )]
    Moved { remembered: String, named: String },
    #[error(
        "the folder of this store's objects, `{folder}`, is not in {named}; it was last seen in {remembered}: set \
         `objects.url` and `objects.endpoint` back, or copy all of the folder to there"
    )]
    Gone {
        folder: String,
        remembered: String,
        named: String,
    },
    #[error("another moho has this store open with other settings of `objects`: stop it first")]
    InUse,
    #[error("{} says of no place where objects rest: restore it from a copy", .0.display())]
    Unreadable(std::path::PathBuf),
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("the bucket of `objects.url` cannot be used")]
    Bucket(#[from] BucketError),
    #[error("the bucket of `objects.url` cannot be used")]
    Asked(#[source] StoreError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
}

/// Where segments rest, and the lock that keeps them there.
pub(crate) struct Settled {
    /// `None` if they are files of the store.
    pub(crate) segments: Option<Arc<dyn Segments>>,
    pub(crate) lock: FileLock,
}

/// What is remembered.
struct Remembered {
    folder: String,
    place: String,
}

/// What to settle a place with.
pub(crate) struct Settling<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) wanted: Option<&'a ObjectsConfig>,
    pub(crate) closing: &'a Closing,
}

impl Settling<'_> {
    /// Where the segments of a store that is to be served rest. The bucket is asked whether it is the right one, and whether it
    /// takes what is sent.
    pub(crate) fn settle(&self, store: &Store, entropy: &dyn Entropy) -> Result<Settled, PlaceError> {
        let _turn = lock_file_in_turn(&self.directory.join(TURN))?;
        let lock = self.directory.join(LOCK);
        let shared = || try_lock_file_shared(&lock);
        let remembered = self.remembered()?;
        if let (None, None) = (&remembered, self.wanted) {
            return Ok(Settled {
                segments: None,
                lock: shared()?,
            });
        }
        if let (Some(remembered), Some(wanted)) = (&remembered, self.wanted) {
            let bucket = self.bucket(wanted, &remembered.folder)?;
            if bucket.is_there().map_err(PlaceError::Asked)? {
                return used(bucket, shared()?);
            }
        }
        if store.needs_its_segments()? {
            return Err(self.elsewhere(remembered));
        }
        let alone = lock_file_exclusive(&lock).map_err(|error| match error {
            LockError::Held(_) => PlaceError::InUse,
            other @ (LockError::Io { .. } | _) => PlaceError::Lock(other),
        })?;
        let made = self.make(entropy)?;
        match &made {
            Some(new) => new.remember(self.directory)?,
            None => self.forget()?,
        }
        drop(alone);
        match made {
            Some(new) => used(new.bucket, shared()?),
            None => Ok(Settled {
                segments: None,
                lock: shared()?,
            }),
        }
    }

    /// Where the segments of a store rest that is only read. Nothing is changed.
    pub(crate) fn as_remembered(&self) -> Result<Arc<dyn Segments>, PlaceError> {
        let remembered = self.remembered()?;
        match (&remembered, self.wanted) {
            (None, _) => Ok(Arc::new(LocalSegments::open(self.directory.join("objects"))?)),
            (Some(known), Some(wanted)) => {
                let bucket = self.bucket(wanted, &known.folder)?;
                if bucket.is_there().map_err(PlaceError::Asked)? {
                    Ok(Arc::new(bucket))
                } else {
                    Err(self.elsewhere(remembered))
                }
            }
            (Some(_), None) => Err(self.elsewhere(remembered)),
        }
    }

    /// A new folder, which nobody else has; none if segments are to be files.
    pub(crate) fn make(&self, entropy: &dyn Entropy) -> Result<Option<NewPlace>, PlaceError> {
        let Some(wanted) = self.wanted else {
            return Ok(None);
        };
        let mut random = [0; RANDOM];
        entropy.fill(&mut random)?;
        let folder: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let bucket = self.bucket(wanted, &folder)?;
        bucket.mark().map_err(PlaceError::Asked)?;
        Ok(Some(NewPlace {
            bucket,
            text: format!("{folder}\n{}\n", wanted.place()),
        }))
    }

    /// Segments are files from now on.
    fn forget(&self) -> Result<(), PlaceError> {
        let path = self.directory.join(FILE);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(PrivateFileError::Io { path, source }.into())
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn bucket(&self, wanted: &ObjectsConfig, folder: &str) -> Result<BucketSegments, PlaceError> {
        let closing = self.closing.clone();
        Ok(BucketSegments::new(wanted, (self.directory, folder), closing)?)
    }

    fn remembered(&self) -> Result<Option<Remembered>, PlaceError> {
        let path = self.directory.join(FILE);
        let text = match moho_os::read_private_within(&path, LONGEST) {
            Ok(text) => text,
            Err(PrivateFileError::Absent(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines();
        let folder = lines.next().unwrap_or_default();
        let is_name = folder.len() == 2 * RANDOM && folder.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_name {
            return Err(PlaceError::Unreadable(path));
        }
        Ok(Some(Remembered {
            folder: folder.to_owned(),
            place: lines.next().unwrap_or_default().to_owned(),
        }))
    }

    /// That what is remembered and what is set are not one.
    fn elsewhere(&self, remembered: Option<Remembered>) -> PlaceError {
        let in_files = || "in files of the store".to_owned();
        match (remembered, self.wanted) {
            (Some(remembered), Some(wanted)) => PlaceError::Gone {
                folder: remembered.folder,
                remembered: remembered.place,
                named: wanted.place(),
            },
            (remembered, wanted) => PlaceError::Moved {
                remembered: remembered.map_or_else(in_files, |known| format!("in {}", known.place)),
                named: wanted.map_or_else(in_files, |wanted| format!("in {}", wanted.place())),
            },
        }
    }
}

/// A folder that was made, and that no store remembers yet.
pub(crate) struct NewPlace {
    bucket: BucketSegments,
    text: String,
}

impl NewPlace {
    /// Where segments are put.
    pub(crate) fn segments(&self) -> &dyn Segments {
        &self.bucket
    }

    /// Has the store in `directory` rest there.
    pub(crate) fn remember(&self, directory: &Path) -> Result<(), PlaceError> {
        Ok(moho_os::replace_private(
            &directory.join(FILE),
            self.text.as_bytes(),
        )?)
    }
}

/// A bucket's folder for whoever serves from it.
fn used(bucket: BucketSegments, lock: FileLock) -> Result<Settled, PlaceError> {
    bucket.mark().map_err(PlaceError::Asked)?;
    bucket.sweep();
    Ok(Settled {
        segments: Some(Arc::new(bucket)),
        lock,
    })
}
