//! Whether the store takes changes, for probes that must neither wait for a disk nor keep it busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use moho_store::Store;
use moho_terms::Clock;

/// Seconds for which an answer holds.
const FRESH: u64 = 10;

/// What the last try said. A probe that finds it old starts another try, and takes the old answer.
pub(crate) struct ProbedStore {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    last: Arc<Last>,
}

struct Last {
    works: AtomicBool,
    /// The second of the last try's beginning.
    tried: AtomicU64,
    trying: AtomicBool,
}

impl ProbedStore {
    /// A store that was opened just now, which takes writing.
    pub(crate) fn new(store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        let last = Last {
            works: AtomicBool::new(true),
            tried: AtomicU64::new(clock.now().unix_seconds()),
            trying: AtomicBool::new(false),
        };
        Self {
            store,
            clock,
            last: Arc::new(last),
        }
    }

    /// Whether it takes changes, as far as is known. At most one try runs at a time, whoever asks how often.
    pub(crate) fn works(&self) -> bool {
        let now = self.clock.now().unix_seconds();
        let old = now.abs_diff(self.last.tried.load(Ordering::Relaxed)) >= FRESH;
        if old && !self.last.trying.swap(true, Ordering::AcqRel) {
            self.last.tried.store(now, Ordering::Relaxed);
            let (store, last) = (Arc::clone(&self.store), Arc::clone(&self.last));
            drop(tokio::task::spawn_blocking(move || last.tell(&store)));
        }
        self.last.works.load(Ordering::Relaxed)
    }
}

impl Last {
    fn tell(&self, store: &Store) {
        let tried = store.try_write();
        if let Err(error) = &tried {
            tracing::error!(error = %crate::road::chain(error), "the store takes no changes");
        }
        self.works.store(tried.is_ok(), Ordering::Relaxed);
        self.trying.store(false, Ordering::Release);
    }
}
