//! What is delivered together. A batch is written down with its name before anything of it is delivered, so that whoever
//! delivers it again, after whatever happened meanwhile, delivers the same records under the same name.

use moho_iam::action::kms;
use moho_iam::action::logs::PutLogEvents;
use moho_iam::authz::Permit;
use moho_kms::Kms;
use moho_terms::{AccountId, Arn, ContentBytes, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::outbox::fewer_wait;
use super::{InvocationDestination, invocation_context, read};
use crate::Store;
use crate::database::{Stopped, counted, integer, micros, term, time};
use crate::error::StoreError;
use crate::logs::{LogPut, NewLogEvent, Putting};

/// What makes a batch.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// The most records.
    pub records: u32,
    /// About the most bytes, before sealing: the record that goes beyond them is the last.
    pub bytes: u64,
    /// How long, in seconds, records wait for others, unless there are enough.
    pub patience: u64,
    /// For how long, in seconds, nobody else takes a batch that somebody delivers.
    pub lease: u64,
    /// The longest, in seconds, that a batch is put off.
    pub longest: u64,
}

impl BatchLimits {
    /// No clock that is right has put anything off until later than this.
    fn latest(&self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.longest.max(self.lease).max(self.patience))
    }
}

/// Records that are delivered together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationBatch {
    /// Whose.
    pub account: AccountId,
    /// Where to.
    pub destination: InvocationDestination,
    /// The key they are sealed under.
    pub key: Arn,
    /// When it was made, which is the same however often it is delivered.
    pub made_at: Timestamp,
    /// A name of its own, likewise.
    pub name: String,
    /// How often it could not be delivered.
    pub failures: u32,
    /// Whether it was put off until a time that only a wrong clock can have said.
    pub was_far_off: bool,
    key_id: String,
    way: String,
    first: i64,
    last: i64,
}

/// Which goes first, if there are both: whoever takes turns lets neither wait for all of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchTurn {
    /// A batch that was begun before and could not be delivered.
    Again,
    /// One that is not begun yet.
    New,
}

/// One way that records go, and what waits there.
struct Way {
    account: String,
    destination: String,
    key_id: String,
}

/// A batch that is due at `?1`. Nothing is put off until later than `?2`: what is, was put off by a clock that was wrong.
const DUE: &str = "SELECT account_id, destination, key_id,
        (SELECT key FROM invocation_outbox AS o WHERE o.place = b.first_place),
        made_at, name, failures, first_place, last_place, next_at > ?2, next_at
    FROM invocation_batch AS b WHERE next_at <= ?1 OR next_at > ?2 ORDER BY next_at LIMIT 1";
/// A way that no batch is on its way of, and of which the first record waits since `?1` or the first `?3` records have `?2` bytes
/// or are as many, or of which the first was written later than `?4`, by a clock that was wrong. It looks at the first records of
/// each way only, however many wait.
const READY: &str = "WITH RECURSIVE first(place) AS (
        SELECT (SELECT place FROM invocation_outbox ORDER BY account_id, destination, key_id, place LIMIT 1)
        UNION ALL
        SELECT coalesce(
                (SELECT n.place FROM invocation_outbox AS n
                    WHERE n.account_id = c.account_id AND n.destination = c.destination AND n.key_id > c.key_id
                    ORDER BY n.key_id, n.place LIMIT 1),
                (SELECT n.place FROM invocation_outbox AS n
                    WHERE n.account_id = c.account_id AND n.destination > c.destination
                    ORDER BY n.destination, n.key_id, n.place LIMIT 1),
                (SELECT n.place FROM invocation_outbox AS n WHERE n.account_id > c.account_id
                    ORDER BY n.account_id, n.destination, n.key_id, n.place LIMIT 1))
            FROM first JOIN invocation_outbox AS c USING (place))
    SELECT account_id, destination, key_id FROM first JOIN invocation_outbox AS o USING (place)
    WHERE NOT EXISTS (SELECT 1 FROM invocation_batch AS b
            WHERE b.account_id = o.account_id AND b.destination = o.destination AND b.key_id = o.key_id)
        AND (written_at <= ?1 OR written_at > ?4
            OR (SELECT sum(size) >= ?2 OR count(*) >= ?3 FROM (SELECT size FROM invocation_outbox AS s
                WHERE s.account_id = o.account_id AND s.destination = o.destination AND s.key_id = o.key_id
                ORDER BY s.place LIMIT ?3)))
    ORDER BY o.place LIMIT 1";
