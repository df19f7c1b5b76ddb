//! A share as its keeper has it: one line that can be printed, kept in a safe, and typed in again.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use moho_terms::{Entropy, EntropyUnavailable, Secret};
use zeroize::Zeroizing;

use super::error::ShareError;
use super::shamir::{self, SECRET, Value};

/// What every share begins with.
const MAGIC: &str = "moho-share-1";
/// Bytes of the name of what was split together.
pub(super) const SET: usize = 8;
/// Bytes of the checksum.
const SUM: usize = 4;

/// How many shares it takes, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorum {
    threshold: u8,
    count: u8,
}

impl Quorum {
    /// `threshold` of `count`.
    ///
    /// # Errors
    /// [`ShareError::Quorum`] if one share would be enough, or all would not be.
    pub fn new(threshold: u8, count: u8) -> Result<Self, ShareError> {
        if threshold < 2 || threshold > count {
            return Err(ShareError::Quorum);
        }
        Ok(Self { threshold, count })
    }

    /// How many it takes.
    #[must_use]
    pub fn threshold(self) -> u8 {
        self.threshold
    }

    /// How many there are.
    #[must_use]
    pub fn count(self) -> u8 {
        self.count
    }
}

/// `3/5`.
impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.threshold, self.count)
    }
}

impl FromStr for Quorum {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let (threshold, count) = text.split_once('/').ok_or(ShareError::Quorum)?;
        let number = |text: &str| number(text).ok_or(ShareError::Quorum);
        Self::new(number(threshold)?, number(count)?)
    }
}

/// One share of a key.
pub struct Share {
    quorum: Quorum,
    index: u8,
    set: [u8; SET],
    value: Value,
}

impl Share {
    /// The shares of `secret`, of a set with a name of its own.
    pub(super) fn split(
        secret: &[u8; SECRET],
        quorum: Quorum,
        entropy: &dyn Entropy,
    ) -> Result<Vec<Self>, EntropyUnavailable> {
        let mut set = [0; SET];
        entropy.fill(&mut set)?;
        let values = shamir::split(secret, (quorum.threshold, quorum.count), entropy)?;
        let share = |(index, value)| Self {
            quorum,
            index,
            set,
            value,
        };
        Ok(values.into_iter().map(share).collect())
    }

    /// What `shares` are of. That it is the right key, only what it opens can tell.
    pub(super) fn combine(shares: &[Self]) -> Result<Value, ShareError> {
        let first = shares.first().ok_or(ShareError::TooFew {
            found: 0,
            threshold: 2,
        })?;
        for (n, share) in shares.iter().enumerate() {
            if (share.set, share.quorum) != (first.set, first.quorum) {
                return Err(ShareError::Mixed(first.set_name(), share.set_name()));
            }
            if shares.iter().take(n).any(|other| other.index == share.index) {
                return Err(ShareError::Repeated(share.index));
            }
        }
        let threshold = first.quorum.threshold;
        if shares.len() < usize::from(threshold) {
            return Err(ShareError::TooFew {
                found: shares.len(),
                threshold,
            });
        }
        let enough = shares.iter().take(threshold.into());
        let values: Vec<(u8, &[u8; SECRET])> = enough.map(|share| (share.index, &*share.value)).collect();
        Ok(shamir::combine(&values))
    }

    /// Which of the shares it is, from one.
    #[must_use]
    pub fn index(&self) -> u8 {
        self.index
    }

    /// How many it takes, of how many.
    #[must_use]
    pub fn quorum(&self) -> Quorum {
        self.quorum
    }

    /// The name that it has in common with those that it was split with: 16 hexadecimal digits.
    #[must_use]
    pub fn set_name(&self) -> String {
        hex(&self.set)
    }

    pub(super) fn set(&self) -> [u8; SET] {
        self.set
    }

