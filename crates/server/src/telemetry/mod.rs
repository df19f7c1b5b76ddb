//! What operators see: metrics, traces and the access log. Counts, durations, sizes and ids; never what was said.
//!
//! INVARIANT: nothing here can name a tenant's words. No code of this folder takes `Content`, its labels are words of
//! ours, route templates, status codes, the ids of served models, and the numbers and drawn ids of accounts and principals, and a span's values have a closed type.

mod access;
mod allowance;
mod bounds;
mod http_meters;
mod invocation_meters;
mod job_meters;
mod listener;
mod meter;
mod model_meters;
mod models_page;
mod observed;
mod otlp;
mod page;
mod posture;
mod process;
pub(crate) mod route;
mod span;
mod trace;
mod trail_meters;
mod usage_page;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use moho_engine::ModelLoad;
use moho_iam::authn::AuthnError;
use moho_terms::{Clock, Entropy, ModelId};

pub use listener::MetricsListener;
pub use observed::Observed;
pub use posture::say_posture;
pub use span::RequestSpan;

pub(crate) use invocation_meters::InvocationMeters;
pub(crate) use job_meters::JobMeters;
pub(crate) use model_meters::Operation;
pub(crate) use otlp::{Exporter, OtlpError};
pub(crate) use trail_meters::{TrailLag, TrailMeters};
pub(crate) use watch::{Ending, Question, Watch};

use self::allowance::Allowance;
use self::http_meters::HttpMeters;
use self::model_meters::ModelMeters;
use self::page::Page;
use self::trace::{Parent, Place, Span};
use crate::closing::Closing;
use crate::net::{Head, RimError};

/// That the bootstrap door is closed, in the journal's word.
const DOOR_CLOSED: &str = "door-closed";
/// Why authentications fail, in the words of the journal.
const AUTH_FAILURES: [&str; 22] = [
    "missing",
    "malformed",
    "unknown-key",
    "wrong-scope",
    "bad-signature",
    "web-identity/malformed",
    "web-identity/unknown-issuer",
    "web-identity/unreachable",
    "web-identity/no-provider",
    "web-identity/algorithm",
    "web-identity/no-key",
    "web-identity/bad-signature",
    "web-identity/claim",
    "web-identity/issuer",
    "web-identity/audience",
    "web-identity/request",
    "web-identity/expired",
    "web-identity/not-yet",
    "unavailable",
    "expired",
    "skewed",
    DOOR_CLOSED,
];

/// Everything that is measured in one process.
pub struct Telemetry {
    http: HttpMeters,
    jobs: Arc<JobMeters>,
    invocations: Arc<InvocationMeters>,
    trails: Arc<TrailMeters>,
    models: Vec<Arc<ModelMeters>>,
    strangers: Allowance,
    closing: Closing,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    traces: Option<Traces>,
    /// When the process began, in microseconds since 1970.
    start: Option<u64>,
}

/// Where spans go, and which.
pub(crate) struct Traces {
    pub(crate) exporter: Exporter,
    /// Of the traces that begin here, so large a share is recorded, from 0 to 1.
    pub(crate) share: f64,
}

