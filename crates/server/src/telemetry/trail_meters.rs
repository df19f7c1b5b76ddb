//! What trails deliver: how far that is behind the journal, of no trail by its name.

use std::sync::atomic::{AtomicU64, Ordering};

use moho_terms::Timestamp;

use super::page::{Kind, Page};

/// How far delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TrailLag {
    /// Records of the journal behind what all trails have delivered, but for those that are refused.
    pub(crate) records: u64,
    /// When the first of these was written.
    pub(crate) oldest: Option<Timestamp>,
    /// Trails whose last try to deliver failed.
    pub(crate) failing: u64,
}

/// What is known of it.
#[derive(Default)]
pub(crate) struct TrailMeters {
    records: AtomicU64,
    /// In microseconds since 1970; 0 for none.
    oldest: AtomicU64,
    failing: AtomicU64,
}

impl TrailMeters {
    /// So far it is now.
    pub(crate) fn lags(&self, lag: &TrailLag) {
        self.records.store(lag.records, Ordering::Relaxed);
        let oldest = lag.oldest.map_or(0, Timestamp::unix_micros);
        self.oldest.store(oldest, Ordering::Relaxed);
        self.failing.store(lag.failing, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn lag(&self) -> TrailLag {
        let oldest = self.oldest.load(Ordering::Relaxed);
        TrailLag {
            records: self.records.load(Ordering::Relaxed),
            oldest: (oldest > 0).then(|| Timestamp::from_unix_seconds(oldest / 1_000_000)),
            failing: self.failing.load(Ordering::Relaxed),
        }
    }

    pub(super) fn write(&self, page: &mut Page, now: Timestamp) {
        let age = match self.oldest.load(Ordering::Relaxed) {
            0 => 0,
            oldest => now.unix_micros().saturating_sub(oldest) / 1_000_000,
        };
        page.single(
            "moho_trail_delivery_lag_records",
            Kind::Gauge,
            "Records of the journal that not all trails have delivered or passed over, but for trails that fail.",
            self.records.load(Ordering::Relaxed),
        );
        page.single(
            "moho_trail_delivery_lag_seconds",
            Kind::Gauge,
            "How long ago the first of them was written.",
            age,
        );
        page.single(
            "moho_trail_delivery_failing_trails",
            Kind::Gauge,
            "Trails whose last try to deliver failed.",
            self.failing.load(Ordering::Relaxed),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_told_with_its_age() {
        let meters = TrailMeters::default();
        let said = |meters: &TrailMeters| {
            let mut page = Page::default();
            meters.write(&mut page, Timestamp::from_unix_seconds(100));
            page.finish()
        };
        assert!(said(&meters).contains("\nmoho_trail_delivery_lag_seconds 0\n"));
        meters.lags(&TrailLag {
            records: 3,
            oldest: Some(Timestamp::from_unix_seconds(40)),
            failing: 2,
        });
        let text = said(&meters);
        for line in [
            "moho_trail_delivery_lag_records 3",
            "moho_trail_delivery_lag_seconds 60",
            "moho_trail_delivery_failing_trails 2",
        ] {
            assert!(text.lines().any(|said| said == line), "{line}\n{text}");
        }
    }
}
