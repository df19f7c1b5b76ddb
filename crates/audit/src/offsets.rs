//! Where in the journal's files every 256th record begins, so that entries are found without reading all before them.
//!
//! A file of numbers, eight bytes each, big-endian: the offset of record 1, 257, 513 and so on in its own file, whose name says
//! which records it has. Like hashes, it is made again from the records when it is missing.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::AuditError;

/// Records from one noted offset to the next: those of a bundle.
pub(crate) const EACH: u64 = 256;
const LENGTH: u64 = 8;

pub(crate) struct Offsets {
    path: PathBuf,
    file: File,
}

impl Offsets {
    /// Opens them, or begins some.
    pub(crate) fn open(directory: &Path) -> Result<Self, AuditError> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        Self::opened(directory, &options)
    }

    /// Opens them to be read only; an error if there are none.
    pub(crate) fn open_to_read(directory: &Path) -> Result<Self, AuditError> {
        Self::opened(directory, OpenOptions::new().read(true))
    }

    fn opened(directory: &Path, options: &OpenOptions) -> Result<Self, AuditError> {
        let path = directory.join("offsets");
        let file = options.open(&path).map_err(AuditError::io(&path))?;
        Ok(Self { path, file })
    }

    /// Notes where entry `index`, which is the first of a bundle, begins. Others are passed over.
    pub(crate) fn note(&self, index: u64, offset: u64) -> Result<(), AuditError> {
        if !index.is_multiple_of(EACH) {
            return Ok(());
        }
        let at = (index / EACH).saturating_mul(LENGTH);
        let written = self.file.write_all_at(&offset.to_be_bytes(), at);
        written.map_err(AuditError::io(&self.path))
    }

    /// Where the first entry of a bundle begins.
    pub(crate) fn of_bundle(&self, bundle: u64) -> Result<u64, AuditError> {
        let mut bytes = [0; 8];
        let read = self.file.read_exact_at(&mut bytes, bundle.saturating_mul(LENGTH));
        read.map_err(AuditError::io(&self.path))?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// Whether the offsets of all bundles of `size` entries are noted.
    pub(crate) fn are_of(&self, size: u64) -> Result<bool, AuditError> {
        let length = self.file.metadata().map_err(AuditError::io(&self.path))?.len();
        Ok(length >= size.div_ceil(EACH).saturating_mul(LENGTH))
    }
}
