//! Groups, and who is in them.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_store::iam::Listed;
use moho_store::identities::Group;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::{groups as wire, shapes};
use moho_wire::{Failure, Reply};

use super::listing::{Wanted, page};
use super::{act, carry_out, from_iam, users};
use crate::handlers::Asked;

fn group(group: Group) -> Result<shapes::Group, Failure> {
    let arn = group.arn().map_err(|error| from_iam(&error))?;
    Ok(shapes::Group {
        path: Some(group.path),
        group_name: Some(group.name),
        group_id: Some(group.id),
        arn: Some(arn.to_string()),
        create_date: Some(group.created_at),
    })
}

fn all(groups: Vec<Group>) -> Result<Vec<shapes::Group>, Failure> {
    groups.into_iter().map(group).collect()
}

/// `CreateGroup`
pub(crate) async fn create(asked: &Asked, permit: Permit<iam::CreateGroup>) -> Result<Reply, Failure> {
    let created = act(asked, move |platform| {
        let now = platform.clock.now();
        platform.store.create_group(&permit, &*platform.entropy, now)
    })
    .await?;
    wire::CreateGroupResponse {
        group: Some(group(created)?),
    }
    .reply(Service::Iam, "CreateGroup", &asked.request)
}

/// `GetGroup`: the group, and a page of its members.
pub(crate) async fn get(
    asked: &Asked,
    permit: Permit<iam::GetGroup>,
    get: wire::GetGroup,
) -> Result<Reply, Failure> {
    let wanted = Wanted::all(get.marker, get.max_items);
    let page = page(asked, permit, wanted, |store, permit, page| {
        let (group, members) = store.get_group(permit, page)?;
        Ok(Listed {
            items: vec![(group, members.items)],
            last: members.last,
        })
    })
    .await?;
    let (found, members) = page.items.into_iter().next().ok_or(Failure::Internal)?;
    let users = members.into_iter().map(|member| users::user(member, false));
    wire::GetGroupResponse {
        group: Some(group(found)?),
        users: Some(users.collect::<Result<_, _>>()?),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "GetGroup", &asked.request)
}

/// `ListGroups`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<iam::ListGroups>,
    list: wire::ListGroups,
) -> Result<Reply, Failure> {
    let prefix = list.path_prefix.unwrap_or_else(|| "/".to_owned());
    let wanted = Wanted::all(list.marker, list.max_items).only(&[&prefix]);
    let page = page(asked, permit, wanted, move |store, permit, page| {
        store.list_groups(permit, &prefix, page)
    })
    .await?;
    wire::ListGroupsResponse {
        groups: Some(all(page.items)?),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListGroups", &asked.request)
}

/// `DeleteGroup`
pub(crate) async fn delete(asked: &Asked, permit: Permit<iam::DeleteGroup>) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| store.delete_group(permit)).await
}

/// `AddUserToGroup`
pub(crate) async fn add(
    asked: &Asked,
    permit: Permit<iam::AddUserToGroup>,
    user: String,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.add_to_group(permit, &user)
    })
    .await
}

/// `RemoveUserFromGroup`
pub(crate) async fn remove(
    asked: &Asked,
    permit: Permit<iam::RemoveUserFromGroup>,
    user: String,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.remove_from_group(permit, &user)
    })
    .await
}

/// `ListGroupsForUser`
pub(crate) async fn of_user(
    asked: &Asked,
    permit: Permit<iam::ListGroupsForUser>,
    list: wire::ListGroupsForUser,
) -> Result<Reply, Failure> {
    let wanted = Wanted::all(list.marker, list.max_items);
    let page = page(asked, permit, wanted, |store, permit, page| {
        store.groups_of_user(permit, page)
    })
    .await?;
    wire::ListGroupsForUserResponse {
        groups: Some(all(page.items)?),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListGroupsForUser", &asked.request)
}
