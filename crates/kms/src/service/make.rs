//! New keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use moho_iam::action::{kms, organizations};
use moho_iam::authz::Permit;
use moho_iam::bootstrap::Door;
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_terms::{AccountId, KeyId, Region, Timestamp};

use super::Kms;
use super::control::check_tags;
use crate::asymmetric;
use crate::error::KmsError;
use crate::material::{Part, wrap};
use crate::policy::{KeyPolicy, default_key_policy};
use crate::record::{KeyRecord, KeyState, KeyToKeep, Material, MaterialId, MaterialState, encode};
use crate::spec::{KeySpec, KeyUsage, Origin};

/// The most keys that an account may have, as in AWS KMS.
const MOST_KEYS: usize = 100_000;
/// The most characters of a description.
const LONGEST_DESCRIPTION: usize = 8192;

/// What a key is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What kind of material it holds.
    pub spec: KeySpec,
    /// What it is for.
    pub usage: KeyUsage,
    /// Where its material comes from.
    pub origin: Origin,
    /// What its owner says of it.
    pub description: String,
    /// Its key policy; the default one if there is none.
    pub policy: Option<KeyPolicy>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Default for NewKey {
    /// A symmetric key to encrypt with, made here, with the default policy.
    fn default() -> Self {
        Self {
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            origin: Origin::AwsKms,
            description: String::new(),
            policy: None,
            tags: BTreeMap::new(),
        }
    }
}

impl Kms {
    /// A new key for a new account, with the default key policy. It is not yet kept: whoever sets the account up stores
    /// it in the same transaction as the rest. There is nobody yet who could hold a permit, so the open bootstrap door
    /// stands for it.
    ///
    /// # Errors
    /// [`KmsError`] if there is no randomness.
    pub fn bootstrap_key(
        &self,
        _door: &Door,
        account: AccountId,
        region: &Region,
        now: Timestamp,
    ) -> Result<KeyToKeep, KmsError> {
        self.account_key(account, region, now)
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
    ) -> Result<KeyToKeep, KmsError> {
        self.account_key(account, region, now)
    }

    /// Makes and keeps a new key of the caller's account. Whether its policy would lock its maker out is for the caller
    /// to ask before.
    ///
    /// # Errors
    /// [`KmsError`] if it cannot be as asked for, if the account has too many, or if it cannot be kept.
    pub fn create_key(
        &self,
        permit: &Permit<kms::CreateKey>,
        region: &Region,
        new: NewKey,
    ) -> Result<Arc<KeyRecord>, KmsError> {
        let record = self.new_key(permit.session().account(), region, new, self.clock.now())?;
        let key = encode(&record, (&self.root, &*self.entropy))?;
        if self.records.add(&key, MOST_KEYS)? {
            Ok(Arc::new(record))
        } else {
            Err(KmsError::LimitExceeded(format!(
                "The account has {MOST_KEYS} keys, and can have no more."
            )))
        }
    }

    fn account_key(
        &self,
        account: AccountId,
        region: &Region,
        now: Timestamp,
    ) -> Result<KeyToKeep, KmsError> {
        encode(
            &self.new_key(account, region, NewKey::default(), now)?,
            (&self.root, &*self.entropy),
        )
    }

    fn new_key(
        &self,
        account: AccountId,
        region: &Region,
        new: NewKey,
        now: Timestamp,
    ) -> Result<KeyRecord, KmsError> {
        check_description(&new.description)?;
        check_tags(&new.tags)?;
        if let Some(policy) = &new.policy {
            check_policy(&policy.text)?;
        }
        if !new.spec.allows(new.usage) {
            return Err(KmsError::Validation(format!(
                "KeyUsage {} is not compatible with KeySpec {}",
                new.usage, new.spec
            )));
        }
        let policy = new.policy.unwrap_or_else(|| KeyPolicy {
            text: default_key_policy(account),
            principals: BTreeMap::new(),
        });
        let mut record = KeyRecord {
            key_id: KeyId::random(&*self.entropy)?,
            account,
            region: region.clone(),
            spec: new.spec,
            usage: new.usage,
            origin: new.origin,
            description: new.description,
            policy: policy.text,
            principals: policy.principals,
            tags: new.tags,
            created_at: now,
            state: KeyState::PendingImport,
            revision: 1,
            materials: Vec::new(),
            rotation: None,
            on_demand_rotations: 0,
        };
        record.check_room()?;
        if record.origin == Origin::AwsKms {
            let first = self.new_material(&record, MaterialState::Current, now)?;
            record.materials.push(first);
            record.state = KeyState::Enabled;
        }
        Ok(record)
    }

    /// A material for the key that `record` is, fresh and wrapped.
    pub(super) fn new_material(
        &self,
        record: &KeyRecord,
        state: MaterialState,
        now: Timestamp,
    ) -> Result<Material, KmsError> {
        let plain = asymmetric::generate(record.spec, &*self.entropy)?;
        let id = self.new_material_id()?;
        Ok(Material {
            id,
            state,
            created_at: now,
            rotated: None,
            description: None,
            valid_to: None,
            wrapped: Some(wrap(
                record,
                (Part::Material, &id),
                &plain,
                (self.root.ring().current(), &*self.entropy),
            )?),
            digest: None,
        })
    }

    pub(super) fn new_material_id(&self) -> Result<MaterialId, KmsError> {
        let mut id = [0; 32];
        self.entropy.fill(&mut id)?;
        Ok(MaterialId::new(id))
    }
}

pub(super) fn check_description(description: &str) -> Result<(), KmsError> {
    if description.chars().count() > LONGEST_DESCRIPTION {
        return Err(KmsError::Validation(
            "A description has at most 8192 characters.".to_owned(),
        ));
    }
    Ok(())
}

pub(super) fn check_policy(policy: &str) -> Result<(), KmsError> {
    PolicyDocument::parse(PolicyKind::Key, policy)
        .map(drop)
        .map_err(|error| KmsError::MalformedPolicy(error.to_string()))
}
