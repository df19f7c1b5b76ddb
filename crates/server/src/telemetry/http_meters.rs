//! What requests did, whatever they asked for.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::bounds;
use super::meter::{Gauge, Histogram};
use super::page::{Kind, Page, Unit};

/// Counters and times of requests. Its labels are routes, methods, status codes and words of ours: all bounded.
pub(crate) struct HttpMeters {
    pub(crate) inflight: Gauge,
    requests: Mutex<BTreeMap<Requests, u64>>,
    times: Mutex<BTreeMap<&'static str, Times>>,
    pub(crate) auth_failures: Words,
    pub(crate) rejections: Words,
    pub(crate) stream_aborts: Words,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Requests {
    route: &'static str,
    method: &'static str,
    code: u16,
}

/// Times of one route.
struct Times {
    duration: Histogram,
    overhead: Histogram,
}

/// A counter for each of a few fixed words.
pub(crate) struct Words(Mutex<BTreeMap<&'static str, u64>>);

impl Words {
    /// With `words` counted from the start, so that their first increase shows as one.
    fn new(words: &[&'static str]) -> Self {
        Self(Mutex::new(words.iter().map(|word| (*word, 0)).collect()))
    }

    pub(crate) fn add(&self, word: &'static str) {
        let mut counts = locked(&self.0);
        let count = counts.entry(word).or_default();
        *count = count.saturating_add(1);
    }

    fn write(&self, page: &mut Page, name: &str, label: &'static str, help: &str) {
        page.family(name, Kind::Counter, help);
        for (word, count) in locked(&self.0).iter() {
            page.sample(name, &[(label, word)], count);
        }
    }
}

impl HttpMeters {
    pub(crate) fn new() -> Self {
        Self {
            inflight: Gauge::default(),
            requests: Mutex::new(BTreeMap::new()),
            times: Mutex::new(BTreeMap::new()),
            auth_failures: Words::new(&super::AUTH_FAILURES),
            rejections: Words::new(&[
                "body_memory",
                "engine_queue",
                "key_bodies",
                "peer_requests",
                "quota_requests",
                "quota_sequences",
                "quota_tokens",
                "requests",
            ]),
            stream_aborts: Words::new(&["client", "server"]),
        }
    }

    /// A request has ended.
    pub(crate) fn ended(&self, (route, method): (&'static str, &'static str), code: u16, duration: Duration) {
        let key = Requests { route, method, code };
        let mut requests = locked(&self.requests);
        let count = requests.entry(key).or_default();
        *count = count.saturating_add(1);
        drop(requests);
        let mut times = locked(&self.times);
        let times = times.entry(route).or_insert_with(Times::new);
        times.duration.observe_duration(duration);
    }

    /// A request's reply begins, and so much of the time until then was moho's own.
    pub(crate) fn replied(&self, route: &'static str, own: Duration) {
        let mut times = locked(&self.times);
        let times = times.entry(route).or_insert_with(Times::new);
        times.overhead.observe_duration(own);
    }

    pub(crate) fn write(&self, page: &mut Page) {
        self.write_requests(page);
        self.write_times(page);
        self.auth_failures.write(
            page,
            "moho_auth_failures_total",
            "reason",
            "Requests whose credentials were missing or refused.",
        );
        self.rejections.write(
            page,
            "moho_quota_rejections_total",
            "kind",
            "Requests that were asked to come again, as what they needed was taken.",
        );
        self.stream_aborts.write(
            page,
            "moho_stream_aborts_total",
            "side",
            "Streamed replies that did not come to their proper end, by who ended them.",
        );
    }

    fn write_requests(&self, page: &mut Page) {
        let name = "moho_http_requests_total";
        page.family(
            name,
            Kind::Counter,
            "Requests that have ended; code 499: the client left before the reply.",
        );
        for (key, count) in locked(&self.requests).iter() {
            let code = key.code.to_string();
            let labels = [
                ("route", key.route),
                ("method", key.method),
                ("code", code.as_str()),
            ];
            page.sample(name, &labels, count);
        }
        page.single(
            "moho_inflight_requests",
            Kind::Gauge,
            "Requests taken in whole whose replies have not ended.",
            self.inflight.get(),
        );
    }

    fn write_times(&self, page: &mut Page) {
        let times = locked(&self.times);
        let name = "moho_http_request_duration_seconds";
        page.family(
            name,
            Kind::Histogram,
            "From a request's head to the end of its reply.",
        );
        for (route, times) in times.iter() {
            page.histogram(
                name,
                &[("route", route)],
                &times.duration.distribution(),
                Unit::Time,
            );
        }
        let name = "moho_overhead_seconds";
        let help =
            "From the whole request to the beginning of its reply, without the time that the engine had it.";
        page.family(name, Kind::Histogram, help);
        for (route, times) in times.iter() {
            let overhead = times.overhead.distribution();
            if overhead.count > 0 {
                page.histogram(name, &[("route", route)], &overhead, Unit::Time);
            }
        }
    }
}

impl Times {
    fn new() -> Self {
        Self {
            duration: Histogram::new(bounds::HTTP),
            overhead: Histogram::new(bounds::OVERHEAD),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
