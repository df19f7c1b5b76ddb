//! The tasks of the rim, so that shutdown waits for each of them and can end those that do not end by themselves.

use std::convert::Infallible;
use std::future::Future;

use tokio::sync::{mpsc, watch};

/// How far shutdown has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serving,
    Draining,
    Cut,
}

/// Starts tasks that shutdown knows of.
#[derive(Clone)]
pub(crate) struct Tasks {
    stage: watch::Receiver<Stage>,
    alive: mpsc::WeakSender<Infallible>,
}

/// Ends the tasks of its [`Tasks`].
pub(crate) struct Shutdown {
    stage: watch::Sender<Stage>,
    alive: mpsc::Sender<Infallible>,
    ended: mpsc::Receiver<Infallible>,
}

/// A place to start tasks, and the means to end them.
pub(crate) fn tasks() -> (Tasks, Shutdown) {
    let (stage, watching) = watch::channel(Stage::Serving);
    let (alive, ended) = mpsc::channel(1);
    let tasks = Tasks {
        stage: watching,
        alive: alive.downgrade(),
    };
    (tasks, Shutdown { stage, alive, ended })
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
                () = tasks.reached(Stage::Cut) => {}
            }
            drop(alive);
        }));
    }

    /// Resolves once shutdown has begun: no new work, please.
    pub(crate) async fn draining(&self) {
        self.reached(Stage::Draining).await;
    }

    async fn reached(&self, stage: Stage) {
        // An error means that `Shutdown` is gone, which ends everything as well.
        drop(self.stage.clone().wait_for(|now| *now >= stage).await);
    }
}

impl Shutdown {
    /// Asks every task to end, waits until `patience` ends, then cuts what is left. Whether nothing had to be cut.
    pub(crate) async fn finish(self, patience: impl Future<Output = ()>) -> bool {
        let Self {
            stage,
            alive,
            mut ended,
        } = self;
        drop(alive);
        stage.send_replace(Stage::Draining);
        tokio::select! {
            _ended = ended.recv() => return true,
            () = patience => {}
        }
        stage.send_replace(Stage::Cut);
        // Every task selects on the cut, so this resolves.
        if let Some(never) = ended.recv().await {
            match never {}
        }
        false
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, work: F) {
        self.spawn(work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn finishing_waits_for_work_that_ends() {
        let (tasks, shutdown) = tasks();
        let done = Arc::new(AtomicBool::new(false));
        let (mine, seen) = (tasks.clone(), done.clone());
        tasks.spawn(async move {
            mine.draining().await;
            seen.store(true, Ordering::SeqCst);
        });
        assert!(shutdown.finish(std::future::pending()).await);
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn finishing_cuts_work_that_does_not_end() {
        let (tasks, shutdown) = tasks();
        let (held, cut) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        assert!(!shutdown.finish(async {}).await);
        assert!(cut.await.is_err());
        tasks.spawn(async { panic!("nothing starts after the end") });
    }
}
