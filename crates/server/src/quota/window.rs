//! Counting within a window of time: any sixty seconds, and one day.

use std::time::Duration;

use moho_terms::Timestamp;

/// Seconds in a slot.
const SLOT: u64 = 5;
/// Slots that together are never less than sixty seconds, the newest being incomplete.
const SLOTS: usize = 13;
/// Seconds in a day.
const DAY: u64 = 86_400;

/// What was used in the last sixty seconds, or up to five more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Minute {
    /// By slot, at its number modulo their count.
    slots: [u64; SLOTS],
    /// The number of the newest slot since 1970.
    newest: u64,
}

impl Minute {
    /// Forgets what is older than a minute. A clock that was set back by much cannot free anything: what is counted then
    /// counts from now.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let slot = now.unix_seconds() / SLOT;
        let count = SLOTS as u64;
        if slot.saturating_add(count) < self.newest {
            let all = self.sum();
            *self = Self {
                newest: slot,
                ..Self::default()
            };
            self.add(all);
        }
        let passed = slot.saturating_sub(self.newest).min(count);
        for step in 1..=passed {
            if let Some(old) = self.slot_mut(self.newest.saturating_add(step)) {
                *old = 0;
            }
        }
        if passed == count {
            self.slots = [0; SLOTS];
        }
        self.newest = self.newest.max(slot);
    }

    /// Counts more, now.
    pub(super) fn add(&mut self, more: u64) {
        if let Some(slot) = self.slot_mut(self.newest) {
            *slot = slot.saturating_add(more);
        }
    }

    pub(super) fn sum(&self) -> u64 {
        self.slots.iter().fold(0, |sum, slot| sum.saturating_add(*slot))
    }

    /// How long it takes until `needed` of what is counted has been forgotten; as long as it takes to forget all, if
    /// that is less.
    pub(super) fn frees(&self, needed: u64, now: Timestamp) -> Duration {
        let count = SLOTS as u64;
        let oldest = self.newest.saturating_sub(count.saturating_sub(1));
        let mut freed = 0_u64;
        let mut last = None;
        for slot in oldest..=self.newest {
            let held = self.slot(slot);
            if held == 0 {
                continue;
            }
            last = Some(slot);
            freed = freed.saturating_add(held);
            if freed >= needed {
                break;
            }
        }
        // A slot is forgotten when the one after the last of its minute begins.
        let free_at = last.map(|slot| slot.saturating_add(count).saturating_mul(SLOT));
        free_at.map_or(Duration::ZERO, |at| until(at, now))
    }

    /// How long it takes until all is forgotten.
    pub(super) fn clears(&self, now: Timestamp) -> Duration {
        self.frees(u64::MAX, now)
    }

    fn slot(&self, number: u64) -> u64 {
        self.slots.get(place(number)).copied().unwrap_or_default()
    }

    fn slot_mut(&mut self, number: u64) -> Option<&mut u64> {
        self.slots.get_mut(place(number))
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number % SLOTS as u64).unwrap_or_default()
}

/// The day of a moment, in days of UTC since 1970.
pub(super) fn day(now: Timestamp) -> u64 {
    now.unix_seconds() / DAY
}

/// How long the day of a moment lasts.
pub(super) fn rest_of_day(now: Timestamp) -> Duration {
    until(day(now).saturating_add(1).saturating_mul(DAY), now)
}

fn until(second: u64, now: Timestamp) -> Duration {
    Duration::from_micros(second.saturating_mul(1_000_000).saturating_sub(now.unix_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000 + second)
    }

    #[test]
    fn a_minute_forgets_after_sixty_seconds_and_before_seventy() {
        let mut minute = Minute::default();
        minute.advance(at(0));
        minute.add(7);
        minute.advance(at(60));
        assert_eq!(minute.sum(), 7);
        minute.advance(at(65));
        assert_eq!(minute.sum(), 0);
    }

    #[test]
    fn it_says_when_there_is_room_again() {
        let mut minute = Minute::default();
        minute.advance(at(0));
        minute.add(3);
        minute.advance(at(30));
        minute.add(4);
        assert_eq!(minute.frees(3, at(30)), Duration::from_secs(35));
        assert_eq!(minute.frees(4, at(30)), Duration::from_secs(65));
        assert_eq!(minute.clears(at(30)), Duration::from_secs(65));
        assert_eq!(Minute::default().clears(at(30)), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_goes_back_frees_nothing() {
        let mut minute = Minute::default();
        minute.advance(at(5000));
        minute.add(9);
        minute.advance(at(4999));
        assert_eq!(minute.sum(), 9);
        minute.advance(at(10));
        assert_eq!(minute.sum(), 9);
        minute.advance(at(80));
        assert_eq!(minute.sum(), 0, "but it does not hold for ever");
    }

    #[test]
    fn days_are_those_of_utc() {
        let noon = Timestamp::from_unix_seconds(DAY * 20_000 + DAY / 2);
        assert_eq!(
            (day(noon), rest_of_day(noon)),
            (20_000, Duration::from_secs(DAY / 2))
        );
    }

    proptest! {
        /// Whatever is used within any sixty seconds is still counted at their end.
        #[test]
        fn nothing_of_the_last_minute_is_forgotten(uses in proptest::collection::vec((0_u64..40, 0_u64..100), 1..60)) {
            let mut minute = Minute::default();
            let mut now = 0;
            let mut said: Vec<(u64, u64)> = Vec::new();
            for (later, amount) in uses {
                now += later;
                minute.advance(at(now));
                minute.add(amount);
                said.push((now, amount));
                let recent: u64 = said.iter().filter(|(when, _)| when + 60 >= now).map(|(_, amount)| amount).sum();
                let older: u64 = said.iter().filter(|(when, _)| when + 65 > now).map(|(_, amount)| amount).sum();
                prop_assert!(minute.sum() >= recent);
                prop_assert!(minute.sum() <= older);
                let freed = minute.clears(at(now)).as_secs();
                let mut later = minute;
                later.advance(at(now + freed));
                prop_assert_eq!(later.sum(), 0);
            }
        }
    }
}
