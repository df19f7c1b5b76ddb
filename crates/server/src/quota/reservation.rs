//! What a request has set aside, until its sequences take it over.

use std::sync::Arc;

use super::amounts::{Amounts, Limits};
use super::bill::Bill;
use super::counter::Left;
use super::ledger::{Applied, Demand};
use super::{NotAdmitted, Quotas};

/// Room for a request. Dropping it gives back what no sequence has taken over.
pub(crate) struct Reservation {
    quotas: Arc<Quotas>,
    applied: Arc<[Applied]>,
    held: Demand,
}

/// What is left of the quotas that are nearest to their ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    pub(crate) requests: Option<Left>,
    pub(crate) tokens: Option<Left>,
}

impl Reservation {
    /// Room for nothing yet.
    pub(super) fn new(quotas: Arc<Quotas>, applied: Arc<[Applied]>) -> Self {
        Self {
            quotas,
            applied,
            held: Demand::default(),
        }
    }

    /// Takes from all counters or none, and has it written down; `most` as in [`Quotas::set_aside`].
    ///
    /// # Errors
    /// [`NotAdmitted`]; then nothing was taken, but that a request stays counted that could not be written down.
    pub(super) async fn take(&mut self, demand: Demand, most: u64) -> Result<u64, NotAdmitted> {
        let whose = (&self.applied, &mut self.held);
        self.quotas.set_aside(whose, (demand, most)).await
    }

    /// Whether tokens are limited, so that they have to be set aside.
    pub(crate) fn limits_tokens(&self) -> bool {
        self.applied.iter().any(|applied| applied.limits.limit_tokens())
    }

    /// The most tokens that all answers to a prompt of so many may have by any limit; `None` if there is none.
    pub(crate) fn longest_answer(&self, prompt: u64) -> Option<u64> {
        let caps = |limits: &Limits| [limits.minute, limits.day];
        let caps = self.applied.iter().flat_map(|applied| caps(&applied.limits));
        caps.filter_map(|caps| caps.longest_answer(prompt)).min()
    }

    /// Sets tokens aside: for answers at least as many, and up to `most` if others are left enough. How many for answers.
    ///
    /// # Errors
    /// [`NotAdmitted`]; then none were.
    pub(crate) async fn set_aside(&mut self, tokens: Amounts, most: u64) -> Result<u64, NotAdmitted> {
        let demand = Demand {
            amounts: tokens,
            sequences: 0,
        };
        self.take(demand, most).await
    }

    /// One sequence and so many of the tokens, for that sequence to pay with.
    pub(crate) fn bill(&mut self, tokens: Amounts) -> Bill {
        let kept = self.held.amounts.minus(tokens);
        let theirs = self.held.amounts.minus(kept);
        self.held.amounts = kept;
        let sequences = self.held.sequences.min(1);
        self.held.sequences = self.held.sequences.saturating_sub(sequences);
        let held = Demand {
            amounts: theirs,
            sequences,
        };
        Bill::new(Arc::clone(&self.quotas), Arc::clone(&self.applied), held)
    }

    /// How much is left now, of the quotas that are for this request.
    pub(crate) fn standing(&self) -> Standing {
        let (requests, tokens) = self.quotas.ledger().left(&self.applied, self.quotas.now());
        Standing { requests, tokens }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.quotas.ledger().give_back(&self.applied, self.held);
    }
}
