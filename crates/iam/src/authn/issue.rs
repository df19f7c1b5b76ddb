//! Issuing temporary credentials: the end of `AssumeRole`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{
    AccessKeyId, AccountId, Arn, ArnError, Entropy, EntropyUnavailable, Region, RoleName, Secret,
    SessionName, Timestamp,
};
use zeroize::Zeroizing;

use super::{Authenticator, bearer};
use crate::action::sts::AssumeRole;
use crate::authz::Permit;
use crate::policy::{PolicyDocument, PolicyKind};
use crate::session::{Principal, RoleSession, Terms};

/// What a session lasts unless said otherwise, and at most if a role or the bootstrap door asks.
const HOUR: u32 = 3600;

/// What the caller asks of its new session.
#[derive(Debug)]
pub struct SessionGrant {
    /// What the session is to be called.
    pub session_name: SessionName,
    /// How long it is to last: 900 to 43200 seconds, 3600 if not said; at most 3600 when a role assumes a role,
    /// or whoever came through the bootstrap door does.
    pub duration_seconds: Option<u32>,
    /// What it is to be narrowed by; a document of kind [`PolicyKind::Session`].
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
    /// Sessions from the bootstrap door end after an hour at most.
    #[error("The requested DurationSeconds exceeds the 1 hour session limit of the bootstrap door")]
    Bootstrap,
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
    /// A bearer key lasts 1 to 43200 seconds.
    #[error("a bearer key lasts between 1 and 43200 seconds")]
    BearerDuration,
    /// The session token is not one of ours.
    #[error("the session token is not text")]
    Token(#[source] std::str::Utf8Error),
    /// The session cannot be named.
    #[error(transparent)]
    Name(#[from] ArnError),
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
        let (account, role) = role_of(permit.resource()).ok_or(IssueError::NotARole)?;
        let caller = permit.session().principal();
        let chained = matches!(caller, Principal::AssumedRole { .. });
        let seconds = duration(grant.duration_seconds, caller)?;
        if grant
            .session_policy
            .as_ref()
            .is_some_and(|policy| policy.kind() != PolicyKind::Session)
        {
            return Err(IssueError::NotASessionPolicy);
        }
        let issued_at = Timestamp::from_unix_seconds(now.unix_seconds());
        let terms = Terms {
            access_key_id: AccessKeyId::random(entropy)?,
            issued_at,
            expires_at: issued_at.plus_seconds(seconds),
            session_policy: grant.session_policy,
            chained,
        };
        let access_key_id = terms.access_key_id.clone();
        let session = RoleSession::of_role(account, role, grant.session_name, terms)?;
        let secret_access_key = random_secret(entropy)?;
        Ok(TemporaryCredentials {
            session_token: self.tokens.seal(&session, &secret_access_key, entropy)?,
            access_key_id,
            secret_access_key,
            expires_at: session.expires_at(),
            assumed_role_arn: session.principal_arn().clone(),
            assumed_role_id: session.user_id().to_owned(),
        })
    }
}

impl TemporaryCredentials {
    /// A short-term bearer key of these credentials for [`Authorization: Bearer`], as AWS's own generator makes it. It
    /// ends after `seconds` (1 to 43200), or with the credentials if that is sooner.
    ///
    /// [`Authorization: Bearer`]: https://www.rfc-editor.org/rfc/rfc6750
    ///
    /// # Errors
    /// [`IssueError::BearerDuration`] if `seconds` is out of range.
    pub fn bearer_key(&self, region: &Region, now: Timestamp, seconds: u32) -> Result<Secret, IssueError> {
        let seconds = u64::from(seconds);
        if !(1..=bearer::MAX_SECONDS).contains(&seconds) {
            return Err(IssueError::BearerDuration);
        }
        let token = std::str::from_utf8(self.session_token.expose()).map_err(IssueError::Token)?;
        Ok(bearer::make(
            self.access_key_id.as_str(),
            &self.secret_access_key,
            token,
            (region, now, seconds),
        ))
    }
}

/// The account and name in `arn:aws:iam::ACCOUNT:role/Name`.
fn role_of(arn: &Arn) -> Option<(AccountId, RoleName)> {
    if arn.service() != "iam" {
        return None;
    }
    let role = arn.resource().strip_prefix("role/")?;
    Some((arn.account().parse().ok()?, role.parse().ok()?))
}

fn duration(asked: Option<u32>, caller: &Principal) -> Result<u64, IssueError> {
    let seconds = asked.unwrap_or(HOUR);
    if !(900..=43_200).contains(&seconds) {
        return Err(IssueError::Duration);
    }
    match caller {
        _ if seconds <= HOUR => Ok(u64::from(seconds)),
        Principal::AssumedRole { .. } => Err(IssueError::Chaining),
        Principal::Bootstrap => Err(IssueError::Bootstrap),
    }
}

/// 240 random bits as 40 characters, as AWS's secrets look.
fn random_secret(entropy: &dyn Entropy) -> Result<Secret, EntropyUnavailable> {
    let mut bytes = Zeroizing::new([0_u8; 30]);
    entropy.fill(bytes.as_mut_slice())?;
    Ok(Secret::new(STANDARD.encode(bytes.as_slice()).into_bytes()))
}
