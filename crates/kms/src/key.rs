//! A KmsKey as it rests: what it is for, who may use it, and its material, wrapped by the root key.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use moho_os::LockedBytes;
use moho_terms::{AccountId, Arn, ArnError, Entropy, KeyId, Region, Timestamp};
use zeroize::Zeroizing;

use crate::crypto::{KEY, NONCE, TAG};
use crate::error::KmsError;
use crate::root::{FINGERPRINT, RootKey};

const VERSION: u8 = 1;
const WRAPPED: usize = 1 + FINGERPRINT + NONCE + KEY + TAG;

/// Whether a key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It may.
    Enabled,
    /// It may not, until it is enabled again.
    Disabled,
}

impl KeyState {
    /// As AWS KMS writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
        }
    }
}

/// Text that is no [`KeyState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key state")]
pub struct KeyStateError;

impl FromStr for KeyState {
    type Err = KeyStateError;

    fn from_str(text: &str) -> Result<Self, KeyStateError> {
        match text {
            "Enabled" => Ok(Self::Enabled),
            "Disabled" => Ok(Self::Disabled),
            _ => Err(KeyStateError),
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A KmsKey as it is stored. Every field is bound to the wrapped material: if one is altered, the key does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Which key.
    pub key_id: KeyId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// Whether it may be used.
    pub state: KeyState,
    /// The key policy, as its author wrote it.
    pub policy: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The material, sealed by the root key.
    pub wrapped: Vec<u8>,
}

impl KeyRecord {
    /// `arn:aws:kms:REGION:ACCOUNT:key/ID`.
    ///
    /// # Errors
    /// Never, in fact: an account, a region and a key id always make an ARN.
    pub fn arn(&self) -> Result<Arn, ArnError> {
        Arn::of(
            "kms",
            self.region.as_str(),
            self.account.as_str(),
            &format!("key/{}", self.key_id),
        )
    }

    /// SHA-256 of everything but the wrapped material, each field with its length before it.
    fn binding(&self) -> [u8; 32] {
        let created = self.created_at.unix_micros().to_string();
        let fields = [
            "moho/kms/1 key record",
            self.key_id.as_str(),
            self.account.as_str(),
            self.region.as_str(),
            self.state.as_str(),
            &created,
            &self.policy,
        ];
        let mut hash = digest::Context::new(&digest::SHA256);
        for field in fields {
            hash.update(&(field.len() as u64).to_be_bytes());
            hash.update(field.as_bytes());
        }
        let mut sum = [0; 32];
        sum.copy_from_slice(hash.finish().as_ref());
        sum
    }

    /// Fills in fresh material, wrapped by `root`.
    pub(crate) fn with_new_material(
        mut self,
        root: &RootKey,
        entropy: &dyn Entropy,
    ) -> Result<Self, KmsError> {
        let mut material = Zeroizing::new([0; KEY]);
        entropy.fill(material.as_mut_slice())?;
        let mut nonce = [0; NONCE];
        entropy.fill(&mut nonce)?;
        let mut wrapped = Vec::with_capacity(WRAPPED);
        wrapped.push(VERSION);
        wrapped.extend_from_slice(root.fingerprint());
        wrapped.extend_from_slice(&nonce);
        root.wrapping_cipher()?
            .encrypt(nonce, &self.binding(), material.as_slice(), &mut wrapped)?;
        self.wrapped = wrapped;
        Ok(self)
    }

    /// Unwraps the material.
    pub(crate) fn material(&self, root: &RootKey) -> Result<LockedBytes, KmsError> {
        let damaged = || KmsError::DamagedRecord(self.key_id.clone());
        let wrapped: &[u8; WRAPPED] = self
            .wrapped
            .as_slice()
            .try_into()
            .map_err(|_wrong_size| damaged())?;
        let (version, rest) = wrapped.split_first().ok_or_else(damaged)?;
        let (fingerprint, rest) = rest.split_first_chunk::<FINGERPRINT>().ok_or_else(damaged)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
        if *version != VERSION {
            return Err(damaged());
        }
        if fingerprint != root.fingerprint() {
            return Err(KmsError::OtherRoot(self.key_id.clone()));
        }
        let mut material = Zeroizing::new(Vec::with_capacity(KEY));
        root.wrapping_cipher()?
            .decrypt(*nonce, &self.binding(), sealed, &mut material)
            .ok_or_else(damaged)?;
        Ok(LockedBytes::take(&mut material)?)
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

/// Where the records of keys are kept. The one outside tests is `store`'s.
pub trait KeyRecords: Send + Sync {
    /// Keeps a record, in place of the one with the same id.
    ///
    /// # Errors
    /// [`RecordsUnavailable`] if it is not safely kept.
    fn put(&self, record: &KeyRecord) -> Result<(), RecordsUnavailable>;

    /// Finds a record; `None` if there is no such key.
    ///
    /// # Errors
    /// [`RecordsUnavailable`] if that cannot be said.
    fn get(&self, key_id: &KeyId) -> Result<Option<KeyRecord>, RecordsUnavailable>;
}
