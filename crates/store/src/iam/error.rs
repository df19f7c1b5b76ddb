//! IAM's own refusals: the code a program reads, and the sentence that AWS says.

use crate::StoreError;
use crate::database::Stopped;

/// Why something of IAM's cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum IamError {
    /// IAM says no.
    #[error("{message}")]
    Refused {
        /// Which kind of no.
        code: IamCode,
        /// AWS's sentence; names what the caller named, and nothing else.
        message: String,
    },
    /// It cannot be kept or found.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A code of IAM's errors, as its model has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IamCode {
    /// There is nothing of that name.
    NoSuchEntity,
    /// There is something of that name already.
    EntityAlreadyExists,
    /// Something else still needs it.
    DeleteConflict,
    /// A quota is used up.
    LimitExceeded,
    /// A document that is none.
    MalformedPolicyDocument,
    /// An argument that cannot be.
    InvalidInput,
    /// Protected: only the service it is linked to may change it.
    UnmodifiableEntity,
    /// A managed policy that only service-linked roles have.
    PolicyNotAttachable,
    /// Another account's, or AWS's own.
    AccessDenied,
    /// An argument that the model's own constraints do not catch.
    ValidationError,
}

impl IamCode {
    /// The code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSuchEntity => "NoSuchEntity",
            Self::EntityAlreadyExists => "EntityAlreadyExists",
            Self::DeleteConflict => "DeleteConflict",
            Self::LimitExceeded => "LimitExceeded",
            Self::MalformedPolicyDocument => "MalformedPolicyDocument",
            Self::InvalidInput => "InvalidInput",
            Self::UnmodifiableEntity => "UnmodifiableEntity",
            Self::PolicyNotAttachable => "PolicyNotAttachable",
            Self::AccessDenied => "AccessDenied",
            Self::ValidationError => "ValidationError",
        }
    }

    /// Its HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::NoSuchEntity => 404,
            Self::AccessDenied => 403,
            Self::EntityAlreadyExists | Self::DeleteConflict | Self::LimitExceeded => 409,
            Self::MalformedPolicyDocument
            | Self::InvalidInput
            | Self::UnmodifiableEntity
            | Self::PolicyNotAttachable
            | Self::ValidationError => 400,
        }
    }

    /// A refusal with this code.
    pub fn because(self, message: impl Into<String>) -> IamError {
        IamError::Refused {
            code: self,
            message: message.into(),
        }
    }
}

impl From<IamError> for Stopped<IamError> {
    fn from(error: IamError) -> Self {
        Self::Refused(error)
    }
}

/// What a query or a change of IAM's gives.
pub(crate) type Found<T> = Result<T, Stopped<IamError>>;
