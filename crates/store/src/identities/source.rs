//! Where long-lived credentials are found, for whoever checks a signature: only what may be used at this moment.

use moho_iam::UserRef;
use moho_iam::authn::{CredentialSource, CredentialsUnavailable, LongLivedBearer, LongLivedKey};
use moho_terms::{AccessKeyId, AccountId};
use rusqlite::Row;

use crate::Store;
use crate::database::{term, time};
use crate::error::StoreError;

const ACCESS_KEY: &str = "SELECT account_id, path, name, identity_id, sealed FROM access_key
    JOIN iam_identity ON identity_id = user_id WHERE access_key_id = ?1 AND active";
const BEDROCK_KEY: &str =
    "SELECT account_id, path, name, identity_id, secret_sha256, expires_at FROM service_credential
    JOIN iam_identity ON identity_id = user_id
    WHERE alias = ?1 AND service = 'bedrock.amazonaws.com' AND active";

impl CredentialSource for Store {
    fn access_key(&self, id: &AccessKeyId) -> Result<Option<LongLivedKey>, CredentialsUnavailable> {
        self.usable_access_key(id).map_err(CredentialsUnavailable::new)
    }

    fn bedrock_key(&self, id: &str) -> Result<Option<LongLivedBearer>, CredentialsUnavailable> {
        self.usable_bedrock_key(id).map_err(CredentialsUnavailable::new)
    }
}

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

impl Store {
    /// How many users and long-lived credentials there are, whether or not they may be used.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn long_lived_credentials(&self) -> Result<LongLivedCredentials, StoreError> {
        let counts = "SELECT (SELECT count(*) FROM iam_identity WHERE kind = 'user'),
            (SELECT count(*) FROM access_key), (SELECT count(*) FROM service_credential)";
        let count = |row: &Row<'_>, column| row.get::<_, u32>(column).map(u64::from);
        self.database.read(|connection| {
            connection.query_row(counts, [], |row| {
                Ok(LongLivedCredentials {
                    users: count(row, 0)?,
                    access_keys: count(row, 1)?,
                    service_credentials: count(row, 2)?,
                })
            })
        })
    }

    fn usable_access_key(&self, id: &AccessKeyId) -> Result<Option<LongLivedKey>, StoreError> {
        let found = self.database.find(|connection| {
            connection.prepare(ACCESS_KEY)?.query_row([id.as_str()], |row| {
                let (account, user) = owner(row)?;
                Ok(LongLivedKey {
                    account,
                    user,
                    sealed: row.get(4)?,
                })
            })
        })?;
        self.if_allowed(found, |key| key.account)
    }

    fn usable_bedrock_key(&self, id: &str) -> Result<Option<LongLivedBearer>, StoreError> {
        let found = self.database.find(|connection| {
            connection.prepare(BEDROCK_KEY)?.query_row([id], |row| {
                let (account, user) = owner(row)?;
                let ends: Option<i64> = row.get(5)?;
                Ok(LongLivedBearer {
                    account,
                    user,
                    sha256: row.get(4)?,
                    expires_at: ends.map(|_| time(row, 5)).transpose()?,
                })
            })
        })?;
        self.if_allowed(found, |key| key.account)
    }

    /// What was found, if the organisation still allows long-lived credentials in its account.
    fn if_allowed<T>(
        &self,
        found: Option<T>,
        account: impl FnOnce(&T) -> AccountId,
    ) -> Result<Option<T>, StoreError> {
        match found {
            Some(found) if self.long_lived_credentials_allowed(account(&found))? => Ok(Some(found)),
            _ => Ok(None),
        }
    }
}

fn owner(row: &Row<'_>) -> rusqlite::Result<(AccountId, UserRef)> {
    let user = UserRef {
        path: row.get(1)?,
        name: term(row, 2)?,
        id: row.get(3)?,
    };
    Ok((term(row, 0)?, user))
}
