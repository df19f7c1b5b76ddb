//! Records that wait: written before their calls are answered, and gone when they are delivered or their key is.

use std::collections::HashSet;

use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_kms::Kms;
use moho_terms::{AccountId, Arn, ContentBytes, Timestamp};
use rusqlite::{Connection, Row, params};

use super::{InvocationDestination, invocation_context, written};
use crate::Store;
use crate::database::{Stopped, counted, integer, micros, term, time};
use crate::error::{NotWrittenDown, StoreError};
use crate::sweeping::{ROWS, Room};

/// A record to be kept until it is delivered.
pub struct NewInvocation<'a> {
    /// Where it goes.
    pub destination: &'a InvocationDestination,
    /// Leave to seal it for its account, under the key of where it goes.
    pub key: &'a Permit<kms::GenerateDataKey>,
    /// The record.
    pub record: &'a ContentBytes,
}

/// What waits to be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InvocationBacklog {
    /// How many records.
    pub records: u64,
    /// Their bytes, before sealing.
    pub bytes: u64,
    /// When the first of them was written.
    pub oldest: Option<Timestamp>,
}

/// Records that nobody can open any more, as their key was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shredded {
    /// Whose.
    pub account: AccountId,
    /// Their key.
    pub key: Arn,
    /// How many.
    pub records: u64,
}

/// Writes down which records are about to be dropped. What it does not take stays.
pub type WriteShredded<'a> = &'a mut dyn FnMut(&[Shredded]) -> Result<(), NotWrittenDown>;

/// On how many ways of the account `?1` records wait, up to `?2`. It looks at the first record of each only.
const WAYS: &str = "WITH RECURSIVE way(destination, key_id) AS (
        SELECT * FROM (SELECT destination, key_id FROM invocation_outbox WHERE account_id = ?1
            ORDER BY destination, key_id LIMIT 1)
        UNION ALL
        SELECT n.destination, n.key_id FROM way JOIN invocation_outbox AS n ON n.place = coalesce(
            (SELECT k.place FROM invocation_outbox AS k
                WHERE k.account_id = ?1 AND k.destination = way.destination AND k.key_id > way.key_id
                ORDER BY k.key_id, k.place LIMIT 1),
            (SELECT d.place FROM invocation_outbox AS d WHERE d.account_id = ?1 AND d.destination > way.destination
                ORDER BY d.destination, d.key_id, d.place LIMIT 1))
        LIMIT ?2)
    SELECT count(*) FROM way";
const WAITS: &str =
    "SELECT 1 FROM invocation_outbox WHERE account_id = ?1 AND destination = ?2 AND key_id = ?3 LIMIT 1";

/// What has a key that was deleted: whose, under which key, and how many. It looks at each key once, however many records wait.
const LOST: &str = "WITH RECURSIVE keys(id) AS (
        SELECT min(key_id) FROM invocation_outbox
        UNION ALL
        SELECT (SELECT min(key_id) FROM invocation_outbox WHERE key_id > id) FROM keys WHERE id IS NOT NULL)
    SELECT account_id, key, key_id, count(*) FROM invocation_outbox
    WHERE key_id IN (SELECT id FROM keys
        WHERE id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM kms_key AS k WHERE k.key_id = id AND k.record IS NOT NULL))
    GROUP BY account_id, key";

