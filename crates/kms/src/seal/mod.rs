//! The sealed format, version 1: one object under one data key.
//!
//! ```text
//! header   magic "MOHOSEAL" | version 1 | log2 of the chunk size (20) | KmsKey id (16) | salt (32)
//!          | data key, wrapped (48) | commitment (32)                                            = 138 bytes
//! body     chunks of 1 MiB plaintext, each followed by its 16-byte tag; the last one may be shorter
//! ```
//! The KmsKey's material and the salt give a key used once, to wrap the random data key (AES-256-GCM; additional data:
//! the header so far and the digest of the encryption context). The data key, the salt, the header and that digest give
//! the object's key, its nonce prefix and the commitment, a hash of it all: GCM alone would let one ciphertext open
//! under two keys. A chunk's nonce is prefix (7) | number (4) | 1 if it is the last, else 0 (1): no chunk can be left
//! out, moved, repeated or added. All lengths follow from the total, so there is nothing to lie about.

mod front;
mod stream;
#[cfg(test)]
mod tests;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use moho_terms::{ContentBytes, Entropy, KeyId};
use zeroize::Zeroizing;

use crate::context::EncryptionContext;
use crate::crypto::{Cipher, KEY, NONCE, TAG, derive};
use crate::error::KmsError;
use front::{FRONT, Front, SALT};

const WRAPPED: usize = KEY + TAG;
const COMMITMENT: usize = 32;
const HEADER: usize = FRONT + WRAPPED + COMMITMENT;
const WRAP_NONCE: [u8; NONCE] = [0; NONCE];

/// Bytes that are no sealed object, or not the one asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealedError {
    /// They do not begin like one.
    #[error("these bytes are not a sealed object")]
    NotSealed,
    /// A later version made them.
    #[error("the sealed object has format version {0}, which this version of moho cannot read")]
    Version(u8),
    /// The end is missing.
    #[error("the sealed object is cut short")]
    Truncated,
    /// They were sealed under another key than the permit names.
    #[error("the object is sealed under key `{0}`, which is not the key asked for")]
    OtherKey(KeyId),
    /// The data key does not open: another encryption context, another key with this id, or an altered header.
    #[error("the sealed object was altered, or it was sealed under another encryption context")]
    NotAuthentic,
    /// The data key opens, but is not the one the object was sealed with.
    #[error("the sealed object is not committed to its key: it was altered")]
    NotCommitted,
    /// A chunk does not open.
    #[error("chunk {0} of the sealed object was altered, moved or added")]
    Chunk(u32),
    /// Too much for one object.
    #[error("an object of this size cannot be sealed")]
    TooLarge,
}

/// An object that only its key and its encryption context open.
pub struct SealedObject(Vec<u8>);

impl SealedObject {
    /// The bytes to keep.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes to keep, owned.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Seals `plain` under `material`, which is that of `key_id`.
pub(crate) fn seal(
    material: &[u8],
    key_id: &KeyId,
    context: &EncryptionContext,
    plain: &ContentBytes,
    entropy: &dyn Entropy,
) -> Result<SealedObject, KmsError> {
    let context = context.digest();
    let mut data_key = Zeroizing::new([0; KEY]);
    entropy.fill(data_key.as_mut_slice())?;
    let mut salt = [0; SALT];
    entropy.fill(&mut salt)?;
    let length = stream::sealed_length(plain.len()).and_then(|body| body.checked_add(HEADER));
    let mut sealed = Vec::with_capacity(length.ok_or(SealedError::TooLarge)?);
    Front::new(key_id, salt)?.write(&mut sealed);
    let aad = [sealed.as_slice(), &context].concat();
    wrapping_cipher(material, &salt)?.encrypt(WRAP_NONCE, &aad, data_key.as_slice(), &mut sealed)?;
    let object = ObjectKeys::new(data_key.as_slice(), &salt, &sealed, &context)?;
    sealed.extend_from_slice(&object.commitment);
    stream::seal(&object, plain.expose(), &mut sealed)?;
    Ok(SealedObject(sealed))
}

/// What stands at the beginning of `sealed`, read and written down again.
pub(crate) fn front_again(sealed: &[u8]) -> Result<Vec<u8>, SealedError> {
    let mut out = Vec::with_capacity(FRONT);
    Front::parse(sealed)?.write(&mut out);
    Ok(out)
}

/// Opens what [`seal`] made with the same material, key and context; any other bytes are an error.
pub(crate) fn open(
    material: &[u8],
    key_id: &KeyId,
    context: &EncryptionContext,
    sealed: &[u8],
) -> Result<ContentBytes, KmsError> {
    let context = context.digest();
    let front = Front::parse(sealed)?;
    if front.key_id() != key_id {
        return Err(SealedError::OtherKey(front.key_id().clone()).into());
    }
    let (head, rest) = sealed
        .split_at_checked(FRONT + WRAPPED)
        .ok_or(SealedError::Truncated)?;
    let (front_bytes, wrapped) = head.split_at_checked(FRONT).ok_or(SealedError::Truncated)?;
    let (commitment, body) = rest
        .split_first_chunk::<COMMITMENT>()
        .ok_or(SealedError::Truncated)?;
    let mut data_key = Zeroizing::new(Vec::with_capacity(KEY));
    let aad = [front_bytes, &context].concat();
    wrapping_cipher(material, front.salt())?
        .decrypt(WRAP_NONCE, &aad, wrapped, &mut data_key)
        .ok_or(SealedError::NotAuthentic)?;
    let object = ObjectKeys::new(&data_key, front.salt(), head, &context)?;
    if verify_slices_are_equal(commitment, &object.commitment).is_err() {
        return Err(SealedError::NotCommitted.into());
    }
    Ok(stream::open(&object, body)?)
}

/// The cipher for one data key. The salt is fresh, so the key is used once and its nonce can be fixed.
fn wrapping_cipher(material: &[u8], salt: &[u8; SALT]) -> Result<Cipher, KmsError> {
    Cipher::new(&*derive(material, salt, &[b"moho/seal/1 wrap data key"])?)
}

/// What follows from the data key: the object's cipher, its nonces, and the commitment to all of it.
struct ObjectKeys {
    cipher: Cipher,
    prefix: [u8; stream::PREFIX],
    commitment: [u8; COMMITMENT],
}

impl ObjectKeys {
    fn new(data_key: &[u8], salt: &[u8; SALT], head: &[u8], context: &[u8; 32]) -> Result<Self, KmsError> {
        let key = derive(data_key, salt, &[b"moho/seal/1 key", head, context])?;
        let prefix = derive(data_key, salt, &[b"moho/seal/1 nonce", head, context])?;
        let commitment = derive(data_key, salt, &[b"moho/seal/1 commitment", head, context])?;
        Ok(Self {
            cipher: Cipher::new(&key)?,
            prefix: *prefix,
            commitment: *commitment,
        })
    }
}
