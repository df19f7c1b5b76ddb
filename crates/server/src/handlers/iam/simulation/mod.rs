//! What would be decided, and what policies ask about.

mod told;

use std::collections::BTreeMap;
use std::sync::Arc;

use moho_iam::action::iam;
use moho_iam::authz::{
    Attached, Context, GuardsOf, Permit, PrincipalPolicies, SimulatedAsking, SimulatedCaller, Simulation,
    simulate,
};
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_store::iam::IamCode;
use moho_terms::{AccountId, Arn};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::{shapes, simulation as ops};
use moho_wire::{Failure, Reply};

use self::told::told;
use super::{act, refusal};
use crate::handlers::Asked;
use crate::handlers::paging::{Asking, Listing};

/// How much work one request may ask for: decisions times statements and 256 bytes of policies.
const MOST_WORK: usize = 2_000_000;

/// How many statements and missing keys one reply tells at most, unless a single decision has more.
const MOST_TOLD: usize = 10_000;

/// What is to be tried, whoever's policies they are.
struct Trial {
    identity: Vec<Attached>,
    boundary: Option<Attached>,
    service_control: Vec<Vec<Attached>>,
    guards_of: GuardsOf,
    asks: Option<Asks>,
    owner: Option<AccountId>,
    context: Context,
    actions: Vec<String>,
    resources: Vec<String>,
}

const RESOURCE_POLICY: &str = "ResourcePolicy";

/// Who is to ask, and what the resource says about them.
struct Asks {
    caller: SimulatedCaller,
    resource_policy: Option<Attached>,
}

/// `SimulateCustomPolicy`
pub(crate) async fn custom(
    asked: &Asked,
    permit: Permit<iam::SimulateCustomPolicy>,
    request: ops::SimulateCustomPolicy,
) -> Result<Reply, Failure> {
    let levels = request.ordered_organization_policy_input_list.unwrap_or_default();
    let trial = Trial {
        identity: inputs(PolicyKind::Inline, "PolicyInputList", request.policy_input_list)?,
        boundary: boundary(request.permissions_boundary_policy_input_list)?,
        service_control: organization(levels)?,
        guards_of: GuardsOf::Request,
        asks: asks(request.caller_arn, None, request.resource_policy)?,
        owner: owner(request.resource_owner)?,
        context: context(request.context_entries)?,
        actions: request.action_names,
        resources: resources(request.resource_arns),
    };
    let page = Page {
        marker: request.marker,
        most: request.max_items,
        listing: Listing::of_permit(&permit, &[]),
    };
    tried(asked, trial, page, "SimulateCustomPolicy").await
}

/// `SimulatePrincipalPolicy`
pub(crate) async fn principal(
    asked: &Asked,
    permit: Permit<iam::SimulatePrincipalPolicy>,
    request: ops::SimulatePrincipalPolicy,
) -> Result<Reply, Failure> {
    let source = permit.resource().clone();
    let listing = Listing::of_permit(&permit, &[]);
    let found = act(asked, move |platform| platform.store.policies_of(&permit)).await?;
    let excluded = request.policy_exclusion_list.unwrap_or_default();
    let kept = found
        .identity
        .iter()
        .filter(|policy| !is_excluded(policy, &excluded));
    let mut identity: Vec<Attached> = kept.cloned().collect();
    let more = request.policy_input_list.unwrap_or_default();
    identity.extend(inputs(PolicyKind::Inline, "PolicyInputList", more)?);
    let given = boundary(request.permissions_boundary_policy_input_list)?;
    let trial = Trial {
        identity,
        boundary: given.or_else(|| found.boundary.clone()),
        service_control: guards(&found, &source),
        guards_of: GuardsOf::Organisation,
        asks: asks(request.caller_arn, Some(source), request.resource_policy)?,
        owner: owner(request.resource_owner)?,
        context: context(request.context_entries)?,
        actions: request.action_names,
        resources: resources(request.resource_arns),
    };
    let page = Page {
        marker: request.marker,
        most: request.max_items,
        listing,
    };
    tried(asked, trial, page, "SimulatePrincipalPolicy").await
}

