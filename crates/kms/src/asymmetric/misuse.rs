//! A key was asked for what it is not for: the caller's doing, in AWS KMS's words.

use moho_terms::Arn;

use crate::error::KmsError;
use crate::spec::{KeySpec, KeyUsage, MessageType, SigningAlgorithm, WrappingAlgorithm, WrappingKeySpec};

/// Why a key does not do what was asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misuse {
    /// The key is for something else than this operation.
    Usage(KeyUsage, &'static str),
    /// Keys of this kind have other algorithms.
    Algorithm(&'static str, KeySpec),
    /// The algorithm takes no such message.
    MessageType(MessageType, SigningAlgorithm, KeySpec),
    /// The algorithm's digests are longer or shorter.
    Digest(SigningAlgorithm),
    /// Nothing, or more than this.
    Length(usize),
    /// No SubjectPublicKeyInfo of a key of this kind.
    PublicKey(KeySpec),
    /// A key of this kind has no public key, or no material that can be imported.
    Spec(KeySpec),
    /// ML-DSA signs whole messages only, as the cryptographic library gives no other way.
    ExternalMu,
    /// Material of this kind is not wrapped that way.
    Wrapping(KeySpec, WrappingAlgorithm, WrappingKeySpec),
}

impl Misuse {
    /// The error, of the key whose ARN this is.
    pub(crate) fn of(self, key: &Arn) -> KmsError {
        match self {
            Self::Usage(usage, operation) => KmsError::InvalidKeyUsage(key.clone(), usage, operation),
            Self::Algorithm(algorithm, spec) => KmsError::IncompatibleAlgorithm(algorithm, spec.as_str()),
            Self::MessageType(kind, algorithm @ SigningAlgorithm::Ed25519Sha512, _) => KmsError::Validation(
                format!("Message type {kind} is incompatible with algorithm {algorithm}."),
            ),
            Self::MessageType(kind, _, spec) => KmsError::Validation(format!(
                "Message type {kind} is incompatible with key spec {spec}."
            )),
            Self::Digest(algorithm) => {
                KmsError::Validation(format!("Digest is invalid length for algorithm {algorithm}."))
            }
            Self::Length(most) => KmsError::Validation(format!(
                "The message or plaintext must have between 1 and {most} bytes."
            )),
            Self::PublicKey(spec) => KmsError::Validation(format!(
                "The public key is not a DER-encoded SubjectPublicKeyInfo of a key of key spec {spec}."
            )),
            Self::Spec(spec) => KmsError::UnsupportedOperation(key.clone(), format!("key spec is {spec}")),
            Self::ExternalMu => KmsError::UnsupportedOperation(
                key.clone(),
                format!("is asked to use message type {}", MessageType::ExternalMu),
            ),
            Self::Wrapping(spec, algorithm, wrapping) => KmsError::UnsupportedOperation(
                key.clone(),
                format!("key spec is {spec} and its material to be wrapped by {algorithm} under {wrapping}"),
            ),
        }
    }
}

/// An operation failed: by what the caller asked for, or for another reason.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The caller should not have asked for that.
    Misuse(Misuse),
    /// Anything else.
    Failed(KmsError),
}

impl Refusal {
    /// The error, of the key whose ARN this is.
    pub(crate) fn of(self, key: &Arn) -> KmsError {
        match self {
            Self::Misuse(misuse) => misuse.of(key),
            Self::Failed(error) => error,
        }
    }
}

impl From<Misuse> for Refusal {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<KmsError> for Refusal {
    fn from(error: KmsError) -> Self {
        Self::Failed(error)
    }
}
