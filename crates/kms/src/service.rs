//! What callers with a permit can have done under a key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use moho_iam::action::{Action, kms, organizations};
use moho_iam::authz::Permit;
use moho_iam::bootstrap::{Attestation, Door};
use moho_os::LockedBytes;
use moho_terms::{AccountId, Arn, ContentBytes, Entropy, KeyId, Region, Timestamp};

use crate::context::EncryptionContext;
use crate::error::KmsError;
use crate::key::{KeyRecord, KeyRecords, KeyState};
use crate::policy::default_key_policy;
use crate::root::RootKey;
use crate::seal::{self, SealedObject};

/// How many keys' material is held unwrapped at most: a page of locked memory each.
const UNWRAPPED: usize = 1024;

/// The keys of an installation.
///
/// Records are read anew on each use, so that a key that was disabled or removed is refused at once; only the unwrapping
/// is remembered, for as long as the record is the same to the last bit.
pub struct Kms {
    root: RootKey,
    records: Arc<dyn KeyRecords>,
    entropy: Arc<dyn Entropy>,
    unwrapped: Mutex<HashMap<KeyId, Arc<Unwrapped>>>,
}

struct Unwrapped {
    record: KeyRecord,
    material: LockedBytes,
}

impl Kms {
    /// The keys wrapped by `root` whose records are in `records`.
    #[must_use]
    pub fn new(root: RootKey, records: Arc<dyn KeyRecords>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            root,
            records,
            entropy,
            unwrapped: Mutex::new(HashMap::new()),
        }
    }

    /// What stands behind the root key.
    #[must_use]
    pub fn attestation(&self) -> Attestation {
        self.root.attestation()
    }

    /// A new key for a new account, with the default key policy. It is not yet kept: whoever sets the account up stores
    /// the record in the same transaction as the rest. There is nobody yet who could hold a permit, so the open
    /// bootstrap door stands for it.
    ///
    /// # Errors
    /// [`KmsError`] if there is no randomness.
    pub fn bootstrap_key(
        &self,
        _door: &Door,
        account: AccountId,
        region: &Region,
        now: Timestamp,
    ) -> Result<KeyRecord, KmsError> {
        self.new_key(account, region.clone(), now)
    }

    /// A new key for an account that the caller may create, with the default key policy. It is not yet kept, as for
    /// [`Self::bootstrap_key`].
    ///
    /// # Errors
    /// [`KmsError`] if there is no randomness.
    pub fn key_for_account(
        &self,
        _permit: &Permit<organizations::CreateAccount>,
        account: AccountId,
        region: &Region,
        now: Timestamp,
    ) -> Result<KeyRecord, KmsError> {
        self.new_key(account, region.clone(), now)
    }

    /// Makes and keeps a new key of the caller's account, with the default key policy.
    ///
    /// # Errors
    /// [`KmsError`] if there is no randomness or the record cannot be kept.
    pub fn create_key(
        &self,
        permit: &Permit<kms::CreateKey>,
        region: &Region,
        now: Timestamp,
    ) -> Result<KeyRecord, KmsError> {
        let record = self.new_key(permit.session().account(), region.clone(), now)?;
        self.records.put(&record)?;
        Ok(record)
    }

    fn new_key(&self, account: AccountId, region: Region, now: Timestamp) -> Result<KeyRecord, KmsError> {
        let record = KeyRecord {
            key_id: KeyId::random(&*self.entropy)?,
            account,
            region,
            state: KeyState::Enabled,
            policy: default_key_policy(account),
            created_at: now,
            wrapped: Vec::new(),
        };
        record.with_new_material(&self.root, &*self.entropy)
    }

    /// Seals `plain` under the key and the context that the permit is for. It opens only under the same context.
    ///
    /// # Errors
    /// [`KmsError`] if the key is absent, disabled or damaged; [`KmsError::OtherContext`] if the permit was not decided
    /// under [`EncryptionContext::condition_keys`].
    pub fn seal(
        &self,
        permit: &Permit<kms::GenerateDataKey>,
        context: &EncryptionContext,
        plain: &ContentBytes,
    ) -> Result<SealedObject, KmsError> {
        let key = self.unwrapped_for(permit, context)?;
        seal::seal(
            key.material.expose(),
            &key.record.key_id,
            context,
            plain,
            &*self.entropy,
        )
    }

    /// Opens what was sealed under the key and the context that the permit is for.
    ///
    /// # Errors
    /// [`KmsError::Sealed`] if the bytes are not that; the others as for [`Self::seal`].
    pub fn open(
        &self,
        permit: &Permit<kms::Decrypt>,
        context: &EncryptionContext,
        sealed: &[u8],
    ) -> Result<ContentBytes, KmsError> {
        let key = self.unwrapped_for(permit, context)?;
        seal::open(key.material.expose(), &key.record.key_id, context, sealed)
    }

    fn unwrapped_for<A: Action>(
        &self,
        permit: &Permit<A>,
        context: &EncryptionContext,
    ) -> Result<Arc<Unwrapped>, KmsError> {
        if context.is_named_by(permit.context()) {
            self.unwrapped(permit)
        } else {
            Err(KmsError::OtherContext)
        }
    }

    fn unwrapped<A: Action>(&self, permit: &Permit<A>) -> Result<Arc<Unwrapped>, KmsError> {
        let record = self.record(permit.resource())?;
        if record.state == KeyState::Disabled {
            return Err(KmsError::Disabled(record.key_id));
        }
        let mut cache = self.unwrapped.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cache.get(&record.key_id).filter(|known| known.record == record) {
            return Ok(Arc::clone(known));
        }
        if cache.len() >= UNWRAPPED {
            cache.clear();
        }
        let material = record.material(&self.root)?;
        let fresh = Arc::new(Unwrapped { record, material });
        cache.insert(fresh.record.key_id.clone(), Arc::clone(&fresh));
        Ok(fresh)
    }

    /// The record of the key with this ARN, to the letter.
    fn record(&self, arn: &Arn) -> Result<KeyRecord, KmsError> {
        let key_id = arn
            .resource()
            .strip_prefix("key/")
            .and_then(|id| id.parse::<KeyId>().ok());
        let record = self
            .records
            .get(&key_id.ok_or(KmsError::NotFound)?)?
            .ok_or(KmsError::NotFound)?;
        if record.arn().is_ok_and(|own| own == *arn) {
            Ok(record)
        } else {
            Err(KmsError::NotFound)
        }
    }
}
