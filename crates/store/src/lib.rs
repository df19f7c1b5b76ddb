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
pub mod iam;
pub mod identities;
mod keys;
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
use organizations::OrganisationCache;
use policies::PolicyCache;

/// Everything that is kept, in one directory. One process at a time has it open.
pub struct Store {
    database: Database,
    policies: PolicyCache,
    organisation: OrganisationCache,
}

impl Store {
    /// Opens the store in `directory`, which is made if absent, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError`] if another process has it open, a newer moho wrote it, or it is damaged.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(directory)?,
            policies: PolicyCache::default(),
            organisation: OrganisationCache::default(),
        })
    }

    /// Tries whether changes reach the disk, by one that changes nothing.
    ///
    /// # Errors
    /// [`StoreError`]: they do not.
    pub fn try_write(&self) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            transaction.execute("UPDATE organisation SET created_at = created_at", [])?;
            Ok(())
        })
    }
}
