//! Key policies: a key has one, and it is called `default`.

use moho_iam::action::kms as action;
use moho_iam::authz::{Permit, PolicyUnavailable};
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_kms::KeyPolicy;
use moho_store::keys::{BoundKeyPolicy, WritesKeyPolicy};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::kms::keys as ops;
use moho_wire::{Failure, Reply};

use super::{Asked, Pace, Wanted, act, asking, carry_out, compute, page, shown};
use crate::road::{chain, from_key_store, from_kms};

const DEFAULT: &str = "default";

/// Refuses any other name than the one there is.
pub(crate) fn named(name: Option<&str>) -> Result<(), Failure> {
    if name.is_none_or(|name| name == DEFAULT) {
        Ok(())
    } else {
        Err(shown::not_found("No such policy exists".to_owned()))
    }
}

/// A key policy that a request brings, with whom it names.
pub(crate) async fn bound<A: WritesKeyPolicy>(
    asked: &Asked,
    permit: Permit<A>,
    text: &str,
) -> Result<(Permit<A>, BoundKeyPolicy), Failure> {
    let document =
        PolicyDocument::parse(PolicyKind::Key, text).map_err(|error| malformed(error.to_string()))?;
    act(asked, move |platform| {
        let bound = platform.store.bind_key_policy(&permit, &document);
        Ok((permit, bound.map_err(|error| from_key_store(&error))?))
    })
    .await
}

/// The refusal of a key policy that its author could not change again.
pub(crate) fn locks_out() -> Failure {
    malformed("The new key policy will not allow you to update the key policy in the future.".to_owned())
}

/// What is said if nobody can tell whether a policy locks its author out.
pub(crate) fn undecided(error: &PolicyUnavailable) -> Failure {
    tracing::error!(error = %chain(error), "whether a key policy locks its author out cannot be said");
    Failure::Unavailable
}

fn malformed(message: String) -> Failure {
    Failure::Service {
        code: "MalformedPolicyDocumentException",
        message,
        status: 400,
    }
}

/// `GetKeyPolicy`
pub(crate) async fn get(
    asked: &Asked,
    permit: Permit<action::GetKeyPolicy>,
    name: Option<&str>,
) -> Result<Reply, Failure> {
    let policy = act(asked, move |platform| {
        let record = platform.kms.key(&permit).map_err(|error| from_kms(&error))?;
        let shown = platform.store.shown_key_policy(&permit, &record);
        shown.map_err(|error| from_key_store(&error))
    })
    .await?;
    named(name)?;
    let reply = ops::GetKeyPolicyResponse {
        policy: Some(policy),
        policy_name: Some(DEFAULT.to_owned()),
    };
    reply.reply(Service::Kms, "GetKeyPolicy", &asked.request)
}

/// `PutKeyPolicy`
pub(crate) async fn put(
    asked: &Asked,
    permit: Permit<action::PutKeyPolicy>,
    policy: KeyPolicy,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |platform, permit| {
        platform.kms.put_policy(permit, &policy)
    })
    .await
}

/// `ListKeyPolicies`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<action::ListKeyPolicies>,
    request: ops::ListKeyPolicies,
) -> Result<Reply, Failure> {
    let wanted = Wanted {
        filters: &[],
        marker: request.marker.as_deref(),
        limit: request.limit,
        sizes: (100, 1000),
    };
    let asking = asking(asked, &permit, &wanted)?;
    compute(asked, Pace::Slow, move |platform| platform.kms.key(&permit)).await?;
    let page = page(asked, &asking, [(DEFAULT.to_owned(), DEFAULT.to_owned())])?;
    let reply = ops::ListKeyPoliciesResponse {
        policy_names: Some(page.items),
        next_marker: page.next_marker,
        truncated: page.truncated,
    };
    reply.reply(Service::Kms, "ListKeyPolicies", &asked.request)
}
