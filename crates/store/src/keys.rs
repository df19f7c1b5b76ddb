//! The records of keys, for `kms`.

use moho_kms::{KeyRecord, KeyRecords, RecordsUnavailable};
use moho_terms::KeyId;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use crate::Store;
use crate::database::{micros, term, time};

const FIND: &str =
    "SELECT key_id, account_id, region, state, policy, created_at, wrapped FROM kms_key WHERE key_id = ?1";
const PUT: &str = "INSERT INTO kms_key (key_id, account_id, region, state, policy, created_at, wrapped)
    VALUES (:key_id, :account, :region, :state, :policy, :created_at, :wrapped)
    ON CONFLICT (key_id) DO UPDATE SET
        account_id = excluded.account_id, region = excluded.region, state = excluded.state,
        policy = excluded.policy, created_at = excluded.created_at, wrapped = excluded.wrapped";

impl KeyRecords for Store {
    fn put(&self, record: &KeyRecord) -> Result<(), RecordsUnavailable> {
        self.database
            .write(|transaction| put(transaction, record))
            .map_err(RecordsUnavailable::new)?;
        self.policies.forget();
        Ok(())
    }

    fn get(&self, key_id: &KeyId) -> Result<Option<KeyRecord>, RecordsUnavailable> {
        self.database
            .read(|connection| find(connection, key_id))
            .map_err(RecordsUnavailable::new)
    }
}

pub(crate) fn find(connection: &Connection, key_id: &KeyId) -> rusqlite::Result<Option<KeyRecord>> {
    connection
        .prepare(FIND)?
        .query_row([key_id.as_str()], record)
        .optional()
}

fn record(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    Ok(KeyRecord {
        key_id: term(row, 0)?,
        account: term(row, 1)?,
        region: term(row, 2)?,
        state: term(row, 3)?,
        policy: row.get(4)?,
        created_at: time(row, 5)?,
        wrapped: row.get(6)?,
    })
}

pub(crate) fn put(connection: &Connection, record: &KeyRecord) -> rusqlite::Result<()> {
    let values = named_params! {
        ":key_id": record.key_id.as_str(),
        ":account": record.account.as_str(),
        ":region": record.region.as_str(),
        ":state": record.state.as_str(),
        ":policy": record.policy,
        ":created_at": micros(record.created_at),
        ":wrapped": record.wrapped,
    };
    connection.prepare(PUT)?.execute(values).map(|_| ())
}