impl Store {
    /// Seals records of one call, and keeps them all until they are delivered. When this returns, they are on the disk.
    ///
    /// # Errors
    /// [`StoreError`]; then none is kept.
    pub fn keep_invocations(
        &self,
        kms: &Kms,
        records: &[NewInvocation<'_>],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut sealed = Vec::with_capacity(records.len());
        for new in records {
            let context = invocation_context(new.key.session().account())?;
            let destination = written(new.destination)?;
            sealed.push((new, destination, kms.seal(new.key, &context, new.record)?));
        }
        self.database
            .change_grouped(|transaction| -> Result<(), Stopped<StoreError>> {
                for (new, destination, sealed) in &sealed {
                    let (key, account) = (new.key.resource(), new.key.session().account());
                    let values = params![
                        account.as_str(),
                        destination,
                        key_id(key),
                        key.as_str(),
                        micros(now),
                        integer(u64::try_from(new.record.len()).unwrap_or(u64::MAX)),
                        sealed.as_bytes(),
                    ];
                    let insert = "INSERT INTO invocation_outbox
                        (account_id, destination, key_id, key, written_at, size, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
                    transaction.prepare_cached(insert)?.execute(values)?;
                    let size = u64::try_from(new.record.len()).unwrap_or(u64::MAX);
                    more_waits(transaction, account.as_str(), size)?;
                }
                Ok(())
            })
    }

    /// Bytes of an account's records that wait to be delivered.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn invocation_bytes_waiting(&self, account: AccountId) -> Result<u64, StoreError> {
        let select = "SELECT bytes FROM invocation_waiting WHERE account_id = ?1";
        let found = self.database.find(|connection| {
            let mut select = connection.prepare_cached(select)?;
            select.query_row([account.as_str()], |row| counted(row, 0))
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Whether an account's records wait on at most so many ways, which are destinations and keys, with one more on each of
    /// `ways`. Where records wait already, another one is on no other way.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn has_invocation_ways(
        &self,
        account: AccountId,
        ways: &[(&InvocationDestination, &Arn)],
        most: u32,
    ) -> Result<bool, StoreError> {
        let mut asked = HashSet::with_capacity(ways.len());
        for (destination, key) in ways {
            asked.insert((written(*destination)?, key_id(key).to_owned()));
        }
        self.database.read(|connection| {
            let mut new = 0_usize;
            let mut waits = connection.prepare_cached(WAITS)?;
            for (destination, key_id) in &asked {
                let waits = waits.exists(params![account.as_str(), destination, key_id])?;
                new = new.saturating_add(usize::from(!waits));
            }
            if new == 0 {
                return Ok(true);
            }
            let mut count = connection.prepare_cached(WAYS)?;
            let waiting = count.query_row(params![account.as_str(), most], |row| counted(row, 0))?;
            let new = u64::try_from(new).unwrap_or(u64::MAX);
            Ok(waiting.saturating_add(new) <= u64::from(most))
        })
    }

    /// What waits to be delivered, of all accounts.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn invocation_backlog(&self) -> Result<InvocationBacklog, StoreError> {
        self.database.read(|connection| {
            let sums = "SELECT coalesce(sum(records), 0), coalesce(sum(bytes), 0), (SELECT min(written_at) FROM invocation_outbox)
                FROM invocation_waiting";
            connection.query_row(sums, [], |row| {
                let oldest: Option<i64> = row.get(2)?;
                Ok(InvocationBacklog {
                    records: counted(row, 0)?,
                    bytes: counted(row, 1)?,
                    oldest: oldest.map(|_| time(row, 2)).transpose()?,
                })
            })
        })
    }

    /// Drops records whose key was deleted, a bounded number of them; says how many. How many there are of each key is handed
    /// to `write_down` before they go.
    ///
    /// # Errors
    /// [`StoreError`]; then none was dropped.
    pub fn shred_invocations(&self, write_down: WriteShredded<'_>) -> Result<u64, StoreError> {
        if self.database.read(lost)?.is_empty() {
            return Ok(0);
        }
        let dropped = self
            .database
            .change(|transaction| -> Result<u64, Stopped<StoreError>> {
                let (mut dropped, mut told, mut room) = (0_u64, Vec::new(), Room::of(ROWS));
                for (key_id, mut shredded) in lost(transaction)? {
                    let account = shredded.account;
                    shredded.records = drop_some(transaction, (account.as_str(), &key_id), &mut room)?;
                    if shredded.records == 0 {
                        break;
                    }
                    let delete = "DELETE FROM invocation_batch WHERE account_id = ?1 AND key_id = ?2";
                    transaction.execute(delete, params![account.as_str(), key_id])?;
                    dropped = dropped.saturating_add(shredded.records);
                    told.push(shredded);
                }
                write_down(&told).map_err(|error| Stopped::Refused(error.into()))?;
                Ok(dropped)
            })?;
        self.database.empty_log();
        Ok(dropped)
    }
}

fn key_id(key: &Arn) -> &str {
    key.resource().trim_start_matches("key/")
}

/// Drops records of an account under a key, as far as there is room for them; says how many.
fn drop_some(
    connection: &Connection,
    (account, key_id): (&str, &str),
    room: &mut Room,
) -> rusqlite::Result<u64> {
    let mut gone = Vec::new();
    {
        let select =
            "SELECT place, size FROM invocation_outbox WHERE account_id = ?1 AND key_id = ?2 LIMIT ?3";
        let mut select = connection.prepare_cached(select)?;
        let one = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, counted(row, 1)?));
        for found in select.query_map(params![account, key_id, room.rows()], one)? {
            if room.is_full() {
                break;
            }
            let (place, size) = found?;
            room.take(1, size);
            gone.push((place, size));
        }
    }
    let (mut records, mut bytes) = (0_u64, 0_u64);
    for (place, size) in gone {
        let mut delete = connection.prepare_cached("DELETE FROM invocation_outbox WHERE place = ?1")?;
        delete.execute([place])?;
        (records, bytes) = (records.saturating_add(1), bytes.saturating_add(size));
    }
    fewer_wait(connection, account, (records, bytes))?;
    Ok(records)
}

/// One more of an account's records waits, of so many bytes.
fn more_waits(connection: &Connection, account: &str, bytes: u64) -> rusqlite::Result<()> {
    let more = "INSERT INTO invocation_waiting (account_id, records, bytes) VALUES (?1, 1, ?2)
        ON CONFLICT (account_id) DO UPDATE SET records = records + 1, bytes = bytes + excluded.bytes";
    let mut more = connection.prepare_cached(more)?;
    more.execute(params![account, integer(bytes)]).map(|_one| ())
}

/// So many of an account's records, of so many bytes together, wait no more.
pub(super) fn fewer_wait(
    connection: &Connection,
    account: &str,
    (records, bytes): (u64, u64),
) -> rusqlite::Result<()> {
    let fewer = "UPDATE invocation_waiting SET records = max(records - ?2, 0), bytes = max(bytes - ?3, 0)
        WHERE account_id = ?1";
    let mut fewer = connection.prepare_cached(fewer)?;
    let values = params![account, integer(records), integer(bytes)];
    fewer.execute(values).map(|_one| ())
}

fn lost(connection: &Connection) -> rusqlite::Result<Vec<(String, Shredded)>> {
    let read = |row: &Row<'_>| {
        let shredded = Shredded {
            account: term(row, 0)?,
            key: term(row, 1)?,
            records: counted(row, 3)?,
        };
        Ok((row.get(2)?, shredded))
    };
    connection.prepare_cached(LOST)?.query_map([], read)?.collect()
}
