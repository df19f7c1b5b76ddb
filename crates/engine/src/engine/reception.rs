//! Reads requests on a thread of its own: tokens, templates and grammars may take long, and nobody's decode waits. Accounts
//! take turns, so that nobody's request waits for more than one of any other's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};

use moho_terms::Entropy;

use super::turns::Turns;
use super::worker::Note;
use crate::loaded::Reader;
use crate::message::{EventKind, Failure, FinishReason, Prompt, SequenceId, StartSequence, Usage};
use crate::scheduler::Request;

/// A request to be read.
pub(super) struct Job {
    pub(super) sequence: SequenceId,
    /// Tells two sequences of one name apart, of which the first has ended.
    pub(super) ticket: u64,
    pub(super) lane: usize,
    /// Whose it is.
    pub(super) isolation: u64,
    pub(super) errand: Errand,
    /// Whether nobody waits for it any more.
    pub(super) cancelled: Arc<AtomicBool>,
}

/// What is to be read.
pub(super) enum Errand {
    Start(Box<StartSequence>),
    Count(Prompt),
}

/// The end of a sequence that was cancelled before anything of it was read.
pub(super) fn cancelled() -> EventKind {
    EventKind::Finished {
        reason: FinishReason::Cancelled,
        usage: Usage {
            prompt_tokens: 0,
            cached_tokens: 0,
            completion_tokens: 0,
        },
    }
}

/// A request that was read, or the answer there is already: its number of tokens, or why it could not be read.
pub(super) struct Read {
    pub(super) sequence: SequenceId,
    pub(super) ticket: u64,
    pub(super) lane: usize,
    pub(super) result: Result<Request, EventKind>,
}

/// Everything that reading takes.
pub(super) struct Reception {
    /// For each lane its reader, and the most tokens of a sequence.
    pub(super) readers: Vec<(Reader, usize)>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) inbox: Sender<Note>,
}

impl Reception {
    /// Reads until nobody sends any more.
    pub(super) fn run(self, jobs: &Receiver<Job>) {
        let mut turns = Turns::new();
        while let Some(job) = next(jobs, &mut turns) {
            let (sequence, ticket, lane) = (job.sequence, job.ticket, job.lane);
            // The answer frees the request's place in the queue, so that it is given in any case.
            let result = if job.cancelled.load(Ordering::Relaxed) {
                Err(cancelled())
            } else {
                // A panic in a library ends this one request. Nothing that it may have left half done is kept.
                catch_unwind(AssertUnwindSafe(|| self.read(lane, job.errand)))
                    .unwrap_or(Err(EventKind::Failed(Failure::Computation)))
            };
            let read = Read {
                sequence,
                ticket,
                lane,
                result,
            };
            if self.inbox.send(Note::Read(Box::new(read))).is_err() {
                return;
            }
        }
    }

    /// Reads one request.
    fn read(&self, lane: usize, errand: Errand) -> Result<Request, EventKind> {
        let (reader, limit) = self
            .readers
            .get(lane)
            .ok_or(EventKind::Failed(Failure::EngineStopped))?;
        let start = match errand {
            Errand::Start(start) => *start,
            Errand::Count(prompt) => {
                let counted = reader.count(prompt, *limit);
                return Err(counted.map_or_else(EventKind::Refused, |tokens| EventKind::Counted { tokens }));
            }
        };
        let mut seed = [0; 8];
        if start.sampling.seed().is_none() && start.sampling.temperature() > 0.0 {
            self.entropy
                .fill(&mut seed)
                .map_err(|_dropped| EventKind::Failed(Failure::Entropy))?;
        }
        reader
            .read(start, *limit, u64::from_le_bytes(seed))
            .map_err(EventKind::Refused)
    }
}

/// The request whose turn it is; waits for one if there is none, until nobody sends any more and all are read.
fn next(jobs: &Receiver<Job>, turns: &mut Turns<Job>) -> Option<Job> {
    jobs.try_iter().for_each(|job| turns.push(job.isolation, job));
    turns.next().or_else(|| jobs.recv().ok())
}