/// The guard policies that bind a principal: none bind service-linked roles and the account that manages the organisation.
fn guards(policies: &PrincipalPolicies, source: &Arn) -> Vec<Vec<Attached>> {
    let facts = &policies.facts;
    let managing = facts
        .organisation
        .as_ref()
        .is_some_and(|organisation| organisation.management_account.as_str() == source.account());
    if managing || facts.service_linked {
        Vec::new()
    } else {
        policies.service_control.clone()
    }
}

fn is_excluded(policy: &Attached, excluded: &[shapes::PolicyIdentifier]) -> bool {
    let source = policy.source.as_str();
    excluded.iter().any(|named| {
        let inline = named.inline_policy_identifier.as_ref().map(|inline| {
            let kind = inline.attachment_type.to_ascii_lowercase();
            format!("{kind}/{}/inline:{}", inline.attachment_name, inline.policy_name)
        });
        named.policy_arn.as_deref() == Some(source) || inline.as_deref() == Some(source)
    })
}

struct Page {
    listing: Listing,
    marker: Option<String>,
    most: Option<i64>,
}

/// Tries each action on each resource; those pairs are what the pages are of.
async fn tried(asked: &Asked, trial: Trial, page: Page, operation: &str) -> Result<Reply, Failure> {
    let asking = Asking::of_iam(&asked.platform, page.listing, page.marker.as_deref(), page.most)?;
    let start = asking
        .after
        .as_deref()
        .and_then(|after| after.parse().ok())
        .unwrap_or(0_usize);
    check(&trial, asking.limit)?;
    let limit = asking.limit;
    let (results, all) = act(asked, move |_platform| Ok(results(&trial, start, limit))).await?;
    let end = start.saturating_add(results.len());
    let last = (end < all).then(|| end.to_string());
    let (is_truncated, marker) = asking.next(&asked.platform, last.as_deref())?;
    ops::SimulatePolicyResponse {
        evaluation_results: Some(results),
        is_truncated,
        marker,
    }
    .reply(Service::Iam, operation, &asked.request)
}

fn check(trial: &Trial, limit: usize) -> Result<(), Failure> {
    let is_action = |name: &&String| {
        name.split_once(':').is_some_and(|(service, action)| {
            let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            !service.is_empty() && !action.is_empty() && plain(service) && plain(action)
        })
    };
    if !trial.actions.iter().all(|name| is_action(&name)) {
        return Err(invalid("Each action name is service:Action, without wildcards."));
    }
    let levels = trial.service_control.iter().flatten();
    let of_resource = trial.asks.iter().filter_map(|asks| asks.resource_policy.as_ref());
    let single = trial.boundary.iter().chain(of_resource);
    let documents = trial.identity.iter().chain(levels).chain(single);
    let size = |policy: &Attached| policy.document.as_str().len() / 256 + policy.document.statement_count();
    let size: usize = documents.map(size).sum();
    let decisions = trial
        .actions
        .len()
        .saturating_mul(trial.resources.len())
        .min(limit);
    if decisions.saturating_mul(size + 1) > MOST_WORK {
        return Err(invalid(
            "The simulation is too large: ask for fewer actions, resources or policies at once.",
        ));
    }
    Ok(())
}

fn results(trial: &Trial, start: usize, limit: usize) -> (Vec<shapes::EvaluationResult>, usize) {
    let simulation = Simulation {
        identity: &trial.identity,
        boundary: trial.boundary.as_ref(),
        service_control: &trial.service_control,
        guards_of: trial.guards_of,
        asks: trial.asks.as_ref().map(|asks| SimulatedAsking {
            caller: &asks.caller,
            resource: asks.resource_policy.as_ref(),
            grants: None,
        }),
        resource_owner: trial.owner,
        context: &trial.context,
    };
    let resources = &trial.resources;
    let pairs = trial
        .actions
        .iter()
        .flat_map(|action| resources.iter().map(move |resource| (action, resource)));
    let all = trial.actions.len().saturating_mul(resources.len());
    let mut results = Vec::new();
    let mut room = MOST_TOLD;
    for (action, resource) in pairs.skip(start).take(limit) {
        let simulated = simulate(&simulation, action, resource);
        let told_here = simulated.matched.len() + simulated.missing_context.len();
        if told_here > room && !results.is_empty() {
            break;
        }
        room = room.saturating_sub(told_here);
        results.push(told(action, resource, &simulated));
    }
    (results, all)
}

