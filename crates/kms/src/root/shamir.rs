//! Secrets split so that M of N parts give them back, and M - 1 tell nothing at all (Shamir, 1979), byte by byte over
//! GF(256) with the polynomial of AES.
//!
//! Nothing is looked up in a table by a secret, and no branch depends on one: products are made bit by bit with masks.

use std::hint::black_box;

use moho_terms::{Entropy, EntropyUnavailable};
use zeroize::Zeroizing;

/// Bytes of a secret.
pub(super) const SECRET: usize = 32;

/// One value of the polynomials, of which the secret is the value at zero.
pub(super) type Value = Zeroizing<[u8; SECRET]>;

/// The values at 1 to `count` of polynomials with `threshold` coefficients, of which the first is the secret, and the
/// others are random.
pub(super) fn split(
    secret: &[u8; SECRET],
    (threshold, count): (u8, u8),
    entropy: &dyn Entropy,
) -> Result<Vec<(u8, Value)>, EntropyUnavailable> {
    let mut coefficients = Zeroizing::new(vec![[0; SECRET]; usize::from(threshold).saturating_sub(1)]);
    for of_one_power in coefficients.iter_mut() {
        entropy.fill(of_one_power)?;
    }
    let value = |at: u8| {
        let mut value = Zeroizing::new([0; SECRET]);
        // Horner: from the highest power down to the secret.
        for power in coefficients.iter().rev().chain([secret]) {
            for (sum, coefficient) in value.iter_mut().zip(power) {
                *sum = product(*sum, at) ^ coefficient;
            }
        }
        (at, value)
    };
    Ok((1..=count).map(value).collect())
}

/// The polynomials' values at zero, from as many values elsewhere as they have coefficients, each at another place.
pub(super) fn combine(values: &[(u8, &[u8; SECRET])]) -> Value {
    let mut secret = Zeroizing::new([0; SECRET]);
    for (at, value) in values {
        // Lagrange: the product of other / (other - at), where subtraction is exclusive or. The places are no secret.
        let weight = values
            .iter()
            .filter(|(other, _)| other != at)
            .fold(1, |weight, (other, _)| {
                product(weight, product(*other, inverse(other ^ at)))
            });
        for (sum, byte) in secret.iter_mut().zip(*value) {
            *sum ^= product(*byte, weight);
        }
    }
    secret
}

/// The product modulo x^8 + x^4 + x^3 + x + 1, in the same time for all factors.
fn product(a: u8, b: u8) -> u8 {
    let (mut a, mut sum) = (a, 0);
    for bit in 0..8 {
        // All ones if the bit is set, else zero; the compiler shall not make a branch of it.
        sum ^= a & black_box(0_u8.wrapping_sub((b >> bit) & 1));
        a = (a << 1) ^ (0x1b & black_box(0_u8.wrapping_sub(a >> 7)));
    }
    sum
}

/// What gives one when multiplied by `a`, which is its 254th power; zero for zero.
fn inverse(a: u8) -> u8 {
    let mut power = a;
    // 254 = 0b1111_1110: square and multiply six times, then square.
    for _ in 0..6 {
        power = product(product(power, power), a);
    }
    product(power, power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes as given, one call after the other.
    struct Given(Vec<u8>, std::sync::Mutex<usize>);

    impl Entropy for Given {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
            let mut at = self.1.lock().unwrap();
            for byte in bytes {
                *byte = self.0[*at % self.0.len()];
                *at += 1;
            }
            Ok(())
        }
    }

    fn given(bytes: Vec<u8>) -> Given {
        Given(bytes, std::sync::Mutex::new(0))
    }

    /// FIPS 197, section 4.2: two products and the inverses of the S-box.
    #[test]
    fn the_field_is_that_of_aes() {
        assert_eq!(product(0x57, 0x83), 0xc1);
        assert_eq!(product(0x57, 0x13), 0xfe);
        assert_eq!(inverse(0x53), 0xca);
        assert_eq!(inverse(0), 0);
        for a in 1..=255 {
            assert_eq!(product(a, inverse(a)), 1, "{a}");
            assert_eq!(product(a, 1), a);
            for b in 0..=255 {
                assert_eq!(product(a, b), product(b, a));
                assert_eq!(product(a, b ^ 7), product(a, b) ^ product(a, 7));
            }
        }
    }

    /// One coefficient by hand: 5 + 2x at 1, 2 and 3.
    #[test]
    fn a_line_has_the_values_that_it_has() {
        let parts = split(&[5; 32], (2, 3), &given(vec![2])).unwrap();
        let values: Vec<_> = parts.iter().map(|(at, value)| (*at, value[0])).collect();
        assert_eq!(values, [(1, 5 ^ 2), (2, 5 ^ 4), (3, 5 ^ 6)]);
    }

    /// With one value fewer than it takes, every secret is as likely as any other: each has its one coefficient.
    #[test]
    fn one_part_too_few_tells_nothing() {
        let mut seen = std::collections::BTreeMap::new();
        for coefficient in 0..=255 {
            let parts = split(&[99; 32], (2, 2), &given(vec![coefficient])).unwrap();
            *seen.entry(parts[1].1[0]).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 256);
        assert!(seen.values().all(|times| *times == 1));
    }

    proptest! {
        #[test]
        fn any_that_are_enough_give_it_back(
            secret: [u8; 32],
            random in proptest::collection::vec(any::<u8>(), 32..200),
            (threshold, count) in (1_u8..20).prop_flat_map(|m| (Just(m), m..30)),
            order in any::<proptest::sample::Index>(),
        ) {
            let parts = split(&secret, (threshold, count), &given(random)).unwrap();
            let start = order.index(parts.len());
            let some: Vec<(u8, &[u8; 32])> = parts
                .iter()
                .cycle()
                .skip(start)
                .take(threshold.into())
                .map(|(at, value)| (*at, &**value))
                .collect();
            prop_assert_eq!(*combine(&some), secret);
            let all: Vec<(u8, &[u8; 32])> = parts.iter().map(|(at, value)| (*at, &**value)).collect();
            prop_assert_eq!(*combine(&all), secret, "more than enough are no harm");
        }

        #[test]
        fn too_few_or_altered_give_something_else(
            secret: [u8; 32],
            random in proptest::collection::vec(any::<u8>(), 150..200),
            threshold in 2_u8..6,
            (byte, bit) in (0_usize..32, 0_u32..8),
        ) {
            let parts = split(&secret, (threshold, threshold), &given(random)).unwrap();
            let mut altered: Vec<(u8, [u8; 32])> = parts.iter().map(|(at, value)| (*at, **value)).collect();
            altered[0].1[byte] ^= 1 << bit;
            let altered: Vec<_> = altered.iter().map(|(at, value)| (*at, value)).collect();
            let other = combine(&altered);
            prop_assert_ne!(*other, secret);
            prop_assert_eq!(other.iter().zip(&secret).filter(|(a, b)| a != b).count(), 1);
        }
    }
}
