//! Policies of the organisation, and what they are attached to.

use moho_iam::action::organizations as action;
use moho_iam::authz::Permit;
use moho_store::organizations::{
    NewPolicy, NodeId, Organisation, OrganisationError, PolicyChange, PolicyId, PolicyType,
};
use moho_terms::AccountId;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::organizations::{policies as ops, shapes};
use moho_wire::{Failure, Reply};

use super::{Asked, Asking, act, done, named, organisation, page, shown, tags, target};
use crate::startup::Platform;

/// The type of policies that a request names.
fn kind(name: &str) -> Result<PolicyType, Failure> {
    PolicyType::named(name).ok_or_else(shown::no_such_type)
}

/// A policy with what it says.
fn whole_policy(whole: &Organisation, id: &PolicyId) -> Result<shapes::Policy, Failure> {
    let policy = whole
        .policy(id)
        .ok_or_else(|| shown::from_organisation(&OrganisationError::PolicyNotFound))?;
    Ok(shapes::Policy {
        policy_summary: Some(shown::summary(whole, policy)),
        content: Some(policy.content.clone()),
    })
}

/// Lets a change of what binds accounts be.
async fn binding(
    asked: &Asked,
    change: impl FnOnce(&Platform) -> Result<(), OrganisationError> + Send + 'static,
) -> Result<(), Failure> {
    act(asked, move |platform| {
        let before = platform.store.accounts_with_long_lived_credentials()?;
        change(platform)?;
        let after = platform.store.accounts_with_long_lived_credentials()?;
        warn(&before, &after);
        Ok(())
    })
    .await
}

/// Says loudly which accounts may have long-lived credentials that might not before.
pub(super) fn warn(before: &[AccountId], after: &[AccountId]) {
    for account in after.iter().filter(|account| !before.contains(account)) {
        tracing::warn!(
            %account,
            "a service control policy lets LONG-LIVED CREDENTIALS into this account: users may have access keys that do not \
             expire"
        );
    }
}

/// `CreatePolicy`
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<action::CreatePolicy>,
    request: ops::CreatePolicy,
) -> Result<Reply, Failure> {
    let new = NewPolicy {
        kind: kind(&request.kind)?,
        name: request.name,
        description: request.description,
        content: request.content,
        tags: tags::of(request.tags)?,
    };
    let (whole, id) = act(asked, move |platform| {
        let (entropy, now) = (&*platform.entropy, platform.clock.now());
        let id = platform
            .store
            .create_organisation_policy(&permit, &new, entropy, now)?;
        Ok((platform.store.organisation(&permit)?, id))
    })
    .await?;
    let reply = ops::CreatePolicyResponse {
        policy: Some(whole_policy(&whole, &id)?),
    };
    reply.reply(Service::Organizations, "CreatePolicy", &asked.request)
}

/// `UpdatePolicy`
pub(crate) async fn update(
    asked: &Asked,
    permit: Permit<action::UpdatePolicy>,
    request: ops::UpdatePolicy,
) -> Result<Reply, Failure> {
    let change = PolicyChange {
        name: request.name,
        description: request.description,
        content: request.content,
    };
    let (whole, id) = act(asked, move |platform| {
        let (store, now) = (&platform.store, platform.clock.now());
        let before = store.accounts_with_long_lived_credentials()?;
        let id = store.update_organisation_policy(&permit, &change, now)?;
        warn(&before, &store.accounts_with_long_lived_credentials()?);
        Ok((store.organisation(&permit)?, id))
    })
    .await?;
    let reply = ops::UpdatePolicyResponse {
        policy: Some(whole_policy(&whole, &id)?),
    };
    reply.reply(Service::Organizations, "UpdatePolicy", &asked.request)
}

/// `DeletePolicy`
pub(crate) async fn delete(asked: &Asked, permit: Permit<action::DeletePolicy>) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        platform.store.delete_organisation_policy(&permit)
    })
    .await?;
    done(asked, "DeletePolicy")
}

/// `DescribePolicy`
pub(crate) async fn describe(
    asked: &Asked,
    permit: Permit<action::DescribePolicy>,
) -> Result<Reply, Failure> {
    let (whole, permit) = organisation(asked, permit).await?;
    let reply = ops::DescribePolicyResponse {
        policy: Some(whole_policy(&whole, &named(&permit)?)?),
    };
    reply.reply(Service::Organizations, "DescribePolicy", &asked.request)
}

/// `ListPolicies`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<action::ListPolicies>,
    request: ops::ListPolicies,
) -> Result<Reply, Failure> {
    let (whole, permit) = organisation(asked, permit).await?;
    let asking = Asking {
        filter: &request.filter,
        token: request.next_token,
        most: request.max_results,
    };
    // Of a type that is not served there are none.
    let policies = PolicyType::named(&request.filter)
        .into_iter()
        .flat_map(|kind| whole.policies(kind));
    let all = policies.map(|policy| (policy.id.to_string(), shown::summary(&whole, policy)));
    let (policies, next_token) = page(asked, &permit, &asking, all)?;
    let reply = ops::ListPoliciesResponse {
        policies: Some(policies),
        next_token,
    };
    reply.reply(Service::Organizations, "ListPolicies", &asked.request)
}

