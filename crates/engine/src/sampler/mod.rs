//! Chooses the next token from the model's logits.
//!
//! Everything here depends on the request alone: logits, settings, the tokens so far, and how many the sequence has
//! drawn. So the same seed gives the same tokens, whether the sequence ran alone, in a batch, or was preempted half way.
//!
//! In this order, which is that of Hugging Face's `transformers`; in vLLM (version 1) and llama.cpp too, what changes single
//! logits comes first, the bias before the penalties:
//! 1. bias, then repetition, then frequency and presence penalty ([`Adjustments`]): they change the likeliest token, so
//!    greedy decoding goes by them too;
//! 2. what the output format allows;
//! 3. temperature: 0 takes the likeliest now, the lowest id of equals;
//! 4. `top_k`, then `top_p` of what is left, then `min_p`. Each keeps some of the likeliest, so that only the share of
//!    `top_p` depends on the order; vLLM counts it after `min_p`;
//! 5. a draw by weight.
//!
//! Log-probabilities are those of the model before all of this ([`Likelihood`]), as in vLLM.

mod adjust;
mod likelihood;
mod random;
mod stop;

use toktrie::SimpleVob;
use zeroize::Zeroize;

use crate::message::Sampling;
pub(crate) use adjust::Adjustments;
pub(crate) use likelihood::Likelihood;
use random::Draws;
pub(crate) use stop::StopTexts;

/// Tokens that are weighed together: the sum of each block is kept, so that a draw looks into one block only.
const BLOCK: usize = 256;
/// So few candidates are sorted.
const FEW: usize = 64;

/// What choosing a token needs on its way: one for all sequences of a lane, so that nothing is allocated for a token.
#[derive(Default)]
pub(crate) struct Workspace {
    /// By token id: logits where allowed, then weights.
    values: Vec<f32>,
    blocks: Vec<f64>,
    candidates: Vec<Candidate>,
}

impl Workspace {
    /// Wipes what the last sequences left.
    pub(crate) fn wipe(&mut self) {
        self.values.zeroize();
        self.blocks.zeroize();
        self.candidates.clear();
        // What was there before is beyond the end by now.
        self.candidates
            .resize(self.candidates.capacity(), Candidate::default());
        self.candidates.clear();
    }

    #[cfg(test)]
    pub(crate) fn is_wiped(&self) -> bool {
        self.values.is_empty() && self.blocks.is_empty() && self.candidates.is_empty()
    }
}

/// One sequence's sampler.
pub(crate) struct Sampler {
    sampling: Sampling,
    draws: Draws,
    /// Nothing for most requests, which then pay for nothing.
    adjustments: Option<Adjustments>,
    #[cfg(test)]
    broken: bool,
}

#[derive(Clone, Copy, Default)]
struct Candidate {
    weight: f32,
    token: u32,
}

impl Sampler {
    /// A sampler whose randomness is all in `seed`.
    pub(crate) fn new(sampling: Sampling, adjustments: Option<Adjustments>, seed: u64) -> Self {
        Self {
            sampling,
            draws: Draws::new(seed),
            adjustments,
            #[cfg(test)]
            broken: false,
        }
    }

    /// One that panics when it is asked.
    #[cfg(test)]
    pub(crate) fn broken() -> Self {
        Self {
            broken: true,
            ..Self::new(Sampling::GREEDY, None, 0)
        }
    }

    /// The next token among those that `allowed` leaves; `None` when the logits are no numbers or nothing is left.
    pub(crate) fn next(
        &mut self,
        logits: &[f32],
        allowed: Option<&SimpleVob>,
        workspace: &mut Workspace,
    ) -> Option<u32> {
        let token = self.choose(logits, allowed, workspace)?;
        if let Some(adjustments) = &mut self.adjustments {
            adjustments.count(token);
        }
        Some(token)
    }

