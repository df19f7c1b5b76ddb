//! A thread that does to keys what their time has come for: rotations, deletions, the end of imported material.
//!
//! Nothing relies on it being in time: a key that is past its deletion, or material past its end, cannot be used anyway.
//! What was restored is left as it is until a customer has accepted it, and keys that were to be deleted meanwhile stay for a
//! day after that: their deletion may have been cancelled after the backup was made.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use moho_iam::authz::{Entry, Journal};
use moho_kms::{Due, DueKind, Kms};
use moho_terms::{Arn, Clock, Entropy, RequestId};

use super::restored::RestoredState;
use crate::road::chain;

/// How long what is due waits at most.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long it takes at most to see that what was restored is accepted.
const LOOK: Duration = Duration::from_secs(1);

/// Writes down what was done.
pub(super) struct Events {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) restored: Arc<RestoredState>,
}

/// The thread. Dropping it ends it.
pub(crate) struct KeyKeeper {
    /// Dropped first, which ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl KeyKeeper {
    /// Starts it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(kms: Arc<Kms>, events: Events) -> io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new()
            .name("key-keeper".to_owned())
            .spawn(move || {
                let mut pause = events.run(&kms);
                while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    pause = events.run(&kms);
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Events {
    /// Does what is due, unless it has to wait, and says how long until it is looked again.
    fn run(&self, kms: &Kms) -> Duration {
        if self.restored.still_waits() {
            return LOOK;
        }
        if self.postponed(kms) {
            match kms.run_due() {
                Ok(done) => done.iter().for_each(|due| self.say(due)),
                Err(error) => tracing::error!(error = %chain(&error), "which keys are due cannot be read"),
            }
        }
        INTERVAL
    }

    /// Sees to it that no key goes too soon after what was restored was accepted; `false` if that cannot be said.
    fn postponed(&self, kms: &Kms) -> bool {
        let until = match self.restored.grace() {
            Ok(Some(until)) if self.clock.now() < until => until,
            Ok(_over) => return true,
            Err(error) => {
                tracing::error!(error = %chain(&error), "when what was restored was accepted cannot be read");
                return false;
            }
        };
        match kms.postpone_deletions(until) {
            Ok(0) => true,
            Ok(keys) => {
                tracing::warn!(keys, %until, "keys that were restored are deleted a day after that was accepted");
                true
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "keys that were restored cannot be kept for a day: none is deleted");
                false
            }
        }
    }

    fn say(&self, due: &Due) {
        let key = &due.key_id;
        match &due.done {
            Ok(kinds) => {
                for kind in kinds {
                    tracing::info!(%key, done = ?kind, "a key was due");
                    if let Some(arn) = &due.key {
                        self.write_down(*kind, arn);
                    }
                }
            }
            Err(error) => {
                tracing::error!(%key, error = %chain(error), "a key was due, and it could not be done");
            }
        }
    }

    /// Writes down in the journal what was done. It is done already, so what the journal does not take is in the log alone.
    fn write_down(&self, kind: DueKind, key: &Arn) {
        let id = match RequestId::random(&*self.entropy) {
            Ok(id) => id,
            Err(error) => {
                return tracing::error!(%key, error = %chain(&error), "a key was due: it is not in the journal");
            }
        };
        let entry = Entry::of_due(id, event(kind), key.clone(), self.clock.now());
        if let Err(error) = self.journal.record(&entry) {
            tracing::error!(%key, error = %chain(&error), "a key was due: it is not in the journal");
        }
    }
}

/// What AWS calls it where it is done by itself.
fn event(kind: DueKind) -> &'static str {
    match kind {
        DueKind::Rotated => "kms:RotateKey",
        DueKind::Deleted => "kms:DeleteKey",
        DueKind::MaterialExpired => "kms:DeleteExpiredKeyMaterial",
    }
}

impl Drop for KeyKeeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It cannot panic; if it did, there is nothing left to do about it.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use moho_iam::authz::{JournalUnavailable, Outcome, Position};
    use moho_kms::KmsError;

