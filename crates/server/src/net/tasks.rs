//! The tasks of the rim, so that shutdown waits for each of them and can end those that do not end by themselves.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc;

use super::streams;
use crate::closing::{Closing, Stage};

/// Starts tasks that shutdown knows of.
#[derive(Clone)]
pub(crate) struct Tasks {
    closing: Closing,
    alive: mpsc::WeakSender<Infallible>,
}

/// Ends the tasks of its [`Tasks`].
pub(crate) struct Shutdown {
    closing: Closing,
    alive: mpsc::Sender<Infallible>,
    ended: mpsc::Receiver<Infallible>,
}

/// A place to start tasks, and the means to end them.
pub(crate) fn tasks(closing: Closing) -> (Tasks, Shutdown) {
    let (alive, ended) = mpsc::channel(1);
    let tasks = Tasks {
        closing: closing.clone(),
        alive: alive.downgrade(),
    };
    let shutdown = Shutdown {
        closing,
        alive,
        ended,
    };
    (tasks, shutdown)
}

impl Tasks {
    /// Runs `work` until it ends or is cut. After shutdown has ended, nothing starts any more.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that spawns: `Shutdown::finish` waits for what starts here"
    )]
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let Some(alive) = self.alive.upgrade() else { return };
        let tasks = self.clone();
        drop(tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                () = tasks.closing.reached(Stage::Cut) => {}
            }
            drop(alive);
        }));
    }

    /// Resolves once shutdown has begun: no new work, please.
    pub(crate) async fn draining(&self) {
        self.closing.begun().await;
    }
}

impl Shutdown {
    /// Asks every task to end, and waits: `drain` for those that end by themselves, then `last_words` for those that end
    /// with an error, each shorter if `hurry` resolves. What is left is cut. Whether all ended by themselves.
    pub(crate) async fn finish(
        self,
        drain: Duration,
        last_words: Duration,
        mut hurry: impl AsyncFnMut(),
    ) -> bool {
        let Self {
            closing,
            alive,
            mut ended,
        } = self;
        drop(alive);
        for (stage, patience) in [(Stage::Draining, drain), (Stage::Ending, last_words)] {
            closing.advance(stage);
            tokio::select! {
                _ended = ended.recv() => return stage == Stage::Draining,
                () = tokio::time::sleep(patience) => {}
                () = hurry() => {}
            }
        }
        closing.advance(Stage::Cut);
        // Every task selects on the cut, so this resolves.
        if let Some(never) = ended.recv().await {
            match never {}
        }
        false
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    /// Starts one stream of HTTP/2, which is all that hyper starts.
    fn execute(&self, work: F) {
        self.spawn(streams::cuttable(work));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn finishing_waits_for_work_that_ends() {
        let (tasks, shutdown) = tasks(Closing::new());
        let done = Arc::new(AtomicBool::new(false));
        let (mine, seen) = (tasks.clone(), done.clone());
        tasks.spawn(async move {
            mine.draining().await;
            seen.store(true, Ordering::SeqCst);
        });
        assert!(shutdown.finish(LONG, LONG, std::future::pending).await);
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn finishing_hears_last_words() {
        let closing = Closing::new();
        let (tasks, shutdown) = tasks(closing.clone());
        let (said, heard) = tokio::sync::oneshot::channel();
        tasks.spawn(async move {
            closing.ending().await;
            said.send("an error").unwrap();
        });
        assert!(!shutdown.finish(Duration::ZERO, LONG, std::future::pending).await);
        assert_eq!(heard.await.unwrap(), "an error");
    }

    #[tokio::test]
    async fn finishing_cuts_work_that_does_not_end() {
        let (tasks, shutdown) = tasks(Closing::new());
        let (held, cut) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        assert!(!shutdown.finish(LONG, LONG, async || {}).await);
        assert!(cut.await.is_err());
        tasks.spawn(async { panic!("nothing starts after the end") });
    }
}
