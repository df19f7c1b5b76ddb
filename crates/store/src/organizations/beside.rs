//! A look at the organisation from outside of the store, for those who look after the machine: beside a moho that has the
//! store open, or while nobody has. It takes no lock and changes nothing.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use moho_terms::AccountId;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::load;
use crate::error::StoreError;

/// The accounts into which a service control policy lets long-lived credentials, as the store in `directory` has it;
/// `in_use` says whether somebody has it open. None if there is no store yet.
///
/// # Errors
/// [`StoreError`] if it cannot be read, as one that an older moho wrote.
pub fn long_lived_credentials_seen_in(directory: &Path, in_use: bool) -> Result<Vec<AccountId>, StoreError> {
    let path = directory.join("moho.sqlite");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let found = look(&path, in_use).map_err(|error| StoreError::from_sqlite(&path, error))?;
    match found {
        Some(Ok(organisation)) => Ok(organisation.all_that_let_in_long_lived()),
        Some(Err(damage)) => Err(StoreError::Corrupt {
            source: rusqlite::Error::FromSqlConversionFailure(
                0,
                rusqlite::types::Type::Text,
                Box::new(damage),
            ),
            path,
        }),
        None => Ok(Vec::new()),
    }
}

fn look(path: &Path, in_use: bool) -> rusqlite::Result<Option<Result<super::Organisation, load::Damage>>> {
    // Without a log there is nothing but the file, which SQLite then reads without making files of its own.
    let alone = !in_use && !path.with_extension("sqlite-wal").exists();
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            let _always: std::fmt::Result = write!(uri, "%{byte:02X}");
        }
    }
    uri.push_str(if alone { "?immutable=1" } else { "?mode=ro" });
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    load::load(&connection)
}
