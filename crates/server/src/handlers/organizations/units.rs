//! Roots and organisational units, and who is in which.

use moho_iam::action::organizations as action;
use moho_iam::authz::Permit;
use moho_store::organizations::{NodeKind, OrganisationError};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::organizations::{organization as ops, shapes};
use moho_wire::{Failure, Reply};

use super::{Asked, Asking, act, done, named, organisation, page, parent, shown, tags};

/// `ListRoots`
pub(crate) async fn roots(
    asked: &Asked,
    permit: Permit<action::ListRoots>,
    request: ops::ListRoots,
) -> Result<Reply, Failure> {
    let (whole, permit) = organisation(asked, permit).await?;
    let asking = Asking::all(request.next_token, request.max_results);
    let all = std::iter::once((whole.names().root.to_string(), shown::root(&whole)));
    let (roots, next_token) = page(asked, &permit, &asking, all)?;
    let reply = ops::ListRootsResponse {
        roots: Some(roots),
        next_token,
    };
    reply.reply(Service::Organizations, "ListRoots", &asked.request)
}

/// `CreateOrganizationalUnit`
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<action::CreateOrganizationalUnit>,
    request: ops::CreateOrganizationalUnit,
) -> Result<Reply, Failure> {
    let tags = tags::of(request.tags)?;
    let (whole, id) = act(asked, move |platform| {
        let (entropy, now) = (&*platform.entropy, platform.clock.now());
        let new = (request.name.as_str(), &tags);
        let id = platform.store.create_unit(&permit, new, entropy, now)?;
        Ok((platform.store.organisation(&permit)?, id))
    })
    .await?;
    let reply = ops::CreateOrganizationalUnitResponse {
        organizational_unit: Some(shown::unit(&whole, &id)?),
    };
    reply.reply(Service::Organizations, "CreateOrganizationalUnit", &asked.request)
}

/// `DescribeOrganizationalUnit`
pub(crate) async fn describe(
    asked: &Asked,
    permit: Permit<action::DescribeOrganizationalUnit>,
) -> Result<Reply, Failure> {
    let (whole, permit) = organisation(asked, permit).await?;
    let reply = ops::DescribeOrganizationalUnitResponse {
        organizational_unit: Some(shown::unit(&whole, &named(&permit)?)?),
    };
    reply.reply(
        Service::Organizations,
        "DescribeOrganizationalUnit",
        &asked.request,
    )
}

/// `UpdateOrganizationalUnit`
pub(crate) async fn rename(
    asked: &Asked,
    permit: Permit<action::UpdateOrganizationalUnit>,
    request: ops::UpdateOrganizationalUnit,
) -> Result<Reply, Failure> {
    let (whole, id) = act(asked, move |platform| {
        let id = platform.store.rename_unit(&permit, request.name.as_deref())?;
        Ok((platform.store.organisation(&permit)?, id))
    })
    .await?;
    let reply = ops::UpdateOrganizationalUnitResponse {
        organizational_unit: Some(shown::unit(&whole, &id)?),
    };
    reply.reply(Service::Organizations, "UpdateOrganizationalUnit", &asked.request)
}

/// `DeleteOrganizationalUnit`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<action::DeleteOrganizationalUnit>,
) -> Result<Reply, Failure> {
    act(asked, move |platform| platform.store.delete_unit(&permit)).await?;
    done(asked, "DeleteOrganizationalUnit")
}

/// `ListOrganizationalUnitsForParent`
pub(crate) async fn list_in(
    asked: &Asked,
    permit: Permit<action::ListOrganizationalUnitsForParent>,
    request: ops::ListOrganizationalUnitsForParent,
) -> Result<Reply, Failure> {
    let (whole, permit) = organisation(asked, permit).await?;
    let parent = parent(&whole, &permit)?;
    let asking = Asking::all(request.next_token, request.max_results);
    let all = whole.units_of(&parent).map(|(id, _)| (id.to_string(), id));
    let (units, next_token) = page(asked, &permit, &asking, all)?;
    let units: Result<Vec<_>, Failure> = units.into_iter().map(|id| shown::unit(&whole, id)).collect();
    let reply = ops::ListOrganizationalUnitsForParentResponse {
        organizational_units: Some(units?),
        next_token,
    };
    reply.reply(
        Service::Organizations,
        "ListOrganizationalUnitsForParent",
        &asked.request,
    )
}

/// `ListParents`
pub(crate) async fn parents(
    asked: &Asked,
    permit: Permit<action::ListParents>,
    request: ops::ListParents,
) -> Result<Reply, Failure> {
    let (whole, permit) = organisation(asked, permit).await?;
    let child = named(&permit)?;
    let parent = whole
        .parent(&child)
        .ok_or_else(|| shown::from_organisation(&OrganisationError::ChildNotFound))?;
    let asking = Asking::all(request.next_token, request.max_results);
    let shown = shapes::Parent {
        id: Some(parent.to_string()),
        kind: Some(parent.kind().as_str().to_owned()),
    };
    let all = std::iter::once((parent.to_string(), shown));
    let (parents, next_token) = page(asked, &permit, &asking, all)?;
    let reply = ops::ListParentsResponse {
        parents: Some(parents),
        next_token,
    };
    reply.reply(Service::Organizations, "ListParents", &asked.request)
}

/// `ListChildren`
pub(crate) async fn children(
    asked: &Asked,
    permit: Permit<action::ListChildren>,
    request: ops::ListChildren,
) -> Result<Reply, Failure> {
    let (whole, permit) = organisation(asked, permit).await?;
    let parent = parent(&whole, &permit)?;
    let kind = if request.child_type == NodeKind::Account.as_str() {
        NodeKind::Account
    } else {
        NodeKind::Unit
    };
    let ids: Vec<String> = match kind {
        NodeKind::Account => whole
            .accounts_of(&parent)
            .map(|account| account.id.to_string())
            .collect(),
        NodeKind::Unit | NodeKind::Root => whole.units_of(&parent).map(|(id, _)| id.to_string()).collect(),
    };
    let asking = Asking {
        filter: kind.as_str(),
        token: request.next_token,
        most: request.max_results,
    };
    let all = ids.into_iter().map(|id| {
        let child = shapes::Child {
            id: Some(id.clone()),
            kind: Some(kind.as_str().to_owned()),
        };
        (id, child)
    });
    let (children, next_token) = page(asked, &permit, &asking, all)?;
    let reply = ops::ListChildrenResponse {
        children: Some(children),
        next_token,
    };
    reply.reply(Service::Organizations, "ListChildren", &asked.request)
}
