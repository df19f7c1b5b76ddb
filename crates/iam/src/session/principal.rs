//! Who acts: every kind of principal there is.

use std::collections::BTreeMap;

use crate::own_services::OwnService;
use moho_terms::{AccountId, Arn, ArnError, RoleName, SessionName, UserName};

/// A role as a session remembers it: by its id, so that a session of a role that was deleted and made again is not one
/// of the new role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRef {
    /// `/`, or `/path/`.
    pub path: String,
    /// Its name.
    pub name: RoleName,
    /// `AROA…`.
    pub id: String,
}

/// A user as a session remembers it, by its id likewise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRef {
    /// `/`, or `/path/`.
    pub path: String,
    /// Its name.
    pub name: UserName,
    /// `AIDA…`.
    pub id: String,
}

impl RoleRef {
    /// `arn:aws:iam::ACCOUNT:role/path/Name`.
    ///
    /// # Errors
    /// [`ArnError`] if the path cannot stand in an ARN.
    pub fn arn(&self, account: AccountId) -> Result<Arn, ArnError> {
        Arn::of(
            "iam",
            "",
            account.as_str(),
            &format!("role{}{}", self.path, self.name),
        )
    }
}

impl UserRef {
    /// `arn:aws:iam::ACCOUNT:user/path/Name`.
    ///
    /// # Errors
    /// [`ArnError`] if the path cannot stand in an ARN.
    pub fn arn(&self, account: AccountId) -> Result<Arn, ArnError> {
        Arn::of(
            "iam",
            "",
            account.as_str(),
            &format!("user{}{}", self.path, self.name),
        )
    }
}

/// What an identity provider says of whoever brought its token, once that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebIdentity {
    /// The provider's ARN, `arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH`, in the account whose role is wanted.
    pub provider: Arn,
    /// The token's `iss`.
    pub issuer: String,
    /// The token's `sub`.
    pub subject: String,
    /// The token's `aud` (or `azp`) that the provider knows.
    pub audience: String,
    /// Everything else that trust policies can ask about, by the claim's name.
    pub claims: BTreeMap<String, Vec<String>>,
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A session of a role.
    AssumedRole {
        /// The role.
        role: RoleRef,
        /// What the caller named its session.
        session_name: SessionName,
    },
    /// An IAM user, by its long-lived credentials or by a session of `GetSessionToken`.
    User(UserRef),
    /// Whom a user named in `GetFederationToken`: may do at most what the user may.
    FederatedUser {
        /// What the user called it.
        name: SessionName,
        /// The user.
        user: UserRef,
    },
    /// Somebody whom an identity provider knows, who is nobody here yet: may only become a session of a role.
    WebIdentity(Box<WebIdentity>),
    /// Whoever came through the bootstrap door; may only assume roles of its account.
    Bootstrap,
    /// A service of moho's own, which acts by itself.
    Service(OwnService),
}
