//! Roles, their policies and instance profiles: which action each operation takes, and on what.

use moho_iam::action::iam;
use moho_wire::Failure;
use moho_wire::aws::ops::iam::{instance_profiles, role_policies, roles as requests};

use super::super::Trip;
use super::named::Named;
use crate::handlers::iam as handlers;
use crate::handlers::iam::tagged::pairs;
use crate::net::Outbound;
use crate::road::reply;

/// The condition key for a managed policy that is attached or detached.
const POLICY_ARN: &str = "iam:PolicyARN";
/// The condition key for a boundary.
const BOUNDARY: &str = "iam:PermissionsBoundary";

pub(super) async fn dispatch(trip: &Trip<'_>, request: requests::Request) -> Result<Outbound, Failure> {
    use requests::Request;
    let asked = &trip.asked();
    let role = |name: &str| Named::role(trip, name);
    let replied = match request {
        Request::CreateRole(request) => return create(trip, *request).await,
        Request::GetRole(request) => {
            handlers::roles::get(asked, role(&request.role_name)?.permit(trip)?).await
        }
        Request::ListRoles(request) => {
            let all = Named::all(trip, "role", request.path_prefix.as_deref())?;
            handlers::roles::list(asked, all.permit(trip)?, *request).await
        }
        Request::UpdateRole(request) => {
            handlers::roles::update(asked, role(&request.role_name)?.permit(trip)?, *request).await
        }
        Request::UpdateRoleDescription(request) => {
            handlers::roles::describe(asked, role(&request.role_name)?.permit(trip)?, *request).await
        }
        Request::DeleteRole(request) => {
            handlers::roles::delete(asked, role(&request.role_name)?.permit(trip)?).await
        }
        Request::UpdateAssumeRolePolicy(request) => {
            handlers::roles::trust(asked, role(&request.role_name)?.permit(trip)?, *request).await
        }
        Request::PutRolePermissionsBoundary(request) => {
            let role = role(&request.role_name)?.with(BOUNDARY, Some(&request.permissions_boundary));
            handlers::roles::bound(asked, role.permit(trip)?, *request).await
        }
        Request::DeleteRolePermissionsBoundary(request) => {
            handlers::roles::unbound(asked, role(&request.role_name)?.permit(trip)?).await
        }
        Request::TagRole(request) => {
            let tags = pairs(Some(request.tags.clone()));
            let role = role(&request.role_name)?.requesting(&tags);
            handlers::roles::tag(asked, role.permit(trip)?, *request).await
        }
        Request::UntagRole(request) => {
            let role = role(&request.role_name)?.untagging(&request.tag_keys);
            handlers::roles::untag(asked, role.permit(trip)?, *request).await
        }
        Request::ListRoleTags(request) => {
            handlers::roles::list_tags(asked, role(&request.role_name)?.permit(trip)?, *request).await
        }
        Request::CreateServiceLinkedRole(request) => return create_linked(trip, *request).await,
        Request::DeleteServiceLinkedRole(request) => {
            handlers::roles::delete_linked(asked, role(&request.role_name)?.permit(trip)?).await
        }
        Request::GetServiceLinkedRoleDeletionStatus(request) => {
            let all = Named::all(trip, "role", Some("/*"))?;
            handlers::roles::deletion(asked, all.permit(trip)?, *request).await
        }
    };
    replied.map(reply::whole)
}

/// Making a role with tags is tagging it, too.
async fn create(trip: &Trip<'_>, request: requests::CreateRole) -> Result<Outbound, Failure> {
    let tags = pairs(request.tags.clone());
    let role = Named::new(trip, "role", request.path.as_deref(), &request.role_name)?
        .with(BOUNDARY, request.permissions_boundary.as_deref())
        .requesting(&tags);
    let permit = role.permit(trip)?;
    if !tags.is_empty() {
        role.permit::<iam::TagRole>(trip)?;
    }
    let made = handlers::roles::create(&trip.asked(), permit, request).await;
    made.map(reply::whole)
}

