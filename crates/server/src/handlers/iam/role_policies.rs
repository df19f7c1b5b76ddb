//! Policies of roles: inline and attached.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_iam::policy::PolicyKind;
use moho_store::iam::EntityKind;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::role_policies as ops;
use moho_wire::{Failure, Reply};

use super::access_keys::named;
use super::listing::{Wanted, page};
use super::{act, carry_out, encoded, inline, shown};
use crate::handlers::Asked;

/// `PutRolePolicy`
pub(crate) async fn put(
    asked: &Asked,
    permit: Permit<iam::PutRolePolicy>,
    request: ops::PutRolePolicy,
) -> Result<Reply, Failure> {
    let document = inline(
        (PolicyKind::Inline, EntityKind::Role),
        &named(&permit),
        &request.policy_document,
    )?;
    carry_out(asked, permit, move |store, permit| {
        store.put_role_policy(permit, &request.policy_name, &document)
    })
    .await
}

/// `GetRolePolicy`
pub(crate) async fn get(
    asked: &Asked,
    permit: Permit<iam::GetRolePolicy>,
    request: ops::GetRolePolicy,
) -> Result<Reply, Failure> {
    let name = request.policy_name.clone();
    let document = act(asked, move |platform| {
        platform.store.get_role_policy(&permit, &name)
    })
    .await?;
    ops::GetRolePolicyResponse {
        role_name: Some(request.role_name),
        policy_name: Some(request.policy_name),
        policy_document: Some(encoded(&document)),
    }
    .reply(Service::Iam, "GetRolePolicy", &asked.request)
}

/// `ListRolePolicies`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<iam::ListRolePolicies>,
    request: ops::ListRolePolicies,
) -> Result<Reply, Failure> {
    let wanted = Wanted::all(request.marker, request.max_items);
    let page = page(asked, permit, wanted, |store, permit, page| {
        store.list_role_policies(permit, page)
    })
    .await?;
    ops::ListRolePoliciesResponse {
        policy_names: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListRolePolicies", &asked.request)
}

/// `DeleteRolePolicy`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<iam::DeleteRolePolicy>,
    request: ops::DeleteRolePolicy,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.delete_role_policy(permit, &request.policy_name)
    })
    .await
}

/// `AttachRolePolicy`
pub(crate) async fn attach(
    asked: &Asked,
    permit: Permit<iam::AttachRolePolicy>,
    request: ops::AttachRolePolicy,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.attach_role_policy(permit, &request.policy_arn)
    })
    .await
}

/// `DetachRolePolicy`
pub(crate) async fn detach(
    asked: &Asked,
    permit: Permit<iam::DetachRolePolicy>,
    request: ops::DetachRolePolicy,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.detach_role_policy(permit, &request.policy_arn)
    })
    .await
}

/// `ListAttachedRolePolicies`
pub(crate) async fn list_attached(
    asked: &Asked,
    permit: Permit<iam::ListAttachedRolePolicies>,
    request: ops::ListAttachedRolePolicies,
) -> Result<Reply, Failure> {
    let prefix = request.path_prefix.unwrap_or_default();
    let wanted = Wanted::all(request.marker, request.max_items).only(&[&prefix]);
    let page = page(asked, permit, wanted, move |store, permit, page| {
        store.list_attached_role_policies(permit, &prefix, page)
    })
    .await?;
    ops::ListAttachedRolePoliciesResponse {
        attached_policies: Some(shown::attached(page.items)),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListAttachedRolePolicies", &asked.request)
}
