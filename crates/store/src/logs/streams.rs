//! Log streams: made, described and deleted.

use moho_iam::action::Action;
use moho_iam::action::logs::{CreateLogStream, DeleteLogStream, DescribeLogStreams};
use moho_iam::authz::Permit;
use moho_terms::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::{GroupId, decided_group, named};
use crate::Store;
use crate::database::{Database, counted, micros, time};
use crate::error::StoreError;

const SELECT: &str =
    "SELECT stream_id, name, created_at, first_event, last_event, last_ingestion FROM log_stream
    WHERE group_id = ?1 AND gone = 0";

/// What is known of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFacts {
    /// Its number within its group.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Since when it is there.
    pub created: Timestamp,
    /// The earliest time of its events, in milliseconds since 1970.
    pub first_event: Option<i64>,
    /// The latest.
    pub last_event: Option<i64>,
    /// When its last events came, in milliseconds since 1970.
    pub last_ingestion: Option<i64>,
}

/// In which order streams are wanted, and after which.
#[derive(Debug, Clone, Copy)]
pub enum StreamOrder<'a> {
    /// By name, those that begin with `prefix`.
    ByName {
        /// How they begin.
        prefix: &'a str,
        /// After this one.
        after: Option<&'a str>,
    },
    /// By the time of their last event: time and number of the one after which.
    ByLastEvent {
        /// Time and number.
        after: Option<(i64, u64)>,
    },
}

/// What came of making one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamMade {
    /// It is there.
    Done,
    /// There is one of this name.
    Exists,
    /// There is no such group.
    NoGroup,
}

impl Store {
    /// Makes the stream that the permit names.
    ///
    /// # Errors
    /// [`StoreError`]; then there is none.
    pub fn create_log_stream(
        &self,
        permit: &Permit<CreateLogStream>,
        now: Timestamp,
    ) -> Result<StreamMade, StoreError> {
        let (account, name) = named(permit)?;
        let stream = name.stream.ok_or(StoreError::OtherPermit)?;
        self.database.write(|transaction| {
            let Some(group) = decided_group(transaction, permit, (account, &name.group))? else {
                return Ok(StreamMade::NoGroup);
            };
            if stream_named(transaction, group, &stream)?.is_some() {
                return Ok(StreamMade::Exists);
            }
            let number: i64 = transaction.query_row(
                "UPDATE log_group SET next_stream = next_stream + 1 WHERE group_id = ?1 RETURNING next_stream - 1",
                [group],
                |row| row.get(0),
            )?;
            transaction.execute(
                "INSERT INTO log_stream (group_id, stream_id, name, created_at, stored_bytes, blocks, next_sequence, gone)
                 VALUES (?1, ?2, ?3, ?4, 0, 0, 1, 0)",
                params![group, number, stream, micros(now)],
            )?;
            Ok(StreamMade::Done)
        })
    }

    /// Deletes the stream that the permit names, and nobody finds its events any more; their rows go a little later. `None` if
    /// there is none such in such a group, `false` if the group is protected.
    ///
    /// # Errors
    /// [`StoreError`]; then it is as it was.
    pub fn delete_log_stream(&self, permit: &Permit<DeleteLogStream>) -> Result<Option<bool>, StoreError> {
        let (account, name) = named(permit)?;
        let stream = name.stream.ok_or(StoreError::OtherPermit)?;
        self.database.write(|transaction| {
            let Some(group) = decided_group(transaction, permit, (account, &name.group))? else {
                return Ok(None);
            };
            let Some(stream) = stream_named(transaction, group, &stream)? else {
                return Ok(None);
            };
            let gone = transaction.execute(
                "UPDATE log_stream SET gone = 1 WHERE group_id = ?1 AND stream_id = ?2
                    AND EXISTS (SELECT 1 FROM log_group AS g WHERE g.group_id = ?1 AND g.protected = 0)",
                params![group, stream],
            )?;
            Ok(Some(gone > 0))
        })
    }

    /// What is known of the stream that a permit names; `None` if there is none such.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn log_stream<A: Action>(&self, permit: &Permit<A>) -> Result<Option<StreamFacts>, StoreError> {
        let (account, name) = named(permit)?;
        let stream = name.stream.ok_or(StoreError::OtherPermit)?;
        self.database.read(|connection| {
            let Some(group) = decided_group(connection, permit, (account, &name.group))? else {
                return Ok(None);
            };
            let found = connection
                .prepare_cached(&format!("{SELECT} AND name = ?2"))?
                .query_row(params![group, stream], facts)
                .optional()?;
            checked(&self.database, connection, (group, found.into_iter().collect())).map(|mut all| all.pop())
        })
    }

    /// At most `most` streams of the group that the permit is for; `None` if there is no such group.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn log_streams(
        &self,
        permit: &Permit<DescribeLogStreams>,
        (order, descending): (StreamOrder<'_>, bool),
        most: usize,
    ) -> Result<Option<Vec<StreamFacts>>, StoreError> {
        let (account, name) = named(permit)?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let (beyond, direction) = if descending { ("<", "DESC") } else { (">", "ASC") };
        self.database.read(|connection| {
            let Some(group) = decided_group(connection, permit, (account, &name.group))? else {
                return Ok(None);
            };
            let found = match order {
                StreamOrder::ByName { prefix, after } => {
                    let select = format!(
                        "{SELECT} AND substr(name, 1, length(?2)) = ?2 AND name >= ?2 AND (?3 IS NULL OR name {beyond} ?3)
                            ORDER BY name {direction} LIMIT ?4"
                    );
                    let mut select = connection.prepare(&select)?;
                    let rows = select.query_map(params![group, prefix, after, most], facts)?;
                    rows.collect::<rusqlite::Result<Vec<_>>>()?
                }
                StreamOrder::ByLastEvent { after } => {
                    // Those without events are the earliest.
                    let select = format!(
                        "{SELECT} AND (?2 IS NULL OR (coalesce(last_event, -1), stream_id) {beyond} (?2, ?3))
                            ORDER BY coalesce(last_event, -1) {direction}, stream_id {direction} LIMIT ?4"
                    );
                    let (time, number) = after.unzip();
                    let number = number.and_then(|number| i64::try_from(number).ok());
                    let mut select = connection.prepare(&select)?;
                    let rows = select.query_map(params![group, time, number, most], facts)?;
                    rows.collect::<rusqlite::Result<Vec<_>>>()?
                }
            };
            checked(&self.database, connection, (group, found)).map(Some)
        })
    }
}

/// The number of a stream by its name.
pub(super) fn stream_named(
    connection: &Connection,
    group: GroupId,
    name: &str,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT stream_id FROM log_stream WHERE group_id = ?1 AND name = ?2 AND gone = 0")?
        .query_row(params![group, name], |row| row.get(0))
        .optional()
}

/// These streams, if they are as they were written last.
fn checked(
    database: &Database,
    connection: &Connection,
    (group, found): (GroupId, Vec<StreamFacts>),
) -> rusqlite::Result<Vec<StreamFacts>> {
    for stream in &found {
        let number = i64::try_from(stream.id).unwrap_or(i64::MAX);
        let key: [&dyn ToSql; 2] = [&group, &number];
        database.check(connection, "log_stream", &key)?;
    }
    Ok(found)
}

fn facts(row: &Row<'_>) -> rusqlite::Result<StreamFacts> {
    Ok(StreamFacts {
        id: counted(row, 0)?,
        name: row.get(1)?,
        created: time(row, 2)?,
        first_event: row.get(3)?,
        last_event: row.get(4)?,
        last_ingestion: row.get(5)?,
    })
}
