//! How many failed authentications get an entry of their own in the journal: a stranger must not be able to fill the disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use moho_terms::Timestamp;

use crate::net::pool::Sharer;

/// Entries in one second for one peer, and for all of them.
const EACH: u32 = 20;
const ALL: u32 = 200;

/// Counts failed authentications, second by second.
#[derive(Default)]
pub(crate) struct Strangers(Mutex<Second>);

#[derive(Default)]
struct Second {
    second: u64,
    /// Entries of each peer.
    entries: HashMap<Sharer, u32>,
    written: u32,
    /// Failures without an entry.
    counted: u64,
}

impl Strangers {
    /// Whether a failure gets an entry. One that gets none is counted; the count is logged once its second is over and
    /// somebody fails again.
    pub(super) fn gets_entry(&self, source: Sharer, now: Timestamp) -> bool {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if second.second != now.unix_seconds() {
            let over = std::mem::take(&mut *second);
            second.second = now.unix_seconds();
            if over.counted > 0 {
                tracing::warn!(
                    second = over.second,
                    count = over.counted,
                    "authentications failed, and were refused, too often for an entry each in the journal"
                );
            }
        }
        let gets = second.take(source);
        if !gets {
            second.counted = second.counted.saturating_add(1);
        }
        gets
    }

    /// Whether this peer's failures of the present second have used up its entries.
    pub(super) fn has_failed_too_often(&self, source: Sharer, now: Timestamp) -> bool {
        let second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = second.entries.get(&source);
        second.second == now.unix_seconds() && entries.is_some_and(|entries| *entries >= EACH)
    }
}

impl Second {
    fn take(&mut self, source: Sharer) -> bool {
        if self.written >= ALL {
            return false;
        }
        let entries = self.entries.entry(source).or_default();
        if *entries >= EACH {
            return false;
        }
        *entries = entries.saturating_add(1);
        self.written = self.written.saturating_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_writes_more_than_its_share_and_all_together_not_more_than_theirs() {
        let strangers = Strangers::default();
        let entries = |address: [u8; 4], second: u64| {
            let now = Timestamp::from_unix_seconds(second);
            let tries = 0..EACH * 2;
            tries
                .filter(|_| strangers.gets_entry(Sharer::Network(address.into()), now))
                .count()
        };
        assert_eq!(entries([192, 0, 2, 1], 1), 20);
        let too_often = |address: [u8; 4], second: u64| {
            strangers.has_failed_too_often(
                Sharer::Network(address.into()),
                Timestamp::from_unix_seconds(second),
            )
        };
        assert!(too_often([192, 0, 2, 1], 1));
        assert!(!too_often([192, 0, 2, 2], 1) && !too_often([192, 0, 2, 1], 2));
        assert_eq!(entries([192, 0, 2, 2], 1), 20, "another's failures are told");
        let others: usize = (3..50).map(|last| entries([192, 0, 2, last], 1)).sum();
        assert_eq!(others, 160);
        assert_eq!(strangers.0.lock().unwrap().counted, 49 * 40 - 200);
        assert_eq!(entries([192, 0, 2, 1], 2), 20, "the next second is another");
        assert_eq!(strangers.0.lock().unwrap().counted, 20);
    }
}
