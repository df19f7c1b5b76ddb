//! The thread that brings written records to the disk: all that were written since it last looked, at once.
//!
//! No record has a wait of its own: whoever's reply may leave only when its records are on the disk, waits for the last of them. So
//! one wait of the disk's serves all who came during the one before.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use moho_iam::authz::Position;

use crate::mark::Mark;
use crate::segment::Syncer;

/// What is done whenever more records are on the disk: it is told the last one.
pub(crate) type OnDisk = Box<dyn Fn(u64) + Send>;

struct State {
    /// Brings to the disk what was written since the last sync.
    pending: Option<Arc<dyn Syncer>>,
    /// The last record that was handed to the kernel.
    written: u64,
    stopping: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    durable: Arc<Mark>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to sync and syncs it, until told to stop.
    fn run(&self, on_disk: &OnDisk) {
        let mut state = self.lock();
        loop {
            while state.pending.is_none() && !state.stopping {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let Some(syncer) = state.pending.take() else {
                return;
            };
            let target = state.written;
            drop(state);
            match syncer.sync() {
                Ok(()) => {
                    self.durable.reach(target);
                    on_disk(target);
                }
                Err(_lost) => self.durable.fail(),
            }
            state = self.lock();
        }
    }
}

/// Syncs in the background. Dropping it syncs what is left.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    /// Of a journal whose records up to `durable` are on the disk.
    pub(crate) fn start(durable: u64, on_disk: OnDisk) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                pending: None,
                written: durable,
                stopping: false,
            }),
            changed: Condvar::new(),
            durable: Mark::at(durable),
        });
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("journal-sync".to_owned())
            .spawn(move || own.run(&on_disk))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Says that the record at `position` was written, which `syncer` brings to the disk. There is one file at a time: whoever
    /// begins a new one syncs the old one and calls [`Self::synced`] first.
    pub(crate) fn written(&self, position: Position, syncer: impl FnOnce() -> Arc<dyn Syncer>) {
        let mut state = self.shared.lock();
        state.written = state.written.max(position.0);
        if state.pending.is_none() {
            state.pending = Some(syncer());
            self.shared.changed.notify_one();
        }
    }

    /// Says that all that was written is on the disk.
    pub(crate) fn synced(&self) {
        let mut state = self.shared.lock();
        let (done, written) = (state.pending.take(), state.written);
        drop(state);
        drop(done);
        self.shared.durable.reach(written);
    }

    /// How far records are on the disk.
    pub(crate) fn durable(&self) -> &Arc<Mark> {
        &self.shared.durable
    }

    /// The last record that was handed to the kernel.
    pub(crate) fn last_written(&self) -> Position {
        Position(self.shared.lock().written)
    }

    /// How many records were written and are not known to be on the disk.
    pub(crate) fn unsynced(&self) -> u64 {
        self.last_written()
            .0
            .saturating_sub(self.shared.durable.reached())
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the thread itself; here nothing can be done about it.
            let _ended: thread::Result<()> = thread.join();
        }
    }
}
