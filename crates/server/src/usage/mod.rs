//! Usage: what each principal took of each model, for the account that pays and, in numbers, for the operator.
//!
//! It is noted when a sequence ends, gathered in memory, and written down a few seconds later: a crash loses no more than
//! those seconds. Quotas do not depend on it.

mod meters;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moho_store::{Store, StoreError, UsageOf, UsageRow};
use moho_terms::{AccountId, Arn, Clock, ModelId};

pub(crate) use meters::{Series, UsageMeters};

use crate::road::chain;

/// Rows that may be gathered at all, should they not be written: more are not noted.
const MOST: usize = 262_144;
/// Seconds in a minute, the finest time in which usage is kept.
const MINUTE: u64 = 60;

/// Notes what is taken.
pub(crate) struct UsageLog {
    gathered: Mutex<Gathered>,
    /// Held while it is written down, so that whoever asks for that finds all on the disk afterwards.
    settling: Mutex<()>,
    meters: UsageMeters,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
}

/// What was taken, by the beginning of its minute and by whom and of what.
type Gathered = HashMap<(u64, UsageOf), Taken>;

/// What was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Taken {
    pub(crate) requests: u64,
    /// Tokens of prompts, those from the prefix cache included.
    pub(crate) input: u64,
    /// Of those, the ones from the prefix cache.
    pub(crate) cached: u64,
    /// Tokens of answers.
    pub(crate) output: u64,
}

/// On whose account something is noted.
#[derive(Clone)]
pub(crate) struct Mark {
    pub(crate) log: Arc<UsageLog>,
    pub(crate) account: AccountId,
    pub(crate) principal: Arn,
    /// What the operator may see of the principal: an id that says nothing.
    pub(crate) principal_id: String,
    pub(crate) model: ModelId,
    /// The inference profile that was named, if one was.
    pub(crate) profile: Option<Arn>,
}

impl Taken {
    fn plus(self, more: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(more.requests),
            input: self.input.saturating_add(more.input),
            cached: self.cached.saturating_add(more.cached),
            output: self.output.saturating_add(more.output),
        }
    }
}

impl Mark {
    /// Notes what was taken, now.
    pub(crate) fn note(self, taken: Taken) {
        let log = Arc::clone(&self.log);
        log.note(self, taken);
    }
}

impl UsageLog {
    pub(crate) fn new(store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            gathered: Mutex::default(),
            settling: Mutex::default(),
            meters: UsageMeters::default(),
            store,
            clock,
        }
    }

    fn note(&self, mark: Mark, taken: Taken) {
        if taken == Taken::default() {
            return;
        }
        self.meters.note(&mark, taken);
        let now = self.clock.now().unix_seconds();
        let minute = now.saturating_sub(now % MINUTE);
        let of = UsageOf {
            account: mark.account,
            principal: mark.principal.to_string(),
            model: mark.model.to_string(),
            profile: mark
                .profile
                .map(|profile| profile.to_string())
                .unwrap_or_default(),
        };
        let mut gathered = self.gathered();
        let full = gathered.len() >= MOST;
        match gathered.get_mut(&(minute, of.clone())) {
            Some(before) => *before = before.plus(taken),
            None if full => tracing::error!("usage is not noted any more, as it cannot be written down"),
            None => {
                gathered.insert((minute, of), taken);
            }
        }
    }

    /// Writes down what was gathered. Blocks.
    ///
    /// # Errors
    /// [`StoreError`]; then it stays gathered.
    pub(crate) fn settle(&self) -> Result<(), StoreError> {
        let _alone = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        let gathered = std::mem::take(&mut *self.gathered());
        if gathered.is_empty() {
            return Ok(());
        }
        let rows: Vec<UsageRow> = gathered
            .iter()
            .map(|((at, of), taken)| row(*at, of, *taken))
            .collect();
        let written = self.store.add_usage(&rows, self.clock.now());
        if written.is_err() {
            let mut since = self.gathered();
            for (key, taken) in gathered {
                let before = since.entry(key).or_default();
                *before = before.plus(taken);
            }
        }
        written
    }

    /// As [`Self::settle`], for those who can do nothing about it but say so.
    pub(crate) fn settle_or_say(&self) {
        if let Err(error) = self.settle() {
            tracing::error!(error = %chain(&error), "usage cannot be written down; it is kept in memory");
        }
    }

    /// What was taken since the start, in numbers, by as many as there is room for.
    pub(crate) fn series(&self) -> Vec<Series> {
        self.meters.series()
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn row(at: u64, of: &UsageOf, taken: Taken) -> UsageRow {
    UsageRow {
        at,
        of: of.clone(),
        requests: taken.requests,
        input: taken.input,
        cached: taken.cached,
        output: taken.output,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    use moho_terms::Timestamp;

    use super::*;

    /// A clock that looks, whenever it is asked, whether somebody else could settle now.
    #[derive(Default)]
    struct Watch {
        log: OnceLock<std::sync::Weak<UsageLog>>,
        open: AtomicBool,
    }

    impl Clock for Watch {
        fn now(&self) -> Timestamp {
            let log = self.log.get().and_then(std::sync::Weak::upgrade);
            let open = log.is_none_or(|log| log.settling.try_lock().is_ok());
            self.open.store(open, Ordering::Relaxed);
            Timestamp::from_unix_seconds(1_795_312_800)
        }
    }

    #[test]
    fn nobody_finds_nothing_to_settle_before_all_is_on_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let entropy = crate::system::SystemEntropy::default();
        let root = moho_kms::RootKey::development(&directory.path().join("root.key"), &entropy).unwrap();
        let store = Store::open(&directory.path().join("store"), (&root, &entropy));
        let store = Arc::new(store.unwrap());
        let watch = Arc::new(Watch::default());
        let log = Arc::new(UsageLog::new(store, watch.clone()));
        watch.log.set(Arc::downgrade(&log)).unwrap();
        let mark = Mark {
            log: Arc::clone(&log),
            account: "123456789012".parse().unwrap(),
            principal: "arn:aws:iam::123456789012:role/One".parse().unwrap(),
            principal_id: "AROA".to_owned(),
            model: "m".parse().unwrap(),
            profile: None,
        };
        let requests = 1;
        mark.note(Taken {
            requests,
            ..Taken::default()
        });
        assert!(watch.open.load(Ordering::Relaxed), "noting waits for nobody");
        log.settle().unwrap();
        assert!(
            !watch.open.load(Ordering::Relaxed),
            "it was asked before all was written"
        );
        assert!(log.gathered().is_empty());
    }
}
