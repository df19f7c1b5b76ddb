//! Events that come: sealed as a block, and put together with small ones from before.
//!
//! As soon as eight blocks of one level follow one another at the end of a stream, they become one of the next, until it is
//! large: an event is sealed again a few times at most, and a stream of single events has few blocks. That is done by whoever
//! brings more, behind what it brings, and takes nothing back if it fails.

use moho_iam::action::kms;
use moho_iam::action::logs::PutLogEvents;
use moho_iam::authz::Permit;
use moho_kms::{EncryptionContext, Kms};
use moho_terms::{AccountId, Entropy, Timestamp};
use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::block::{self, BlockId, Made, NewLogEvent};
use super::names::context_of;
use super::{GroupId, decided_group, groups, named, streams, trigrams};
use crate::Store;
use crate::database::{Stopped, counted, integer};
use crate::error::StoreError;

/// Blocks of one level that are put together.
const TOGETHER: usize = 8;
/// Bytes, as AWS counts them, of a block that stays as it is.
const FULL: u64 = 512 << 10;
/// The level of one.
const LAST: i64 = 100;
/// Bytes of a block that has a summary: what is smaller is opened as fast.
const SUMMED_UP: u64 = 16 << 10;

/// What came of putting events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPut {
    /// They are there.
    Done,
    /// There is no such group.
    NoGroup,
    /// The group has no such stream.
    NoStream,
    /// The group's events are sealed under another key by now.
    OtherKey,
}

/// By what events are put.
#[derive(Clone, Copy)]
pub struct Putting<'a> {
    /// What seals them.
    pub kms: &'a Kms,
    /// Where ids come from.
    pub entropy: &'a dyn Entropy,
    /// When that is.
    pub now: Timestamp,
}

/// A block that is sealed.
struct Sealed {
    id: BlockId,
    made: Made,
    summary: Option<Vec<u8>>,
    sealed: Vec<u8>,
}

/// A block that is there.
struct Small {
    sequence: i64,
    id: BlockId,
    level: i64,
    ingested: i64,
    events: i64,
    sealed: Vec<u8>,
}

/// Which stream of which group of which account.
type Place = (AccountId, GroupId, i64);

