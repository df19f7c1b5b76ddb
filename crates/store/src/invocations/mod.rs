//! The log of calls of models: where an account wants it, and records on their way there.
//!
//! A record is kept, sealed under the key of where it goes, before the call that it tells of has its last byte; from then on it
//! is delivered, however often that has to be tried, unless its key is deleted.

mod batches;
mod outbox;

use moho_iam::action::bedrock::{
    DeleteModelInvocationLoggingConfiguration, GetModelInvocationLoggingConfiguration,
    PutModelInvocationLoggingConfiguration,
};
use moho_iam::authz::Permit;
use moho_kms::EncryptionContext;
use moho_terms::{AccountId, Arn, BucketName, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::database::micros;
use crate::error::StoreError;

pub use batches::{BatchLimits, BatchTurn, InvocationBatch};
pub use outbox::{InvocationBacklog, NewInvocation, Shredded, WriteShredded};

/// A place in a bucket of the account's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogBucket {
    /// The bucket.
    pub bucket: BucketName,
    /// What keys begin with, as it was said; `None` if nothing was.
    pub prefix: Option<String>,
}

/// A log group of the account's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogGroup {
    /// The log group.
    pub group: String,
    /// The role that may write to it.
    pub role: Arn,
    /// Where bodies go that are too large for it.
    pub large: Option<LogBucket>,
}

/// Where calls of models are logged to, and what of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvocationLogging {
    /// To a log group.
    pub group: Option<LogGroup>,
    /// To a bucket.
    pub bucket: Option<LogBucket>,
    /// Whether text is in it; yes, if nothing is said. As is the case with the others, what was said is kept.
    pub text: Option<bool>,
    /// Whether images are.
    pub image: Option<bool>,
    /// Whether embeddings are.
    pub embedding: Option<bool>,
    /// Whether videos are.
    pub video: Option<bool>,
    /// Whether sound is.
    pub audio: Option<bool>,
}

/// Where one record goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum InvocationDestination {
    /// Into a bucket.
    Bucket(LogBucket),
    /// To a log group.
    Group(LogGroup),
}

/// What records of an account are sealed under while they wait. Permits for the key have to be asked for with its
/// [`condition_keys`](EncryptionContext::condition_keys).
///
/// # Errors
/// [`StoreError::Context`], which the terms' bounds rule out.
pub fn invocation_context(account: AccountId) -> Result<EncryptionContext, StoreError> {
    let pairs = [
        ("moho:account", account.as_str()),
        ("moho:resource", "model-invocation-log"),
        ("moho:version", "1"),
    ];
    Ok(EncryptionContext::from_pairs(pairs)?)
}

impl Store {
    /// Where calls of an account are logged to; `None` if nowhere.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said: then no call may be answered.
    pub fn invocation_logging(&self, account: AccountId) -> Result<Option<InvocationLogging>, StoreError> {
        self.database.read(|connection| logging_of(connection, account))
    }

    /// The same for whom the permit is for.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn own_invocation_logging(
        &self,
        permit: &Permit<GetModelInvocationLoggingConfiguration>,
    ) -> Result<Option<InvocationLogging>, StoreError> {
        self.invocation_logging(permit.session().account())
    }

    /// Has the calls of the permit's account logged from now on, instead of as before.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn put_invocation_logging(
        &self,
        permit: &Permit<PutModelInvocationLoggingConfiguration>,
        logging: &InvocationLogging,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let account = permit.session().account();
        let config = written(logging)?;
        self.database.write(|transaction| {
            let put = "INSERT INTO invocation_logging (account_id, config, put_at) VALUES (?1, ?2, ?3)
                ON CONFLICT (account_id) DO UPDATE SET config = excluded.config, put_at = excluded.put_at";
            let values = params![account.as_str(), config, micros(now)];
            transaction.execute(put, values).map(|_one| ())
        })
    }

    /// Has no more calls of the permit's account logged. What is on its way is delivered all the same.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn delete_invocation_logging(
        &self,
        permit: &Permit<DeleteModelInvocationLoggingConfiguration>,
    ) -> Result<(), StoreError> {
        let account = permit.session().account();
        self.database.write(|transaction| {
            let delete = "DELETE FROM invocation_logging WHERE account_id = ?1";
            transaction.execute(delete, [account.as_str()]).map(|_any| ())
        })
    }
}

fn logging_of(connection: &Connection, account: AccountId) -> rusqlite::Result<Option<InvocationLogging>> {
    let found: Option<String> = connection
        .prepare_cached("SELECT config FROM invocation_logging WHERE account_id = ?1")?
        .query_row([account.as_str()], |row| row.get(0))
        .optional()?;
    found.as_deref().map(read).transpose()
}

/// As a column holds it.
fn written(value: &impl Serialize) -> Result<String, StoreError> {
    // INVARIANT: what is written here has texts for keys, and nothing that fails.
    serde_json::to_string(value).map_err(|_never| StoreError::UnreadableMetadata)
}

fn read<T: for<'de> Deserialize<'de>>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))
}
