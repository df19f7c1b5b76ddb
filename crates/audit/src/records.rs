//! Records by their numbers, found by the offset of the bundle that they are in.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Seek, SeekFrom};
use std::path::Path;

use crate::chain::MAX_RECORD;
use crate::error::AuditError;
use crate::offsets::{EACH, Offsets};
use crate::segment::{self, Segment};

/// Records from entry `first` on, counted from 0, `count` of them, which are all there, with their line breaks.
pub(crate) fn read(
    directory: &Path,
    offsets: &Offsets,
    first: u64,
    count: u64,
) -> Result<Vec<Vec<u8>>, AuditError> {
    let bundle = first / EACH;
    let begin = bundle.saturating_mul(EACH);
    let segments = segment::list(directory)?;
    // The file that the bundle's first record is in, and those behind it. Records are counted from 1.
    let here = segments.partition_point(|segment| segment.first <= begin.saturating_add(1));
    let here = here.saturating_sub(1);
    let mut at = begin;
    let mut offset = offsets.of_bundle(bundle)?;
    let mut found = Vec::new();
    for segment in segments.iter().skip(here) {
        let mut lines = Lines::open(segment, offset)?;
        while (found.len() as u64) < count {
            let Some(line) = lines.next()? else { break };
            if at >= first {
                found.push(line);
            }
            at = at.saturating_add(1);
        }
        offset = 0;
        if found.len() as u64 >= count {
            break;
        }
    }
    if (found.len() as u64) < count {
        let last = segments
            .last()
            .map_or_else(|| directory.to_owned(), |segment| segment.path.clone());
        return Err(AuditError::Broken {
            path: last,
            offset: 0,
            what: "records that were written are missing",
        });
    }
    Ok(found)
}

struct Lines<'a> {
    segment: &'a Segment,
    reader: BufReader<File>,
}

impl<'a> Lines<'a> {
    fn open(segment: &'a Segment, offset: u64) -> Result<Self, AuditError> {
        let open = || {
            let mut file = File::open(&segment.path)?;
            file.seek(SeekFrom::Start(offset))?;
            Ok(BufReader::with_capacity(64 << 10, file))
        };
        let reader = open().map_err(AuditError::io(&segment.path))?;
        Ok(Self { segment, reader })
    }

    /// The next whole line, with its end.
    fn next(&mut self) -> Result<Option<Vec<u8>>, AuditError> {
        let mut line = Vec::new();
        let mut bounded = self.reader.by_ref().take(MAX_RECORD as u64);
        let read = bounded.read_until(b'\n', &mut line);
        read.map_err(AuditError::io(&self.segment.path))?;
        Ok((line.last() == Some(&b'\n')).then_some(line))
    }
}
