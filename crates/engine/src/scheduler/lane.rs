//! One model with its blocks, the sequences that run on it, and those that wait.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use moho_terms::ModelId;
use zeroize::Zeroize;

use super::output::Words;
use super::sequence::{Running, Waiting};
use super::tally::Tally;
use super::{Decoder, Events, Outcome, Sequence};
use crate::kv::{BLOCK_TOKENS, KvPool};
use crate::message::{EventKind, Failure, FinishReason, ModelLoad, SequenceId};
use crate::model::{Step, StepRow};
use crate::sampler::Workspace;
use crate::tokenizer::Tokenizer;

/// How much a lane may do at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneLimits {
    /// Sequences that have blocks; at most `token_budget`.
    pub(crate) max_sequences: usize,
    /// Tokens in one step.
    pub(crate) token_budget: usize,
}

/// A model at work.
pub(crate) struct Lane<D> {
    decoder: D,
    tokenizer: Arc<Tokenizer>,
    pool: KvPool,
    limits: LaneLimits,
    /// In order of arrival.
    waiting: Vec<Waiting>,
    /// In the order in which they first ran.
    running: Vec<Running>,
    arrivals: u64,
    /// Sequences that ran so far.
    turns: u64,
    rows: Vec<StepRow>,
    logits: Vec<f32>,
    workspace: Workspace,
    /// Whether buffers hold what a step left.
    used: bool,
    tally: Tally,
}

impl<D: Decoder> Lane<D> {
    pub(crate) fn new(decoder: D, tokenizer: Arc<Tokenizer>, pool: KvPool, limits: LaneLimits) -> Self {
        let (waiting, running) = (Vec::new(), Vec::new());
        Self {
            decoder,
            tokenizer,
            pool,
            limits,
            waiting,
            running,
            arrivals: 0,
            turns: 0,
            rows: Vec::new(),
            logits: Vec::new(),
            workspace: Workspace::default(),
            used: false,
            tally: Tally::default(),
        }
    }

    /// The most tokens that one sequence can have: the model's context, or all blocks together.
    pub(crate) fn limit(&self) -> usize {
        self.decoder
            .config()
            .context
            .min(self.pool.capacity().saturating_mul(BLOCK_TOKENS))
    }

    /// Sequences of an account that have not run yet or lost their blocks.
    pub(crate) fn waiting_of(&self, isolation: u64) -> usize {
        let own = self.waiting.iter().filter(|w| w.0.isolation() == isolation);
        own.count()
    }

    /// Sequences that have not run yet or lost their blocks, and wait for nothing else than their turn.
    pub(crate) fn waiting_with_credit(&self) -> usize {
        self.waiting.iter().filter(|w| w.0.is_ready()).count()
    }

    /// The most sequences that run at once.
    pub(crate) fn places(&self) -> usize {
        self.limits.max_sequences
    }

    /// Places that nobody runs in. Who has no credit gives its place up to whom wants it.
    pub(crate) fn free_places(&self) -> usize {
        let active = self.running.iter().filter(|r| !r.is_stalled()).count();
        self.limits.max_sequences.saturating_sub(active)
    }

    /// How much it has to do and has done, under the model's name.
    pub(crate) fn load(&self, model: ModelId) -> ModelLoad {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (all, tally) = (self.pool.capacity(), &self.tally);
        ModelLoad {
            model,
            running: count(self.running.len()),
            waiting: count(self.waiting.len()),
            kv_blocks_used: count(all.saturating_sub(self.pool.available())),
            kv_blocks: count(all),
            block_tokens: count(BLOCK_TOKENS),
            preemptions: tally.preemptions,
            prompt_tokens: tally.prompt_tokens,
            cached_tokens: tally.cached_tokens,
            generated_tokens: tally.generated_tokens,
            steps: tally.steps,
            step_tokens: tally.step_tokens,
            // There is no prefix cache to be asked.
            prefix_queries: 0,
            prefix_hits: 0,
        }
    }

    #[cfg(test)]
    pub(crate) fn is_wiped(&self) -> bool {
        self.logits.is_empty() && self.workspace.is_wiped() && !self.used
    }

