//! Chooses the next token from the model's logits.
//!
//! Everything here depends on the request alone: logits, settings, and how many tokens the sequence has drawn. So the
//! same seed gives the same tokens, whether the sequence ran alone, in a batch, or was preempted half way.

mod random;
mod stop;

use toktrie::SimpleVob;
use zeroize::Zeroize;

use crate::message::Sampling;
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
    pub(crate) fn new(sampling: Sampling, seed: u64) -> Self {
        Self {
            sampling,
            draws: Draws::new(seed),
            #[cfg(test)]
            broken: false,
        }
    }

    /// One that panics when it is asked.
    #[cfg(test)]
    pub(crate) fn broken() -> Self {
        Self {
            broken: true,
            ..Self::new(Sampling::GREEDY, 0)
        }
    }

    /// The next token among those that `allowed` leaves; `None` when the logits are no numbers or nothing is left.
    pub(crate) fn next(
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
        if self.sampling.top_k() == 0 && self.sampling.top_p() >= 1.0 {
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

    /// Draws from the `top_k` likeliest, cut to the likeliest of these that have `top_p` together.
    fn draw_from_likeliest(&mut self, workspace: &mut Workspace) -> Option<u32> {
        let Workspace {
            values, candidates, ..
        } = workspace;
        let share = f64::from(self.sampling.top_p());
        let k = usize::try_from(self.sampling.top_k()).unwrap_or(usize::MAX);
        let mut total: f64 = values.chunks(BLOCK).map(sum).sum();
        // All that are lighter than this make up less than half of what `top_p` leaves out, so that none of them counts.
        let lightest = if k == 0 {
            #[expect(clippy::cast_precision_loss, reason = "vocabularies are far below 2⁵³")]
            let count = values.len().max(1) as f64;
            (1.0 - share) * total / count / 2.0
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sampler(temperature: f32, top_p: f32, top_k: u32, seed: u64) -> Sampler {
        Sampler::new(
            Sampling::new(temperature, top_p, top_k, Some(seed)).unwrap(),
            seed,
        )
    }

    fn seen(sampler: &mut Sampler, logits: &[f32], draws: usize) -> Vec<usize> {
        let mut counts = vec![0; logits.len()];
        for _ in 0..draws {
            counts[sampler.next(logits, None, &mut Workspace::default()).unwrap() as usize] += 1;
        }
        counts
    }

    #[test]
    fn greedy_takes_the_first_of_the_likeliest() {
        assert_eq!(
            sampler(0.0, 1.0, 0, 1).next(&[0.5, 2.0, 2.0, -1.0], None, &mut Workspace::default()),
            Some(1)
        );
    }

    #[test]
    fn a_mask_leaves_only_what_it_allows() {
        let mut allowed = SimpleVob::alloc(4);
        allowed.allow_token(3);
        for temperature in [0.0, 1.0] {
            assert_eq!(
                sampler(temperature, 1.0, 0, 1).next(
                    &[9.0, 9.0, 9.0, -9.0],
                    Some(&allowed),
                    &mut Workspace::default()
                ),
                Some(3)
            );
        }
        assert_eq!(
            sampler(1.0, 1.0, 0, 1).next(&[1.0; 4], Some(&SimpleVob::alloc(4)), &mut Workspace::default()),
            None
        );
    }

    #[test]
    fn numbers_that_are_none_are_no_choice() {
        assert_eq!(
            sampler(0.0, 1.0, 0, 1).next(&[0.0, f32::NAN], None, &mut Workspace::default()),
            None
        );
        assert_eq!(
            sampler(1.0, 1.0, 0, 1).next(&[0.0, f32::INFINITY], None, &mut Workspace::default()),
            None
        );
        assert_eq!(
            sampler(1.0, 1.0, 0, 1).next(&[], None, &mut Workspace::default()),
            None
        );
        assert_eq!(
            sampler(1.0, 0.5, 2, 1).next(&[f32::NEG_INFINITY, 1.0], None, &mut Workspace::default()),
            Some(1)
        );
    }

    #[test]
    fn shares_follow_the_softmax() {
        let logits = [1.0_f32.ln(), 2.0_f32.ln(), 5.0_f32.ln()];
        let counts = seen(&mut sampler(1.0, 1.0, 0, 42), &logits, 8000);
        for (count, expected) in counts.iter().zip([1000_usize, 2000, 5000]) {
            assert!(count.abs_diff(expected) < 200, "{counts:?}");
        }
    }

    #[test]
    fn top_k_and_top_p_cut_the_tail() {
        let logits = [1.0_f32.ln(), 2.0_f32.ln(), 5.0_f32.ln(), 2.5_f32.ln()];
        let counts = seen(&mut sampler(1.0, 1.0, 2, 7), &logits, 500);
        assert!(counts[0] == 0 && counts[1] == 0 && counts[2] > 0 && counts[3] > 0);
        let counts = seen(&mut sampler(1.0, 0.6, 0, 7), &logits, 500);
        assert!(counts[0] == 0 && counts[1] == 0 && counts[2] > 0 && counts[3] > 0);
        let counts = seen(&mut sampler(1.0, 0.0, 0, 7), &logits, 50);
        assert_eq!(counts, [0, 0, 50, 0]);
    }

    #[test]
    fn hopeless_and_absent_tokens_are_never_drawn() {
        assert_eq!(power_of_two(f32::NEG_INFINITY), 0.0);
        assert_eq!(power_of_two(-200.0), 0.0);
        assert_eq!(power_of_two(0.0), 1.0);
        let mut logits = vec![f32::NEG_INFINITY; 1000];
        (logits[300], logits[900]) = (1.0, 2.0);
        let counts = seen(&mut sampler(1.0, 1.0, 0, 3), &logits, 1000);
        assert_eq!(counts[300] + counts[900], 1000);
        assert!((200..340).contains(&counts[300]), "{}", counts[300]);
        // A set that is shorter than the vocabulary allows nothing of the rest.
        let mut allowed = SimpleVob::alloc(400);
        allowed.allow_token(300);
        for _ in 0..50 {
            let next = sampler(1.0, 1.0, 0, 3).next(&logits, Some(&allowed), &mut Workspace::default());
            assert_eq!(next, Some(300));
        }
    }

    proptest! {
        #[test]
        fn a_nucleus_is_the_fewest_of_the_likeliest(seed: u64, share in 0.0_f64..1.0, spread in 1.0_f32..20.0) {
            let mut draws = Draws::new(seed);
            let mut candidates: Vec<_> = (0..1500)
                .map(|token| {
                    let logit = f32::from(u8::try_from(draws.next_bits() % 200).unwrap()) / 200.0;
                    Candidate { weight: (logit * spread).exp(), token }
                })
                .collect();
            let total = weigh(&candidates);
            let mut sorted = candidates.clone();
            sorted.sort_unstable_by(likelier);
            let mut mass = 0.0;
            let expected = sorted.iter().position(|c| { mass += f64::from(c.weight); mass >= share * total }).unwrap() + 1;
            let count = nucleus(&mut candidates, share * total);
            let mut kept: Vec<u32> = candidates[..count].iter().map(|c| c.token).collect();
            let mut wanted: Vec<u32> = sorted[..expected].iter().map(|c| c.token).collect();
            kept.sort_unstable();
            wanted.sort_unstable();
            prop_assert_eq!(kept, wanted);
        }

        #[test]
        fn powers_are_exact_enough(exponent in -125.9_f32..=0.0) {
            let (ours, exact) = (f64::from(power_of_two(exponent)), f64::from(exponent).exp2());
            prop_assert!((ours / exact - 1.0).abs() < 1e-6, "{} {}", ours, exact);
        }

        #[test]
        fn what_others_left_in_the_workspace_changes_nothing(
            seed: u64,
            logits in proptest::collection::vec(-5.0_f32..5.0, 1..700),
            other in proptest::collection::vec(-5.0_f32..5.0, 1..700),
        ) {
            let mut workspace = Workspace::default();
            for (top_p, top_k) in [(1.0, 0), (0.9, 0), (1.0, 20), (0.9, 20)] {
                let (mut alone, mut shared) = (sampler(0.8, top_p, top_k, seed), sampler(0.8, top_p, top_k, seed));
                for _ in 0..5 {
                    sampler(1.0, 0.5, 0, 3).next(&other, None, &mut workspace);
                    let buffers = (workspace.values.as_ptr(), workspace.values.capacity());
                    let chosen = shared.next(&logits, None, &mut workspace);
                    prop_assert_eq!(alone.next(&logits, None, &mut Workspace::default()), chosen);
                    if logits.len() <= buffers.1 {
                        prop_assert_eq!(buffers, (workspace.values.as_ptr(), workspace.values.capacity()));
                    }
                }
            }
        }

        #[test]
        fn the_same_seed_gives_the_same_tokens(seed: u64, logits in proptest::collection::vec(-5.0_f32..5.0, 1..50)) {
            let (mut a, mut b) = (sampler(0.8, 0.9, 20, seed), sampler(0.8, 0.9, 20, seed));
            for _ in 0..10 {
                prop_assert_eq!(a.next(&logits, None, &mut Workspace::default()), b.next(&logits, None, &mut Workspace::default()));
            }
        }
    }
}
