//! All counters, and taking from several of them together or from none.

use std::collections::HashMap;

use moho_terms::Timestamp;

use super::amounts::{Amounts, Limits};
use super::counter::{Counter, Hit, Left};
use super::rule::Key;

/// Counters at once. One has about 600 bytes.
const COUNTERS: usize = 100_000;

/// A quota that is for a question, and the counter of who asks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) key: Key,
    pub(super) limits: Limits,
}

/// What is taken from every counter at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Demand {
    pub(super) amounts: Amounts,
    pub(super) sequences: u64,
}

/// Why nothing was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untaken {
    /// A limit would be passed.
    Hit(Hit),
    /// The counter of this name is not open.
    Unopened(Key),
    /// There are too many counters to open another.
    Full,
}

/// All counters that are open.
#[derive(Default)]
pub(super) struct Ledger {
    counters: HashMap<Key, Counter>,
}

impl Ledger {
    /// Opens a counter of which the store says so much, if it is not open.
    pub(super) fn open(
        &mut self,
        key: Key,
        written: Amounts,
        keeps_days: bool,
        now: Timestamp,
    ) -> Result<(), Untaken> {
        if self.counters.contains_key(&key) {
            return Ok(());
        }
        if self.counters.len() >= COUNTERS {
            self.forget_idle(now);
        }
        if self.counters.len() >= COUNTERS {
            return Err(Untaken::Full);
        }
        self.counters
            .insert(key, Counter::opened(written, keeps_days, now));
        Ok(())
    }

    /// Takes from all counters, or from none. Those of quotas without limits for days need not be open.
    pub(super) fn take(
        &mut self,
        applied: &[Applied],
        demand: Demand,
        now: Timestamp,
    ) -> Result<(), Untaken> {
        for Applied { key, limits } in applied {
            if !limits.day.is_empty() && !self.counters.contains_key(key) {
                return Err(Untaken::Unopened(*key));
            }
            self.open(*key, Amounts::default(), false, now)?;
            if let Some(counter) = self.counters.get_mut(key) {
                counter.advance(now);
                if let Some(hit) = counter.hit(limits, demand.amounts, demand.sequences, now) {
                    return Err(Untaken::Hit(hit));
                }
            }
        }
        self.each(applied, |counter| counter.take(demand.amounts, demand.sequences));
        Ok(())
    }

    /// Tokens are used; as many of them as `released` says were set aside.
    pub(super) fn spend(&mut self, applied: &[Applied], used: Amounts, released: Amounts, now: Timestamp) {
        self.each(applied, |counter| {
            counter.advance(now);
            counter.spend(used, released);
        });
    }

    /// What was set aside will not be used.
    pub(super) fn give_back(&mut self, applied: &[Applied], demand: Demand) {
        self.each(applied, |counter| {
            counter.give_back(demand.amounts, demand.sequences)
        });
    }

    fn each(&mut self, applied: &[Applied], mut change: impl FnMut(&mut Counter)) {
        for Applied { key, .. } in applied {
            if let Some(counter) = self.counters.get_mut(key) {
                change(counter);
            }
        }
    }

    /// What is left of requests and of tokens: of the quotas that leave least.
    pub(super) fn left(&self, applied: &[Applied], now: Timestamp) -> (Option<Left>, Option<Left>) {
        let least = |of_requests| {
            let each = applied
                .iter()
                .filter_map(|Applied { key, limits }| self.counters.get(key)?.left(limits, of_requests, now));
            each.min_by_key(|left| (left.remaining, std::cmp::Reverse(left.reset)))
        };
        (least(true), least(false))
    }

    /// What the store has to know before what was taken may be used.
    pub(super) fn to_write(&self, applied: &[Applied]) -> Vec<(u64, Key, Amounts)> {
        let each = applied.iter().filter_map(|Applied { key, limits }| {
            let (day, amounts) = self.counters.get(key)?.to_write(limits.ahead())?;
            Some((day, *key, amounts))
        });
        each.collect()
    }

    /// What the store should say of all counters.
    pub(super) fn settle(&mut self) -> Vec<(u64, Key, Amounts)> {
        let each = self.counters.iter_mut().filter_map(|(key, counter)| {
            let (day, amounts) = counter.settle()?;
            Some((day, *key, amounts))
        });
        each.collect()
    }

    /// Nobody knows what the store says of these.
    pub(super) fn forget_written(&mut self, keys: impl Iterator<Item = Key>) {
        for key in keys {
            if let Some(counter) = self.counters.get_mut(&key) {
                counter.forget_written();
            }
        }
    }

    /// The store says so now.
    pub(super) fn wrote(&mut self, day: u64, key: Key, amounts: Amounts) {
        if let Some(counter) = self.counters.get_mut(&key) {
            counter.wrote(day, amounts);
        }
    }

    /// Forgets counters that count nothing the store does not know.
    pub(super) fn forget_idle(&mut self, now: Timestamp) {
        self.counters.retain(|_, counter| {
            counter.advance(now);
            !counter.is_idle()
        });
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.counters.len()
    }
}
