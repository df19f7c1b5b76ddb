//! What jobs did: numbers, by the names of the jobs, which are ours.

use std::sync::atomic::{AtomicU64, Ordering};

use super::meter::Counter;
use super::page::{Kind, Page};

/// Every job there is.
const JOBS: [&str; 10] = [
    "access-logs",
    "event-history",
    "garbage",
    "invocation-log",
    "lifecycle",
    "log-events",
    "orphans",
    "retention",
    "scrub",
    "trails",
];

/// What is counted of one job.
#[derive(Default)]
pub(crate) struct JobCounts {
    /// Steps that were done.
    pub(crate) steps: Counter,
    /// Steps that could not be done.
    pub(crate) failures: Counter,
    /// Things that were done.
    pub(crate) done: Counter,
    /// Things that were found to be wrong.
    pub(crate) findings: Counter,
    /// Rounds that have ended.
    pub(crate) rounds: Counter,
    /// Whether it is in the middle of a round.
    working: AtomicU64,
}

/// What is counted of all of them.
#[derive(Default)]
pub(crate) struct JobMeters([JobCounts; JOBS.len()]);

type OfCounts = (&'static str, Kind, &'static str, fn(&JobCounts) -> u64);

const FAMILIES: [OfCounts; 6] = [
    (
        "moho_job_steps_total",
        Kind::Counter,
        "Steps that jobs have done.",
        |job| job.steps.get(),
    ),
    (
        "moho_job_failures_total",
        Kind::Counter,
        "Steps that jobs could not do.",
        |job| job.failures.get(),
    ),
    (
        "moho_job_done_total",
        Kind::Counter,
        "Things that jobs have done.",
        |job| job.done.get(),
    ),
    (
        "moho_job_findings_total",
        Kind::Counter,
        "Things that jobs found to be wrong.",
        |job| job.findings.get(),
    ),
    (
        "moho_job_rounds_total",
        Kind::Counter,
        "Rounds of jobs that have ended.",
        |job| job.rounds.get(),
    ),
    (
        "moho_job_working",
        Kind::Gauge,
        "Whether a job is in the middle of a round.",
        |job| job.working.load(Ordering::Relaxed),
    ),
];

impl JobMeters {
    /// The counts of one job.
    pub(crate) fn of(&self, job: &str) -> Option<&JobCounts> {
        let number = JOBS.iter().position(|known| *known == job)?;
        self.0.get(number)
    }

    /// A step was done: so many things, of which so many are wrong, and whether the round goes on.
    pub(crate) fn stepped(&self, job: &str, (done, findings): (u64, u64), more: bool) {
        if let Some(counts) = self.of(job) {
            counts.steps.add(1);
            counts.done.add(done);
            counts.findings.add(findings);
            if !more {
                counts.rounds.add(1);
            }
            counts.working.store(more.into(), Ordering::Relaxed);
        }
    }

    /// A step could not be done.
    pub(crate) fn failed(&self, job: &str) {
        if let Some(counts) = self.of(job) {
            counts.failures.add(1);
        }
    }

    pub(super) fn write(&self, page: &mut Page) {
        for (name, kind, help, value) in FAMILIES {
            page.family(name, kind, help);
            for (job, counts) in JOBS.iter().zip(&self.0) {
                page.sample(name, &[("job", job)], value(counts));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_counted_from_the_start() {
        let meters = JobMeters::default();
        meters.stepped("scrub", (3, 1), true);
        meters.failed("scrub");
        meters.stepped("nobody", (3, 1), true);
        let mut page = Page::default();
        meters.write(&mut page);
        let text = page.finish();
        for line in [
            "moho_job_done_total{job=\"scrub\"} 3",
            "moho_job_findings_total{job=\"scrub\"} 1",
            "moho_job_failures_total{job=\"scrub\"} 1",
            "moho_job_working{job=\"scrub\"} 1",
            "moho_job_done_total{job=\"garbage\"} 0",
        ] {
            assert!(text.lines().any(|said| said == line), "{line}\n{text}");
        }
    }
}
