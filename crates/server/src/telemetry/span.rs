//! One request, from its head to the end of its reply: what is counted, traced and logged of it.
//!
//! A [`RequestSpan`] travels with its request. When the last one of them is dropped, the request has ended.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use http::uri::Authority;
use moho_terms::{ModelId, RequestId, Timestamp};
use tokio::time::Instant;

use super::meter::micros;
use super::trace::{Kind, Parent, Place, Span, Value};
use super::{Telemetry, access, route};
use crate::net::Head;
use crate::net::tls::HostName;

/// What nginx counts a request as whose client left before the reply.
const CLIENT_LEFT: u16 = 499;

/// A request in progress. All copies are of the same request.
#[derive(Clone)]
pub struct RequestSpan(Arc<Request>);

struct Request {
    telemetry: Arc<Telemetry>,
    route: &'static str,
    method: &'static str,
    id: RequestId,
    /// When the head had arrived.
    received: Timestamp,
    /// From then until the whole request was there.
    taking: Duration,
    /// When the whole request was there.
    began: Instant,
    place: Option<Place>,
    address: Option<(HostName, Option<u16>)>,
    /// 0 until the reply begins.
    status: AtomicU16,
    /// Whether its stream was broken off.
    broken: AtomicBool,
    engine: EngineTime,
    inference: Mutex<Option<Inference>>,
}

/// When the engine had the request, in microseconds since `began`, plus one; 0 is never.
#[derive(Default)]
struct EngineTime {
    from: AtomicU64,
    until: AtomicU64,
}

/// What the engine did for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inference {
    pub(super) model: ModelId,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) ending: &'static str,
}

/// What the access log says of a request.
pub(super) struct Summary<'a> {
    pub(super) id: &'a RequestId,
    pub(super) route: &'static str,
    pub(super) method: &'static str,
    pub(super) status: u16,
    pub(super) duration: Duration,
    pub(super) place: Option<&'a Place>,
    pub(super) inference: Option<&'a Inference>,
}

impl RequestSpan {
    /// A request that is taken in whole.
    pub(crate) fn begin(telemetry: &Arc<Telemetry>, head: &Head, route: &'static str) -> Self {
        telemetry.http.inflight.add(1);
        let parent = head.headers.get("traceparent");
        let place = telemetry.place(parent.and_then(|parent| Parent::read(parent.as_bytes())));
        let now = telemetry.clock.now();
        let taking = now.unix_micros().saturating_sub(head.received.unix_micros());
        Self(Arc::new(Request {
            telemetry: Arc::clone(telemetry),
            route,
            method: route::method(&head.method),
            id: head.request_id.clone(),
            received: head.received,
            taking: Duration::from_micros(taking),
            began: Instant::now(),
            place,
            address: place.and_then(|_recorded| address(&head.authority)),
            status: AtomicU16::new(0),
            broken: AtomicBool::new(false),
            engine: EngineTime::default(),
            inference: Mutex::new(None),
        }))
    }

    /// The reply begins.
    pub(crate) fn replied(&self, status: StatusCode) {
        let request = &self.0;
        request.status.store(status.as_u16(), Ordering::Relaxed);
        let until = request.began.elapsed();
        let own = until.saturating_sub(request.engine.held());
        request.telemetry.http.replied(request.route, own);
    }

    /// A sequence ends before its time. Whether that breaks off the stream: the reply has begun, and no sequence of the
    /// request broke it off before.
    pub(super) fn breaks_off(&self) -> bool {
        self.0.status.load(Ordering::Relaxed) > 0 && !self.0.broken.swap(true, Ordering::Relaxed)
    }