/// `GetContextKeysForCustomPolicy`; the permit says that it may be asked.
pub(crate) fn keys_of_custom(
    asked: &Asked,
    _permit: &Permit<iam::GetContextKeysForCustomPolicy>,
    request: ops::GetContextKeysForCustomPolicy,
) -> Result<Reply, Failure> {
    let policies = inputs(PolicyKind::Inline, "PolicyInputList", request.policy_input_list)?;
    keys(asked, &policies, "GetContextKeysForCustomPolicy")
}

/// `GetContextKeysForPrincipalPolicy`
pub(crate) async fn keys_of_principal(
    asked: &Asked,
    permit: Permit<iam::GetContextKeysForPrincipalPolicy>,
    request: ops::GetContextKeysForPrincipalPolicy,
) -> Result<Reply, Failure> {
    let found = act(asked, move |platform| platform.store.policies_of(&permit)).await?;
    let more = request.policy_input_list.unwrap_or_default();
    let mut policies = inputs(PolicyKind::Inline, "PolicyInputList", more)?;
    policies.extend(found.identity.iter().cloned());
    keys(asked, &policies, "GetContextKeysForPrincipalPolicy")
}

fn keys(asked: &Asked, policies: &[Attached], operation: &str) -> Result<Reply, Failure> {
    let mut keys = BTreeMap::new();
    for key in policies.iter().flat_map(|policy| policy.document.context_keys()) {
        keys.entry(key.to_ascii_lowercase())
            .or_insert_with(|| key.clone());
    }
    ops::GetContextKeysForPolicyResponse {
        context_key_names: Some(keys.into_values().collect()),
    }
    .reply(Service::Iam, operation, &asked.request)
}

/// Policies that a request brings, under the names that AWS gives them.
fn inputs(kind: PolicyKind, list: &str, texts: Vec<String>) -> Result<Vec<Attached>, Failure> {
    let numbered = (1_usize..).zip(texts);
    let parsed = numbered.map(|(number, text)| {
        let document = PolicyDocument::parse(kind, &text)
            .map_err(|error| invalid(format!("{list}.{number}: {error}")))?;
        Ok(Attached::new(format!("{list}.{number}"), Arc::new(document)))
    });
    parsed.collect()
}

fn boundary(texts: Option<Vec<String>>) -> Result<Option<Attached>, Failure> {
    let texts = texts.unwrap_or_default();
    if texts.len() > 1 {
        return Err(invalid("There is one permissions boundary at most."));
    }
    let mut given = inputs(PolicyKind::Boundary, "PermissionsBoundaryPolicyInputList", texts)?;
    Ok(given.pop())
}

fn organization(levels: Vec<shapes::OrderedOrganizationPolicyType>) -> Result<Vec<Vec<Attached>>, Failure> {
    let numbered = (1_usize..).zip(levels);
    let parsed = numbered.map(|(number, level)| {
        let texts = level.service_control_policy_input_list.unwrap_or_default();
        let list = format!("OrderedOrganizationPolicyInputList.{number}");
        inputs(PolicyKind::ServiceControl, &list, texts)
    });
    parsed.collect()
}

fn resource_policy(text: Option<String>) -> Result<Option<Attached>, Failure> {
    let parse = |text: String| {
        let document = PolicyDocument::parse(PolicyKind::Resource, &text)
            .map_err(|error| invalid(format!("{RESOURCE_POLICY}: {error}")))?;
        Ok(Attached::new(RESOURCE_POLICY, Arc::new(document)))
    };
    text.map(parse).transpose()
}

/// Who asks: whom the request says, else the principal itself, who is no group where the resource has a policy.
fn asks(
    given: Option<String>,
    principal: Option<Arn>,
    policy: Option<String>,
) -> Result<Option<Asks>, Failure> {
    let resource_policy = resource_policy(policy)?;
    let caller =
        match given {
            Some(given) => {
                let caller = SimulatedCaller::new(parsed(&given)?);
                Some(caller.ok_or_else(|| {
                    invalid("CallerArn is the ARN of a user, a role or a session of a role.")
                })?)
            }
            None => principal.and_then(SimulatedCaller::new),
        };
    if caller.is_none() && resource_policy.is_some() {
        return Err(invalid("CallerArn is required where a ResourcePolicy is given."));
    }
    Ok(caller.map(|caller| Asks {
        caller,
        resource_policy,
    }))
}

