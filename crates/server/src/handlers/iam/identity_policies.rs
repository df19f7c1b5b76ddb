//! Policies of users and groups, inline and attached: what both have in common.

use moho_iam::authz::Permit;
use moho_iam::policy::PolicyKind;
use moho_store::identities::{
    Attaches, DeletesPolicy, Detaches, GetsPolicy, ListsAttached, ListsPolicies, PutsPolicy,
};
use moho_wire::aws::ops::iam::shapes;
use moho_wire::{Failure, Reply};

use super::access_keys::named;
use super::listing::{Answered, Wanted, page};
use super::{act, carry_out, encoded, inline, shown};
use crate::handlers::Asked;

/// `PutUserPolicy`, `PutGroupPolicy`
pub(crate) async fn put<A: PutsPolicy>(
    asked: &Asked,
    permit: Permit<A>,
    name: String,
    text: &str,
) -> Result<Reply, Failure> {
    let document = inline((PolicyKind::Identity, A::KIND), &named(&permit), text)?;
    carry_out(asked, permit, move |store, permit| {
        store.put_identity_policy(permit, &name, &document)
    })
    .await
}

/// The document of `GetUserPolicy` and `GetGroupPolicy`, as replies have it.
pub(crate) async fn get<A: GetsPolicy>(
    asked: &Asked,
    permit: Permit<A>,
    name: String,
) -> Result<String, Failure> {
    let document = act(asked, move |platform| {
        platform.store.identity_policy(&permit, &name)
    });
    Ok(encoded(&document.await?))
}

/// The page of `ListUserPolicies` and `ListGroupPolicies`.
pub(crate) async fn list<A: ListsPolicies>(
    asked: &Asked,
    permit: Permit<A>,
    (marker, most): (Option<String>, Option<i64>),
) -> Result<Answered<String>, Failure> {
    let wanted = Wanted::all(marker, most);
    page(asked, permit, wanted, |store, permit, page| {
        store.identity_policies(permit, page)
    })
    .await
}

/// `DeleteUserPolicy`, `DeleteGroupPolicy`
pub(crate) async fn delete<A: DeletesPolicy>(
    asked: &Asked,
    permit: Permit<A>,
    name: String,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.delete_identity_policy(permit, &name)
    })
    .await
}

/// `AttachUserPolicy`, `AttachGroupPolicy`
pub(crate) async fn attach<A: Attaches>(
    asked: &Asked,
    permit: Permit<A>,
    policy: String,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.attach_identity_policy(permit, &policy)
    })
    .await
}

/// `DetachUserPolicy`, `DetachGroupPolicy`
pub(crate) async fn detach<A: Detaches>(
    asked: &Asked,
    permit: Permit<A>,
    policy: String,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.detach_identity_policy(permit, &policy)
    })
    .await
}

/// The page of `ListAttachedUserPolicies` and `ListAttachedGroupPolicies`.
pub(crate) async fn attached<A: ListsAttached>(
    asked: &Asked,
    permit: Permit<A>,
    (prefix, marker, most): (Option<String>, Option<String>, Option<i64>),
) -> Result<Answered<shapes::AttachedPolicy>, Failure> {
    let prefix = prefix.unwrap_or_else(|| "/".to_owned());
    let wanted = Wanted::all(marker, most).only(&[&prefix]);
    let page = page(asked, permit, wanted, move |store, permit, page| {
        store.attached_identity_policies(permit, &prefix, page)
    })
    .await?;
    Ok(Answered {
        items: shown::attached(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}
