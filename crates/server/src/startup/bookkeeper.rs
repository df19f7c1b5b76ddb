//! A thread that writes down, every few seconds and at the end, what was used.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::quota::Quotas;
use crate::road::chain;
use crate::startup::last_use::LastUse;
use crate::usage::UsageLog;

/// How long what was used may be in memory only. Quotas do not rely on it.
const INTERVAL: Duration = Duration::from_secs(5);

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
    pub(crate) fn start(
        quotas: Arc<Quotas>,
        usage: Arc<UsageLog>,
        last_use: Arc<LastUse>,
    ) -> io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new()
            .name("bookkeeper".to_owned())
            .spawn(move || {
                loop {
                    let goes_on = stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout);
                    write_down(&quotas, &usage);
                    last_use.keep_or_say();
                    if !goes_on {
                        return;
                    }
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

fn write_down(quotas: &Quotas, usage: &UsageLog) {
    usage.settle_or_say();
    if let Err(error) = quotas.settle() {
        tracing::error!(error = %chain(&error), "what was used of the quotas for days cannot be written down");
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