const GATHER: &str = "SELECT place, size FROM invocation_outbox
    WHERE account_id = ?1 AND destination = ?2 AND key_id = ?3 ORDER BY place LIMIT ?4";
const IN_BATCH: &str = "account_id = ?1 AND destination = ?2 AND key_id = ?3 AND place BETWEEN ?4 AND ?5";

impl Store {
    /// The next batch to be delivered: one that is due again or a new one, which is on the disk when this returns; if there are
    /// both, the one whose turn it is. Nobody else gets it before the lease is over; `None` if there is nothing to do now. A
    /// batch's records are deleted with it, so that no record is in two.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn next_invocations(
        &self,
        now: Timestamp,
        limits: BatchLimits,
        (name, turn): (&str, BatchTurn),
    ) -> Result<Option<InvocationBatch>, StoreError> {
        // Who is next is looked for among all that wait, before anybody else has to wait for that.
        let found = self.database.read(|connection| {
            let due = || Ok(due(connection, now, limits)?.map(Found::Due));
            let ready = || Ok(ready(connection, now, limits)?.map(Found::Ready));
            let first = match turn {
                BatchTurn::Again => due()?,
                BatchTurn::New => ready()?,
            };
            match (first, turn) {
                (None, BatchTurn::Again) => ready(),
                (None, BatchTurn::New) => due(),
                (some, _) => Ok(some),
            }
        })?;
        let Some(found) = found else { return Ok(None) };
        let lease = now.plus_seconds(limits.lease);
        self.database
            .change(|transaction| -> Result<_, Stopped<StoreError>> {
                Ok(match found {
                    Found::Due(due) => taken_again(transaction, due, lease)?,
                    Found::Ready(way) => begun(transaction, way, limits, (now, lease, name))?,
                })
            })
    }

    /// How many other ways of the batch's account have a batch that could not be delivered.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn other_ways_failing(&self, batch: &InvocationBatch) -> Result<u64, StoreError> {
        self.database.read(|connection| {
            let select = "SELECT count(*) FROM invocation_batch
                WHERE account_id = ?1 AND failures > 0 AND (destination, key_id) <> (?2, ?3)";
            let values = params![batch.account.as_str(), batch.way, batch.key_id];
            let mut select = connection.prepare_cached(select)?;
            select.query_row(values, |row| counted(row, 0))
        })
    }

    /// Opens the records of a batch, in their order; `None` if somebody else has delivered it meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Kms`] if they do not open under the key that the permit is for.
    pub fn open_invocations(
        &self,
        batch: &InvocationBatch,
        key: &Permit<kms::Decrypt>,
        kms: &Kms,
    ) -> Result<Option<Vec<ContentBytes>>, StoreError> {
        let sealed: Option<Vec<Vec<u8>>> = self.database.read(|connection| {
            // Their places may be others' by now.
            if !is_there(connection, batch)? {
                return Ok(None);
            }
            let select =
                format!("SELECT place, sealed FROM invocation_outbox WHERE {IN_BATCH} ORDER BY place");
            let mut select = connection.prepare_cached(&select)?;
            let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get(1)?));
            let rows = select.query_map(params_of(batch, &batch.account.as_str()).as_slice(), read)?;
            let mut found = Vec::new();
            for row in rows {
                let (place, sealed) = row?;
                self.database.check(connection, "invocation_outbox", &[&place])?;
                found.push(sealed);
            }
            Ok(Some(found))
        })?;
        let Some(sealed) = sealed else { return Ok(None) };
        let context = invocation_context(batch.account)?;
        let open = |sealed: &Vec<u8>| kms.open(key, &context, sealed).map_err(StoreError::from);
        sealed.iter().map(open).collect::<Result<_, _>>().map(Some)
    }

    /// Forgets a batch with its records, as it is delivered. Nothing is left to be done if somebody else has done it.
    ///
    /// # Errors
    /// [`StoreError`]; then it will be delivered again, under the same name.
    pub fn invocations_delivered(&self, batch: &InvocationBatch) -> Result<(), StoreError> {
        let account = batch.account.as_str();
        self.database.write(|transaction| {
            if !is_there(transaction, batch)? {
                return Ok(());
            }
            forget(transaction, batch, batch.last)?;
            let delete = "DELETE FROM invocation_batch
                WHERE account_id = ?1 AND destination = ?2 AND key_id = ?3 AND name = ?4";
            transaction.execute(delete, params![account, batch.way, batch.key_id, batch.name])?;
            Ok(())
        })
    }

    /// Puts the first records of a batch as events into a log group, and forgets them with the very change that has the events
    /// there: no record is in the group twice, whenever a process ends. What is left of the batch is told; `None` if somebody
    /// else has put any of it meanwhile, and then nothing is put here.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is put, and nothing is forgotten.
    pub fn put_invocations(
        &self,
        permits: (&Permit<PutLogEvents>, &Permit<kms::GenerateDataKey>),
        (batch, events): (&InvocationBatch, &[NewLogEvent<'_>]),
        by: Putting<'_>,
    ) -> Result<(LogPut, Option<InvocationBatch>), StoreError> {
        let mut left = None;
        let put = self.put_log_events_with(permits, events, by, |connection| {
            left = taken_off(connection, batch, events.len())?;
            Ok(left.is_some())
        })?;
        Ok((put, left.filter(|_left| put == LogPut::Done)))
    }

    /// Notes that a batch could not be delivered, and when it may be tried again.
    ///
    /// # Errors
    /// [`StoreError`]; then it is tried again when its lease is over.
    pub fn invocations_failed(&self, batch: &InvocationBatch, next_at: Timestamp) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            let failed = "UPDATE invocation_batch SET failures = failures + 1, next_at = ?5
                WHERE account_id = ?1 AND destination = ?2 AND key_id = ?3 AND name = ?4";
            let values = params![
                batch.account.as_str(),
                batch.way,
                batch.key_id,
                batch.name,
                micros(next_at)
            ];
            transaction.execute(failed, values).map(|_one| ())
        })
    }
}

