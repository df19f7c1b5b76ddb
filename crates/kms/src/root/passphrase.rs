//! From a passphrase to a key, so slowly and with so much memory that guessing does not pay (Argon2id, RFC 9106).

use argon2::{Algorithm, Argon2, Block, Params, Version};
use moho_os::LockedBytes;
use moho_terms::Secret;
use zeroize::Zeroizing;

use super::error::RootKeyError;
use crate::crypto::KEY;
use crate::error::KmsError;

/// Bytes of salt.
pub(super) const SALT: usize = 32;
/// Fewest characters of a new passphrase.
const FEWEST: usize = 12;
/// Most bytes of a passphrase.
const MOST: usize = 1024;
/// The most that a file may ask for: a GiB, and 16 passes over it.
const MOST_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 64;

/// A cost, in the bytes of a file.
pub(super) type Cost = [u8; 12];

/// What it takes to try one passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassphraseCost {
    kib: u32,
    passes: u32,
    lanes: u32,
}

impl PassphraseCost {
    /// RFC 9106's second recommendation, which any machine can do: 64 MiB, three passes, four lanes.
    pub const STANDARD: Self = Self {
        kib: 64 * 1024,
        passes: 3,
        lanes: 4,
    };

    /// So much that tests can wait for it.
    #[cfg(test)]
    pub(super) const TRIFLE: Self = Self {
        kib: 32,
        passes: 1,
        lanes: 1,
    };

    /// Memory, in MiB.
    #[must_use]
    pub fn mebibytes(self) -> u32 {
        self.kib / 1024
    }

    /// How often that memory is gone over.
    #[must_use]
    pub fn passes(self) -> u32 {
        self.passes
    }

    pub(super) fn to_bytes(self) -> Cost {
        let mut bytes = [0; 12];
        let numbers = [self.kib, self.passes, self.lanes];
        for (place, number) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(numbers) {
            *place = number.to_be_bytes();
        }
        bytes
    }

    /// What a file asks for, if it can be meant.
    pub(super) fn from_bytes(bytes: &Cost) -> Result<Self, RootKeyError> {
        let [kib, passes, lanes] = [0, 1, 2].map(|n: usize| {
            let number = bytes.as_chunks::<4>().0.get(n);
            number.copied().map_or(0, u32::from_be_bytes)
        });
        if kib > MOST_KIB {
            return Err(RootKeyError::Cost("more than 1 GiB of memory for its passphrase"));
        }
        if passes > MOST_PASSES {
            return Err(RootKeyError::Cost("more than 16 passes for its passphrase"));
        }
        if lanes > MOST_LANES {
            return Err(RootKeyError::Cost("more than 64 lanes for its passphrase"));
        }
        let cost = Self { kib, passes, lanes };
        cost.params()
            .map_err(|_too_little| RootKeyError::Cost("no work for its passphrase"))?;
        Ok(cost)
    }

    fn params(self) -> Result<Params, argon2::Error> {
        Params::new(self.kib, self.passes, self.lanes, Some(KEY))
    }

    /// The key of `passphrase`, in locked memory.
    pub(super) fn key(self, passphrase: &Secret, salt: &[u8; SALT]) -> Result<LockedBytes, RootKeyError> {
        let failed = |_: argon2::Error| {
            RootKeyError::Derivation(Box::new(KmsError::Cryptography("take a passphrase")))
        };
        let params = self.params().map_err(failed)?;
        // Memory that may not be there: asked for, not assumed.
        let mut memory: Zeroizing<Vec<Block>> = Zeroizing::new(Vec::new());
        let count = params.block_count();
        memory
            .try_reserve_exact(count)
            .map_err(|_none| RootKeyError::NoRoom(self.mebibytes()))?;
        memory.resize(count, Block::default());
        let mut key = LockedBytes::zeroed(KEY)?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                passphrase.expose(),
                salt,
                key.expose_mut(),
                memory.as_mut_slice(),
            )
            .map_err(failed)?;
        Ok(key)
    }
}

/// Whether a passphrase is one that can be typed.
pub(super) fn typed(passphrase: &Secret) -> Result<&str, RootKeyError> {
    let text = std::str::from_utf8(passphrase.expose()).ok();
    text.filter(|text| !text.is_empty() && text.len() <= MOST && !text.contains(char::is_control))
        .ok_or(RootKeyError::NotAPassphrase(MOST))
}

/// Whether a passphrase is good enough to be a new one.
pub(super) fn strong(passphrase: &Secret) -> Result<(), RootKeyError> {
    if typed(passphrase)?.chars().count() < FEWEST {
        return Err(RootKeyError::WeakPassphrase(FEWEST));
    }
    Ok(())
}
