//! What a request changes in single logits: its bias, and penalties for tokens that were there before.
//!
//! As others do it: penalties for presence and frequency count generated tokens only (OpenAI, vLLM), the one for repetition
//! the prompt's as well (Hugging Face, vLLM). Memory is bounded by the number of different tokens in the sequence, and wiped
//! with it. It belongs to the sequence, not to its blocks, so that it outlives their loss.

use zeroize::Zeroizing;

use crate::message::Sampling;

/// One sequence's changes.
pub(crate) struct Adjustments {
    bias: Zeroizing<Vec<(u32, f32)>>,
    presence: f32,
    frequency: f32,
    repetition: f32,
    /// Tokens that were there before, in order, and how often each was generated. Those of the prompt only if they
    /// matter.
    seen: Zeroizing<Vec<(u32, u32)>>,
}

impl Adjustments {
    /// What `sampling` and `bias` change in a sequence that begins with `prompt`, if anything.
    pub(crate) fn new(sampling: &Sampling, bias: Vec<(u32, f32)>, prompt: &[u32]) -> Option<Self> {
        let (presence, frequency) = (sampling.presence(), sampling.frequency());
        let repetition = sampling.repetition();
        let bias = Zeroizing::new(bias);
        if bias.is_empty() && !penalises(presence, frequency, repetition) {
            return None;
        }
        let mut seen = Zeroizing::new(Vec::new());
        if repetition != 1.0 {
            seen.extend(prompt.iter().map(|token| (*token, 0)));
            seen.sort_unstable();
            seen.dedup();
        }
        Some(Self {
            bias,
            presence,
            frequency,
            repetition,
            seen,
        })
    }

    /// Changes the logits, by token id. What was finite stays finite.
    pub(super) fn apply(&self, logits: &mut [f32]) {
        let mut change = |token: u32, change: &dyn Fn(f32) -> f32| {
            let logit = usize::try_from(token).ok().and_then(|at| logits.get_mut(at));
            if let Some(logit) = logit.filter(|logit| logit.is_finite()) {
                *logit = change(*logit).clamp(f32::MIN, f32::MAX);
            }
        };
        for (token, bias) in self.bias.iter() {
            change(*token, &|logit| logit + bias);
        }
        for (token, generated) in self.seen.iter() {
            change(*token, &|logit| self.penalised(logit, *generated));
        }
    }

    fn penalised(&self, logit: f32, generated: u32) -> f32 {
        let repeated = if logit > 0.0 {
            logit / self.repetition
        } else {
            logit * self.repetition
        };
        if generated == 0 {
            return repeated;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "exact up to 2²⁴, more than any context holds"
        )]
        let times = generated as f32;
        repeated.clamp(f32::MIN, f32::MAX) - times * self.frequency - self.presence
    }

    /// Counts a token that was generated.
    pub(super) fn count(&mut self, token: u32) {
        if !penalises(self.presence, self.frequency, self.repetition) {
            return;
        }
        match self.seen.binary_search_by_key(&token, |(seen, _)| *seen) {
            Ok(at) => {
                if let Some((_, generated)) = self.seen.get_mut(at) {
                    *generated = generated.saturating_add(1);
                }
            }
            Err(at) => {
                if self.seen.len() == self.seen.capacity() {
                    // The old buffer is wiped, which one that grows by itself would not be.
                    let room = self.seen.len().saturating_mul(2).max(64);
                    let mut grown = Zeroizing::new(Vec::with_capacity(room));
                    grown.extend_from_slice(&self.seen);
                    self.seen = grown;
                }
                self.seen.insert(at, (token, 1));
            }
        }
    }

    /// Entries kept for tokens that were there before.
    #[cfg(test)]
    pub(crate) fn seen(&self) -> usize {
        self.seen.len()
    }
}

fn penalises(presence: f32, frequency: f32, repetition: f32) -> bool {
    presence != 0.0 || frequency != 0.0 || repetition != 1.0
}
