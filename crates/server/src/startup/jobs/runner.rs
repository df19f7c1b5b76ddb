//! One thread for each job.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::closing::Closing;
use crate::road::chain;
use crate::telemetry::JobMeters;

/// What a step has done. It holds numbers only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stepped {
    /// How many things were done.
    pub(crate) done: u64,
    /// How many of them were found to be wrong.
    pub(crate) findings: u64,
    /// Whether there is more to do at once, or the round has ended.
    pub(crate) more: bool,
}

/// Why a step could not be done; it is tried again. No content.
pub(crate) type StepError = Box<dyn Error + Send + Sync>;

/// Whether a job has to stop in the middle of a step; waits that long if it has not.
pub(crate) struct Waiting<'a> {
    stopped: &'a Receiver<()>,
    closing: &'a Closing,
}

impl<'a> Waiting<'a> {
    /// Until somebody says so, or stopping begins.
    #[cfg(test)]
    pub(crate) fn until(stopped: &'a Receiver<()>, closing: &'a Closing) -> Self {
        Self { stopped, closing }
    }
}

impl Waiting<'_> {
    /// Whether to stop.
    pub(crate) fn is_over(&self) -> bool {
        self.stopped.try_recv() != Err(TryRecvError::Empty) || self.closing.has_begun()
    }

    /// Waits, and says whether to go on.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let timeout = self.stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        timeout && !self.closing.has_begun()
    }
}

/// Something that moho does by itself.
pub(crate) trait Job: Send + 'static {
    /// What it is called in metrics and logs.
    const NAME: &'static str;
    /// How long it waits after a round.
    const PAUSE: Duration;

    /// Does a bounded part of a round.
    fn step(&mut self, waiting: &Waiting<'_>) -> Result<Stepped, StepError>;
}

/// Says whether nothing may be done yet.
type Held = Arc<dyn Fn() -> bool + Send + Sync>;

/// The threads. Dropping them ends them.
pub(crate) struct Jobs {
    closing: Closing,
    meters: Arc<JobMeters>,
    held: Held,
    running: Vec<Running>,
}

struct Running {
    /// Dropped first, which ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Jobs {
    /// Jobs whose first steps wait as long as they are `held`.
    pub(super) fn new(
        closing: Closing,
        meters: Arc<JobMeters>,
        held: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            closing,
            meters,
            held: Arc::new(held),
            running: Vec::new(),
        }
    }

    /// Ends all, for tests whose own job would do the same.
    #[cfg(test)]
    pub(crate) fn end(&mut self) {
        self.running.clear();
    }

    pub(super) fn start<J: Job>(&mut self, mut job: J) -> io::Result<()> {
        let (stop, stopped) = channel::<()>();
        let (closing, meters) = (self.closing.clone(), Arc::clone(&self.meters));
        let held = Arc::clone(&self.held);
        let thread = std::thread::Builder::new()
            .name(J::NAME.to_owned())
            .spawn(move || {
                let waiting = Waiting {
                    stopped: &stopped,
                    closing: &closing,
                };
                while held() {
                    if !waiting.wait(HELD) {
                        return;
                    }
                }
                while waiting.wait(run(&mut job, &waiting, &meters)) {}
            })?;
        self.running.push(Running {
            stop: Some(stop),
            thread: Some(thread),
        });
        Ok(())
    }
}

/// How long it takes at most to see that something may be done.
const HELD: Duration = Duration::from_secs(1);

/// Between two steps of a round: whatever is to be served goes first.
const BREATH: Duration = Duration::from_millis(20);

/// One step, and how long to wait after it.
fn run<J: Job>(job: &mut J, waiting: &Waiting<'_>, meters: &JobMeters) -> Duration {
    match job.step(waiting) {
        Ok(stepped) => {
            meters.stepped(J::NAME, (stepped.done, stepped.findings), stepped.more);
            if stepped.more { BREATH } else { J::PAUSE }
        }
        Err(error) => {
            meters.failed(J::NAME);
            tracing::error!(job = J::NAME, error = %chain(&*error), "a job could not do its step: it is tried again");
            J::PAUSE
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It cannot panic; if it did, there is nothing left to do about it.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells of each step as it is taken: the fourth fails.
    struct Counting(Sender<u64>, u64);

    impl Job for Counting {
        const NAME: &'static str = "garbage";
        const PAUSE: Duration = Duration::from_secs(3600);

        fn step(&mut self, _waiting: &Waiting<'_>) -> Result<Stepped, StepError> {
            self.1 += 1;
            self.0.send(self.1).unwrap();
            match self.1 {
                ..=3 => Ok(Stepped {
                    done: 2,
                    findings: 1,
                    more: true,
                }),
                _ => Err("no more".into()),
            }
        }
    }

    #[test]
    fn a_job_takes_steps_until_its_round_ends_and_ends_when_it_is_dropped() {
        let ((told, steps), meters) = (channel(), Arc::new(JobMeters::default()));
        let mut jobs = Jobs::new(Closing::new(), Arc::clone(&meters), || false);
        jobs.start(Counting(told, 0)).unwrap();
        let first: Vec<u64> = steps.iter().take(4).collect();
        drop(jobs);
        assert_eq!(first, [1, 2, 3, 4]);
        assert_eq!(steps.iter().next(), None, "the fourth fails, and then it waits");
        let counted = meters.of("garbage").unwrap();
        assert_eq!((counted.done.get(), counted.findings.get()), (6, 3));
        assert_eq!((counted.steps.get(), counted.failures.get()), (3, 1));
    }

    #[test]
    fn as_long_as_they_are_held_no_step_is_taken() {
        let ((told, steps), (asked, held)) = (channel(), channel());
        let mut jobs = Jobs::new(Closing::new(), Arc::default(), move || {
            asked.send(()).unwrap_or_default();
            true
        });
        jobs.start(Counting(told, 0)).unwrap();
        held.recv().unwrap();
        drop(jobs);
        assert_eq!(steps.iter().count(), 0);
    }

    #[test]
    fn a_step_can_see_that_it_is_to_stop() {
        let (stop, stopped) = channel::<()>();
        let closing = Closing::new();
        let waiting = Waiting {
            stopped: &stopped,
            closing: &closing,
        };
        assert!(!waiting.is_over());
        closing.advance(crate::closing::Stage::Draining);
        assert!(waiting.is_over());
        let open = Closing::new();
        drop(stop);
        let waiting = Waiting {
            stopped: &stopped,
            closing: &open,
        };
        assert!(waiting.is_over());
    }

    #[test]
    fn once_stopping_has_begun_no_step_is_taken() {
        let (told, steps) = channel();
        let closing = Closing::new();
        closing.advance(crate::closing::Stage::Draining);
        let mut jobs = Jobs::new(closing, Arc::default(), || false);
        jobs.start(Counting(told, 0)).unwrap();
        // They end when the thread does, which nobody stops here.
        assert!(steps.iter().take(2).count() <= 1);
        drop(jobs);
    }
}