impl Telemetry {
    /// Nothing measured yet, of the models that will be served.
    pub(crate) fn new(
        models: impl Iterator<Item = ModelId>,
        traces: Option<Traces>,
        closing: Closing,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            http: HttpMeters::new(),
            jobs: Arc::default(),
            invocations: Arc::default(),
            trails: Arc::default(),
            models: models.map(|model| Arc::new(ModelMeters::new(model))).collect(),
            strangers: Allowance::default(),
            closing,
            traces,
            start: process::start(clock.now()),
            clock,
            entropy,
        }
    }

    /// What jobs are counted by.
    pub(crate) fn jobs(&self) -> &Arc<JobMeters> {
        &self.jobs
    }

    /// What the log of calls of models is counted by.
    pub(crate) fn invocations(&self) -> &Arc<InvocationMeters> {
        &self.invocations
    }

    /// What the delivery of trails is measured by.
    pub(crate) fn trails(&self) -> &Arc<TrailMeters> {
        &self.trails
    }

    /// A request got its reply without being taken in whole: it was refused at its head, or while its body came.
    pub(crate) fn turned_away(&self, head: &Head, route: &'static str, status: StatusCode) {
        let now = self.clock.now();
        let taking = now.unix_micros().saturating_sub(head.received.unix_micros());
        let (duration, method) = (Duration::from_micros(taking), route::method(&head.method));
        self.http.ended((route, method), status.as_u16(), duration);
        if self.strangers.takes(now) {
            access::log(&span::Summary {
                id: &head.request_id,
                route,
                method,
                status: status.as_u16(),
                duration,
                place: None,
                inference: None,
            });
        }
    }

    /// A probe was answered. It is counted, but never logged or traced: it comes every few seconds, for ever.
    pub(crate) fn probed(&self, head: &Head, route: &'static str, status: StatusCode) {
        let method = route::method(&head.method);
        self.http.ended((route, method), status.as_u16(), Duration::ZERO);
    }

    /// Somebody could not say who it is.
    pub(crate) fn authentication_failed(&self, error: &AuthnError) {
        self.http.auth_failures.add(error.code());
    }

    /// Somebody knocked at the bootstrap door, which is closed.
    pub(crate) fn door_was_closed(&self) {
        self.http.auth_failures.add(DOOR_CLOSED);
    }

    /// A request was refused, as a quota is used up: of what, in a fixed word.
    pub(crate) fn quota_was_hit(&self, kind: &'static str) {
        self.http.rejections.add(kind);
    }

    /// A request was refused by the rim; if it was asked to come again, that is counted.
    pub(crate) fn had_no_room(&self, error: RimError) {
        let kind = match error {
            RimError::Busy => "body_memory",
            RimError::Full => "requests",
            RimError::TooMany => "peer_requests",
            RimError::Unproven => "key_bodies",
            RimError::Stopping
            | RimError::BodyTooLarge { .. }
            | RimError::BodyTooSlow { .. }
            | RimError::BodyBroken
            | RimError::NoSingleHost
            | RimError::ExpectationFailed
            | RimError::ContentEncoding
            | RimError::Internal => return,
        };
        self.http.rejections.add(kind);
    }

    /// Writes everything that is measured; `loads` is what the engine says of itself.
    fn write(&self, page: &mut Page, loads: &[ModelLoad]) {
        self.http.write(page);
        self.jobs.write(page);
        self.invocations.write(page, self.clock.now());
        self.trails.write(page, self.clock.now());
        models_page::write_measured(page, &self.models);
        models_page::write_loads(page, loads);
        if let Some(traces) = &self.traces {
            traces.exporter.write(page);
        }
        process::write(page, self.start);
    }

    /// The meters of a model, if it is served.
    fn model(&self, id: &ModelId) -> Option<Arc<ModelMeters>> {
        self.models.iter().find(|meters| meters.model == *id).cloned()
    }

    /// Whether what still runs has to end now.
    fn is_ending(&self) -> bool {
        self.closing.is_ending()
    }

    /// Where a request stands in its trace, if it is to be recorded.
    fn place(&self, parent: Option<Parent>) -> Option<Place> {
        let traces = self.traces.as_ref()?;
        Place::of_request(parent, traces.share, &*self.entropy)
    }

    /// Sends a span on its way, if spans go anywhere.
    fn record(&self, span: impl FnOnce() -> Span) {
        if let Some(traces) = &self.traces {
            traces.exporter.take(span());
        }
    }

    /// Sends what still waits to be sent, within a few seconds.
    pub async fn finish(&self) {
        if let Some(traces) = &self.traces {
            traces.exporter.finish().await;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
