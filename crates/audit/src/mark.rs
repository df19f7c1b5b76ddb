//! How far something has come that others wait for: records on the disk, entries in the tree.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::AuditError;

/// A number that only grows, until it fails for good.
pub(crate) struct Mark(Mutex<State>);

struct State {
    reached: u64,
    failed: bool,
    /// Who waits, by the number that they wait for and one of their own.
    waiting: BTreeMap<(u64, u64), Waker>,
    /// The number of whoever waits next.
    next: u64,
}

impl Mark {
    pub(crate) fn at(reached: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            reached,
            failed: false,
            waiting: BTreeMap::new(),
            next: 0,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reached(&self) -> u64 {
        self.lock().reached
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// It has come so far.
    pub(crate) fn reach(&self, number: u64) {
        let mut state = self.lock();
        state.reached = state.reached.max(number);
        let later = state.reached.saturating_add(1);
        let later = state.waiting.split_off(&(later, 0));
        let ready = std::mem::replace(&mut state.waiting, later);
        drop(state);
        ready.into_values().for_each(Waker::wake);
    }

    /// It will come no farther.
    pub(crate) fn fail(&self) {
        let mut state = self.lock();
        state.failed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(Waker::wake);
    }

    /// Waits until it has come so far.
    pub(crate) fn wait(self: &Arc<Self>, number: u64) -> Reached {
        let mut state = self.lock();
        state.next = state.next.wrapping_add(1);
        Reached {
            place: (number, state.next),
            mark: Arc::clone(self),
        }
    }
}

/// Ends when it has come so far as was asked for; or with [`AuditError::NotDurable`], if it never will.
#[must_use = "nothing waits for it that is not polled"]
pub struct Reached {
    /// What is waited for, and a number of its own.
    place: (u64, u64),
    mark: Arc<Mark>,
}

impl Future for Reached {
    type Output = Result<(), AuditError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.mark.lock();
        if state.reached >= self.place.0 {
            Poll::Ready(Ok(()))
        } else if state.failed {
            Poll::Ready(Err(AuditError::NotDurable))
        } else {
            state.waiting.insert(self.place, context.waker().clone());
            Poll::Pending
        }
    }
}

impl Drop for Reached {
    fn drop(&mut self) {
        self.mark.lock().waiting.remove(&self.place);
    }
}
