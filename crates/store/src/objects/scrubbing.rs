//! Going through all segments, a few at a time: whether every byte of them is as it was written. No key is needed, and nothing
//! is opened; what is found is named, and nothing of it is told.

use std::ops::ControlFlow;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::segments::{Layout, are_for, fits};
use super::{ObjectError, Objects, RestingSegment, SegmentId};
use crate::StoreError;
use crate::database::counted;

/// Hears how many bytes were read, and may wait, or end it.
pub type Pace<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

/// What is wrong with a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whose segment it is: a version of an object, or an upload, by its body.
    pub body: String,
    /// Which part of it.
    pub part: i64,
    /// Which chunk; `None` if it is the segment as a whole.
    pub chunk: Option<u32>,
    /// What.
    pub what: &'static str,
    /// The objects that have it: bucket, key and version, as they are named.
    pub objects: Vec<(String, String, String)>,
}

/// What a step has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scrubbed {
    /// Segments that were read.
    pub segments: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// A segment as its row has it.
struct Kept {
    body: String,
    part: i64,
    file: Option<SegmentId>,
    layout: Option<Layout>,
    sealed_length: u64,
    commitment: Vec<u8>,
    sums: Vec<u8>,
    inline: Option<Vec<u8>>,
}

const BATCH: &str = "SELECT body_id, part, segment_id, plain_length, sealed_length, commitment, sums, inline
    FROM object_segment WHERE (body_id, part) > (?1, ?2) ORDER BY body_id, part LIMIT ?3";
const STILL: &str = "SELECT 1 FROM object_segment WHERE body_id = ?1 AND part = ?2 AND commitment = ?3";
const OWNERS: &str = "SELECT bucket.name, key, CASE is_null WHEN 1 THEN 'null' ELSE version_id END
    FROM object_version JOIN bucket USING (bucket_id) WHERE body_id = ?1 LIMIT 8";

