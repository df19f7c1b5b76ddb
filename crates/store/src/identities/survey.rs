//! How many long-lived credentials there are and where they may be: for whoever has to know that they exist.

use std::path::Path;

use moho_terms::AccountId;
use rusqlite::{Connection, OpenFlags, Row};

use crate::error::StoreError;
use crate::{Store, migrations, organizations};

/// Users and their credentials, over all accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LongLivedCredentials {
    /// The accounts in which the organisation lets them be used.
    pub allowed_in: Vec<AccountId>,
    /// Users.
    pub users: u64,
    /// Their access keys, active or not.
    pub access_keys: u64,
    /// Their service-specific credentials, active or not.
    pub service_credentials: u64,
}

const COUNTS: &str = "SELECT (SELECT count(*) FROM iam_identity WHERE kind = 'user'),
    (SELECT count(*) FROM access_key), (SELECT count(*) FROM service_credential)";

impl LongLivedCredentials {
    /// Whether any may be used, or are kept.
    #[must_use]
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// In the store of a data directory, which is only looked at, whoever has it open; `None` if there is none that this moho
    /// has written.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn of_directory(directory: &Path) -> Result<Option<Self>, StoreError> {
        look(directory, |connection| {
            let allowed_in = organizations::letting_in_long_lived(connection)?;
            Self::count(connection, allowed_in)
        })
    }

    fn count(connection: &Connection, allowed_in: Vec<AccountId>) -> rusqlite::Result<Self> {
        let count = |row: &Row<'_>, column| row.get::<_, u32>(column).map(u64::from);
        connection.query_row(COUNTS, [], |row| {
            Ok(Self {
                allowed_in,
                users: count(row, 0)?,
                access_keys: count(row, 1)?,
                service_credentials: count(row, 2)?,
            })
        })
    }
}

impl Store {
    /// The long-lived credentials that are kept here.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn long_lived_credentials(&self) -> Result<LongLivedCredentials, StoreError> {
        let allowed_in = self.accounts_with_long_lived_credentials()?;
        self.database
            .read(|connection| LongLivedCredentials::count(connection, allowed_in))
    }
}

/// What a store of a data directory says, read without a trace, whoever has it open; `None` if there is none that this moho
/// has written. Where nobody has the database open, SQLite would make its log and index first.
pub(super) fn look<T>(
    directory: &Path,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    let path = directory.join("moho.sqlite");
    if !path.exists() {
        return Ok(None);
    }
    look_into(&path, read).map_err(|error| StoreError::from_sqlite(&path, error))
}

fn look_into<T>(
    path: &Path,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_URI;
    let open = path.with_extension("sqlite-shm").exists();
    let connection = Connection::open_with_flags(uri(path, open), flags)?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != migrations::known() {
        return Ok(None);
    }
    read(&connection).map(Some)
}

/// A file as SQLite names it; one that nobody has open does not change under the reader.
fn uri(path: &Path, open: bool) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            uri.push_str(&format!("%{byte:02x}"));
        }
    }
    if !open {
        uri.push_str("?immutable=1");
    }
    uri
}