/// Forgets the records of a batch up to a place.
fn forget(connection: &Connection, batch: &InvocationBatch, last: i64) -> rusqlite::Result<()> {
    let account = batch.account.as_str();
    let values: [&dyn ToSql; 5] = [&account, &batch.way, &batch.key_id, &batch.first, &last];
    let sums = format!("SELECT count(*), coalesce(sum(size), 0) FROM invocation_outbox WHERE {IN_BATCH}");
    let sums = connection
        .prepare_cached(&sums)?
        .query_row(values.as_slice(), |row| Ok((counted(row, 0)?, counted(row, 1)?)))?;
    let delete = format!("DELETE FROM invocation_outbox WHERE {IN_BATCH}");
    connection.prepare_cached(&delete)?.execute(values.as_slice())?;
    fewer_wait(connection, account, sums)
}

/// Forgets the first records of a batch, and the batch with the last of them. What is left of it; `None` if it is not as it is
/// known here, and then nothing is forgotten.
fn taken_off(
    connection: &Connection,
    batch: &InvocationBatch,
    records: usize,
) -> rusqlite::Result<Option<InvocationBatch>> {
    let account = batch.account.as_str();
    if !is_there(connection, batch)? {
        return Ok(None);
    }
    let places = format!("SELECT place FROM invocation_outbox WHERE {IN_BATCH} ORDER BY place");
    let places: Vec<i64> = connection
        .prepare_cached(&places)?
        .query_map(params_of(batch, &account).as_slice(), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let last = records.checked_sub(1).and_then(|last| places.get(last));
    let Some(last) = last else { return Ok(None) };
    forget(connection, batch, *last)?;
    let way = params![account, batch.way, batch.key_id, places.get(records)];
    let change = match places.get(records) {
        Some(_next) => {
            "UPDATE invocation_batch SET first_place = ?4 WHERE account_id = ?1 AND destination = ?2 AND key_id = ?3"
        }
        None => {
            "DELETE FROM invocation_batch WHERE account_id = ?1 AND destination = ?2 AND key_id = ?3 AND ?4 IS NULL"
        }
    };
    connection.prepare_cached(change)?.execute(way)?;
    Ok(Some(InvocationBatch {
        first: places.get(records).copied().unwrap_or(i64::MAX),
        ..batch.clone()
    }))
}

/// Whether a batch is not delivered yet, nor any more of it than is known here.
fn is_there(connection: &Connection, batch: &InvocationBatch) -> rusqlite::Result<bool> {
    let select = "SELECT 1 FROM invocation_batch
        WHERE account_id = ?1 AND destination = ?2 AND key_id = ?3 AND name = ?4 AND first_place = ?5";
    let account = batch.account;
    let values = params![account.as_str(), batch.way, batch.key_id, batch.name, batch.first];
    connection.prepare_cached(select)?.exists(values)
}

fn params_of<'a>(batch: &'a InvocationBatch, account: &'a &str) -> [&'a dyn ToSql; 5] {
    [account, &batch.way, &batch.key_id, &batch.first, &batch.last]
}

