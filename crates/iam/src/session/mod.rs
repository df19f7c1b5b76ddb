//! On whose behalf a request acts: a principal, whence its credentials are, and what narrows them.

mod narrowing;
mod principal;
mod tags;

use std::collections::BTreeMap;
use std::sync::Arc;

use moho_terms::{
    AccessKeyId, AccountId, Arn, ArnError, RoleName, SessionName, SourceIdentity, Timestamp, UserName,
};

pub use narrowing::{Narrowing, NarrowingError, NarrowingRequest, PolicyRef};
pub use principal::{Principal, RoleRef, UserRef, WebIdentity};
pub use tags::{SessionTags, TagError};

use crate::own_services::OwnService;
use crate::policy::PolicyDocument;

/// What must be known of a role to make a session of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleFacts {
    /// `arn:aws:iam::ACCOUNT:role/path/Name`.
    pub arn: Arn,
    /// `/`, or `/path/`.
    pub path: String,
    /// Its name.
    pub name: RoleName,
    /// `AROA…`: another if the role is deleted and made again.
    pub id: String,
    /// The longest that a session of it may last, in seconds: 3600 to 43200.
    pub max_session_seconds: u32,
    /// The role's own tags.
    pub tags: BTreeMap<String, String>,
}

/// A session: the principal, whence its credentials are, and what narrows it.
#[derive(Debug, Clone)]
pub struct Session {
    account: AccountId,
    principal: Principal,
    principal_arn: Arn,
    identity_arn: Arn,
    user_id: String,
    terms: Terms,
}

/// How long whoever came through the bootstrap door may act, in seconds.
const BOOTSTRAP_SECONDS: u64 = 900;

/// Whence a session's credentials are, when they end, and what they may be used for at most.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) access_key_id: Option<AccessKeyId>,
    pub(crate) issued_at: Timestamp,
    /// `None` if they do not end.
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) narrowing: Narrowing,
    pub(crate) tags: SessionTags,
    pub(crate) source_identity: Option<SourceIdentity>,
    pub(crate) federated_provider: Option<String>,
    pub(crate) chained: bool,
}

impl Terms {
    /// Terms that narrow nothing.
    pub(crate) fn new(
        access_key_id: Option<AccessKeyId>,
        issued_at: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Self {
        Self {
            access_key_id,
            issued_at,
            expires_at,
            narrowing: Narrowing::default(),
            tags: SessionTags::default(),
            source_identity: None,
            federated_provider: None,
            chained: false,
        }
    }
}

impl Session {
    /// A session of whom `principal` says, in `account`.
    pub(crate) fn new(account: AccountId, principal: Principal, terms: Terms) -> Result<Self, ArnError> {
        let sts = |resource: &str| Arn::of("sts", "", account.as_str(), resource);
        let (principal_arn, identity_arn, user_id) = match &principal {
            Principal::AssumedRole { role, session_name } => (
                sts(&format!("assumed-role/{}/{session_name}", role.name))?,
                role.arn(account)?,
                format!("{}:{session_name}", role.id),
            ),
            Principal::User(user) => {
                let arn = user.arn(account)?;
                (arn.clone(), arn, user.id.clone())
            }
            Principal::FederatedUser { name, .. } => {
                let arn = sts(&format!("federated-user/{name}"))?;
                (arn.clone(), arn, format!("{account}:{name}"))
            }
            Principal::WebIdentity(web) => (
                web.provider.clone(),
                web.provider.clone(),
                format!("{}:{}:{}", web.issuer, web.audience, web.subject),
            ),
            Principal::Bootstrap => {
                let arn = Arn::of("iam", "", account.as_str(), "bootstrap")?;
                (arn.clone(), arn, format!("{account}:bootstrap"))
            }
            Principal::Service(service) => {
                let arn = Arn::of(
                    "iam",
                    "",
                    account.as_str(),
                    &format!("service/{}", service.as_str()),
                )?;
                (arn.clone(), arn, service.as_str().to_owned())
            }
        };
        Ok(Self {
            account,
            principal,
            principal_arn,
            identity_arn,
            user_id,
            terms,
        })
    }

    /// A session of a role.
    pub(crate) fn of_role(
        account: AccountId,
        role: RoleRef,
        session_name: SessionName,
        terms: Terms,
    ) -> Result<Self, ArnError> {
        Self::new(account, Principal::AssumedRole { role, session_name }, terms)
    }

    pub(crate) fn bootstrap(
        account: AccountId,
        policy: PolicyDocument,
        now: Timestamp,
    ) -> Result<Self, ArnError> {
        let mut terms = Terms::new(None, now, Some(now.plus_seconds(BOOTSTRAP_SECONDS)));
        terms.narrowing = Narrowing::of_the_door(policy);
        Self::new(account, Principal::Bootstrap, terms)
    }

    pub(crate) fn of_own_service(
        account: AccountId,
        service: OwnService,
        now: Timestamp,
    ) -> Result<Self, ArnError> {
        Self::new(
            account,
            Principal::Service(service),
            Terms::new(None, now, Some(now)),
        )
    }

