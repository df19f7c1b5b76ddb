//! How many requests a connection may abandon: resetting costs the client nothing and the server each time a start.
//!
//! The measure is nghttp2's: a thousand at once, and a third of a hundred a second for ever ("rapid reset",
//! CVE-2023-44487). Whoever cancels streams because people stop reading stays far below it.

use std::sync::{Mutex, PoisonError};

/// Requests that may be abandoned at once.
const BURST: u64 = 1000;
/// Microseconds after which one of them is forgotten.
const FORGET: u64 = 30_000;

/// The abandoned requests of one connection.
#[derive(Default)]
pub(crate) struct Abandoned(Mutex<Level>);

#[derive(Default)]
struct Level {
    count: u64,
    /// Microseconds; up to then, the count has been lowered.
    lowered: u64,
}

impl Abandoned {
    /// Counts one more, at a time in microseconds. Whether that is one too many.
    pub(crate) fn one_more(&self, now: u64) -> bool {
        let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = now.saturating_sub(level.lowered) / FORGET;
        let count = level.count.saturating_sub(forgotten).saturating_add(1);
        level.count = count.min(BURST.saturating_add(1));
        level.lowered = level.lowered.saturating_add(forgotten.saturating_mul(FORGET));
        level.count > BURST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_borne_and_forgotten() {
        let abandoned = Abandoned::default();
        let tries = |now: u64| (0..2000).filter(|_| !abandoned.one_more(now)).count();
        assert_eq!(tries(0), 1000);
        assert_eq!(tries(0), 0);
        assert_eq!(tries(3000 * FORGET), 1000, "later it is another burst");
        let slowly = Abandoned::default();
        assert!((0..10_000).all(|number| !slowly.one_more(number * FORGET)));
    }
}