async fn create_linked(
    trip: &Trip<'_>,
    request: requests::CreateServiceLinkedRole,
) -> Result<Outbound, Failure> {
    let service = handlers::roles::service(&request)?;
    let role = Named::new(trip, "role", Some(&service.path()), service.role)?
        .with("iam:AWSServiceName", Some(service.principal));
    let permit = role.permit(trip)?;
    let made = handlers::roles::create_linked(&trip.asked(), permit, service, request).await;
    made.map(reply::whole)
}

pub(super) async fn policies(trip: &Trip<'_>, request: role_policies::Request) -> Result<Outbound, Failure> {
    use role_policies::Request;
    let asked = &trip.asked();
    let role = |name: &str| Named::role(trip, name);
    let replied = match request {
        Request::PutRolePolicy(request) => {
            handlers::role_policies::put(asked, role(&request.role_name)?.permit(trip)?, *request).await
        }
        Request::GetRolePolicy(request) => {
            handlers::role_policies::get(asked, role(&request.role_name)?.permit(trip)?, *request).await
        }
        Request::ListRolePolicies(request) => {
            handlers::role_policies::list(asked, role(&request.role_name)?.permit(trip)?, *request).await
        }
        Request::DeleteRolePolicy(request) => {
            handlers::role_policies::delete(asked, role(&request.role_name)?.permit(trip)?, *request).await
        }
        Request::AttachRolePolicy(request) => {
            let role = role(&request.role_name)?.with(POLICY_ARN, Some(&request.policy_arn));
            handlers::role_policies::attach(asked, role.permit(trip)?, *request).await
        }
        Request::DetachRolePolicy(request) => {
            let role = role(&request.role_name)?.with(POLICY_ARN, Some(&request.policy_arn));
            handlers::role_policies::detach(asked, role.permit(trip)?, *request).await
        }
        Request::ListAttachedRolePolicies(request) => {
            handlers::role_policies::list_attached(asked, role(&request.role_name)?.permit(trip)?, *request)
                .await
        }
    };
    replied.map(reply::whole)
}

pub(super) async fn instance_profiles(
    trip: &Trip<'_>,
    request: instance_profiles::Request,
) -> Result<Outbound, Failure> {
    use instance_profiles::Request;
    let asked = &trip.asked();
    let profile = |name: &str| Named::instance_profile(trip, name);
    let replied = match request {
        Request::CreateInstanceProfile(request) => {
            let tags = pairs(request.tags.clone());
            let (path, name) = (request.path.as_deref(), &request.instance_profile_name);
            let profile = Named::new(trip, "instance-profile", path, name)?.requesting(&tags);
            handlers::instance_profiles::create(asked, profile.permit(trip)?, *request).await
        }
        Request::GetInstanceProfile(request) => {
            let profile = profile(&request.instance_profile_name)?;
            handlers::instance_profiles::get(asked, profile.permit(trip)?).await
        }
        Request::ListInstanceProfiles(request) => {
            let all = Named::all(trip, "instance-profile", request.path_prefix.as_deref())?;
            handlers::instance_profiles::list(asked, all.permit(trip)?, *request).await
        }
        Request::DeleteInstanceProfile(request) => {
            let profile = profile(&request.instance_profile_name)?;
            handlers::instance_profiles::delete(asked, profile.permit(trip)?).await
        }
        Request::AddRoleToInstanceProfile(request) => {
            let permit = profile(&request.instance_profile_name)?.permit(trip)?;
            let role =
                Named::role(trip, &request.role_name)?.with("iam:PassedToService", Some("ec2.amazonaws.com"));
            handlers::instance_profiles::add_role(asked, permit, role.permit(trip)?).await
        }
        Request::RemoveRoleFromInstanceProfile(request) => {
            let profile = profile(&request.instance_profile_name)?;
            handlers::instance_profiles::remove_role(asked, profile.permit(trip)?, *request).await
        }
        Request::ListInstanceProfilesForRole(request) => {
            let role = Named::role(trip, &request.role_name)?;
            handlers::instance_profiles::list_for_role(asked, role.permit(trip)?, *request).await
        }
    };
    replied.map(reply::whole)
}
