//! The compute threads.
//!
//! A step is a few hundred short jobs, so threads wait for the next one by spinning, but only briefly: then they
//! sleep, because on a shared machine a spinning thread takes its time from the one it waits for. For the same reason
//! the caller never waits for a thread that has not begun: it does the work itself and closes the job.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};

/// Looks at the gate before a thread goes to sleep; some tens of microseconds.
const SPINS: u32 = 2_000;
/// Set while threads may join the job.
const OPEN: u64 = 1 << 31;
/// One job in the gate's upper half; its lower half, without [`OPEN`], counts the threads inside.
const JOB: u64 = 1 << 32;

/// A part of a job panicked. The job's output is unusable; the pool is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WorkerFailed;

/// A job: items to be shared out in chunks.
struct Job<'a> {
    work: &'a (dyn Fn(Range<usize>) + Sync),
    items: usize,
    chunk: NonZeroUsize,
    next: AtomicUsize,
    failed: AtomicBool,
    /// Who waits for it.
    caller: Thread,
}

impl Job<'_> {
    /// Does chunks until none is left.
    fn help(&self) {
        loop {
            let start = self.next.fetch_add(self.chunk.get(), Ordering::Relaxed);
            if start >= self.items || self.failed.load(Ordering::Relaxed) {
                return;
            }
            let end = start.saturating_add(self.chunk.get()).min(self.items);
            if catch_unwind(AssertUnwindSafe(|| (self.work)(start..end))).is_err() {
                self.failed.store(true, Ordering::Relaxed);
            }
        }
    }
}

struct Shared {
    gate: AtomicU64,
    job: AtomicPtr<Job<'static>>,
    sleepers: AtomicUsize,
    stop: AtomicBool,
}

/// Threads that share out jobs with their caller.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts `threads - 1` threads: the caller of [`Pool::run`] is the first. Threads that the system refuses are
    /// done without.
    pub(crate) fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            gate: AtomicU64::new(0),
            job: AtomicPtr::new(std::ptr::null_mut()),
            sleepers: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let spawn = |index| {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("compute-{index}"))
                .spawn(move || shared.serve())
                .ok()
        };
        let threads = (1..threads).filter_map(spawn).collect();
        Self { shared, threads }
    }

    /// Threads that work on a job, the caller included.
    pub(crate) fn threads(&self) -> usize {
        self.threads.len().saturating_add(1)
    }

    /// Runs `work` on all of `0..items`, in chunks of at least `least` items, and returns when all are done.
    pub(crate) fn run(
        &mut self,
        items: usize,
        least: usize,
        work: &(dyn Fn(Range<usize>) + Sync),
    ) -> Result<(), WorkerFailed> {
        // Some chunks per thread, so that a slow thread holds up only one of them.
        let chunk = (items / (self.threads() * 6)).max(least).max(1);
        let alone = self.threads.is_empty() || items <= chunk;
        let chunk = NonZeroUsize::new(if alone { items.max(1) } else { chunk }).unwrap_or(NonZeroUsize::MIN);
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let job = Job {
            work,
            items,
            chunk,
            next,
            failed,
            caller: thread::current(),
        };
        if alone {
            job.help();
        } else {
            self.shared.open(&job);
            let closing = Closing(&self.shared);
            if self.shared.sleepers.load(Ordering::SeqCst) > 0 {
                self.threads.iter().for_each(|thread| thread.thread().unpark());
            }
            job.help();
            drop(closing);
        }
        if job.failed.load(Ordering::Relaxed) {
            Err(WorkerFailed)
        } else {
            Ok(())
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // A worker catches the panics of jobs, so it ends only when told to.
            drop(thread.join());
        }
    }
}

/// Closes the job and waits for the threads inside, however the caller leaves.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.gate.fetch_and(!OPEN, Ordering::SeqCst);
        let mut spins = 0_u32;
        while self.0.gate.load(Ordering::Acquire) & (OPEN - 1) != 0 {
            if spins < SPINS {
                spins += 1;
                std::hint::spin_loop();
            } else {
                // The last thread out wakes the caller.
                thread::park();
            }
        }
    }
}

impl Shared {
    /// Lets threads join a job. Nobody is inside: [`Closing`] has waited for that.
    fn open(&self, job: &Job<'_>) {
        self.job
            .store(std::ptr::from_ref(job).cast_mut().cast(), Ordering::Relaxed);
        let number = self.gate.load(Ordering::Relaxed) / JOB;
        self.gate.store(
            ((number.wrapping_add(1) & (JOB - 1)) * JOB) | OPEN,
            Ordering::SeqCst,
        );
    }

    /// What a thread does: join each job, help, leave.
    fn serve(&self) {
        let mut done = 0;
        while let Some(seen) = self.wait(done) {
            if self
                .gate
                .compare_exchange(seen, seen + 1, Ordering::SeqCst, Ordering::SeqCst)
                .is_err()
            {
                continue;
            }
            let job = self.job.load(Ordering::Relaxed);
            // SAFETY: this thread has entered while the gate was open, so the pointer is that of the job the gate was
            // opened for, and `Pool::run` does not return, nor end the borrows in it, before this thread has left.
            let job = unsafe { &*job };
            job.help();
            // Once this thread has left, the job may be gone.
            let caller = job.caller.clone();
            done = seen / JOB;
            let left = self.gate.fetch_sub(1, Ordering::SeqCst) - 1;
            if left & (OPEN | (OPEN - 1)) == 0 {
                caller.unpark();
            }
        }
    }

    /// Waits for an open job other than the last one; `None` when the pool ends.
    fn wait(&self, done: u64) -> Option<u64> {
        let ready =
            || Some(self.gate.load(Ordering::SeqCst)).filter(|gate| gate & OPEN != 0 && gate / JOB != done);
        loop {
            for _ in 0..SPINS {
                if let Some(gate) = ready() {
                    return Some(gate);
                }
                std::hint::spin_loop();
            }
            if self.stop.load(Ordering::SeqCst) {
                return None;
            }
            self.sleepers.fetch_add(1, Ordering::SeqCst);
            if ready().is_none() && !self.stop.load(Ordering::SeqCst) {
                thread::park();
            }
            self.sleepers.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
