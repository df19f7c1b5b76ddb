//! Who can use a key, and why: what the evaluator would decide for each principal of the key's account, from policies, grants
//! and role policies together, without a request.
//!
//! What only a request would say (its encryption context, its address, whether there was a second factor) is not known here.
//! So each question is asked twice: once with every condition on such a thing as it is best for who asks, once as it is worst.
//! What is allowed both times is allowed; what is allowed once is allowed under conditions, and these are told.

use std::collections::BTreeMap;

use moho_terms::Arn;

use super::attached::{Policies, PrincipalPolicies};
use super::decision::{Decision, Layer, ModelAgreement, Statement};
use super::evaluate::{Layers, Matched, determining, of_grant};
use super::global_keys::{Completion, of_organisation, of_resource};
use super::question::{Caller, CallerKind, Question, Unknown};
use super::{Context, Key, KeySet, denial};
use crate::policy::{ActionName, Effect};

/// What stands for the conditions of the organisation's policies, which are not told here.
const ORGANISATION: &str = "the organization's policies";

/// The key that is asked about.
#[derive(Clone, Copy)]
pub struct AccessibleKey<'a> {
    /// Which one.
    pub arn: &'a Arn,
    /// Its policy, grants and conditions, and the guard policies over it. The principal in it does not count.
    pub policies: &'a Policies,
}

/// A role or user of the key's account.
#[derive(Clone, Copy)]
pub struct Accessing<'a> {
    /// Its ARN.
    pub arn: &'a Arn,
    /// `AROA…` or `AIDA…`
    pub unique_id: &'a str,
    /// What binds it.
    pub policies: &'a PrincipalPolicies,
}

/// Whether.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessDecision {
    /// Every request is allowed.
    Allowed,
    /// Some requests are, some may not be.
    Conditional,
    /// No request is.
    Denied,
}

impl AccessDecision {
    /// `allowed`, `conditional` or `denied`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Conditional => "conditional",
            Self::Denied => "denied",
        }
    }
}

/// What would be decided, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accessed {
    /// Whether.
    pub decision: AccessDecision,
    /// Why, as the journal has it: `allowed`, `explicit-deny/boundary`, `not-allowed/identity`.
    pub reason: &'static str,
    /// The statements that decide: those that deny, or else those that allow; a grant is one of `grant/ID`. Those of the
    /// organisation's policies are not among them.
    pub statements: Vec<Statement>,
    /// What it depends on: condition keys, in the order of the alphabet.
    pub conditions: Vec<String>,
}

/// Actions that are decided alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAccess {
    /// Which, in the order they were asked about.
    pub actions: Vec<&'static str>,
    /// What would be decided on each.
    pub accessed: Accessed,
}

/// Whom a key's policy or a grant names, who is no role or user of the key's account: where it is of another one, that one's
/// own policies decide too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPrincipal {
    /// As it is written: an ARN, a unique id, an identity provider or `*`.
    pub principal: String,
    /// By which statement or grant.
    pub by: Statement,
}

/// What `who` can do to a key, of `actions`.
#[must_use]
pub fn key_access(
    key: AccessibleKey<'_>,
    who: Accessing<'_>,
    actions: &'static [&'static str],
) -> Vec<KeyAccess> {
    let mut alike: Vec<KeyAccess> = Vec::new();
    let Some(caller) = Caller::simulated(who.arn) else {
        return alike;
    };
    let caller = Caller {
        unique_id: who.unique_id,
        ..caller
    };
    let context = circumstances(key, who, &caller);
    for &action in actions {
        let accessed = one(key, who.policies, (&caller, action, &context));
        match alike.iter_mut().find(|known| known.accessed == accessed) {
            Some(known) => known.actions.push(action),
            None => alike.push(KeyAccess {
                actions: vec![action],
                accessed,
            }),
        }
    }
    alike
}

/// Whom a key's policy and grants name beyond the roles, users and root of its own account, in the order of their names.
#[must_use]
pub fn named_on_key(key: AccessibleKey<'_>) -> Vec<NamedPrincipal> {
    let account = key.arn.account();
    let own = |kind: &str| kind == "root" || kind.starts_with("role/") || kind.starts_with("user/");
    let elsewhere = |principal: &str| match principal.parse::<Arn>() {
        Ok(arn) => arn.account() != account || arn.service() != "iam" || !own(arn.resource()),
        // A unique id says nothing of its account; the roles and users that are there are told by their ARNs.
        Err(_) => true,
    };
    let mut named: Vec<NamedPrincipal> = Vec::new();
    if let Some(policy) = &key.policies.resource {
        for position in 0..policy.document.statement_count() {
            let Some(statement) = policy.document.statement(position) else {
                continue;
            };
            if statement.effect() != Effect::Allow {
                continue;
            }
            let by = Statement {
                layer: Layer::Resource,
                source: policy.source.clone(),
                position: position.saturating_add(1),
                sid: statement.sid().map(str::to_owned),
                effect: Effect::Allow,
            };
            let others = statement.named().filter(|principal| elsewhere(principal));
            named.extend(others.map(|principal| NamedPrincipal {
                principal,
                by: by.clone(),
            }));
        }
    }
    for grant in key.policies.grants.iter().flat_map(|grants| grants.iter()) {
        if elsewhere(grant.grantee.as_str()) {
            named.push(NamedPrincipal {
                principal: grant.grantee.to_string(),
                by: of_grant(grant),
            });
        }
    }
    named.sort_by(|one, other| one.principal.cmp(&other.principal));
    named
}

