//! The journal, and whether it takes entries: a moho that may not act should not be sent requests.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moho_audit::{AuditError, FileJournal};
use moho_iam::authz::{Entry, Event, EventIdentity, EventKind, Journal, JournalUnavailable, Position};
use moho_store::Store;
use moho_terms::{Clock, Entropy, RequestId};

use super::key_use::KeyUse;
use super::last_use::LastUse;
use crate::road::chain;

/// Seconds for which a refusal counts, unless an entry is taken before; afterwards the next request has to try.
const REFUSAL: u64 = 30;
/// No refusal since the last entry.
const NEVER: u64 = 0;
/// A refusal that no try will mend.
const FOR_EVER: u64 = u64::MAX;

/// A journal that remembers when it refused an entry.
pub(crate) struct WatchedJournal {
    journal: Box<dyn Journal>,
    /// Its file, which records are waited for to be in.
    file: Option<Arc<FileJournal>>,
    clock: Arc<dyn Clock>,
    /// The second of the last refusal.
    refused: AtomicU64,
    /// Who hears of every entry.
    listeners: Option<(Arc<LastUse>, Arc<KeyUse>)>,
}

impl WatchedJournal {
    pub(crate) fn new(journal: Box<dyn Journal>, clock: Arc<dyn Clock>) -> Self {
        Self {
            journal,
            file: None,
            clock,
            refused: AtomicU64::new(NEVER),
            listeners: None,
        }
    }

    /// A journal file, and what watches it.
    pub(super) fn over(
        file: FileJournal,
        clock: &Arc<dyn Clock>,
        last_use: &Arc<LastUse>,
    ) -> (Arc<FileJournal>, Arc<Self>, Arc<KeyUse>) {
        let key_use = Arc::new(KeyUse::new(clock.now()));
        let file = Arc::new(file);
        let held = Box::new(Held(Arc::clone(&file)));
        let watched = Self {
            file: Some(Arc::clone(&file)),
            listeners: Some((Arc::clone(last_use), Arc::clone(&key_use))),
            ..Self::new(held, Arc::clone(clock))
        };
        (file, Arc::new(watched), key_use)
    }

    /// Whether it takes entries, as far as is known.
    pub(crate) fn works(&self) -> bool {
        match self.refused.load(Ordering::Relaxed) {
            NEVER => true,
            FOR_EVER => false,
            second => self.clock.now().unix_seconds().saturating_sub(second) >= REFUSAL,
        }
    }

    /// Ends when all that was written down before is on the disk: not a byte of what it is about may leave before that.
    ///
    /// # Errors
    /// [`JournalUnavailable`] if nobody can tell any more whether it is.
    pub(crate) async fn settled(&self) -> Result<(), JournalUnavailable> {
        let Some(file) = &self.file else { return Ok(()) };
        let settled = file.settled().await.map_err(JournalUnavailable::new);
        if settled.is_err() {
            self.refused.store(FOR_EVER, Ordering::Relaxed);
        }
        settled
    }

    fn remember(&self, recorded: &Result<Position, JournalUnavailable>) {
        let refused = match recorded {
            Ok(_position) => NEVER,
            Err(unavailable) if lost(unavailable) => FOR_EVER,
            Err(_unavailable) => self.clock.now().unix_seconds(),
        };
        self.refused.store(refused, Ordering::Relaxed);
    }
}

impl Journal for WatchedJournal {
    fn record(&self, entry: &Entry) -> Result<Position, JournalUnavailable> {
        let recorded = self.journal.record(entry);
        self.remember(&recorded);
        if let (Ok(position), Some((last_use, key_use))) = (&recorded, &self.listeners) {
            last_use.written(entry, *position);
            key_use.written(entry);
        }
        recorded
    }

    fn record_event(&self, event: &Event) -> Result<Position, JournalUnavailable> {
        let recorded = self.journal.record_event(event);
        self.remember(&recorded);
        recorded
    }
}

