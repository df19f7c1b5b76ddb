//! What a caller can learn of a resource that it may not see: nothing, whether the resource is there or not.
//!
//! Policies of the caller's own side may ask for what a resource is, such as its tags. So what another account's resource
//! is counts only for whom that resource's own policy, or a grant on it, grants something; all others are denied, and by nothing that
//! depends on it. And whatever denies a caller something of another account, or a role, is told as it would be if there
//! were no such thing.

use std::sync::Arc;

use moho_terms::{AccountId, Arn};

use super::attached::Policies;
use super::facts::ResourceFacts;
use super::question::Caller;
use crate::session::Session;

/// Whether what a resource is may count in a decision for a caller.
pub(super) fn facts_count(session: &Session, resource: &Arn, policies: &Policies) -> bool {
    let by_policy = || {
        let policy = policies.resource.as_ref();
        policy.is_some_and(|policy| policy.document.grants_something_to(&Caller::of(session)))
    };
    let by_grants = || {
        let grants = policies.grants.as_ref();
        grants.is_some_and(|grants| grants.give_something_to(&Caller::of(session)))
    };
    is_own(session, resource, policies) || by_policy() || by_grants()
}

/// Whether a refusal has to read as if there were nothing of the resource's name.
pub(super) fn is_hidden(session: &Session, action: &str, resource: &Arn, policies: &Policies) -> bool {
    let taken_on = action.starts_with("sts:") && resource.resource().starts_with("role/");
    taken_on || !is_own(session, resource, policies)
}

/// Of the caller's account, or of none.
fn is_own(session: &Session, resource: &Arn, policies: &Policies) -> bool {
    let owner = resource.account().parse::<AccountId>().ok();
    owner
        .or(policies.resource_facts.account)
        .is_none_or(|owner| owner == session.account())
}

impl Policies {
    /// What would bear on the request if there were nothing of the resource's name: all but what is the resource's own.
    pub(super) fn if_absent(&self) -> Self {
        let facts = ResourceFacts {
            tags: [].into(),
            ..ResourceFacts::clone(&self.resource_facts)
        };
        Self {
            resource: None,
            grants: None,
            resource_conditions: None,
            resource_facts: Arc::new(facts),
            ..self.clone()
        }
    }

    /// The same where a name does not say whose it is: without what whoever has it brings.
    pub(super) fn if_nobodys(&self) -> Self {
        Self {
            resource_control: Arc::default(),
            resource_facts: Arc::default(),
            ..self.if_absent()
        }
    }
}
