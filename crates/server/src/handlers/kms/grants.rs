//! Grants, made, listed and ended.

use std::collections::BTreeSet;

use moho_iam::action::{Action, kms as action};
use moho_iam::authz::{Grant, GrantConstraint, GrantOperation, Permit};
use moho_kms::check_grant;
use moho_store::keys::{GrantFilter, NewGrant};
use moho_terms::Arn;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::kms::grants as ops;
use moho_wire::aws::ops::kms::shapes::{GrantConstraints, GrantListEntry};
use moho_wire::{Failure, Reply};

use super::{Asked, Wanted, act, asking, page, shown, unless_tried};
use crate::road::{from_key_store, from_kms, from_store};
use crate::startup::Platform;

/// Bytes of a grant's id.
const ID: usize = 32;

/// What a request wants to grant.
struct Granting {
    grantee: Arn,
    retiring: Option<Arn>,
    operations: BTreeSet<GrantOperation>,
    constraint: Option<GrantConstraint>,
    name: Option<String>,
}

impl Granting {
    fn of(request: ops::CreateGrant) -> Result<Self, Failure> {
        let grantee = request
            .grantee_principal
            .as_deref()
            .ok_or_else(|| shown::missing("granteePrincipal"))?;
        let operations = request.operations.iter().map(|name| name.parse());
        let operations: BTreeSet<GrantOperation> = operations
            .collect::<Result<_, _>>()
            .map_err(|_never| Failure::Internal)?;
        Ok(Self {
            grantee: principal(grantee)?,
            retiring: request.retiring_principal.as_deref().map(principal).transpose()?,
            operations,
            constraint: constraint(request.constraints)?,
            name: request.name,
        })
    }
}

/// Whom a grant is to.
fn principal(text: &str) -> Result<Arn, Failure> {
    let invalid = || Failure::Service {
        code: "InvalidArnException",
        message: "ARN does not refer to a valid principal".to_owned(),
        status: 400,
    };
    let arn: Arn = text.parse().map_err(|_not_one| invalid())?;
    let kind = arn.resource().split('/').next().unwrap_or_default();
    match (arn.service(), kind) {
        ("iam", "role" | "user" | "root") | ("sts", "assumed-role" | "federated-user") => Ok(arn),
        _ => Err(invalid()),
    }
}

fn constraint(constraints: Option<GrantConstraints>) -> Result<Option<GrantConstraint>, Failure> {
    let Some(constraints) = constraints else {
        return Ok(None);
    };
    match (
        constraints.encryption_context_equals,
        constraints.encryption_context_subset,
    ) {
        (Some(pairs), None) => Ok(Some(GrantConstraint::Equals(pairs))),
        (None, Some(pairs)) => Ok(Some(GrantConstraint::Subset(pairs))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(shown::invalid(
            "A grant has either EncryptionContextEquals or EncryptionContextSubset.",
        )),
    }
}

/// `CreateGrant`
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<action::CreateGrant>,
    request: ops::CreateGrant,
) -> Result<Reply, Failure> {
    let dry_run = request.dry_run == Some(true);
    let granting = Granting::of(request)?;
    let (id, token) = act(asked, move |platform| {
        let key = platform.kms.key(&permit).map_err(|error| from_kms(&error))?;
        check_grant(&key, &granting.operations, granting.constraint.as_ref())
            .map_err(|error| from_kms(&error))?;
        within_its_own(&permit, &granting)?;
        if dry_run {
            return Err(shown::dry_run());
        }
        made(platform, &permit, granting)
    })
    .await?;
    let reply = ops::CreateGrantResponse {
        grant_token: Some(token),
        grant_id: Some(id),
    };
    reply.reply(Service::Kms, "CreateGrant", &asked.request)
}

/// Who may make grants only by a grant hands on no more than that gives.
fn within_its_own(permit: &Permit<action::CreateGrant>, granting: &Granting) -> Result<(), Failure> {
    let own = permit.grants();
    let (operations, constraint) = (&granting.operations, granting.constraint.as_ref());
    if own.is_empty() || own.iter().any(|grant| grant.covers(operations, constraint)) {
        return Ok(());
    }
    Err(Failure::AccessDenied(format!(
        "User: {} is not authorized to perform: kms:CreateGrant on resource: {} because its own grant does not allow all \
         of these operations under this constraint",
        permit.session().principal_arn(),
        permit.resource()
    )))
}

/// The id and token of a new grant, or of the one of this name that is there already.
fn made(
    platform: &Platform,
    permit: &Permit<action::CreateGrant>,
    granting: Granting,
) -> Result<(String, String), Failure> {
    let mut bytes = [0; ID];
    platform
        .entropy
        .fill(&mut bytes)
        .map_err(|_none| Failure::Unavailable)?;
    let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let new = NewGrant {
        id,
        grantee: granting.grantee,
        retiring: granting.retiring,
        operations: granting.operations,
        constraint: granting.constraint,
        name: granting.name,
    };
    let now = platform.clock.now();
    let made = platform.store.create_grant(permit, &new, now);
    let id = made.map_err(|error| from_key_store(&error))?;
    let token = platform.grant_tokens.make(permit.resource(), &id);
    Ok((id, token))
}

