//! Issuing temporary credentials: the end of `AssumeRole`.

use moho_terms::{AccessKeyId, Arn, Entropy, EntropyUnavailable, Secret, SessionName, Timestamp};

use super::Authenticator;
use crate::action::sts::AssumeRole;
use crate::authz::Permit;
use crate::policy::PolicyDocument;

/// What the caller asks of its new session.
#[derive(Debug)]
pub struct SessionGrant {
    /// What the session is to be called.
    pub session_name: SessionName,
    /// How long it is to last: 900 to 43200 seconds, 3600 if not said; at most 3600 when a role assumes a role.
    pub duration_seconds: Option<u32>,
    /// What it is to be narrowed by; a document of kind [`PolicyKind::Session`](crate::policy::PolicyKind::Session).
    pub session_policy: Option<PolicyDocument>,
}

/// Credentials that end.
pub struct TemporaryCredentials {
    /// The public half.
    pub access_key_id: AccessKeyId,
    /// The secret half: 40 ASCII characters.
    pub secret_access_key: Secret,
    /// What has to be sent along: ASCII.
    pub session_token: Secret,
    /// When they end.
    pub expires_at: Timestamp,
    /// `arn:aws:sts::ACCOUNT:assumed-role/Role/name`.
    pub assumed_role_arn: Arn,
    /// `AROA…:name`.
    pub assumed_role_id: String,
}

/// Why no credentials were issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The duration is outside 900 to 43200 seconds.
    #[error("the duration must be between 900 and 43200 seconds")]
    Duration,
    /// Sessions that a role session asks for end after an hour at most.
    #[error(
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    )]
    Chaining,
    /// The permit's resource is not a role.
    #[error("the permit is not for a role")]
    NotARole,
    /// The session policy is of another kind.
    #[error("the session policy is not a session policy")]
    NotASessionPolicy,
    /// The token would not fit in a header.
    #[error("the session policy is too large for a session token")]
    TokenTooLarge,
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
    /// The cipher failed.
    #[error("the session token could not be sealed")]
    Sealing,
}

impl Authenticator {
    /// Issues credentials for the role that `permit` is for.
    ///
    /// # Errors
    /// [`IssueError`] if the grant breaks a limit, or there are no random bytes.
    pub fn issue(
        &self,
        permit: &Permit<AssumeRole>,
        grant: SessionGrant,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<TemporaryCredentials, IssueError> {
        let _: (&Permit<AssumeRole>, SessionGrant, Timestamp, &dyn Entropy) = (permit, grant, now, entropy);
        Err(IssueError::NotARole)
    }
}

impl TemporaryCredentials {
    /// A short-term bearer key of these credentials for [`Authorization: Bearer`], as AWS's own generator makes it. It
    /// ends after `seconds` (1 to 43200), or with the credentials if that is sooner.
    ///
    /// [`Authorization: Bearer`]: https://www.rfc-editor.org/rfc/rfc6750
    ///
    /// # Errors
    /// [`IssueError::Duration`] if `seconds` is out of range.
    pub fn bearer_key(
        &self,
        region: &moho_terms::Region,
        now: Timestamp,
        seconds: u32,
    ) -> Result<Secret, IssueError> {
        let _: (&moho_terms::Region, Timestamp, u32) = (region, now, seconds);
        Err(IssueError::Duration)
    }
}
