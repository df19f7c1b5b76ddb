//! The thread that computes: takes commands between steps, and sleeps when no sequence can go on.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError};

use moho_terms::ModelId;

use super::reception::{Errand, Job, Read, cancelled};
use super::registry::{Place, Registry, Stage};
use super::room::{Crowd, Room};
use crate::message::{EngineCommand, EventKind, Failure, ModelLoad, Refusal, SequenceId, Together};
use crate::scheduler::{Decoder, Events, Lane};

/// What reaches the worker.
pub(super) enum Note {
    Command(EngineCommand),
    Read(Box<Read>),
}

/// All models at work.
pub(super) struct Worker<D> {
    lanes: Vec<(ModelId, Lane<D>)>,
    jobs: Sender<Job>,
    room: Room,
    tickets: u64,
    /// Jobs that the reception has not answered, by ticket. Those of cancelled sequences stay here until it has.
    jobs_out: BTreeMap<u64, JobOut>,
}

/// A request that the reception has.
struct JobOut {
    lane: usize,
    isolation: u64,
    cancelled: Arc<AtomicBool>,
}

/// Who asks for how much.
struct Asker {
    model: ModelId,
    isolation: u64,
    together: Together,
}

/// Whether the engine goes on.
#[derive(PartialEq, Eq)]
pub(super) enum Flow {
    On,
    Stop,
}

impl<D: Decoder> Worker<D> {
    pub(super) fn new(lanes: Vec<(ModelId, Lane<D>)>, jobs: Sender<Job>, queue: usize) -> Self {
        Self {
            lanes,
            jobs,
            room: Room::new(queue),
            tickets: 0,
            jobs_out: BTreeMap::new(),
        }
    }

    /// Works until it is told to stop. After a panic nothing here can be trusted any more: everything is dropped, and all
    /// that is still asked is answered with failure.
    pub(super) fn run(mut self, notes: &Receiver<Note>, mut registry: Registry) {
        let ended = catch_unwind(AssertUnwindSafe(|| self.work(notes, &mut registry)));
        drop(self);
        registry.end_all();
        if ended.is_err() {
            // INVARIANT: the reception is gone with `self`, so that only commands come, until the last sender is dropped.
            while let Ok(note) = notes.recv() {
                if turn_away(note, &mut registry) == Flow::Stop {
                    break;
                }
            }
        }
        while let Ok(note) = notes.try_recv() {
            turn_away(note, &mut registry);
        }
    }

    fn work(&mut self, notes: &Receiver<Note>, registry: &mut Registry) {
        loop {
            let busy = self.step(registry);
            if registry.nobody_listens() || self.take_notes(notes, registry, busy) == Flow::Stop {
                return;
            }
        }
    }

    /// Computes one step of each model; whether there was anything to compute.
    pub(super) fn step(&mut self, registry: &mut Registry) -> bool {
        let mut busy = false;
        for (_, lane) in &mut self.lanes {
            busy |= lane.step(registry);
        }
        busy
    }

    /// Takes all that has arrived; waits for the first when there is nothing else to do.
    fn take_notes(&mut self, notes: &Receiver<Note>, registry: &mut Registry, busy: bool) -> Flow {
        if !busy {
            let Ok(note) = notes.recv() else { return Flow::Stop };
            if self.take(note, registry) == Flow::Stop {
                return Flow::Stop;
            }
        }
        loop {
            match notes.try_recv() {
                Ok(note) => {
                    if self.take(note, registry) == Flow::Stop {
                        return Flow::Stop;
                    }
                }
                Err(TryRecvError::Empty) => return Flow::On,
                Err(TryRecvError::Disconnected) => return Flow::Stop,
            }
        }
    }

    /// Does what a note says.
    pub(super) fn take(&mut self, note: Note, registry: &mut Registry) -> Flow {
        match note {
            Note::Command(EngineCommand::Start(start)) => {
                let asker = Asker {
                    model: start.model.clone(),
                    isolation: start.isolation,
                    together: start.together,
                };
                self.receive(start.sequence, &asker, Errand::Start(start), registry);
            }
            Note::Command(EngineCommand::Count {
                ticket,
                model,
                prompt,
                isolation,
            }) => {
                let together = Together::default();
                let asker = Asker {
                    model,
                    isolation,
                    together,
                };
                self.receive(ticket, &asker, Errand::Count(prompt), registry);
            }
            Note::Command(EngineCommand::Measure(id)) => self.measure(id, registry),
            Note::Command(EngineCommand::Credit { sequence, tokens }) => {
                self.credit(sequence, tokens, registry)
            }
            Note::Command(EngineCommand::LastCredit(id)) => self.last_credit(id, registry),
            Note::Command(EngineCommand::Cancel(id)) => self.cancel(id, registry),
            Note::Command(EngineCommand::Shutdown) => return Flow::Stop,
            Note::Read(read) => self.enqueue(*read, registry),
        }
        Flow::On
    }

