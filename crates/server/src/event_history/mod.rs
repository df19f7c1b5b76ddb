//! Events that can be looked up: what the journal has of calls, gathered into the history beside the store.
//!
//! It is gathered in the background, and before whoever looks something up is answered: an answer has all that was done before it
//! was asked for, by this process. What other processes of the same store did is there a second later.

mod kept;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use moho_audit::{AuditError, FileJournal, PastCall, RecordSeal};
use moho_iam::authz::Position;
use moho_store::{EventHistory, HistoryLookup, HistoryPage, StoreError};
use moho_terms::{Clock, Timestamp};

use crate::api_calls::Recording;

/// Events are kept for 90 days, as AWS keeps them.
pub(crate) const KEPT_SECONDS: u64 = 90 * 24 * 60 * 60;

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
    /// The journal's record of a call was not sealed with this store's secret.
    #[error("the record of the call at position {0} of the journal cannot be opened")]
    Unreadable(u64),
}

impl EventsKept {
    /// The history of the store in `directory`.
    pub(crate) fn open(
        directory: &Path,
        (journal, recording): (&Arc<FileJournal>, &Arc<Recording>),
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            history: EventHistory::open(directory)?,
            log: journal.log().trust().origin.as_str().to_owned(),
            journal: Arc::clone(journal),
            recording: Arc::clone(recording),
            clock: Arc::clone(clock),
            gathering: Mutex::new(()),
        })
    }

    /// What opens the records of events.
    pub(crate) fn seal(&self) -> &RecordSeal {
        &self.recording.seal
    }

    /// Gathers some of what the journal has more, as far as that is published: how many events, and whether there may be more.
    pub(crate) fn gather(&self) -> Result<(u64, bool), EventsError> {
        let _alone = self.gathering.lock().unwrap_or_else(PoisonError::into_inner);
        let after = self.history.gathered(&self.log)?;
        let found = self.journal.log().calls(Position(after))?;
        if found.until == after {
            return Ok((0, false));
        }
        let oldest = self.oldest();
        let mut events = Vec::new();
        for call in &found.calls {
            let records = call
                .records(self.seal())
                .ok_or(EventsError::Unreadable(call.position))?;
            events.extend(kept::events(call, &records, oldest));
        }
        self.history.keep(&self.log, found.until, &events)?;
        let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
        Ok((count, true))
    }

    /// Removes some of what is too old; whether there may be more.
    pub(crate) fn forget(&self) -> Result<bool, EventsError> {
        Ok(self.history.forget_before(self.oldest())?)
    }

    /// Ends when all that was done before can be looked up.
    pub(crate) async fn caught_up(self: &Arc<Self>) -> Result<(), EventsError> {
        let last = self.journal.last();
        self.journal.log().published(last).await?;
        let kept = Arc::clone(self);
        let caught_up = tokio::task::spawn_blocking(move || {
            while kept.history.gathered(&kept.log)? < last.0 {
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
    Some(PastCall {
        position: event.position,
        event_id: event.seal_id.parse().ok()?,
        recipients: vec![event.account],
        sealed: event.sealed.clone(),
    })
}
