//! One sequence, as the road reads it.

use std::sync::Arc;

use moho_engine::{EngineCommand, EventKind, Failure, SequenceId};
use tokio::sync::mpsc;

use super::Shared;

/// A running sequence. Reading it lets the engine go on; dropping it cancels it.
pub struct Sequence {
    id: SequenceId,
    events: mpsc::Receiver<EventKind>,
    shared: Arc<Shared>,
    window: u32,
    /// Tokens read since credit was last given.
    read: u32,
    ended: bool,
}

impl Sequence {
    pub(super) fn new(
        id: SequenceId,
        events: mpsc::Receiver<EventKind>,
        shared: Arc<Shared>,
        window: u32,
    ) -> Self {
        Self {
            id,
            events,
            shared,
            window,
            read: 0,
            ended: false,
        }
    }

    /// The next event; `None` after the terminal one. An engine that ends without a word is a
    /// [`Failure::EngineStopped`], so there always is a terminal event.
    pub async fn next(&mut self) -> Option<EventKind> {
        if self.ended {
            return None;
        }
        let event = self
            .events
            .recv()
            .await
            .unwrap_or(EventKind::Failed(Failure::EngineStopped));
        self.ended = event.is_terminal();
        if let EventKind::Text { tokens, .. } = &event {
            self.give_back(*tokens);
        }
        Some(event)
    }

    /// Gives credit back for what was read, half a window at a time, to spare the engine a message per token.
    fn give_back(&mut self, tokens: u32) {
        self.read = self.read.saturating_add(tokens);
        if self.read >= self.window / 2 {
            let tokens = std::mem::take(&mut self.read);
            self.shared.tell(EngineCommand::Credit {
                sequence: self.id,
                tokens,
            });
        }
    }
}

impl Drop for Sequence {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.forget(self.id);
            self.shared.tell(EngineCommand::Cancel(self.id));
        }
    }
}