    #[cfg(test)]
    pub(crate) fn decoder(&self) -> &D {
        &self.decoder
    }

    #[cfg(test)]
    pub(crate) fn free_blocks(&self) -> usize {
        self.pool.available()
    }

    /// Takes a request, whose prompt is shorter than [`Self::limit`].
    pub(crate) fn enqueue(&mut self, request: super::Request, events: &mut dyn Events) {
        let sequence = Sequence::begin(request, self.arrivals, self.limit());
        self.arrivals = self.arrivals.saturating_add(1);
        let usage = sequence.usage();
        let admitted = EventKind::Admitted {
            prompt_tokens: usage.prompt_tokens,
            cached_tokens: usage.cached_tokens,
        };
        events.tell(sequence.id(), admitted);
        if sequence.is_full() {
            events.tell(
                sequence.id(),
                EventKind::Finished {
                    reason: FinishReason::Length,
                    usage,
                },
            );
        } else {
            self.waiting.push(Waiting(sequence));
        }
    }

    /// Lets a sequence go on by so many tokens more.
    pub(crate) fn credit(&mut self, id: SequenceId, tokens: u32) {
        if let Some(sequence) = self.sequence(id) {
            sequence.add_credit(tokens);
        }
    }

    /// Lets a sequence go no further than its credit, and ends it if it has none.
    pub(crate) fn last_credit(&mut self, id: SequenceId, events: &mut dyn Events) {
        let Some(sequence) = self.sequence(id) else { return };
        sequence.ends_with_its_credit();
        if !sequence.is_full() {
            return;
        }
        let words = sequence.last_words();
        if !words.text.is_empty() || !words.logprobs.is_empty() {
            events.tell(id, text_event(words, 0));
        }
        self.take_out(id, FinishReason::Length, events);
    }

    /// Ends a sequence, wherever it stands.
    pub(crate) fn cancel(&mut self, id: SequenceId, events: &mut dyn Events) {
        self.take_out(id, FinishReason::Cancelled, events);
    }

    fn sequence(&mut self, id: SequenceId) -> Option<&mut Sequence> {
        let waiting = self.waiting.iter_mut().map(|w| &mut w.0);
        let mut all = waiting.chain(self.running.iter_mut().map(|r| &mut r.sequence));
        all.find(|s| s.id() == id)
    }

    fn take_out(&mut self, id: SequenceId, reason: FinishReason, events: &mut dyn Events) {
        let sequence = if let Some(at) = self.running.iter().position(|r| r.sequence.id() == id) {
            self.running.remove(at).release(&mut self.pool).0
        } else if let Some(at) = self.waiting.iter().position(|w| w.0.id() == id) {
            self.waiting.remove(at).0
        } else {
            return;
        };
        let usage = sequence.usage();
        events.tell(id, EventKind::Finished { reason, usage });
    }

    /// Computes one step. `false` when there was nothing to compute, so that only a command can change that.
    pub(crate) fn step(&mut self, events: &mut dyn Events) -> bool {
        self.plan(events);
        self.end_hopeless(events);
        if self.running.iter().all(|r| r.share() == 0) {
            self.wipe();
            return false;
        }
        self.used = true;
        let computed = self.compute();
        if computed {
            self.take_tokens(events);
        } else {
            self.end_step_failed(events);
        }
        true
    }

    /// Wipes all buffers when there is nothing to do: what the last tenants left is not kept for longer than it serves.
    fn wipe(&mut self) {
        if std::mem::take(&mut self.used) {
            self.logits.zeroize();
            self.workspace.wipe();
            self.decoder.wipe();
        }
    }

    /// Ends those that others keep taking blocks from, before they cost more.
    fn end_hopeless(&mut self, events: &mut dyn Events) {
        let context = self.decoder.config().context;
        self.waiting.retain(|waiting| {
            let hopeless = waiting.0.is_hopeless(context);
            if hopeless {
                events.tell(waiting.0.id(), EventKind::Failed(Failure::Computation));
            }
            !hopeless
        });
    }

