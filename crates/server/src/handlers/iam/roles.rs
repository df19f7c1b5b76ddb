//! Roles: themselves, their trust, boundaries and tags; roles of services.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_iam::managed::{LinkedService, linked_service};
use moho_iam::policy::PolicyKind;
use moho_store::iam::{ChangesRole, IamCode, IdKind, NewRole, RoleChange};
use moho_terms::RequestId;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::roles as ops;
use moho_wire::{Failure, Reply};

use super::listing::{Wanted, page};
use super::{act, carry_out, document, new_id, refusal, shown, tagged};
use crate::handlers::Asked;

/// The quota of a trust policy's bytes, as AWS calls it.
const TRUST: &str = "ACLSizePerRole";
/// Seconds of a session, unless a role says more.
const SESSION: u32 = 3600;

/// `CreateRole`
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<iam::CreateRole>,
    request: ops::CreateRole,
) -> Result<Reply, Failure> {
    let new = NewRole {
        id: new_id(asked, IdKind::Role)?,
        trust: document(PolicyKind::Trust, &request.assume_role_policy_document, TRUST)?,
        description: request.description,
        max_session_seconds: seconds(request.max_session_duration).unwrap_or(SESSION),
        boundary: request.permissions_boundary,
        tags: tagged::pairs(request.tags),
    };
    let made = act(asked, move |platform| {
        platform.store.create_role(&permit, &new, platform.clock.now())
    })
    .await?;
    ops::CreateRoleResponse {
        role: Some(shown::role(made.role, Some(made.tags))?),
    }
    .reply(Service::Iam, "CreateRole", &asked.request)
}

/// The model bounds it: 3600 to 43200.
fn seconds(asked: Option<i64>) -> Option<u32> {
    asked.and_then(|seconds| u32::try_from(seconds).ok())
}

/// `GetRole`
pub(crate) async fn get(asked: &Asked, permit: Permit<iam::GetRole>) -> Result<Reply, Failure> {
    let (found, uses) = act(asked, move |platform| {
        let found = platform.store.get_role(&permit)?;
        let whose = format!("role/{}", found.role.name);
        let uses = platform.last_use.of(&permit, &whose, found.role.created_at)?;
        Ok((found, uses))
    })
    .await?;
    let mut role = shown::role(found.role, Some(found.tags))?;
    role.role_last_used = Some(shown::last_used(uses));
    ops::GetRoleResponse { role: Some(role) }.reply(Service::Iam, "GetRole", &asked.request)
}

/// `ListRoles`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<iam::ListRoles>,
    request: ops::ListRoles,
) -> Result<Reply, Failure> {
    let prefix = request.path_prefix.unwrap_or_default();
    let wanted = Wanted::all(request.marker, request.max_items).only(&[&prefix]);
    let page = page(asked, permit, wanted, move |store, permit, page| {
        store.list_roles(permit, &prefix, page)
    })
    .await?;
    let roles = page.items.into_iter().map(|role| shown::role(role, None));
    ops::ListRolesResponse {
        roles: Some(roles.collect::<Result<_, _>>()?),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListRoles", &asked.request)
}

/// `UpdateRole`
pub(crate) async fn update(
    asked: &Asked,
    permit: Permit<iam::UpdateRole>,
    request: ops::UpdateRole,
) -> Result<Reply, Failure> {
    let change = RoleChange {
        description: request.description,
        max_session_seconds: seconds(request.max_session_duration),
    };
    changed(asked, permit, change).await?;
    ops::UpdateRoleResponse {}.reply(Service::Iam, "UpdateRole", &asked.request)
}

/// `UpdateRoleDescription`
pub(crate) async fn describe(
    asked: &Asked,
    permit: Permit<iam::UpdateRoleDescription>,
    request: ops::UpdateRoleDescription,
) -> Result<Reply, Failure> {
    let change = RoleChange {
        description: Some(request.description),
        max_session_seconds: None,
    };
    let role = changed(asked, permit, change).await?;
    ops::UpdateRoleDescriptionResponse {
        role: Some(shown::role(role, None)?),
    }
    .reply(Service::Iam, "UpdateRoleDescription", &asked.request)
}

async fn changed<A: ChangesRole>(
    asked: &Asked,
    permit: Permit<A>,
    change: RoleChange,
) -> Result<moho_store::iam::Role, Failure> {
    act(asked, move |platform| {
        platform.store.update_role(&permit, &change)
    })
    .await
}

/// `UpdateAssumeRolePolicy`
pub(crate) async fn trust(
    asked: &Asked,
    permit: Permit<iam::UpdateAssumeRolePolicy>,
    request: ops::UpdateAssumeRolePolicy,
) -> Result<Reply, Failure> {
    let trust = document(PolicyKind::Trust, &request.policy_document, TRUST)?;
    carry_out(asked, permit, move |store, permit| {
        store.update_assume_role_policy(permit, &trust)
    })
    .await
}

/// `DeleteRole`
pub(crate) async fn delete(asked: &Asked, permit: Permit<iam::DeleteRole>) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| store.delete_role(permit)).await
}