/// Has it written down whenever a row of the store is read that is not as it was written.
pub(super) fn watch_rows(
    store: &Store,
    journal: &Arc<WatchedJournal>,
    (clock, entropy): (&Arc<dyn Clock>, &Arc<dyn Entropy>),
) {
    // The store would keep the journal, which keeps the store.
    let journal = Arc::downgrade(journal);
    let (clock, entropy) = (Arc::clone(clock), Arc::clone(entropy));
    store.tell_of_alterations(Box::new(move |alteration| {
        let Some(journal) = journal.upgrade() else { return };
        let written = RequestId::random(&*entropy).map_err(JournalUnavailable::new);
        let written = written.and_then(|id| {
            let identity = EventIdentity::of_service("moho", None);
            let found = (EventKind::Finding, "AlteredRow");
            let mut event = Event::new(found, id, identity, clock.now());
            event.read_only = true;
            event.damage = Some(alteration.to_string());
            journal.record_event(&event)
        });
        if let Err(error) = written {
            tracing::error!(error = %chain(&error), "a row that was altered is not in the journal");
        }
    }));
}

/// The journal file, for one of several that hold it.
struct Held(Arc<FileJournal>);

impl Journal for Held {
    fn record(&self, entry: &Entry) -> Result<Position, JournalUnavailable> {
        self.0.record(entry)
    }

    fn record_event(&self, event: &Event) -> Result<Position, JournalUnavailable> {
        self.0.record_event(event)
    }
}

/// Whether nothing will be written before moho starts again.
fn lost(unavailable: &JournalUnavailable) -> bool {
    let cause = unavailable
        .source()
        .and_then(|cause| cause.downcast_ref::<AuditError>());
    matches!(cause, Some(AuditError::NotDurable))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use moho_iam::authz::Outcome;
    use moho_terms::Timestamp;

    use super::*;

    /// Refuses every entry for one reason, until there is none.
    pub(crate) struct Refusing(pub(crate) Mutex<Vec<AuditError>>);

    impl Journal for Refusing {
        fn record(&self, _entry: &Entry) -> Result<Position, JournalUnavailable> {
            match self.0.lock().unwrap().pop() {
                Some(error) => Err(JournalUnavailable::new(error)),
                None => Ok(Position(1)),
            }
        }

        fn record_event(&self, _event: &Event) -> Result<Position, JournalUnavailable> {
            self.record(&entry())
        }
    }

    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_seconds(self.0.load(Ordering::Relaxed))
        }
    }

    pub(crate) fn entry() -> Entry {
        Entry {
            time: Timestamp::from_unix_seconds(1),
            request_id: RequestId::random(&crate::system::SystemEntropy::default()).unwrap(),
            outcome: Outcome::Unauthenticated,
            reason: "missing",
            principal: None,
            account: None,
            access_key_id: None,
            scheme: None,
            action: None,
            resource: None,
            policy: None,
            statement: None,
            source_identity: None,
            endpoint: None,
            source_ip: None,
            peer_uid: None,
            client_certificate_sha256: None,
            user_agent_sha256: None,
            error_code: None,
            via_service: None,
            further: None,
            told: None,
        }
    }

    #[test]
    fn a_refusal_is_remembered_until_an_entry_is_taken() {
        let full = || AuditError::DiskFull("journal".into());
        let reasons = vec![AuditError::NotDurable, full(), full()];
        let clock = Arc::new(Hand(AtomicU64::new(1_000)));
        let journal = WatchedJournal::new(Box::new(Refusing(Mutex::new(reasons))), Arc::clone(&clock) as _);
        assert!(journal.works());
        assert!(journal.record(&entry()).is_err());
        assert!(!journal.works());
        clock.0.fetch_add(REFUSAL, Ordering::Relaxed);
        assert!(journal.works(), "somebody has to try again");
        assert!(journal.record(&entry()).is_err() && !journal.works());
        assert!(journal.record(&entry()).is_err());
        clock.0.fetch_add(REFUSAL, Ordering::Relaxed);
        assert!(!journal.works(), "entries are lost");
        assert!(journal.record(&entry()).is_ok() && journal.works());
    }
}
