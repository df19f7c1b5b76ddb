//! What goes on by itself beside the requests: jobs, and the delivery of access logs.

use std::sync::Arc;

use moho_iam::OwnServices;
use moho_s3::{Backing, S3Gateway};
use moho_terms::Secret;

use super::StartupError;
use super::jobs::{self, Ground, Jobs};
use super::restored::RestoredState;
use crate::access_logs::{AccessLogs, Means};
use crate::api_calls::Recording;
use crate::closing::Closing;
use crate::config::Config;
use crate::event_history::EventsKept;
use crate::invocations::{InvocationLog, NoLogGroups};
use crate::own_puts::OwnPuts;
use crate::telemetry::Telemetry;

/// What goes on by itself.
pub(super) struct Background {
    pub(super) jobs: Jobs,
    pub(super) access_logs: Arc<AccessLogs>,
    pub(super) invocations: Arc<InvocationLog>,
}

/// Starts it.
pub(super) fn background(
    config: &Config,
    session_key: &Secret,
    (objects, backing): (&Arc<S3Gateway>, &Backing),
    (recording, events, restored): (&Arc<Recording>, &Arc<EventsKept>, &Arc<RestoredState>),
    (closing, telemetry): (&Closing, &Arc<Telemetry>),
) -> Result<Background, StartupError> {
    let Backing {
        store,
        clock,
        entropy,
        ..
    } = backing;
    let access_logs = AccessLogs::start(Means {
        puts: OwnPuts {
            services: OwnServices::of_installation(session_key)?,
            gateway: Arc::clone(objects),
            recording: Arc::clone(recording),
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
        },
        region: config.region.clone(),
        meters: Arc::clone(telemetry.jobs()),
    });
    let ground = Ground {
        store: Arc::clone(store),
        journal: Arc::clone(&recording.journal) as _,
        region: config.region.clone(),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        restored: Arc::clone(restored),
        events: Arc::clone(events),
    };
    let invocations = Arc::new(InvocationLog::new(
        backing.clone(),
        (OwnServices::of_installation(session_key)?, recording),
        objects,
        telemetry.invocations(),
        Arc::new(NoLogGroups),
    ));
    let jobs = jobs::start(&ground, closing, telemetry.jobs(), &invocations).map_err(StartupError::Thread)?;
    Ok(Background {
        jobs,
        invocations,
        access_logs: Arc::new(access_logs.map_err(StartupError::Thread)?),
    })
}
