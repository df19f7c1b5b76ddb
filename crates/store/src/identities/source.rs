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

impl Store {
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
