//! Whether an installation that was restored waits for a customer to accept that. Until one has, nothing is served but what
//! it takes to come in and to accept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moho_audit::{FileJournal, Recovery};
use moho_iam::authz::{Entry, Journal};
use moho_store::{Bootstrapped, Store, StoreError, restoration_arn};
use moho_terms::{Arn, Clock, Entropy, RequestId, Stopwatch, Timestamp};
use moho_wire::{Command, Failure};

use super::StartupError;
use super::watched::WatchedJournal;
use crate::road::from_store;
use crate::system::SystemStopwatch;

/// How long after a look another one is taken, while it waits: another process on the store may have been told.
const LOOK: Duration = Duration::from_millis(500);
/// Seconds after the acceptance in which customers can say again what they had said since the backup.
const GRACE: u64 = 86_400;

/// Who is told of at the start, when, and by which ids.
type AtStart<'a> = (&'a Bootstrapped, &'a dyn Clock, &'a dyn Entropy);

/// That what an earlier version had kept was taken for what it had written, which is in the journal, too.
pub(super) fn adopted(
    version: Option<u32>,
    journal: &dyn Journal,
    (first, clock, entropy): AtStart<'_>,
) -> Result<Option<String>, StartupError> {
    let Some(version) = version else {
        return Ok(None);
    };
    let place = (first.region.as_str(), first.account.as_str());
    let named = Arn::of(
        "moho",
        place.0,
        place.1,
        &format!("store/schema-version-{version}"),
    );
    let request = RequestId::random(entropy)?;
    let what = ("moho:AdoptStore", "first-trust");
    let named = named.map_err(StoreError::from)?;
    journal.record(&Entry::of_installation(request, what, named, clock.now()))?;
    Ok(Some(format!(
        "the store is of schema version {version}, before stores were authenticated: what it holds was trusted as it is, \
         and is authenticated from now on"
    )))
}

/// That the journal's records are in a new log, as it came without the name and the checkpoint of one, which is in the journal, too:
/// whoever watched the log of before sees that it ended.
pub(super) fn log_begun(
    (file, recovery): (&FileJournal, &Recovery),
    journal: &dyn Journal,
    (first, clock, entropy): AtStart<'_>,
) -> Result<Option<String>, StartupError> {
    if !recovery.new_log || recovery.records == 0 {
        return Ok(None);
    }
    let origin = file.log().trust().origin;
    let id = origin.as_str().trim_start_matches("moho/");
    let named = Arn::of("moho", first.region.as_str(), first.account.as_str(), id);
    let request = RequestId::random(entropy)?;
    let what = ("moho:BeginLog", "new-log");
    let named = named.map_err(StoreError::from)?;
    journal.record(&Entry::of_installation(request, what, named, clock.now()))?;
    Ok(Some(format!(
        "the journal came without the name of its log: its {} records are in a new one, {}",
        recovery.records,
        origin.as_str()
    )))
}

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
        (first, clock, entropy): AtStart<'_>,
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

#[cfg(test)]
mod tests {
    use moho_iam::authz::{Event, JournalUnavailable, Position};

    use super::*;
    use crate::system::{SystemClock, SystemEntropy};

    #[derive(Default)]
    struct Pages(Mutex<Vec<Entry>>);

    impl Journal for Pages {
        fn record(&self, entry: &Entry) -> Result<Position, JournalUnavailable> {
            self.0.lock().unwrap().push(entry.clone());
            Ok(Position(1))
        }

        fn record_event(&self, _event: &Event) -> Result<Position, JournalUnavailable> {
            Ok(Position(1))
        }
    }

    fn first() -> Bootstrapped {
        Bootstrapped {
            organisation: "o-exampleorgid".to_owned(),
            root: "r-abcd".parse().unwrap(),
            account: "123456789012".parse().unwrap(),
            region: "moho-local-1".parse().unwrap(),
            account_key: "arn:aws:kms:moho-local-1:123456789012:key/k".parse().unwrap(),
        }
    }

    #[test]
    fn the_first_trust_in_an_older_store_is_in_the_journal() {
        let first = first();
        let (pages, entropy) = (Pages::default(), SystemEntropy::default());
        let at_start: AtStart<'_> = (&first, &SystemClock, &entropy);
        assert!(adopted(None, &pages, at_start).unwrap().is_none());
        let told = adopted(Some(8), &pages, at_start).unwrap();
        assert!(told.is_some_and(|told| told.contains("schema version 8")));
        let entries = pages.0.lock().unwrap();
        let [entry] = entries.as_slice() else {
            panic!("one entry")
        };
        assert_eq!(
            (entry.action, entry.reason),
            (Some("moho:AdoptStore"), "first-trust")
        );
        let resource = entry.resource.as_ref().unwrap().as_str();
        assert_eq!(
            resource,
            "arn:aws:moho:moho-local-1:123456789012:store/schema-version-8"
        );
    }

    #[test]
    fn a_new_log_of_records_of_before_is_in_the_journal() {
        let first = first();
        let (pages, entropy) = (Pages::default(), SystemEntropy::default());
        let at_start: AtStart<'_> = (&first, &SystemClock, &entropy);
        let directory = tempfile::tempdir().unwrap();
        let keys = || moho_audit::LogKeys::new(moho_terms::Secret::new(vec![7; 32]), [1; 16]);
        let begun = |times: usize| {
            let (file, recovery) = FileJournal::open(directory.path(), &keys()).unwrap();
            let told = log_begun((&file, &recovery), &pages, at_start).unwrap();
            assert_eq!(pages.0.lock().unwrap().len(), times);
            let named = Arn::of("moho", "moho-local-1", "123456789012", "nothing").unwrap();
            let id = "00112233-4455-4677-8899-aabbccddeeff".parse().unwrap();
            let entry =
                Entry::of_installation(id, ("moho:AdoptStore", "first-trust"), named, SystemClock.now());
            file.record(&entry).unwrap();
            told
        };
        assert_eq!(begun(0), None, "there are no records of before");
        assert_eq!(begun(0), None, "it is the log of before");
        for gone in ["log", "checkpoint"] {
            std::fs::remove_file(directory.path().join(gone)).unwrap();
        }
        let told = begun(1).unwrap();
        let origin = format!("log/{}", "01".repeat(16));
        assert!(
            told.contains("its 2 records") && told.ends_with(&origin),
            "{told}"
        );
        let entries = pages.0.lock().unwrap();
        assert_eq!(
            (entries[0].action, entries[0].reason),
            (Some("moho:BeginLog"), "new-log")
        );
        let resource = entries[0].resource.as_ref().unwrap().as_str();
        assert_eq!(
            resource,
            format!("arn:aws:moho:moho-local-1:123456789012:{origin}")
        );
    }
}
