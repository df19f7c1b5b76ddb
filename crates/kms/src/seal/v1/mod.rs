//! The sealed format, version 1: one object under one data key, which the KmsKey's first material wraps. It is only read.
//!
//! ```text
//! header   magic "MOHOSEAL" | version 1 | log2 of the chunk size (20) | KmsKey id (16) | salt (32)
//!          | data key, wrapped (48) | commitment (32)                                            = 138 bytes
//! ```
//! The KmsKey's material and the salt give a key used once, to wrap the random data key (AES-256-GCM; additional data:
//! the header so far and the digest of the encryption context). The data key, the salt, the header and that digest give
//! the object's key, its nonce prefix and the commitment.

mod front;
#[cfg(test)]
mod tests;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use moho_terms::{ContentBytes, KeyId};
use zeroize::Zeroizing;

#[cfg(test)]
use super::SealedObject;
use super::{COMMITMENT, Labels, ObjectKeys, SALT, SealedError, stream};
use crate::context::EncryptionContext;
use crate::crypto::{Cipher, KEY, NONCE, TAG, derive};
use crate::error::KmsError;
use front::{FRONT, Front};

const LABELS: Labels = Labels {
    key: b"moho/seal/1 key",
    nonce: b"moho/seal/1 nonce",
    commitment: b"moho/seal/1 commitment",
};
/// The version.
pub(crate) const VERSION: u8 = 1;
const WRAPPED: usize = KEY + TAG;
#[cfg(test)]
const HEADER: usize = FRONT + WRAPPED + COMMITMENT;
const WRAP_NONCE: [u8; NONCE] = [0; NONCE];

/// What stands at the beginning of `sealed`, read and written down again.
pub(super) fn front_again(sealed: &[u8]) -> Result<Vec<u8>, SealedError> {
    let mut out = Vec::with_capacity(FRONT);
    Front::parse(sealed)?.write(&mut out);
    Ok(out)
}

/// Seals `plain` as versions of moho did that wrote this format: under `material`, which is that of `key_id`.
#[cfg(test)]
pub(crate) fn seal(
    material: &[u8],
    key_id: &KeyId,
    context: &EncryptionContext,
    plain: &ContentBytes,
    entropy: &dyn moho_terms::Entropy,
) -> Result<SealedObject, KmsError> {
    let context = context.digest();
    let mut data_key = Zeroizing::new([0; KEY]);
    entropy.fill(data_key.as_mut_slice())?;
    let mut salt = [0; SALT];
    entropy.fill(&mut salt)?;
    let length = stream::sealed_length(plain.len()).and_then(|body| body.checked_add(HEADER));
    let mut sealed = Vec::with_capacity(length.ok_or(SealedError::TooLarge)?);
    Front::new(key_id, salt)
        .ok_or(KmsError::Cryptography("read a key id"))?
        .write(&mut sealed);
    let aad = [sealed.as_slice(), &context].concat();
    wrapping_cipher(material, &salt)?.encrypt(WRAP_NONCE, &aad, data_key.as_slice(), &mut sealed)?;
    let object = ObjectKeys::new(LABELS, (data_key.as_slice(), &salt), &sealed, &context)?;
    sealed.extend_from_slice(&object.commitment);
    stream::seal(&object, plain.expose(), &mut sealed)?;
    Ok(SealedObject(sealed))
}

/// Opens what was sealed under this material, key and context; any other bytes are an error.
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
    let object = ObjectKeys::new(LABELS, (&data_key, front.salt()), head, &context)?;
    if verify_slices_are_equal(commitment, &object.commitment).is_err() {
        return Err(SealedError::NotCommitted.into());
    }
    Ok(stream::open(&object, body)?)
}

/// The cipher for one data key. The salt is fresh, so the key is used once and its nonce can be fixed.
fn wrapping_cipher(material: &[u8], salt: &[u8; SALT]) -> Result<Cipher, KmsError> {
    Cipher::new(&*derive(material, salt, &[b"moho/seal/1 wrap data key"])?)
}
