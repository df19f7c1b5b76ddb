//! Resource policies of an account's logs.

use moho_iam::action::logs as action;
use moho_iam::authz::Permit;
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_store::logs::{LogPolicy, LogPolicyPut};
use moho_terms::{Content, Timestamp};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::logs::rules::{
    DeleteResourcePolicy, DescribeResourcePolicies, DescribeResourcePoliciesReply, PutResourcePolicy,
    PutResourcePolicyReply, ResourcePolicy,
};
use moho_wire::{Failure, Reply};

use super::{Asked, after, listing, page_of, shown, stored, token};

/// Characters of a policy at most, as at AWS.
const LONGEST: usize = 5120;
/// And of its name.
const LONGEST_NAME: usize = 256;

/// `PutResourcePolicy`
pub(crate) async fn put(
    asked: &Asked,
    permit: Permit<action::PutResourcePolicy>,
    request: PutResourcePolicy,
) -> Result<Reply, Failure> {
    let name = named(request.policy_name)?;
    let text = request.policy_document;
    let text = text.ok_or_else(|| shown::invalid("A resource policy needs a policyDocument."))?;
    if text.expose().chars().nth(LONGEST).is_some() {
        return Err(shown::invalid("A resource policy has at most 5120 characters."));
    }
    let document = PolicyDocument::parse(PolicyKind::Resource, text.expose())
        .map_err(|error| shown::invalid(&format!("The resource policy is not valid: {error}")))?;
    if !document.names_only_actions_of("logs") {
        return Err(shown::invalid(
            "The resource policy is not valid: its actions have to be of logs.",
        ));
    }
    let now = asked.platform.clock.now();
    let kept = (name.clone(), document);
    let put = stored(asked, move |platform| {
        platform.store.put_log_policy(&permit, (&kept.0, &kept.1), now)
    });
    match put.await? {
        LogPolicyPut::Done => PutResourcePolicyReply {
            resource_policy: Some(policy(name, text, now)),
        }
        .reply(Service::Logs, "PutResourcePolicy", &asked.request),
        LogPolicyPut::Full => Err(shown::service(
            "LimitExceededException",
            "Resource limit exceeded: an account has at most 10 resource policies.",
        )),
    }
}

fn named(name: Option<String>) -> Result<String, Failure> {
    let fits = |name: &String| (1..=LONGEST_NAME).contains(&name.chars().count());
    name.filter(fits)
        .ok_or_else(|| shown::invalid("A resource policy needs a policyName of at most 256 characters."))
}

fn policy(name: String, document: Content, updated: Timestamp) -> ResourcePolicy {
    ResourcePolicy {
        policy_name: Some(name),
        policy_document: Some(document),
        last_updated_time: Some(shown::milliseconds(updated)),
        policy_scope: Some("ACCOUNT".to_owned()),
    }
}

/// `DescribeResourcePolicies`
pub(crate) async fn describe(
    asked: &Asked,
    permit: Permit<action::DescribeResourcePolicies>,
    request: DescribeResourcePolicies,
) -> Result<Reply, Failure> {
    let listing = listing(&permit, &[]);
    let after = after(asked, &listing, request.next_token.as_ref())?.unwrap_or_default();
    let page = page_of(request.limit);
    let of_account = request.policy_scope.as_deref() != Some("RESOURCE");
    let found = stored(asked, move |platform| platform.store.log_policies(&permit)).await?;
    let left = found.into_iter().filter(|kept| of_account && kept.name > after);
    let mut listed: Vec<LogPolicy> = left.take(page.saturating_add(1)).collect();
    let more = listed.len() > page;
    listed.truncate(page);
    let last = listed.last().filter(|_| more);
    let next_token = last.map(|last| token(asked, &listing, &last.name)).transpose()?;
    let shown = |kept: LogPolicy| policy(kept.name, Content::new(kept.document), kept.updated);
    DescribeResourcePoliciesReply {
        resource_policies: Some(listed.into_iter().map(shown).collect()),
        next_token,
    }
    .reply(Service::Logs, "DescribeResourcePolicies", &asked.request)
}

/// `DeleteResourcePolicy`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<action::DeleteResourcePolicy>,
    request: DeleteResourcePolicy,
) -> Result<Reply, Failure> {
    let name = named(request.policy_name)?;
    let deleted = stored(asked, move |platform| {
        platform.store.delete_log_policy(&permit, &name)
    });
    if deleted.await? {
        Service::Logs.done("DeleteResourcePolicy", &asked.request)
    } else {
        Err(shown::service(
            "ResourceNotFoundException",
            "Policy with name does not exist.",
        ))
    }
}