    /// The line to keep: `moho-share-1 3/5 2 SET VALUE CHECKSUM`. Whoever shows it answers for who sees it.
    #[must_use]
    pub fn line(&self) -> Secret {
        let value = Zeroizing::new(hex(self.value.as_slice()));
        let (index, quorum, set, sum) = (self.index, self.quorum, self.set_name(), hex(&self.checksum()));
        // As long as it gets, so that it does not move and leave a copy behind.
        let mut line = Zeroizing::new(String::with_capacity(160));
        for part in [MAGIC, &quorum.to_string(), &index.to_string(), &set, &value] {
            line.push_str(part);
            line.push(' ');
        }
        line.push_str(&sum);
        Secret::new(std::mem::take(&mut *line).into_bytes())
    }

    /// Reads a line, with whatever white space between its parts, and in whatever case.
    ///
    /// # Errors
    /// [`ShareError`], which says what is wrong with it.
    pub fn parse(line: &str) -> Result<Self, ShareError> {
        let mut parts = line.split_ascii_whitespace();
        if !parts
            .next()
            .is_some_and(|magic| magic.eq_ignore_ascii_case(MAGIC))
        {
            return Err(ShareError::NotAShare);
        }
        let mut next = || parts.next().ok_or(ShareError::Parts);
        let (quorum, index, set, value, sum) = (next()?, next()?, next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(ShareError::Parts);
        }
        let quorum: Quorum = quorum
            .parse()
            .map_err(|_not_one| ShareError::Unreadable("quorum"))?;
        let index = number(index).filter(|index| (1..=quorum.count).contains(index));
        let share = Self {
            quorum,
            index: index.ok_or(ShareError::Unreadable("number"))?,
            set: bytes(set).map(|set| *set).ok_or(ShareError::Unreadable("set"))?,
            value: bytes(value).ok_or(ShareError::Unreadable("value"))?,
        };
        let sum = bytes::<SUM>(sum).ok_or(ShareError::Unreadable("checksum"))?;
        if *sum == share.checksum() {
            Ok(share)
        } else {
            Err(ShareError::Checksum)
        }
    }

    fn checksum(&self) -> [u8; SUM] {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(MAGIC.as_bytes());
        hash.update(&[self.quorum.threshold, self.quorum.count, self.index]);
        hash.update(&self.set);
        hash.update(self.value.as_slice());
        let mut sum = [0; SUM];
        for (byte, of) in sum.iter_mut().zip(hash.finish().as_ref()) {
            *byte = *of;
        }
        sum
    }
}

/// A number as it is printed.
fn number(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number: &u8| number.to_string() == text)
}

/// Hexadecimal digits, without a look at a table.
fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| {
        // 'a' - '0' - 10 = 39 more, if it is above nine.
        let above = 9_u8.wrapping_sub(nibble) >> 7;
        char::from(nibble.wrapping_add(b'0').wrapping_add(39_u8.wrapping_mul(above)))
    };
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

