//! Policies of roles: inline and attached.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_iam::policy::PolicyKind;
use moho_store::iam::Page;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::role_policies as ops;
use moho_wire::{Failure, Reply};

use super::{act, document, done, encoded, shown};
use crate::handlers::Asked;
use crate::handlers::paging::{Asking, Listing};

/// `PutRolePolicy`
pub(crate) async fn put(
    asked: &Asked,
    permit: Permit<iam::PutRolePolicy>,
    request: ops::PutRolePolicy,
) -> Result<Reply, Failure> {
    let document = document(PolicyKind::Inline, &request.policy_document, "PolicySize")?;
    act(asked, move |platform| {
        platform
            .store
            .put_role_policy(&permit, &request.policy_name, &document)
    })
    .await?;
    done(asked, "PutRolePolicy")
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
        platform.store.list_role_policies(&permit, Page { after, limit })
    })
    .await?;
    let (is_truncated, marker) = page.next(&asked.platform, listed.last.as_deref())?;
    ops::ListRolePoliciesResponse {
        policy_names: Some(listed.items),
        is_truncated,
        marker,
    }
    .reply(Service::Iam, "ListRolePolicies", &asked.request)
}

/// `DeleteRolePolicy`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<iam::DeleteRolePolicy>,
    request: ops::DeleteRolePolicy,
) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        platform.store.delete_role_policy(&permit, &request.policy_name)
    })
    .await?;
    done(asked, "DeleteRolePolicy")
}

/// `AttachRolePolicy`
pub(crate) async fn attach(
    asked: &Asked,
    permit: Permit<iam::AttachRolePolicy>,
    request: ops::AttachRolePolicy,
) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        platform.store.attach_role_policy(&permit, &request.policy_arn)
    })
    .await?;
    done(asked, "AttachRolePolicy")
}

/// `DetachRolePolicy`
pub(crate) async fn detach(
    asked: &Asked,
    permit: Permit<iam::DetachRolePolicy>,
    request: ops::DetachRolePolicy,
) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        platform.store.detach_role_policy(&permit, &request.policy_arn)
    })
    .await?;
    done(asked, "DetachRolePolicy")
}

/// `ListAttachedRolePolicies`
pub(crate) async fn list_attached(
    asked: &Asked,
    permit: Permit<iam::ListAttachedRolePolicies>,
    request: ops::ListAttachedRolePolicies,
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
        platform.store.list_attached_role_policies(&permit, &wanted, page)
    })
    .await?;
    let (is_truncated, marker) = page.next(&asked.platform, listed.last.as_deref())?;
    ops::ListAttachedRolePoliciesResponse {
        attached_policies: Some(shown::attached(listed.items)),
        is_truncated,
        marker,
    }
    .reply(Service::Iam, "ListAttachedRolePolicies", &asked.request)
}
