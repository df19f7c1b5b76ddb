//! Keys as versions of moho before customer-managed keys kept them: one AES material, bound to a few columns.
//!
//! They are read to be upgraded ([`Kms::upgrade`](crate::Kms::upgrade)) and for nothing else. What they sealed opens
//! afterwards as before: the material is the same, wrapped anew, and its id follows from the key's.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use moho_terms::{AccountId, KeyId, Region, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::text::{micros, named};
use super::{KeyRecord, KeyState, Material, MaterialId, MaterialState, RecordError};
use crate::crypto::{KEY, NONCE, TAG};
use crate::error::KmsError;
use crate::kept::KeptKey;
use crate::material::{Part, wrap};
use crate::root::{FINGERPRINT, RootKey};
use crate::spec::{KeySpec, KeyUsage, Origin};

/// The version of a record that is such a key.
pub(super) const VERSION: u8 = 0;

const WRAPPED_VERSION: u8 = 1;
const WRAPPED: usize = 1 + FINGERPRINT + NONCE + KEY + TAG;

/// A row of the table `kms_key` as it was. Its record is a zero byte and this in JSON: the time in microseconds, the
/// wrapped material in hexadecimal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyKey {
    /// `key_id`.
    pub key_id: KeyId,
    /// `account_id`.
    #[serde(with = "named")]
    pub account: AccountId,
    /// `region`.
    #[serde(with = "named")]
    pub region: Region,
    /// `state`: `Enabled` or `Disabled`.
    pub state: LegacyState,
    /// `policy`.
    pub policy: String,
    /// `created_at`.
    #[serde(with = "micros")]
    pub created_at: Timestamp,
    /// `wrapped`, as SQLite's `hex()` prints it.
    pub wrapped: String,
}

/// The two states there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegacyState {
    /// The key may be used.
    Enabled,
    /// It may not.
    Disabled,
}

impl LegacyKey {
    pub(super) fn parse(json: &[u8]) -> Result<Self, RecordError> {
        serde_json::from_slice(json).map_err(|_no_key| RecordError::Malformed)
    }

    /// The key as it is kept until it is upgraded.
    ///
    /// # Errors
    /// Never, in fact: all of it can be written.
    pub fn kept(&self) -> Result<KeptKey, RecordError> {
        let mut record = vec![VERSION];
        serde_json::to_writer(&mut record, self).map_err(|_no_json| RecordError::Malformed)?;
        Ok(KeptKey {
            key_id: self.key_id.clone(),
            account: self.account,
            region: self.region.clone(),
            revision: 1,
            due_at: None,
            record,
        })
    }

    /// The record that it becomes, but for the material.
    pub(super) fn without_material(self) -> KeyRecord {
        KeyRecord {
            key_id: self.key_id,
            account: self.account,
            region: self.region,
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            origin: Origin::AwsKms,
            description: String::new(),
            policy: self.policy,
            principals: BTreeMap::new(),
            tags: BTreeMap::new(),
            created_at: self.created_at,
            state: match self.state {
                LegacyState::Enabled => KeyState::Enabled,
                LegacyState::Disabled => KeyState::Disabled,
            },
            revision: 1,
            materials: Vec::new(),
            rotation: None,
            on_demand_rotations: 0,
        }
    }

    /// SHA-256 of all columns but the material, each with its length before it: the additional data it was wrapped with.
    fn binding(&self) -> [u8; 32] {
        let created = self.created_at.unix_micros().to_string();
        let state = match self.state {
            LegacyState::Enabled => "Enabled",
            LegacyState::Disabled => "Disabled",
        };
        sum_of(&[
            "moho/kms/1 key record",
            self.key_id.as_str(),
            self.account.as_str(),
            self.region.as_str(),
            state,
            &created,
            &self.policy,
        ])
    }

    /// The material, if no column was altered.
    fn material(&self, root: &RootKey) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let damaged = || KmsError::DamagedRecord(self.key_id.clone());
        let wrapped = unhex(&self.wrapped).ok_or_else(damaged)?;
        let wrapped: &[u8; WRAPPED] = wrapped.as_slice().try_into().map_err(|_size| damaged())?;
        let (version, rest) = wrapped.split_first().ok_or_else(damaged)?;
        let (fingerprint, rest) = rest.split_first_chunk::<FINGERPRINT>().ok_or_else(damaged)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
        if *version != WRAPPED_VERSION {
            return Err(damaged());
        }
        let other_root = || KmsError::OtherRoot(self.key_id.clone());
        let root = root.root(fingerprint)?.ok_or_else(other_root)?;
        let mut material = Zeroizing::new(Vec::with_capacity(KEY));
        root.wrapping_cipher()?
            .decrypt(*nonce, &self.binding(), sealed, &mut material)
            .ok_or_else(damaged)?;
        Ok(material)
    }
}

/// The fingerprint of the root key that a legacy record's material is under, if `kept` is one.
pub(crate) fn legacy_root(kept: &KeptKey) -> Option<Vec<u8>> {
    let (&VERSION, json) = kept.record.split_first()? else {
        return None;
    };
    let wrapped = unhex(&LegacyKey::parse(json).ok()?.wrapped)?;
    wrapped.get(1..=FINGERPRINT).map(<[u8]>::to_vec)
}

/// What a legacy record becomes: the same key with the same material, changed once. `None` if `kept` is not one.
pub(crate) fn upgrade(
    kept: &KeptKey,
    root: &RootKey,
    entropy: &dyn moho_terms::Entropy,
) -> Result<Option<KeyRecord>, KmsError> {
    let damaged = || KmsError::DamagedRecord(kept.key_id.clone());
    let Some((&VERSION, json)) = kept.record.split_first() else {
        return Ok(None);
    };
    let key = LegacyKey::parse(json).map_err(|_no_key| damaged())?;
    if (&key.key_id, key.account, &key.region) != (&kept.key_id, kept.account, &kept.region) {
        return Err(damaged());
    }
    let plain = key.material(root)?;
    let mut record = key.without_material();
    let id = MaterialId::new(sum_of(&["moho/kms/0 material", record.key_id.as_str()]));
    let wrapped = wrap(
        &record,
        (Part::Material, &id),
        &plain,
        (root.ring().current(), entropy),
    )?;
    record.materials.push(Material {
        id,
        state: MaterialState::Current,
        created_at: record.created_at,
        rotated: None,
        description: None,
        valid_to: None,
        wrapped: Some(wrapped),
        digest: None,
    });
    record.revision = kept.revision.saturating_add(1);
    Ok(Some(record))
}

fn sum_of(fields: &[&str]) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    for field in fields {
        hash.update(&(field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    let mut sum = [0; 32];
    sum.copy_from_slice(hash.finish().as_ref());
    sum
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}
