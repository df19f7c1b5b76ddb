//! Instance profiles.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_store::iam::{IdKind, InstanceProfile, Listed, Page};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::{instance_profiles as ops, shapes};
use moho_wire::{Failure, Reply};

use super::{act, done, new_id, shown, tagged};
use crate::handlers::Asked;
use crate::handlers::paging::{Asking, Listing};

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
    let filters = [prefix.as_str()];
    let listing = Listing::of_permit(&permit, &filters);
    let page = Asking::of_iam(
        &asked.platform,
        listing,
        request.marker.as_deref(),
        request.max_items,
    )?;
    let (after, limit, wanted) = (page.after.clone(), page.limit, prefix.clone());
    let listed = act(asked, move |platform| {
        let after = after.as_deref();
        let page = Page { after, limit };
        platform.store.list_instance_profiles(&permit, &wanted, page)
    })
    .await?;
    let (is_truncated, marker) = page.next(&asked.platform, listed.last.as_deref())?;
    ops::ListInstanceProfilesResponse {
        instance_profiles: Some(all(listed)?),
        is_truncated,
        marker,
    }
    .reply(Service::Iam, "ListInstanceProfiles", &asked.request)
}

fn all(listed: Listed<InstanceProfile>) -> Result<Vec<shapes::InstanceProfile>, Failure> {
    listed.items.into_iter().map(shown::instance_profile).collect()
}

/// `ListInstanceProfilesForRole`
pub(crate) async fn list_for_role(
    asked: &Asked,
    permit: Permit<iam::ListInstanceProfilesForRole>,
    request: ops::ListInstanceProfilesForRole,
) -> Result<Reply, Failure> {
    let listing = Listing::of_permit(&permit, &[]);
    let page = Asking::of_iam(
        &asked.platform,
        listing,
        request.marker.as_deref(),
        request.max_items,
    )?;
    let (after, limit) = (page.after.clone(), page.limit);
    let listed = act(asked, move |platform| {
        let after = after.as_deref();
        platform
            .store
            .list_instance_profiles_for_role(&permit, Page { after, limit })
    })
    .await?;
    let (is_truncated, marker) = page.next(&asked.platform, listed.last.as_deref())?;
    ops::ListInstanceProfilesForRoleResponse {
        instance_profiles: Some(all(listed)?),
        is_truncated,
        marker,
    }
    .reply(Service::Iam, "ListInstanceProfilesForRole", &asked.request)
}

/// `DeleteInstanceProfile`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<iam::DeleteInstanceProfile>,
) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        platform.store.delete_instance_profile(&permit)
    })
    .await?;
    done(asked, "DeleteInstanceProfile")
}

/// `AddRoleToInstanceProfile`
pub(crate) async fn add_role(
    asked: &Asked,
    permit: Permit<iam::AddRoleToInstanceProfile>,
    pass: Permit<iam::PassRole>,
) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        platform.store.add_role_to_instance_profile(&permit, &pass)
    })
    .await?;
    done(asked, "AddRoleToInstanceProfile")
}

/// `RemoveRoleFromInstanceProfile`
pub(crate) async fn remove_role(
    asked: &Asked,
    permit: Permit<iam::RemoveRoleFromInstanceProfile>,
    request: ops::RemoveRoleFromInstanceProfile,
) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        platform
            .store
            .remove_role_from_instance_profile(&permit, &request.role_name)
    })
    .await?;
    done(asked, "RemoveRoleFromInstanceProfile")
}
