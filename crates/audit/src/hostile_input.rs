//! A way in for those who test the readers of journal and trails with hostile input: a file's bytes, without the file.
//!
//! Nothing here is another path: it calls what opening and verifying a journal call. Hidden from the documentation, as it
//! is no interface to build on.

use std::path::Path;

use crate::AuditError;
use crate::chain::Link;
use crate::cloudtrail::gzip;
use crate::segment::{self, Segment};

/// The first file of a journal, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstFile {
    /// How many sound records there are.
    pub records: u64,
    /// Their bytes.
    pub sound: u64,
    /// Bytes behind them that a write left unfinished.
    pub torn: u64,
}

/// Checks the bytes of a journal's first file.
///
/// # Errors
/// [`AuditError::Broken`], as verifying a journal with this file would give.
pub fn check(bytes: &[u8]) -> Result<FirstFile, AuditError> {
    let segment = Segment::beginning_at(Path::new("journal"), 1);
    let checked = segment::check(&segment, bytes, Link::START)?;
    Ok(FirstFile {
        records: checked.link.next.saturating_sub(1),
        sound: checked.sound,
        torn: checked.torn,
    })
}

/// A file of these entries, as the journal writes it; `None` if one is too long for a record.
#[must_use]
pub fn file(entries: &[&str]) -> Option<Vec<u8>> {
    let mut link = Link::START;
    let mut bytes = Vec::new();
    for entry in entries {
        let (record, next) = link.record(entry)?;
        bytes.extend_from_slice(&record);
        link = next;
    }
    Some(bytes)
}

/// These bytes as a log file or digest of CloudTrail's is packed.
#[must_use]
pub fn packed(plain: &[u8]) -> Vec<u8> {
    gzip::pack(plain).unwrap_or_default()
}