    /// The engine had the request from the one moment until the other, so far.
    pub(super) fn with_engine(&self, from: Instant, until: Instant) {
        let since = |at: Instant| micros(at.saturating_duration_since(self.0.began)).saturating_add(1);
        let time = &self.0.engine;
        // Whoever comes first sets it; then the earliest holds.
        if time
            .from
            .compare_exchange(0, since(from), Ordering::Relaxed, Ordering::Relaxed)
            .is_err()
        {
            time.from.fetch_min(since(from), Ordering::Relaxed);
        }
        time.until.fetch_max(since(until), Ordering::Relaxed);
    }

    /// A sequence of this request has ended. Several together give the sums of their tokens, and the last one's ending.
    pub(super) fn inferred(&self, more: Inference) {
        let mut inference = self.0.inference.lock().unwrap_or_else(PoisonError::into_inner);
        *inference = Some(match inference.take() {
            Some(before) => Inference {
                input_tokens: before.input_tokens.saturating_add(more.input_tokens),
                output_tokens: before.output_tokens.saturating_add(more.output_tokens),
                ..more
            },
            None => more,
        });
    }

    pub(super) fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    pub(super) fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// A moment of this request, in nanoseconds since 1970.
    pub(super) fn unix_nanos(&self, at: Instant) -> u64 {
        self.0.unix_nanos(at)
    }

    /// The host and port that the client asked for.
    pub(super) fn address(&self) -> Vec<(&'static str, Value)> {
        self.0.address()
    }
}

impl EngineTime {
    fn held(&self) -> Duration {
        let from = self.from.load(Ordering::Relaxed);
        Duration::from_micros(self.until.load(Ordering::Relaxed).saturating_sub(from))
    }
}

impl Request {
    fn unix_nanos(&self, at: Instant) -> u64 {
        let since = self
            .taking
            .saturating_add(at.saturating_duration_since(self.began));
        let since = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let received = self.received.unix_micros().saturating_mul(1000);
        received.saturating_add(since)
    }

    fn address(&self) -> Vec<(&'static str, Value)> {
        let Some((host, port)) = &self.address else {
            return Vec::new();
        };
        let mut attributes = vec![("server.address", Value::Host(host.to_string()))];
        attributes.extend(port.map(|port| ("server.port", Value::Number(i64::from(port)))));
        attributes
    }

    fn span(&self, place: Place, status: u16) -> Span {
        let mut attributes = vec![
            ("http.request.method", Value::Word(self.method)),
            ("http.route", Value::Word(self.route)),
            ("url.scheme", Value::Word("https")),
            ("moho.request_id", Value::Request(self.id.clone())),
        ];
        if status == CLIENT_LEFT {
            attributes.push(("error.type", Value::Word("client_left")));
        } else {
            attributes.push(("http.response.status_code", Value::Number(i64::from(status))));
        }
        if status >= 500 {
            attributes.push(("error.type", Value::Word("server_error")));
        }
        attributes.extend(self.address());
        Span {
            place,
            kind: Kind::Server,
            name: format!("{} {}", self.method, self.route),
            start: self.received.unix_micros().saturating_mul(1000),
            end: self.unix_nanos(Instant::now()),
            attributes,
            failed: status >= 500,
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let duration = self.taking.saturating_add(self.began.elapsed());
        let status = match self.status.load(Ordering::Relaxed) {
            0 => CLIENT_LEFT,
            status => status,
        };
        let http = &self.telemetry.http;
        http.inflight.add(-1);
        http.ended((self.route, self.method), status, duration);
        if let Some(place) = self.place {
            self.telemetry.record(|| self.span(place, status));
        }
        let inference = self.inference.lock().unwrap_or_else(PoisonError::into_inner);
        access::log(&Summary {
            id: &self.id,
            route: self.route,
            method: self.method,
            status,
            duration,
            place: self.place.as_ref(),
            inference: inference.as_ref(),
        });
    }
}

/// What a client calls this server, if that is a name or an address at all.
fn address(authority: &str) -> Option<(HostName, Option<u16>)> {
    let authority: Authority = authority.parse().ok()?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    Some((host.parse().ok()?, authority.port_u16()))
}