    fn choose(
        &mut self,
        logits: &[f32],
        allowed: Option<&SimpleVob>,
        workspace: &mut Workspace,
    ) -> Option<u32> {
        #[cfg(test)]
        assert!(!self.broken, "told to panic");
        // Counted rather than searched for, which compiles to vectors.
        let usable = |logit: &&f32| **logit < f32::INFINITY;
        if logits.iter().filter(usable).count() < logits.len() {
            return None;
        }
        let values = &mut workspace.values;
        values.clear();
        values.extend_from_slice(logits);
        if let Some(adjustments) = &self.adjustments {
            adjustments.apply(values);
        }
        if let Some(allowed) = allowed {
            keep_allowed(values, allowed);
        }
        let highest = highest(values);
        if highest == f32::NEG_INFINITY {
            return None;
        }
        if self.sampling.temperature() == 0.0 || self.sampling.top_k() == 1 {
            let best = values.iter().position(|logit| *logit == highest)?;
            return u32::try_from(best).ok();
        }
        // Kept finite, as zero times infinity is no number.
        let scale = (std::f32::consts::LOG2_E / self.sampling.temperature()).min(f32::MAX);
        for value in values.iter_mut() {
            *value = power_of_two((*value - highest) * scale);
        }
        if self.sampling.top_k() == 0 && self.sampling.top_p() >= 1.0 && self.sampling.min_p() == 0.0 {
            self.draw_from_all(workspace)
        } else {
            self.draw_from_likeliest(workspace)
        }
    }

    /// Draws by weight: first a block, then a token in it.
    fn draw_from_all(&mut self, workspace: &mut Workspace) -> Option<u32> {
        let Workspace { values, blocks, .. } = workspace;
        blocks.clear();
        blocks.extend(values.chunks(BLOCK).map(sum));
        let mut left = self.draws.next_fraction() * blocks.iter().sum::<f64>();
        // Where rounding leaves a rest after the last one, it is the last that has any weight.
        let mut chosen = blocks.iter().rposition(|weight| *weight > 0.0)?;
        for (index, weight) in blocks.iter().enumerate() {
            if left < *weight {
                chosen = index;
                break;
            }
            left -= weight;
        }
        let first = chosen.checked_mul(BLOCK)?;
        let block = values.chunks(BLOCK).nth(chosen)?;
        let mut at = block.iter().rposition(|weight| *weight > 0.0)?;
        for (index, weight) in block.iter().enumerate() {
            left -= f64::from(*weight);
            if left < 0.0 {
                at = index;
                break;
            }
        }
        u32::try_from(first.checked_add(at)?).ok()
    }

    /// Draws from the `top_k` likeliest, cut to the likeliest of these that have `top_p` together and to those that are
    /// at least `min_p` times as likely as the likeliest, which weighs 1.
    fn draw_from_likeliest(&mut self, workspace: &mut Workspace) -> Option<u32> {
        let Workspace {
            values, candidates, ..
        } = workspace;
        let (share, least) = (f64::from(self.sampling.top_p()), self.sampling.min_p());
        let k = usize::try_from(self.sampling.top_k()).unwrap_or(usize::MAX);
        let mut total: f64 = values.chunks(BLOCK).map(sum).sum();
        // All that are lighter than this make up less than half of what `top_p` leaves out, so that none of them counts.
        let lightest = if k == 0 {
            #[expect(clippy::cast_precision_loss, reason = "vocabularies are far below 2⁵³")]
            let count = values.len().max(1) as f64;
            // What `min_p` leaves out belongs to the end of the nucleus, if to it at all.
            ((1.0 - share) * total / count / 2.0).max(f64::from(least))
        } else {
            0.0
        };
        let all = (0..).zip(values.iter());
        candidates.clear();
        candidates.extend(
            all.filter(|(_, weight)| **weight > 0.0 && f64::from(**weight) >= lightest)
                .map(|(token, weight)| Candidate {
                    weight: *weight,
                    token,
                }),
        );
        if k > 0 {
            if k < candidates.len() {
                candidates.select_nth_unstable_by(k, likelier);
                candidates.truncate(k);
            }
            total = weigh(candidates);
            candidates.retain(|candidate| candidate.weight >= least);
        }
        let count = if share < 1.0 {
            nucleus(candidates, share * total)
        } else {
            candidates.len()
        };
        let kept = candidates.get(..count)?;
        let mut left = self.draws.next_fraction() * weigh(kept);
        for candidate in kept {
            left -= f64::from(candidate.weight);
            if left < 0.0 {
                return Some(candidate.token);
            }
        }
        kept.last().map(|c| c.token)
    }
}