/// What is so of every request of one principal for one key.
fn circumstances(key: AccessibleKey<'_>, who: Accessing<'_>, caller: &Caller<'_>) -> Context {
    let user = caller.kind == CallerKind::User;
    let kind = if user { "User" } else { "AssumedRole" };
    let mut context = Context::new()
        .with("aws:PrincipalArn", who.arn.as_str())
        .with("aws:PrincipalAccount", caller.account.as_str())
        .with("aws:PrincipalType", kind)
        .with("aws:PrincipalIsAWSService", "false")
        .with("aws:SecureTransport", "true")
        .with("kms:CallerAccount", caller.account.as_str());
    if user {
        let name = who.arn.resource().rsplit('/').next().unwrap_or_default();
        context = context
            .with("aws:username", name)
            .with("aws:userid", who.unique_id);
        // A role's sessions may bring others, which are stronger.
        for (tag, value) in &who.policies.facts.tags {
            context.put_text(&format!("aws:PrincipalTag/{tag}"), value);
        }
    }
    let organisation = [
        const { Key::known("aws:PrincipalOrgID") },
        const { Key::known("aws:PrincipalOrgPaths") },
    ];
    let mut completion = Completion::of(&context, KeySet::ALL);
    of_organisation(
        &mut completion,
        who.policies.facts.organisation.as_ref(),
        organisation,
    );
    of_resource(&mut completion, key.arn, key.policies, true);
    completion.done()
}

fn one(
    key: AccessibleKey<'_>,
    principal: &PrincipalPolicies,
    (caller, action, context): (&Caller<'_>, &str, &Context),
) -> Accessed {
    let layers = layers(key, principal, caller);
    let ask = |unknown, matched: &mut Vec<_>| {
        let question = Question {
            caller: Some(caller.clone()),
            action: ActionName::new(action),
            resource: key.arn.as_str(),
            owner: Some(caller.account),
            context,
            unknown,
        };
        layers.decide(&question, Some(matched))
    };
    let (mut at_best, mut at_worst) = (Vec::new(), Vec::new());
    let best = ask(Unknown::Hoped, &mut at_best);
    let worst = ask(Unknown::Feared, &mut at_worst);
    let (decision, verdict, matched) = match (best.decision, worst.decision) {
        (Decision::Deny(_), _) => (AccessDecision::Denied, best, &at_best),
        (Decision::Allow, Decision::Allow) => (AccessDecision::Allowed, worst, &at_worst),
        (Decision::Allow, Decision::Deny(_)) => (AccessDecision::Conditional, best, &at_best),
    };
    let deciding = determining(verdict.decision, matched).filter(|matched| is_told(matched.layer));
    let mut statements: Vec<Statement> = if verdict.grants().is_empty() {
        deciding.map(Matched::told).collect()
    } else {
        verdict.grants().iter().map(of_grant).collect()
    };
    let narrows =
        |statement: &Statement| statement.layer == Layer::Boundary && statement.effect == Effect::Allow;
    statements.retain(|statement| !narrows(statement));
    let conditions = if decision == AccessDecision::Conditional {
        let mut open = open_keys(at_best.iter().chain(&at_worst), context);
        let bound = verdict.grants().iter().any(|grant| grant.constraint.is_some());
        if bound {
            open.push("kms:EncryptionContext".to_owned());
        }
        open
    } else {
        Vec::new()
    };
    Accessed {
        decision,
        reason: reason(verdict.decision),
        statements,
        conditions,
    }
}

fn layers<'a>(key: AccessibleKey<'a>, principal: &'a PrincipalPolicies, caller: &Caller<'_>) -> Layers<'a> {
    let facts = &principal.facts;
    let managing = facts
        .organisation
        .as_ref()
        .is_some_and(|organisation| organisation.management_account == caller.account);
    // Key and principal are of one account: what does not bind the one does not bind the other.
    let bound = !(managing || facts.service_linked);
    Layers {
        exists: facts.exists,
        service_control: if bound { &principal.service_control } else { &[] },
        resource_control: if bound {
            &key.policies.resource_control
        } else {
            &[]
        },
        endpoint: None,
        resource: key.policies.resource.as_ref(),
        grants: key.policies.grants.as_deref(),
        identity: &principal.identity,
        boundary: principal.boundary.as_ref(),
        session: None,
        session_managed: &[],
        model_agreement: ModelAgreement::NotAModel,
    }
}

/// Whether statements of this layer are told: not those of the organisation's policies.
fn is_told(layer: Layer) -> bool {
    !matches!(layer, Layer::ServiceControl | Layer::ResourceControl)
}

fn open_keys<'m, 'a: 'm>(matched: impl Iterator<Item = &'m Matched<'a>>, context: &Context) -> Vec<String> {
    let mut open = BTreeMap::new();
    for statement in matched {
        let told = is_told(statement.layer);
        statement.statement.for_each_open_key(context, &mut |key| {
            let name = if told { key.name() } else { ORGANISATION };
            open.entry(name.to_ascii_lowercase())
                .or_insert_with(|| name.to_owned());
        });
    }
    open.into_values().collect()
}

/// As the journal has it.
fn reason(decision: Decision) -> &'static str {
    denial::code(match decision {
        Decision::Allow => return "allowed",
        Decision::Deny(reason) => reason,
    })
}
