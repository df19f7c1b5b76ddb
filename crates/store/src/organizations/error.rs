//! Why an organisation cannot be changed or read: AWS Organizations' own errors.

use moho_kms::KmsError;
use moho_terms::{ArnError, EntropyUnavailable};

use crate::error::StoreError;

/// Why not. Each variant that AWS has a code for is named as that code; messages are for people and hold no content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrganisationError {
    /// `AccountNotFoundException`
    #[error("You specified an account that doesn't exist.")]
    AccountNotFound,
    /// `AccountAlreadyClosedException`
    #[error("The account is already closed.")]
    AccountAlreadyClosed,
    /// `ParentNotFoundException`
    #[error("You specified parent that doesn't exist.")]
    ParentNotFound,
    /// `ChildNotFoundException`
    #[error("You specified a child that doesn't exist.")]
    ChildNotFound,
    /// `SourceParentNotFoundException`
    #[error("You specified a source parent that doesn't contain the account.")]
    SourceParentNotFound,
    /// `DestinationParentNotFoundException`
    #[error("You specified a destination parent that doesn't exist.")]
    DestinationParentNotFound,
    /// `DuplicateAccountException`
    #[error("That account is already present in the specified destination.")]
    DuplicateAccount,
    /// `OrganizationalUnitNotFoundException`
    #[error("You specified an organizational unit that doesn't exist.")]
    UnitNotFound,
    /// `OrganizationalUnitNotEmptyException`
    #[error(
        "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child OUs, and try the operation again."
    )]
    UnitNotEmpty,
    /// `DuplicateOrganizationalUnitException`
    #[error("An OU with the same name already exists.")]
    DuplicateUnit,
    /// `RootNotFoundException`
    #[error("You specified a root that doesn't exist.")]
    RootNotFound,
    /// `TargetNotFoundException`
    #[error("You specified a target that doesn't exist.")]
    TargetNotFound,
    /// `PolicyNotFoundException`
    #[error("You specified a policy that doesn't exist.")]
    PolicyNotFound,
    /// `DuplicatePolicyException`
    #[error("A policy with the same name already exists.")]
    DuplicatePolicy,
    /// `DuplicatePolicyAttachmentException`
    #[error("The selected policy is already attached to the specified target.")]
    DuplicatePolicyAttachment,
    /// `PolicyNotAttachedException`
    #[error("The policy isn't attached to the specified target in the specified root.")]
    PolicyNotAttached,
    /// `PolicyInUseException`
    #[error(
        "This policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts before performing this operation."
    )]
    PolicyInUse,
    /// `PolicyTypeAlreadyEnabledException`
    #[error("The specified policy type is already enabled.")]
    PolicyTypeAlreadyEnabled,
    /// `PolicyTypeNotEnabledException`
    #[error(
        "This operation can be performed only for enabled policy types. Enable the type for the root first."
    )]
    PolicyTypeNotEnabled,
    /// `MalformedPolicyDocumentException`: what is wrong, for who wrote it.
    #[error("The provided policy document does not meet the requirements of the specified policy type: {0}")]
    MalformedPolicyDocument(String),
    /// `CreateAccountStatusNotFoundException`
    #[error("We can't find an create account request with the CreateAccountRequestId that you specified.")]
    CreateAccountStatusNotFound,
    /// `EffectivePolicyNotFoundException`
    #[error(
        "No effective policy of this type exists for the target: none is attached between the root and it."
    )]
    EffectivePolicyNotFound,
    /// `ConstraintViolationException`
    #[error("{0}")]
    Constraint(Constraint),
    /// `InvalidInputException`
    #[error("{0}")]
    InvalidInput(InvalidInput),
    /// The permit is for something else.
    #[error("the permit is not for this")]
    OtherPermit,
    /// It cannot be kept or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key for the account.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
    /// A name could not be made.
    #[error(transparent)]
    Name(#[from] ArnError),
}

