//! What users make of their long-lived credentials: `GetSessionToken` and `GetFederationToken`.

use moho_iam::action::sts;
use moho_iam::authn::FederationGrant;
use moho_iam::authz::{Context, Permit};
use moho_iam::{NarrowingRequest, SessionTags};
use moho_terms::SessionName;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::sts::{
    FederatedUser, GetFederationToken, GetFederationTokenResponse, GetSessionToken, GetSessionTokenResponse,
};
use moho_wire::{Failure, Reply};

use super::asking::{Narrowed, narrowing, of_tags, session_tags};
use super::{credentials_of, from_issue};
use crate::handlers::Asked;

/// STS `GetSessionToken`
pub(crate) fn get_session_token(
    asked: &Asked,
    permit: &Permit<sts::GetSessionToken>,
    get: &GetSessionToken,
) -> Result<Reply, Failure> {
    let platform = &asked.platform;
    let issuing = (platform.clock.now(), &*platform.entropy);
    let issued = platform
        .authenticator
        .issue_session_token(permit, seconds(get.duration_seconds), issuing)
        .map_err(|error| from_issue(&error))?;
    GetSessionTokenResponse {
        credentials: Some(credentials_of(issued)),
        ..GetSessionTokenResponse::default()
    }
    .reply(Service::Sts, "GetSessionToken", &asked.request)
}

/// A request for credentials for somebody whom the caller names.
pub(crate) struct Federating {
    pub(crate) name: SessionName,
    duration_seconds: Option<u32>,
    narrowing: NarrowingRequest,
    pub(crate) tags: SessionTags,
}

impl Federating {
    pub(crate) fn parse(get: GetFederationToken) -> Result<Self, Failure> {
        Ok(Self {
            name: get
                .name
                .parse()
                .map_err(|_unsuitable| Failure::Validation("Name is invalid".to_owned()))?,
            duration_seconds: seconds(get.duration_seconds),
            narrowing: Narrowed {
                policy: get.policy,
                policy_arns: get.policy_arns,
            }
            .parse()?,
            tags: session_tags(get.tags, None)?,
        })
    }

    /// What conditions can ask about the request.
    pub(crate) fn context(&self) -> Context {
        let mut context = Context::new();
        of_tags(&mut context, &self.tags);
        context
    }
}

/// STS `GetFederationToken`
pub(crate) fn get_federation_token(
    asked: &Asked,
    permit: &Permit<sts::GetFederationToken>,
    (federating, tagging): (Federating, Option<Permit<sts::TagSession>>),
) -> Result<Reply, Failure> {
    let platform = &asked.platform;
    let grant = FederationGrant {
        name: federating.name,
        duration_seconds: federating.duration_seconds,
        narrowing: narrowing(&platform.store, permit, federating.narrowing)?,
        tags: federating.tags,
        tagging,
    };
    let issuing = (platform.clock.now(), &*platform.entropy);
    let issued = platform
        .authenticator
        .issue_federation_token(permit, grant, issuing)
        .map_err(|error| from_issue(&error))?;
    GetFederationTokenResponse {
        federated_user: Some(FederatedUser {
            federated_user_id: Some(issued.user_id.clone()),
            arn: Some(issued.principal_arn.to_string()),
        }),
        packed_policy_size: issued.packed_percent.map(i64::from),
        credentials: Some(credentials_of(issued)),
        ..GetFederationTokenResponse::default()
    }
    .reply(Service::Sts, "GetFederationToken", &asked.request)
}

fn seconds(asked: Option<i64>) -> Option<u32> {
    asked.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX))
}
