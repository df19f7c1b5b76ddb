//! A record as bytes.
//!
//! ```text
//! version 1 | fingerprint of the root key (16) | HMAC-SHA-256 (32) | JSON
//! ```
//! The MAC is under a key that the root key gives for this, over the key's id and the JSON. It is what makes an altered
//! disk a useless one: policy, tags, state and materials are all under it. Version 0 is a key as older versions of moho
//! kept it ([`LegacyKey`](super::LegacyKey)), which is read to be upgraded and is not trusted before.

use std::ops::Deref;
use std::sync::Arc;

use aws_lc_rs::hmac;
use moho_terms::{Entropy, KeyId};

use super::{KeyRecord, legacy};
use crate::error::KmsError;
use crate::kept::KeptKey;
use crate::material::rewrapped;
use crate::root::{FINGERPRINT, Root, RootKey, RootWriting};

const VERSION: u8 = 1;
const MAC: usize = 32;
/// The most bytes of JSON: a policy of the largest size, fifty tags and a few hundred rotations.
const LONGEST: usize = 256 << 10;
/// What of it is left to the materials: all that can be imported, or a hundred years of rotations every 90 days.
const OF_MATERIALS: usize = 128 << 10;

/// Bytes that are no record of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// They end too soon.
    #[error("the record of a key is cut short")]
    Truncated,
    /// A later version of moho made them.
    #[error("the record of a key has version {0}, which this version of moho cannot read")]
    Version(u8),
    /// They are not what a key's record says.
    #[error("the record of a key cannot be read")]
    Malformed,
    /// They are longer than a record may be.
    #[error("the record of a key is too long")]
    TooLong,
}

/// A record's parts, not yet trusted.
struct Parts<'a> {
    fingerprint: &'a [u8; FINGERPRINT],
    mac: &'a [u8; MAC],
    json: &'a [u8],
}

impl<'a> Parts<'a> {
    fn split(rest: &'a [u8]) -> Result<Self, RecordError> {
        let (fingerprint, rest) = rest.split_first_chunk().ok_or(RecordError::Truncated)?;
        let (mac, json) = rest.split_first_chunk().ok_or(RecordError::Truncated)?;
        if json.len() > LONGEST {
            return Err(RecordError::TooLong);
        }
        Ok(Self {
            fingerprint,
            mac,
            json,
        })
    }

    fn record(&self) -> Result<KeyRecord, RecordError> {
        serde_json::from_slice(self.json).map_err(|_no_record| RecordError::Malformed)
    }
}

impl KeyRecord {
    /// Reads a record without asking whether it is true: what the disk says of policy, tags, spec, usage and state.
    ///
    /// # Errors
    /// [`RecordError`] if the bytes are none.
    pub fn peek(bytes: &[u8]) -> Result<Self, RecordError> {
        match bytes.split_first().ok_or(RecordError::Truncated)? {
            (&legacy::VERSION, rest) => legacy::LegacyKey::parse(rest).map(|key| key.without_material()),
            (&VERSION, rest) => Parts::split(rest)?.record(),
            (&version, _) => Err(RecordError::Version(version)),
        }
    }

    /// Whether all the materials that the key may come to have fit beside what is said of it, so that it is who says too
    /// much who is refused, and no rotation later.
    pub(crate) fn check_room(&self) -> Result<(), KmsError> {
        let said = Self {
            materials: Vec::new(),
            ..self.clone()
        };
        let json = serde_json::to_vec(&said).map_err(|_no_json| KmsError::Cryptography("write a record"))?;
        if json.len() > LONGEST - OF_MATERIALS {
            return Err(KmsError::LimitExceeded(
                "The key policy, the tags and the description of the key are too long together.".to_owned(),
            ));
        }
        Ok(())
    }

    /// The fingerprint of the root key that a record is under; `None` for one that is under none yet.
    pub(crate) fn root_of(bytes: &[u8]) -> Result<Option<&[u8; FINGERPRINT]>, RecordError> {
        match bytes.split_first().ok_or(RecordError::Truncated)? {
            (&legacy::VERSION, _) => Ok(None),
            (&VERSION, rest) => Ok(Some(Parts::split(rest)?.fingerprint)),
            (&version, _) => Err(RecordError::Version(version)),
        }
    }
}

