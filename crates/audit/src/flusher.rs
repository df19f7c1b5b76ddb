//! The thread that brings written records to the disk, soon but not one by one.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::segment::Syncer;

/// At most this long between two syncs, so that a loss of power loses less than a second.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Default)]
struct State {
    /// Brings to the disk what was written since the last sync.
    pending: Option<Box<dyn Syncer>>,
    /// How many records were written and are not known to be on the disk.
    unsynced: u64,
    stopping: bool,
    failed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to sync, syncs it, pauses; until told to stop.
    fn run(&self) {
        let mut state = self.lock();
        loop {
            while state.pending.is_none() && !state.stopping {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let Some(syncer) = state.pending.take() else {
                return;
            };
            let syncing = state.unsynced;
            drop(state);
            let synced = syncer.sync();
            state = self.lock();
            match synced {
                Ok(()) => state.unsynced = state.unsynced.saturating_sub(syncing),
                Err(_lost) => state.failed = true,
            }
            let pause = self
                .changed
                .wait_timeout_while(state, PAUSE, |state| !state.stopping);
            state = pause.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Syncs in the background. Dropping it syncs what is left.
pub(crate) struct Flusher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    pub(crate) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("journal-sync".to_owned())
            .spawn(move || own.run())?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Says that something was written which `syncer` brings to the disk. There is one file at a time: whoever begins a
    /// new one syncs the old one and calls [`Self::synced`] first.
    pub(crate) fn written(&self, syncer: impl FnOnce() -> io::Result<Box<dyn Syncer>>) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.unsynced = state.unsynced.saturating_add(1);
        if state.pending.is_none() {
            state.pending = Some(syncer()?);
            self.shared.changed.notify_one();
        }
        Ok(())
    }

    /// Says that all that was written is on the disk.
    pub(crate) fn synced(&self) {
        let mut state = self.shared.lock();
        state.unsynced = 0;
        let done = state.pending.take();
        drop(state);
        drop(done);
    }

    /// How many records were written and are not known to be on the disk.
    pub(crate) fn unsynced(&self) -> u64 {
        self.shared.lock().unsynced
    }

    /// Whether a sync ever failed: then written pages may be lost, and nobody can tell which.
    pub(crate) fn has_failed(&self) -> bool {
        self.shared.lock().failed
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the thread itself; here nothing can be done about it.
            let _ended: thread::Result<()> = thread.join();
        }
    }
}