    use super::*;
    use std::path::Path;

    use moho_kms::RootKey;
    use moho_store::{Restoration, Store};

    use crate::system::{SystemClock, SystemEntropy};

    /// Keys of a store that was restored, or not.
    fn keys(directory: &Path, is_restored: bool) -> (Kms, Arc<RestoredState>) {
        let entropy = SystemEntropy::default();
        let root = RootKey::development(&directory.join("root.key"), &entropy).unwrap();
        let (folder, trust) = (directory.join("store"), (&root, &entropy as &dyn Entropy));
        drop(Store::open(&folder, trust).unwrap());
        if is_restored {
            let now = SystemClock.now();
            let restoration = Restoration {
                id: "one".to_owned(),
                restored_at: now,
                made_at: now,
                epoch: 1,
                known_epoch: None,
                accepted: None,
            };
            Store::accept_rollback(&folder, trust, Some(&restoration)).unwrap();
        }
        let store = Arc::new(Store::open(&folder, trust).unwrap());
        let restored = Arc::new(RestoredState::of(&store).unwrap());
        let kms = Kms::new(root, store as _, Arc::new(entropy), Arc::new(SystemClock));
        (kms, restored)
    }

    fn events(pages: &Arc<Pages>, restored: &Arc<RestoredState>) -> Events {
        Events {
            journal: Arc::clone(pages) as _,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::default()),
            restored: Arc::clone(restored),
        }
    }

    #[test]
    fn as_long_as_what_was_restored_is_not_accepted_nothing_is_done() {
        for (is_restored, pause) in [(true, LOOK), (false, INTERVAL)] {
            let directory = tempfile::tempdir().unwrap();
            let (kms, restored) = keys(directory.path(), is_restored);
            assert_eq!(events(&Arc::default(), &restored).run(&kms), pause);
            assert_eq!(
                (restored.still_waits(), restored.grace().unwrap()),
                (is_restored, None)
            );
        }
    }

    #[derive(Default)]
    struct Pages(Mutex<Vec<Entry>>);

    impl Journal for Pages {
        fn record(&self, entry: &Entry) -> Result<Position, JournalUnavailable> {
            self.0.lock().unwrap().push(entry.clone());
            Ok(Position(1))
        }

        fn record_event(&self, _event: &moho_iam::authz::Event) -> Result<Position, JournalUnavailable> {
            Ok(Position(1))
        }
    }

    #[test]
    fn what_was_done_is_in_the_journal_and_what_was_not_is_not() {
        let pages = Arc::new(Pages::default());
        let directory = tempfile::tempdir().unwrap();
        let (_kms, restored) = keys(directory.path(), false);
        let events = events(&pages, &restored);
        let id = "11111111-2222-4333-8444-555555555555";
        let key: Arn = format!("arn:aws:kms:r:123456789012:key/{id}").parse().unwrap();
        let due = |done| Due {
            key_id: id.parse().unwrap(),
            key: Some(key.clone()),
            done,
        };
        events.say(&due(Ok(vec![DueKind::MaterialExpired, DueKind::Rotated])));
        events.say(&due(Err(KmsError::Conflict)));
        events.say(&due(Ok(vec![DueKind::Deleted])));
        let entries = pages.0.lock().unwrap();
        let actions: Vec<_> = entries.iter().filter_map(|entry| entry.action).collect();
        assert_eq!(
            actions,
            ["kms:DeleteExpiredKeyMaterial", "kms:RotateKey", "kms:DeleteKey"]
        );
        for entry in entries.iter() {
            assert_eq!((entry.outcome, entry.reason), (Outcome::Allow, "due"));
            assert_eq!((&entry.resource, &entry.principal), (&Some(key.clone()), &None));
        }
    }
}
