//! Sealed objects: what a customer's content is when it rests.
//!
//! An object is sealed under a data key of its own or of a few others ([`v2`]), and that under a KmsKey; what versions of
//! moho before customer-managed keys sealed ([`v1`]) still opens. Both begin alike and have the same body:
//!
//! ```text
//! header   magic "MOHOSEAL" | version | log2 of the chunk size (20) | …
//! body     chunks of 1 MiB plaintext, each followed by its 16-byte tag; the last one may be shorter
//! ```
//! What leads to the object's key, and all else that its header says, gives the key, the nonce prefix and the commitment,
//! a hash of it all: GCM alone would let one ciphertext open under two keys. A chunk's nonce is prefix (7) | number (4) |
//! 1 if it is the last, else 0 (1): no chunk can be left out, moved, repeated or added. All lengths follow from the
//! total, so there is nothing to lie about.

mod opener;
mod sealer;
mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod v1;
pub(crate) mod v2;

pub use opener::Opener;
pub use sealer::Sealer;

use moho_terms::KeyId;

use crate::crypto::{Cipher, derive};
use crate::error::KmsError;

const MAGIC: &[u8; 8] = b"MOHOSEAL";
const COMMITMENT: usize = 32;
const SALT: usize = 32;

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
    /// A chunk that is not full and not the last one, or that comes behind the last one.
    #[error("a chunk of another length or in another place than a sealed object has")]
    ChunkLength,
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

/// What seals one object: its cipher, its nonces, and the commitment to all that they follow from.
struct ObjectKeys {
    cipher: Cipher,
    prefix: [u8; stream::PREFIX],
    commitment: [u8; COMMITMENT],
}

/// What tells the derivations of one version from those of another.
#[derive(Clone, Copy)]
struct Labels {
    key: &'static [u8],
    nonce: &'static [u8],
    commitment: &'static [u8],
}

impl ObjectKeys {
    /// Of a data key and a salt, for an object with this head under the encryption context of this digest.
    fn new(
        labels: Labels,
        (data_key, salt): (&[u8], &[u8; SALT]),
        head: &[u8],
        context: &[u8; 32],
    ) -> Result<Self, KmsError> {
        let key = derive(data_key, salt, &[labels.key, head, context])?;
        let prefix = derive(data_key, salt, &[labels.nonce, head, context])?;
        let commitment = derive(data_key, salt, &[labels.commitment, head, context])?;
        Ok(Self {
            cipher: Cipher::new(&key)?,
            prefix: *prefix,
            commitment: *commitment,
        })
    }
}

/// An object's version, and what follows it.
pub(crate) fn version(sealed: &[u8]) -> Result<(u8, &[u8]), SealedError> {
    let (magic, rest) = sealed.split_first_chunk().ok_or(SealedError::NotSealed)?;
    if magic != MAGIC {
        return Err(SealedError::NotSealed);
    }
    let (version, rest) = rest.split_first().ok_or(SealedError::Truncated)?;
    Ok((*version, rest))
}

/// What stands at the beginning of `sealed`, read and written down again.
pub(crate) fn front_again(sealed: &[u8]) -> Result<Vec<u8>, SealedError> {
    match version(sealed)? {
        (v2::VERSION, _) => Ok(v2::Sealed::parse(sealed)?.front()),
        _ => v1::front_again(sealed),
    }
}
