//! The schema's history: one module per version, each applied once, in one transaction, and never changed afterwards.

mod v1;
mod v2;
mod v3;
mod v4;
mod v5;
mod v6;

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::StoreError;

/// The statements that lead to version 1, 2, and so on.
const STEPS: &[&str] = &[
    v1::STATEMENTS,
    v2::STATEMENTS,
    v3::STATEMENTS,
    v4::STATEMENTS,
    v5::STATEMENTS,
    v6::STATEMENTS,
];

/// `moho` in ASCII, in the database's header.
const APPLICATION: i64 = 0x6d6f_686f;

/// The last version known here.
pub(crate) fn known() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// Brings the schema to the last version known here.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::from_sqlite(path, error);
    let found: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(failed)?;
    let known = known();
    if found > known {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    if is_foreign(connection, found).map_err(failed)? {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    for (step, version) in STEPS
        .iter()
        .zip(1_u32..)
        .skip(usize::try_from(found).unwrap_or(usize::MAX))
    {
        apply(connection, step, version).map_err(failed)?;
    }
    Ok(())
}

/// Whether tables are there that moho did not make.
fn is_foreign(connection: &Connection, version: u32) -> rusqlite::Result<bool> {
    if version == 0 {
        let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        return Ok(tables > 0);
    }
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(application != APPLICATION)
}

fn apply(connection: &mut Connection, statements: &str, version: u32) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(statements)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}
