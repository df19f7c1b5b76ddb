//! What one sequence uses, paid as it uses it.

use std::sync::Arc;

use super::Quotas;
use super::amounts::Amounts;
use super::ledger::{Applied, Demand};
use crate::usage::{Mark, Taken};

/// Tokens that are paid at once, to spare the counters a visit for each.
const HANDFUL: u64 = 16;

/// The bill of one sequence. Dropping it settles it: what was not used is given back.
pub(crate) struct Bill {
    quotas: Arc<Quotas>,
    applied: Arc<[Applied]>,
    held: Demand,
    /// Tokens that were generated and are not paid yet.
    unpaid: u64,
    /// Whether this sequence pays for the prompt, which the choices of a request have together.
    pays_prompt: bool,
    /// On whose account it is noted, and what.
    mark: Option<Mark>,
    taken: Taken,
}

impl Bill {
    pub(super) fn new(quotas: Arc<Quotas>, applied: Arc<[Applied]>, held: Demand) -> Self {
        Self {
            quotas,
            applied,
            held,
            unpaid: 0,
            pays_prompt: false,
            mark: None,
            taken: Taken::default(),
        }
    }

    /// This sequence pays for the prompt, too: the first choice of a request.
    pub(crate) fn with_prompt(mut self) -> Self {
        self.pays_prompt = true;
        self
    }

    /// What it takes is noted as usage.
    pub(crate) fn noted(mut self, mark: Mark) -> Self {
        self.mark = Some(mark);
        self
    }

    /// The engine took the prompt: so many tokens, of which so many were in the prefix cache.
    pub(crate) fn prompt(&mut self, tokens: u64, cached: u64) {
        if self.pays_prompt {
            self.taken = Taken {
                requests: 1,
                input: tokens,
                cached,
                ..self.taken
            };
            self.pay(Amounts::tokens(tokens, 0));
        }
    }

    /// The engine made tokens.
    pub(crate) fn generated(&mut self, tokens: u64) {
        self.taken.output = self.taken.output.saturating_add(tokens);
        self.unpaid = self.unpaid.saturating_add(tokens);
        if self.unpaid >= HANDFUL {
            self.pay_what_is_due();
        }
    }

    /// The sequence has ended, with so many tokens in all.
    pub(crate) fn ended(&mut self, tokens: u64) {
        self.generated(tokens.saturating_sub(self.taken.output));
    }

    fn pay_what_is_due(&mut self) {
        let due = std::mem::take(&mut self.unpaid);
        self.pay(Amounts::tokens(0, due));
    }

    fn pay(&mut self, used: Amounts) {
        if self.applied.is_empty() || used == Amounts::default() {
            return;
        }
        let kept = self.held.amounts.minus(used);
        let released = self.held.amounts.minus(kept);
        self.held.amounts = kept;
        let now = self.quotas.now();
        self.quotas.ledger().spend(&self.applied, used, released, now);
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        self.pay_what_is_due();
        if !self.applied.is_empty() {
            self.quotas.ledger().give_back(&self.applied, self.held);
        }
        if let Some(mark) = self.mark.take() {
            mark.note(self.taken);
        }
    }
}
