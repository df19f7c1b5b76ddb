//! One sequence, as the road reads it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use moho_engine::{
    EngineCommand, EngineGone, EventKind, Failure, FinishReason, PromptFault, Refusal, SequenceId, Usage,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Said, Shared};
use crate::quota::Bill;
use crate::telemetry::{Ending, Watch};

/// A running sequence. Reading it lets the engine go on; dropping it cancels it.
pub struct Sequence {
    ticket: Ticket,
    watch: Watch,
    /// What its tokens are paid with, until it ends.
    bill: Option<Bill>,
    window: u32,
    /// Tokens for which the engine has credit, or which it has said and nobody has read.
    ahead: u32,
    /// Whether the engine was told that no more credit will come.
    had_its_last: bool,
}

/// A question to the engine, and where its answers come in. Dropping it before the last one gives the question up.
pub(super) struct Ticket {
    id: SequenceId,
    events: mpsc::Receiver<Said>,
    shared: Arc<Shared>,
    ended: bool,
}

impl Ticket {
    /// A question of a new name, with room for so many answers that were not read yet.
    pub(super) fn open(shared: &Arc<Shared>, room: usize) -> Result<Self, EngineGone> {
        let id = SequenceId(shared.next.fetch_add(1, Ordering::Relaxed));
        let (sender, events) = mpsc::channel(room);
        shared.readers().as_mut().ok_or(EngineGone)?.insert(id, sender);
        Ok(Self {
            id,
            events,
            shared: Arc::clone(shared),
            ended: false,
        })
    }

    pub(super) fn id(&self) -> SequenceId {
        self.id
    }

    /// The next answer; `None` after the terminal one, and when the engine has ended.
    pub(super) async fn next(&mut self) -> Option<Said> {
        if self.ended {
            return None;
        }
        let said = self.events.recv().await;
        self.ended = said.as_ref().is_none_or(|said| said.kind.is_terminal());
        said
    }
}

impl Ticket {
    /// An answer that is there and was not read; never waits.
    fn next_unread(&mut self) -> Option<Said> {
        let said = self.events.try_recv().ok()?;
        self.ended |= said.kind.is_terminal();
        Some(said)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.forget(self.id);
            self.shared.tell(EngineCommand::Cancel(self.id));
        }
    }
}

impl Sequence {
    /// A sequence that may be as far ahead of its reader as `window`, or its bill, lets it.
    pub(super) fn new(ticket: Ticket, (watch, bill): (Watch, Option<Bill>), window: u32) -> Self {
        let covered = bill.as_ref().and_then(Bill::covered);
        Self {
            ticket,
            watch,
            bill,
            window,
            ahead: covered.map_or(window, |covered| at_most(covered, window)),
            had_its_last: false,
        }
    }

    /// The credit to begin with.
    pub(super) fn credit(&self) -> u32 {
        self.ahead
    }

    /// The next event; `None` after the terminal one. An engine that ends without a word is a
    /// [`Failure::EngineStopped`], so there always is a terminal event.
    pub async fn next(&mut self) -> Option<EventKind> {
        if self.ticket.ended {
            return None;
        }
        let said = self.ticket.next().await.unwrap_or_else(|| Said {
            at: Instant::now(),
            kind: EventKind::Failed(Failure::EngineStopped),
        });
        watched(&mut self.watch, &said);
        self.pay(&said.kind);
        if let EventKind::Text { tokens, .. } = &said.kind {
            self.ahead = self.ahead.saturating_sub(*tokens);
            self.give_credit().await;
        }
        Some(said.kind)
    }

    /// Pays for what was used, whether or not anybody reads it; with the end, the bill is settled.
    fn pay(&mut self, said: &EventKind) {
        let Some(bill) = &mut self.bill else { return };
        match said {
            EventKind::Admitted {
                prompt_tokens,
                cached_tokens,
            } => bill.prompt((*prompt_tokens).into(), (*cached_tokens).into()),
            EventKind::Text { tokens, .. } => bill.generated((*tokens).into()),
            EventKind::Finished { usage, .. } => bill.ended(usage.completion_tokens.into()),
            EventKind::Scheduled
            | EventKind::Refused(_)
            | EventKind::Failed(_)
            | EventKind::Counted { .. }
            | EventKind::Measured(_) => {}
        }
        if said.is_terminal() {
            self.bill = None;
        }
    }

    /// Gives credit for what was read, half a window at a time, to spare the engine a message per token; and for no more
    /// than the bill covers.
    async fn give_credit(&mut self) {
        if self.had_its_last || self.ahead > self.window / 2 {
            return;
        }
        let covered = match &mut self.bill {
            Some(bill) => at_most(bill.cover(self.window.into()).await, self.window),
            None => self.window,
        };
        let (sequence, shared) = (self.ticket.id, &self.ticket.shared);
        let tokens = covered.saturating_sub(self.ahead);
        if tokens > 0 {
            self.ahead = covered;
            shared.tell(EngineCommand::Credit { sequence, tokens });
        }
        if covered < self.window {
            self.had_its_last = true;
            shared.tell(EngineCommand::LastCredit(sequence));
        }
    }
}

/// So many tokens, but not more than the window.
fn at_most(tokens: u64, window: u32) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX).min(window)
}

impl Drop for Sequence {
    /// What the engine has said already is paid, though nobody has read it.
    fn drop(&mut self) {
        if self.bill.is_some() {
            while let Some(said) = self.ticket.next_unread() {
                self.pay(&said.kind);
            }
        }
    }
}

/// Tells telemetry what happened, in numbers and fixed words.
fn watched(watch: &mut Watch, said: &Said) {
    match &said.kind {
        EventKind::Admitted {
            prompt_tokens,
            cached_tokens,
        } => watch.admitted(said.at, *prompt_tokens, *cached_tokens),
        EventKind::Scheduled => watch.scheduled(said.at),
        EventKind::Text { tokens, .. } => watch.tokens(said.at, *tokens),
        EventKind::Finished { reason, usage } => {
            let Usage {
                prompt_tokens,
                cached_tokens,
                completion_tokens,
            } = *usage;
            watch.used(prompt_tokens, cached_tokens, completion_tokens);
            watch.ended(
                said.at,
                match reason {
                    FinishReason::Stop | FinishReason::StopSequence => Ending::Stop,
                    FinishReason::Length => Ending::Length,
                    FinishReason::Cancelled => Ending::Abandoned,
                },
            );
        }
        EventKind::Refused(refusal) => watch.ended(said.at, Ending::Refused(refusal_word(refusal))),
        EventKind::Failed(failure) => watch.ended(said.at, Ending::Failed(failure_word(*failure))),
        EventKind::Counted { .. } | EventKind::Measured(_) => {}
    }
}

fn refusal_word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownModel => "unknown_model",
        Refusal::ContextOverflow { .. } | Refusal::InvalidPrompt(PromptFault::TooLong) => "context_overflow",
        Refusal::Overloaded => "overloaded",
        Refusal::InvalidSchema(_) => "invalid_schema",
        Refusal::InvalidPrompt(_) => "invalid_prompt",
        Refusal::TooManyTogether { .. }
        | Refusal::InvalidStop
        | Refusal::InvalidBias
        | Refusal::InvalidLogprobs => "invalid_parameter",
        Refusal::DuplicateSequence => "duplicate_sequence",
    }
}

fn failure_word(failure: Failure) -> &'static str {
    match failure {
        Failure::EngineStopped => "engine_stopped",
        Failure::Computation => "computation",
        Failure::Grammar => "grammar",
        Failure::Entropy => "entropy",
    }
}