    /// Hands a request to the reception, if there is room for one more.
    fn receive(&mut self, id: SequenceId, asker: &Asker, errand: Errand, registry: &mut Registry) {
        let refuse = |refusal| EventKind::Refused(refusal);
        let isolation = asker.isolation;
        if registry.find(id).is_some() {
            return registry.turn_away(id, refuse(Refusal::DuplicateSequence));
        }
        let lanes = self.lanes.iter().enumerate();
        let Some(lane) = lanes
            .filter(|(_, (name, _))| *name == asker.model)
            .map(|(n, _)| n)
            .next()
        else {
            return registry.turn_away(id, refuse(Refusal::UnknownModel));
        };
        self.room.tidy(registry);
        if let Err(refusal) = self.take_room(lane, asker) {
            return registry.turn_away(id, refuse(refusal));
        }
        self.tickets = self.tickets.saturating_add(1);
        let ticket = self.tickets;
        registry.begin(
            id,
            Place {
                ticket,
                lane,
                stage: Stage::Reading { credit: 0 },
            },
        );
        self.room
            .keep((id, ticket), lane, isolation, asker.together.to_come);
        let cancelled = Arc::new(AtomicBool::new(false));
        let out = JobOut {
            lane,
            isolation,
            cancelled: Arc::clone(&cancelled),
        };
        self.jobs_out.insert(ticket, out);
        let job = Job {
            sequence: id,
            ticket,
            lane,
            isolation,
            errand,
            cancelled,
        };
        if self.jobs.send(job).is_err() {
            registry.tell(id, EventKind::Failed(Failure::EngineStopped));
        }
    }

    /// Takes room for a request, which may have been kept for it. Who only waits for its own client takes no place of
    /// others.
    fn take_room(&mut self, at: usize, asker: &Asker) -> Result<(), Refusal> {
        if self.room.claim(at, asker.isolation, asker.together) {
            return Ok(());
        }
        let (mut own, mut all) = self.room.kept(at, asker.isolation);
        for job in self.jobs_out.values().filter(|job| job.lane == at) {
            own = own.saturating_add(usize::from(job.isolation == asker.isolation));
            all = all.saturating_add(1);
        }
        let (_, lane) = self.lanes.get(at).ok_or(Refusal::UnknownModel)?;
        let crowd = Crowd {
            own: own.saturating_add(lane.waiting_of(asker.isolation)),
            all: all.saturating_add(lane.waiting_with_credit()),
            free: lane.free_places(),
            places: lane.places(),
        };
        self.room.ask(asker.together, &crowd)
    }

    /// Tells how much there is to do; nothing here waits for the reception.
    fn measure(&self, id: SequenceId, registry: &mut Registry) {
        if registry.find(id).is_some() {
            return registry.turn_away(id, EventKind::Refused(Refusal::DuplicateSequence));
        }
        let loads = self.lanes.iter().enumerate().map(|(at, (model, lane))| {
            let read = self.jobs_out.values().filter(|job| job.lane == at).count();
            let load = lane.load(model.clone());
            ModelLoad {
                waiting: load
                    .waiting
                    .saturating_add(u32::try_from(read).unwrap_or(u32::MAX)),
                ..load
            }
        });
        registry.turn_away(id, EventKind::Measured(loads.collect()));
    }

    fn enqueue(&mut self, read: Read, registry: &mut Registry) {
        self.jobs_out.remove(&read.ticket);
        // A sequence that was cancelled meanwhile is gone, and its name may have been given again.
        let Some(place) = registry
            .find(read.sequence)
            .filter(|place| place.ticket == read.ticket)
        else {
            return;
        };
        let Stage::Reading { credit } = place.stage else {
            return;
        };
        place.stage = Stage::Queued;
        match (read.result, self.lanes.get_mut(read.lane)) {
            (Ok(mut request), Some((_, lane))) => {
                request.credit = request.credit.saturating_add(credit);
                lane.enqueue(request, registry);
            }
            (Ok(_), None) => registry.tell(read.sequence, EventKind::Failed(Failure::EngineStopped)),
            (Err(last), _) => registry.tell(read.sequence, last),
        }
    }

    fn credit(&mut self, id: SequenceId, tokens: u32, registry: &mut Registry) {
        let Some(place) = registry.find(id) else { return };
        match &mut place.stage {
            Stage::Reading { credit } => *credit = credit.saturating_add(tokens),
            Stage::Queued => {
                if let Some((_, lane)) = self.lanes.get_mut(place.lane) {
                    lane.credit(id, tokens);
                }
            }
        }
    }

    fn last_credit(&mut self, id: SequenceId, registry: &mut Registry) {
        let lane = registry.find(id).and_then(|place| match place.stage {
            Stage::Reading { .. } => None,
            Stage::Queued => self.lanes.get_mut(place.lane),
        });
        if let Some((_, lane)) = lane {
            lane.last_credit(id, registry);
        }
    }

    fn cancel(&mut self, id: SequenceId, registry: &mut Registry) {
        let Some(place) = registry.find(id).copied() else {
            return;
        };
        match place.stage {
            Stage::Reading { .. } => {
                if let Some(job) = self.jobs_out.get(&place.ticket) {
                    job.cancelled.store(true, Ordering::Relaxed);
                }
                registry.tell(id, cancelled());
            }
            Stage::Queued => {
                if let Some((_, lane)) = self.lanes.get_mut(place.lane) {
                    lane.cancel(id, registry);
                }
            }
        }
    }
}

/// Answers what is asked of an engine that has stopped.
fn turn_away(note: Note, registry: &mut Registry) -> Flow {
    match note {
        Note::Command(EngineCommand::Start(start)) => {
            registry.turn_away(start.sequence, EventKind::Failed(Failure::EngineStopped));
        }
        Note::Command(EngineCommand::Count { ticket: id, .. } | EngineCommand::Measure(id)) => {
            registry.turn_away(id, EventKind::Failed(Failure::EngineStopped));
        }
        Note::Command(EngineCommand::Shutdown) => return Flow::Stop,
        Note::Command(
            EngineCommand::Credit { .. } | EngineCommand::LastCredit(_) | EngineCommand::Cancel(_),
        )
        | Note::Read(_) => {}
    }
    Flow::On
}
