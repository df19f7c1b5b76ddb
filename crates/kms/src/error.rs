//! What can go wrong with keys, told apart by who has to do something about it.

use moho_os::MemoryError;
use moho_terms::{EntropyUnavailable, KeyId};

use crate::key::RecordsUnavailable;
use crate::seal::SealedError;

/// A key could not be made or used. No variant holds key material or content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KmsError {
    /// The permit is for something that is not a key of this installation.
    #[error("no such key")]
    NotFound,
    /// The permit was given for another encryption context, so that its policies were asked about another object.
    #[error("the permit is for another encryption context")]
    OtherContext,
    /// The key exists, but is disabled.
    #[error("key `{0}` is disabled")]
    Disabled(KeyId),
    /// The key's material is wrapped under another root key.
    #[error(
        "key `{0}` is wrapped under another root key: restore the root key file that belongs to this data directory"
    )]
    OtherRoot(KeyId),
    /// The key's record was altered where it is stored.
    #[error(
        "the stored record of key `{0}` is damaged or was altered: restore the data directory from a backup"
    )]
    DamagedRecord(KeyId),
    /// The sealed object does not open.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// The records of keys cannot be read.
    #[error(transparent)]
    Records(#[from] RecordsUnavailable),
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
    /// No memory for a key.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The cryptographic library refused what it never should.
    #[error("the cryptographic library failed to {0}")]
    Cryptography(&'static str),
}
