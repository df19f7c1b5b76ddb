//! The anchor: the last root that was committed, in a file beside the database.
//!
//! ```text
//! two slots of 512 bytes: magic "MOHOANC1" (8) | epoch (8) | digest (16) | MAC of the 32 bytes before (32) | zeros
//! ```
//! Roots of even epochs are in the first slot, those of odd ones in the second, so that a torn write leaves the one before.
//! It is written after each commit, and not synced each time: it may be behind the database, and never before it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use moho_os::{PrivateFileError, create_private};

use super::error::Tampering;
use super::names::Macs;
use super::root::{Root, Seen, is_same};
use crate::error::StoreError;

const MAGIC: &[u8; 8] = b"MOHOANC1";
/// Bytes of a slot: what a disk writes whole.
const SLOT: usize = 512;
const SLOTS: usize = 2;
/// Bytes of a slot that say something.
const SAID: usize = 64;
/// It is synced after so many changes.
const SYNCED: u64 = 4096;

/// The file.
pub(super) struct Anchor {
    path: PathBuf,
    file: File,
}

impl Anchor {
    /// The file of the store in `directory`; `None` if there is none.
    pub(super) fn open(directory: &Path) -> Result<Option<Self>, StoreError> {
        let path = directory.join("anchor");
        match moho_os::check_private(&path, SLOTS * SLOT) {
            Ok(()) => {}
            Err(PrivateFileError::Absent(_)) => return Ok(None),
            Err(error) => return Err(unusable(&path, error)),
        }
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file = file.map_err(StoreError::io(&path))?;
        Ok(Some(Self { path, file }))
    }

    /// A new file, that says nothing yet.
    pub(super) fn create(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join("anchor");
        create_private(&path, &[0; SLOTS * SLOT]).map_err(|error| unusable(&path, error))?;
        Self::open(directory)?
            .ok_or_else(|| StoreError::Altered(super::Alteration::Tree("the anchor is gone")))
    }

    /// Takes the file away, with all that it said.
    pub(super) fn remove(directory: &Path) -> Result<(), StoreError> {
        let path = directory.join("anchor");
        std::fs::remove_file(&path).map_err(StoreError::io(&path))
    }

    /// Whether it says nothing: a store was about to be made.
    pub(super) fn is_blank(&self) -> Result<bool, StoreError> {
        Ok(self.bytes()?.iter().all(|byte| *byte == 0))
    }

    /// The last root that it says was committed.
    pub(super) fn last(&self, macs: &Macs) -> Result<Option<Seen>, StoreError> {
        let bytes = self.bytes()?;
        let slots = bytes.as_chunks::<SLOT>().0.iter();
        Ok(slots
            .filter_map(|slot| parse(slot, macs))
            .max_by_key(|seen| seen.epoch))
    }

    /// Says that this root was committed, unless a later one was.
    pub(super) fn advance(&self, root: &Root, macs: &Macs) -> Result<(), StoreError> {
        let failed = || StoreError::io(&self.path);
        self.file.lock().map_err(failed())?;
        let advanced = self.advance_locked(root, macs);
        self.file.unlock().map_err(failed())?;
        advanced
    }

    fn advance_locked(&self, root: &Root, macs: &Macs) -> Result<(), StoreError> {
        if self.last(macs)?.is_some_and(|last| last.epoch >= root.epoch) {
            return Ok(());
        }
        let at = if root.epoch.is_multiple_of(2) { 0 } else { SLOT };
        let at = u64::try_from(at).unwrap_or_default();
        let slot = slot(&root.seen(), macs);
        self.file
            .write_all_at(&slot, at)
            .map_err(StoreError::io(&self.path))?;
        if root.epoch.is_multiple_of(SYNCED) {
            self.sync()?;
        }
        Ok(())
    }

    /// Sees to it that what it says is on the disk.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(StoreError::io(&self.path))
    }

    fn bytes(&self) -> Result<[u8; SLOTS * SLOT], StoreError> {
        let mut bytes = [0; SLOTS * SLOT];
        let read = self.file.read_exact_at(&mut bytes, 0);
        read.map_err(StoreError::io(&self.path))?;
        Ok(bytes)
    }
}

/// What is before the MAC.
fn said(seen: &Seen) -> [u8; 32] {
    let mut said = [0; 32];
    let parts = MAGIC
        .iter()
        .copied()
        .chain(seen.epoch.to_be_bytes())
        .chain(seen.digest);
    for (place, byte) in said.iter_mut().zip(parts) {
        *place = byte;
    }
    said
}

fn slot(seen: &Seen, macs: &Macs) -> [u8; SAID] {
    let mut slot = [0; SAID];
    let said = said(seen);
    let parts = said.into_iter().chain(macs.anchor.of(&[&said]));
    for (place, byte) in slot.iter_mut().zip(parts) {
        *place = byte;
    }
    slot
}

/// What a slot says, if that is true.
fn parse(slot: &[u8; SLOT], macs: &Macs) -> Option<Seen> {
    let (_, rest) = slot.split_first_chunk::<8>()?;
    let (epoch, rest) = rest.split_first_chunk()?;
    let (digest, rest) = rest.split_first_chunk()?;
    let mac: &[u8; 32] = rest.first_chunk()?;
    let seen = Seen {
        epoch: u64::from_be_bytes(*epoch),
        digest: *digest,
    };
    let said = said(&seen);
    (slot.starts_with(&said) && is_same(&macs.anchor.of(&[&said]), mac)).then_some(seen)
}

/// Whether the database may be what follows what the anchor says.
pub(super) fn compare(root: &Root, last: Option<Seen>) -> Result<(), Tampering> {
    match last {
        Some(last) => root.is_after(&last),
        None => Err(Tampering::tree("the anchor is not as it was written")),
    }
}

fn unusable(path: &Path, error: PrivateFileError) -> StoreError {
    StoreError::io(path)(std::io::Error::other(error))
}
