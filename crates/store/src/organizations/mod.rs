//! The organisation: its tree of units and accounts, the policies that bind what is below what they are attached to, and
//! accounts beyond the first.
//!
//! The tree is read as a whole into an [`Organisation`], which is shared until something changes; a change is decided on
//! one read within its own transaction, so that no two changes together make what neither could. Every method takes the
//! permits of what it does, and finds in them what it is done to.

mod accounts;
mod change;
mod error;
mod guard;
mod kinds;
mod load;
mod names;
mod organisation;
mod policies;
mod tags;
mod units;

pub use accounts::{AccountCreation, CreationFailure, CreationOutcome, NewAccount};
pub use error::{Constraint, InvalidInput, OrganisationError};
pub use kinds::PolicyType;
pub use names::{NameError, NodeId, NodeKind, OrganisationNames, PolicyId};
pub use organisation::{
    AccountState, JoinedMethod, MemberAccount, Organisation, OrganisationPolicy, Tags, Unit,
};
pub use policies::{NewPolicy, PolicyChange};

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use moho_iam::action::Action;
use moho_iam::authz::{Attached, OrganisationFacts, Permit};
use moho_terms::{AccountId, Arn};

use crate::Store;
use crate::error::StoreError;
use guard::Guard;

/// The organisation as it was last read, until something changes it.
#[derive(Default)]
pub(crate) struct OrganisationCache(RwLock<Cached>);

#[derive(Default)]
struct Cached {
    /// Counts the changes: what was read before one must not be remembered after it.
    generation: u64,
    organisation: Option<Arc<Organisation>>,
    /// What bears on resources, by the account they are of.
    guards: HashMap<AccountId, Guard>,
}

impl OrganisationCache {
    /// Forgets it, after a change was committed.
    pub(crate) fn forget(&self) {
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *cached = Cached {
            generation: cached.generation.wrapping_add(1),
            ..Cached::default()
        };
    }
}

impl Store {
    /// The organisation as it is; `None` if the installation has not begun.
    pub(crate) fn whole_organisation(&self) -> Result<Option<Arc<Organisation>>, StoreError> {
        self.ensure_fresh()?;
        let before = {
            let cached = self.organisation.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = &cached.organisation {
                return Ok(Some(Arc::clone(known)));
            }
            cached.generation
        };
        let found = self.database.read(load::load)?;
        let Some(found) = found else { return Ok(None) };
        let found = Arc::new(found.map_err(|damage| self.database.damaged(damage))?);
        let mut cached = self
            .organisation
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if cached.generation == before {
            cached.organisation = Some(Arc::clone(&found));
        }
        Ok(Some(found))
    }

    /// The organisation as it is, for whoever may look at any of it.
    ///
    /// # Errors
    /// [`OrganisationError::OtherPermit`] if the permit is not for something of Organizations'.
    pub fn organisation<A: Action>(
        &self,
        permit: &Permit<A>,
    ) -> Result<Arc<Organisation>, OrganisationError> {
        if permit.resource().service() != "organizations" {
            return Err(OrganisationError::OtherPermit);
        }
        self.whole_organisation()?.ok_or(OrganisationError::OtherPermit)
    }

    /// The organisation that an account belongs to, and where in it the account is; `None` if there is no such account.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn organisation_facts(&self, account: AccountId) -> Result<Option<OrganisationFacts>, StoreError> {
        Ok(self.whole_organisation()?.and_then(|whole| whole.facts(account)))
    }

    /// The service control policies that bind an account's principals: one list for each level from the root to the
    /// account, on every one of which something must allow. Nothing binds the management account. A closed account and one
    /// that does not exist have one level on which nothing allows.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said; treat it as a refusal.
    pub fn service_control(&self, account: AccountId) -> Result<Vec<Vec<Attached>>, StoreError> {
        self.levels(account, PolicyType::ServiceControl)
    }

    /// The resource control policies that bind what is done with an account's resources, likewise: those of the management
    /// account nothing binds.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said; treat it as a refusal.
    pub fn resource_control(&self, account: AccountId) -> Result<Vec<Vec<Attached>>, StoreError> {
        self.levels(account, PolicyType::ResourceControl)
    }

    fn levels(&self, account: AccountId, kind: PolicyType) -> Result<Vec<Vec<Attached>>, StoreError> {
        let whole = self.whole_organisation()?;
        Ok(whole.map_or_else(|| vec![Vec::new()], |whole| whole.levels(account, kind)))
    }

    /// Whether the account exists and is not closed. Nobody of a closed account can do anything, nor can anything be done
    /// with what it has.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said; treat it as no.
    pub fn account_is_active(&self, account: AccountId) -> Result<bool, StoreError> {
        let whole = self.whole_organisation()?;
        Ok(whole.is_some_and(|whole| whole.is_active(account)))
    }

    /// The key that seals what the account stores; `None` if there is no such account.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn account_key(&self, account: AccountId) -> Result<Option<Arn>, StoreError> {
        Ok(self
            .whole_organisation()?
            .and_then(|whole| whole.key(account).cloned()))
    }

    /// Whether long-lived credentials of the account's users may exist: a service control policy that is attached to the
    /// account, the root or a unit between them allows `iam:CreateAccessKey` by that very name. The management account is
    /// no exception.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said; treat it as no.
    pub fn long_lived_credentials_allowed(&self, account: AccountId) -> Result<bool, StoreError> {
        let whole = self.whole_organisation()?;
        Ok(whole.is_some_and(|whole| whole.lets_in_long_lived(account)))
    }

    /// The accounts in which long-lived credentials may exist.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn accounts_with_long_lived_credentials(&self) -> Result<Vec<AccountId>, StoreError> {
        let whole = self.whole_organisation()?;
        Ok(whole.map_or_else(Vec::new, |whole| whole.all_that_let_in_long_lived()))
    }
}

/// The accounts in which long-lived credentials may exist, for whoever has no store open; none if that cannot be said.
pub(crate) fn letting_in_long_lived(connection: &rusqlite::Connection) -> rusqlite::Result<Vec<AccountId>> {
    let whole = load::load(connection)?.and_then(Result::ok);
    Ok(whole.map_or_else(Vec::new, |whole| whole.all_that_let_in_long_lived()))
}