impl Store {
    /// Seals events under the key that the second permit is for, and keeps them in the stream that the first names. They come
    /// no earlier than what came before them, whatever the clock says. When this returns [`LogPut::Done`], they are on the disk.
    ///
    /// # Errors
    /// [`StoreError`]; then none is kept.
    pub fn put_log_events(
        &self,
        (put, key): (&Permit<PutLogEvents>, &Permit<kms::GenerateDataKey>),
        events: &[NewLogEvent<'_>],
        by: Putting<'_>,
    ) -> Result<LogPut, StoreError> {
        self.put_log_events_with((put, key), events, by, |_connection| Ok(true))
    }

    /// The same, with what else is to be changed in the one moment: nothing is, nor are any events put, if that says `false`.
    pub(crate) fn put_log_events_with(
        &self,
        (put, key): (&Permit<PutLogEvents>, &Permit<kms::GenerateDataKey>),
        events: &[NewLogEvent<'_>],
        by: Putting<'_>,
        also: impl FnOnce(&Connection) -> rusqlite::Result<bool>,
    ) -> Result<LogPut, StoreError> {
        let (account, name) = named(put)?;
        let stream = name.stream.ok_or(StoreError::OtherPermit)?;
        let context = context_of(put.resource(), account, &name.group)?;
        let mut id = BlockId::default();
        by.entropy.fill(&mut id)?;
        let made = block::of_batch(&id, events).ok_or(StoreError::Full("events in one batch"))?;
        let sealed = sealed((key, &context), by.kms, (id, made))?;
        let key_id = key.resource().resource().trim_start_matches("key/");
        let put = self
            .database
            .change_grouped(|connection| -> Result<_, Stopped<StoreError>> {
                let Some(group) = decided_group(connection, put, (account, &name.group))? else {
                    return Ok(Err(LogPut::NoGroup));
                };
                let Some(stream) = streams::stream_named(connection, group, &stream)? else {
                    return Ok(Err(LogPut::NoStream));
                };
                if groups::current_key(connection, account, group)?.as_deref() != Some(key_id) {
                    return Ok(Err(LogPut::OtherKey));
                }
                if !also(connection)? {
                    return Ok(Err(LogPut::Done));
                }
                insert((connection, by.now), (group, stream), (&sealed, key_id))?;
                Ok(Ok((account, group, stream)))
            })?;
        match put {
            Err(refused) => Ok(refused),
            Ok(place) => {
                self.put_together(place, (key, &context), by);
                Ok(LogPut::Done)
            }
        }
    }

    /// Puts small blocks at the end of a stream together, as far as they are sealed under the key that the permit is for. What
    /// cannot be put together stays as it is.
    fn put_together(
        &self,
        place: Place,
        under: (&Permit<kms::GenerateDataKey>, &EncryptionContext),
        by: Putting<'_>,
    ) {
        while let Ok(true) = self.put_last_together(place, under, by) {}
    }

    fn put_last_together(
        &self,
        (_account, group, stream): Place,
        (key, context): (&Permit<kms::GenerateDataKey>, &EncryptionContext),
        by: Putting<'_>,
    ) -> Result<bool, StoreError> {
        let key_id = key.resource().resource().trim_start_matches("key/");
        let small = self.database.read(|connection| {
            let small = last_blocks(connection, (group, stream), key_id)?;
            for block in &small {
                let at: [&dyn ToSql; 3] = [&group, &stream, &block.sequence];
                self.database.check(connection, "log_block", &at)?;
            }
            Ok(small)
        })?;
        let (Some(first), TOGETHER) = (small.first(), small.len()) else {
            return Ok(false);
        };
        let mut id = BlockId::default();
        by.entropy.fill(&mut id)?;
        let parts: Vec<&[u8]> = small.iter().map(|block| block.sealed.as_slice()).collect();
        let (mut made, mut summary) = (None, None);
        let joined = by.kms.seal_together(key, context, &parts, |opened| {
            let mut read = Vec::with_capacity(opened.len());
            for (block, plain) in small.iter().zip(opened) {
                let number = u64::try_from(block.sequence).ok()?;
                read.push((block::read(&block.id, plain.expose())?, (number, block.ingested)));
            }
            let joined = block::joined(&id, &read)?;
            summary = summary_of(&id, &joined);
            let plain = moho_terms::ContentBytes::new(joined.plain.expose().to_vec());
            made = Some(joined);
            Some(plain)
        })?;
        let (Some(joined), Some(made)) = (joined, made) else {
            return Ok(false);
        };
        let level = if made.size >= FULL {
            LAST
        } else {
            first.level.saturating_add(1)
        };
        let summary = summary
            .map(|summary| by.kms.seal(key, context, &summary))
            .transpose()?;
        let all = Sealed {
            id,
            made,
            summary: summary.map(moho_kms::SealedObject::into_bytes),
            sealed: joined.into_bytes(),
        };
        self.database
            .change_grouped(|connection| -> Result<_, Stopped<StoreError>> {
                replace(connection, (group, stream), (&small, &all, level), key_id).map_err(Stopped::Failed)
            })
    }
}

/// Seals a block and its summary.
fn sealed(
    (key, context): (&Permit<kms::GenerateDataKey>, &EncryptionContext),
    kms: &Kms,
    (id, made): (BlockId, Made),
) -> Result<Sealed, StoreError> {
    let summary = summary_of(&id, &made).map(|summary| kms.seal(key, context, &summary));
    Ok(Sealed {
        id,
        summary: summary.transpose()?.map(moho_kms::SealedObject::into_bytes),
        sealed: kms.seal(key, context, &made.plain)?.into_bytes(),
        made,
    })
}

/// The summary of a block that was just made, if it is worth one.
fn summary_of(id: &BlockId, made: &Made) -> Option<moho_terms::ContentBytes> {
    if made.size < SUMMED_UP {
        return None;
    }
    let block = block::read(id, made.plain.expose())?;
    Some(trigrams::of_block(id, &block))
}

/// Adds a block at the end of a stream.
fn insert(
    (connection, now): (&Connection, Timestamp),
    (group, stream): (GroupId, i64),
    (block, key): (&Sealed, &str),
) -> rusqlite::Result<()> {
    let select =
        "SELECT next_sequence, last_ingestion FROM log_stream WHERE group_id = ?1 AND stream_id = ?2";
    let (sequence, last): (i64, Option<i64>) = connection
        .prepare_cached(select)?
        .query_row(params![group, stream], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let now = integer(now.unix_micros() / 1000);
    let ingested = last.map_or(now, |last| last.max(now));
    let row = Row {
        place: (group, stream),
        sequence,
        level: if block.made.size >= FULL { LAST } else { 0 },
        ingested,
        key,
    };
    insert_block(connection, &row, block)?;
    connection
        .prepare_cached(
            "UPDATE log_stream SET next_sequence = next_sequence + ?3, last_ingestion = ?4, blocks = blocks + 1,
                stored_bytes = stored_bytes + ?5, first_event = min(coalesce(first_event, ?6), ?6),
                last_event = max(coalesce(last_event, ?7), ?7)
             WHERE group_id = ?1 AND stream_id = ?2",
        )?
        .execute(params![
            group,
            stream,
            integer(block.made.events),
            ingested,
            integer(block.made.size),
            block.made.first_time,
            block.made.last_time
        ])?;
    Ok(())
}

/// Where a block is put, and what of it follows from that.
struct Row<'a> {
    place: (GroupId, i64),
    sequence: i64,
    level: i64,
    ingested: i64,
    key: &'a str,
}

fn insert_block(connection: &Connection, row: &Row<'_>, block: &Sealed) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO log_block (group_id, stream_id, sequence, block_id, key_id, level, first_time, last_time, ingested,
                events, size, summary, sealed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            row.place.0,
            row.place.1,
            row.sequence,
            block.id,
            row.key,
            row.level,
            block.made.first_time,
            block.made.last_time,
            row.ingested,
            integer(block.made.events),
            integer(block.made.size),
            block.summary,
            block.sealed
        ])
        .map(|_one| ())
}

