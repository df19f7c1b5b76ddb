//! The records of keys, for `kms`.

use std::sync::Arc;

use moho_kms::{KeptKey, KeyRecords, RecordsUnavailable};
use moho_terms::{AccountId, KeyId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::limited;
use crate::Store;
use crate::authentic::wrapped;
use crate::database::{counted, integer, micros, term, time};
use crate::error::StoreError;

const FIND: &str = "SELECT key_id, account_id, region, revision, due_at, record FROM kms_key
    WHERE key_id = ?1 AND record IS NOT NULL";
const LIST: &str = "SELECT key_id, account_id, region, revision, due_at, record FROM kms_key
    WHERE account_id = ?1 AND key_id > ?2 AND record IS NOT NULL ORDER BY key_id LIMIT ?3";
const ALL: &str = "SELECT key_id, account_id, region, revision, due_at, record FROM kms_key
    WHERE key_id > ?1 AND record IS NOT NULL ORDER BY key_id LIMIT ?2";
const INSERT: &str = "INSERT INTO kms_key (key_id, account_id, region, revision, due_at, record)
    VALUES (:key_id, :account, :region, :revision, :due_at, :record)";
const REPLACE: &str = "UPDATE kms_key SET revision = :revision, due_at = :due_at, record = :record
    WHERE key_id = :key_id AND account_id = :account AND region = :region AND revision = :was AND record IS NOT NULL";
/// The row stays, as what was sealed under the key names it.
const REMOVE: &str = "UPDATE kms_key SET revision = revision + 1, due_at = NULL, record = NULL
    WHERE key_id = ?1 AND revision = ?2 AND record IS NOT NULL";
const DUE: &str = "SELECT due_at, key_id FROM kms_key
    WHERE due_at <= ?1 AND (due_at, key_id) > (?2, ?3) ORDER BY due_at, key_id LIMIT ?4";

impl KeyRecords for Store {
    fn get(&self, id: &KeyId) -> Result<Option<Arc<KeptKey>>, RecordsUnavailable> {
        self.kept_key(id.as_str()).map_err(RecordsUnavailable::new)
    }

    fn renew(&self) -> Result<(), RecordsUnavailable> {
        Self::renew(self).map_err(RecordsUnavailable::new)
    }

    fn list(
        &self,
        account: AccountId,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Arc<KeptKey>>, RecordsUnavailable> {
        let after = after.map_or("", KeyId::as_str);
        let found = self.database.read(|connection| {
            let mut statement = connection.prepare(LIST)?;
            let rows = statement.query_map(params![account.as_str(), after, limited(limit)], kept)?;
            rows.map(|row| self.checked(connection, row?)).collect()
        });
        found.map_err(RecordsUnavailable::new)
    }

    fn all(&self, after: Option<&KeyId>, limit: usize) -> Result<Vec<Arc<KeptKey>>, RecordsUnavailable> {
        let after = after.map_or("", KeyId::as_str);
        let found = self.database.read(|connection| {
            let mut statement = connection.prepare(ALL)?;
            let rows = statement.query_map(params![after, limited(limit)], kept)?;
            rows.map(|row| self.checked(connection, row?)).collect()
        });
        found.map_err(RecordsUnavailable::new)
    }

    fn add(&self, key: &KeptKey, most: usize) -> Result<bool, RecordsUnavailable> {
        let added = self.database.write(|transaction| {
            let there: i64 = transaction
                .prepare("SELECT count(*) FROM kms_key WHERE account_id = ?1 AND record IS NOT NULL")?
                .query_row([key.account.as_str()], |row| row.get(0))?;
            if there >= limited(most) {
                return Ok(false);
            }
            insert(transaction, key).map(|()| true)
        });
        let added = added.map_err(RecordsUnavailable::new)?;
        self.keys.forget_key(&key.key_id);
        Ok(added)
    }

    fn replace(&self, key: &KeptKey, was: u64) -> Result<bool, RecordsUnavailable> {
        let replaced = self.database.write(|transaction| {
            let values = named_params! {
                ":key_id": key.key_id.as_str(),
                ":account": key.account.as_str(),
                ":region": key.region.as_str(),
                ":revision": integer(key.revision),
                ":due_at": key.due_at.map(micros),
                ":record": key.record,
                ":was": integer(was),
            };
            transaction.prepare(REPLACE)?.execute(values)
        });
        // Whoever is told that another was faster has to see what that one did.
        self.keys.forget_key(&key.key_id);
        Ok(replaced.map_err(RecordsUnavailable::new)? > 0)
    }

    fn remove(&self, id: &KeyId, was: u64) -> Result<bool, RecordsUnavailable> {
        let removed = self.database.write(|transaction| {
            let removed = transaction
                .prepare(REMOVE)?
                .execute(params![id.as_str(), integer(was)])?;
            if removed > 0 {
                transaction.execute("DELETE FROM kms_alias WHERE key_id = ?1", [id.as_str()])?;
                transaction.execute("DELETE FROM kms_grant WHERE key_id = ?1", [id.as_str()])?;
            }
            Ok(removed > 0)
        });
        self.keys.forget_removed(id);
        let removed = removed.map_err(RecordsUnavailable::new)?;
        if removed {
            self.shred();
        }
        Ok(removed)
    }

    fn shred(&self) {
        self.database.empty_log();
    }

    fn store_key(&self) -> Result<Option<Vec<u8>>, RecordsUnavailable> {
        let found = self.database.read(wrapped);
        found.map(Some).map_err(RecordsUnavailable::new)
    }

    fn replace_store_key(&self, was: &[u8], now: &[u8]) -> Result<bool, RecordsUnavailable> {
        let replaced = self.database.write(|transaction| {
            transaction
                .prepare("UPDATE authentic_key SET wrapped = ?2 WHERE wrapped = ?1")?
                .execute([was, now])
        });
        Ok(replaced.map_err(RecordsUnavailable::new)? > 0)
    }

    fn due(
        &self,
        by: Timestamp,
        after: Option<&(Timestamp, KeyId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, KeyId)>, RecordsUnavailable> {
        let (at, id) = after.map_or((i64::MIN, ""), |(at, id)| (micros(*at), id.as_str()));
        self.database.empty_log_if_owed();
        let found = self.database.read(|connection| {
            let mut statement = connection.prepare(DUE)?;
            let values = params![micros(by), at, id, limited(limit)];
            let rows = statement.query_map(values, |row| Ok((time(row, 0)?, term(row, 1)?)))?;
            rows.collect()
        });
        found.map_err(RecordsUnavailable::new)
    }
}

impl Store {
    /// A key that was read, if it is the one that was written.
    fn checked(&self, connection: &Connection, key: KeptKey) -> rusqlite::Result<Arc<KeptKey>> {
        let id = key.key_id.as_str();
        self.database.check(connection, "kms_key", &[&id])?;
        Ok(Arc::new(key))
    }

    /// The key of this id, from memory.
    pub(super) fn kept_key(&self, id: &str) -> Result<Option<Arc<KeptKey>>, StoreError> {
        self.ensure_fresh()?;
        let epoch = {
            let remembered = self.keys.read();
            if let Some(known) = remembered.key(id) {
                return Ok(known.cloned());
            }
            remembered.epoch
        };
        // What no key can be called is not worth remembering.
        if id.parse::<KeyId>().is_err() {
            return Ok(None);
        }
        let found = self.database.read(|connection| {
            self.database.check(connection, "kms_key", &[&id])?;
            find(connection, id)
        })?;
        Ok(match self.keys.since(epoch) {
            Some(mut remembered) => remembered.remember_key(id, found),
            None => found.map(Arc::new),
        })
    }
}

fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<KeptKey>> {
    connection.prepare(FIND)?.query_row([id], kept).optional()
}

fn kept(row: &Row<'_>) -> rusqlite::Result<KeptKey> {
    let due: Option<i64> = row.get(4)?;
    Ok(KeptKey {
        key_id: term(row, 0)?,
        account: term(row, 1)?,
        region: term(row, 2)?,
        revision: counted(row, 3)?,
        due_at: due.map(|_| time(row, 4)).transpose()?,
        record: row.get(5)?,
    })
}

/// Keeps a new key.
pub(crate) fn insert(connection: &Connection, key: &KeptKey) -> rusqlite::Result<()> {
    let values = named_params! {
        ":key_id": key.key_id.as_str(),
        ":account": key.account.as_str(),
        ":region": key.region.as_str(),
        ":revision": integer(key.revision),
        ":due_at": key.due_at.map(micros),
        ":record": key.record,
    };
    connection.prepare(INSERT)?.execute(values).map(|_| ())
}
