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

mod header;
mod stream;
#[cfg(test)]
mod tests;

use moho_terms::{ContentBytes, Entropy, KeyId};
use zeroize::Zeroizing;

use crate::context::EncryptionContext;
use crate::crypto::{Cipher, KEY, derive};
use crate::error::KmsError;
use header::{Header, Unwrapped};

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
    let mut salt = [0; header::SALT];
    entropy.fill(&mut salt)?;
    let unwrapped = Unwrapped::new(key_id, salt);
    let mut wrapped = Vec::with_capacity(header::WRAPPED);
    let wrapping = wrapping_cipher(material, &unwrapped)?;
    wrapping.encrypt(header::WRAP_NONCE, &unwrapped.bound_to(&context), data_key.as_slice(), &mut wrapped)?;
    let (object, header) = Header::commit(unwrapped, &wrapped, |front| object_keys(&data_key, front, &salt, &context))?;
    let mut sealed = Vec::with_capacity(header::LENGTH.saturating_add(stream::sealed_length(plain.len())?));
    sealed.extend_from_slice(header.as_bytes());
    stream::seal(&object.cipher()?, &object.prefix, plain.expose(), &mut sealed)?;
    Ok(SealedObject(sealed))
}
