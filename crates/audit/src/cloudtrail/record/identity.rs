//! Who called, as CloudTrail says it (`userIdentity`).

use std::collections::BTreeMap;

use moho_iam::authz::EventIdentity;
use moho_terms::{AccessKeyId, AccountId, Arn, Timestamp};
use serde::{Deserialize, Serialize};

use super::moment;

/// Who called.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserIdentity {
    /// `AssumedRole`, `IAMUser`, `FederatedUser`, `WebIdentityUser`, `AWSService`, `Unknown` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// `AROA…:name`, `AIDA…` or `ACCOUNT:name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// The session, or the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<Arn>,
    /// The account of whoever called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// The public half of the credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<AccessKeyId>,
    /// Of a user: its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// Of temporary credentials: the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_context: Option<SessionContext>,
    /// The service that called, for itself or for somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoked_by: Option<String>,
    /// Of a `WebIdentityUser`: who knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_provider: Option<String>,
}

/// A session of temporary credentials.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionContext {
    /// The role or user that the session is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_issuer: Option<SessionIssuer>,
    /// The identity provider that it is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_id_federation_data: Option<WebIdFederation>,
    /// Since when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<SessionAttributes>,
    /// Who stands behind it, if its first session said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
}

/// The role or user that a session is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionIssuer {
    /// `Role` or `IAMUser`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `AROA…`, or `AIDA…` where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// The role or user.
    pub arn: Arn,
    /// Its account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// Its name, without its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
}

/// The identity provider that a session is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebIdFederation {
    /// The provider.
    pub federated_provider: String,
    /// What the provider said. moho keeps none of it.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// Since when a session is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionAttributes {
    /// When it was issued. To the second.
    #[serde(with = "moment")]
    pub creation_date: Timestamp,
    /// `true` or `false`, as text.
    pub mfa_authenticated: String,
}

impl UserIdentity {
    /// A service that acts by itself. AWS says nothing more of one.
    #[must_use]
    pub fn of_service(service: &str) -> Self {
        Self {
            kind: "AWSService".to_owned(),
            invoked_by: Some(service.to_owned()),
            ..Self::default()
        }
    }
}

impl From<&EventIdentity> for UserIdentity {
    fn from(identity: &EventIdentity) -> Self {
        if let ("AWSService", Some(service)) = (identity.kind, identity.invoked_by) {
            return Self::of_service(service);
        }
        if identity.kind == "WebIdentityUser" {
            // Nobody of any account yet, so it has no ARN here.
            return Self {
                kind: identity.kind.to_owned(),
                principal_id: identity.principal_id.clone(),
                identity_provider: identity.federated_provider.clone(),
                ..Self::default()
            };
        }
        let name = identity.principal.as_ref().and_then(name_of);
        Self {
            kind: identity.kind.to_owned(),
            principal_id: identity.principal_id.clone(),
            arn: identity.principal.clone(),
            account_id: identity.account,
            access_key_id: identity.access_key_id.clone(),
            user_name: name.filter(|_| identity.kind == "IAMUser"),
            session_context: session_of(identity),
            invoked_by: identity.invoked_by.map(str::to_owned),
            identity_provider: None,
        }
    }
}

/// The session, of temporary credentials.
fn session_of(identity: &EventIdentity) -> Option<SessionContext> {
    let issued_at = identity.issued_at?;
    Some(SessionContext {
        session_issuer: identity.issuer.as_ref().map(|arn| issuer_of(identity, arn)),
        web_id_federation_data: identity.federated_provider.clone().map(|federated_provider| {
            WebIdFederation {
                federated_provider,
                attributes: BTreeMap::new(),
            }
        }),
        attributes: Some(SessionAttributes {
            creation_date: Timestamp::from_unix_seconds(issued_at.unix_seconds()),
            // Nobody has a second factor here.
            mfa_authenticated: "false".to_owned(),
        }),
        source_identity: identity.source_identity.clone(),
    })
}

fn issuer_of(identity: &EventIdentity, arn: &Arn) -> SessionIssuer {
    let role = arn.resource().starts_with("role/");
    // `AROA…:name` is a role's id and its session's name. A federated user's id begins with the account's instead.
    let id = identity
        .principal_id
        .as_ref()
        .and_then(|id| id.split_once(':'))
        .map(|(id, _)| id.to_owned());
    SessionIssuer {
        kind: if role { "Role" } else { "IAMUser" }.to_owned(),
        principal_id: id.filter(|_| role),
        arn: arn.clone(),
        account_id: arn.account().parse().ok(),
        user_name: name_of(arn),
    }
}

/// `Name` of `user/path/Name` or `role/path/Name`.
fn name_of(arn: &Arn) -> Option<String> {
    let (_, name) = arn.resource().rsplit_once('/')?;
    Some(name.to_owned())
}
