//! The bridge between the request road, which awaits, and the engine, which computes on threads of its own.
//!
//! One thread takes the engine's events and hands each to its sequence. It never waits: a sequence's queue has room
//! for everything that the sequence's credit lets the engine say, and credit is given back only as the road reads. So a
//! slow reader costs memory for one small window, slows its own sequence, and holds up no other.

mod sequence;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use moho_engine::{
    EngineCommand, EngineEvent, EngineGone, EngineHandle, EventKind, ModelCard, ModelLoad, OutputFormat,
    Prompt, Refusal, SequenceId, StartSequence,
};
use moho_terms::ModelId;
use tokio::sync::mpsc;
use tokio::time::Instant;

pub use sequence::Sequence;

use self::sequence::Ticket;
use crate::quota::Bill;
use crate::telemetry::{Operation, Question, RequestSpan, Watch};

/// Tokens that a sequence may be ahead of its reader.
const WINDOW: u32 = 32;
/// Events that take no credit: the admission, the beginning, words that were held back until the last credit was used, the
/// end, and one for an engine that counts a little differently.
const EVENTS_WITHOUT_CREDIT: usize = 5;

/// The engine, as the road uses it.
pub struct EngineLink {
    shared: Arc<Shared>,
    models: Vec<ModelCard>,
    bridge: Option<JoinHandle<()>>,
    /// Dropped first, which ends the engine; then its events end, and with them the bridge.
    handle: Option<EngineHandle>,
}

/// What the road, the bridge and the sequences share.
pub(crate) struct Shared {
    commands: Commands,
    next: AtomicU64,
    readers: Mutex<Readers>,
}

/// Carries a command to the engine.
type Commands = Box<dyn Fn(EngineCommand) -> Result<(), EngineGone> + Send + Sync>;

/// Where the events of each living sequence go; `None` once the engine has ended.
type Readers = Option<HashMap<SequenceId, mpsc::Sender<Said>>>;

/// An event, and when the engine said it: a reader that is slow reads it later.
pub(crate) struct Said {
    pub(crate) at: Instant,
    pub(crate) kind: EventKind,
}

impl EngineLink {
    /// Starts the bridge over a running engine.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(handle: EngineHandle, events: Receiver<EngineEvent>) -> io::Result<Self> {
        let sender = handle.sender();
        let mut link = Self::over(Box::new(move |command| sender.send(command)), events)?;
        link.models = handle.models().to_vec();
        link.handle = Some(handle);
        Ok(link)
    }

    fn over(commands: Commands, events: Receiver<EngineEvent>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            commands,
            next: AtomicU64::new(1),
            readers: Mutex::new(Some(HashMap::new())),
        });
        let theirs = Arc::clone(&shared);
        let bridge = std::thread::Builder::new()
            .name("engine-events".to_owned())
            .spawn(move || theirs.carry(&events))?;
        Ok(Self {
            shared,
            models: Vec::new(),
            bridge: Some(bridge),
            handle: None,
        })
    }

    /// The models that are loaded.
    #[must_use]
    pub fn models(&self) -> &[ModelCard] {
        &self.models
    }

    /// Whether the engine has ended, so that nothing can be asked of it any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.shared.readers().is_none()
    }

    /// Starts a sequence for the request of `span`, measures it, and pays `bill` for what it uses. Its name and its first
    /// credit are the link's to choose, whatever `start` says of them.
    ///
    /// # Errors
    /// [`EngineGone`]: the engine has ended.
    pub(crate) fn start_sequence(
        &self,
        mut start: Box<StartSequence>,
        span: &RequestSpan,
        bill: Option<Bill>,
    ) -> Result<Sequence, EngineGone> {
        let room = usize::try_from(WINDOW)
            .unwrap_or(usize::MAX)
            .saturating_add(EVENTS_WITHOUT_CREDIT);
        let watch = Watch::begin(span, question(&start));
        let ticket = Ticket::open(&self.shared, room)?;
        start.sequence = ticket.id();
        let sequence = Sequence::new(ticket, (watch, bill), WINDOW);
        start.credit = sequence.credit();
        self.shared.send(EngineCommand::Start(start))?;
        Ok(sequence)
    }

    /// How many tokens a prompt has, or why it could not be continued. Dropping the future gives the question up.
    ///
    /// # Errors
    /// [`EngineGone`]: the engine has ended, or failed at it.
    pub async fn count(
        &self,
        model: ModelId,
        prompt: Prompt,
        isolation: u64,
    ) -> Result<Result<u32, Refusal>, EngineGone> {
        let mut ticket = Ticket::open(&self.shared, 1)?;
        self.shared.send(EngineCommand::Count {
            ticket: ticket.id(),
            model,
            prompt,
            isolation,
        })?;
        match ticket.next().await.map(|said| said.kind) {
            Some(EventKind::Counted { tokens }) => Ok(Ok(tokens)),
            Some(EventKind::Refused(refusal)) => Ok(Err(refusal)),
            Some(
                EventKind::Admitted { .. }
                | EventKind::Scheduled
                | EventKind::Text { .. }
                | EventKind::Measured(_)
                | EventKind::Finished { .. }
                | EventKind::Failed(_),
            )
            | None => Err(EngineGone),
        }
    }

    /// What each model does and has done; `None` if the engine has ended.
    pub async fn measure(&self) -> Option<Vec<ModelLoad>> {
        let mut ticket = Ticket::open(&self.shared, 1).ok()?;
        self.shared.send(EngineCommand::Measure(ticket.id())).ok()?;
        match ticket.next().await?.kind {
            EventKind::Measured(loads) => Some(loads),
            EventKind::Admitted { .. }
            | EventKind::Scheduled
            | EventKind::Text { .. }
            | EventKind::Counted { .. }
            | EventKind::Finished { .. }
            | EventKind::Refused(_)
            | EventKind::Failed(_) => None,
        }
    }
}

