//! A platform as its observers see it: the metrics page, and the two probes.

use std::future::Future;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::StatusCode;
use moho_engine::ModelLoad;
use tokio::sync::Mutex;

use super::Telemetry;
use super::page::{Kind, Page};
use super::usage_page;
use crate::road::probe_answer;
use crate::startup::Platform;

/// How long a page waits for the engine to say what it does, which it does between two steps.
const ENGINE_WAIT: Duration = Duration::from_secs(3);

/// A platform that can be looked at from outside.
pub struct Observed {
    platform: Arc<Platform>,
    loads: Latest<Vec<ModelLoad>>,
}

/// What the engine said last, for a page that is asked for during a long step, or while another page waits for it.
#[derive(Default)]
struct Latest<T> {
    said: std::sync::Mutex<T>,
    /// Held by the one who asks.
    asking: Mutex<()>,
}

impl<T: Clone + Default> Latest<T> {
    /// The answer to `ask`, or the one before: if this one takes too long, and at once if somebody else asks already.
    async fn get(&self, ask: impl Future<Output = Option<T>>) -> T {
        if let Ok(_asking) = self.asking.try_lock() {
            // If it computes for long, what it said before is as good as any other moment.
            if let Ok(answer) = tokio::time::timeout(ENGINE_WAIT, ask).await {
                *self.said() = answer.unwrap_or_default();
            }
        }
        self.said().clone()
    }

    fn said(&self) -> std::sync::MutexGuard<'_, T> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
            loads: Latest::default(),
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
        let loads = self.loads.get(self.platform.engine.measure()).await;
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
        let log = self.platform.journal_file.log();
        let published = log.checkpoint();
        page.single(
            "moho_log_entries",
            Kind::Gauge,
            "Entries of the transparency log's last checkpoint.",
            published.checkpoint.size,
        );
        page.single(
            "moho_log_cosigners",
            Kind::Gauge,
            "Witnesses that have cosigned the last checkpoint.",
            published.cosigners() as u64,
        );
        page.single(
            "moho_log_unpublished",
            Kind::Gauge,
            "Whether the last checkpoint could not be published.",
            u64::from(log.fault().is_some()),
        );
        self.long_lived(&mut page).await;
        self.platform.telemetry.write(&mut page, &loads);
        usage_page::write(&mut page, &self.platform.usage.series());
        page.finish()
    }

    /// How many credentials there are that do not end; left out if the store cannot say.
    async fn long_lived(&self, page: &mut Page) {
        const KEPT: &str = "moho_long_lived_credentials";
        let store = Arc::clone(&self.platform.store);
        let counted = tokio::task::spawn_blocking(move || store.long_lived_credentials()).await;
        let Ok(Ok(counted)) = counted else { return };
        page.single(
            "moho_long_lived_accounts",
            Kind::Gauge,
            "Accounts in which the organisation lets long-lived credentials be used.",
            u64::try_from(counted.allowed_in.len()).unwrap_or(u64::MAX),
        );
        page.family(
            KEPT,
            Kind::Gauge,
            "Users and their long-lived credentials that are kept, whether or not they may be used.",
        );
        for (kind, count) in [
            ("user", counted.users),
            ("access-key", counted.access_keys),
            ("service-specific", counted.service_credentials),
        ] {
            page.sample(KEPT, &[("kind", kind)], count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_one_waits_for_the_engine() {
        let latest = Latest::default();
        assert_eq!(latest.get(async { Some(1) }).await, 1);
        let (answer, answered) = tokio::sync::oneshot::channel();
        let waits = latest.get(async { answered.await.ok() });
        let meanwhile = async {
            let others = latest.get(async { panic!("the engine is asked already") }).await;
            answer.send(2).unwrap();
            others
        };
        assert_eq!(tokio::join!(waits, meanwhile), (2, 1));
        assert_eq!(latest.get(async { None }).await, 0, "it has ended");
    }
}