/// `PutRolePermissionsBoundary`
pub(crate) async fn bound(
    asked: &Asked,
    permit: Permit<iam::PutRolePermissionsBoundary>,
    request: ops::PutRolePermissionsBoundary,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.put_role_boundary(permit, &request.permissions_boundary)
    })
    .await
}

/// `DeleteRolePermissionsBoundary`
pub(crate) async fn unbound(
    asked: &Asked,
    permit: Permit<iam::DeleteRolePermissionsBoundary>,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.delete_role_boundary(permit)
    })
    .await
}

/// `TagRole`
pub(crate) async fn tag(
    asked: &Asked,
    permit: Permit<iam::TagRole>,
    request: ops::TagRole,
) -> Result<Reply, Failure> {
    let tags = tagged::pairs(Some(request.tags));
    carry_out(asked, permit, move |store, permit| store.tag_role(permit, &tags)).await
}

/// `UntagRole`
pub(crate) async fn untag(
    asked: &Asked,
    permit: Permit<iam::UntagRole>,
    request: ops::UntagRole,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.untag_role(permit, &request.tag_keys)
    })
    .await
}

/// `ListRoleTags`
pub(crate) async fn list_tags(
    asked: &Asked,
    permit: Permit<iam::ListRoleTags>,
    request: ops::ListRoleTags,
) -> Result<Reply, Failure> {
    let wanted = Wanted::all(request.marker, request.max_items);
    let page = page(asked, permit, wanted, |store, permit, page| {
        store.list_role_tags(permit, page)
    })
    .await?;
    ops::ListRoleTagsResponse {
        tags: Some(shown::tags(page.items)),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListRoleTags", &asked.request)
}

/// The service that a service-linked role is asked for.
pub(crate) fn service(request: &ops::CreateServiceLinkedRole) -> Result<LinkedService, Failure> {
    let name = &request.aws_service_name;
    let service = linked_service(name).ok_or_else(|| {
        let message =
            format!("Service principal {name} is not valid: no service of this name has a linked role.");
        refusal(IamCode::InvalidInput, message)
    })?;
    if request.custom_suffix.is_some() {
        return Err(refusal(
            IamCode::InvalidInput,
            "Custom suffix is not allowed for this service.",
        ));
    }
    Ok(service)
}

/// `CreateServiceLinkedRole`
pub(crate) async fn create_linked(
    asked: &Asked,
    permit: Permit<iam::CreateServiceLinkedRole>,
    service: LinkedService,
    request: ops::CreateServiceLinkedRole,
) -> Result<Reply, Failure> {
    let id = new_id(asked, IdKind::Role)?;
    let made = act(asked, move |platform| {
        let now = platform.clock.now();
        platform
            .store
            .create_service_linked_role(&permit, &service, (id, request.description), now)
    })
    .await?;
    ops::CreateServiceLinkedRoleResponse {
        role: Some(shown::role(made.role, Some(made.tags))?),
    }
    .reply(Service::Iam, "CreateServiceLinkedRole", &asked.request)
}

/// `DeleteServiceLinkedRole`: nothing that moho does in an account outlasts its role, so it is done at once.
pub(crate) async fn delete_linked(
    asked: &Asked,
    permit: Permit<iam::DeleteServiceLinkedRole>,
) -> Result<Reply, Failure> {
    let unique = RequestId::random(&*asked.platform.entropy).map_err(|_none| Failure::Unavailable)?;
    let task = format!(
        "task/{}/{unique}",
        permit.resource().resource().trim_start_matches("role/")
    );
    let deleted = task.clone();
    act(asked, move |platform| {
        let now = platform.clock.now();
        platform.store.delete_service_linked_role(&permit, &deleted, now)
    })
    .await?;
    ops::DeleteServiceLinkedRoleResponse {
        deletion_task_id: Some(task),
    }
    .reply(Service::Iam, "DeleteServiceLinkedRole", &asked.request)
}

/// `GetServiceLinkedRoleDeletionStatus`
pub(crate) async fn deletion(
    asked: &Asked,
    permit: Permit<iam::GetServiceLinkedRoleDeletionStatus>,
    request: ops::GetServiceLinkedRoleDeletionStatus,
) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        platform
            .store
            .service_linked_role_deleted(&permit, &request.deletion_task_id)
    })
    .await?;
    ops::GetServiceLinkedRoleDeletionStatusResponse {
        status: Some("SUCCEEDED".to_owned()),
        reason: None,
    }
    .reply(Service::Iam, "GetServiceLinkedRoleDeletionStatus", &asked.request)
}
