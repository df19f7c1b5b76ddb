//! Which blocks have events of a time, and what is in them.

use std::sync::Arc;

use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_kms::Kms;
use moho_terms::{AccountId, Arn, KeyId};
use rusqlite::{Connection, Row, ToSql, params};

use super::block::{self, BlockId, LogBlock};
use super::names::context_of;
use super::trigrams::{self, LogSummary};
use super::{GroupId, decided_group, named};
use crate::Store;
use crate::authentic::Tampering;
use crate::database::{counted, integer, term};
use crate::error::StoreError;

/// Streams of which a search sees that they are as they were written.
const CHECKED: usize = 1000;

/// Of which streams of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamsOf {
    /// All of them.
    All,
    /// Those that begin so.
    Prefix(String),
    /// These.
    Named(Vec<String>),
}

/// Which events are wanted, at most: of which streams, and from one time to another, both in it, in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogScope {
    /// Of which streams.
    pub streams: StreamsOf,
    /// From when.
    pub from: i64,
    /// Until when.
    pub until: i64,
}

/// What is known of a block without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFacts {
    group: GroupId,
    /// The number of its stream.
    pub stream: u64,
    /// What its stream is called.
    pub stream_name: Arc<str>,
    /// The number of its first event.
    pub sequence: u64,
    /// How many events it has.
    pub events: u64,
    /// Bytes of its events, as AWS counts them.
    pub size: u64,
    /// The earliest time of its events.
    pub first_time: i64,
    /// The latest.
    pub last_time: i64,
    /// The account and the id of the key that it is sealed under.
    pub key: (AccountId, KeyId),
    /// Whether it has a summary.
    pub is_summed_up: bool,
}

/// A block that was asked for.
pub enum OpenedBlock {
    /// Its events.
    There(LogBlock),
    /// It is gone, as its time had come or its stream was deleted.
    Gone,
    /// It is sealed under none of the keys that there is leave for.
    OtherKey,
}

impl Store {
    /// The blocks of the group that the permit is for that have events of such streams and times, in the order of the earliest
    /// of their events; `None` if there is no such group.
    ///
    /// # Errors
    /// [`StoreError::Altered`] if a stream has other blocks than were written.
    pub fn log_blocks<A: Action>(
        &self,
        permit: &Permit<A>,
        scope: &LogScope,
    ) -> Result<Option<Vec<BlockFacts>>, StoreError> {
        let (account, name) = named(permit)?;
        self.database.read(|connection| {
            let Some(group) = decided_group(connection, permit, (account, &name.group))? else {
                return Ok(None);
            };
            let (condition, value) = match &scope.streams {
                StreamsOf::All => ("?4 = ?4", String::new()),
                StreamsOf::Prefix(prefix) => (
                    "substr(s.name, 1, length(?4)) = ?4 AND s.name >= ?4",
                    prefix.clone(),
                ),
                StreamsOf::Named(names) => (
                    "s.name IN (SELECT value FROM json_each(?4))",
                    serde_json::to_string(names).unwrap_or_default(),
                ),
            };
            self.check_streams(connection, group, (condition, &value), (scope.from, scope.until))?;
            let select = format!(
                "SELECT b.group_id, b.stream_id, s.name, b.sequence, b.events, b.size, b.first_time, b.last_time,
                        kms_key.account_id, b.key_id, b.summary IS NOT NULL
                    FROM log_block AS b JOIN log_stream AS s USING (group_id, stream_id)
                        JOIN kms_key ON kms_key.key_id = b.key_id
                    WHERE b.group_id = ?1 AND s.gone = 0 AND b.last_time >= ?2 AND b.first_time <= ?3
                        AND {condition}
                    ORDER BY b.first_time, b.stream_id, b.sequence"
            );
            let mut select = connection.prepare_cached(&select)?;
            let rows = select.query_map(params![group, scope.from, scope.until, value], facts)?;
            rows.collect::<rusqlite::Result<Vec<_>>>().map(Some)
        })
    }

    /// Whether every stream that is wanted has as many blocks as were written, as far as it has events of that time; of very many
    /// streams, only some are compared with what was written of them.
    fn check_streams(
        &self,
        connection: &Connection,
        group: GroupId,
        (condition, value): (&str, &str),
        (from, until): (i64, i64),
    ) -> rusqlite::Result<()> {
        let condition = condition.replace("?4", "?2");
        let select = format!(
            "SELECT stream_id, coalesce(last_event < ?3 OR first_event > ?4, 0)
                    OR blocks = (SELECT count(*) FROM log_block AS b WHERE b.group_id = ?1 AND b.stream_id = s.stream_id)
                FROM log_stream AS s WHERE group_id = ?1 AND gone = 0 AND {condition}"
        );
        let mut select = connection.prepare_cached(&select)?;
        let values = params![group, value, from, until];
        let rows = select.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let found: Vec<(i64, bool)> = rows.collect::<rusqlite::Result<_>>()?;
        if !found.iter().all(|(_, has_all)| *has_all) {
            return Err(Tampering::tree("a stream has not the blocks that were written").into());
        }
        for (stream, _) in found.iter().take(CHECKED) {
            let key: [&dyn ToSql; 2] = [&group, stream];
            self.database.check(connection, "log_stream", &key)?;
        }
        Ok(())
    }

