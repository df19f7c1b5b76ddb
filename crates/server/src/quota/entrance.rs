//! What the quotas know of one request of HTTP, which may ask the engine more than once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::amounts::Amounts;
use super::reservation::Standing;

/// One request's way in.
#[derive(Default)]
pub(crate) struct Entrance(Mutex<State>);

#[derive(Default)]
struct State {
    counted: bool,
    standing: Standing,
}

impl Entrance {
    /// What asking counts as: a request the first time, and nothing after that.
    pub(crate) fn request(&self) -> Amounts {
        if self.state().counted {
            Amounts::default()
        } else {
            Amounts::REQUEST
        }
    }

    /// The request was let in, and is counted from now on.
    pub(crate) fn entered(&self) {
        self.state().counted = true;
    }

    /// How much is left of the quotas that were asked.
    pub(crate) fn stands(&self, standing: Standing) {
        self.state().standing = standing;
    }

    /// How much was left when they were last asked; nothing if they never were.
    pub(crate) fn standing(&self) -> Standing {
        self.state().standing
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