fn bytes<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !odd.is_empty() {
        return None;
    }
    let mut bytes = Zeroizing::new([0; N]);
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let nibble = |digit: &u8| char::from(*digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
        *byte = nibble(high)? << 4 | nibble(low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Constant(u8);

    impl Entropy for Constant {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    fn text(share: &Share) -> String {
        String::from_utf8(share.line().expose().to_vec()).unwrap()
    }

    fn lines(quorum: &str, set: u8) -> Vec<String> {
        let shares = Share::split(&[9; SECRET], quorum.parse().unwrap(), &Constant(set)).unwrap();
        shares.iter().map(text).collect()
    }

    fn combined(lines: &[&str]) -> Result<[u8; SECRET], ShareError> {
        let shares: Vec<Share> = lines
            .iter()
            .map(|line| Share::parse(line))
            .collect::<Result<_, _>>()?;
        Share::combine(&shares).map(|secret| *secret)
    }

    #[test]
    fn a_line_says_what_it_is_and_is_read_however_it_was_typed() {
        let lines = lines("2/3", 7);
        assert_eq!(
            lines[0],
            "moho-share-1 2/3 1 0707070707070707 \
             0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e 7e03e59d"
        );
        let typed = format!("  {}\r\n", lines[0].to_uppercase().replace(' ', " \t "));
        let share = Share::parse(&typed).unwrap();
        assert_eq!((text(&share), share.index()), (lines[0].clone(), 1));
        assert_eq!(share.quorum().to_string(), "2/3");
        assert_eq!(share.set_name(), "0707070707070707");
    }

    #[test]
    fn enough_of_one_set_give_the_key_and_nothing_else_does() {
        let (one, two) = (lines("2/3", 7), lines("2/3", 8));
        for pair in [[0, 1], [1, 2], [2, 0]] {
            assert_eq!(combined(&[&one[pair[0]], &one[pair[1]]]), Ok([9; SECRET]));
        }
        assert_eq!(combined(&[&one[0], &one[1], &one[2]]), Ok([9; SECRET]));
        assert_eq!(
            combined(&[]),
            Err(ShareError::TooFew {
                found: 0,
                threshold: 2
            })
        );
        assert_eq!(
            combined(&[&one[1]]),
            Err(ShareError::TooFew {
                found: 1,
                threshold: 2
            })
        );
        assert_eq!(combined(&[&one[1], &one[1]]), Err(ShareError::Repeated(2)));
        let mixed = ShareError::Mixed("0707070707070707".to_owned(), "0808080808080808".to_owned());
        assert_eq!(combined(&[&one[0], &two[1]]), Err(mixed));
    }

    #[test]
    fn every_slip_of_the_pen_is_noticed_and_named() {
        let line = &lines("2/3", 7)[0];
        for (at, old) in line.char_indices().filter(|(_, old)| old.is_ascii_hexdigit()) {
            let new = if old == '1' { '3' } else { '1' };
            let mut altered = line.clone();
            altered.replace_range(at..=at, &new.to_string());
            assert!(Share::parse(&altered).is_err(), "{altered}");
        }
        let parts: Vec<&str> = line.split(' ').collect();
        let with = |n: usize, part: &str| {
            let mut parts = parts.clone();
            parts[n] = part;
            Share::parse(&parts.join(" ")).err()
        };
        assert_eq!(with(0, "moho-share-2"), Some(ShareError::NotAShare));
        for quorum in ["1/3", "4/3", "2/256", "02/3", "2", "+2/3", "0/0"] {
            assert_eq!(
                with(1, quorum),
                Some(ShareError::Unreadable("quorum")),
                "{quorum}"
            );
        }
        for index in ["0", "4", "01", "x", "-1"] {
            assert_eq!(with(2, index), Some(ShareError::Unreadable("number")), "{index}");
        }
        assert_eq!(with(3, "07"), Some(ShareError::Unreadable("set")));
        assert_eq!(with(4, &"0g".repeat(32)), Some(ShareError::Unreadable("value")));
        assert_eq!(with(5, "7e03e59"), Some(ShareError::Unreadable("checksum")));
        assert_eq!(with(5, "7e03e59e"), Some(ShareError::Checksum));
        assert_eq!(with(2, "2"), Some(ShareError::Checksum));
        assert_eq!(Share::parse("").err(), Some(ShareError::NotAShare));
        assert_eq!(Share::parse(&parts[..5].join(" ")).err(), Some(ShareError::Parts));
        assert_eq!(Share::parse(&format!("{line} 1")).err(), Some(ShareError::Parts));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(secret: [u8; 32], set: u8, (m, n) in (2_u8..9).prop_flat_map(|m| (Just(m), m..12))) {
            let quorum = Quorum::new(m, n).unwrap();
            for share in Share::split(&secret, quorum, &Constant(set)).unwrap() {
                let again = Share::parse(&text(&share)).unwrap();
                prop_assert_eq!(text(&again), text(&share));
            }
            prop_assert_eq!(quorum.to_string().parse::<Quorum>(), Ok(quorum));
        }

        #[test]
        fn foreign_lines_are_refused(line in "\\PC{0,80}") {
            prop_assert!(Share::parse(&line).is_err());
            let line = format!("{MAGIC} {line}");
            prop_assert!(Share::parse(&line).is_err());
        }
    }
}
