//! A platform as its observers see it: the metrics page, and the two probes.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use moho_engine::ModelLoad;
use tokio::sync::Mutex;

use super::Telemetry;
use super::page::{Kind, Page};
use crate::road::probe_answer;
use crate::startup::Platform;

/// How long a page waits for the engine to say what it does, which it does between two steps.
const ENGINE_WAIT: Duration = Duration::from_secs(3);

/// A platform that can be looked at from outside.
pub struct Observed {
    platform: Arc<Platform>,
    /// What the engine said last, for a page that is asked for during a long step. One asks at a time.
    loads: Mutex<Vec<ModelLoad>>,
}

/// What an observer is told.
pub(super) struct Told {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Observed {
    /// To look at a platform.
    pub(crate) fn new(platform: Arc<Platform>) -> Self {
        Self {
            platform,
            loads: Mutex::new(Vec::new()),
        }
    }

    /// What is measured of the platform.
    #[must_use]
    pub fn telemetry(&self) -> Arc<Telemetry> {
        Arc::clone(&self.platform.telemetry)
    }

    /// The answer for a path; `None` if there is nothing to see.
    pub(super) async fn tell(&self, path: &str) -> Option<Told> {
        if path == "/metrics" {
            return Some(Told {
                status: StatusCode::OK,
                content_type: super::page::CONTENT_TYPE,
                body: self.page().await,
            });
        }
        let (_route, answer) = probe_answer(path, &self.platform)?;
        Some(Told {
            status: answer.status,
            content_type: "application/json",
            body: answer.body,
        })
    }

    async fn page(&self) -> String {
        let loads = self.loads().await;
        let mut page = Page::default();
        page.family("moho_build_info", Kind::Gauge, "Which moho this is.");
        page.sample(
            "moho_build_info",
            &[
                ("version", env!("CARGO_PKG_VERSION")),
                ("attestation", self.platform.attestation.as_str()),
            ],
            1,
        );
        page.single(
            "moho_audit_lag_records",
            Kind::Gauge,
            "Journal records that are written and not known to be on the disk.",
            self.platform.journal_file.unsynced(),
        );
        self.platform.telemetry.write(&mut page, &loads);
        page.finish()
    }

    async fn loads(&self) -> Vec<ModelLoad> {
        let mut last = self.loads.lock().await;
        match tokio::time::timeout(ENGINE_WAIT, self.platform.engine.measure()).await {
            Ok(Some(loads)) => *last = loads,
            Ok(None) => last.clear(),
            // It computes; what it said before is as good as any other moment.
            Err(_elapsed) => {}
        }
        last.clone()
    }
}
