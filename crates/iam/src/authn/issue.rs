//! Issuing temporary credentials: the end of `AssumeRole` and its kin.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{
    AccessKeyId, AccountId, Arn, ArnError, Entropy, EntropyUnavailable, Region, Secret, SessionName,
    SourceIdentity, Timestamp,
};
use zeroize::Zeroizing;

use super::{Authenticator, bearer, token};
use crate::action::Action;
use crate::action::sts::{
    AssumeRole, AssumeRoleWithWebIdentity, GetFederationToken, GetSessionToken, SetSourceIdentity, TagSession,
};
use crate::authz::Permit;
use crate::session::{
    Narrowing, Principal, RoleFacts, RoleRef, Session, SessionTags, TagError, Terms, UserRef,
};

/// What a session of a role lasts unless said otherwise, and at most if a session of a role or the bootstrap door asks.
const HOUR: u32 = 3600;
/// What the sessions that users make of their own last unless said otherwise: twelve hours.
const HALF_A_DAY: u32 = 43_200;

/// What the caller asks of its new session of a role.
#[derive(Debug)]
pub struct SessionGrant {
    /// What the session is to be called.
    pub session_name: SessionName,
    /// How long it is to last: 900 seconds to what the role allows, 3600 if not said; at most 3600 when a role assumes a
    /// role, or whoever came through the bootstrap door does.
    pub duration_seconds: Option<u32>,
    /// What it is to be narrowed by.
    pub narrowing: Narrowing,
    /// The tags it is to have, beside those that it keeps of the caller's.
    pub tags: SessionTags,
    /// Who stands behind it; the caller's own source identity, if it has one, stays.
    pub source_identity: Option<SourceIdentity>,
    /// Leave to give the session tags, which any tag takes, kept ones too.
    pub tagging: Option<Permit<TagSession>>,
    /// Leave to say who stands behind it, which a kept source identity takes too.
    pub naming_source: Option<Permit<SetSourceIdentity>>,
}

impl SessionGrant {
    /// A session of this name, for as long as is usual, narrowed by nothing.
    #[must_use]
    pub fn named(session_name: SessionName) -> Self {
        Self {
            session_name,
            duration_seconds: None,
            narrowing: Narrowing::default(),
            tags: SessionTags::default(),
            source_identity: None,
            tagging: None,
            naming_source: None,
        }
    }
}

/// What a user asks of the credentials it makes for somebody whom it names.
#[derive(Debug)]
pub struct FederationGrant {
    /// Whom.
    pub name: SessionName,
    /// How long they are to last: 900 to 129600 seconds, 43200 if not said.
    pub duration_seconds: Option<u32>,
    /// What they may be used for at most; without any session policy, nothing but what resources' policies allow them.
    pub narrowing: Narrowing,
    /// The tags of the session.
    pub tags: SessionTags,
    /// Leave to give it tags, which any tag takes.
    pub tagging: Option<Permit<TagSession>>,
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
    /// As whom they act: `arn:aws:sts::ACCOUNT:assumed-role/Role/name`.
    pub principal_arn: Arn,
    /// `AROA…:name`.
    pub user_id: String,
    /// How much of the room for policies and tags the session takes, in hundredths; `None` if it has neither.
    pub packed_percent: Option<u32>,
    /// Who stands behind the session.
    pub source_identity: Option<SourceIdentity>,
}

/// Why no credentials were issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The duration is outside what the operation allows.
    #[error("the duration must be between 900 and {most} seconds")]
    Duration {
        /// The longest.
        most: u32,
    },
    /// The role's sessions end sooner.
    #[error("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")]
    MaxSessionDuration,
    /// Sessions that a role session asks for end after an hour at most.
    #[error(
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    )]
    Chaining,
    /// Sessions from the bootstrap door end after an hour at most.
    #[error("The requested DurationSeconds exceeds the 1 hour session limit of the bootstrap door")]
    Bootstrap,
    /// The permit is for something else than what is issued.
    #[error("the permit is for something else")]
    OtherPermit,
    /// Only users' long-lived credentials make these.
    #[error("Cannot call {operation} with session credentials")]
    SessionCredentials {
        /// The operation.
        operation: &'static str,
    },
    /// The tags break a rule.
    #[error(transparent)]
    Tags(#[from] TagError),
    /// Somebody stands behind the calling session already, and cannot be replaced.
    #[error("The source identity is already set")]
    SourceIdentity,
    /// Tags or a source identity without leave for them.
    #[error("there is no leave to set tags or a source identity")]
    WithoutLeave,
    /// Session policies, and tags beside them, are too much for a token.
    #[error("Packed policy consumes {percent}% of allotted space, please use smaller policy.")]
    PolicyTooLarge {
        /// Of the room there is.
        percent: u32,
    },
    /// Tags are too much for a token.
    #[error("Packed size of session tags consumes {percent}% of allotted space.")]
    TagsTooLarge {
        /// Of the room there is.
        percent: u32,
    },
    /// The token would not fit in a header.
    #[error("the session is too large for a session token")]
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

/// When credentials are issued, and whence their secrets come.
pub type Issuing<'a> = (Timestamp, &'a dyn Entropy);