    /// Gives every sequence its share of the budget.
    fn plan(&mut self, events: &mut dyn Events) {
        let mut budget = self.limits.token_budget;
        let arrivals: Vec<u64> = self.running.iter().map(|r| r.sequence.arrival()).collect();
        for decode in [true, false] {
            for arrival in &arrivals {
                // One that was preempted in between is not there any more.
                let Some(running) = self.find(*arrival) else {
                    continue;
                };
                if running.is_stalled() || (running.pending() == 1) != decode {
                    continue;
                }
                let share = running.pending().min(budget);
                if share > 0 {
                    budget = budget
                        .saturating_add(self.make_room(*arrival, share))
                        .saturating_sub(self.share_of(*arrival));
                }
            }
        }
        self.admit(budget, events);
    }

    fn find(&mut self, arrival: u64) -> Option<&mut Running> {
        self.running.iter_mut().find(|r| r.sequence.arrival() == arrival)
    }

    fn share_of(&mut self, arrival: u64) -> usize {
        self.find(arrival).map_or(0, |running| running.share())
    }

    /// Claims a share, preempting who has to yield; the budget that those had taken already.
    fn make_room(&mut self, arrival: u64, share: usize) -> usize {
        let mut given_back = 0_usize;
        loop {
            let Some(running) = self.running.iter_mut().find(|r| r.sequence.arrival() == arrival) else {
                return given_back;
            };
            if running.claim(share, &mut self.pool) {
                return given_back;
            }
            let Some(victim) = self.victim(arrival) else {
                return given_back;
            };
            given_back = given_back.saturating_add(self.preempt(victim));
        }
    }

    /// Whose blocks this sequence may take: the newest without credit, or else the newest that first ran after it.
    fn victim(&self, arrival: u64) -> Option<usize> {
        let other = |r: &Running| r.sequence.arrival() != arrival;
        let stalled = self.running.iter().rposition(|r| other(r) && r.is_stalled());
        stalled.or_else(|| {
            let own = self.running.iter().position(|r| !other(r))?;
            let last = self.running.len().checked_sub(1)?;
            (last > own).then_some(last)
        })
    }

    /// Takes a sequence's blocks away; returns the share that it had in the coming step.
    fn preempt(&mut self, at: usize) -> usize {
        self.tally.preemption();
        let share = self.running.get(at).map_or(0, Running::share);
        let waiting = self.running.remove(at).release(&mut self.pool);
        let place = self
            .waiting
            .partition_point(|w| w.0.arrival() < waiting.0.arrival());
        self.waiting.insert(place, waiting);
        share
    }

    /// Lets waiting sequences run while budget and blocks are left. Who is next waits for what it needs, and nobody
    /// overtakes it meanwhile.
    fn admit(&mut self, mut budget: usize, events: &mut dyn Events) {
        let mut active = self.active();
        while budget > 0 {
            let Some((arrival, needed)) = self.next_to_run(&active) else {
                return;
            };
            let idle = self
                .running
                .iter()
                .filter(|r| r.is_stalled())
                .map(|r| r.table().blocks().len());
            if self.pool.available().saturating_add(idle.sum()) < needed {
                return;
            }
            while self.running.len() >= self.limits.max_sequences || self.pool.available() < needed {
                let Some(stalled) = self.running.iter().rposition(Running::is_stalled) else {
                    return;
                };
                self.preempt(stalled);
            }
            let Some(next) = self.waiting.iter().position(|w| w.0.arrival() == arrival) else {
                return;
            };
            let mut running = self.waiting.remove(next).run();
            if running.sequence.begins(self.turns) {
                self.turns = self.turns.saturating_add(1);
                events.tell(running.sequence.id(), EventKind::Scheduled);
            }
            let own = active.entry(running.sequence.isolation()).or_default();
            *own = own.saturating_add(1);
            let share = running.pending().min(budget);
            // INVARIANT: blocks for the whole sequence are free.
            running.claim(share, &mut self.pool);
            budget = budget.saturating_sub(share);
            let place = self
                .running
                .partition_point(|r| r.sequence.turn() < running.sequence.turn());
            self.running.insert(place, running);
        }
    }

    /// How many sequences of each account run. Those without credit have their place only until somebody wants it.
    fn active(&self) -> BTreeMap<u64, usize> {
        let mut active = BTreeMap::new();
        for running in self.running.iter().filter(|r| !r.is_stalled()) {
            let own: &mut usize = active.entry(running.sequence.isolation()).or_default();
            *own = own.saturating_add(1);
        }
        active
    }

