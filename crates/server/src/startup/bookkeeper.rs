//! A thread that writes down, every few seconds and at the end, what was used, and who failed to say who it is too often.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use moho_iam::authz::Journal;
use moho_terms::Clock;

use crate::quota::Quotas;
use crate::road::{Strangers, chain};
use crate::startup::last_use::LastUse;
use crate::usage::UsageLog;

/// How long what was used may be in memory only. Quotas do not rely on it.
const INTERVAL: Duration = Duration::from_secs(5);

/// What is written down, and where it is.
pub(crate) struct Books {
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) usage: Arc<UsageLog>,
    pub(crate) last_use: Arc<LastUse>,
    pub(crate) strangers: Arc<Strangers>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The thread. Dropping it has everything written down a last time.
pub(crate) struct Bookkeeper {
    /// Dropped first, which ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bookkeeper {
    /// Starts it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(books: Books) -> io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new()
            .name("bookkeeper".to_owned())
            .spawn(move || {
                loop {
                    let goes_on = stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout);
                    books.write();
                    if !goes_on {
                        return books.close();
                    }
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Books {
    fn write(&self) {
        self.usage.settle_or_say();
        if let Err(error) = self.quotas.settle() {
            tracing::error!(error = %chain(&error), "what was used of the quotas for days cannot be written down");
        }
        self.strangers.settle(&*self.journal, self.clock.now());
        self.last_use.keep_or_say();
    }

    /// Writes what else would wait for its time.
    fn close(&self) {
        self.strangers.end(&*self.journal, self.clock.now());
    }
}

impl Drop for Bookkeeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It cannot panic; if it did, there is nothing left to do about it.
            drop(thread.join());
        }
    }
}
