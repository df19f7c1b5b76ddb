//! A history that is damaged is made anew: all of it follows from the journals.

use std::sync::{MutexGuard, PoisonError};

use moho_iam::authz::{Event, EventIdentity, EventKind, Journal as _};
use moho_store::StoreError;
use moho_terms::{RequestId, Timestamp};

use super::{EventsError, EventsKept};
use crate::road::chain;

/// At most once in so many seconds: a disk that damages it again and again shall not have all of the journal read all the time.
const EACH: u64 = 10 * 60;

/// How often the history was made anew, and when last.
#[derive(Default)]
pub(super) struct MadeAnew {
    times: u64,
    last: Option<Timestamp>,
}

impl EventsKept {
    /// Does something with the history; `None` if it was damaged, and is made anew: then it is empty, and all is gathered again.
    pub(crate) fn mending<T>(
        &self,
        act: impl FnOnce() -> Result<T, EventsError>,
    ) -> Result<Option<T>, EventsError> {
        let seen = self.made_anew().times;
        match act() {
            Ok(done) => Ok(Some(done)),
            Err(error) => match damage(&error) {
                Some(damage) if self.mend(&damage, seen)? => Ok(None),
                Some(_) | None => Err(error),
            },
        }
    }

    /// Makes it anew, unless that was done since it had been made anew so many times; `false` if it was done too short ago.
    fn mend(&self, damage: &str, seen: u64) -> Result<bool, EventsError> {
        let mut anew = self.made_anew();
        if anew.times != seen {
            return Ok(true);
        }
        let now = self.clock.now();
        if anew.last.is_some_and(|last| now < last.plus_seconds(EACH)) {
            return Ok(false);
        }
        self.history.make_anew()?;
        *anew = MadeAnew {
            times: seen.saturating_add(1),
            last: Some(now),
        };
        drop(anew);
        self.tell(damage);
        Ok(true)
    }

    /// Tells that it is damaged.
    pub(super) fn tell(&self, damage: &str) {
        tracing::error!(
            damage,
            "the history of events is damaged: it is made anew from the journal. Check the disk"
        );
        let Ok(id) = RequestId::random(&*self.recording.entropy) else {
            return;
        };
        let identity = EventIdentity::of_service("moho", None);
        let what = (EventKind::Finding, "EventHistoryDamaged");
        let mut event = Event::new(what, id, identity, self.clock.now());
        event.read_only = true;
        event.damage = Some(damage.to_owned());
        if let Err(error) = self.recording.journal.record_event(&event) {
            tracing::error!(error = %chain(&error), "that the history of events is damaged is not in the journal");
        }
    }

    fn made_anew(&self) -> MutexGuard<'_, MadeAnew> {
        self.anew.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of the history is not as it was written: the file, or the sealed record of an event in it.
fn damage(error: &EventsError) -> Option<String> {
    match error {
        EventsError::Store(StoreError::Corrupt { path, .. }) => Some(format!(
            "`{}` is not as it was written, and is made anew",
            path.display()
        )),
        EventsError::Unreadable(_) => Some(error.to_string()),
        EventsError::Store(_) | EventsError::Journal(_) | EventsError::Late => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};

    use moho_audit::{FileJournal, LogKeys, RecordSeal};
    use moho_iam::authz::{Entry, Journal, JournalUnavailable, Position};
    use moho_terms::{Clock, Secret};

    use super::*;
    use crate::api_calls::Recording;
    use crate::startup::watched::WatchedJournal;
    use crate::system::SystemEntropy;

    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_seconds(self.0.load(Ordering::SeqCst))
        }
    }

    struct Pages(Arc<Mutex<Vec<Event>>>);

    impl Journal for Pages {
        fn record(&self, _entry: &Entry) -> Result<Position, JournalUnavailable> {
            Ok(Position(1))
        }

        fn record_event(&self, event: &Event) -> Result<Position, JournalUnavailable> {
            self.0.lock().unwrap().push(event.clone());
            Ok(Position(1))
        }
    }

    #[test]
    fn a_history_that_is_damaged_again_and_again_is_made_anew_now_and_then() {
        let directory = tempfile::tempdir().unwrap();
        let hand = Arc::new(Hand(AtomicU64::new(1_795_312_800)));
        let clock: Arc<dyn Clock> = Arc::clone(&hand) as _;
        let told = Arc::new(Mutex::default());
        let pages = Box::new(Pages(Arc::clone(&told)));
        let recording = Arc::new(Recording {
            journal: Arc::new(WatchedJournal::new(pages, Arc::clone(&clock))),
            seal: RecordSeal::new(&Secret::new(vec![7; 32])),
            entropy: Arc::new(SystemEntropy::default()),
            region: "moho-local-1".parse().unwrap(),
        });
        let keys = LogKeys::new(Secret::new(vec![7; 32]), [1; 16]);
        let (file, _) = FileJournal::open(&directory.path().join("journal"), &keys).unwrap();
        let file = Arc::new(file);
        let kept = EventsKept::open(directory.path(), (&file, &recording), &clock).unwrap();
        let damaged = || kept.mending(|| Err::<(), _>(EventsError::Unreadable(7)));
        assert!(matches!(kept.mending(|| Ok(1)), Ok(Some(1))));
        let late = kept.mending(|| Err::<(), _>(EventsError::Late));
        assert!(matches!(late, Err(EventsError::Late)));
        for round in 1..=3 {
            kept.history.keep(&kept.log, round, &[]).unwrap();
            assert!(matches!(damaged(), Ok(None)));
            assert_eq!(kept.gathered().unwrap(), 0);
            for _ in 0..3 {
                assert!(matches!(damaged(), Err(EventsError::Unreadable(7))));
            }
            hand.0.fetch_add(EACH, Ordering::SeqCst);
        }
        // Whoever met the damage at the same time as another asks again.
        let twice = kept.mending(|| {
            assert!(matches!(damaged(), Ok(None)));
            Err::<(), _>(EventsError::Unreadable(8))
        });
        assert!(matches!(twice, Ok(None)));
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 4);
        let said = told.iter().all(|event| {
            (event.kind, event.event) == (EventKind::Finding, "EventHistoryDamaged")
                && event
                    .damage
                    .as_deref()
                    .is_some_and(|damage| damage.contains("position 7"))
        });
        assert!(said, "{told:?}");
    }
}