impl Objects<'_> {
    /// Reads the segments after `after`, at most `limit` of them, and says which are not as they were written, or cannot be
    /// read. Those after one that cannot are read all the same.
    ///
    /// # Errors
    /// [`ObjectError::Store`] if the database cannot be read at all.
    pub fn scrub(&self, after: Option<&str>, limit: usize, pace: Pace<'_>) -> Result<Scrubbed, ObjectError> {
        let (body, part) = after.and_then(place).unwrap_or_default();
        let database = &self.store.database;
        let (batch, broken) = database.read(|connection| rows(connection, (&body, part), limit))?;
        let more = batch.len() == limit || broken;
        let mut done = Scrubbed::default();
        if broken && batch.is_empty() {
            done.findings.push(Finding {
                body,
                part,
                chunk: None,
                what: "what comes after it in the database cannot be read",
                objects: Vec::new(),
            });
            return Ok(done);
        }
        let mut last = None;
        let mut ended = false;
        for kept in &batch {
            ended = self.scrub_one(kept, &mut done, pace).is_break();
            if ended {
                break;
            }
            last = Some(format!("{} {}", kept.body, kept.part));
        }
        // One that was not read to its end is read again.
        done.next = if ended {
            Some(last.unwrap_or_else(|| after.unwrap_or_default().to_owned()))
        } else {
            last.filter(|_| more)
        };
        Ok(done)
    }

    fn scrub_one(&self, kept: &Kept, done: &mut Scrubbed, pace: Pace<'_>) -> ControlFlow<()> {
        let mut wrong = Vec::new();
        let mut bytes = 0_u64;
        let mut hears = |read: u64| {
            bytes = bytes.saturating_add(read);
            pace(read)
        };
        let ended = match self.looked_through(kept, &mut wrong, &mut hears) {
            Ok(ended) => ended,
            Err(StoreError::SegmentAbsent(_)) => {
                wrong.push((None, "its file is missing"));
                ControlFlow::Continue(())
            }
            Err(_of_the_disk) => {
                wrong.push((None, "it cannot be read"));
                ControlFlow::Continue(())
            }
        };
        done.segments = done.segments.saturating_add(1);
        done.bytes = done.bytes.saturating_add(bytes);
        if !wrong.is_empty() {
            let database = &self.store.database;
            // What was deleted meanwhile is not missing; whose it is may be what cannot be read.
            let objects = database.read(|connection| owners(connection, kept));
            let objects = objects.unwrap_or_else(|_unreadable| Some(Vec::new()));
            if let Some(objects) = objects {
                done.findings
                    .extend(wrong.into_iter().map(|(chunk, what)| Finding {
                        body: kept.body.clone(),
                        part: kept.part,
                        chunk,
                        what,
                        objects: objects.clone(),
                    }));
            }
        }
        ended
    }

    fn looked_through(
        &self,
        kept: &Kept,
        wrong: &mut Vec<(Option<u32>, &'static str)>,
        pace: Pace<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let Some(layout) = kept.layout.filter(|layout| are_for(&kept.sums, layout)) else {
            wrong.push((None, "its row says what no segment is"));
            return Ok(ControlFlow::Continue(()));
        };
        let mut file = match kept.file {
            Some(file) => Some(self.store.segments.open(file)?),
            None => None,
        };
        let inline = kept.inline.as_deref().unwrap_or_default();
        let length = file.as_ref().map_or(inline.len() as u64, |file| file.length());
        if length != kept.sealed_length {
            wrong.push((None, "it has another length"));
        }
        for chunk in 0..layout.chunks() {
            let piece = match &mut file {
                Some(file) => piece(&mut **file, layout.span(chunk))?,
                None => slice(inline, layout.span(chunk)).to_vec(),
            };
            if !fits(&kept.sums, chunk, &piece) {
                wrong.push((Some(chunk), "its bytes are not those that were written"));
            } else if chunk == 0 && !commits(&piece, &layout, &kept.commitment) {
                wrong.push((Some(chunk), "it is another segment"));
            }
            if pace(piece.len() as u64).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Whether the head ends with the commitment that its row remembers.
fn commits(first: &[u8], layout: &Layout, commitment: &[u8]) -> bool {
    let head = usize::try_from(layout.head()).unwrap_or(usize::MAX);
    first.get(..head).is_some_and(|head| head.ends_with(commitment))
}

fn piece(file: &mut dyn RestingSegment, span: std::ops::Range<u64>) -> Result<Vec<u8>, StoreError> {
    let length = usize::try_from(span.end.saturating_sub(span.start)).unwrap_or(0);
    let mut bytes = vec![0; length];
    let read = file.read(span.start, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

fn slice(bytes: &[u8], span: std::ops::Range<u64>) -> &[u8] {
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(at(span.start)..at(span.end)).unwrap_or_default()
}

fn place(text: &str) -> Option<(String, i64)> {
    let (body, part) = text.split_once(' ')?;
    Some((body.to_owned(), part.parse().ok()?))
}

/// The rows after a place, and whether those that follow cannot be read.
fn rows(
    connection: &Connection,
    (body, part): (&str, i64),
    limit: usize,
) -> rusqlite::Result<(Vec<Kept>, bool)> {
    let mut statement = connection.prepare(BATCH)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![body, part, limit])?;
    let mut batch = Vec::new();
    loop {
        match rows.next() {
            Ok(Some(row)) => batch.push(read(row)?),
            Ok(None) => return Ok((batch, false)),
            Err(_unreadable) => return Ok((batch, true)),
        }
    }
}

/// A row, whatever it says: what no segment has is seen by whoever looks through it.
fn read(row: &Row<'_>) -> rusqlite::Result<Kept> {
    let bytes = |column| {
        row.get_ref(column)
            .map(|value| value.as_bytes().unwrap_or_default().to_vec())
    };
    let text = |column| bytes(column).map(|text| String::from_utf8_lossy(&text).into_owned());
    let (plain_length, sealed_length) = (counted(row, 3).ok(), counted(row, 4).ok());
    let inline: Option<Vec<u8>> = row.get(7).unwrap_or_default();
    Ok(Kept {
        body: text(0)?,
        part: row.get(1).unwrap_or_default(),
        file: text(2)?.parse().ok(),
        layout: plain_length
            .zip(sealed_length)
            .and_then(|(plain, sealed)| Layout::of(plain, sealed)),
        sealed_length: sealed_length.unwrap_or_default(),
        commitment: bytes(5)?,
        sums: bytes(6)?,
        inline,
    })
}

/// The objects that have a segment; `None` if nobody has it any more.
fn owners(connection: &Connection, kept: &Kept) -> rusqlite::Result<Option<Vec<(String, String, String)>>> {
    let same = params![kept.body, kept.part, kept.commitment];
    let still: Option<i64> = connection.query_row(STILL, same, |row| row.get(0)).optional()?;
    if still.is_none() {
        return Ok(None);
    }
    let mut statement = connection.prepare(OWNERS)?;
    let named = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let owners = statement.query_map([&kept.body], named)?;
    owners.collect::<rusqlite::Result<_>>().map(Some)
}
