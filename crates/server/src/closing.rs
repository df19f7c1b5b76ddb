//! The way down, step by step, as everything that has to know of it sees it.
//!
//! From the first signal on nothing new is accepted, and what runs may end. When the time for that is over, or at a
//! second signal, what still runs says so in its own protocol. Only then are connections cut.

use std::sync::Arc;

use tokio::sync::watch;

/// How far stopping has come. Cheap to copy; all copies see the same.
#[derive(Clone)]
pub struct Closing(Arc<watch::Sender<Stage>>);

/// A step of the way down; it is only ever gone downwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Requests are served.
    Serving,
    /// Nothing new is accepted; requests in progress may end.
    Draining,
    /// Requests in progress end now, with an error of their protocol.
    Ending,
    /// Connections are cut.
    Cut,
}

impl Closing {
    /// A server that serves.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Stage::Serving)))
    }

    /// Whether stopping has begun: whoever asks where to send requests should send them elsewhere.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.0.borrow() >= Stage::Draining
    }

    /// Whether what still runs has to end with an error.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        *self.0.borrow() >= Stage::Ending
    }

    /// Resolves once stopping has begun: no new work, please.
    pub async fn begun(&self) {
        self.reached(Stage::Draining).await;
    }

    /// Resolves once what still runs has to end with an error.
    pub async fn ending(&self) {
        self.reached(Stage::Ending).await;
    }

    /// Resolves at the given step, or a later one.
    pub(crate) async fn reached(&self, stage: Stage) {
        // It cannot fail: `self` holds the sender.
        drop(self.0.subscribe().wait_for(|now| *now >= stage).await);
    }

    /// Goes down to a step; never back up.
    pub(crate) fn advance(&self, stage: Stage) {
        self.0.send_if_modified(|now| {
            let further = stage > *now;
            if further {
                *now = stage;
            }
            further
        });
    }
}

impl Default for Closing {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_way_only_leads_down() {
        let closing = Closing::new();
        let seen = closing.clone();
        assert!(!seen.has_begun());
        closing.advance(Stage::Draining);
        assert!(
            seen.has_begun() && !seen.is_ending(),
            "requests in progress may end"
        );
        closing.advance(Stage::Ending);
        closing.advance(Stage::Draining);
        assert!(seen.has_begun() && seen.is_ending());
        seen.begun().await;
        seen.ending().await;
        assert_eq!(*seen.0.borrow(), Stage::Ending);
    }
}
