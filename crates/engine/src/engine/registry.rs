//! Who lives, so that every sequence gets exactly one terminal event, whatever else goes wrong.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;

use crate::message::{EngineEvent, EventKind, Failure, SequenceId};
use crate::scheduler::Events;

/// Where a living sequence is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) ticket: u64,
    pub(super) lane: usize,
    pub(super) stage: Stage,
}

/// How far a living sequence has come.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    /// Its request is being read; credit that came meanwhile.
    Reading {
        /// Tokens.
        credit: u32,
    },
    /// It is in its lane.
    Queued,
}

/// All living sequences, and the way out for their events.
pub(super) struct Registry {
    living: BTreeMap<SequenceId, Place>,
    outbox: Sender<EngineEvent>,
    nobody_listens: bool,
}

impl Registry {
    pub(super) fn new(outbox: Sender<EngineEvent>) -> Self {
        Self {
            living: BTreeMap::new(),
            outbox,
            nobody_listens: false,
        }
    }

    /// Whether the events' receiver is gone.
    pub(super) fn nobody_listens(&self) -> bool {
        self.nobody_listens
    }

    pub(super) fn find(&mut self, id: SequenceId) -> Option<&mut Place> {
        self.living.get_mut(&id)
    }

    pub(super) fn begin(&mut self, id: SequenceId, place: Place) {
        self.living.insert(id, place);
    }

    /// How many live.
    #[cfg(test)]
    pub(super) fn living(&self) -> usize {
        self.living.len()
    }

    /// Answers a request that never began.
    pub(super) fn turn_away(&mut self, id: SequenceId, last: EventKind) {
        self.nobody_listens |= self
            .outbox
            .send(EngineEvent {
                sequence: id,
                kind: last,
            })
            .is_err();
    }

    /// Ends all that live.
    pub(super) fn end_all(&mut self) {
        for (id, _) in std::mem::take(&mut self.living) {
            self.turn_away(id, EventKind::Failed(Failure::EngineStopped));
        }
    }
}

impl Events for Registry {
    fn tell(&mut self, sequence: SequenceId, kind: EventKind) {
        let lives = if kind.is_terminal() {
            self.living.remove(&sequence).is_some()
        } else {
            self.living.contains_key(&sequence)
        };
        if lives {
            self.turn_away(sequence, kind);
        }
    }
}
