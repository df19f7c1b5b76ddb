//! The schema's history: one module per version, each applied once, and never changed afterwards.
//! All that are missing are applied in one transaction, with the tree over the rows they leave.

mod v1;
mod v10;
mod v11;
mod v12;
mod v13;
mod v14;
mod v15;
mod v16;
mod v2;
mod v3;
mod v4;
mod v5;
mod v6;
mod v7;
mod v8;
mod v9;

use std::path::Path;

#[cfg(test)]
use rusqlite::TransactionBehavior;
use rusqlite::{Connection, Transaction};

use crate::error::StoreError;

/// The statements that lead to version 1, 2, and so on.
const STEPS: &[&str] = &[
    v1::STATEMENTS,
    v2::STATEMENTS,
    v3::STATEMENTS,
    v4::STATEMENTS,
    v5::STATEMENTS,
    v6::STATEMENTS,
    v7::STATEMENTS,
    v8::STATEMENTS,
    v9::STATEMENTS,
    v10::STATEMENTS,
    v11::STATEMENTS,
    v12::STATEMENTS,
    v13::STATEMENTS,
    v14::STATEMENTS,
    v15::STATEMENTS,
    v16::STATEMENTS,
];

/// `moho` in ASCII, in the database's header.
const APPLICATION: i64 = 0x6d6f_686f;

/// The last version known here.
pub(crate) fn known() -> u32 {
    #[cfg(test)]
    if let Some(earlier) = EARLIER.get() {
        return earlier;
    }
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
thread_local! {
    static EARLIER: std::cell::Cell<Option<u32>> = const { std::cell::Cell::new(None) };
}

/// Does something as a moho that knows no later version than this one.
#[cfg(test)]
pub(crate) fn as_of<T>(version: u32, what: impl FnOnce() -> T) -> T {
    EARLIER.set(Some(version));
    let done = what();
    EARLIER.set(None);
    done
}

/// The version of a database that can be used here.
pub(crate) fn found(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
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
    Ok(found)
}

/// Brings the schema from whatever version it has to this one.
pub(crate) fn bring(transaction: &Transaction<'_>, version: u32) -> rusqlite::Result<()> {
    let found: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    for (step, version) in STEPS.iter().zip(1_u32..=version).skip(done) {
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)
}

/// Brings the schema to a version.
#[cfg(test)]
pub(crate) fn migrate_to(connection: &mut Connection, path: &Path, version: u32) -> Result<(), StoreError> {
    found(connection, path)?;
    connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .and_then(|transaction| {
            bring(&transaction, version)?;
            transaction.commit()
        })
        .map_err(|error| StoreError::from_sqlite(path, error))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roles_of_version_1_keep_their_policies_and_get_ids_of_their_own() {
        let mut sqlite = Connection::open_in_memory().unwrap();
        sqlite.pragma_update(None, "foreign_keys", true).unwrap();
        migrate_to(&mut sqlite, Path::new("memory"), 1).unwrap();
        let before = "INSERT INTO account VALUES ('123456789012', 'moho-local-1', 5);
            INSERT INTO role VALUES ('123456789012', 'Admin', 'trust a', 7);
            INSERT INTO role VALUES ('123456789012', 'Developer', 'trust d', 8);
            INSERT INTO role_policy VALUES ('123456789012', 'Admin', 'All', 'document a');
            INSERT INTO role_policy VALUES ('123456789012', 'Developer', 'Some', 'document d');
            INSERT INTO role_policy VALUES ('123456789012', 'Developer', 'More', 'document e');";
        sqlite.execute_batch(before).unwrap();
        migrate_to(&mut sqlite, Path::new("memory"), known()).unwrap();

        let select =
            "SELECT role_id, name, folded || path || trust_policy || max_session_seconds || created_at,
                (SELECT group_concat(name || '=' || document, ';' ORDER BY name) FROM iam_role_policy
                 WHERE iam_role_policy.role_id = iam_role.role_id)
            FROM iam_role ORDER BY name";
        let rows: Vec<(String, String, String, String)> = sqlite
            .prepare(select)
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        let [admin, developer] = rows.as_slice() else {
            panic!("{rows:?}")
        };
        assert_eq!(admin.2, "admin/trust a36007");
        assert_eq!(admin.3, "All=document a");
        assert_eq!(developer.2, "developer/trust d36008");
        assert_eq!(developer.3, "More=document e;Some=document d");
        for (id, ..) in &rows {
            let letters = id.strip_prefix("AROA").unwrap();
            assert_eq!(letters.len(), 17, "{id}");
            assert!(
                letters
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b))
            );
        }
        assert_ne!(admin.0, developer.0);
        let left: u32 = sqlite
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE name IN ('role', 'role_policy')",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(left, 0);
    }
}
