//! What `Encrypt` and `GenerateDataKey` give under a symmetric key, version 1: a ciphertext that says which material of
//! which key it needs, and that no other material, key or context opens.
//!
//! ```text
//! version 1 | key id (16) | first half of the material's id (16) | salt (32) | commitment (32) | ciphertext | tag (16)
//! ```
//! HKDF-SHA-256 of the material and the salt, with a label, the key's id, the material's id and the digest of the
//! encryption context as its info, gives the AES-256-GCM key and the commitment. The key is used once, so its nonce is
//! zero. GCM alone would let one ciphertext open under two keys; the commitment is a hash of all there is to the key, and
//! is compared first. All that can be wrong is one and the same error.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use moho_terms::{Entropy, KeyId, Secret};
use zeroize::Zeroizing;

use crate::crypto::{Cipher, KEY, NONCE, TAG, derive};
use crate::error::KmsError;
use crate::key_id::{self, KEY_ID};
use crate::unlocked::{Opened, Unlocked};

const VERSION: u8 = 1;
const MATERIAL: usize = 16;
const SALT: usize = 32;
const COMMITMENT: usize = 32;
/// Bytes that a blob is longer than what it holds.
pub(crate) const OVERHEAD: usize = 1 + KEY_ID + MATERIAL + SALT + COMMITMENT + TAG;
/// The longest blob that is read, as in AWS KMS.
const LONGEST: usize = 6144;
const LABEL: &[u8] = b"moho/kms/1 ciphertext blob";

/// A blob's parts, not yet trusted.
pub(crate) struct Blob<'a> {
    pub(crate) key_id: &'a [u8; KEY_ID],
    pub(crate) material: &'a [u8; MATERIAL],
    salt: &'a [u8; SALT],
    commitment: &'a [u8; COMMITMENT],
    sealed: &'a [u8],
}

impl<'a> Blob<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, KmsError> {
        Self::split(bytes).ok_or(KmsError::InvalidCiphertext)
    }

    fn split(bytes: &'a [u8]) -> Option<Self> {
        let (&VERSION, rest) = bytes.split_first()? else {
            return None;
        };
        let (key_id, rest) = rest.split_first_chunk()?;
        let (material, rest) = rest.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk()?;
        let (commitment, sealed) = rest.split_first_chunk()?;
        (bytes.len() <= LONGEST && sealed.len() > TAG).then_some(Self {
            key_id,
            material,
            salt,
            commitment,
            sealed,
        })
    }

    /// The key that it says it is under.
    pub(crate) fn key(&self) -> Result<KeyId, KmsError> {
        key_id::from_bytes(*self.key_id).ok_or(KmsError::InvalidCiphertext)
    }

    /// The parts, written down again.
    pub(crate) fn print(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(self.key_id);
        out.extend_from_slice(self.material);
        out.extend_from_slice(self.salt);
        out.extend_from_slice(self.commitment);
        out.extend_from_slice(self.sealed);
        out
    }

    /// Opens it with a material of `key` and the digest of the encryption context.
    pub(crate) fn open(
        &self,
        key: &Unlocked,
        material: Opened<'_>,
        context: &[u8; 32],
    ) -> Result<Secret, KmsError> {
        let keys = Keys::of(key, material, self.salt, context)?;
        verify_slices_are_equal(self.commitment, keys.commitment()?)
            .map_err(|_other| KmsError::InvalidCiphertext)?;
        let mut plain = Zeroizing::new(Vec::with_capacity(self.sealed.len()));
        keys.cipher()?
            .decrypt([0; NONCE], b"", self.sealed, &mut plain)
            .ok_or(KmsError::InvalidCiphertext)?;
        Ok(Secret::new(std::mem::take(&mut *plain)))
    }
}

/// Encrypts `plain` under a material of `key` and the digest of the encryption context.
pub(crate) fn seal(
    key: &Unlocked,
    material: Opened<'_>,
    context: &[u8; 32],
    plain: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, KmsError> {
    let mut salt = [0; SALT];
    entropy.fill(&mut salt)?;
    let keys = Keys::of(key, material, &salt, context)?;
    let failed = || KmsError::Cryptography("name a material");
    let mut out = Vec::with_capacity(OVERHEAD.saturating_add(plain.len()));
    out.push(VERSION);
    out.extend_from_slice(&key.id);
    out.extend_from_slice(material.id.as_bytes().get(..MATERIAL).ok_or_else(failed)?);
    out.extend_from_slice(&salt);
    out.extend_from_slice(keys.commitment()?);
    keys.cipher()?.encrypt([0; NONCE], b"", plain, &mut out)?;
    Ok(out)
}

/// What follows from a material, a salt, and what the ciphertext is.
struct Keys(Zeroizing<[u8; KEY + COMMITMENT]>);

impl Keys {
    fn of(
        key: &Unlocked,
        material: Opened<'_>,
        salt: &[u8; SALT],
        context: &[u8; 32],
    ) -> Result<Self, KmsError> {
        let info = [LABEL, &key.id, material.id.as_bytes(), context];
        derive(material.bytes, salt, &info).map(Self)
    }

    fn cipher(&self) -> Result<Cipher, KmsError> {
        let key = self.0.first_chunk().ok_or(KmsError::Cryptography("take a key"))?;
        Cipher::new(key)
    }

    fn commitment(&self) -> Result<&[u8; COMMITMENT], KmsError> {
        self.0
            .last_chunk()
            .ok_or(KmsError::Cryptography("commit to a key"))
    }
}