impl Drop for EngineLink {
    fn drop(&mut self) {
        drop(self.handle.take());
        if let Some(bridge) = self.bridge.take() {
            // It cannot panic; if it did, there is nothing left to do about it.
            drop(bridge.join());
        }
    }
}

impl Shared {
    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says something that an engine which has ended need not hear; that it has ended shows elsewhere.
    pub(crate) fn tell(&self, command: EngineCommand) {
        if self.send(command).is_err() {
            tracing::debug!("the engine has ended");
        }
    }

    fn send(&self, command: EngineCommand) -> Result<(), EngineGone> {
        (self.commands)(command)
    }

    /// Forgets a sequence whose reader has gone; what the engine still says of it is dropped.
    pub(crate) fn forget(&self, id: SequenceId) {
        if let Some(readers) = self.readers().as_mut() {
            readers.remove(&id);
        }
    }

    /// The bridge: until the engine ends, each event to its reader.
    fn carry(&self, events: &Receiver<EngineEvent>) {
        while let Ok(EngineEvent { sequence, kind }) = events.recv() {
            let terminal = kind.is_terminal();
            let mut readers = self.readers();
            let Some(living) = readers.as_mut() else { return };
            let Some(reader) = living.get(&sequence) else {
                continue;
            };
            let said = Said {
                at: Instant::now(),
                kind,
            };
            let refused = reader.try_send(said).is_err();
            if terminal || refused {
                living.remove(&sequence);
            }
            drop(readers);
            if refused && !terminal {
                // More events than credit: its reader sees the queue end, and the engine need not go on.
                self.tell(EngineCommand::Cancel(sequence));
            }
        }
        // Dropping the senders tells every reader that the engine has ended.
        self.readers().take();
    }
}

/// What telemetry may know of a question: its numbers, not its words.
fn question(start: &StartSequence) -> Question {
    Question {
        model: start.model.clone(),
        operation: match start.prompt {
            Prompt::Chat(_) => Operation::Chat,
            Prompt::Text(_) | Prompt::Tokens(_) => Operation::TextCompletion,
        },
        max_tokens: start.max_tokens,
        sampling: start.sampling,
        output: match start.output {
            OutputFormat::Text => "text",
            OutputFormat::JsonObject | OutputFormat::JsonSchema(_) => "json",
        },
    }
}

#[cfg(test)]
mod tests;
