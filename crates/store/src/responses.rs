//! Stored responses, sealed under their account's key.

use moho_iam::action::{Action, kms, mantle};
use moho_iam::authz::Permit;
use moho_kms::{EncryptionContext, Kms, SealedObject};
use moho_terms::{AccountId, ContentBytes, KeyId, ResponseId, Timestamp};
use rusqlite::{Connection, ToSql, named_params, params};

use crate::Store;
use crate::database::{Stopped, micros, term};
use crate::error::StoreError;
use crate::retention::{after_days, kept_days};

const PUT: &str =
    "INSERT INTO sealed_response (account_id, response_id, key_id, created_at, expires_at, size, sealed)
    VALUES (:account, :response, :key, :created_at, :expires_at, :size, :sealed)";
const KEY: &str = "SELECT kms_key.account_id, key_id FROM sealed_response JOIN kms_key USING (key_id)
    WHERE sealed_response.account_id = ?1 AND response_id = ?2";
const GET: &str = "SELECT sealed FROM sealed_response WHERE account_id = ?1 AND response_id = ?2";
const DELETE: &str = "DELETE FROM sealed_response WHERE account_id = ?1 AND response_id = ?2";

/// What a stored response is sealed under: whose it is, which, and the version of this context. Permits for the key have
/// to be asked for with its [`condition_keys`](EncryptionContext::condition_keys).
///
/// # Errors
/// [`StoreError::Context`], which the terms' bounds rule out.
pub fn response_context(account: AccountId, response: &ResponseId) -> Result<EncryptionContext, StoreError> {
    let pairs = [
        ("moho:account", account.as_str()),
        ("moho:response", response.as_str()),
        ("moho:version", "1"),
    ];
    Ok(EncryptionContext::from_pairs(pairs)?)
}

/// The response of the caller's account that a permit is for.
fn named<A: Action>(permit: &Permit<A>) -> Result<(AccountId, ResponseId), StoreError> {
    let (account, resource) = (permit.session().account(), permit.resource());
    let own = resource.service() == "bedrock-mantle" && resource.account() == account.as_str();
    let id = resource.resource().strip_prefix("response/");
    match id.and_then(|id| id.parse().ok()) {
        Some(response) if own => Ok((account, response)),
        _ => Err(StoreError::NotAResponse),
    }
}

/// A response to keep together with something else.
pub struct NewResponse<'a> {
    /// Its id.
    pub id: &'a ResponseId,
    /// What is to be sealed.
    pub body: &'a ContentBytes,
    /// Leave to seal it under a key.
    pub key: &'a Permit<kms::GenerateDataKey>,
    /// For how many days at most.
    pub days: u32,
}

/// A response that is sealed, and not yet kept.
pub(crate) struct SealedResponse<'a> {
    new: &'a NewResponse<'a>,
    sealed: SealedObject,
}

impl SealedResponse<'_> {
    pub(crate) fn of<'a>(new: &'a NewResponse<'a>, kms: &Kms) -> Result<SealedResponse<'a>, StoreError> {
        let account = new.key.session().account();
        let sealed = kms.seal(new.key, &response_context(account, new.id)?, new.body)?;
        Ok(SealedResponse { new, sealed })
    }

    pub(crate) fn keep(&self, transaction: &Connection, now: Timestamp) -> Result<(), Stopped<StoreError>> {
        let account = self.new.key.session().account();
        let days = kept_days(transaction, (account, self.new.days))?;
        let values = named_params! {
            ":account": account.as_str(),
            ":response": self.new.id.as_str(),
            ":key": self.new.key.resource().resource().trim_start_matches("key/"),
            ":created_at": micros(now),
            ":expires_at": micros(after_days(now, days)),
            ":size": i64::try_from(self.new.body.len()).unwrap_or(i64::MAX),
            ":sealed": self.sealed.as_bytes(),
        };
        transaction.prepare(PUT)?.execute(values)?;
        Ok(())
    }
}

impl Store {
    /// Seals a response under the key that `permit` is for and keeps it for the permit's account, for so many days, or fewer if
    /// the account says so by now. When this returns, it is on the disk.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is kept. [`StoreError::Conflict`] if the account has a response of this id,
    /// [`StoreError::KeepsNothing`] if it keeps none by now.
    #[expect(
        clippy::too_many_arguments,
        reason = "proof, keys, name, content and times: no two can be mistaken for each other"
    )]
    pub fn put_response(
        &self,
        permit: &Permit<kms::GenerateDataKey>,
        kms: &Kms,
        response: &ResponseId,
        body: &ContentBytes,
        (now, days): (Timestamp, u32),
    ) -> Result<(), StoreError> {
        let new = NewResponse {
            id: response,
            body,
            key: permit,
            days,
        };
        let sealed = SealedResponse::of(&new, kms)?;
        self.database
            .change_grouped(|transaction| sealed.keep(transaction, now))
    }

    /// The account and the id of the key that the response is sealed under which `read` is for; `None` if its account has none
    /// of this id.
    ///
    /// # Errors
    /// [`StoreError::NotAResponse`] if `read` is for something else.
    pub fn response_key(
        &self,
        read: &Permit<mantle::GetInference>,
    ) -> Result<Option<(AccountId, KeyId)>, StoreError> {
        let (account, response) = named(read)?;
        self.database.find(|connection| {
            connection
                .prepare(KEY)?
                .query_row(params![account.as_str(), response.as_str()], |row| {
                    Ok((term(row, 0)?, term(row, 1)?))
                })
        })
    }

    /// Opens the response that `read` is for; `None` if its account has none of this id, whatever others have.
    ///
    /// # Errors
    /// [`StoreError::NotAResponse`] if `read` is for something else; [`StoreError::Kms`] if it does not open under the key that `key` is for.
    pub fn get_response(
        &self,
        read: &Permit<mantle::GetInference>,
        key: &Permit<kms::Decrypt>,
        kms: &Kms,
    ) -> Result<Option<ContentBytes>, StoreError> {
        let (account, response) = named(read)?;
        let sealed: Option<Vec<u8>> = self.database.find(|connection| {
            let key: [&dyn ToSql; 2] = [&account.as_str(), &response.as_str()];
            self.database.check(connection, "sealed_response", &key)?;
            connection
                .prepare(GET)?
                .query_row(params![account.as_str(), response.as_str()], |row| row.get(0))
        })?;
        let Some(sealed) = sealed else { return Ok(None) };
        Ok(Some(kms.open(
            key,
            &response_context(account, &response)?,
            &sealed,
        )?))
    }

    /// Deletes the response that the permit is for; `false` if it has none of this id. Its sealed bytes are overwritten in
    /// the database; in the write-ahead log they stay, sealed, until the log is next begun anew.
    ///
    /// # Errors
    /// [`StoreError`]; then it is still there.
    pub fn delete_response(&self, permit: &Permit<mantle::DeleteInference>) -> Result<bool, StoreError> {
        let (account, response) = named(permit)?;
        self.database.write(|transaction| {
            let deleted = transaction
                .prepare(DELETE)?
                .execute(params![account.as_str(), response.as_str()])?;
            Ok(deleted > 0)
        })
    }
}
