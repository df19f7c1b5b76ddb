//! Why aliases and grants cannot be changed or read: AWS KMS's own errors.

use moho_terms::Arn;

use crate::StoreError;
use crate::database::Stopped;

/// Why not. Each variant says which of AWS's exceptions it is; messages are for people and hold no content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// `NotFoundException`
    #[error("Alias {0} is not found.")]
    AliasNotFound(Arn),
    /// `NotFoundException`
    #[error("Key '{0}' does not exist")]
    KeyNotFound(Arn),
    /// `NotFoundException`
    #[error("Grant ID {0} not found")]
    GrantNotFound(String),
    /// `AlreadyExistsException`
    #[error("An alias with the name {0} already exists")]
    AliasExists(Arn),
    /// `LimitExceededException`
    #[error("{0}")]
    LimitExceeded(&'static str),
    /// `InvalidArnException`
    #[error("Principal {0} does not exist or cannot be given a grant")]
    InvalidPrincipal(Arn),
    /// `MalformedPolicyDocumentException`
    #[error("Policy contains a statement with one or more invalid principals.")]
    InvalidPrincipals,
    /// `AccessDeniedException`: who may make grants by a grant alone asked for more than that gives.
    #[error("The grant gives more than the grant that allows it to be made.")]
    NotCovered,
    /// `ConflictException`: what the permits are for has changed meanwhile.
    #[error("Another request changed the same alias. Try again.")]
    Changed,
    /// The permit is for something else than is asked for.
    #[error("the permit is not for that")]
    OtherPermit,
    /// It cannot be kept or found.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<KeyError> for Stopped<KeyError> {
    fn from(error: KeyError) -> Self {
        Self::Refused(error)
    }
}

/// What a query or a change gives.
pub(super) type Found<T> = Result<T, Stopped<KeyError>>;
