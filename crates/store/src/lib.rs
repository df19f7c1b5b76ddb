//! What moho keeps: sealed responses, and the metadata that says who may do what.
//!
//! One SQLite database in one directory. Content comes in and goes out sealed under a KmsKey, on the strength of a
//! [`Permit`](moho_iam::authz::Permit); the account is always the permit's own, so that another account's things look
//! the same as absent ones. [`Store`] is also where `kms` keeps its records and `iam` finds its policies.
//!
//! What is acknowledged is on the disk (write-ahead log, full sync). All calls block.
#![forbid(unsafe_code)]

mod bootstrap;
mod database;
mod endpoints;
mod error;
mod fresh;
pub mod iam;
pub mod identities;
pub mod keys;
mod migrations;
mod model_access;
pub mod organizations;
mod policies;
mod responses;
#[cfg(test)]
mod tests;

pub use bootstrap::{BootstrapPlan, Bootstrapped};
pub use endpoints::{ConfiguredEndpoint, EndpointCreated, EndpointRecord, NewEndpoint};
pub use error::StoreError;
pub use model_access::{
    InferenceProfile, NewInferenceProfile, ProfileMade, QuotaCounter, Tagged, UsageBucket, UsageFilter,
    UsageGroup, UsageOf, UsageRow, UsageSum, use_case_context,
};
pub use responses::response_context;

use std::path::Path;

use database::Database;
use fresh::{Changes, Freshness, Ticks};
use keys::KeyCache;
use organizations::OrganisationCache;
use policies::PolicyCache;

/// Everything that is kept, in one directory. Several processes of one machine may have it open: what one changes, the
/// others see at once, but for what decisions and uses of keys read from memory, which may be half a second behind.
pub struct Store {
    database: Database,
    /// What this process counts for itself is kept under this name.
    node: String,
    freshness: Freshness,
    policies: PolicyCache,
    organisation: OrganisationCache,
    keys: KeyCache,
}

impl Store {
    /// Opens the store in `directory`, which is made if absent, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError`] if an older moho has it open, a newer one wrote it, or it is damaged.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Self::open_as(directory, "")
    }

    /// The same for one of several processes, each of which has a name of its own that it keeps: under that it finds again
    /// what it counted for itself.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub fn open_as(directory: &Path, node: &str) -> Result<Self, StoreError> {
        Self::open_with(directory, node, Ticks::real())
    }

    fn open_with(directory: &Path, node: &str, ticks: Ticks) -> Result<Self, StoreError> {
        let database = Database::open(directory)?;
        let freshness = Freshness::new(database.another_reader()?, database.path(), ticks)?;
        Ok(Self {
            database,
            node: node.to_owned(),
            freshness,
            policies: PolicyCache::default(),
            organisation: OrganisationCache::default(),
            keys: KeyCache::default(),
        })
    }

    /// Sees to it that what is remembered may count.
    fn ensure_fresh(&self) -> Result<(), StoreError> {
        let forget = |changes: &Changes| self.forget(changes);
        self.freshness.ensure(self.database.path(), forget)
    }

    /// Sees what other processes have changed by now.
    fn renew(&self) -> Result<(), StoreError> {
        let forget = |changes: &Changes| self.forget(changes);
        self.freshness.renew(self.database.path(), forget)
    }

    fn forget(&self, changes: &Changes) {
        if changes.metadata {
            self.organisation.forget();
            self.policies.forget();
        }
        self.keys.forget(changes);
    }

    /// A number that grows whenever identities, policies, endpoints or the organisation may have changed, by whichever
    /// process, half a second later at most: for whoever remembers something made of them.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said: then nothing that is remembered may count.
    pub fn metadata_changes(&self) -> Result<u64, StoreError> {
        self.ensure_fresh()?;
        Ok(self.policies.generation())
    }

    /// Tries whether changes reach the disk, by one that changes nothing.
    ///
    /// # Errors
    /// [`StoreError`]: they do not.
    pub fn try_write(&self) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            transaction.execute(
                "UPDATE generation SET number = number WHERE kind = 'metadata'",
                [],
            )?;
            Ok(())
        })
    }
}
