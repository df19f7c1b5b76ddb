//! All counters, and taking from several of them together or from none.

use std::collections::HashMap;

use moho_terms::Timestamp;

use super::amounts::{Amounts, Limits};
use super::counter::{Counter, Hit, Left};
use super::rule::Key;

/// Counters at once. One has about 600 bytes.
const COUNTERS: usize = 100_000;
/// Of those, the ones of one account: whoever uses up its own leaves room for others.
const OF_ONE_ACCOUNT: usize = COUNTERS / 4;

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

/// Of the room for answers that is left, one of so many parts is taken at once: the rest is for others.
const PARTS: u64 = 4;
/// Tokens for which it does not pay to come again.
pub(crate) const FEW: u64 = 16;

/// Why nothing was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Untaken {
    /// A limit would be passed.
    Hit(Hit),
    /// The counters of these names are not open.
    Unopened(Vec<Key>),
    /// There are too many counters to open another.
    Full,
}

/// All counters that are open.
#[derive(Default)]
pub(super) struct Ledger {
    counters: HashMap<Key, Counter>,
    /// How many there are of each account.
    of_account: HashMap<[u8; 4], usize>,
    /// The second in which idle ones were last looked for to make room.
    swept: Option<u64>,
}

impl Ledger {
    /// Opens a counter of which the store says so much, if it is not open as of this day.
    pub(super) fn open(
        &mut self,
        key: Key,
        written: Amounts,
        keeps_days: bool,
        now: Timestamp,
    ) -> Result<(), Untaken> {
        if let Some(counter) = self.counters.get_mut(&key) {
            if counter.is_ahead(now) {
                counter.go_back(written, now);
            }
            return Ok(());
        }
        // Looking at all of them takes a while: not for every request of a crowd.
        let second = now.unix_seconds();
        if self.is_full(key) && self.swept != Some(second) {
            self.swept = Some(second);
            self.forget_idle(now);
        }
        if self.is_full(key) {
            return Err(Untaken::Full);
        }
        let of_account = self.of_account.entry(key.account()).or_default();
        *of_account = of_account.saturating_add(1);
        self.counters
            .insert(key, Counter::opened(written, keeps_days, now));
        Ok(())
    }

    fn is_full(&self, key: Key) -> bool {
        let of_account = self.of_account.get(&key.account()).copied();
        self.counters.len() >= COUNTERS || of_account.unwrap_or_default() >= OF_ONE_ACCOUNT
    }

    /// Takes what is demanded from all counters, or nothing from any. If there is room, more tokens of answers are taken, up
    /// to `most` in all; how many there are then.
    pub(super) fn take(
        &mut self,
        applied: &[Applied],
        (demand, most): (Demand, u64),
        now: Timestamp,
    ) -> Result<u64, Untaken> {
        self.take_all(applied, demand, now)?;
        let taken = demand.amounts.output;
        let rooms = applied.iter().filter_map(|Applied { key, limits }| {
            let counter = self.counters.get(key)?;
            counter.room_for_answers(limits)
        });
        let room = rooms.min().unwrap_or(u64::MAX);
        let part = taken.saturating_add(room) / PARTS;
        let more = part.max(FEW).min(most).saturating_sub(taken).min(room);
        self.each(applied, |counter| counter.take(Amounts::tokens(0, more), 0));
        Ok(taken.saturating_add(more))
    }

    /// Takes from all counters, or from none. Those of quotas without limits for days need not be open.
    fn take_all(&mut self, applied: &[Applied], demand: Demand, now: Timestamp) -> Result<(), Untaken> {
        let of_days = applied.iter().filter(|applied| !applied.limits.day.is_empty());
        let unopened = of_days.map(|applied| applied.key).filter(|key| {
            let counter = self.counters.get(key);
            counter.is_none_or(|counter| counter.is_ahead(now))
        });
        let unopened: Vec<Key> = unopened.collect();
        if !unopened.is_empty() {
            return Err(Untaken::Unopened(unopened));
        }
        for Applied { key, limits } in applied {
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

    /// The store has no room for these: they are opened again when there is some.
    pub(super) fn leave_out(&mut self, keys: &[Key]) {
        for key in keys {
            if self.counters.get(key).is_some_and(|counter| !counter.runs()) {
                self.counters.remove(key);
            }
        }
        self.forget_written(keys.iter().copied());
        self.count_accounts();
    }

    /// The first day that is still counted.
    pub(super) fn first_day(&self) -> Option<u64> {
        self.counters.values().filter_map(Counter::day).min()
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
        self.count_accounts();
    }

    fn count_accounts(&mut self) {
        self.of_account.clear();
        for key in self.counters.keys() {
            let of_account = self.of_account.entry(key.account()).or_default();
            *of_account = of_account.saturating_add(1);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.counters.len()
    }
}
