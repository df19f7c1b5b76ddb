//! The sealed format, version 2: one object under a data key that is a `CiphertextBlob` of its KmsKey.
//!
//! ```text
//! header   magic "MOHOSEAL" | version 2 | log2 of the chunk size (20) | length of the blob (2) | blob
//!          | salt (32) | commitment (32)
//! ```
//! The blob is what `GenerateDataKey` gives for 32 bytes under the encryption context, so that whoever may `Decrypt` it can
//! open the object without moho. The data key may seal several objects: each has a random salt of its own. Lengths are
//! big-endian.

#[cfg(test)]
mod tests;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use moho_terms::{ContentBytes, Entropy, KeyId};

use super::stream::{self, CHUNK_BITS};
use super::{
    COMMITMENT, Labels, MAGIC, ObjectKeys, Opener, SALT, SealedError, SealedObject, Sealer, version,
};
use crate::blob::{Blob, OVERHEAD};
use crate::crypto::KEY;
use crate::error::KmsError;

/// The version.
pub(crate) const VERSION: u8 = 2;
const LABELS: Labels = Labels {
    key: b"moho/seal/2 key",
    nonce: b"moho/seal/2 nonce",
    commitment: b"moho/seal/2 commitment",
};
/// Bytes before the blob.
const FIXED: usize = MAGIC.len() + 4;

/// Bytes of the head of an object whose data key is a blob as moho makes them.
pub(super) const HEAD_MAX: usize = FIXED + OVERHEAD + KEY + SALT + COMMITMENT;

/// Begins an object under a data key, which `blob` is under the encryption context of this digest.
pub(crate) fn begin(
    (data_key, blob): (&[u8], &[u8]),
    context: &[u8; 32],
    entropy: &dyn Entropy,
) -> Result<Sealer, KmsError> {
    let mut salt = [0; SALT];
    entropy.fill(&mut salt)?;
    let length = u16::try_from(blob.len()).map_err(|_longer| SealedError::TooLarge)?;
    let mut head = Vec::with_capacity(HEAD_MAX);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&[VERSION, CHUNK_BITS]);
    head.extend_from_slice(&length.to_be_bytes());
    head.extend_from_slice(blob);
    head.extend_from_slice(&salt);
    let keys = ObjectKeys::new(LABELS, (data_key, &salt), &head, context)?;
    head.extend_from_slice(&keys.commitment);
    Ok(Sealer::new(head, keys))
}

/// Seals `plain` under a data key, which `blob` is under the encryption context of this digest.
pub(crate) fn seal(
    under: (&[u8], &[u8]),
    context: &[u8; 32],
    plain: &ContentBytes,
    entropy: &dyn Entropy,
) -> Result<SealedObject, KmsError> {
    let (mut sealed, keys) = begin(under, context, entropy)?.into_parts();
    let body = stream::sealed_length(plain.len()).ok_or(SealedError::TooLarge)?;
    sealed.reserve_exact(body);
    stream::seal(&keys, plain.expose(), &mut sealed)?;
    Ok(SealedObject(sealed))
}

/// An object's parts, not yet trusted.
pub(crate) struct Sealed<'a> {
    /// The data key, under its KmsKey.
    pub(crate) blob: &'a [u8],
    key_id: KeyId,
    head: &'a [u8],
    salt: &'a [u8; SALT],
    commitment: &'a [u8; COMMITMENT],
    body: &'a [u8],
}

impl<'a> Sealed<'a> {
    pub(crate) fn parse(sealed: &'a [u8]) -> Result<Self, SealedError> {
        let cut = || SealedError::Truncated;
        let (version, rest) = version(sealed)?;
        if version != VERSION {
            return Err(SealedError::Version(version));
        }
        let (bits, rest) = rest.split_first().ok_or_else(cut)?;
        if *bits != CHUNK_BITS {
            return Err(SealedError::NotAuthentic);
        }
        let (length, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (blob, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        let (salt, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (commitment, body) = rest.split_first_chunk().ok_or_else(cut)?;
        let head = FIXED + length + SALT;
        let (head, _) = sealed.split_at_checked(head).ok_or_else(cut)?;
        let key_id = Blob::parse(blob).and_then(|blob| blob.key());
        Ok(Self {
            blob,
            key_id: key_id.map_err(|_no_blob| SealedError::NotAuthentic)?,
            head,
            salt,
            commitment,
            body,
        })
    }

    /// The key that it says it is under.
    pub(crate) fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// How much there is to open.
    pub(crate) fn body_length(&self) -> usize {
        self.body.len()
    }

    /// The header, written down again.
    pub(super) fn front(&self) -> Vec<u8> {
        [self.head, self.commitment].concat()
    }

    /// Opens it with its data key and the digest of its encryption context.
    pub(crate) fn open(&self, data_key: &[u8], context: &[u8; 32]) -> Result<ContentBytes, KmsError> {
        Ok(stream::open(&self.committed(data_key, context)?, self.body)?)
    }

    /// Opens the head; the rest of the object, which has `sealed_length` bytes, comes chunk by chunk.
    pub(crate) fn opener(
        &self,
        data_key: &[u8],
        context: &[u8; 32],
        sealed_length: u64,
    ) -> Result<Opener, KmsError> {
        let keys = self.committed(data_key, context)?;
        let head = self.head.len() + COMMITMENT;
        Ok(Opener::new(keys, head, sealed_length)?)
    }

    /// The keys that the head is committed to.
    fn committed(&self, data_key: &[u8], context: &[u8; 32]) -> Result<ObjectKeys, KmsError> {
        let keys = ObjectKeys::new(LABELS, (data_key, self.salt), self.head, context)?;
        if verify_slices_are_equal(self.commitment, &keys.commitment).is_err() {
            return Err(SealedError::NotCommitted.into());
        }
        Ok(keys)
    }
}