impl Authenticator {
    /// Issues credentials for the role that `permit` is for.
    ///
    /// # Errors
    /// [`IssueError`] if the grant breaks a limit, or there are no random bytes.
    pub fn issue(
        &self,
        permit: &Permit<AssumeRole>,
        role: &RoleFacts,
        grant: SessionGrant,
        issuing: Issuing<'_>,
    ) -> Result<TemporaryCredentials, IssueError> {
        self.assume(permit, role, grant, issuing)
    }

    /// The same for whoever an identity provider vouches for.
    ///
    /// # Errors
    /// [`IssueError`] likewise.
    pub fn issue_to_web_identity(
        &self,
        permit: &Permit<AssumeRoleWithWebIdentity>,
        role: &RoleFacts,
        grant: SessionGrant,
        issuing: Issuing<'_>,
    ) -> Result<TemporaryCredentials, IssueError> {
        self.assume(permit, role, grant, issuing)
    }

    fn assume<A: Action>(
        &self,
        permit: &Permit<A>,
        role: &RoleFacts,
        grant: SessionGrant,
        (now, entropy): Issuing<'_>,
    ) -> Result<TemporaryCredentials, IssueError> {
        let caller = permit.session();
        let account = account_of(role, permit.resource())?;
        if matches!(caller.principal(), Principal::FederatedUser { .. }) {
            let operation = "AssumeRole";
            return Err(IssueError::SessionCredentials { operation });
        }
        let seconds = role_seconds(grant.duration_seconds, caller.principal(), role)?;
        let tags = tags_after(caller, grant.tags)?;
        let source_identity = source_identity_after(caller, grant.source_identity)?;
        let by_caller = |session: &Session, resource: &Arn| {
            session.principal_arn() == caller.principal_arn() && *resource == role.arn
        };
        let may_tag = grant
            .tagging
            .is_some_and(|leave| by_caller(leave.session(), leave.resource()));
        let may_name = grant
            .naming_source
            .is_some_and(|leave| by_caller(leave.session(), leave.resource()));
        if (!tags.is_empty() && !may_tag) || (source_identity.is_some() && !may_name) {
            return Err(IssueError::WithoutLeave);
        }
        let mut terms = terms(account, seconds, (now, entropy))?;
        terms.narrowing = grant.narrowing;
        terms.tags = tags;
        terms.source_identity = source_identity;
        terms.chained = matches!(caller.principal(), Principal::AssumedRole { .. });
        if matches!(caller.principal(), Principal::WebIdentity(_)) {
            terms.federated_provider = caller.federated_provider().map(str::to_owned);
        }
        let reference = RoleRef {
            path: role.path.clone(),
            name: role.name.clone(),
            id: role.id.clone(),
        };
        self.seal(
            &Session::of_role(account, reference, grant.session_name, terms)?,
            entropy,
        )
    }

    /// Issues temporary credentials of the calling user's own.
    ///
    /// # Errors
    /// [`IssueError`] if the caller is no user with long-lived credentials, or `duration_seconds` is outside 900 to
    /// 129600 (43200 if not said).
    pub fn issue_session_token(
        &self,
        permit: &Permit<GetSessionToken>,
        duration_seconds: Option<u32>,
        issuing: Issuing<'_>,
    ) -> Result<TemporaryCredentials, IssueError> {
        let user = long_lived_user(permit.session(), "GetSessionToken")?;
        let account = permit.session().account();
        let terms = terms(account, user_seconds(duration_seconds)?, issuing)?;
        self.seal(&Session::new(account, Principal::User(user), terms)?, issuing.1)
    }

    /// Issues credentials for somebody whom the calling user names.
    ///
    /// # Errors
    /// [`IssueError`] if the caller is no user with long-lived credentials, or the grant breaks a limit.
    pub fn issue_federation_token(
        &self,
        permit: &Permit<GetFederationToken>,
        grant: FederationGrant,
        issuing: Issuing<'_>,
    ) -> Result<TemporaryCredentials, IssueError> {
        let user = long_lived_user(permit.session(), "GetFederationToken")?;
        let may_tag = grant.tagging.is_some_and(|leave| {
            leave.session().principal_arn() == permit.session().principal_arn()
                && leave.resource() == permit.resource()
        });
        if !grant.tags.is_empty() && !may_tag {
            return Err(IssueError::WithoutLeave);
        }
        let account = permit.session().account();
        let mut terms = terms(account, user_seconds(grant.duration_seconds)?, issuing)?;
        terms.narrowing = grant.narrowing;
        terms.tags = grant.tags;
        let name = grant.name;
        self.seal(
            &Session::new(account, Principal::FederatedUser { name, user }, terms)?,
            issuing.1,
        )
    }