fn resources(asked: Option<Vec<String>>) -> Vec<String> {
    asked
        .filter(|resources| !resources.is_empty())
        .unwrap_or_else(|| vec!["*".to_owned()])
}

/// An account's id, or the ARN of its root.
fn owner(text: Option<String>) -> Result<Option<AccountId>, Failure> {
    let parse = |text: String| {
        let account = text.parse().ok();
        let of_arn = || text.parse::<Arn>().ok()?.account().parse().ok();
        account
            .or_else(of_arn)
            .ok_or_else(|| invalid(format!("Invalid ResourceOwner: {text}")))
    };
    text.map(parse).transpose()
}

fn parsed(text: &str) -> Result<Arn, Failure> {
    text.parse()
        .map_err(|_invalid| invalid(format!("ARN {text} is not valid.")))
}

fn context(entries: Option<Vec<shapes::ContextEntry>>) -> Result<Context, Failure> {
    let mut context = Context::new();
    for entry in entries.unwrap_or_default() {
        let (Some(key), Some(values)) = (entry.context_key_name, entry.context_key_values) else {
            return Err(invalid(
                "A context entry has a ContextKeyName and ContextKeyValues.",
            ));
        };
        context.set(&key, values);
    }
    Ok(context)
}

fn invalid(message: impl Into<String>) -> Failure {
    refusal(IamCode::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(statements: usize, resources: usize) -> Trial {
        let statement = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
        let text = format!(r#"{{"Statement":[{}]}}"#, vec![statement; statements].join(","));
        Trial {
            identity: inputs(PolicyKind::Inline, "PolicyInputList", vec![text]).unwrap(),
            boundary: None,
            service_control: Vec::new(),
            guards_of: GuardsOf::Request,
            asks: None,
            owner: None,
            context: Context::new(),
            actions: vec!["s3:GetObject".to_owned()],
            resources: vec!["*".to_owned(); resources],
        }
    }

    #[test]
    fn a_reply_tells_so_many_statements_and_goes_on() {
        let trial = trial(200, 120);
        let (first, all) = results(&trial, 0, 1000);
        assert_eq!((first.len(), all), (50, 120));
        let (last, _) = results(&trial, 100, 1000);
        assert_eq!(last.len(), 20);
    }

    #[test]
    fn a_resources_policy_is_tried_for_somebody_or_not_at_all() {
        let deny = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}"#;
        let user = "arn:aws:iam::123456789012:user/ann";
        let group = "arn:aws:iam::123456789012:group/all";
        let tried = |caller: Option<&str>, principal: Option<&str>, policy: Option<&str>| {
            let principal = principal.map(|arn| arn.parse().unwrap());
            let asks = asks(caller.map(str::to_owned), principal, policy.map(str::to_owned));
            asks.map(|asks| {
                let trial = Trial { asks, ..trial(1, 1) };
                let (results, _) = results(&trial, 0, 1);
                results[0].eval_decision.clone().unwrap()
            })
            .map_err(|failure| {
                let Failure::Service { code, .. } = failure else {
                    panic!("{failure:?}");
                };
                code
            })
        };
        for (caller, principal, policy, expected) in [
            (Some(user), None, Some(deny), Ok("explicitDeny")),
            (None, Some(user), Some(deny), Ok("explicitDeny")),
            (Some(user), Some(group), Some(deny), Ok("explicitDeny")),
            (None, None, Some(deny), Err("InvalidInput")),
            (None, Some(group), Some(deny), Err("InvalidInput")),
            (Some(group), None, Some(deny), Err("InvalidInput")),
            (
                Some("arn:aws:iam::123456789012:root"),
                None,
                None,
                Err("InvalidInput"),
            ),
            (None, Some(group), None, Ok("allowed")),
            (None, None, None, Ok("allowed")),
        ] {
            let told = tried(caller, principal, policy);
            assert_eq!(
                told.as_deref().map_err(|code| *code),
                expected,
                "{caller:?} {principal:?} {policy:?}"
            );
        }
    }

    #[test]
    fn statements_are_counted_as_work() {
        assert!(check(&trial(200, 1000), 1000).is_ok());
        let mut many = trial(200, 1000);
        let one = many.identity.pop().unwrap();
        many.identity = vec![one; 10];
        assert!(check(&many, 1000).is_err());
        assert!(check(&many, 100).is_ok());
    }
}
