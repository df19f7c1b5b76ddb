//! How far a journal goes that another process appends to, for whoever copies it.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::chain::MAX_RECORD;
use crate::error::AuditError;
use crate::segment;

/// A file of a journal, and how much of it are whole records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholePart {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of whole records: what follows them is being written, or was never finished.
    pub whole: u64,
}

/// The files of the journal in `directory`, oldest first, as far as they are whole now. There are none if there is no journal.
///
/// # Errors
/// [`AuditError`] if they cannot be read.
pub fn whole_parts(directory: &Path) -> Result<Vec<WholePart>, AuditError> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut parts = Vec::new();
    for segment in segment::list(directory)? {
        let path = segment.path;
        let whole = whole(&path).map_err(AuditError::io(&path))?;
        parts.push(WholePart { path, whole });
    }
    Ok(parts)
}

/// Where the last record with an end has it.
fn whole(path: &Path) -> std::io::Result<u64> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(MAX_RECORD as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(length.saturating_sub(from)).read_to_end(&mut tail)?;
    let end = tail.iter().rposition(|byte| *byte == b'\n');
    Ok(end.map_or(0, |at| from.saturating_add(at as u64).saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_written_is_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(whole_parts(&folder.path().join("absent")).unwrap(), []);
        let path = |number: u32| folder.path().join(format!("journal-{number:020}.jsonl"));
        std::fs::write(path(1), "one\ntwo\n").unwrap();
        std::fs::write(path(3), "three\nfou").unwrap();
        std::fs::write(path(9), "nothing").unwrap();
        std::fs::write(folder.path().join("journal.lock"), "").unwrap();
        let whole: Vec<_> = whole_parts(folder.path())
            .unwrap()
            .into_iter()
            .map(|part| part.whole)
            .collect();
        assert_eq!(whole, [8, 6, 0]);
    }
}
