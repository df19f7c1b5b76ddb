//! Choosing a token, against a slow oracle that does in double precision, one token at a time, what the order of operations
//! says.

use proptest::prelude::*;

use super::*;

/// All that a choice depends on besides the seed. Numbers are multiples of 1/8 and powers of two, so that what is equal in
/// the oracle is equal in single precision too.
#[derive(Debug, Clone)]
struct Case {
    logits: Vec<f32>,
    sampling: Sampling,
    bias: Vec<(u32, f32)>,
    prompt: Vec<u32>,
    generated: Vec<u32>,
    allowed: Vec<bool>,
}

fn eighths(range: std::ops::RangeInclusive<i16>) -> impl Strategy<Value = f32> {
    range.prop_map(|n| f32::from(n) / 8.0)
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let on_or_off = |off: f32, range| prop_oneof![Just(off), range];
    let cuts = (
        on_or_off(1.0, 0.0_f32..1.0),
        prop_oneof![Just(0_u32), 1_u32..12],
        on_or_off(0.0, 0.0_f32..1.0),
    );
    let penalties = (
        prop_oneof![Just(0.0), eighths(-16..=16)],
        prop_oneof![Just(0.0), eighths(-16..=16)],
        prop::sample::select(vec![0.5_f32, 1.0, 1.0, 2.0, 4.0]),
    );
    let temperature = prop::sample::select(vec![0.0_f32, 0.5, 1.0, 2.0]);
    (temperature, cuts, penalties).prop_map(
        |(temperature, (top_p, top_k, min_p), (presence, frequency, repetition))| {
            Sampling::new(temperature, top_p, top_k, Some(0))
                .and_then(|sampling| sampling.with_min_p(min_p))
                .and_then(|sampling| sampling.with_penalties(presence, frequency, repetition))
                .unwrap()
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    (2_u32..30).prop_flat_map(|tokens| {
        let all = usize::try_from(tokens).unwrap();
        let token = 0..tokens;
        let bias = prop::collection::btree_map(token.clone(), eighths(-40..=40), 0..4);
        (
            prop::collection::vec(eighths(-40..=40), all),
            sampling(),
            bias.prop_map(|bias| bias.into_iter().collect()),
            prop::collection::vec(token.clone(), 1..6),
            prop::collection::vec(token, 0..12),
            prop_oneof![Just(vec![true; all]), prop::collection::vec(any::<bool>(), all)],
        )
            .prop_map(|(logits, sampling, bias, prompt, generated, allowed)| Case {
                logits,
                sampling,
                bias,
                prompt,
                generated,
                allowed,
            })
    })
}

impl Case {
    fn adjustments(&self) -> Option<Adjustments> {
        let mut adjustments = Adjustments::new(&self.sampling, self.bias.clone(), &self.prompt);
        for token in &self.generated {
            if let Some(adjustments) = &mut adjustments {
                adjustments.count(*token);
            }
        }
        adjustments
    }

    fn mask(&self) -> SimpleVob {
        let mut mask = SimpleVob::alloc(self.allowed.len());
        (0..)
            .zip(&self.allowed)
            .filter(|(_, on)| **on)
            .for_each(|(token, _)| mask.allow_token(token));
        mask
    }

    /// The logits after bias, penalties and mask.
    fn changed(&self) -> Vec<f64> {
        let change = |(token, logit): (u32, &f32)| {
            let mut logit = f64::from(*logit);
            for (_, by) in self.bias.iter().filter(|(biased, _)| *biased == token) {
                logit += f64::from(*by);
            }
            let times = self.generated.iter().filter(|other| **other == token).count();
            if times > 0 || self.prompt.contains(&token) {
                let repetition = f64::from(self.sampling.repetition());
                logit = if logit > 0.0 {
                    logit / repetition
                } else {
                    logit * repetition
                };
            }
            if times > 0 {
                logit -= f64::from(self.sampling.frequency()) * times as f64;
                logit -= f64::from(self.sampling.presence());
            }
            logit
        };
        let changed = (0..).zip(&self.logits).map(change);
        let masked = changed.zip(&self.allowed);
        masked
            .map(|(logit, on)| if *on { logit } else { f64::NEG_INFINITY })
            .collect()
    }

    /// The probability of each token, with borders moved by `slack` so that more tokens are inside.
    fn probabilities(&self, slack: f64) -> Vec<f64> {
        let logits = self.changed();
        let peak = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
        if self.sampling.temperature() == 0.0 {
            return (0..logits.len())
                .map(|token| f64::from(u8::from(token == order[0])))
                .collect();
        }
        let weight = |token: usize| ((logits[token] - peak) / f64::from(self.sampling.temperature())).exp();
        order.retain(|token| logits[*token] > f64::NEG_INFINITY);
        if self.sampling.top_k() > 0 {
            order.truncate(usize::try_from(self.sampling.top_k()).unwrap());
        }
        let total: f64 = order.iter().map(|token| weight(*token)).sum();
        if self.sampling.top_p() < 1.0 {
            let wanted = (f64::from(self.sampling.top_p()) + slack) * total;
            let mut before = 0.0;
            order.retain(|token| {
                let inside = before < wanted || before == 0.0;
                before += weight(*token);
                inside
            });
        }
        order.retain(|token| weight(*token) >= f64::from(self.sampling.min_p()) - slack);
        let total: f64 = order.iter().map(|token| weight(*token)).sum();
        (0..logits.len())
            .map(|token| {
                if order.contains(&token) {
                    weight(token) / total
                } else {
                    0.0
                }
            })
            .collect()
    }
}

const SLACK: f64 = 1e-5;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Tokens come as often as the order of operations says, and those that it leaves out never.
    #[test]
    fn tokens_come_as_often_as_the_oracle_says(case in case()) {
        const DRAWS: u32 = 400;
        let mask = case.mask();
        let mut counts = vec![0_u32; case.logits.len()];
        let mut workspace = Workspace::default();
        for seed in 0..u64::from(DRAWS) {
            let mut sampler = Sampler::new(case.sampling, case.adjustments(), seed);
            match sampler.next(&case.logits, Some(&mask), &mut workspace) {
                Some(token) => counts[token as usize] += 1,
                None => prop_assert!(mask.is_zero()),
            }
        }
        if mask.is_zero() {
            return Ok(());
        }
        let (tight, loose) = (case.probabilities(-SLACK), case.probabilities(SLACK));
        for (token, count) in counts.iter().enumerate() {
            prop_assert!(*count == 0 || loose[token] > 0.0, "{token} is left out: {counts:?}");
            if tight == loose {
                let expected = tight[token] * f64::from(DRAWS);
                // Seven standard deviations: never by chance.
                let room = 7.0 * (expected * (1.0 - tight[token])).sqrt() + 2.0;
                prop_assert!((f64::from(*count) - expected).abs() <= room, "{token}: {count} for {expected}");
            }
        }
    }

    /// What a sequence has generated counts for its next token, step by step.
    #[test]
    fn penalties_follow_what_is_generated(case in case(), more in prop::collection::vec(prop::collection::vec(eighths(-40..=40), 30), 12)) {
        prop_assume!(case.allowed.contains(&true));
        let (mut case, mask) = (case.clone(), case.mask());
        let mut sampler = Sampler::new(case.sampling, case.adjustments(), 7);
        for logits in more {
            case.logits.copy_from_slice(&logits[..case.allowed.len()]);
            let token = sampler.next(&case.logits, Some(&mask), &mut Workspace::default()).unwrap();
            let probability = case.probabilities(SLACK)[token as usize];
            prop_assert!(probability > 0.0, "{token} after {:?}", case.generated);
            case.generated.push(token);
        }
    }

    /// Whatever is asked for and whatever the model says, a token that is possible is chosen.
    #[test]
    fn extremes_still_choose_a_token(
        logits in prop::collection::vec(
            prop_oneof![any::<f32>().prop_filter("a number", |n| n.is_finite()), Just(f32::MAX), Just(f32::MIN), Just(f32::NEG_INFINITY), Just(0.0)],
            1..40,
        ),
        temperature in prop::sample::select(vec![0.0, 1e-45, 1e-20, 0.01, 1.0, 100.0_f32]),
        cuts in (0.0_f32..=1.0, 0_u32..4, 0.0_f32..=1.0),
        penalties in (-2.0_f32..=2.0, -2.0_f32..=2.0, prop::sample::select(vec![1e-45, 1e-3, 1.0, 1e3, f32::MAX])),
        bias in prop::sample::select(vec![-100.0_f32, 100.0]),
    ) {
        let possible = logits.iter().any(|logit| logit.is_finite());
        let sampling = Sampling::new(temperature, cuts.0, cuts.1, Some(1))
            .and_then(|sampling| sampling.with_min_p(cuts.2))
            .and_then(|sampling| sampling.with_penalties(penalties.0, penalties.1, penalties.2))
            .unwrap();
        let adjustments = Adjustments::new(&sampling, vec![(0, bias), (1000, bias)], &[0, 1, 2, 2000]);
        let mut sampler = Sampler::new(sampling, adjustments, 1);
        let mut workspace = Workspace::default();
        for _ in 0..20 {
            let token = sampler.next(&logits, None, &mut workspace);
            prop_assert_eq!(token.is_some(), possible);
            if let Some(token) = token {
                prop_assert!(logits[token as usize].is_finite());
                let likelihood = Likelihood::of(token, &logits, 20, &mut workspace).unwrap();
                prop_assert!(likelihood.logprob <= 0.0, "{}", likelihood.logprob);
                prop_assert!(likelihood.top.iter().all(|(_, logprob)| *logprob <= 0.0));
            }
        }
    }

    /// A token with the lowest bias does not come, and one with the highest does, whatever the temperature.
    #[test]
    fn the_ends_of_the_bias_ban_and_force(
        logits in prop::collection::vec(-20.0_f32..20.0, 2..200),
        temperature in 0.0_f32..=2.0,
        which in any::<prop::sample::Index>(),
    ) {
        let token = u32::try_from(which.index(logits.len())).unwrap();
        for (bias, forced) in [(-100.0, false), (100.0, true)] {
            let sampling = Sampling::new(temperature, 1.0, 0, Some(3)).unwrap();
            let adjustments = Adjustments::new(&sampling, vec![(token, bias)], &[]);
            let mut sampler = Sampler::new(sampling, adjustments, 3);
            for _ in 0..50 {
                let next = sampler.next(&logits, None, &mut Workspace::default()).unwrap();
                prop_assert_eq!(next == token, forced);
            }
        }
    }

    #[test]
    fn the_whole_of_min_p_is_greedy(logits in prop::collection::btree_set(-400_i16..400, 1..300), seed: u64) {
        let logits: Vec<f32> = logits.into_iter().rev().map(|n| f32::from(n) / 8.0).collect();
        let sampling = Sampling::new(1.3, 0.9, 0, None).and_then(|s| s.with_min_p(1.0)).unwrap();
        let mut sampler = Sampler::new(sampling, None, seed);
        prop_assert_eq!(sampler.next(&logits, None, &mut Workspace::default()), Some(0));
    }

    /// Of all tokens, log-probabilities are those of a distribution: the model's, whatever is asked for besides.
    #[test]
    fn log_probabilities_are_the_models(logits in prop::collection::vec(-30.0_f32..30.0, 1..300), count in 0_u8..=20) {
        let mut workspace = Workspace::default();
        let exact: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
        let mut total = 0.0;
        let mut all = Vec::new();
        for (token, logit) in (0..).zip(&logits) {
            let likelihood = Likelihood::of(token, &logits, count, &mut workspace).unwrap();
            prop_assert!((f64::from(likelihood.logprob) - (f64::from(*logit) - exact)).abs() < 1e-4);
            total += f64::from(likelihood.logprob).exp();
            all.push((token, likelihood));
        }
        prop_assert!((total - 1.0).abs() < 1e-5, "{}", total);
        let mut order: Vec<u32> = (0..).zip(&logits).map(|(token, _)| token).collect();
        order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b)));
        for (_, likelihood) in &all {
            let top: Vec<u32> = likelihood.top.iter().map(|(token, _)| *token).collect();
            prop_assert_eq!(&top, &order[..usize::from(count).min(order.len())]);
            for (token, logprob) in &likelihood.top {
                prop_assert_eq!(*logprob, all[*token as usize].1.logprob);
            }
        }
    }
}