    /// The account that the session belongs to.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Who acts.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The role's name; `None` for whoever has no role.
    #[must_use]
    pub fn role(&self) -> Option<&RoleName> {
        match &self.principal {
            Principal::AssumedRole { role, .. } => Some(&role.name),
            Principal::User(_)
            | Principal::FederatedUser { .. }
            | Principal::WebIdentity(_)
            | Principal::Bootstrap
            | Principal::Service(_) => None,
        }
    }

    /// The user's name, as `aws:username` says it; `None` for whoever is no user.
    #[must_use]
    pub fn user_name(&self) -> Option<&UserName> {
        match &self.principal {
            Principal::User(user) => Some(&user.name),
            Principal::AssumedRole { .. }
            | Principal::FederatedUser { .. }
            | Principal::WebIdentity(_)
            | Principal::Bootstrap
            | Principal::Service(_) => None,
        }
    }

    /// The kind of principal as `aws:PrincipalType` says it; `None` for the bootstrap principal.
    #[must_use]
    pub fn principal_type(&self) -> Option<&'static str> {
        match &self.principal {
            Principal::AssumedRole { .. } => Some("AssumedRole"),
            Principal::User(_) => Some("User"),
            Principal::FederatedUser { .. } => Some("FederatedUser"),
            Principal::WebIdentity(_) => Some("Anonymous"),
            Principal::Bootstrap | Principal::Service(_) => None,
        }
    }

    /// `arn:aws:sts::ACCOUNT:assumed-role/Role/name`, `arn:aws:iam::ACCOUNT:user/path/Name`,
    /// `arn:aws:sts::ACCOUNT:federated-user/name`; for a web identity its provider's ARN, for the bootstrap principal
    /// `arn:aws:iam::ACCOUNT:bootstrap`.
    #[must_use]
    pub fn principal_arn(&self) -> &Arn {
        &self.principal_arn
    }

    /// What `aws:PrincipalArn` says and trust policies name: for a session of a role `arn:aws:iam::ACCOUNT:role/path/Role`,
    /// for everybody else their own ARN.
    #[must_use]
    pub fn role_arn(&self) -> &Arn {
        &self.identity_arn
    }

    /// `AROA…:name`, `AIDA…` or `ACCOUNT:name`, as `GetCallerIdentity` and `aws:userid` say it.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The public half of the credentials; `None` for whoever has none: a web identity, the bootstrap principal, a user
    /// with a long-term bearer key.
    #[must_use]
    pub fn access_key_id(&self) -> Option<&AccessKeyId> {
        self.terms.access_key_id.as_ref()
    }

    /// When the credentials were issued; of long-lived ones, which say nothing of that, it is some time past.
    #[must_use]
    pub fn issued_at(&self) -> Timestamp {
        self.terms.issued_at
    }

    /// When they end; `None` for long-lived ones.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.terms.expires_at
    }

    /// Since when the credentials are good, for `aws:TokenIssueTime`: temporary ones, and a role's that do not end.
    pub(crate) fn token_issued_at(&self) -> Option<Timestamp> {
        let fixed =
            self.terms.access_key_id.is_some() && matches!(self.principal, Principal::AssumedRole { .. });
        (self.is_temporary() || fixed).then_some(self.terms.issued_at)
    }

    /// Whether the credentials are temporary ones that were issued here.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.terms.access_key_id.is_some() && self.terms.expires_at.is_some()
    }

    /// Whether a user made the credentials of its own, with `GetSessionToken` or `GetFederationToken`. IAM does not know
    /// those, as nobody can have proven a second factor with them.
    pub(crate) fn is_users_temporary(&self) -> bool {
        match &self.principal {
            Principal::User(_) | Principal::FederatedUser { .. } => self.is_temporary(),
            Principal::AssumedRole { .. }
            | Principal::WebIdentity(_)
            | Principal::Bootstrap
            | Principal::Service(_) => false,
        }
    }

    /// The inline policy that the session was narrowed by when it was issued.
    #[must_use]
    pub fn session_policy(&self) -> Option<&PolicyDocument> {
        self.terms.narrowing.inline().map(Arc::as_ref)
    }

    /// The managed policies it was narrowed by.
    #[must_use]
    pub fn session_policies(&self) -> &[PolicyRef] {
        self.terms.narrowing.managed()
    }

    /// All that it was narrowed by.
    #[must_use]
    pub fn narrowing(&self) -> &Narrowing {
        &self.terms.narrowing
    }

    /// The session's tags. They come before the role's own where keys are the same.
    #[must_use]
    pub fn tags(&self) -> &SessionTags {
        &self.terms.tags
    }

    /// Who stands behind the session, if its first one said so.
    #[must_use]
    pub fn source_identity(&self) -> Option<&SourceIdentity> {
        self.terms.source_identity.as_ref()
    }

    /// The identity provider that the session, or the first one of its chain, is from.
    #[must_use]
    pub fn federated_provider(&self) -> Option<&str> {
        self.terms.federated_provider.as_deref()
    }

    /// Whether a session of a role issued this session (role chaining).
    #[must_use]
    pub fn chained(&self) -> bool {
        self.terms.chained
    }

    /// Whether somebody proved to be there with a second factor. Nobody can yet.
    #[must_use]
    pub fn mfa(&self) -> bool {
        false
    }
}