/// A key to be kept at once: while this is there, no rotation takes away the root that it is under.
pub struct KeyToKeep {
    key: KeptKey,
    _root: RootWriting,
}

impl Deref for KeyToKeep {
    type Target = KeptKey;

    fn deref(&self) -> &KeptKey {
        &self.key
    }
}

/// A record and all that it is found by, as it is kept under the root that is the current one until it is kept. What is
/// wrapped in it by another root is wrapped anew.
pub(crate) fn encode(
    record: &KeyRecord,
    (root, entropy): (&RootKey, &dyn Entropy),
) -> Result<KeyToKeep, KmsError> {
    let writing = root.writing()?;
    let current = writing.ring().current();
    let anew = rewrapped(record, current, (root, entropy))?;
    let bytes = written(anew.as_ref().unwrap_or(record), current)?;
    Ok(KeyToKeep {
        key: KeptKey {
            key_id: record.key_id.clone(),
            account: record.account,
            region: record.region.clone(),
            revision: record.revision,
            due_at: record.due_at(),
            record: bytes,
        },
        _root: writing,
    })
}

/// A record as bytes, authenticated by `root`.
pub(crate) fn written(record: &KeyRecord, root: &Root) -> Result<Vec<u8>, KmsError> {
    let json = serde_json::to_vec(record).map_err(|_no_json| KmsError::Cryptography("write a record"))?;
    if json.len() > LONGEST {
        return Err(KmsError::LimitExceeded(
            "The key has too many key materials, or its key policy is too long.".to_owned(),
        ));
    }
    let mut bytes = Vec::with_capacity(1 + FINGERPRINT + MAC + json.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(root.fingerprint());
    bytes.extend_from_slice(mac_of(root, &record.key_id, &json)?.as_ref());
    bytes.extend_from_slice(&json);
    Ok(bytes)
}

/// The record of a key, if not a bit of it was altered since it was made under `root`.
pub(crate) fn verify(kept: &Arc<KeptKey>, root: &RootKey) -> Result<KeyRecord, KmsError> {
    let damaged = || KmsError::DamagedRecord(kept.key_id.clone());
    let (version, rest) = kept.record.split_first().ok_or_else(damaged)?;
    if *version != VERSION {
        return Err(damaged());
    }
    let parts = Parts::split(rest).map_err(|_cut| damaged())?;
    let other_root = || KmsError::OtherRoot(kept.key_id.clone());
    let root = root.root(parts.fingerprint)?.ok_or_else(other_root)?;
    let mut signed = hmac::Context::with_key(&root.record_mac_key()?);
    signed.update(kept.key_id.as_str().as_bytes());
    signed.update(parts.json);
    aws_lc_rs::constant_time::verify_slices_are_equal(signed.sign().as_ref(), parts.mac)
        .map_err(|_altered| damaged())?;
    let record = parts.record().map_err(|_unreadable| damaged())?;
    let found_by = (
        &kept.key_id,
        kept.account,
        &kept.region,
        kept.revision,
        kept.due_at,
    );
    let says = (
        &record.key_id,
        record.account,
        &record.region,
        record.revision,
        record.due_at(),
    );
    if found_by == says {
        Ok(record)
    } else {
        Err(damaged())
    }
}

/// A record read and written down again, without its MAC.
pub(crate) fn reprint(bytes: &[u8]) -> Result<Vec<u8>, RecordError> {
    let record = KeyRecord::peek(bytes)?;
    serde_json::to_vec(&record).map_err(|_no_json| RecordError::Malformed)
}

fn mac_of(root: &Root, key_id: &KeyId, json: &[u8]) -> Result<hmac::Tag, KmsError> {
    let mut mac = hmac::Context::with_key(&root.record_mac_key()?);
    mac.update(key_id.as_str().as_bytes());
    mac.update(json);
    Ok(mac.sign())
}