#[test]
fn impossible_tokens_have_no_log_probability() {
    let logits = [0.0, f32::NEG_INFINITY, 0.0];
    let mut workspace = Workspace::default();
    let likelihood = Likelihood::of(2, &logits, 20, &mut workspace).unwrap();
    assert!((likelihood.logprob + std::f32::consts::LN_2).abs() < 1e-6);
    let top: Vec<u32> = likelihood.top.iter().map(|(token, _)| *token).collect();
    assert_eq!(top, [0, 2]);
    assert!(Likelihood::of(1, &logits, 0, &mut workspace).is_none());
    assert!(Likelihood::of(3, &logits, 0, &mut workspace).is_none());
}

#[test]
fn who_changes_nothing_pays_nothing_and_others_by_the_tokens_seen() {
    assert!(Adjustments::new(&Sampling::GREEDY, Vec::new(), &[1, 2, 3]).is_none());
    let penalised = |presence, repetition| {
        let sampling = Sampling::GREEDY
            .with_penalties(presence, 0.0, repetition)
            .unwrap();
        Adjustments::new(&sampling, vec![(1, 1.0)], &[9, 9, 8]).unwrap()
    };
    for (presence, repetition, prompt, all) in [(0.0, 1.0, 0, 0), (1.0, 1.0, 0, 100), (0.0, 1.1, 2, 100)] {
        let mut adjustments = penalised(presence, repetition);
        assert_eq!(adjustments.seen(), prompt);
        (0..10_000).for_each(|n| adjustments.count(n % 100));
        assert_eq!(adjustments.seen(), all);
    }
}
