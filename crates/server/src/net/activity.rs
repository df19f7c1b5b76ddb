//! What happens on one connection, so that one on which nothing happens, or whose client takes nothing, can be ended.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::Limits;

/// The pace of one connection. Times are microseconds since it began.
pub(crate) struct Activity {
    began: Instant,
    exchanges: AtomicUsize,
    last_end: AtomicU64,
    replies: Mutex<Vec<Weak<Taking>>>,
}

/// What to do with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// There is a request on it, or there was one lately.
    Active,
    /// There was none for too long.
    Idle,
    /// The client takes nothing of a reply.
    Stalled,
}

/// One request and its reply, from the head to the reply's last byte.
pub(crate) struct Exchange {
    activity: Arc<Activity>,
    taking: Arc<Taking>,
}

/// When the client was given the piece that it has not taken yet, plus one; 0 if the client waits for us.
struct Taking(AtomicU64);

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            began: now(),
            exchanges: AtomicUsize::new(0),
            last_end: AtomicU64::new(0),
            replies: Mutex::new(Vec::new()),
        }
    }

    /// Begins an exchange.
    pub(crate) fn begin(self: &Arc<Self>) -> Exchange {
        self.exchanges.fetch_add(1, Ordering::SeqCst);
        let taking = Arc::new(Taking(AtomicU64::new(0)));
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.retain(|reply| reply.strong_count() > 0);
        replies.push(Arc::downgrade(&taking));
        drop(replies);
        Exchange {
            activity: Arc::clone(self),
            taking,
        }
    }

    /// Judges the connection.
    pub(crate) fn verdict(&self, limits: &Limits) -> Verdict {
        let now = self.micros();
        let since = |then: u64| Duration::from_micros(now.saturating_sub(then));
        if self.exchanges.load(Ordering::SeqCst) == 0 {
            let idle = since(self.last_end.load(Ordering::SeqCst)) >= limits.idle;
            return if idle { Verdict::Idle } else { Verdict::Active };
        }
        let replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        let given = replies
            .iter()
            .filter_map(Weak::upgrade)
            .map(|reply| reply.0.load(Ordering::SeqCst));
        let stalled = given
            .filter(|given| *given > 0)
            .any(|given| since(given.saturating_sub(1)) >= limits.stall);
        if stalled {
            Verdict::Stalled
        } else {
            Verdict::Active
        }
    }

    fn micros(&self) -> u64 {
        u64::try_from(now().duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }
}

impl Exchange {
    /// A piece of the reply is with the client now.
    pub(crate) fn given(&self) {
        self.taking
            .0
            .store(self.activity.micros().saturating_add(1), Ordering::SeqCst);
    }

    /// The client has taken what it was given.
    pub(crate) fn taken(&self) {
        self.taking.0.store(0, Ordering::SeqCst);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.activity
            .last_end
            .store(self.activity.micros(), Ordering::SeqCst);
        self.activity.exchanges.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The runtime's clock, which only measures durations here.
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Patience without end, and none at all.
    fn extremes() -> (Limits, Limits) {
        let with = |time| Limits {
            idle: time,
            stall: time,
            ..Limits::default()
        };
        (with(Duration::MAX), with(Duration::ZERO))
    }

    #[test]
    fn a_connection_without_requests_becomes_idle() {
        let (activity, (patient, impatient)) = (Arc::new(Activity::new()), extremes());
        let exchange = activity.begin();
        assert_eq!(
            activity.verdict(&impatient),
            Verdict::Active,
            "the model may think for long"
        );
        drop(exchange);
        assert_eq!(activity.verdict(&patient), Verdict::Active);
        assert_eq!(activity.verdict(&impatient), Verdict::Idle);
    }

    #[test]
    fn a_client_that_takes_nothing_is_noticed() {
        let (activity, (patient, impatient)) = (Arc::new(Activity::new()), extremes());
        let (slow, quick) = (activity.begin(), activity.begin());
        slow.given();
        quick.given();
        quick.taken();
        assert_eq!(activity.verdict(&patient), Verdict::Active);
        assert_eq!(activity.verdict(&impatient), Verdict::Stalled);
        slow.taken();
        assert_eq!(activity.verdict(&impatient), Verdict::Active);
    }
}
