//! What happens on one connection, so that one on which nothing happens, or whose client takes nothing, can be ended.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::abandoned::Abandoned;
use super::{Limits, streams};

/// The pace of one connection. Times are microseconds since it began.
pub(crate) struct Activity {
    began: Instant,
    exchanges: AtomicUsize,
    last_end: AtomicU64,
    replies: Mutex<Vec<Weak<Taking>>>,
    /// Whether something of an ended exchange may still wait for the client to take it.
    writing: AtomicBool,
    /// Requests that the road took in, and whose reply the client has not taken.
    works: AtomicUsize,
    /// When the last of them ended.
    last_work: AtomicU64,
    /// Whether something of one that ended may still wait to be written.
    owes: AtomicBool,
    abandoned: Abandoned,
    /// Somebody else needs this connection's seat.
    leave: Signal,
    /// It may not even say goodbye.
    gone: Signal,
    /// The client abandons requests faster than anybody reads.
    enough: Signal,
}

/// Something that happens once, and that somebody waits for.
#[derive(Default)]
struct Signal {
    given: AtomicBool,
    waiting: Notify,
}

/// What to do with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// There is a request on it, or there was one lately.
    Active,
    /// There was none for too long.
    Idle,
    /// The client takes nothing of a reply, which is all there is on it.
    Stalled,
}

/// One request and its reply, from the head to the reply's last byte.
pub(crate) struct Exchange {
    activity: Arc<Activity>,
    taking: Arc<Taking>,
    answered: bool,
}

/// One request that the road took in, while it and its reply last: what a connection keeps its seat for. A refusal is
/// none, as everybody gets those.
pub(crate) struct Work(Arc<Activity>);

/// The pace at which a client takes one reply.
struct Taking {
    /// When the client was given the piece that it has not taken yet, plus one; 0 if the client waits for us.
    given: AtomicU64,
    /// Ends this reply alone, if there are others on the connection.
    cut: Option<Arc<Notify>>,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            began: now(),
            exchanges: AtomicUsize::new(0),
            last_end: AtomicU64::new(0),
            replies: Mutex::new(Vec::new()),
            writing: AtomicBool::new(false),
            works: AtomicUsize::new(0),
            last_work: AtomicU64::new(0),
            owes: AtomicBool::new(false),
            abandoned: Abandoned::default(),
            leave: Signal::default(),
            gone: Signal::default(),
            enough: Signal::default(),
        }
    }

    /// Begins an exchange.
    pub(crate) fn begin(self: &Arc<Self>) -> Exchange {
        self.exchanges.fetch_add(1, Ordering::SeqCst);
        let taking = Arc::new(Taking {
            given: AtomicU64::new(0),
            cut: streams::own(),
        });
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.retain(|reply| reply.strong_count() > 0);
        replies.push(Arc::downgrade(&taking));
        drop(replies);
        Exchange {
            activity: Arc::clone(self),
            taking,
            answered: false,
        }
    }

    /// Everything that was written so far is with the system.
    pub(crate) fn flushed(&self) {
        self.owes.store(false, Ordering::SeqCst);
    }

    /// Whether a write waits for the client. That it does not wait for ever is the stream's to see to.
    pub(crate) fn writing(&self, waits: bool) {
        self.writing.store(waits, Ordering::SeqCst);
    }

    /// How long there has been no request; `None` while there is one, or something of a reply is not taken.
    pub(crate) fn idle_for(&self) -> Option<Duration> {
        let since = Duration::from_micros(self.micros().saturating_sub(self.last_end.load(Ordering::SeqCst)));
        let busy = self.exchanges.load(Ordering::SeqCst) > 0 || self.writing.load(Ordering::SeqCst);
        (!busy).then_some(since)
    }

    /// How long the connection has done nothing that is worth its seat; `None` while it does.
    pub(crate) fn useless_for(&self) -> Option<Duration> {
        let owes = self.owes.load(Ordering::SeqCst) && self.writing.load(Ordering::SeqCst);
        let works = self.works.load(Ordering::SeqCst) > 0 || owes;
        let since = self
            .micros()
            .saturating_sub(self.last_work.load(Ordering::SeqCst));
        (!works).then_some(Duration::from_micros(since))
    }

    /// Judges the connection, and cuts those of its streams whose reply the client does not take.
    pub(crate) fn verdict(&self, limits: &Limits) -> Verdict {
        if let Some(idle) = self.idle_for() {
            return if idle >= limits.idle {
                Verdict::Idle
            } else {
                Verdict::Active
            };
        }
        let now = self.micros();
        let waits = |given: u64| {
            given > 0 && Duration::from_micros(now.saturating_sub(given.saturating_sub(1))) >= limits.stall
        };
        let replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        let mut verdict = Verdict::Active;
        for reply in replies.iter().filter_map(Weak::upgrade) {
            if waits(reply.given.load(Ordering::SeqCst)) {
                match &reply.cut {
                    Some(cut) => cut.notify_one(),
                    None => verdict = Verdict::Stalled,
                }
            }
        }
        verdict
    }

    /// Tells the connection that its seat is needed.
    pub(crate) fn leave(&self) {
        self.leave.give();
    }

    /// Resolves once the connection's seat is needed.
    pub(crate) async fn told_to_leave(&self) {
        self.leave.given().await;
    }

    /// Ends the connection at once.
    pub(crate) fn end(&self) {
        self.gone.give();
    }

    /// Resolves once the connection has to end, `goodbye` after its seat was needed or earlier.
    pub(crate) async fn told_to_end(&self, goodbye: Duration) {
        let patience = async {
            self.told_to_leave().await;
            tokio::time::sleep(goodbye).await;
        };
        tokio::select! {
            () = patience => {}
            () = self.gone.given() => {}
        }
    }

    /// Resolves once the client has abandoned too many requests.
    pub(crate) async fn abandoned_too_much(&self) {
        self.enough.given().await;
    }

    #[cfg(test)]
    pub(crate) fn was_told_to_end(&self) -> bool {
        self.gone.given.load(Ordering::SeqCst)
    }

    #[cfg(test)]
    pub(crate) fn was_told_to_leave(&self) -> bool {
        self.leave.given.load(Ordering::SeqCst)
    }

    fn micros(&self) -> u64 {
        u64::try_from(now().duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }
}

