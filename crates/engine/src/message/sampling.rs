//! How the next token is chosen, as numbers that make sense.

/// How the next token is chosen. Can only hold numbers that make sense.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    temperature: f32,
    top_p: f32,
    top_k: u32,
    min_p: f32,
    presence: f32,
    frequency: f32,
    repetition: f32,
    seed: Option<u64>,
}

/// Numbers that are no [`Sampling`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SamplingError(&'static str);

impl Sampling {
    /// Always the likeliest token.
    pub const GREEDY: Self = Self {
        temperature: 0.0,
        top_p: 1.0,
        top_k: 0,
        min_p: 0.0,
        presence: 0.0,
        frequency: 0.0,
        repetition: 1.0,
        seed: None,
    };

    /// `temperature` 0 is greedy; `top_p` 1 and `top_k` 0 are off; without a `seed` the engine draws one. There is no
    /// `min_p` and no penalty until they are added.
    ///
    /// # Errors
    /// [`SamplingError`] unless `temperature` is in 0 to 100 and `top_p` in 0 to 1.
    pub fn new(temperature: f32, top_p: f32, top_k: u32, seed: Option<u64>) -> Result<Self, SamplingError> {
        if !(0.0..=100.0).contains(&temperature) {
            return Err(SamplingError("the temperature is a number from 0 to 100"));
        }
        if !(0.0..=1.0).contains(&top_p) {
            return Err(SamplingError("top_p is a number from 0 to 1"));
        }
        Ok(Self {
            temperature,
            top_p,
            top_k,
            seed,
            ..Self::GREEDY
        })
    }

    /// Leaves out tokens that are less than `min_p` times as likely as the likeliest; 0 is off.
    ///
    /// # Errors
    /// [`SamplingError`] unless `min_p` is in 0 to 1.
    pub fn with_min_p(self, min_p: f32) -> Result<Self, SamplingError> {
        if !(0.0..=1.0).contains(&min_p) {
            return Err(SamplingError("min_p is a number from 0 to 1"));
        }
        Ok(Self { min_p, ..self })
    }

    /// Makes tokens that were there before less likely. `presence` is taken off the logit of each token that was
    /// generated, `frequency` as often as it was; 0 is off. The logit of each token of the prompt or the output is
    /// divided by `repetition` if it is positive, and multiplied otherwise; 1 is off.
    ///
    /// # Errors
    /// [`SamplingError`] unless `presence` and `frequency` are in -2 to 2, and `repetition` is more than 0 and finite.
    pub fn with_penalties(
        self,
        presence: f32,
        frequency: f32,
        repetition: f32,
    ) -> Result<Self, SamplingError> {
        if !(-2.0..=2.0).contains(&presence) {
            return Err(SamplingError("the presence penalty is a number from -2 to 2"));
        }
        if !(-2.0..=2.0).contains(&frequency) {
            return Err(SamplingError("the frequency penalty is a number from -2 to 2"));
        }
        if !(repetition > 0.0 && repetition.is_finite()) {
            return Err(SamplingError("the repetition penalty is a number above 0"));
        }
        Ok(Self {
            presence,
            frequency,
            repetition,
            ..self
        })
    }

    /// Divides the logits; 0 is greedy.
    #[must_use]
    pub fn temperature(&self) -> f32 {
        self.temperature
    }

    /// The likeliest tokens of at least this share together are kept.
    #[must_use]
    pub fn top_p(&self) -> f32 {
        self.top_p
    }

    /// So many of the likeliest tokens are kept; 0 keeps all.
    #[must_use]
    pub fn top_k(&self) -> u32 {
        self.top_k
    }

    /// Tokens at least this many times as likely as the likeliest are kept.
    #[must_use]
    pub fn min_p(&self) -> f32 {
        self.min_p
    }

    /// Taken off the logit of a token that was generated.
    #[must_use]
    pub fn presence(&self) -> f32 {
        self.presence
    }

    /// Taken off the logit of a token for each time that it was generated.
    #[must_use]
    pub fn frequency(&self) -> f32 {
        self.frequency
    }

    /// Divides a positive logit of a token that was in the prompt or the output, and multiplies a negative one.
    #[must_use]
    pub fn repetition(&self) -> f32 {
        self.repetition
    }

    /// The same seed, prompt and model give the same tokens.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampling_numbers_out_of_range_are_refused() {
        for (temperature, top_p) in [
            (f32::NAN, 1.0),
            (-0.1, 1.0),
            (f32::INFINITY, 1.0),
            (1.0, f32::NAN),
            (1.0, 1.1),
            (1.0, -0.5),
        ] {
            assert!(
                Sampling::new(temperature, top_p, 0, None).is_err(),
                "{temperature} {top_p}"
            );
        }
        assert!(Sampling::new(0.7, 0.9, 40, Some(1)).is_ok());
    }

    #[test]
    fn min_p_and_penalties_out_of_range_are_refused() {
        let sampling = Sampling::new(0.7, 0.9, 40, Some(1)).unwrap();
        for min_p in [f32::NAN, -0.1, 1.1] {
            assert!(sampling.with_min_p(min_p).is_err(), "{min_p}");
        }
        for (presence, frequency, repetition) in [
            (f32::NAN, 0.0, 1.0),
            (2.1, 0.0, 1.0),
            (0.0, f32::NAN, 1.0),
            (0.0, -2.1, 1.0),
            (0.0, 0.0, f32::NAN),
            (0.0, 0.0, 0.0),
            (0.0, 0.0, -1.0),
            (0.0, 0.0, f32::INFINITY),
        ] {
            assert!(
                sampling.with_penalties(presence, frequency, repetition).is_err(),
                "{presence} {frequency} {repetition}"
            );
        }
        let all = sampling
            .with_min_p(0.1)
            .and_then(|s| s.with_penalties(-2.0, 2.0, 1.3));
        let all = all.unwrap();
        assert_eq!((all.min_p(), all.presence(), all.frequency()), (0.1, -2.0, 2.0));
        assert_eq!((all.repetition(), all.top_k(), all.seed()), (1.3, 40, Some(1)));
    }
}
