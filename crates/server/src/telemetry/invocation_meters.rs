//! The log of calls of models: what waits to be delivered, and what went wrong.

use std::sync::atomic::{AtomicU64, Ordering};

use moho_store::invocations::InvocationBacklog;
use moho_terms::Timestamp;

use super::meter::Counter;
use super::page::{Kind, Page};

/// What is counted of it.
#[derive(Default)]
pub(crate) struct InvocationMeters {
    records: AtomicU64,
    bytes: AtomicU64,
    /// When the first record was written that waits, in microseconds since 1970; 0 if none does.
    oldest: AtomicU64,
    failures: Counter,
    refused: Counter,
    left_out: Counter,
}

impl InvocationMeters {
    /// So much waits now.
    pub(crate) fn waits(&self, backlog: &InvocationBacklog) {
        self.records.store(backlog.records, Ordering::Relaxed);
        self.bytes.store(backlog.bytes, Ordering::Relaxed);
        let oldest = backlog.oldest.map_or(0, Timestamp::unix_micros);
        self.oldest.store(oldest, Ordering::Relaxed);
    }

    /// A delivery failed, and is tried again.
    pub(crate) fn failed(&self) {
        self.failures.add(1);
    }

    /// A call was refused, as it could not be logged.
    pub(crate) fn refused(&self) {
        self.refused.add(1);
    }

    /// So many bodies were left out of their records.
    pub(crate) fn left_out(&self, bodies: u64) {
        self.left_out.add(bodies);
    }

    #[cfg(test)]
    pub(crate) fn bodies_left_out(&self) -> u64 {
        self.left_out.get()
    }

    pub(super) fn write(&self, page: &mut Page, now: Timestamp) {
        let waits = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let age = match waits(&self.oldest) {
            0 => 0,
            oldest => now.unix_micros().saturating_sub(oldest) / 1_000_000,
        };
        page.single(
            "moho_invocation_log_backlog_records",
            Kind::Gauge,
            "Records of calls of models that wait to be delivered.",
            waits(&self.records),
        );
        page.single(
            "moho_invocation_log_backlog_bytes",
            Kind::Gauge,
            "Their bytes, before sealing.",
            waits(&self.bytes),
        );
        page.single(
            "moho_invocation_log_backlog_age_seconds",
            Kind::Gauge,
            "How long the first of them waits.",
            age,
        );
        page.single(
            "moho_invocation_log_delivery_failures_total",
            Kind::Counter,
            "Deliveries that failed, and are tried again.",
            self.failures.get(),
        );
        page.single(
            "moho_invocation_log_refused_total",
            Kind::Counter,
            "Calls that were refused or broken off, as they could not be logged.",
            self.refused.get(),
        );
        page.single(
            "moho_invocation_log_bodies_omitted_total",
            Kind::Counter,
            "Bodies that were too large for their record, and had no bucket to go to.",
            self.left_out.get(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backlog_is_told_with_its_age() {
        let meters = InvocationMeters::default();
        let said = |meters: &InvocationMeters| {
            let mut page = Page::default();
            meters.write(&mut page, Timestamp::from_unix_seconds(100));
            page.finish()
        };
        assert!(said(&meters).contains("\nmoho_invocation_log_backlog_age_seconds 0\n"));
        meters.waits(&InvocationBacklog {
            records: 3,
            bytes: 50,
            oldest: Some(Timestamp::from_unix_seconds(40)),
        });
        meters.failed();
        meters.left_out(2);
        let text = said(&meters);
        for line in [
            "moho_invocation_log_backlog_records 3",
            "moho_invocation_log_backlog_bytes 50",
            "moho_invocation_log_backlog_age_seconds 60",
            "moho_invocation_log_delivery_failures_total 1",
            "moho_invocation_log_refused_total 0",
            "moho_invocation_log_bodies_omitted_total 2",
        ] {
            assert!(text.lines().any(|said| said == line), "{line}\n{text}");
        }
    }
}
