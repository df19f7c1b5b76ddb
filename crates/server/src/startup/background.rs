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
use crate::trails::{Courier, JournalCalls, OpenedPages, TrailDelivery};

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
        clock,
        entropy,
        ..
    } = acting.backing;
    let access_logs = access_logs((config, telemetry), acting, kept)?;
    let ground = Ground {
        store: Arc::clone(store),
        journal: Arc::clone(&kept.recording.journal) as _,
        region: config.region.clone(),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        restored: Arc::clone(kept.restored),
        events: Arc::clone(kept.events),
    };
    let invocations = invocations(acting, kept, telemetry)?;
    let courier = courier(acting, kept)?;
    let trails = trails((config, telemetry), (acting, &courier), kept)?;
    let jobs = jobs::start(&ground, (trails, &invocations), (closing, telemetry.jobs()))
        .map_err(StartupError::Thread)?;
    Ok(Background {
        jobs,
        invocations,
        access_logs,
        courier,
    })
}

impl Acting<'_> {
    /// Leave to let moho's own services act.
    fn services(&self) -> Result<OwnServices, StartupError> {
        Ok(OwnServices::of_installation(self.session_key)?)
    }
}

fn puts(acting: &Acting<'_>, kept: &Kept<'_>) -> Result<OwnPuts, StartupError> {
    Ok(OwnPuts {
        services: acting.services()?,
        gateway: Arc::clone(acting.objects),
        recording: Arc::clone(kept.recording),
        clock: Arc::clone(&acting.backing.clock),
        entropy: Arc::clone(&acting.backing.entropy),
    })
}

fn access_logs(
    (config, telemetry): (&Config, &Arc<Telemetry>),
    acting: &Acting<'_>,
    kept: &Kept<'_>,
) -> Result<Arc<AccessLogs>, StartupError> {
    let started = AccessLogs::start(Means {
        puts: puts(acting, kept)?,
        region: config.region.clone(),
        meters: Arc::clone(telemetry.jobs()),
    });
    started.map(Arc::new).map_err(StartupError::Thread)
}

fn invocations(
    acting: &Acting<'_>,
    kept: &Kept<'_>,
    telemetry: &Arc<Telemetry>,
) -> Result<Arc<InvocationLog>, StartupError> {
    let groups = LogGroups {
        backing: acting.backing.clone(),
        services: acting.services()?,
        recording: Arc::clone(kept.recording),
    };
    Ok(Arc::new(InvocationLog::new(
        acting.backing.clone(),
        (acting.services()?, kept.recording),
        acting.objects,
        telemetry.invocations(),
        Arc::new(groups),
    )))
}

fn courier(acting: &Acting<'_>, kept: &Kept<'_>) -> Result<Arc<Courier>, StartupError> {
    let backing = acting.backing;
    Ok(Arc::new(Courier {
        puts: puts(acting, kept)?,
        store: Arc::clone(&backing.store),
        authorizer: Arc::clone(&backing.authorizer),
        region: backing.region.clone(),
    }))
}

fn trails(
    (config, telemetry): (&Config, &Arc<Telemetry>),
    (acting, courier): (&Acting<'_>, &Arc<Courier>),
    kept: &Kept<'_>,
) -> Result<TrailDelivery, StartupError> {
    let backing = acting.backing;
    let calls = JournalCalls {
        journal: Arc::clone(kept.journal_file),
        recording: Arc::clone(kept.recording),
    };
    Ok(TrailDelivery {
        store: Arc::clone(&backing.store),
        events: Arc::new(calls),
        courier: Arc::clone(courier),
        clock: Arc::clone(&backing.clock),
        entropy: Arc::clone(&backing.entropy),
        region: backing.region.clone(),
        config: config.trails,
        runtime: Handle::try_current()
            .map_err(std::io::Error::other)
            .map_err(StartupError::Thread)?,
        signing: Mutex::new(None),
        pages: OpenedPages::default(),
        meters: Arc::clone(telemetry.trails()),
    })
}
