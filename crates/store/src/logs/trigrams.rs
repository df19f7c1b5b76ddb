//! Which texts are certainly not in a block: a set of the three bytes at a time that its events have, small because it may say
//! of some that they are there, too.
//!
//! ```text
//! summary  version 1 (1) | id of the block (16) | bits
//! ```
//! A set has a power of two of bits, of which each three bytes set two, and so does each backslash with the byte behind it, by
//! which it is known whether JSON has characters that are written as digits. It is sealed as what it is made of.

use moho_terms::ContentBytes;
use zeroize::Zeroizing;

use super::block::{BlockId, LogBlock};

const VERSION: u8 = 1;
const FRONT: usize = 17;
/// Bytes of the largest set, and of the smallest.
const LARGEST: usize = 1 << 15;
const SMALLEST: usize = 1 << 6;
/// What stands before three bytes as a number, and before two.
const THREE: u64 = 1 << 24;
const TWO: u64 = 1 << 16;

/// Which texts may be in a block.
pub struct LogSummary(Zeroizing<Vec<u8>>);

impl LogSummary {
    /// Whether a text may be within an event of the block; if not, it is in none.
    #[must_use]
    pub fn may_have(&self, text: &str) -> bool {
        let has_all = |few: &[u8]| {
            let (first, second) = places(number_of(few), self.0.len());
            self.has(first) && self.has(second)
        };
        match text.as_bytes() {
            escape @ [b'\\', _] => has_all(escape),
            text => text.windows(3).all(has_all),
        }
    }

    fn has(&self, (byte, bit): (usize, u8)) -> bool {
        self.0.get(byte).is_some_and(|bits| bits & bit != 0)
    }
}

/// The summary of a block with this id.
pub(super) fn of_block(id: &BlockId, block: &LogBlock) -> ContentBytes {
    let mut bits = Zeroizing::new(vec![0_u8; LARGEST]);
    for event in block.events() {
        let mut before = 0_u64;
        for (at, byte) in event.message.bytes().enumerate() {
            let last = before << 8 | u64::from(byte);
            if at >= 2 {
                set(&mut bits, THREE | last);
            }
            if at >= 1 && before & 0xFF == u64::from(b'\\') {
                set(&mut bits, TWO | last & 0xFFFF);
            }
            before = last & 0xFFFF;
        }
    }
    while bits.len() > SMALLEST {
        let half = Zeroizing::new(folded(&bits));
        let there: u32 = half.iter().map(|byte| byte.count_ones()).sum();
        // Two fifths of the bits are set at most, so that a sixth of what is not there passes for each three bytes.
        if u64::from(there).saturating_mul(5) > (half.len() as u64).saturating_mul(16) {
            break;
        }
        bits = half;
    }
    let mut plain = Vec::with_capacity(FRONT.saturating_add(bits.len()));
    plain.push(VERSION);
    plain.extend_from_slice(id);
    plain.extend_from_slice(&bits);
    ContentBytes::new(plain)
}

/// Reads the summary of the block with this id. `None` if the bytes are none such.
pub(crate) fn read(id: &BlockId, plain: &[u8]) -> Option<LogSummary> {
    let (front, bits) = plain.split_at_checked(FRONT)?;
    let (version, found) = front.split_first()?;
    let fits = bits.len().is_power_of_two() && (SMALLEST..=LARGEST).contains(&bits.len());
    (*version == VERSION && found == id && fits).then(|| LogSummary(Zeroizing::new(bits.to_vec())))
}

/// The set in half as many bits: of every bit's place its highest digit is dropped.
fn folded(bits: &[u8]) -> Vec<u8> {
    let (low, high) = bits.split_at(bits.len() / 2);
    low.iter().zip(high).map(|(low, high)| low | high).collect()
}

/// Puts two or three bytes into a set.
fn set(bits: &mut [u8], number: u64) {
    let (first, second) = places(number, bits.len());
    for (byte, bit) in [first, second] {
        if let Some(bits) = bits.get_mut(byte) {
            *bits |= bit;
        }
    }
}

/// Two or three bytes as one number.
fn number_of(few: &[u8]) -> u64 {
    few.iter().fold(1_u64, |all, byte| all << 8 | u64::from(*byte))
}

/// The bytes and bits of such a number in a set of so many bytes.
fn places(number: u64, bytes: usize) -> ((usize, u8), (usize, u8)) {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (place(mixed >> 8, bytes), place(mixed >> 36, bytes))
}

fn place(digits: u64, bytes: usize) -> (usize, u8) {
    let byte = usize::try_from(digits >> 3 & 0xF_FFFF).unwrap_or(0);
    (byte & bytes.saturating_sub(1), 1 << (digits & 7))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::block::{self, NewLogEvent};
    use super::*;

    const ID: BlockId = [3; 16];

    fn summary(texts: &[String]) -> LogSummary {
        let events: Vec<_> = texts
            .iter()
            .map(|message| NewLogEvent {
                timestamp: 1,
                message,
            })
            .collect();
        let made = block::of_batch(&ID, &events).unwrap();
        let block = block::read(&ID, made.plain.expose()).unwrap();
        read(&ID, of_block(&ID, &block).expose()).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_there_is_never_passed_over(texts in prop::collection::vec("\\PC{0,40}", 1..20), at in 0_usize..20, from in 0_usize..40, length in 0_usize..20) {
            let summary = summary(&texts);
            let text = &texts[at % texts.len()];
            let part: String = text.chars().skip(from).take(length).collect();
            prop_assert!(summary.may_have(&part));
        }
    }

    #[test]
    fn most_of_what_is_not_there_is_passed_over() {
        let texts: Vec<String> = (0..4000_u64)
            .map(|n| {
                format!(
                    "request {:016x} answered in {} ms",
                    n.wrapping_mul(0x9E37_79B9_7F4A_7C15),
                    n % 97
                )
            })
            .collect();
        let summary = summary(&texts);
        assert!(summary.may_have("answered in 42 ms"));
        let absent = (0..1000_u64).map(|n| format!("Z{n:05}Q"));
        let passed = absent.filter(|text| summary.may_have(text)).count();
        assert!(passed < 20, "{passed}");
        assert!(summary.may_have("zz"), "nothing is known of two bytes");
    }

    #[test]
    fn whether_characters_are_written_as_digits_is_known() {
        let has_digits = |text: &str| summary(&[text.to_owned()]).may_have("\\u");
        assert!(has_digits(r#"{"a":"\u0041"}"#));
        assert!(has_digits(r"ends with \u"));
        assert!(!has_digits(r#"{"a":"A","b":"\n"}"#));
    }

    #[test]
    fn a_summary_is_of_one_block() {
        let plain = [&[VERSION][..], &ID, &[0; SMALLEST]].concat();
        assert!(read(&ID, &plain).is_some());
        assert!(read(&[4; 16], &plain).is_none());
        assert!(read(&ID, &plain[..plain.len() - 1]).is_none());
        assert!(read(&ID, &[]).is_none());
    }
}
