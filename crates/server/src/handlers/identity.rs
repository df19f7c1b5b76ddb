//! Who am I, become a role, trust an identity provider.

use std::sync::Arc;

use moho_iam::action::{iam, sts};
use moho_iam::authn::{IssueError, SessionGrant};
use moho_iam::authz::Permit;
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_terms::{AccountId, Arn};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::providers::{CreateOpenIDConnectProvider, CreateOpenIDConnectProviderResponse};
use moho_wire::aws::ops::sts::{
    AssumeRole, AssumeRoleResponse, AssumedRoleUser, Credentials, GetCallerIdentityResponse,
};
use moho_wire::{Failure, Reply};

use super::Asked;
use crate::road::from_store;

/// STS `GetCallerIdentity`
pub(crate) fn get_caller_identity(
    asked: &Asked,
    permit: &Permit<sts::GetCallerIdentity>,
) -> Result<Reply, Failure> {
    let session = permit.session();
    GetCallerIdentityResponse {
        user_id: Some(session.user_id().to_owned()),
        account: Some(session.account().to_string()),
        arn: Some(session.principal_arn().to_string()),
    }
    .reply(Service::Sts, "GetCallerIdentity", &asked.request)
}

/// The role that a request names.
pub(crate) fn role_arn(assume: &AssumeRole) -> Result<Arn, Failure> {
    let invalid = |_unsuitable| Failure::Validation(format!("{} is invalid", assume.role_arn));
    assume.role_arn.parse().map_err(invalid)
}

/// STS `AssumeRole`
pub(crate) fn assume_role(
    asked: &Asked,
    permit: &Permit<sts::AssumeRole>,
    assume: AssumeRole,
) -> Result<Reply, Failure> {
    let session_policy = assume
        .policy
        .map(|text| PolicyDocument::parse(PolicyKind::Session, &text))
        .transpose()
        .map_err(|error| service("MalformedPolicyDocument", error.to_string(), 400))?;
    let packed_policy_size = session_policy
        .as_ref()
        .map(|policy| percent_of_session(policy.as_str().len()));
    let grant = SessionGrant {
        session_name: assume
            .role_session_name
            .parse()
            .map_err(|_unsuitable| Failure::Internal)?,
        duration_seconds: assume
            .duration_seconds
            .map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        session_policy,
    };
    let platform = &asked.platform;
    let credentials = platform
        .authenticator
        .issue(permit, grant, platform.clock.now(), &*platform.entropy)
        .map_err(|error| from_issue(&error))?;
    AssumeRoleResponse {
        credentials: Some(Credentials {
            access_key_id: Some(credentials.access_key_id.to_string()),
            secret_access_key: Some(credentials.secret_access_key),
            session_token: Some(credentials.session_token),
            expiration: Some(credentials.expires_at),
        }),
        assumed_role_user: Some(AssumedRoleUser {
            assumed_role_id: Some(credentials.assumed_role_id),
            arn: Some(credentials.assumed_role_arn.to_string()),
        }),
        packed_policy_size,
        ..AssumeRoleResponse::default()
    }
    .reply(Service::Sts, "AssumeRole", &asked.request)
}

/// A session policy has at most 2048 bytes.
fn percent_of_session(bytes: usize) -> i64 {
    i64::try_from(bytes.saturating_mul(100).div_ceil(2048)).unwrap_or(i64::MAX)
}

fn from_issue(error: &IssueError) -> Failure {
    match error {
        IssueError::Duration | IssueError::Chaining | IssueError::Bootstrap | IssueError::NotARole => {
            service("ValidationError", error.to_string(), 400)
        }
        IssueError::NotASessionPolicy => service("MalformedPolicyDocument", error.to_string(), 400),
        IssueError::TokenTooLarge => service("PackedPolicyTooLarge", error.to_string(), 400),
        IssueError::Entropy(_) => Failure::Unavailable,
        IssueError::Sealing | IssueError::BearerDuration | IssueError::Token(_) | IssueError::Name(_) => {
            Failure::Internal
        }
    }
}

fn service(code: &'static str, message: String, status: u16) -> Failure {
    Failure::Service {
        code,
        message,
        status,
    }
}

/// The provider's name: its address without the scheme.
pub(crate) fn provider_arn(create: &CreateOpenIDConnectProvider, account: AccountId) -> Result<Arn, Failure> {
    let invalid = || {
        service(
            "ValidationError",
            "Invalid Open ID Connect Provider URL".to_owned(),
            400,
        )
    };
    let address = create
        .url
        .strip_prefix("https://")
        .ok_or_else(invalid)?
        .trim_end_matches('/');
    let host = address.split('/').next().unwrap_or("");
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    if host.is_empty() || !address.bytes().all(plain) {
        return Err(invalid());
    }
    Arn::of("iam", "", account.as_str(), &format!("oidc-provider/{address}")).map_err(|_invalid| invalid())
}

/// IAM `CreateOpenIDConnectProvider`; from now on the bootstrap door is closed for good.
pub(crate) async fn create_provider(
    asked: &Asked,
    permit: Permit<iam::CreateOpenIDConnectProvider>,
    create: CreateOpenIDConnectProvider,
) -> Result<Reply, Failure> {
    let platform = Arc::clone(&asked.platform);
    let arn = permit.resource().clone();
    let created = tokio::task::spawn_blocking(move || {
        let now = platform.clock.now();
        let provider = moho_store::NewIdentityProvider {
            url: create.url,
            client_ids: create.client_id_list.unwrap_or_default(),
            thumbprints: create.thumbprint_list.unwrap_or_default(),
        };
        platform
            .store
            .create_identity_provider(&permit, &provider, now)
            .map_err(|error| from_store(&error))
    })
    .await
    .unwrap_or(Err(Failure::Internal))?;
    if !created {
        let message = format!("Provider with url {} already exists.", arn.resource());
        return Err(service("EntityAlreadyExists", message, 409));
    }
    asked.platform.door.close();
    tracing::warn!(
        "an identity provider was set: the bootstrap door is closed for good, and as federation is not served yet, NOBODY CAN \
         GET CREDENTIALS once the last session ends"
    );
    CreateOpenIDConnectProviderResponse {
        open_id_connect_provider_arn: Some(arn.to_string()),
        tags: None,
    }
    .reply(Service::Iam, "CreateOpenIDConnectProvider", &asked.request)
}
