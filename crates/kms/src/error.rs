//! What can go wrong with keys, told apart by who has to do something about it.
//!
//! What a caller did is named as AWS KMS names its exceptions and worded as it words them, as far as that is known; what
//! is wrong with the installation is worded for who runs it.

use moho_os::MemoryError;
use moho_terms::{Arn, EntropyUnavailable, KeyId};

use crate::kept::RecordsUnavailable;
use crate::root::RootKeyError;
use crate::seal::SealedError;
use crate::spec::KeyUsage;

/// A key could not be made or used. No variant holds key material or content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KmsError {
    /// `NotFoundException`: the permit is for something that is not a key of this installation, or not any more.
    #[error("Key '{0}' does not exist")]
    NotFound(Arn),
    /// `NotFoundException`: the key has no material of this id.
    #[error("The key material does not exist")]
    NoSuchMaterial,
    /// `DisabledException`: the key exists, but is disabled.
    #[error("{0} is disabled.")]
    Disabled(Arn),
    /// `KMSInvalidStateException`: the key's state does not allow it.
    #[error("{0} is {1}.")]
    InvalidState(Arn, &'static str),
    /// `InvalidKeyUsageException`: the key is for something else.
    #[error("{0} key usage is {1} which is not valid for {2}.")]
    InvalidKeyUsage(Arn, KeyUsage, &'static str),
    /// `InvalidKeyUsageException`: the key has no such algorithm.
    #[error("Algorithm {0} and key spec {1} are incompatible.")]
    IncompatibleAlgorithm(&'static str, &'static str),
    /// `InvalidCiphertextException`: altered, cut, of another key, context or version. Which, nobody is told.
    #[error("The ciphertext is not valid.")]
    InvalidCiphertext,
    /// `IncorrectKeyException`: the ciphertext is of another key than the one named.
    #[error("The key ID in the request does not identify a CMK that can perform this operation.")]
    IncorrectKey,
    /// `UnsupportedOperationException`: keys of this kind have no such operation.
    #[error("{0} {1} which is not valid for this operation.")]
    UnsupportedOperation(Arn, String),
    /// `ValidationException`: a parameter is not one.
    #[error("{0}")]
    Validation(String),
    /// `LimitExceededException`: there are as many as there may be.
    #[error("{0}")]
    LimitExceeded(String),
    /// `AlreadyExistsException`.
    #[error("{0}")]
    AlreadyExists(String),
    /// `MalformedPolicyDocumentException`.
    #[error("{0}")]
    MalformedPolicy(String),
    /// `TagException`.
    #[error("{0}")]
    Tag(&'static str),
    /// `IncorrectKeyMaterialException`: it is not the material that was imported before.
    #[error("{0}")]
    IncorrectKeyMaterial(&'static str),
    /// `InvalidImportTokenException`: not made here, or for another key or another way of wrapping.
    #[error("The import token is not valid for this key.")]
    InvalidImportToken,
    /// `ExpiredImportTokenException`.
    #[error("The import token has expired.")]
    ExpiredImportToken,
    /// `KMSInvalidSignatureException`.
    #[error("The signature is not valid.")]
    InvalidSignature,
    /// `KMSInvalidMacException`.
    #[error("The HMAC is not valid.")]
    InvalidMac,
    /// `InvalidGrantTokenException`.
    #[error("The grant token is not valid.")]
    InvalidGrantToken,
    /// `InvalidGrantIdException`.
    #[error("The grant ID is not valid.")]
    InvalidGrantId,
    /// `ConflictException`: others changed the key meanwhile, again and again.
    #[error("The key is being changed by other requests. Try again.")]
    Conflict,
    /// The permit was given for another encryption context, so that its policies were asked about another object.
    #[error("the permit is for another encryption context")]
    OtherContext,
    /// The key's material is wrapped under another root key.
    #[error(
        "key `{0}` is wrapped under another root key: restore the root key file that belongs to this data directory"
    )]
    OtherRoot(KeyId),
    /// The root key cannot be read again.
    #[error(transparent)]
    Root(Box<RootKeyError>),
    /// The key's record was altered where it is stored.
    #[error(
        "the stored record of key `{0}` is damaged or was altered: restore the data directory from a backup"
    )]
    DamagedRecord(KeyId),
    /// The key that a store is authenticated with was altered where it is stored, or wrapped under another root key.
    #[error(
        "the key that authenticates the store was altered or is of another root key: restore the root key file that \
         belongs to this store, or the store from a backup"
    )]
    DamagedStoreKey,
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

impl From<RootKeyError> for KmsError {
    fn from(error: RootKeyError) -> Self {
        Self::Root(Box::new(error))
    }
}
