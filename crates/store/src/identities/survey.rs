//! How many long-lived credentials there are, for whoever has to know that they exist.

use rusqlite::Row;

use crate::Store;
use crate::error::StoreError;

/// Users and their credentials, over all accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongLivedCredentials {
    /// Users.
    pub users: u64,
    /// Their access keys, active or not.
    pub access_keys: u64,
    /// Their service-specific credentials, active or not.
    pub service_credentials: u64,
}

const COUNTS: &str = "SELECT (SELECT count(*) FROM iam_identity WHERE kind = 'user'),
    (SELECT count(*) FROM access_key), (SELECT count(*) FROM service_credential)";

impl Store {
    /// The long-lived credentials that are kept here, whether or not they may be used.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn long_lived_credentials(&self) -> Result<LongLivedCredentials, StoreError> {
        let count = |row: &Row<'_>, column| row.get::<_, u32>(column).map(u64::from);
        self.database.read(|connection| {
            connection.query_row(COUNTS, [], |row| {
                Ok(LongLivedCredentials {
                    users: count(row, 0)?,
                    access_keys: count(row, 1)?,
                    service_credentials: count(row, 2)?,
                })
            })
        })
    }
}
