//! Chooses the next token from the model's logits.
//!
//! Everything here depends on the request alone: logits, settings, and how many tokens the sequence has drawn. So the
//! same seed gives the same tokens, whether the sequence ran alone, in a batch, or was preempted half way.

mod random;
mod stop;

use toktrie::SimpleVob;

use crate::message::Sampling;
use random::Draws;
pub(crate) use stop::StopTexts;

/// How many candidates are looked at first when only the likeliest count.
const FIRST_LOOK: usize = 256;

/// One sequence's sampler.
pub(crate) struct Sampler {
    sampling: Sampling,
    draws: Draws,
    #[cfg(test)]
    broken: bool,
}

#[derive(Clone, Copy)]
struct Candidate {
    logit: f32,
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
    pub(crate) fn next(&mut self, logits: &[f32], allowed: Option<&SimpleVob>) -> Option<u32> {
        #[cfg(test)]
        assert!(!self.broken, "told to panic");
        if logits
            .iter()
            .any(|logit| logit.is_nan() || *logit == f32::INFINITY)
        {
            return None;
        }
        let may = |token: u32| {
            allowed.is_none_or(|set| {
                usize::try_from(token).is_ok_and(|t| t < set.len()) && set.is_allowed(token)
            })
        };
        let all = (0..)
            .zip(logits)
            .map(|(token, logit)| Candidate { logit: *logit, token });
        let left = all.filter(|c| c.logit > f32::NEG_INFINITY && may(c.token));
        if self.sampling.temperature() == 0.0 || self.sampling.top_k() == 1 {
            return left
                .reduce(|best, c| if c.logit > best.logit { c } else { best })
                .map(|c| c.token);
        }
        let mut candidates: Vec<Candidate> = left.collect();
        self.keep_top_k(&mut candidates);
        self.draw(&mut candidates)
    }

    fn keep_top_k(&self, candidates: &mut Vec<Candidate>) {
        let k = usize::try_from(self.sampling.top_k()).unwrap_or(usize::MAX);
        if k > 0 && k < candidates.len() {
            candidates.select_nth_unstable_by(k, likelier);
            candidates.truncate(k);
        }
    }

    /// Draws from the softmax at this temperature, cut to the likeliest that have `top_p` together.
    fn draw(&mut self, candidates: &mut [Candidate]) -> Option<u32> {
        let highest = candidates.iter().map(|c| c.logit).reduce(f32::max)?;
        let temperature = f64::from(self.sampling.temperature());
        let weight = |c: &Candidate| ((f64::from(c.logit) - f64::from(highest)) / temperature).exp();
        // In the order of token ids, so that the rounding of the sum does not depend on how candidates were selected.
        candidates.sort_unstable_by_key(|c| c.token);
        let total: f64 = candidates.iter().map(weight).sum();
        let share = f64::from(self.sampling.top_p());
        let (kept, mass) = if share < 1.0 {
            nucleus(candidates, share * total, weight)
        } else {
            (&*candidates, total)
        };
        let mut left = self.draws.next_fraction() * mass;
        for candidate in kept {
            left -= weight(candidate);
            if left < 0.0 {
                return Some(candidate.token);
            }
        }
        kept.last().map(|c| c.token)
    }
}

/// The likeliest first; of equals, the lower token id.
fn likelier(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    b.logit.total_cmp(&a.logit).then(a.token.cmp(&b.token))
}

/// The fewest of the likeliest that weigh at least `wanted` together, at least one, and what they weigh.
fn nucleus(
    candidates: &mut [Candidate],
    wanted: f64,
    weight: impl Fn(&Candidate) -> f64,
) -> (&[Candidate], f64) {
    let mut look = FIRST_LOOK;
    loop {
        let count = look.min(candidates.len());
        if count < candidates.len() {
            candidates.select_nth_unstable_by(count, likelier);
        }
        let head = candidates.get_mut(..count).unwrap_or_default();
        head.sort_unstable_by(likelier);
        let mut mass = 0.0;
        let reached = head.iter().position(|c| {
            mass += weight(c);
            mass >= wanted
        });
        if reached.is_some() || count == candidates.len() {
            let kept = reached.map_or(count, |at| at.saturating_add(1));
            return (candidates.get(..kept).unwrap_or_default(), mass);
        }
        look = look.saturating_mul(8);
    }
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
            counts[sampler.next(logits, None).unwrap() as usize] += 1;
        }
        counts
    }

    #[test]
    fn greedy_takes_the_first_of_the_likeliest() {
        assert_eq!(
            sampler(0.0, 1.0, 0, 1).next(&[0.5, 2.0, 2.0, -1.0], None),
            Some(1)
        );
    }

    #[test]
    fn a_mask_leaves_only_what_it_allows() {
        let mut allowed = SimpleVob::alloc(4);
        allowed.allow_token(3);
        for temperature in [0.0, 1.0] {
            assert_eq!(
                sampler(temperature, 1.0, 0, 1).next(&[9.0, 9.0, 9.0, -9.0], Some(&allowed)),
                Some(3)
            );
        }
        assert_eq!(
            sampler(1.0, 1.0, 0, 1).next(&[1.0; 4], Some(&SimpleVob::alloc(4))),
            None
        );
    }

    #[test]
    fn numbers_that_are_none_are_no_choice() {
        assert_eq!(sampler(0.0, 1.0, 0, 1).next(&[0.0, f32::NAN], None), None);
        assert_eq!(sampler(1.0, 1.0, 0, 1).next(&[0.0, f32::INFINITY], None), None);
        assert_eq!(sampler(1.0, 1.0, 0, 1).next(&[], None), None);
        assert_eq!(
            sampler(1.0, 0.5, 2, 1).next(&[f32::NEG_INFINITY, 1.0], None),
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

    proptest! {
        #[test]
        fn looking_at_few_first_finds_the_same_nucleus(seed: u64, share in 0.0_f64..1.0) {
            let mut draws = Draws::new(seed);
            let mut candidates: Vec<_> = (0..1500)
                .map(|token| Candidate { logit: f32::from(u8::try_from(draws.next_bits() % 200).unwrap()) / 50.0, token })
                .collect();
            let weight = |c: &Candidate| f64::from(c.logit).exp();
            let total: f64 = candidates.iter().map(weight).sum();
            let mut sorted = candidates.clone();
            sorted.sort_unstable_by(likelier);
            let mut mass = 0.0;
            let expected = sorted.iter().position(|c| { mass += weight(c); mass >= share * total }).unwrap() + 1;
            let (kept, _) = nucleus(&mut candidates, share * total, weight);
            prop_assert!(kept.iter().map(|c| c.token).eq(sorted[..expected].iter().map(|c| c.token)));
        }

        #[test]
        fn the_same_seed_gives_the_same_tokens(seed: u64, logits in proptest::collection::vec(-5.0_f32..5.0, 1..50)) {
            let (mut a, mut b) = (sampler(0.8, 0.9, 20, seed), sampler(0.8, 0.9, 20, seed));
            for _ in 0..10 {
                prop_assert_eq!(a.next(&logits, None), b.next(&logits, None));
            }
        }
    }
}