/// Leaves the logits of allowed tokens; there is no way to the others.
fn keep_allowed(logits: &mut [f32], allowed: &SimpleVob) {
    let words = allowed.as_slice().iter().copied().chain(std::iter::repeat(0));
    for (logits, word) in logits.chunks_mut(32).zip(words) {
        if word == u32::MAX {
            continue;
        }
        for (bit, logit) in logits.iter_mut().enumerate() {
            if word >> bit & 1 == 0 {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}

/// The highest of numbers, in lanes, which compiles to vectors.
fn highest(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<16>();
    let mut lanes = [f32::NEG_INFINITY; 16];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    lanes
        .iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, f32::max)
}

/// The sum of weights, always in the same order.
fn sum(weights: &[f32]) -> f64 {
    let (chunks, rest) = weights.as_chunks::<8>();
    let mut lanes = [0.0_f64; 8];
    for chunk in chunks {
        for (lane, weight) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(*weight);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|weight| f64::from(*weight)).sum::<f64>()
}

fn weigh(candidates: &[Candidate]) -> f64 {
    candidates.iter().map(|c| f64::from(c.weight)).sum()
}

/// 2 to the power of a number that is not positive, to a few units in the last place; 0 below the normal range.
/// Without branches or calls, which compiles to vectors.
fn power_of_two(exponent: f32) -> f32 {
    /// Adding it leaves a whole number in the lowest bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    let bounded = if exponent > -126.0 { exponent } else { -126.0 };
    let rounded = bounded + ROUND;
    let rest = (bounded - (rounded - ROUND)) * std::f32::consts::LN_2;
    let series = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let part = series.iter().fold(0.0_f32, |sum, factor| sum * rest + factor);
    let whole = rounded.to_bits().wrapping_sub(ROUND.to_bits());
    let power = f32::from_bits(part.to_bits().wrapping_add(whole << 23));
    if exponent > -126.0 { power } else { 0.0 }
}

/// The likeliest first; of equals, the lower token id.
fn likelier(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    b.weight.total_cmp(&a.weight).then(a.token.cmp(&b.token))
}

/// Puts the fewest of the likeliest that weigh at least `wanted` together first; how many they are, at least one.
fn nucleus(candidates: &mut [Candidate], wanted: f64) -> usize {
    // INVARIANT: what is before `from` belongs to the nucleus and weighs `mass`, what is from `to` on does not.
    let (mut from, mut to, mut mass) = (0_usize, candidates.len(), 0.0);
    while to.saturating_sub(from) > FEW {
        let middle = from.midpoint(to);
        let Some(open) = candidates.get_mut(from..to) else {
            break;
        };
        let (head, _, _) = open.select_nth_unstable_by(middle.saturating_sub(from), likelier);
        let heavier = mass + weigh(head);
        if heavier >= wanted {
            to = middle;
        } else {
            (from, mass) = (middle, heavier);
        }
    }
    let open = candidates.get_mut(from..to).unwrap_or_default();
    open.sort_unstable_by(likelier);
    let reached = open.iter().position(|c| {
        mass += f64::from(c.weight);
        mass >= wanted
    });
    reached.map_or(to, |at| from.saturating_add(at).saturating_add(1))
}

#[cfg(test)]
mod tests;