    /// The sequence that runs next, and how many blocks it needs: first who lost its blocks to an older one, then the
    /// oldest of the account that has the fewest running.
    fn next_to_run(&self, active: &BTreeMap<u64, usize>) -> Option<(u64, usize)> {
        let ready = self.waiting.iter().map(|w| &w.0).filter(|s| s.is_ready());
        let next = ready.min_by_key(|s| match s.displaced() {
            Some(turn) => (false, 0, turn),
            None => (
                true,
                active.get(&s.isolation()).copied().unwrap_or(0),
                s.arrival(),
            ),
        })?;
        Some((next.arrival(), next.tokens().len().div_ceil(BLOCK_TOKENS)))
    }

    /// Runs the model over all shares; whether it could.
    fn compute(&mut self) -> bool {
        let taking_part = || self.running.iter().filter(|r| r.share() > 0);
        self.rows.clear();
        for (slot, running) in taking_part().enumerate() {
            let row = |(token, position, wants_logits)| StepRow {
                token,
                slot,
                position,
                wants_logits,
            };
            self.rows.extend(running.rows().map(row));
        }
        let tables: Vec<_> = taking_part().map(Running::table).collect();
        let mut step = Step {
            rows: &self.rows,
            tables: &tables,
            pool: &mut self.pool,
            logits: &mut self.logits,
        };
        let computed = self.decoder.forward(&mut step).is_ok();
        // Tokens are a tenant's words; the buffer is kept, so that it has to be wiped.
        self.rows.iter_mut().for_each(|row| row.token = 0);
        self.tally.step(self.rows.len());
        computed
    }

    /// Hands each sequence that is up to date its next token.
    fn take_tokens(&mut self, events: &mut dyn Events) {
        let vocabulary = self.decoder.config().vocabulary.max(1);
        let mut logits = self.logits.chunks_exact(vocabulary);
        let mut ended = Vec::new();
        for running in self.running.iter_mut().filter(|r| r.share() > 0) {
            if !running.computed() {
                continue;
            }
            let sequence = &mut running.sequence;
            let next = logits.next();
            // A panic in a library ends this one sequence, and with it all that may be half done: whatever is changed
            // here is its own.
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                next.map(|logits| sequence.take_next(logits, &self.tokenizer, &mut self.workspace))
            }));
            let outcome = outcome.ok().flatten();
            let outcome = outcome.unwrap_or(Outcome::Failed(Failure::Computation));
            let id = sequence.id();
            match outcome {
                Outcome::More(words) => {
                    self.tally.token(sequence.usage());
                    events.tell(id, text_event(words, 1));
                }
                Outcome::End(words, reason) => {
                    self.tally.token(sequence.usage());
                    events.tell(id, text_event(words, 1));
                    ended.push((
                        id,
                        EventKind::Finished {
                            reason,
                            usage: sequence.usage(),
                        },
                    ));
                }
                Outcome::Failed(failure) => ended.push((id, EventKind::Failed(failure))),
            }
        }
        for (id, last) in ended {
            self.end(id, last, events);
        }
    }

    /// Ends all sequences of a step that could not be computed: which of them is to blame is not known.
    fn end_step_failed(&mut self, events: &mut dyn Events) {
        let part = self.running.iter().filter(|r| r.share() > 0);
        let ids: Vec<SequenceId> = part.map(|r| r.sequence.id()).collect();
        for id in ids {
            self.end(id, EventKind::Failed(Failure::Computation), events);
        }
    }

    fn end(&mut self, id: SequenceId, last: EventKind, events: &mut dyn Events) {
        if let Some(at) = self.running.iter().position(|r| r.sequence.id() == id) {
            // The sequence is dropped here, and its tokens wiped.
            drop(self.running.remove(at).release(&mut self.pool));
        }
        events.tell(id, last);
    }
}

/// What so many tokens let out.
fn text_event(words: Words, tokens: u32) -> EventKind {
    EventKind::Text {
        text: words.text,
        tokens,
        logprobs: words.logprobs,
    }
}
