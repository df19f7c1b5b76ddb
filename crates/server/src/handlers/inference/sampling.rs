//! How tokens are chosen: what a request asks for, as the engine takes it.

use moho_engine::Sampling as EngineSampling;
use moho_wire::Failure;
use moho_wire::openai::Sampling;

/// OpenAI's defaults: temperature 1, everything kept, no penalties.
pub(super) fn sampling(asked: Sampling, choice: u32) -> Result<EngineSampling, Failure> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "each is in a range of a few hundred at most: only digits are lost"
    )]
    let narrow = |number: Option<f64>, default: f32| number.map_or(default, |number| number as f32);
    let top_k = asked.top_k.unwrap_or(0);
    let seed = asked.seed.map(|seed| seed_of(seed, choice));
    EngineSampling::new(
        narrow(asked.temperature, 1.0),
        narrow(asked.top_p, 1.0),
        top_k,
        seed,
    )
    .and_then(|sampling| sampling.with_min_p(narrow(asked.min_p, 0.0)))
    .and_then(|sampling| {
        sampling.with_penalties(
            narrow(asked.presence_penalty, 0.0),
            narrow(asked.frequency_penalty, 0.0),
            narrow(asked.repetition_penalty, 1.0),
        )
    })
    .map_err(|error| Failure::Invalid {
        message: error.to_string(),
        param: None,
        code: None,
    })
}

/// The seed of a choice: of the first the caller's own, so that it says what it would say alone, and of the others
/// numbers that follow from it (a step of SplitMix64).
fn seed_of(seed: u64, choice: u32) -> u64 {
    if choice == 0 {
        return seed;
    }
    let step = u64::from(choice).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = seed.wrapping_add(step);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_choice_has_a_seed_of_its_own_that_follows_from_the_request_s() {
        for seed in [0, 7, u64::MAX] {
            let seeds: HashSet<u64> = (0..128).map(|choice| seed_of(seed, choice)).collect();
            assert_eq!(seeds.len(), 128);
            assert_eq!(seed_of(seed, 0), seed);
        }
        // Neighbours share no seeds: their answers would be the same.
        let [some, others] = [7, 8].map(|seed| (0..128).map(|c| seed_of(seed, c)).collect::<HashSet<u64>>());
        assert!(some.is_disjoint(&others));
        // A client that asks again next year gets the same.
        assert_eq!(seed_of(7, 1), 0x63cb_e1e4_5932_0dd7);
    }

    #[test]
    fn sampling_reaches_the_engine_whole() {
        let asked = Sampling {
            temperature: Some(0.5),
            top_p: Some(0.25),
            top_k: Some(40),
            min_p: Some(0.125),
            presence_penalty: Some(1.5),
            frequency_penalty: Some(-2.0),
            repetition_penalty: Some(1.25),
            seed: Some(9),
        };
        let sampling = sampling(asked, 0).unwrap();
        assert_eq!(
            (sampling.temperature(), sampling.top_p(), sampling.top_k()),
            (0.5, 0.25, 40)
        );
        assert_eq!((sampling.min_p(), sampling.presence()), (0.125, 1.5));
        assert_eq!((sampling.frequency(), sampling.repetition()), (-2.0, 1.25));
        assert_eq!(sampling.seed(), Some(9));
    }

    #[test]
    fn what_is_not_asked_for_is_off() {
        let plain = sampling(Sampling::default(), 3).unwrap();
        assert_eq!(plain, EngineSampling::new(1.0, 1.0, 0, None).unwrap());
        let wrong = Sampling {
            repetition_penalty: Some(1e-60),
            ..Sampling::default()
        };
        assert!(matches!(sampling(wrong, 0), Err(Failure::Invalid { .. })));
    }
}
