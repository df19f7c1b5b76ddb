//! Events that can be looked up: what the journal has of calls, gathered into the history beside the store.
//!
//! It is gathered in the background, and before whoever looks something up is answered: an answer has all that was done before it
//! was asked for, by this process. What other processes of the same store did is there a second later. Where it is damaged it is made
//! anew: then it takes as long as it takes to read the journals again until all is there.

mod kept;
mod mending;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use kept::user_name;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moho_audit::{AuditError, FileJournal, PastCall, RecordSeal};
use moho_iam::authz::Position;
use moho_store::{EventHistory, HistoryLookup, HistoryPage, StoreError};
use moho_terms::{Clock, Timestamp};
use tokio::sync::Semaphore;

use self::mending::MadeAnew;
use crate::api_calls::Recording;

/// Events are kept for 90 days, as AWS keeps them.
pub(crate) const KEPT_SECONDS: u64 = 90 * 24 * 60 * 60;

/// How long it is waited until all that was done before is published: with witnesses that takes ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The history, and the journal that it follows from.
pub(crate) struct EventsKept {
    history: EventHistory,
    journal: Arc<FileJournal>,
    recording: Arc<Recording>,
    clock: Arc<dyn Clock>,
    /// What the journal's log is called.
    log: String,
    /// One gathers at a time.
    gathering: Mutex<()>,
    /// One gathers for all who wait until it is done: its place.
    gatherer: Arc<Semaphore>,
    /// When it was made anew.
    anew: Mutex<MadeAnew>,
}

/// Events cannot be gathered or looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EventsError {
    /// The history says no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal says no.
    #[error(transparent)]
    Journal(#[from] AuditError),
    /// The record of an event is not what was sealed for the account.
    #[error("the record of the call at position {0} of the journal cannot be opened")]
    Unreadable(u64),
    /// What was done before is not published in time.
    #[error("the journal is not published in time")]
    Late,
}

impl EventsKept {
    /// The history of the store in `directory`.
    pub(crate) fn open(
        directory: &Path,
        (journal, recording): (&Arc<FileJournal>, &Arc<Recording>),
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let kept = Self {
            history: EventHistory::open(directory)?,
            log: journal.log().trust().origin.as_str().to_owned(),
            journal: Arc::clone(journal),
            recording: Arc::clone(recording),
            clock: Arc::clone(clock),
            gathering: Mutex::new(()),
            gatherer: Arc::new(Semaphore::new(1)),
            anew: Mutex::default(),
        };
        if kept.history.was_damaged() {
            kept.tell("it is no database that can be used");
        }
        Ok(kept)
    }

    /// What opens the records of events.
    pub(crate) fn seal(&self) -> &RecordSeal {
        &self.recording.seal
    }

    /// Gathers some of what the journal has more, as far as that is published. What was sealed with another store's secret, which a
    /// journal beside a restored store has, is counted and passed over.
    pub(crate) fn gather(&self) -> Result<Gathered, EventsError> {
        let gathered = self.mending(|| self.gather_some())?;
        Ok(gathered.unwrap_or_else(|| Gathered {
            more: true,
            ..Gathered::default()
        }))
    }

    fn gather_some(&self) -> Result<Gathered, EventsError> {
        let _alone = self.gathering.lock().unwrap_or_else(PoisonError::into_inner);
        let after = self.history.gathered(&self.log)?;
        let found = self.journal.log().calls(Position(after))?;
        if found.until == after {
            return Ok(Gathered::default());
        }
        let oldest = self.oldest();
        let (mut events, mut unreadable) = (Vec::new(), 0_u64);
        for call in &found.calls {
            match call.records(self.seal()) {
                Some(records) => events.extend(kept::events(call, &records, oldest)),
                None => unreadable = unreadable.saturating_add(1),
            }
        }
        if unreadable > 0 {
            tracing::warn!(
                records = unreadable,
                before = found.until,
                "records of calls in the journal are of another store: they cannot be looked up"
            );
        }
        self.history.keep(&self.log, found.until, &events)?;
        Ok(Gathered {
            events: u64::try_from(events.len()).unwrap_or(u64::MAX),
            unreadable,
            more: true,
        })
    }

    /// Removes some of what is too old; whether there may be more.
    pub(crate) fn forget(&self) -> Result<bool, EventsError> {
        let forgotten = self.mending(|| Ok(self.history.forget_before(self.oldest())?))?;
        Ok(forgotten.unwrap_or_default())
    }

    /// Up to which record of the journal it has all events.
    fn gathered(&self) -> Result<u64, EventsError> {
        let gathered = self.mending(|| Ok(self.history.gathered(&self.log)?))?;
        Ok(gathered.unwrap_or_default())
    }

    /// Ends when all that was done before can be looked up. Who waits holds no thread, and mostly finds it gathered for another.
    pub(crate) async fn caught_up(self: &Arc<Self>) -> Result<(), EventsError> {
        let last = self.journal.last();
        let published = self.journal.log().published(last);
        let published = tokio::time::timeout(PATIENCE, published).await;
        published.map_err(|_late| EventsError::Late)??;
        let place = Arc::clone(&self.gatherer).acquire_owned().await;
        let kept = Arc::clone(self);
        let caught_up = tokio::task::spawn_blocking(move || {
            // Until it is done, also for whoever does not wait for it.
            let _place = place;
            while kept.gathered()? < last.0 {
                kept.gather()?;
            }
            Ok(())
        });
        caught_up
            .await
            .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    /// Looks events up.
    pub(crate) fn look_up(&self, lookup: &HistoryLookup) -> Result<HistoryPage, EventsError> {
        let oldest = self.oldest();
        let from = lookup.from.map_or(oldest, |from| from.max(oldest));
        Ok(self.history.look_up(&HistoryLookup {
            from: Some(from),
            ..lookup.clone()
        })?)
    }

    /// The call at a position of the journal.
    pub(crate) fn oldest(&self) -> Timestamp {
        let now = self.clock.now().unix_seconds();
        Timestamp::from_unix_seconds(now.saturating_sub(KEPT_SECONDS))
    }
}

/// The sealed record of an event as it was kept.
pub(crate) fn past(event: &moho_store::KeptEvent) -> Option<PastCall> {
    let recipients = event.recipients.split(',').map(str::parse);
    Some(PastCall {
        position: event.position,
        event_id: event.seal_id.parse().ok()?,
        recipients: recipients.collect::<Result<_, _>>().ok()?,
        sealed: event.sealed.clone(),
    })
}

/// What was gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Gathered {
    /// How many events.
    pub(crate) events: u64,
    /// How many records of calls could not be opened.
    pub(crate) unreadable: u64,
    /// Whether there may be more.
    pub(crate) more: bool,
}
