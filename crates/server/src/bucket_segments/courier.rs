//! Between calls that block and connections that do not: what is asked runs on threads of its own, and whoever asks waits for it,
//! for so long at most.
//!
//! Threads of its own, as a caller may be a job, a command without a runtime, or a thread of the runtime that serves: it never
//! waits for a runtime that it keeps from working.

use std::future::Future;
use std::io;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use moho_store::PlaceProblem;
use tokio::runtime::{Builder, Runtime};

use super::told::problem;
use crate::closing::Closing;

/// Carries questions to a server, and answers back.
pub(super) struct Courier {
    /// There until it is dropped.
    runtime: Option<Runtime>,
    closing: Closing,
}

impl Courier {
    pub(super) fn new(closing: Closing) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("bucket")
            .enable_all()
            .build()?;
        Ok(Self {
            runtime: Some(runtime),
            closing,
        })
    }

    /// Does something elsewhere, and waits for it no longer than `wait`, nor when moho ends.
    pub(super) fn carry<T: Send + 'static>(
        &self,
        wait: Duration,
        work: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> Result<T, Failure> {
        let Some(runtime) = &self.runtime else {
            return Err(PlaceProblem::Stopping.into());
        };
        let (tell, told) = sync_channel(1);
        let closing = self.closing.clone();
        runtime.spawn(async move {
            let outcome = tokio::select! {
                done = tokio::time::timeout(wait, work) => match done {
                    Ok(Ok(done)) => Ok(done),
                    Ok(Err(error)) => Err(Failure { problem: problem(&error), absent: is_absent(&error) }),
                    Err(_elapsed) => Err(PlaceProblem::Slow.into()),
                },
                () = closing.ending() => Err(PlaceProblem::Stopping.into()),
            };
            // Nobody may be waiting any more.
            drop(tell.send(outcome));
        });
        // The library may give up altogether over what it was answered.
        told.recv()
            .unwrap_or_else(|_gone| Err(PlaceProblem::Nonsense.into()))
    }

    /// Does something elsewhere that nobody waits for.
    pub(super) fn send_off(&self, wait: Duration, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            let closing = self.closing.clone();
            runtime.spawn(async move {
                tokio::select! {
                    _done = tokio::time::timeout(wait, work) => {}
                    () = closing.ending() => {}
                }
            });
        }
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It may be dropped where nothing may wait.
            runtime.shutdown_background();
        }
    }
}

/// What went wrong, and whether that is no more than that what was asked for is not there.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) problem: PlaceProblem,
    pub(super) absent: bool,
}

impl From<PlaceProblem> for Failure {
    fn from(problem: PlaceProblem) -> Self {
        Self {
            problem,
            absent: false,
        }
    }
}

fn is_absent(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) && super::told::code(error) != "NoSuchBucket"
}
