//! Whether an installation that was restored waits for a customer to accept that. Until one has, nothing is served but what
//! it takes to come in and to accept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moho_iam::authz::{Entry, Journal};
use moho_store::{Bootstrapped, Store, StoreError, restoration_arn};
use moho_terms::{Clock, Entropy, RequestId, Stopwatch, Timestamp};
use moho_wire::{Command, Failure};

use super::StartupError;
use super::watched::WatchedJournal;
use crate::road::from_store;
use crate::system::SystemStopwatch;

/// How long after a look another one is taken, while it waits: another process on the store may have been told.
const LOOK: Duration = Duration::from_millis(500);
/// Seconds after the acceptance in which customers can say again what they had said since the backup.
const GRACE: u64 = 86_400;

/// What was restored and is not accepted.
pub(crate) struct RestoredState {
    waits: AtomicBool,
    store: Arc<Store>,
    watch: SystemStopwatch,
    looked: Mutex<Duration>,
}

impl RestoredState {
    /// As the store has it.
    pub(super) fn of(store: &Arc<Store>) -> Result<Self, StoreError> {
        let watch = SystemStopwatch::start();
        let looked = Mutex::new(watch.elapsed());
        Ok(Self {
            waits: AtomicBool::new(store.awaits_acceptance()?),
            store: Arc::clone(store),
            watch,
            looked,
        })
    }

    /// What the start-up lines have to say of it, which is in the journal, too.
    pub(super) fn started(
        &self,
        journal: &WatchedJournal,
        (first, clock, entropy): (&Bootstrapped, &dyn Clock, &dyn Entropy),
    ) -> Result<Option<String>, StartupError> {
        let Some(last) = self.store.restoration()?.filter(|last| last.accepted.is_none()) else {
            return Ok(None);
        };
        let named = restoration_arn(first.region.as_str(), first.account.as_str(), &last.id)?;
        let request = RequestId::random(entropy)?;
        let entry = Entry::of_installation(request, ("moho:StartRestored", "restored"), named, clock.now());
        journal.record(&entry)?;
        Ok(Some(format!(
            "RESTORED from a backup made at {}: nothing is served until a principal of account {} accepts restore {} \
             (POST /v1/restore/accept)",
            last.made_at, first.account, last.id
        )))
    }

    /// Whether nothing may be served.
    pub(crate) fn waits(&self) -> bool {
        // Nothing is restored while a process uses the store: what was accepted once stays so here.
        self.waits.load(Ordering::Acquire)
    }

    /// Looks whether it was accepted.
    pub(crate) fn look(&self, store: &Store) -> Result<(), StoreError> {
        self.waits.store(store.awaits_acceptance()?, Ordering::Release);
        Ok(())
    }

    /// Whether a command may be carried out now.
    pub(crate) fn check(&self, command: &Command) -> Result<(), Failure> {
        let leads_in = matches!(
            command,
            Command::Sts(_) | Command::GetRestore | Command::AcceptRestore(_)
        );
        if leads_in {
            return Ok(());
        }
        self.check_any()
    }

    /// Whether anything else may be.
    pub(crate) fn check_any(&self) -> Result<(), Failure> {
        if !self.waits() {
            return Ok(());
        }
        if self.is_time() {
            self.look(&self.store).map_err(|error| from_store(&error))?;
        }
        if self.waits() {
            Err(Failure::Restored)
        } else {
            Ok(())
        }
    }

    /// Whether nothing may be done yet by those who ask now and then: looks at the store, too.
    pub(crate) fn still_waits(&self) -> bool {
        self.check_any().is_err()
    }

    /// Until when nothing goes that somebody may have said should stay after the backup was made; `None` if nothing was
    /// restored.
    pub(crate) fn grace(&self) -> Result<Option<Timestamp>, StoreError> {
        let accepted = self.store.restoration()?.and_then(|last| last.accepted);
        Ok(accepted.map(|(at, _by)| at.plus_seconds(GRACE)))
    }

    fn is_time(&self) -> bool {
        let now = self.watch.elapsed();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let due = now.saturating_sub(*looked) >= LOOK;
        if due {
            *looked = now;
        }
        due
    }
}
