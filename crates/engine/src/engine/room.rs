//! Room in the queues: how many may wait, and what is kept for sequences that come together.

use super::registry::Registry;
use crate::message::{Refusal, SequenceId, Together};

/// How many wait of one account and of all, and how many could run at once.
pub(super) struct Crowd {
    pub(super) own: usize,
    pub(super) all: usize,
    /// Places that nobody runs in.
    pub(super) free: usize,
    /// All places to run in.
    pub(super) places: usize,
}

/// Room that is kept for sequences that were announced.
struct Kept {
    /// The sequence that announced them: without it there is nothing for them to be together with.
    by: SequenceId,
    ticket: u64,
    lane: usize,
    isolation: u64,
    sequences: u32,
}

/// The bound on those who wait, and what is kept within it.
pub(super) struct Room {
    queue: usize,
    kept: Vec<Kept>,
}

impl Room {
    pub(super) fn new(queue: usize) -> Self {
        let kept = Vec::new();
        Self { queue, kept }
    }

    /// Forgets what was kept for companions of sequences that have ended.
    pub(super) fn tidy(&mut self, registry: &mut Registry) {
        self.kept.retain(|kept| {
            let place = registry.find(kept.by);
            place.is_some_and(|place| place.ticket == kept.ticket)
        });
    }

    /// Sequences that room is kept for in a lane: of the account, and of all.
    pub(super) fn kept(&self, lane: usize, isolation: u64) -> (usize, usize) {
        let here = self.kept.iter().filter(|kept| kept.lane == lane);
        here.fold((0, 0), |(own, all), kept| {
            let count = usize::try_from(kept.sequences).unwrap_or(usize::MAX);
            let of_own = if kept.isolation == isolation { count } else { 0 };
            (own.saturating_add(of_own), all.saturating_add(count))
        })
    }

    /// Whether a sequence may wait with all that it announces. Nobody may hold more than half of the queue, and who finds
    /// a free place to run holds none of it.
    pub(super) fn ask(&self, together: Together, crowd: &Crowd) -> Result<(), Refusal> {
        let sequences = usize::try_from(together.to_come)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        let half = self.queue.div_ceil(2);
        let most = half.saturating_add(crowd.places);
        if sequences > most {
            let most = u32::try_from(most).unwrap_or(u32::MAX);
            return Err(Refusal::TooManyTogether { most });
        }
        let fits = |waiting: usize, bound: usize| {
            waiting.saturating_add(sequences) <= bound.saturating_add(crowd.free)
        };
        if fits(crowd.own, half) && fits(crowd.all, self.queue) {
            Ok(())
        } else {
            Err(Refusal::Overloaded)
        }
    }

    /// Takes what was kept for a sequence and those that follow it; whether there was any.
    pub(super) fn claim(&mut self, lane: usize, isolation: u64, together: Together) -> bool {
        let wanted = |kept: &Kept| {
            kept.lane == lane
                && kept.isolation == isolation
                && kept.sequences.checked_sub(1) == Some(together.to_come)
        };
        let found = self.kept.iter().position(wanted).filter(|_| together.follows);
        found.map(|at| self.kept.swap_remove(at)).is_some()
    }

    /// Keeps room for those that follow a sequence.
    pub(super) fn keep(&mut self, by: (SequenceId, u64), lane: usize, isolation: u64, sequences: u32) {
        if sequences > 0 {
            let (by, ticket) = by;
            self.kept.push(Kept {
                by,
                ticket,
                lane,
                isolation,
                sequences,
            });
        }
    }
}
