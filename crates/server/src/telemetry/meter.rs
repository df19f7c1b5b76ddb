//! What is counted: numbers that any thread may add to without waiting.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that rises and falls.
#[derive(Default)]
pub(crate) struct Gauge(AtomicI64);

impl Gauge {
    pub(crate) fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often a value fell into which range. Durations are counted in microseconds, everything else in ones.
pub(crate) struct Histogram {
    /// Upper bounds, each belonging to its range, rising; one range more has none.
    bounds: &'static [u64],
    ranges: Vec<AtomicU64>,
    sum: AtomicU64,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            ranges: std::iter::repeat_with(AtomicU64::default)
                .take(bounds.len().saturating_add(1))
                .collect(),
            sum: AtomicU64::new(0),
        }
    }

    pub(crate) fn observe(&self, value: u64) {
        self.observe_many(value, 1);
    }

    pub(crate) fn observe_duration(&self, duration: Duration) {
        self.observe(micros(duration));
    }

    /// Counts `times` equal values.
    pub(crate) fn observe_many(&self, value: u64, times: u64) {
        let range = self.bounds.partition_point(|bound| *bound < value);
        if let Some(range) = self.ranges.get(range) {
            range.fetch_add(times, Ordering::Relaxed);
        }
        self.sum.fetch_add(value.saturating_mul(times), Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(crate) fn distribution(&self) -> Distribution {
        let mut count = 0_u64;
        let below = self.bounds.iter().zip(&self.ranges).map(|(bound, range)| {
            count = count.saturating_add(range.load(Ordering::Relaxed));
            (*bound, count)
        });
        let below = below.collect();
        let above = self
            .ranges
            .last()
            .map_or(0, |range| range.load(Ordering::Relaxed));
        Distribution {
            below,
            count: count.saturating_add(above),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

/// A histogram as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Distribution {
    /// Upper bounds, and how many values are not above each.
    pub(crate) below: Vec<(u64, u64)>,
    /// How many values there are.
    pub(crate) count: u64,
    /// All of them together.
    pub(crate) sum: u64,
}

/// To the nearest microsecond.
pub(crate) fn micros(duration: Duration) -> u64 {
    let nanos = duration.as_nanos().saturating_add(500);
    u64::try_from(nanos / 1000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_range() {
        let histogram = Histogram::new(&[10, 20]);
        for value in [0, 10, 11, 20, 21] {
            histogram.observe(value);
        }
        histogram.observe_many(15, 3);
        let expected = Distribution {
            below: vec![(10, 2), (20, 7)],
            count: 8,
            sum: 107,
        };
        assert_eq!(histogram.distribution(), expected);
    }

    #[test]
    fn durations_are_rounded_not_cut() {
        assert_eq!(micros(Duration::from_nanos(1_499)), 1);
        assert_eq!(micros(Duration::from_nanos(1_500)), 2);
    }
}
