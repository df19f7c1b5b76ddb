//! Choosing a token, against expectations worked out by hand; what a slow oracle expects is in `oracle`.

mod oracle;

use super::*;
use proptest::prelude::*;

fn sampler(temperature: f32, top_p: f32, top_k: u32, seed: u64) -> Sampler {
    Sampler::new(
        Sampling::new(temperature, top_p, top_k, Some(seed)).unwrap(),
        None,
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
