//! What goes on by itself beside the requests: jobs, trails, and the delivery of access logs.

use std::sync::{Arc, Mutex};

use moho_audit::FileJournal;
use moho_iam::OwnServices;
use moho_s3::{Backing, S3Gateway};
use moho_terms::Secret;
use tokio::runtime::Handle;

use super::StartupError;
use super::jobs::{self, Ground, Jobs};
use super::restored::RestoredState;
use crate::access_logs::{AccessLogs, Means};
use crate::api_calls::Recording;
use crate::closing::Closing;
use crate::config::Config;
use crate::event_history::EventsKept;
use crate::invocations::{InvocationLog, LogGroups};
use crate::own_puts::OwnPuts;
use crate::telemetry::Telemetry;
use crate::trails::{Courier, JournalCalls, TrailDelivery};

/// What goes on by itself.
pub(super) struct Background {
    pub(super) jobs: Jobs,
    pub(super) access_logs: Arc<AccessLogs>,
    pub(super) invocations: Arc<InvocationLog>,
    pub(super) courier: Arc<Courier>,
}

/// What it acts with, and by whose leave.
pub(super) struct Acting<'a> {
    pub(super) session_key: &'a Secret,
    pub(super) objects: &'a Arc<S3Gateway>,
    pub(super) backing: &'a Backing,
}

/// Where it finds and writes what happens.
pub(super) struct Kept<'a> {
    pub(super) restored: &'a Arc<RestoredState>,
    pub(super) recording: &'a Arc<Recording>,
    pub(super) events: &'a Arc<EventsKept>,
    pub(super) journal_file: &'a Arc<FileJournal>,
}

/// Starts it.
pub(super) fn background(
    config: &Config,
    acting: &Acting<'_>,
    kept: &Kept<'_>,
    (closing, telemetry): (&Closing, &Arc<Telemetry>),
) -> Result<Background, StartupError> {
    let Backing {
        store,
        authorizer,
        clock,
        entropy,
        ..
    } = acting.backing;
    let services = || OwnServices::of_installation(acting.session_key);
    let access_logs = AccessLogs::start(Means {
        puts: OwnPuts {
            services: services()?,
            gateway: Arc::clone(acting.objects),
            recording: Arc::clone(kept.recording),
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
        },
        region: config.region.clone(),
        meters: Arc::clone(telemetry.jobs()),
    });
    let ground = Ground {
        store: Arc::clone(store),
        journal: Arc::clone(&kept.recording.journal) as _,
        region: config.region.clone(),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        restored: Arc::clone(kept.restored),
        events: Arc::clone(kept.events),
    };
    let invocations = Arc::new(InvocationLog::new(
        acting.backing.clone(),
        (services()?, kept.recording),
        acting.objects,
        telemetry.invocations(),
        Arc::new(LogGroups {
            backing: acting.backing.clone(),
            services: services()?,
        }),
    ));
    let courier = Arc::new(Courier {
        services: services()?,
        store: Arc::clone(store),
        gateway: Arc::clone(acting.objects),
        authorizer: Arc::clone(authorizer),
        recording: Arc::clone(kept.recording),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        region: config.region.clone(),
    });
    let calls = JournalCalls {
        journal: Arc::clone(kept.journal_file),
        recording: Arc::clone(kept.recording),
    };
    let trails = TrailDelivery {
        store: Arc::clone(store),
        events: Arc::new(calls),
        courier: Arc::clone(&courier),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        region: config.region.clone(),
        config: config.trails,
        runtime: Handle::try_current()
            .map_err(std::io::Error::other)
            .map_err(StartupError::Thread)?,
        signing: Mutex::new(None),
    };
    let jobs = jobs::start(&ground, (trails, &invocations), (closing, telemetry.jobs()))
        .map_err(StartupError::Thread)?;
    Ok(Background {
        jobs,
        invocations,
        access_logs: Arc::new(access_logs.map_err(StartupError::Thread)?),
        courier,
    })
}
