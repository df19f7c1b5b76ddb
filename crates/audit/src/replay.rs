//! What was written down, read again: for what is derived from the journal and lost when a process is killed.

use std::path::Path;

use moho_terms::Timestamp;
use serde::Deserialize;

use crate::chain::Record;
use crate::error::AuditError;
use crate::segment;

/// A decision as the journal has it, as far as it says who used what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The record's number.
    pub position: u64,
    /// When it was decided.
    pub time: Timestamp,
    /// Who asked; `None` if nobody was authenticated.
    pub principal: Option<String>,
    /// The public half of its credentials.
    pub access_key_id: Option<String>,
    /// For what, such as `kms:Decrypt`.
    pub action: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    sequence: u64,
    entry: Said,
}

#[derive(Deserialize)]
struct Said {
    time: String,
    principal: Option<String>,
    access_key_id: Option<String>,
    action: Option<String>,
}

/// Tells `each` every decision behind record `after`, in the journal's order. Each record's own digest is checked; that none
/// is missing is what [`verify`](crate::verify()) is for. What is not a whole record is passed over: opening the journal
/// cuts it off or refuses it.
///
/// # Errors
/// [`AuditError::Io`] if the journal cannot be read.
pub fn replay(directory: &Path, after: u64, mut each: impl FnMut(Past)) -> Result<(), AuditError> {
    lines_behind(directory, after, |line| {
        past(line).into_iter().for_each(&mut each)
    })
}

/// The same with whole records, as they stand there.
pub(crate) fn lines_behind(
    directory: &Path,
    after: u64,
    mut each: impl FnMut(&[u8]),
) -> Result<(), AuditError> {
    let segments = segment::list(directory)?;
    let nexts = segments.iter().skip(1).map(|next| Some(next.first));
    for (segment, next) in segments.iter().zip(nexts.chain([None])) {
        if next.is_some_and(|next| next <= after.saturating_add(1)) {
            continue;
        }
        let bytes = segment.read()?;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if Record::parse(line).is_ok_and(|record| record.sequence() > after) {
                each(line);
            }
        }
    }
    Ok(())
}

fn past(line: &[u8]) -> Option<Past> {
    let line: Line = serde_json::from_slice(line).ok()?;
    Some(Past {
        position: line.sequence,
        time: read_time(&line.entry.time)?,
        principal: line.entry.principal,
        access_key_id: line.entry.access_key_id,
        action: line.entry.action,
    })
}

/// A time as records have it.
pub(crate) fn read_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_iso8601_basic(&text.replace(['-', ':'], "")).ok()
}

#[cfg(test)]
mod tests {
    use moho_iam::authz::Journal as _;

    use super::*;
    use crate::FileJournal;
    use crate::tests::{entry, keys};

    #[test]
    fn what_was_written_down_is_told_again_in_order_and_from_where_one_left_off() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, _) = FileJournal::open(directory.path(), &keys()).unwrap();
        for number in 1..=5 {
            journal.record(&entry(number)).unwrap();
        }
        drop(journal);
        let told = |after| {
            let mut told = Vec::new();
            replay(directory.path(), after, |past| told.push(past)).unwrap();
            told
        };
        let all = told(0);
        assert_eq!(
            all.iter().map(|past| past.position).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5]
        );
        let third = entry(3);
        let told_third = Past {
            position: 3,
            time: third.time,
            principal: third.principal.map(|arn| arn.as_str().to_owned()),
            access_key_id: None,
            action: third.action.map(str::to_owned),
        };
        assert_eq!(all[2], told_third);
        assert_eq!(told(3), all[3..]);
        assert_eq!(told(5), []);

        // A torn end, an altered record: neither is told.
        let path = directory.path().join("journal-00000000000000000001.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        let altered = text.replacen("Developer", "Developes", 1);
        std::fs::write(&path, &altered.as_bytes()[..altered.len() - 3]).unwrap();
        assert_eq!(told(0), all[1..4]);
    }

    #[test]
    fn files_that_end_before_are_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, _) = FileJournal::open(directory.path(), &keys()).unwrap();
        journal.record(&entry(1)).unwrap();
        drop(journal);
        let first = directory.path().join("journal-00000000000000000001.jsonl");
        let record = std::fs::read(&first).unwrap();
        std::fs::write(directory.path().join("journal-00000000000000000002.jsonl"), b"").unwrap();
        let mut told = 0;
        replay(directory.path(), 1, |_| told += 1).unwrap();
        assert_eq!(told, 0);
        assert_eq!(std::fs::read(&first).unwrap(), record);
    }
}
