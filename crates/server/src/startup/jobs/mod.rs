//! What moho does by itself, in the background: a thread for each job, which takes bounded steps, waits between them, and ends
//! once stopping has begun. Nothing that is served waits for a job, and nothing relies on one being in time. None begins before
//! what was restored is accepted: what it would delete may be what the customer wants back.

mod garbage;
mod lifecycle;
mod retention;
mod runner;
mod scrub;

use std::io;
use std::sync::Arc;

use moho_store::Store;
use moho_terms::{Clock, Entropy};

use self::garbage::{Garbage, Orphans};
use self::lifecycle::LifecycleJob;
use self::retention::RetentionJob;
pub(crate) use self::runner::Jobs;
use self::scrub::ScrubJob;
use super::restored::RestoredState;
use crate::closing::Closing;
use crate::telemetry::JobMeters;

/// What jobs work on, and by what.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) restored: Arc<RestoredState>,
}

/// Starts all of them.
///
/// # Errors
/// The system gives no thread.
pub(super) fn start(ground: &Ground, closing: &Closing, meters: &Arc<JobMeters>) -> io::Result<Jobs> {
    let restored = Arc::clone(&ground.restored);
    let mut jobs = Jobs::new(closing.clone(), Arc::clone(meters), move || {
        restored.still_waits()
    });
    jobs.start(Garbage(ground.clone()))?;
    jobs.start(Orphans(ground.clone()))?;
    jobs.start(LifecycleJob::new(ground.clone()))?;
    jobs.start(RetentionJob(ground.clone()))?;
    jobs.start(ScrubJob::new(ground.clone()))?;
    Ok(jobs)
}
