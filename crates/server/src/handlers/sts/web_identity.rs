//! STS `AssumeRoleWithWebIdentity`

use moho_iam::action::sts;
use moho_iam::authn::SessionGrant;
use moho_iam::authz::Permit;
use moho_iam::{RoleFacts, WebIdentity};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::sts::{AssumeRoleWithWebIdentityResponse, AssumedRoleUser};
use moho_wire::{Failure, Reply};

use super::{credentials_of, from_issue};
use crate::handlers::Asked;

/// Issues credentials for the role to whom an identity provider vouches for.
pub(crate) fn assume_role_with_web_identity(
    asked: &Asked,
    permit: &Permit<sts::AssumeRoleWithWebIdentity>,
    (role, grant): (&RoleFacts, SessionGrant),
    web: &WebIdentity,
) -> Result<Reply, Failure> {
    let platform = &asked.platform;
    let issuing = (platform.clock.now(), &*platform.entropy);
    let issued = platform
        .authenticator
        .issue_to_web_identity(permit, role, grant, issuing)
        .map_err(|error| from_issue(&error))?;
    AssumeRoleWithWebIdentityResponse {
        subject_from_web_identity_token: Some(web.subject.clone()),
        assumed_role_user: Some(AssumedRoleUser {
            assumed_role_id: Some(issued.user_id.clone()),
            arn: Some(issued.principal_arn.to_string()),
        }),
        packed_policy_size: issued.packed_percent.map(i64::from),
        provider: Some(web.issuer.clone()),
        audience: Some(web.audience.clone()),
        source_identity: issued.source_identity.as_ref().map(ToString::to_string),
        credentials: Some(credentials_of(issued)),
        ..AssumeRoleWithWebIdentityResponse::default()
    }
    .reply(Service::Sts, "AssumeRoleWithWebIdentity", &asked.request)
}
