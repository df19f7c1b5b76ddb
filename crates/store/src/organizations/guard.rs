//! What the organisation adds to a decision: policies that bind the principal and the resource, and where both stand.

use std::sync::{Arc, PoisonError};

use moho_iam::authz::{Attached, Policies, PrincipalPolicies, ResourceFacts};
use moho_terms::{AccountId, Arn};

use super::Tags;
use crate::Store;
use crate::error::StoreError;

/// What bears on the resources of one account.
#[derive(Clone)]
pub(super) struct Guard {
    control: Arc<Vec<Vec<Attached>>>,
    facts: Arc<ResourceFacts>,
}

impl Store {
    /// Binds a principal of `account`. Nobody of a closed account is there any more.
    pub(crate) fn guard_principal(
        &self,
        principal: &mut PrincipalPolicies,
        account: AccountId,
    ) -> Result<(), StoreError> {
        principal.service_control = self.service_control(account)?;
        principal.facts.organisation = self.organisation_facts(account)?;
        principal.facts.exists &= self.account_is_active(account)?;
        Ok(())
    }

    /// Binds what is done with `resource`, if an account owns it. What a closed account has looks as if it were not there,
    /// and so does what an account has that does not exist: nothing lets anybody in.
    pub(crate) fn guard_resource(&self, policies: &mut Policies, resource: &Arn) -> Result<(), StoreError> {
        let Ok(owner) = resource.account().parse() else {
            return Ok(());
        };
        if !self.guard_owned(policies, owner)? {
            return Ok(());
        }
        if resource.service() == "organizations"
            && let Some(tags) = self.tags_of(resource)?
        {
            let facts = ResourceFacts {
                tags,
                ..(*policies.resource_facts).clone()
            };
            policies.resource_facts = Arc::new(facts);
        }
        Ok(())
    }

    /// Binds what is done with something of an account's. Returns whether the account still has it.
    pub(crate) fn guard_owned(&self, policies: &mut Policies, owner: AccountId) -> Result<bool, StoreError> {
        if !self.account_is_active(owner)? {
            policies.resource = None;
            policies.grants = None;
            policies.resource_conditions = None;
            return Ok(false);
        }
        let guard = self.guard_of(owner)?;
        policies.resource_control = guard.control;
        policies.resource_facts = guard.facts;
        Ok(true)
    }

    /// The tags of something of the organisation's own.
    fn tags_of(&self, resource: &Arn) -> Result<Option<Tags>, StoreError> {
        let id = resource.resource().rsplit('/').next().unwrap_or_default();
        let whole = self.whole_organisation()?;
        Ok(whole.and_then(|whole| whole.tags(id).cloned()))
    }

    fn guard_of(&self, account: AccountId) -> Result<Guard, StoreError> {
        let before = {
            let cached = self.organisation.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = cached.guards.get(&account) {
                return Ok(known.clone());
            }
            cached.generation
        };
        let facts = ResourceFacts {
            account: Some(account),
            organisation: self.organisation_facts(account)?,
            ..ResourceFacts::default()
        };
        let guard = Guard {
            control: Arc::new(self.resource_control(account)?),
            facts: Arc::new(facts),
        };
        // Of accounts that are not there nothing is remembered: whoever asks about many costs no memory.
        if guard.facts.organisation.is_some() {
            let mut cached = self
                .organisation
                .0
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if cached.generation == before {
                cached.guards.insert(account, guard.clone());
            }
        }
        Ok(guard)
    }
}
