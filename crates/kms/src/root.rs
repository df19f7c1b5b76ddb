//! The root of trust: the one key that is not wrapped by another.
//!
//! The development root lives in a file that only the server's user can read. It proves nothing about the machine,
//! which is why [`RootKey::attestation`] says `development` and everything that talks to the outside repeats it.

use std::path::Path;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use moho_iam::bootstrap::Attestation;
use moho_os::{
    LockedBytes, MemoryError, PrivateFileError, Residence, check_private, create_private, read_private,
};
use moho_terms::{Entropy, EntropyUnavailable, Secret};
use zeroize::Zeroizing;

use crate::crypto::{Cipher, KEY, derive};
use crate::error::KmsError;

/// Bytes of a root key's public name.
pub(crate) const FINGERPRINT: usize = 16;

/// What the file begins with, so that no other file is taken for a key.
const MAGIC: &[u8; 16] = b"moho-dev-root-1\n";
/// What it ends with: some bytes derived from the key, so that a damaged key is told from a right one.
const CHECK: usize = 8;
const FILE: usize = MAGIC.len() + KEY + CHECK;

/// The root key could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootKeyError {
    /// Its file is not as private as it must be, or the disk failed.
    #[error("the root key cannot be used")]
    File(#[from] PrivateFileError),
    /// The file is something else.
    #[error("the root key file does not hold a moho development root key: restore it from a backup")]
    NotRootKey,
    /// The file was altered.
    #[error("the root key file is damaged: restore it from a backup")]
    Damaged,
    /// No random bytes for a new key.
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
    /// No memory for the key.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The cryptographic library failed.
    #[error("the root key cannot be derived from")]
    Derivation(#[source] Box<KmsError>),
}

/// The root key, in locked memory. It never leaves this type; what others need is derived from it.
pub struct RootKey {
    key: LockedBytes,
    fingerprint: [u8; FINGERPRINT],
    attestation: Attestation,
}

impl RootKey {
    /// The development root key in the file at `path`, which is created if it is absent.
    ///
    /// # Errors
    /// [`RootKeyError`] if the file is a link, belongs to or can be reached by others, has another size or was altered.
    pub fn development(path: &Path, entropy: &dyn Entropy) -> Result<Self, RootKeyError> {
        let file = match read_private(path, FILE) {
            Err(PrivateFileError::Absent(_)) => {
                match create_private(path, &new_file(entropy)?) {
                    // Another process was faster: its key is the key.
                    Ok(()) | Err(PrivateFileError::Exists(_)) => read_private(path, FILE)?,
                    Err(error) => return Err(error.into()),
                }
            }
            file => file?,
        };
        let (magic, rest) = file
            .split_first_chunk::<{ MAGIC.len() }>()
            .ok_or(RootKeyError::NotRootKey)?;
        let (key, check) = rest.split_first_chunk::<KEY>().ok_or(RootKeyError::NotRootKey)?;
        if magic != MAGIC {
            return Err(RootKeyError::NotRootKey);
        }
        if verify_slices_are_equal(check, check_of(key)?.as_slice()).is_err() {
            return Err(RootKeyError::Damaged);
        }
        let fingerprint = *expand::<FINGERPRINT>(key, "fingerprint").map_err(derivation)?;
        let mut copy = Zeroizing::new(*key);
        Ok(Self {
            key: LockedBytes::take(copy.as_mut_slice())?,
            fingerprint,
            attestation: Attestation::Development,
        })
    }

    /// Whether the file at `path` is as private as a root key's must be, and of its size. Reads nothing of it, and makes
    /// none.
    ///
    /// # Errors
    /// [`PrivateFileError`], as [`development`](Self::development) would give.
    pub fn check_file(path: &Path) -> Result<(), PrivateFileError> {
        check_private(path, FILE)
    }

    /// What stands behind this root.
    #[must_use]
    pub fn attestation(&self) -> Attestation {
        self.attestation
    }

    /// Whether the key is kept out of swap; a start-up warning if not.
    #[must_use]
    pub fn residence(&self) -> Residence {
        self.key.residence()
    }

    /// A 32-byte secret for one purpose, always the same; no two purposes are related.
    ///
    /// # Errors
    /// [`KmsError::Cryptography`] if the library fails.
    pub fn derive(&self, purpose: &str) -> Result<Secret, KmsError> {
        let mut secret = expand::<KEY>(self.key.expose(), &format!("purpose {purpose}"))?;
        Ok(Secret::take(&mut secret))
    }

    /// Names the key without telling anything about it.
    pub(crate) fn fingerprint(&self) -> &[u8; FINGERPRINT] {
        &self.fingerprint
    }

    /// What authenticates the records of keys.
    pub(crate) fn record_secret(&self) -> Result<Zeroizing<[u8; KEY]>, KmsError> {
        expand(self.key.expose(), "key record")
    }

    /// The cipher that wraps KmsKeys' material.
    pub(crate) fn wrapping_cipher(&self) -> Result<Cipher, KmsError> {
        Cipher::new(&*expand(self.key.expose(), "wrap key material")?)
    }
}

fn derivation(error: KmsError) -> RootKeyError {
    RootKeyError::Derivation(Box::new(error))
}

fn expand<const N: usize>(key: &[u8], label: &str) -> Result<Zeroizing<[u8; N]>, KmsError> {
    derive(key, b"moho/root/1", &[label.as_bytes()])
}

fn check_of(key: &[u8]) -> Result<Zeroizing<[u8; CHECK]>, RootKeyError> {
    expand(key, "check").map_err(derivation)
}

fn new_file(entropy: &dyn Entropy) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
    let mut key = Zeroizing::new([0; KEY]);
    entropy.fill(key.as_mut_slice())?;
    let mut file = Zeroizing::new(Vec::with_capacity(FILE));
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(key.as_slice());
    file.extend_from_slice(check_of(key.as_slice())?.as_slice());
    Ok(file)
}
