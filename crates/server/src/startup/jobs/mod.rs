//! What moho does by itself, in the background: a thread for each job, which takes bounded steps, waits between them, and ends
//! once stopping has begun. Nothing that is served waits for a job, and nothing relies on one being in time. None begins before
//! what was restored is accepted: what it would delete may be what the customer wants back.

mod events;
mod garbage;
mod lifecycle;
mod log_events;
mod retention;
mod runner;
mod scrub;
mod trails;

use std::io;
use std::sync::Arc;

use moho_iam::authz::{Event, EventIdentity, EventKind, Journal};
use moho_store::{NotWrittenDown, Store};
use moho_terms::{AccountId, Clock, Entropy, Region, RequestId};
use tokio::runtime::Handle;

use self::events::EventsJob;
use self::garbage::{Garbage, Orphans};
use self::lifecycle::LifecycleJob;
use self::log_events::LogEventsJob;
use self::retention::RetentionJob;
pub(crate) use self::runner::{Job, Jobs, StepError, Stepped, Waiting};
use self::scrub::ScrubJob;
use self::trails::TrailJob;
use super::restored::RestoredState;
use crate::closing::Closing;
use crate::event_history::EventsKept;
use crate::invocations::{DeliverInvocations, InvocationLog};
use crate::telemetry::JobMeters;
use crate::trails::TrailDelivery;

/// What jobs work on, and by what.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) store: Arc<Store>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) region: Region,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) restored: Arc<RestoredState>,
    pub(crate) events: Arc<EventsKept>,
}

impl Ground {
    /// Writes down what a service is about to do by itself on what `account` has, or what it has found there.
    pub(crate) fn write_down(
        &self,
        what: (EventKind, &'static str),
        (service, account): (&'static str, Option<AccountId>),
        tell: impl FnOnce(&mut Event),
    ) -> Result<(), NotWrittenDown> {
        let id = RequestId::random(&*self.entropy).map_err(NotWrittenDown::new)?;
        let identity = EventIdentity::of_service(service, account);
        let mut event = Event::new(what, id, identity, self.clock.now());
        tell(&mut event);
        self.journal.record_event(&event).map_err(NotWrittenDown::new)?;
        Ok(())
    }
}

/// Starts all of them.
///
/// # Errors
/// The system gives no thread.
pub(super) fn start(
    ground: &Ground,
    (trails, invocations): (TrailDelivery, &Arc<InvocationLog>),
    (closing, meters): (&Closing, &Arc<JobMeters>),
) -> io::Result<Jobs> {
    let restored = Arc::clone(&ground.restored);
    let mut jobs = Jobs::new(closing.clone(), Arc::clone(meters), move || {
        restored.still_waits()
    });
    jobs.start(Garbage(ground.clone()))?;
    jobs.start(Orphans(ground.clone()))?;
    jobs.start(LifecycleJob::new(ground.clone()))?;
    jobs.start(RetentionJob(ground.clone()))?;
    jobs.start(LogEventsJob(ground.clone()))?;
    jobs.start(ScrubJob::new(ground.clone()))?;
    jobs.start(EventsJob::new(&ground.events))?;
    let runtime = Handle::try_current().map_err(io::Error::other)?;
    let invocations = Arc::clone(invocations);
    jobs.start(DeliverInvocations::new(invocations, ground.clone(), runtime))?;
    jobs.start(TrailJob(trails))?;
    Ok(jobs)
}
