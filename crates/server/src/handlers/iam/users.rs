//! Users: themselves, their boundaries and tags; the account's alias.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_store::iam::Tag;
use moho_store::identities::{NewUser, User};
use moho_terms::Arn;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::{shapes, users as wire};
use moho_wire::{Failure, Reply};

use super::listing::{Wanted, page};
use super::{act, carry_out, from_iam, shown};
use crate::handlers::Asked;

/// A user as replies show it; lists leave out its boundary and tags.
pub(super) fn user(user: User, whole: bool) -> Result<shapes::User, Failure> {
    let arn = user.arn().map_err(|error| from_iam(&error))?;
    let boundary = user.boundary.filter(|_| whole);
    Ok(shapes::User {
        path: Some(user.path),
        user_name: Some(user.name),
        user_id: Some(user.id),
        arn: Some(arn.to_string()),
        create_date: Some(user.created_at),
        permissions_boundary: boundary.map(|arn| shown::boundary(arn.to_string())),
        tags: Some(user.tags)
            .filter(|tags| whole && !tags.is_empty())
            .map(shown::tags),
        ..shapes::User::default()
    })
}

/// `CreateUser`
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<iam::CreateUser>,
    new: NewUser,
) -> Result<Reply, Failure> {
    let created = act(asked, move |platform| {
        let now = platform.clock.now();
        platform.store.create_user(&permit, &new, &*platform.entropy, now)
    })
    .await?;
    wire::CreateUserResponse {
        user: Some(user(created, true)?),
    }
    .reply(Service::Iam, "CreateUser", &asked.request)
}

/// `GetUser`
pub(crate) async fn get(asked: &Asked, permit: Permit<iam::GetUser>) -> Result<Reply, Failure> {
    let found = act(asked, move |platform| platform.store.get_user(&permit)).await?;
    wire::GetUserResponse {
        user: Some(user(found, true)?),
    }
    .reply(Service::Iam, "GetUser", &asked.request)
}

/// `ListUsers`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<iam::ListUsers>,
    list: wire::ListUsers,
) -> Result<Reply, Failure> {
    let prefix = list.path_prefix.unwrap_or_else(|| "/".to_owned());
    let wanted = Wanted::all(list.marker, list.max_items).only(&[&prefix]);
    let page = page(asked, permit, wanted, move |store, permit, page| {
        store.list_users(permit, &prefix, page)
    })
    .await?;
    let users = page.items.into_iter().map(|found| user(found, false));
    wire::ListUsersResponse {
        users: Some(users.collect::<Result<_, _>>()?),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListUsers", &asked.request)
}

/// `UpdateUser`, with leave for the old name and for the new one.
pub(crate) async fn update(
    asked: &Asked,
    permit: Permit<iam::UpdateUser>,
    onto: Permit<iam::UpdateUser>,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.update_user(permit, &onto)
    })
    .await
}

/// `DeleteUser`
pub(crate) async fn delete(asked: &Asked, permit: Permit<iam::DeleteUser>) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| store.delete_user(permit)).await
}

/// `TagUser`
pub(crate) async fn tag(
    asked: &Asked,
    permit: Permit<iam::TagUser>,
    tags: Vec<Tag>,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.tag_identity(permit, &tags)
    })
    .await
}

/// `UntagUser`
pub(crate) async fn untag(
    asked: &Asked,
    permit: Permit<iam::UntagUser>,
    keys: Vec<String>,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.untag_identity(permit, &keys)
    })
    .await
}

/// `ListUserTags`
pub(crate) async fn tags(
    asked: &Asked,
    permit: Permit<iam::ListUserTags>,
    list: wire::ListUserTags,
) -> Result<Reply, Failure> {
    let wanted = Wanted::all(list.marker, list.max_items);
    let page = page(asked, permit, wanted, |store, permit, page| {
        store.identity_tags(permit, page)
    })
    .await?;
    wire::ListUserTagsResponse {
        tags: Some(shown::tags(page.items)),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListUserTags", &asked.request)
}

/// `PutUserPermissionsBoundary`
pub(crate) async fn put_boundary(
    asked: &Asked,
    permit: Permit<iam::PutUserPermissionsBoundary>,
    policy: Arn,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.put_user_boundary(permit, &policy)
    })
    .await
}

/// `DeleteUserPermissionsBoundary`
pub(crate) async fn delete_boundary(
    asked: &Asked,
    permit: Permit<iam::DeleteUserPermissionsBoundary>,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.delete_user_boundary(permit)
    })
    .await
}