/// The `Reason` of a `ConstraintViolationException`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Constraint {
    /// `ACCOUNT_NUMBER_LIMIT_EXCEEDED`
    #[error("You have exceeded the allowed number of AWS accounts in the organization.")]
    Accounts,
    /// `OU_NUMBER_LIMIT_EXCEEDED`
    #[error("You have exceeded the allowed number of OUs.")]
    Units,
    /// `OU_DEPTH_LIMIT_EXCEEDED`
    #[error("You have exceeded the allowed depth of the OU tree: 5 levels below the root.")]
    Depth,
    /// `POLICY_NUMBER_LIMIT_EXCEEDED`
    #[error("You have exceeded the allowed number of policies.")]
    Policies,
    /// `POLICY_CONTENT_LIMIT_EXCEEDED`
    #[error("The provided policy document exceeds the maximum size for its type.")]
    Content,
    /// `MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED`
    #[error("You have attached the maximum number of policies to the specified target.")]
    Attachments,
    /// `MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED`
    #[error(
        "You cannot remove the last policy attached to the specified target. You must have at least one attached at all times."
    )]
    LastAttachment,
    /// `MAX_TAG_LIMIT_EXCEEDED`
    #[error("You have exceeded the number of tags allowed on this resource: 50.")]
    Tags,
    /// `CANNOT_CLOSE_MANAGEMENT_ACCOUNT`
    #[error("You attempted to close the management account, which administers the organization.")]
    ManagementAccount,
}

impl Constraint {
    /// As AWS Organizations writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "ACCOUNT_NUMBER_LIMIT_EXCEEDED",
            Self::Units => "OU_NUMBER_LIMIT_EXCEEDED",
            Self::Depth => "OU_DEPTH_LIMIT_EXCEEDED",
            Self::Policies => "POLICY_NUMBER_LIMIT_EXCEEDED",
            Self::Content => "POLICY_CONTENT_LIMIT_EXCEEDED",
            Self::Attachments => "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
            Self::LastAttachment => "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
            Self::Tags => "MAX_TAG_LIMIT_EXCEEDED",
            Self::ManagementAccount => "CANNOT_CLOSE_MANAGEMENT_ACCOUNT",
        }
    }
}

/// The `Reason` of an `InvalidInputException`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInput {
    /// `IMMUTABLE_POLICY`
    #[error("You specified a policy that is managed by AWS and can't be modified.")]
    ImmutablePolicy,
    /// `NON_DETACHABLE_POLICY`
    #[error("You can't detach this AWS Managed Policy.")]
    NonDetachablePolicy,
    /// `DUPLICATE_TAG_KEY`
    #[error("Tag keys must be unique among the tags attached to the same entity.")]
    DuplicateTagKey,
    /// `INVALID_SYSTEM_TAGS_PARAMETER`
    #[error("You can't add, edit, or delete system tag keys: those that begin with aws:.")]
    SystemTag,
}

impl InvalidInput {
    /// As AWS Organizations writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ImmutablePolicy => "IMMUTABLE_POLICY",
            Self::NonDetachablePolicy => "NON_DETACHABLE_POLICY",
            Self::DuplicateTagKey => "DUPLICATE_TAG_KEY",
            Self::SystemTag => "INVALID_SYSTEM_TAGS_PARAMETER",
        }
    }
}

/// Why a change ended early.
pub(super) enum Stopped {
    /// It may not be. Nothing was written before.
    Refused(OrganisationError),
    /// SQLite failed.
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<OrganisationError> for Stopped {
    fn from(error: OrganisationError) -> Self {
        Self::Refused(error)
    }
}

impl From<Constraint> for Stopped {
    fn from(constraint: Constraint) -> Self {
        Self::Refused(OrganisationError::Constraint(constraint))
    }
}

impl From<InvalidInput> for Stopped {
    fn from(invalid: InvalidInput) -> Self {
        Self::Refused(OrganisationError::InvalidInput(invalid))
    }
}
