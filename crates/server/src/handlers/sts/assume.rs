//! STS `AssumeRole`

use moho_iam::RoleFacts;
use moho_iam::action::sts;
use moho_iam::authn::SessionGrant;
use moho_iam::authz::Permit;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::sts::{AssumeRoleResponse, AssumedRoleUser};
use moho_wire::{Failure, Reply};

use super::{credentials_of, from_issue};
use crate::handlers::Asked;

/// Issues credentials for the role.
pub(crate) fn assume_role(
    asked: &Asked,
    permit: &Permit<sts::AssumeRole>,
    (role, grant): (&RoleFacts, SessionGrant),
) -> Result<Reply, Failure> {
    let platform = &asked.platform;
    let issuing = (platform.clock.now(), &*platform.entropy);
    let issued = platform
        .authenticator
        .issue(permit, role, grant, issuing)
        .map_err(|error| from_issue(&error))?;
    AssumeRoleResponse {
        assumed_role_user: Some(AssumedRoleUser {
            assumed_role_id: Some(issued.user_id.clone()),
            arn: Some(issued.principal_arn.to_string()),
        }),
        packed_policy_size: issued.packed_percent.map(i64::from),
        source_identity: issued.source_identity.as_ref().map(ToString::to_string),
        credentials: Some(credentials_of(issued)),
        ..AssumeRoleResponse::default()
    }
    .reply(Service::Sts, "AssumeRole", &asked.request)
}
