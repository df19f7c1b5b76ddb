//! What an account says it uses models for: a form of its own words, sealed under its key.

use moho_iam::action::bedrock::{GetUseCaseForModelAccess, PutUseCaseForModelAccess};
use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_kms::{EncryptionContext, Kms};
use moho_terms::{AccountId, ContentBytes, Timestamp};
use rusqlite::params;

use crate::Store;
use crate::database::micros;
use crate::error::StoreError;

/// What an account's form is sealed under. Permits for the key have to be asked for with its
/// [`condition_keys`](EncryptionContext::condition_keys).
///
/// # Errors
/// [`StoreError::Context`], which the terms' bounds rule out.
pub fn use_case_context(account: AccountId) -> Result<EncryptionContext, StoreError> {
    let pairs = [
        ("moho:account", account.as_str()),
        ("moho:resource", "use-case-for-model-access"),
        ("moho:version", "1"),
    ];
    Ok(EncryptionContext::from_pairs(pairs)?)
}

impl Store {
    /// Seals the form of the permit's account and keeps it, instead of any earlier one.
    ///
    /// # Errors
    /// [`StoreError`]; then the earlier one is still there.
    pub fn put_use_case(
        &self,
        permits: (&Permit<PutUseCaseForModelAccess>, &Permit<kms::GenerateDataKey>),
        kms: &Kms,
        form: &ContentBytes,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (put, key) = permits;
        let account = put.session().account();
        let sealed = kms.seal(key, &use_case_context(account)?, form)?;
        let key = key.resource().resource().trim_start_matches("key/");
        self.database.write(|transaction| {
            transaction
                .prepare(
                    "INSERT INTO model_use_case (account_id, key_id, put_at, sealed) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (account_id) DO UPDATE SET
                        key_id = excluded.key_id, put_at = excluded.put_at, sealed = excluded.sealed",
                )?
                .execute(params![account.as_str(), key, micros(now), sealed.as_bytes()])
                .map(|_| ())
        })
    }

    /// Opens the form of the permit's account; `None` if it has none.
    ///
    /// # Errors
    /// [`StoreError::Kms`] if it does not open under the key that `key` is for.
    pub fn use_case(
        &self,
        get: &Permit<GetUseCaseForModelAccess>,
        key: &Permit<kms::Decrypt>,
        kms: &Kms,
    ) -> Result<Option<ContentBytes>, StoreError> {
        let account = get.session().account();
        let sealed: Option<Vec<u8>> = self.database.find(|connection| {
            connection
                .prepare("SELECT sealed FROM model_use_case WHERE account_id = ?1")?
                .query_row([account.as_str()], |row| row.get(0))
        })?;
        let Some(sealed) = sealed else { return Ok(None) };
        Ok(Some(kms.open(key, &use_case_context(account)?, &sealed)?))
    }
}