    /// Opens the summary of a block, if it has one and it is there.
    ///
    /// # Errors
    /// [`StoreError::Kms`] if it does not open.
    pub fn log_summary<A: Action>(
        &self,
        (permit, block): (&Permit<A>, &BlockFacts),
        key: &Permit<kms::Decrypt>,
        kms: &Kms,
    ) -> Result<Option<LogSummary>, StoreError> {
        let select =
            "SELECT block_id, summary FROM log_block WHERE group_id = ?1 AND stream_id = ?2 AND sequence = ?3
            AND key_id = ?4 AND summary IS NOT NULL";
        let (account, name) = named(permit)?;
        let found: Option<(BlockId, Vec<u8>)> = self.database.find(|connection| {
            let (stream, sequence) = (integer(block.stream), integer(block.sequence));
            let at: [&dyn ToSql; 3] = [&block.group, &stream, &sequence];
            self.database.check(connection, "log_block", &at)?;
            connection.prepare_cached(select)?.query_row(
                params![block.group, stream, sequence, block.key.1.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
        })?;
        let Some((id, sealed)) = found else {
            return Ok(None);
        };
        let plain = kms.open(
            key,
            &context_of(permit.resource(), account, &name.group)?,
            &sealed,
        )?;
        Ok(trigrams::read(&id, plain.expose()))
    }

    /// Opens a block, wherever its events are by now, with whichever of the permits is for its key.
    ///
    /// # Errors
    /// [`StoreError::Kms`] if it does not open; [`StoreError::Corrupt`] if it holds no events.
    pub fn open_log_block<A: Action>(
        &self,
        (permit, wanted): (&Permit<A>, &BlockFacts),
        keys: &[Permit<kms::Decrypt>],
        kms: &Kms,
    ) -> Result<OpenedBlock, StoreError> {
        let (account, name) = named(permit)?;
        let found = self.database.find(|connection| {
            let found = connection
                .prepare_cached(
                    "SELECT sequence, block_id, key_id, ingested, events, sealed FROM log_block
                     WHERE group_id = ?1 AND stream_id = ?2 AND sequence <= ?3 ORDER BY sequence DESC LIMIT 1",
                )?
                .query_row(
                    params![wanted.group, integer(wanted.stream), integer(wanted.sequence)],
                    resting,
                )?;
            let (stream, sequence) = (integer(wanted.stream), integer(found.sequence));
            let at: [&dyn ToSql; 3] = [&wanted.group, &stream, &sequence];
            self.database.check(connection, "log_block", &at)?;
            Ok(found)
        })?;
        let end = wanted.sequence.saturating_add(wanted.events);
        let Some(found) = found.filter(|found| found.sequence.saturating_add(found.events) >= end) else {
            return Ok(OpenedBlock::Gone);
        };
        let Some(key) = keys.iter().find(|key| is_for(key.resource(), &found.key)) else {
            return Ok(OpenedBlock::OtherKey);
        };
        let context = context_of(permit.resource(), account, &name.group)?;
        let plain = kms.open(key, &context, &found.sealed)?;
        let read = block::read(&found.id, plain.expose());
        let read = read.filter(|read| u64::try_from(read.len()).ok() == Some(found.events));
        let read = read.ok_or_else(|| self.database.damaged(NoEvents))?;
        let base = (found.sequence, found.ingested);
        Ok(OpenedBlock::There(read.placed(base, (wanted.sequence, end))))
    }
}

/// A block that opened holds no events.
#[derive(Debug, thiserror::Error)]
#[error("a block of log events holds none")]
struct NoEvents;

/// A block as it rests.
struct Resting {
    sequence: u64,
    id: BlockId,
    key: String,
    ingested: i64,
    events: u64,
    sealed: Vec<u8>,
}

fn resting(row: &Row<'_>) -> rusqlite::Result<Resting> {
    Ok(Resting {
        sequence: counted(row, 0)?,
        id: row.get(1)?,
        key: row.get(2)?,
        ingested: row.get(3)?,
        events: counted(row, 4)?,
        sealed: row.get(5)?,
    })
}

fn is_for(key: &Arn, id: &str) -> bool {
    key.resource().strip_prefix("key/") == Some(id)
}

fn facts(row: &Row<'_>) -> rusqlite::Result<BlockFacts> {
    Ok(BlockFacts {
        group: row.get(0)?,
        stream: counted(row, 1)?,
        stream_name: row.get::<_, String>(2)?.into(),
        sequence: counted(row, 3)?,
        events: counted(row, 4)?,
        size: counted(row, 5)?,
        first_time: row.get(6)?,
        last_time: row.get(7)?,
        key: (term(row, 8)?, term(row, 9)?),
        is_summed_up: row.get(10)?,
    })
}