impl Exchange {
    /// A piece of the reply is with the client now.
    pub(crate) fn given(&self) {
        self.taking
            .given
            .store(self.activity.micros().saturating_add(1), Ordering::SeqCst);
    }

    /// The client has taken what it was given.
    pub(crate) fn taken(&self) {
        self.taking.given.store(0, Ordering::SeqCst);
    }

    /// The road takes the request in.
    pub(crate) fn work(&self) -> Work {
        self.activity.works.fetch_add(1, Ordering::SeqCst);
        Work(Arc::clone(&self.activity))
    }

    /// The last piece is on its way: from here on the client can no longer abandon the request.
    pub(crate) fn answered(&mut self) {
        self.answered = true;
    }
}

impl Signal {
    fn give(&self) {
        self.given.store(true, Ordering::SeqCst);
        self.waiting.notify_waiters();
    }

    async fn given(&self) {
        loop {
            // It hears what is given from here on.
            let heard = self.waiting.notified();
            if self.given.load(Ordering::SeqCst) {
                return;
            }
            heard.await;
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let activity = &self.0;
        activity.last_work.store(activity.micros(), Ordering::SeqCst);
        activity.owes.store(true, Ordering::SeqCst);
        activity.works.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.activity
            .last_end
            .store(self.activity.micros(), Ordering::SeqCst);
        self.activity.exchanges.fetch_sub(1, Ordering::SeqCst);
        if !self.answered && self.activity.abandoned.one_more(self.activity.micros()) {
            self.activity.enough.give();
        }
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

    #[tokio::test]
    async fn a_stream_that_is_not_taken_is_cut_and_its_connection_is_not() {
        let (activity, (_, impatient)) = (Arc::new(Activity::new()), extremes());
        streams::cuttable(async {
            let slow = activity.begin();
            slow.given();
            assert_eq!(activity.verdict(&impatient), Verdict::Active);
            std::future::pending().await
        })
        .await;
        assert!(activity.idle_for().is_some());
    }

    #[tokio::test]
    async fn abandoning_ends_the_connection_and_being_answered_does_not() {
        let (good, bad) = (Arc::new(Activity::new()), Arc::new(Activity::new()));
        for _ in 0..5000 {
            good.begin().answered();
            drop(bad.begin());
        }
        bad.abandoned_too_much().await;
        assert!(!good.enough.given.load(Ordering::SeqCst));
    }
}
