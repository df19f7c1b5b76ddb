//! What callers with a permit can have done with keys.

mod control;
mod data_keys;
mod due;
mod encrypt;
mod envelope;
mod import;
mod make;
mod public_keys;
mod rotation;

pub use data_keys::{DataKey, DataKeyLength, DataKeyPair};
pub use due::{Due, DueKind};
pub use encrypt::{Decrypted, Encrypted, ReEncrypted, Under};
pub use import::{Import, ImportType, ParametersForImport};
pub use make::NewKey;
pub use public_keys::{Encapsulated, Message, PublicKey};

use std::sync::Arc;

use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_iam::bootstrap::Attestation;
use moho_terms::{Arn, Clock, Entropy, KeyId, Timestamp};

use crate::context::EncryptionContext;
use crate::data_keys::DataKeys;
use crate::error::KmsError;
use crate::kept::{KeptKey, KeyRecords};
use crate::record::{KeyRecord, encode};
use crate::root::RootKey;
use crate::states::allows;
use crate::unlocked::{Remembered, Unlocked};

/// How often a change is tried while others change the same key.
const TRIES: usize = 8;
/// What import tokens are sealed under.
const IMPORT_TOKENS: &str = "import tokens";

/// The keys of an installation.
///
/// What is kept of a key is looked up on each use, so that a key that was disabled or removed is refused at once; what
/// is remembered is what was made of it, for as long as it is the same. Every action needs the permit for it, on the key
/// that is the permit's resource, and a key whose state allows it.
pub struct Kms {
    root: RootKey,
    records: Arc<dyn KeyRecords>,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    remembered: Remembered,
    data_keys: DataKeys,
}

impl Kms {
    /// The keys wrapped by `root` that are kept in `records`.
    #[must_use]
    pub fn new(
        root: RootKey,
        records: Arc<dyn KeyRecords>,
        entropy: Arc<dyn Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            root,
            records,
            entropy,
            clock,
            remembered: Remembered::default(),
            data_keys: DataKeys::default(),
        }
    }

    /// What stands behind the root key.
    #[must_use]
    pub fn attestation(&self) -> Attestation {
        self.root.attestation()
    }

    /// The key that the permit is for, if its state allows the permit's action: for whatever is done beside the key,
    /// such as aliases, grants and lists.
    ///
    /// # Errors
    /// [`KmsError::NotFound`], [`KmsError::Disabled`], [`KmsError::InvalidState`]; or the key cannot be read.
    pub fn key<A: Action>(&self, permit: &Permit<A>) -> Result<Arc<KeyRecord>, KmsError> {
        self.unlocked(permit).map(|key| Arc::clone(&key.record))
    }

    /// Describes a key.
    ///
    /// # Errors
    /// As of [`Self::key`].
    pub fn describe(&self, permit: &Permit<kms::DescribeKey>) -> Result<Arc<KeyRecord>, KmsError> {
        self.key(permit)
    }

    /// The keys of the caller's account in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`KmsError::Records`] if they cannot be read.
    pub fn list_keys(
        &self,
        permit: &Permit<kms::ListKeys>,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Arc<KeptKey>>, KmsError> {
        Ok(self.records.list(permit.session().account(), after, limit)?)
    }

    /// The key that the permit is for, if its state allows the permit's action, to be used under `context`.
    fn unlocked_for<A: Action>(
        &self,
        permit: &Permit<A>,
        context: &EncryptionContext,
    ) -> Result<Arc<Unlocked>, KmsError> {
        if context.is_named_by(permit.context()) {
            self.unlocked(permit)
        } else {
            Err(KmsError::OtherContext)
        }
    }

    /// The key that the permit is for, if its state allows the permit's action.
    fn unlocked<A: Action>(&self, permit: &Permit<A>) -> Result<Arc<Unlocked>, KmsError> {
        let now = self.clock.now();
        let key = self.read(permit.resource(), now)?;
        allows(key.state_at(now), A::NAME, &key.arn)?;
        Ok(key)
    }

    /// The key of this ARN, to the letter, if it is still there.
    fn read(&self, arn: &Arn, now: Timestamp) -> Result<Arc<Unlocked>, KmsError> {
        let absent = || KmsError::NotFound(arn.clone());
        let key_id: KeyId = arn
            .resource()
            .strip_prefix("key/")
            .and_then(|id| id.parse().ok())
            .ok_or_else(absent)?;
        let Some(kept) = self.records.get(&key_id)? else {
            self.remembered.forget(&key_id);
            return Err(absent());
        };
        let key = self.remembered.key(kept, &self.root)?;
        if key.arn != *arn {
            return Err(absent());
        }
        if key.record.is_gone(now) {
            self.remembered.forget(&key_id);
            return Err(absent());
        }
        Ok(key)
    }

    /// Changes the key that the permit is for, if its state allows the permit's action: all of what `alter` does or
    /// nothing, and on top of all that others have done.
    fn change<A: Action, T>(
        &self,
        permit: &Permit<A>,
        mut alter: impl FnMut(&mut KeyRecord, Timestamp) -> Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        for _ in 0..TRIES {
            let now = self.clock.now();
            let key = self.unlocked(permit)?;
            let mut record = KeyRecord::clone(&key.record);
            let done = alter(&mut record, now)?;
            if record == *key.record || self.replace(record)? {
                return Ok(done);
            }
        }
        Err(KmsError::Conflict)
    }

    /// Keeps what has become of a key. `false` if it was changed meanwhile.
    fn replace(&self, mut record: KeyRecord) -> Result<bool, KmsError> {
        let was = record.revision;
        record.revision = was.saturating_add(1);
        let key = encode(&record, (&self.root, &*self.entropy))?;
        let replaced = self.records.replace(&key, was)?;
        self.remembered.forget(&record.key_id);
        self.data_keys.forget(&record.key_id);
        Ok(replaced)
    }
}
