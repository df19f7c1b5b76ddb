//! What one sequence uses, paid as it uses it.

use std::sync::Arc;

use super::amounts::Amounts;
use super::ledger::{Applied, Demand};
use super::{NotAdmitted, Quotas};
use crate::road::chain;
use crate::usage::{Mark, Taken};

/// Tokens that are paid at once, to spare the counters a visit for each.
const HANDFUL: u64 = 16;
/// Tokens that are set aside at once for an answer of no limit of its own.
pub(crate) const PIECE: u64 = 256;

/// The bill of one sequence. Dropping it settles it: what was not used is given back.
pub(crate) struct Bill {
    quotas: Arc<Quotas>,
    applied: Arc<[Applied]>,
    held: Demand,
    /// Tokens that were generated and are not paid yet.
    unpaid: u64,
    /// Tokens that the answer may have beyond those that were set aside for it so far.
    open: u64,
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
            open: 0,
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

    /// The answer may have so many tokens more than were set aside for it, if there is room for them as it is written.
    pub(crate) fn open(mut self, tokens: u64) -> Self {
        self.open = tokens;
        self
    }

    /// Tokens that the engine may generate now, for what was set aside; all that it ever will, if `None`.
    pub(crate) fn covered(&self) -> Option<u64> {
        (self.open > 0).then(|| self.held.amounts.output.saturating_sub(self.unpaid))
    }

    /// Sets more aside, until so many tokens that may be generated now are covered or there is no more room; how many are.
    pub(crate) async fn cover(&mut self, tokens: u64) -> u64 {
        while let Some(covered) = self.covered().filter(|covered| *covered < tokens) {
            let demand = Demand {
                amounts: Amounts::tokens(0, 1),
                sequences: 0,
            };
            let (whose, most) = ((&self.applied, &mut self.held), self.open.min(PIECE));
            match self.quotas.set_aside(whose, (demand, most)).await {
                Ok(more) => self.open = self.open.saturating_sub(more),
                Err(NotAdmitted::Hit(_)) => return covered,
                Err(unkept @ (NotAdmitted::Full | NotAdmitted::Book(_))) => {
                    tracing::error!(error = %chain(&unkept), "an answer ends early, as its quotas cannot be kept");
                    return covered;
                }
            }
        }
        tokens
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
