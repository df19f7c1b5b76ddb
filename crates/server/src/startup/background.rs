//! What goes on by itself beside the requests: jobs, and the delivery of access logs.

use std::sync::Arc;

use moho_iam::OwnServices;
use moho_s3::S3Gateway;
use moho_store::Store;
use moho_terms::{Clock, Entropy, Secret};

use super::StartupError;
use super::jobs::{self, Ground, Jobs};
use super::restored::RestoredState;
use crate::access_logs::{AccessLogs, Means};
use crate::api_calls::Recording;
use crate::closing::Closing;
use crate::config::Config;
use crate::event_history::EventsKept;
use crate::telemetry::Telemetry;

/// What goes on by itself.
pub(super) struct Background {
    pub(super) jobs: Jobs,
    pub(super) access_logs: Arc<AccessLogs>,
}

/// Starts it.
pub(super) fn background(
    config: &Config,
    (session_key, objects, recording): (&Secret, &Arc<S3Gateway>, &Arc<Recording>),
    (store, restored, events): (&Arc<Store>, &Arc<RestoredState>, &Arc<EventsKept>),
    (closing, telemetry): (&Closing, &Arc<Telemetry>),
    (clock, entropy): (&Arc<dyn Clock>, &Arc<dyn Entropy>),
) -> Result<Background, StartupError> {
    let access_logs = AccessLogs::start(Means {
        services: OwnServices::of_installation(session_key)?,
        gateway: Arc::clone(objects),
        recording: Arc::clone(recording),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
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
    let jobs = jobs::start(&ground, closing, telemetry.jobs()).map_err(StartupError::Thread)?;
    Ok(Background {
        jobs,
        access_logs: Arc::new(access_logs.map_err(StartupError::Thread)?),
    })
}
