//! Reproducible draws from a seed: not for secrets, only for choosing tokens.

/// Draws numbered from 0, each a function of seed and number alone (SplitMix64).
pub(super) struct Draws {
    state: u64,
}

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// In [0, 1), with 53 random bits.
    pub(super) fn next_fraction(&mut self) -> f64 {
        let bits = self.next_bits() >> 11;
        // INVARIANT: 53 bits are exact in an f64; both halves fit in u32.
        let high = u32::try_from(bits >> 32).unwrap_or(0);
        let low = u32::try_from(bits & 0xffff_ffff).unwrap_or(0);
        (f64::from(high) * 4_294_967_296.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    pub(super) fn next_bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_splitmix64() {
        // The published reference sequence for seed 1234567.
        let mut draws = Draws::new(1_234_567);
        assert_eq!(draws.next_bits(), 6_457_827_717_110_365_317);
        assert_eq!(draws.next_bits(), 3_203_168_211_198_807_973);
        assert_eq!(draws.next_bits(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn fractions_stay_below_one() {
        let mut draws = Draws::new(9);
        let all: Vec<f64> = (0..1000).map(|_| draws.next_fraction()).collect();
        assert!(all.iter().all(|f| (0.0..1.0).contains(f)));
        let mean = all.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean));
    }
}