/// The last blocks of a stream, in their order, if they are of one level, under this key, and as many as are put together.
fn last_blocks(
    connection: &Connection,
    (group, stream): (GroupId, i64),
    key: &str,
) -> rusqlite::Result<Vec<Small>> {
    let alike = "SELECT count(*) FROM (SELECT level, key_id, first_value(level) OVER () AS last FROM
            (SELECT level, key_id FROM log_block WHERE group_id = ?1 AND stream_id = ?2 ORDER BY sequence DESC LIMIT ?4))
        WHERE level = last AND level < ?5 AND key_id = ?3";
    let most = i64::try_from(TOGETHER).unwrap_or(i64::MAX);
    let alike = connection
        .prepare_cached(alike)?
        .query_row(params![group, stream, key, most, LAST], |row| counted(row, 0))?;
    if alike < TOGETHER as u64 {
        return Ok(Vec::new());
    }
    let select = "SELECT sequence, block_id, level, ingested, events, sealed FROM log_block
        WHERE group_id = ?1 AND stream_id = ?2 ORDER BY sequence DESC LIMIT ?3";
    let mut select = connection.prepare_cached(select)?;
    let rows = select.query_map(params![group, stream, most], |row| {
        Ok(Small {
            sequence: row.get(0)?,
            id: row.get(1)?,
            level: row.get(2)?,
            ingested: row.get(3)?,
            events: row.get(4)?,
            sealed: row.get(5)?,
        })
    })?;
    let mut small: Vec<Small> = rows.collect::<rusqlite::Result<_>>()?;
    small.reverse();
    // Events between two of them, which went as their time had come, leave a gap.
    let follows = |pair: &[Small]| match pair {
        [one, two] => one.sequence.checked_add(one.events) == Some(two.sequence),
        _ => false,
    };
    let follow = small.windows(2).all(follows);
    Ok(if follow { small } else { Vec::new() })
}

/// Puts one block where several are, if they are still there.
fn replace(
    connection: &Connection,
    (group, stream): (GroupId, i64),
    (small, all, level): (&[Small], &Sealed, i64),
    key: &str,
) -> rusqlite::Result<bool> {
    let (Some(first), Some(last)) = (small.first(), small.last()) else {
        return Ok(false);
    };
    let same = "SELECT block_id FROM log_block WHERE group_id = ?1 AND stream_id = ?2 AND sequence = ?3 AND key_id = ?4";
    for block in small {
        let id: Option<BlockId> = connection
            .prepare_cached(same)?
            .query_row(params![group, stream, block.sequence, key], |row| row.get(0))
            .optional()?;
        if id != Some(block.id) {
            return Ok(false);
        }
    }
    let delete =
        "DELETE FROM log_block WHERE group_id = ?1 AND stream_id = ?2 AND sequence BETWEEN ?3 AND ?4";
    let deleted =
        connection
            .prepare_cached(delete)?
            .execute(params![group, stream, first.sequence, last.sequence])?;
    let row = Row {
        place: (group, stream),
        sequence: first.sequence,
        level,
        ingested: first.ingested,
        key,
    };
    insert_block(connection, &row, all)?;
    let fewer = deleted.saturating_sub(1) as u64;
    connection
        .prepare_cached("UPDATE log_stream SET blocks = blocks - ?3 WHERE group_id = ?1 AND stream_id = ?2")?
        .execute(params![group, stream, integer(fewer)])?;
    Ok(true)
}