    fn seal(&self, session: &Session, entropy: &dyn Entropy) -> Result<TemporaryCredentials, IssueError> {
        let secret_access_key = random_secret(entropy)?;
        let (Some(access_key_id), Some(expires_at)) = (session.access_key_id(), session.expires_at()) else {
            return Err(IssueError::Sealing);
        };
        Ok(TemporaryCredentials {
            session_token: self.tokens.seal(session, &secret_access_key, entropy)?,
            access_key_id: access_key_id.clone(),
            secret_access_key,
            expires_at,
            principal_arn: session.principal_arn().clone(),
            user_id: session.user_id().to_owned(),
            packed_percent: token::packed_percent(session),
            source_identity: session.source_identity().cloned(),
        })
    }
}

/// The tags of a session that `caller` asks for with `asked`.
///
/// # Errors
/// [`TagError`] if one of them is kept already, or there are too many then.
pub fn tags_after(caller: &Session, asked: SessionTags) -> Result<SessionTags, TagError> {
    asked.following(caller.tags())
}

/// Who stands behind a session that `caller` asks for.
///
/// # Errors
/// [`IssueError::SourceIdentity`] if it asks for somebody else than who stands behind itself.
pub fn source_identity_after(
    caller: &Session,
    asked: Option<SourceIdentity>,
) -> Result<Option<SourceIdentity>, IssueError> {
    match (caller.source_identity(), asked) {
        (Some(kept), Some(asked)) if *kept != asked => Err(IssueError::SourceIdentity),
        (Some(kept), _) => Ok(Some(kept.clone())),
        (None, asked) => Ok(asked),
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

/// The account of a role, if it is the one that a permit is for.
fn account_of(role: &RoleFacts, permitted: &Arn) -> Result<AccountId, IssueError> {
    if role.arn == *permitted && role.arn.service() == "iam" && role.arn.resource().starts_with("role/") {
        Ok(role.arn.account().parse()?)
    } else {
        Err(IssueError::OtherPermit)
    }
}

fn terms(account: AccountId, seconds: u32, (now, entropy): Issuing<'_>) -> Result<Terms, IssueError> {
    let issued_at = Timestamp::from_unix_seconds(now.unix_seconds());
    let access_key_id = AccessKeyId::temporary(account, entropy)?;
    let expires_at = issued_at.plus_seconds(u64::from(seconds));
    Ok(Terms::new(Some(access_key_id), issued_at, Some(expires_at)))
}

fn long_lived_user(caller: &Session, operation: &'static str) -> Result<UserRef, IssueError> {
    match caller.principal() {
        Principal::User(user) if !caller.is_temporary() => Ok(user.clone()),
        Principal::User(_)
        | Principal::AssumedRole { .. }
        | Principal::FederatedUser { .. }
        | Principal::WebIdentity(_)
        | Principal::Bootstrap
        | Principal::Service(_) => Err(IssueError::SessionCredentials { operation }),
    }
}

fn role_seconds(asked: Option<u32>, caller: &Principal, role: &RoleFacts) -> Result<u32, IssueError> {
    let seconds = asked.unwrap_or(HOUR);
    if !(900..=HALF_A_DAY).contains(&seconds) {
        return Err(IssueError::Duration { most: HALF_A_DAY });
    }
    match caller {
        Principal::AssumedRole { .. } if seconds > HOUR => Err(IssueError::Chaining),
        Principal::Bootstrap if seconds > HOUR => Err(IssueError::Bootstrap),
        _ if seconds > role.max_session_seconds => Err(IssueError::MaxSessionDuration),
        Principal::AssumedRole { .. }
        | Principal::User(_)
        | Principal::FederatedUser { .. }
        | Principal::WebIdentity(_)
        | Principal::Bootstrap
        | Principal::Service(_) => Ok(seconds),
    }
}

fn user_seconds(asked: Option<u32>) -> Result<u32, IssueError> {
    const MOST: u32 = 129_600;
    let seconds = asked.unwrap_or(HALF_A_DAY);
    if (900..=MOST).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(IssueError::Duration { most: MOST })
    }
}

/// 240 random bits as 40 characters, as AWS's secrets look.
pub(super) fn random_secret(entropy: &dyn Entropy) -> Result<Secret, EntropyUnavailable> {
    let mut bytes = Zeroizing::new([0_u8; 30]);
    entropy.fill(bytes.as_mut_slice())?;
    Ok(Secret::new(STANDARD.encode(bytes.as_slice()).into_bytes()))
}
