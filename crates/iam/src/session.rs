//! On whose behalf a request acts: a session of a role, or the bootstrap principal.

use aws_lc_rs::digest;
use moho_terms::{AccessKeyId, AccountId, Arn, ArnError, RoleName, SessionName, Timestamp};

use crate::policy::PolicyDocument;

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A session of a role.
    AssumedRole {
        /// The role.
        role: RoleName,
        /// What the caller named its session.
        session_name: SessionName,
    },
    /// Whoever came through the bootstrap door; may only assume roles of its account.
    Bootstrap,
}

/// A session: the principal, whence its credentials are, and what narrows it.
#[derive(Debug, Clone)]
pub struct RoleSession {
    pub(crate) account: AccountId,
    pub(crate) principal: Principal,
    pub(crate) principal_arn: Arn,
    pub(crate) role_arn: Arn,
    pub(crate) user_id: String,
    pub(crate) access_key_id: Option<AccessKeyId>,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) session_policy: Option<PolicyDocument>,
    pub(crate) chained: bool,
}

/// How long whoever came through the bootstrap door may act, in seconds.
const BOOTSTRAP_SECONDS: u64 = 900;

/// When a session's credentials were issued, when they end, and what they may be used for at most.
pub(crate) struct Terms {
    pub(crate) access_key_id: AccessKeyId,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) session_policy: Option<PolicyDocument>,
    pub(crate) chained: bool,
}

impl RoleSession {
    pub(crate) fn of_role(
        account: AccountId,
        role: RoleName,
        session_name: SessionName,
        terms: Terms,
    ) -> Result<Self, ArnError> {
        Ok(Self {
            account,
            principal_arn: Arn::of(
                "sts",
                "",
                account.as_str(),
                &format!("assumed-role/{role}/{session_name}"),
            )?,
            role_arn: Arn::of("iam", "", account.as_str(), &format!("role/{role}"))?,
            user_id: format!("{}:{session_name}", role_id(account, &role)),
            principal: Principal::AssumedRole { role, session_name },
            access_key_id: Some(terms.access_key_id),
            issued_at: terms.issued_at,
            expires_at: terms.expires_at,
            session_policy: terms.session_policy,
            chained: terms.chained,
        })
    }

    pub(crate) fn bootstrap(
        account: AccountId,
        policy: PolicyDocument,
        now: Timestamp,
    ) -> Result<Self, ArnError> {
        let arn = Arn::of("iam", "", account.as_str(), "bootstrap")?;
        Ok(Self {
            account,
            principal: Principal::Bootstrap,
            principal_arn: arn.clone(),
            role_arn: arn,
            user_id: format!("{account}:bootstrap"),
            access_key_id: None,
            issued_at: now,
            expires_at: now.plus_seconds(BOOTSTRAP_SECONDS),
            session_policy: Some(policy),
            chained: false,
        })
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

    /// The role's name; `None` for the bootstrap principal, which has no role.
    #[must_use]
    pub fn role(&self) -> Option<&RoleName> {
        match &self.principal {
            Principal::AssumedRole { role, .. } => Some(role),
            Principal::Bootstrap => None,
        }
    }

    /// `arn:aws:sts::ACCOUNT:assumed-role/Role/name`; for the bootstrap principal `arn:aws:iam::ACCOUNT:bootstrap`.
    #[must_use]
    pub fn principal_arn(&self) -> &Arn {
        &self.principal_arn
    }

    /// `arn:aws:iam::ACCOUNT:role/Role`; for the bootstrap principal its own ARN.
    #[must_use]
    pub fn role_arn(&self) -> &Arn {
        &self.role_arn
    }

    /// `AROA…:name`, as `GetCallerIdentity` and `aws:userid` say it.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The public half of the credentials; `None` for the bootstrap principal, which has none.
    #[must_use]
    pub fn access_key_id(&self) -> Option<&AccessKeyId> {
        self.access_key_id.as_ref()
    }

    /// When the credentials were issued.
    #[must_use]
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// When they end.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The policy the session was narrowed by when it was issued.
    #[must_use]
    pub fn session_policy(&self) -> Option<&PolicyDocument> {
        self.session_policy.as_ref()
    }

    /// Whether a role session issued this session (role chaining).
    #[must_use]
    pub fn chained(&self) -> bool {
        self.chained
    }
}

/// `AROA` and 17 characters. Made from the role's name: a role that is deleted and made again keeps its id.
fn role_id(account: AccountId, role: &RoleName) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = digest::digest(
        &digest::SHA256,
        format!("moho role id {account}/{role}").as_bytes(),
    );
    let letters = digest
        .as_ref()
        .iter()
        .take(17)
        .filter_map(|b| ALPHABET.get(usize::from(b & 31)));
    "AROA".chars().chain(letters.map(|b| char::from(*b))).collect()
}
