//! A thread that does to keys what their time has come for: rotations, deletions, the end of imported material.
//!
//! Nothing relies on it being in time: a key that is past its deletion, or material past its end, cannot be used anyway.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use moho_kms::{Due, Kms};

use crate::road::chain;

/// How long what is due waits at most.
const INTERVAL: Duration = Duration::from_secs(60);

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
    pub(crate) fn start(kms: Arc<Kms>) -> io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new()
            .name("key-keeper".to_owned())
            .spawn(move || {
                run(&kms);
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    run(&kms);
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

fn run(kms: &Kms) {
    match kms.run_due() {
        Ok(done) => done.iter().for_each(say),
        Err(error) => tracing::error!(error = %chain(&error), "which keys are due cannot be read"),
    }
}

fn say(due: &Due) {
    let key = &due.key_id;
    match &due.done {
        Ok(kinds) => {
            for kind in kinds {
                tracing::info!(%key, done = ?kind, "a key was due");
            }
        }
        Err(error) => tracing::error!(%key, error = %chain(error), "a key was due, and it could not be done"),
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