/// What is to be delivered next.
enum Found {
    /// A batch, and until when it was put off.
    Due((InvocationBatch, i64)),
    /// The first records of a way.
    Ready(Way),
}

fn due(
    connection: &Connection,
    now: Timestamp,
    limits: BatchLimits,
) -> rusqlite::Result<Option<(InvocationBatch, i64)>> {
    let found = |row: &Row<'_>| {
        let way: String = row.get(1)?;
        let batch = InvocationBatch {
            account: term(row, 0)?,
            destination: read(&way)?,
            key_id: row.get(2)?,
            key: term(row, 3)?,
            made_at: time(row, 4)?,
            name: row.get(5)?,
            failures: row.get(6)?,
            first: row.get(7)?,
            last: row.get(8)?,
            was_far_off: row.get(9)?,
            way,
        };
        Ok((batch, row.get(10)?))
    };
    let values = [micros(now), micros(limits.latest(now))];
    let found = connection.prepare_cached(DUE)?.query_row(values, found);
    found.optional()
}

/// Takes a batch until the lease is over; `None` if somebody else has taken it since it was found.
fn taken_again(
    connection: &Connection,
    (batch, next_at): (InvocationBatch, i64),
    lease: Timestamp,
) -> rusqlite::Result<Option<InvocationBatch>> {
    let take = "UPDATE invocation_batch SET next_at = ?7
        WHERE account_id = ?1 AND destination = ?2 AND key_id = ?3 AND name = ?4 AND first_place = ?5 AND next_at = ?6";
    let values = params![
        batch.account.as_str(),
        batch.way,
        batch.key_id,
        batch.name,
        batch.first,
        next_at,
        micros(lease)
    ];
    let taken = connection.prepare_cached(take)?.execute(values)?;
    Ok((taken > 0).then_some(batch))
}

fn ready(connection: &Connection, now: Timestamp, limits: BatchLimits) -> rusqlite::Result<Option<Way>> {
    let patience = limits.patience.saturating_mul(1_000_000);
    let since = Timestamp::from_unix_micros(now.unix_micros().saturating_sub(patience));
    let way = |row: &Row<'_>| {
        Ok(Way {
            account: row.get(0)?,
            destination: row.get(1)?,
            key_id: row.get(2)?,
        })
    };
    let latest = micros(limits.latest(now));
    let values = params![micros(since), integer(limits.bytes), limits.records, latest];
    connection
        .prepare_cached(READY)?
        .query_row(values, way)
        .optional()
}

/// Writes down the batch of the first records of a way, as one that is taken until the lease is over; `None` if somebody else
/// has begun one since the way was found.
fn begun(
    connection: &Connection,
    way: Way,
    limits: BatchLimits,
    (now, lease, name): (Timestamp, Timestamp, &str),
) -> rusqlite::Result<Option<InvocationBatch>> {
    let Some((first, last)) = first_records(connection, &way, limits)? else {
        return Ok(None);
    };
    let insert = "INSERT INTO invocation_batch
        (account_id, destination, key_id, made_at, name, first_place, last_place, failures, next_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8) ON CONFLICT DO NOTHING";
    let values = params![
        way.account,
        way.destination,
        way.key_id,
        micros(now),
        name,
        first,
        last,
        micros(lease)
    ];
    if connection.prepare_cached(insert)?.execute(values)? == 0 {
        return Ok(None);
    }
    let whose = "SELECT account_id, key FROM invocation_outbox WHERE place = ?1";
    let batch = connection.prepare_cached(whose)?.query_row([first], |row| {
        Ok(InvocationBatch {
            account: term(row, 0)?,
            destination: read(&way.destination)?,
            key: term(row, 1)?,
            made_at: now,
            name: name.to_owned(),
            failures: 0,
            was_far_off: false,
            key_id: way.key_id,
            way: way.destination,
            first,
            last,
        })
    })?;
    Ok(Some(batch))
}

/// The places of the first and the last record of a way that are one batch.
fn first_records(
    connection: &Connection,
    way: &Way,
    limits: BatchLimits,
) -> rusqlite::Result<Option<(i64, i64)>> {
    let (mut bytes, mut range) = (0_u64, None);
    let mut gather = connection.prepare_cached(GATHER)?;
    let values = params![way.account, way.destination, way.key_id, limits.records];
    let one = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, counted(row, 1)?));
    for found in gather.query_map(values, one)? {
        if bytes >= limits.bytes {
            break;
        }
        let (place, size) = found?;
        bytes = bytes.saturating_add(size);
        range = Some((range.map_or(place, |(first, _)| first), place));
    }
    Ok(range)
}
