//! How keys are kept, as far as those who keep them have to know: bytes that only [`Kms`](crate::Kms) makes and trusts,
//! and what they have to be found by.

use std::error::Error;
use std::sync::Arc;

use moho_terms::{AccountId, Arn, KeyId, Region, Timestamp};

use crate::error::KmsError;

/// A key as it is kept. Whoever alters a single bit of it makes the key unusable, and nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptKey {
    /// Which key.
    pub key_id: KeyId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// How often it was changed, from 1: a change replaces the revision that it has read, and no other.
    pub revision: u64,
    /// When something has to be done to it, if ever: a rotation, the end of imported material, its deletion.
    pub due_at: Option<Timestamp>,
    /// The rest: [`KeyRecord`](crate::KeyRecord), authenticated.
    pub record: Vec<u8>,
}

impl KeptKey {
    /// `arn:aws:kms:REGION:ACCOUNT:key/ID`.
    ///
    /// # Errors
    /// Never, in fact: an account, a region and a key id always make an ARN.
    pub fn arn(&self) -> Result<Arn, KmsError> {
        let (region, account) = (self.region.as_str(), self.account.as_str());
        Arn::of("kms", region, account, &format!("key/{}", self.key_id))
            .map_err(|_no_arn| KmsError::DamagedRecord(self.key_id.clone()))
    }
}

/// The records of keys cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the records of keys cannot be read or written")]
pub struct RecordsUnavailable(#[source] Box<dyn Error + Send + Sync>);

impl RecordsUnavailable {
    /// Because of `source`.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// Where keys are kept. The one outside tests is `store`'s.
///
/// What was acknowledged is on the disk, and one call is done as a whole or not at all.
pub trait KeyRecords: Send + Sync {
    /// Finds a key; `None` if there is none. From memory, and the same `Arc` for as long as the key is unchanged; at most
    /// half a second behind what another process did.
    ///
    /// # Errors
    /// [`RecordsUnavailable`] if that cannot be said.
    fn get(&self, id: &KeyId) -> Result<Option<Arc<KeptKey>>, RecordsUnavailable>;

    /// Looks at once what other processes have done, so that [`get`](Self::get) is not behind them. Whoever shares nothing has
    /// nothing to look at.
    ///
    /// # Errors
    /// [`RecordsUnavailable`] if that cannot be said.
    fn renew(&self) -> Result<(), RecordsUnavailable> {
        Ok(())
    }

    /// The keys of an account in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`RecordsUnavailable`] if they cannot be read.
    fn list(
        &self,
        account: AccountId,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Arc<KeptKey>>, RecordsUnavailable>;

    /// The keys of all accounts in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`RecordsUnavailable`] if they cannot be read.
    fn all(&self, after: Option<&KeyId>, limit: usize) -> Result<Vec<Arc<KeptKey>>, RecordsUnavailable>;

    /// Keeps a new key, unless its account has `most` already: `false`.
    ///
    /// # Errors
    /// [`RecordsUnavailable`] if it is not safely kept, or there is a key of its id.
    fn add(&self, key: &KeptKey, most: usize) -> Result<bool, RecordsUnavailable>;

    /// Keeps a key in place of what it was at revision `was`. `false` if that is not what is kept, or not any more.
    ///
    /// # Errors
    /// [`RecordsUnavailable`] if it is not safely kept.
    fn replace(&self, key: &KeptKey, was: u64) -> Result<bool, RecordsUnavailable>;

    /// Removes a key of revision `was` with its aliases and grants, and overwrites its bytes. `false` if that is not what
    /// is kept, or not any more.
    ///
    /// # Errors
    /// [`RecordsUnavailable`] if it may still be there.
    fn remove(&self, id: &KeyId, was: u64) -> Result<bool, RecordsUnavailable>;

    /// Takes what was replaced or removed out of wherever else it still is, such as a log, once material was deleted. What
    /// cannot be done now is done later. Whoever keeps nothing of that has nothing to do.
    fn shred(&self) {}

    /// The wrapped [`StoreKey`](crate::StoreKey) of where the keys are kept, if that is authenticated.
    ///
    /// # Errors
    /// [`RecordsUnavailable`] if it cannot be read.
    fn store_key(&self) -> Result<Option<Vec<u8>>, RecordsUnavailable> {
        Ok(None)
    }

    /// Keeps that key as it is wrapped now in place of how it was wrapped. `false` if that is not what is kept, or not any
    /// more.
    ///
    /// # Errors
    /// [`RecordsUnavailable`] if it is not safely kept.
    fn replace_store_key(&self, _was: &[u8], _now: &[u8]) -> Result<bool, RecordsUnavailable> {
        Ok(false)
    }

    /// The keys whose [`KeptKey::due_at`] is not after `by`, with that time, the earliest first and those of one time in
    /// the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`RecordsUnavailable`] if they cannot be read.
    fn due(
        &self,
        by: Timestamp,
        after: Option<&(Timestamp, KeyId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, KeyId)>, RecordsUnavailable>;
}
