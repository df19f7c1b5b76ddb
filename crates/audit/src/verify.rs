//! The whole chain, from the first record to the last, checked without opening the journal for writing.

use std::path::Path;

use crate::chain::Link;
use crate::error::AuditError;
use crate::segment::{self, Segment};

/// A journal whose every digest was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many records there are.
    pub records: u64,
    /// In how many files.
    pub segments: usize,
    /// The last record's digest, in hexadecimal: it stands for all of them.
    pub head: String,
    /// Bytes of an unfinished record at the end: a journal that is being written, or whose process was killed.
    pub unfinished_bytes: u64,
}

/// Checks the whole chain. May run beside the process that writes the journal.
///
/// # Errors
/// [`AuditError::Broken`] says where the chain breaks first.
pub fn verify(directory: &Path) -> Result<Verified, AuditError> {
    let segments = segment::list(directory)?;
    let mut link = Link::START;
    let mut unfinished_bytes = 0;
    for (index, segment) in segments.iter().enumerate() {
        link = continues(segment, link)?;
        let checked = segment::check(segment, &segment.read()?, link)?;
        if checked.torn > 0 && index.saturating_add(1) < segments.len() {
            return Err(segment.broken(
                checked.sound,
                "the file ends in the middle of a record, but others follow it",
            ));
        }
        link = checked.link;
        unfinished_bytes = checked.torn;
    }
    let records = link.next.saturating_sub(1);
    Ok(Verified {
        records,
        segments: segments.len(),
        head: link.previous.as_str().to_owned(),
        unfinished_bytes,
    })
}

/// That the file's name is the number of the record it must begin with.
pub(crate) fn continues(segment: &Segment, link: Link) -> Result<Link, AuditError> {
    if segment.first == link.next {
        Ok(link)
    } else {
        Err(segment.broken(
            0,
            "the file does not continue the one before: a file of the journal is missing",
        ))
    }
}
