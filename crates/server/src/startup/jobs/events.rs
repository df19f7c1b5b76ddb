//! Gathers events for whoever looks them up, and forgets what is too old.

use std::sync::Arc;
use std::time::Duration;

use super::runner::{Job, StepError, Stepped, Waiting};
use crate::event_history::EventsKept;

/// Steps between two looks for what is too old.
const EACH: u32 = 1000;

pub(super) struct EventsJob {
    kept: Arc<EventsKept>,
    steps: u32,
    /// Whether there is more to be forgotten.
    forgetting: bool,
}

impl EventsJob {
    pub(super) fn new(kept: &Arc<EventsKept>) -> Self {
        Self {
            kept: Arc::clone(kept),
            steps: 0,
            forgetting: false,
        }
    }
}

impl Job for EventsJob {
    const NAME: &'static str = "event-history";
    const PAUSE: Duration = Duration::from_secs(1);

    fn step(&mut self, _waiting: &Waiting<'_>) -> Result<Stepped, StepError> {
        let gathered = self.kept.gather()?;
        if self.forgetting || self.steps == 0 {
            self.forgetting = self.kept.forget()?;
        }
        self.steps = self.steps.wrapping_add(1) % EACH;
        Ok(Stepped {
            done: gathered.events,
            findings: gathered.unreadable,
            more: gathered.more || self.forgetting,
        })
    }
}
