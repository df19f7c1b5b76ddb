//! Instance profiles.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_store::iam::{IdKind, InstanceProfile};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::{instance_profiles as ops, shapes};
use moho_wire::{Failure, Reply};

use super::listing::{Wanted, page};
use super::{act, carry_out, new_id, shown, tagged};
use crate::handlers::Asked;

/// `CreateInstanceProfile`
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<iam::CreateInstanceProfile>,
    request: ops::CreateInstanceProfile,
) -> Result<Reply, Failure> {
    let (id, tags) = (
        new_id(asked, IdKind::InstanceProfile)?,
        tagged::pairs(request.tags),
    );
    let made = act(asked, move |platform| {
        let now = platform.clock.now();
        platform.store.create_instance_profile(&permit, &id, &tags, now)
    })
    .await?;
    ops::CreateInstanceProfileResponse {
        instance_profile: Some(shown::instance_profile(made)?),
    }
    .reply(Service::Iam, "CreateInstanceProfile", &asked.request)
}

/// `GetInstanceProfile`
pub(crate) async fn get(asked: &Asked, permit: Permit<iam::GetInstanceProfile>) -> Result<Reply, Failure> {
    let found = act(asked, move |platform| {
        platform.store.get_instance_profile(&permit)
    })
    .await?;
    ops::GetInstanceProfileResponse {
        instance_profile: Some(shown::instance_profile(found)?),
    }
    .reply(Service::Iam, "GetInstanceProfile", &asked.request)
}

/// `ListInstanceProfiles`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<iam::ListInstanceProfiles>,
    request: ops::ListInstanceProfiles,
) -> Result<Reply, Failure> {
    let prefix = request.path_prefix.unwrap_or_default();
    let wanted = Wanted::all(request.marker, request.max_items).only(&[&prefix]);
    let page = page(asked, permit, wanted, move |store, permit, page| {
        store.list_instance_profiles(permit, &prefix, page)
    })
    .await?;
    ops::ListInstanceProfilesResponse {
        instance_profiles: Some(all(page.items)?),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListInstanceProfiles", &asked.request)
}

fn all(profiles: Vec<InstanceProfile>) -> Result<Vec<shapes::InstanceProfile>, Failure> {
    profiles.into_iter().map(shown::instance_profile).collect()
}

/// `ListInstanceProfilesForRole`
pub(crate) async fn list_for_role(
    asked: &Asked,
    permit: Permit<iam::ListInstanceProfilesForRole>,
    request: ops::ListInstanceProfilesForRole,
) -> Result<Reply, Failure> {
    let wanted = Wanted::all(request.marker, request.max_items);
    let page = page(asked, permit, wanted, |store, permit, page| {
        store.list_instance_profiles_for_role(permit, page)
    })
    .await?;
    ops::ListInstanceProfilesForRoleResponse {
        instance_profiles: Some(all(page.items)?),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListInstanceProfilesForRole", &asked.request)
}

/// `DeleteInstanceProfile`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<iam::DeleteInstanceProfile>,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.delete_instance_profile(permit)
    })
    .await
}

/// `AddRoleToInstanceProfile`
pub(crate) async fn add_role(
    asked: &Asked,
    permit: Permit<iam::AddRoleToInstanceProfile>,
    pass: Permit<iam::PassRole>,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.add_role_to_instance_profile(permit, &pass)
    })
    .await
}

/// `RemoveRoleFromInstanceProfile`
pub(crate) async fn remove_role(
    asked: &Asked,
    permit: Permit<iam::RemoveRoleFromInstanceProfile>,
    request: ops::RemoveRoleFromInstanceProfile,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.remove_role_from_instance_profile(permit, &request.role_name)
    })
    .await
}
