//! The front of a sealed object: what it is and which key it needs, before anything is decrypted.

use moho_terms::KeyId;

use super::{SALT, SealedError, VERSION};
use crate::key_id::{self, KEY_ID};
use crate::seal::stream::CHUNK_BITS;
use crate::seal::{MAGIC, version};

/// Bytes up to and including the salt.
pub(super) const FRONT: usize = MAGIC.len() + 2 + KEY_ID + SALT;

/// Version 1's front; its chunk size is fixed, and written down only to be looked at.
pub(super) struct Front {
    key_id: KeyId,
    key_bytes: [u8; KEY_ID],
    salt: [u8; SALT],
}

impl Front {
    #[cfg(test)]
    pub(super) fn new(key_id: &KeyId, salt: [u8; SALT]) -> Option<Self> {
        let key_bytes = key_id::to_bytes(key_id)?;
        Some(Self {
            key_id: key_id.clone(),
            key_bytes,
            salt,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[VERSION, CHUNK_BITS]);
        out.extend_from_slice(&self.key_bytes);
        out.extend_from_slice(&self.salt);
    }

    pub(super) fn parse(sealed: &[u8]) -> Result<Self, SealedError> {
        let (version, rest) = version(sealed)?;
        if version != VERSION {
            return Err(SealedError::Version(version));
        }
        let (chunk_bits, rest) = rest.split_first().ok_or(SealedError::Truncated)?;
        if *chunk_bits != CHUNK_BITS {
            return Err(SealedError::NotAuthentic);
        }
        let (key_bytes, rest) = rest.split_first_chunk::<KEY_ID>().ok_or(SealedError::Truncated)?;
        let (salt, _) = rest.split_first_chunk::<SALT>().ok_or(SealedError::Truncated)?;
        Ok(Self {
            key_id: key_id::from_bytes(*key_bytes).ok_or(SealedError::NotAuthentic)?,
            key_bytes: *key_bytes,
            salt: *salt,
        })
    }

    pub(super) fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    pub(super) fn salt(&self) -> &[u8; SALT] {
        &self.salt
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bits: u128, salt: [u8; 32]) {
            let key_id = key_id::from_bytes(bits.to_be_bytes()).unwrap();
            let mut out = Vec::new();
            Front::new(&key_id, salt).unwrap().write(&mut out);
            prop_assert_eq!(out.len(), FRONT);
            let front = Front::parse(&out).unwrap();
            prop_assert_eq!(front.key_id(), &key_id);
            prop_assert_eq!(front.salt(), &salt);
        }
    }
}