/// `ListGrants`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<action::ListGrants>,
    request: ops::ListGrants,
) -> Result<Reply, Failure> {
    let id = request.grant_id.as_deref().unwrap_or_default();
    let grantee = request.grantee_principal.as_deref().unwrap_or_default();
    let wanted = Wanted {
        filters: &[id, grantee],
        marker: request.marker.as_deref(),
        limit: request.limit,
        sizes: (50, 100),
    };
    let asking = asking(asked, &permit, &wanted)?;
    let filter = GrantFilter {
        id: request.grant_id,
        grantee: request.grantee_principal.as_deref().map(principal).transpose()?,
    };
    let (after, most) = (asking.after.clone(), asking.limit.saturating_add(1));
    let grants = act(asked, move |platform| {
        platform.kms.key(&permit).map_err(|error| from_kms(&error))?;
        let found = platform.store.grants(&permit, &filter, after.as_deref(), most);
        found.map_err(|error| from_key_store(&error))
    })
    .await?;
    let all = grants.iter().map(|grant| (grant.id.clone(), entry(grant)));
    let page = page(asked, &asking, all)?;
    let reply = ops::ListGrantsResponse {
        grants: Some(page.items),
        next_marker: page.next_marker,
        truncated: page.truncated,
    };
    reply.reply(Service::Kms, "ListGrants", &asked.request)
}

/// `ListRetirableGrants`
pub(crate) async fn list_retirable(
    asked: &Asked,
    permit: Permit<action::ListRetirableGrants>,
    request: ops::ListRetirableGrants,
) -> Result<Reply, Failure> {
    let retiring = request
        .retiring_principal
        .as_deref()
        .ok_or_else(|| shown::missing("retiringPrincipal"))?;
    let retiring = principal(retiring)?;
    if retiring.account() != permit.session().account().as_str() {
        return Err(shown::invalid(
            "The retiring principal must be one of the caller's own account.",
        ));
    }
    let wanted = Wanted {
        filters: &[retiring.as_str()],
        marker: request.marker.as_deref(),
        limit: request.limit,
        sizes: (50, 100),
    };
    let asking = asking(asked, &permit, &wanted)?;
    let (after, most) = (asking.after.clone(), asking.limit.saturating_add(1));
    let grants = act(asked, move |platform| {
        let found = platform
            .store
            .retirable_grants(&permit, &retiring, after.as_deref(), most);
        found.map_err(|error| from_key_store(&error))
    })
    .await?;
    let all = grants.iter().map(|grant| (grant.id.clone(), entry(grant)));
    let page = page(asked, &asking, all)?;
    let reply = ops::ListGrantsResponse {
        grants: Some(page.items),
        next_marker: page.next_marker,
        truncated: page.truncated,
    };
    reply.reply(Service::Kms, "ListRetirableGrants", &asked.request)
}

fn entry(grant: &Grant) -> GrantListEntry {
    let (equals, subset) = match &grant.constraint {
        Some(GrantConstraint::Equals(pairs)) => (Some(pairs.clone()), None),
        Some(GrantConstraint::Subset(pairs)) => (None, Some(pairs.clone())),
        None => (None, None),
    };
    let constrained = grant.constraint.is_some();
    GrantListEntry {
        key_id: Some(grant.key.to_string()),
        grant_id: Some(grant.id.clone()),
        name: grant.name.clone(),
        creation_date: Some(grant.created_at),
        grantee_principal: Some(grant.grantee.to_string()),
        retiring_principal: grant.retiring.as_ref().map(Arn::to_string),
        issuing_account: Some(format!("arn:aws:iam::{}:root", grant.issuing_account)),
        operations: Some(grant.operations.iter().map(ToString::to_string).collect()),
        constraints: constrained.then_some(GrantConstraints {
            encryption_context_subset: subset,
            encryption_context_equals: equals,
            source_arn: None,
        }),
        ..GrantListEntry::default()
    }
}

/// `RetireGrant`
pub(crate) async fn retire(
    asked: &Asked,
    permit: Permit<action::RetireGrant>,
    (grant, dry_run): (String, Option<bool>),
) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        could_end(platform, &permit, &grant, dry_run)?;
        let ended = platform.store.retire_grant(&permit);
        ended.map_err(|error| from_key_store(&error))
    })
    .await?;
    Service::Kms.done("RetireGrant", &asked.request)
}

/// `RevokeGrant`
pub(crate) async fn revoke(
    asked: &Asked,
    permit: Permit<action::RevokeGrant>,
    request: ops::RevokeGrant,
) -> Result<Reply, Failure> {
    let (grant, dry_run) = (request.grant_id, request.dry_run);
    act(asked, move |platform| {
        could_end(platform, &permit, &grant, dry_run)?;
        let ended = platform.store.revoke_grant(&permit, &grant);
        ended.map_err(|error| from_key_store(&error))
    })
    .await?;
    Service::Kms.done("RevokeGrant", &asked.request)
}

/// Whether a grant on the key that a permit is for could be ended, and is not only tried.
fn could_end<A: Action>(
    platform: &Platform,
    permit: &Permit<A>,
    grant: &str,
    dry_run: Option<bool>,
) -> Result<(), Failure> {
    let key = platform.kms.key(permit).map_err(|error| from_kms(&error))?;
    let found = platform.store.grant(&key.key_id, grant);
    if found.map_err(|error| from_store(&error))?.is_none() {
        return Err(shown::not_found(format!("Grant ID {grant} not found")));
    }
    unless_tried(dry_run, ())
}
