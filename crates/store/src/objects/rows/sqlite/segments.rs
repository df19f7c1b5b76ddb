//! Segments of bodies, and the files of those that nobody needs any more.

use moho_terms::{Timestamp, UploadId};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, ffi, named_params, params};

use super::super::{PartRow, SegmentRow};
use super::{at_most_one, limited, term_if_any};
use crate::database::{counted, integer, micros, term, time};
use crate::objects::{Segment, SegmentId};

pub(super) fn find(
    connection: &Connection,
    body: &UploadId,
    part: u16,
) -> rusqlite::Result<Option<SegmentRow>> {
    let select =
        "SELECT part, plain_length, sealed_length, commitment, inline, etag, modified_at, sealed, segment_id, sums
        FROM object_segment WHERE body_id = ?1 AND part = ?2";
    let read = |row: &Row<'_>| {
        let commitment: Vec<u8> = row.get(3)?;
        let unfit = |column| rusqlite::Error::InvalidColumnType(column, "segment".to_owned(), Type::Blob);
        let segment = Segment {
            plain_length: counted(row, 1)?,
            sealed_length: counted(row, 2)?,
            commitment: commitment.try_into().map_err(|_length| unfit(3))?,
            sums: row.get(9)?,
            inline: row.get(4)?,
        };
        let file: Option<SegmentId> = term_if_any(row, 8)?;
        if file.is_some_and(|file| file != segment.id()) {
            return Err(unfit(8));
        }
        Ok(SegmentRow {
            part: row.get(0)?,
            segment,
            etag: row.get(5)?,
            modified_at: time(row, 6)?,
            metadata: row.get(7)?,
        })
    };
    at_most_one(
        connection
            .prepare_cached(select)?
            .query_row(params![body.as_str(), part], read),
    )
}

pub(super) fn set(connection: &Connection, body: &UploadId, row: &SegmentRow) -> rusqlite::Result<()> {
    let set = "INSERT INTO object_segment (body_id, part, segment_id, plain_length, sealed_length, commitment, sums, etag,
            modified_at, sealed, inline)
        VALUES (:body, :part, :file, :plain, :sealed_length, :commitment, :sums, :etag, :modified_at, :sealed, :inline)
        ON CONFLICT (body_id, part) DO UPDATE SET segment_id = excluded.segment_id,
            plain_length = excluded.plain_length, sealed_length = excluded.sealed_length,
            commitment = excluded.commitment, sums = excluded.sums, etag = excluded.etag, modified_at = excluded.modified_at,
            sealed = excluded.sealed, inline = excluded.inline";
    let segment = &row.segment;
    let file = segment.inline.is_none().then(|| segment.id().to_string());
    if let Some(file) = &file {
        keep(connection, file)?;
    }
    let values = named_params! {
        ":body": body.as_str(),
        ":part": row.part,
        ":file": file,
        ":plain": integer(segment.plain_length),
        ":sealed_length": integer(segment.sealed_length),
        ":commitment": segment.commitment.as_slice(),
        ":sums": segment.sums.as_slice(),
        ":etag": row.etag,
        ":modified_at": micros(row.modified_at),
        ":sealed": row.metadata.as_deref(),
        ":inline": segment.inline.as_deref(),
    };
    connection.prepare_cached(set)?.execute(values).map(|_| ())
}

/// Has a file that was noted as garbage stay. One that was taken may be gone.
fn keep(connection: &Connection, file: &str) -> rusqlite::Result<()> {
    let forget = "DELETE FROM segment_garbage WHERE segment_id = ?1 RETURNING noted_at";
    let noted: Option<i64> = connection
        .prepare_cached(forget)?
        .query_row([file], |row| row.get(0))
        .optional()?;
    if noted == Some(TAKEN) {
        let taken = Some("the file was taken for garbage".to_owned());
        return Err(rusqlite::Error::SqliteFailure(
            ffi::Error::new(ffi::SQLITE_CONSTRAINT),
            taken,
        ));
    }
    Ok(())
}

