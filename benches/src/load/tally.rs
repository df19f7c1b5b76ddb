//! What the crowd has seen, in numbers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::watch::Seen;

/// Counted by all clients.
#[derive(Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    /// Requests by what was done.
    requests: BTreeMap<&'static str, u64>,
    tokens: u64,
    refusals: u64,
    /// Seconds to the first piece of a streamed answer, and to the end of a whole one.
    first: Vec<f64>,
    whole: Vec<f64>,
    faults: u64,
    first_fault: Option<String>,
}

/// The one result.
#[derive(Serialize)]
pub(crate) struct Report {
    seconds: f64,
    requests: BTreeMap<&'static str, u64>,
    tokens: u64,
    refusals: u64,
    faults: u64,
    first_piece_seconds: Percentiles,
    whole_answer_seconds: Percentiles,
    resident_mib: Course,
    files: Course,
    threads: Course,
}

#[derive(Serialize)]
struct Percentiles {
    p50: f64,
    p99: f64,
}

/// How a number went.
#[derive(Serialize)]
pub(crate) struct Course {
    pub(crate) start: u64,
    pub(crate) middle_third: u64,
    pub(crate) last_third: u64,
    pub(crate) most: u64,
    pub(crate) end: u64,
}

impl Tally {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more request of a kind.
    pub(crate) fn request(&self, kind: &'static str) {
        let mut counts = self.counts();
        let count = counts.requests.entry(kind).or_default();
        *count = count.saturating_add(1);
    }

    /// Tokens that an answer says it has.
    pub(crate) fn tokens(&self, more: u64) {
        let mut counts = self.counts();
        counts.tokens = counts.tokens.saturating_add(more);
    }

    /// Refused for now, with a word on when to come again.
    pub(crate) fn refusal(&self) {
        let mut counts = self.counts();
        counts.refusals = counts.refusals.saturating_add(1);
    }

    /// The time to the first piece of a stream.
    pub(crate) fn first_piece(&self, took: Duration) {
        self.counts().first.push(took.as_secs_f64());
    }

    /// The time to the end of a whole answer.
    pub(crate) fn whole_answer(&self, took: Duration) {
        self.counts().whole.push(took.as_secs_f64());
    }

    /// Something that no client should see.
    pub(crate) fn fault(&self, what: String) {
        let mut counts = self.counts();
        counts.faults = counts.faults.saturating_add(1);
        counts.first_fault.get_or_insert(what);
    }

    /// The first thing that no client should have seen.
    pub(crate) fn first_fault(&self) -> Option<String> {
        self.counts().first_fault.clone()
    }

    /// All of it.
    pub(crate) fn report(&self, took: Duration, seen: &Seen) -> Report {
        let counts = self.counts();
        Report {
            seconds: took.as_secs_f64(),
            requests: counts.requests.clone(),
            tokens: counts.tokens,
            refusals: counts.refusals,
            faults: counts.faults,
            first_piece_seconds: percentiles(&counts.first),
            whole_answer_seconds: percentiles(&counts.whole),
            resident_mib: seen.resident_mib(),
            files: seen.files(),
            threads: seen.threads(),
        }
    }
}

fn percentiles(times: &[f64]) -> Percentiles {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |hundredths: usize| {
        let last = sorted.len().saturating_sub(1);
        let index = last.saturating_mul(hundredths) / 100;
        sorted.get(index).copied().unwrap_or_default()
    };
    Percentiles {
        p50: at(50),
        p99: at(99),
    }
}
