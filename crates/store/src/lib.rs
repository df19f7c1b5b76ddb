//! What moho keeps: sealed responses, and the metadata that says who may do what.
//!
//! One SQLite database in one directory. Content comes in and goes out sealed under a KmsKey, on the strength of a
//! [`Permit`](moho_iam::authz::Permit); the account is always the permit's own, so that another account's things look
//! the same as absent ones. [`Store`] is also where `kms` keeps its records and `iam` finds its policies.
//!
//! What is acknowledged is on the disk (write-ahead log, full sync). All calls block.
#![forbid(unsafe_code)]

mod authentic;
pub mod backup;
mod bootstrap;
mod conversations;
mod database;
mod endpoints;
mod error;
mod event_history;
mod fresh;
mod group;
#[doc(hidden)]
pub mod hostile_input;
pub mod iam;
pub mod identities;
pub mod invocations;
pub mod keys;
pub mod logs;
mod migrations;
mod model_access;
pub mod objects;
pub mod organizations;
mod policies;
mod prompts;
mod responses;
mod restorations;
mod retention;
mod sweeping;
#[cfg(test)]
mod tests;
pub mod trails;

pub use authentic::{Alteration, HearsAlterations, Rollback, Scrub};
pub use bootstrap::{BootstrapPlan, Bootstrapped};
pub use conversations::{
    Appended, ConversationFacts, ItemPage, KeptItem, NewConversation, NewItem, NewTurn, conversation_context,
};
pub use endpoints::{ConfiguredEndpoint, EndpointCreated, EndpointRecord, NewEndpoint};
pub use error::{NotWrittenDown, PlaceProblem, StoreError};
pub use event_history::{EventHistory, HistoryAttribute, HistoryLookup, HistoryPage, KeptEvent};
pub use model_access::{
    InferenceProfile, NewInferenceProfile, ProfileMade, QuotaCounter, Tagged, UsageBucket, UsageFilter,
    UsageGroup, UsageOf, UsageRow, UsageSum, use_case_context,
};
pub use prompts::{
    NewPrompt, NewPromptVersion, PromptChange, PromptChanged, PromptFacts, PromptMade, PromptVersionMade,
    prompt_context, prompt_of,
};
pub use responses::{NewResponse, response_context};
pub use restorations::{Restoration, restoration_arn};
pub use retention::{Erased, Expired, Expiry, KeptContent, KeptKind, Retention, WriteExpiries};

use std::path::Path;
use std::sync::Arc;

use moho_kms::RootKey;
use moho_terms::{Entropy, Secret};

use database::Database;
use fresh::{Changes, Freshness, Ticks};
use keys::KeyCache;
use objects::{Held, LocalSegments, Segments};
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
    segments: Arc<dyn Segments>,
    held: Arc<Held>,
}

impl Store {
    /// Opens the store in `directory`, which is made if absent, brings its schema up to date, and compares it with what the
    /// root of trust says was written last.
    ///
    /// # Errors
    /// [`StoreError`] if an older moho has it open, a newer one wrote it, or it is damaged; [`StoreError::Altered`] and
    /// [`StoreError::RolledBack`] if somebody else has changed it.
    pub fn open(directory: &Path, trust: (&RootKey, &dyn Entropy)) -> Result<Self, StoreError> {
        Self::open_as(directory, "", trust)
    }

    /// The same for one of several processes, each of which has a name of its own that it keeps: under that it finds again
    /// what it counted for itself.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub fn open_as(
        directory: &Path,
        node: &str,
        trust: (&RootKey, &dyn Entropy),
    ) -> Result<Self, StoreError> {
        Self::open_with(directory, (node, Ticks::real()), trust)
    }

    fn open_with(
        directory: &Path,
        (node, ticks): (&str, Ticks),
        trust: (&RootKey, &dyn Entropy),
    ) -> Result<Self, StoreError> {
        let database = Database::open(directory, trust)?;
        let freshness = Freshness::new(database.another_reader()?, database.path(), ticks)?;
        let segments = LocalSegments::open(directory.join("objects"))?;
        Ok(Self {
            database,
            node: node.to_owned(),
            freshness,
            policies: PolicyCache::default(),
            organisation: OrganisationCache::default(),
            keys: KeyCache::default(),
            segments: Arc::new(segments),
            held: Arc::default(),
        })
    }

    /// The name under which this process keeps what it counts for itself.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Sees to it that what is remembered may count.
    fn ensure_fresh(&self) -> Result<(), StoreError> {
        let forget = |changes: &Changes| self.forget(changes);
        self.freshness.ensure(&self.database, forget)
    }

    /// Sees what other processes have changed by now.
    fn renew(&self) -> Result<(), StoreError> {
        let forget = |changes: &Changes| self.forget(changes);
        self.freshness.renew(&self.database, forget)
    }

    fn forget(&self, changes: &Changes) {
        if changes.metadata {
            self.organisation.forget();
            self.policies.forget();
        }
        self.keys.forget(changes);
    }

    /// Goes on with the store in `directory` though it is an earlier one than the last that was seen, or its anchor is gone:
    /// from now on it is the last one. Whoever calls this has the consent of those whose store it is, and says so in the journal.
    /// With a `restoration` it becomes the last one only together with that, which somebody has to accept.
    ///
    /// # Errors
    /// [`StoreError`] if it was altered besides, or somebody has it open.
    pub fn accept_rollback(
        directory: &Path,
        trust: (&RootKey, &dyn Entropy),
        restoration: Option<&Restoration>,
    ) -> Result<Rollback, StoreError> {
        Database::accept_rollback(directory, trust, &|connection| {
            restoration.map_or(Ok(()), |restoration| {
                restorations::insert(connection, restoration)
            })
        })
    }

    /// Compares some more rows with what was written, all of them in the end: calls until [`Scrub::is_done`], at whatever
    /// pace, find out everything that was altered, removed or put in.
    ///
    /// # Errors
    /// [`StoreError::Altered`] and [`StoreError::RolledBack`]; whoever goes on with the same scrub begins anew.
    pub fn scrub(&self, scrub: &mut Scrub) -> Result<(), StoreError> {
        self.database
            .read(|connection| self.database.authentic().scrub(connection, scrub))
    }

    /// The version of the schema that this store had when it was first authenticated, from what was there: that was trusted
    /// unseen. `None` if it was authenticated before, or began empty.
    #[must_use]
    pub fn adopted(&self) -> Option<u32> {
        self.database.authentic().adopted()
    }

    /// What the keys of the transparency logs of those who use this store follow from: a secret of its own, which a rotation of
    /// the root leaves as it is, and which comes along with a backup.
    #[must_use]
    pub fn log_secret(&self) -> Secret {
        self.database.authentic().log_secret()
    }

    /// What the keys of CloudTrail's records follow from: a secret of its own as well.
    #[must_use]
    pub fn records_secret(&self) -> Secret {
        self.database.authentic().records_secret()
    }

    /// Lets somebody hear, before whoever reads it does, of every row that is not as it was written. The first one stays; it may
    /// not ask this store for anything.
    pub fn tell_of_alterations(&self, hears: HearsAlterations) {
        self.database.authentic().tell_of_alterations(hears);
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