/// `AttachPolicy`
pub(crate) async fn attach(
    asked: &Asked,
    policy: Permit<action::AttachPolicy>,
    target: Permit<action::AttachPolicy>,
) -> Result<Reply, Failure> {
    binding(asked, move |platform| {
        platform
            .store
            .attach_policy(&policy, &target, platform.clock.now())
    })
    .await?;
    done(asked, "AttachPolicy")
}

/// `DetachPolicy`
pub(crate) async fn detach(
    asked: &Asked,
    policy: Permit<action::DetachPolicy>,
    target: Permit<action::DetachPolicy>,
) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        platform.store.detach_policy(&policy, &target)
    })
    .await?;
    done(asked, "DetachPolicy")
}

/// `ListPoliciesForTarget`
pub(crate) async fn of_target(
    asked: &Asked,
    permit: Permit<action::ListPoliciesForTarget>,
    request: ops::ListPoliciesForTarget,
) -> Result<Reply, Failure> {
    let (whole, permit) = organisation(asked, permit).await?;
    let target = target(&whole, &permit)?;
    let asking = Asking {
        filter: &request.filter,
        token: request.next_token,
        most: request.max_results,
    };
    let attached = PolicyType::named(&request.filter)
        .into_iter()
        .flat_map(|kind| whole.attached(&target, kind));
    let mut all: Vec<_> = attached
        .map(|policy| (policy.id.to_string(), shown::summary(&whole, policy)))
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    let (policies, next_token) = page(asked, &permit, &asking, all.into_iter())?;
    let reply = ops::ListPoliciesForTargetResponse {
        policies: Some(policies),
        next_token,
    };
    reply.reply(Service::Organizations, "ListPoliciesForTarget", &asked.request)
}

/// `ListTargetsForPolicy`
pub(crate) async fn targets(
    asked: &Asked,
    permit: Permit<action::ListTargetsForPolicy>,
    request: ops::ListTargetsForPolicy,
) -> Result<Reply, Failure> {
    let (whole, permit) = organisation(asked, permit).await?;
    let id = named(&permit)?;
    if whole.policy(&id).is_none() {
        return Err(shown::from_organisation(&OrganisationError::PolicyNotFound));
    }
    let asking = Asking::all(request.next_token, request.max_results);
    let targets = whole.targets(&id).into_iter();
    let all =
        targets.map(|(node, name): (&NodeId, &str)| (node.to_string(), shown::target(&whole, node, name)));
    let (targets, next_token) = page(asked, &permit, &asking, all)?;
    let reply = ops::ListTargetsForPolicyResponse {
        targets: Some(targets),
        next_token,
    };
    reply.reply(Service::Organizations, "ListTargetsForPolicy", &asked.request)
}

/// `EnablePolicyType`
pub(crate) async fn enable(
    asked: &Asked,
    permit: Permit<action::EnablePolicyType>,
    request: ops::EnablePolicyType,
) -> Result<Reply, Failure> {
    let kind = kind(&request.policy_type)?;
    let whole = act(asked, move |platform| {
        let now = platform.clock.now();
        platform.store.enable_policy_type(&permit, kind, now)?;
        platform.store.organisation(&permit)
    })
    .await?;
    let reply = ops::EnablePolicyTypeResponse {
        root: Some(shown::root(&whole)),
    };
    reply.reply(Service::Organizations, "EnablePolicyType", &asked.request)
}

/// `DisablePolicyType`
pub(crate) async fn disable(
    asked: &Asked,
    permit: Permit<action::DisablePolicyType>,
    request: ops::DisablePolicyType,
) -> Result<Reply, Failure> {
    let kind = kind(&request.policy_type)?;
    let whole = act(asked, move |platform| {
        platform.store.disable_policy_type(&permit, kind)?;
        platform.store.organisation(&permit)
    })
    .await?;
    let reply = ops::DisablePolicyTypeResponse {
        root: Some(shown::root(&whole)),
    };
    reply.reply(Service::Organizations, "DisablePolicyType", &asked.request)
}

/// `DescribeEffectivePolicy`
pub(crate) async fn effective(
    asked: &Asked,
    permit: Permit<action::DescribeEffectivePolicy>,
    request: ops::DescribeEffectivePolicy,
) -> Result<Reply, Failure> {
    let (whole, permit) = organisation(asked, permit).await?;
    let target = target(&whole, &permit)?;
    let found = PolicyType::named(&request.policy_type).and_then(|kind| whole.effective(&target, kind));
    let (content, updated) =
        found.ok_or_else(|| shown::from_organisation(&OrganisationError::EffectivePolicyNotFound))?;
    let effective = shapes::EffectivePolicy {
        policy_content: Some(content),
        last_updated_timestamp: Some(updated),
        target_id: Some(target.to_string()),
        policy_type: Some(request.policy_type),
    };
    let reply = ops::DescribeEffectivePolicyResponse {
        effective_policy: Some(effective),
    };
    reply.reply(Service::Organizations, "DescribeEffectivePolicy", &asked.request)
}