pub(super) fn list(
    connection: &Connection,
    body: &UploadId,
    (after, limit): (u16, usize),
) -> rusqlite::Result<Vec<PartRow>> {
    let select = "SELECT part, segment_id, plain_length, etag, modified_at, sealed FROM object_segment
        WHERE body_id = ?1 AND part > ?2 ORDER BY part LIMIT ?3";
    let read = |row: &Row<'_>| {
        Ok(PartRow {
            part: row.get(0)?,
            file: term_if_any(row, 1)?,
            plain_length: counted(row, 2)?,
            etag: row.get(3)?,
            modified_at: time(row, 4)?,
            metadata: row.get(5)?,
        })
    };
    let mut statement = connection.prepare_cached(select)?;
    statement
        .query_map(params![body.as_str(), after, limited(limit)], read)?
        .collect()
}

/// When a file was noted that is being deleted.
const TAKEN: i64 = -1;
/// A condition for the file `g` that was noted: no body has it.
const NOBODYS: &str = "NOT EXISTS (SELECT 1 FROM object_segment AS s WHERE s.segment_id = g.segment_id)";
const NOTE: &str = "INSERT OR IGNORE INTO segment_garbage (segment_id, noted_at)
    SELECT segment_id, ?2 FROM object_segment WHERE body_id = ?1 AND segment_id IS NOT NULL";

pub(super) fn remove(
    connection: &Connection,
    body: &UploadId,
    (part, now): (u16, Timestamp),
) -> rusqlite::Result<()> {
    let values = params![body.as_str(), micros(now), part];
    connection
        .prepare_cached(&format!("{NOTE} AND part = ?3"))?
        .execute(values)?;
    let delete = "DELETE FROM object_segment WHERE body_id = ?1 AND part = ?2";
    connection
        .prepare_cached(delete)?
        .execute(params![body.as_str(), part])
        .map(|_| ())
}

pub(super) fn remove_all(connection: &Connection, body: &UploadId, now: Timestamp) -> rusqlite::Result<()> {
    let values = params![body.as_str(), micros(now)];
    connection.prepare_cached(NOTE)?.execute(values)?;
    let delete = "DELETE FROM object_segment WHERE body_id = ?1";
    connection
        .prepare_cached(delete)?
        .execute([body.as_str()])
        .map(|_| ())
}

pub(super) fn garbage(
    connection: &Connection,
    (until, from): (Timestamp, Timestamp),
    limit: usize,
) -> rusqlite::Result<Vec<SegmentId>> {
    let select = format!(
        "SELECT segment_id FROM segment_garbage AS g WHERE (noted_at <= ?1 OR noted_at > ?2) AND {NOBODYS}
        ORDER BY noted_at, segment_id LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&select)?;
    statement
        .query_map(params![micros(until), micros(from), limited(limit)], |row| {
            term(row, 0)
        })?
        .collect()
}

pub(super) fn take_garbage(connection: &Connection, segment: SegmentId) -> rusqlite::Result<bool> {
    let take = format!("UPDATE segment_garbage AS g SET noted_at = ?2 WHERE segment_id = ?1 AND {NOBODYS}");
    let mut take = connection.prepare_cached(&take)?;
    Ok(take.execute(params![segment.to_string(), TAKEN])? > 0)
}

pub(super) fn forget_garbage(connection: &Connection, segment: SegmentId) -> rusqlite::Result<()> {
    let delete = "DELETE FROM segment_garbage WHERE segment_id = ?1";
    connection
        .prepare_cached(delete)?
        .execute([segment.to_string()])
        .map(|_| ())
}

pub(super) fn put_off_garbage(
    connection: &Connection,
    segment: SegmentId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let update = "UPDATE segment_garbage SET noted_at = ?2 WHERE segment_id = ?1";
    connection
        .prepare_cached(update)?
        .execute(params![segment.to_string(), micros(now)])
        .map(|_| ())
}

pub(super) fn note_orphan(
    connection: &Connection,
    segment: SegmentId,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let note = "INSERT OR IGNORE INTO segment_garbage (segment_id, noted_at)
        SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM object_segment WHERE segment_id = ?1)";
    let values = params![segment.to_string(), micros(now)];
    Ok(connection.prepare_cached(note)?.execute(values)? > 0)
}
