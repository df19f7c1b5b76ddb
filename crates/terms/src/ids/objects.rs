//! Buckets, and what is in them: versions and uploads, whose ids are in the order of their time.

use crate::{Entropy, EntropyUnavailable};

id!(/// A bucket, by its name, which no other bucket of the installation has.
    BucketName, "a bucket name has 3 to 63 lower-case letters, digits, dots and hyphens", is_bucket);
id!(/// A version of an object: 32 letters, digits, `-` and `_`, or `null` for the one that was put without versioning. In the
    /// order of their bytes, the ids of one object's versions begin with the newest.
    VersionId, "a version id is null or has 32 letters, digits, - and _", |t| t == "null" || is_ordered(t));
id!(/// An upload in parts: 32 letters, digits, `-` and `_`. In the order of their bytes, the first begun is the first.
    UploadId, "an upload id has 32 letters, digits, - and _", is_ordered);

/// S3's rules for the names of general purpose buckets.
fn is_bucket(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = |b: Option<u8>| b.is_some_and(alphanumeric);
    let mut bytes = text.bytes();
    let reserved = ["xn--", "sthree-", "amzn-s3-demo-"];
    let kept = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    (3..=63).contains(&text.len())
        && text.bytes().all(|b| alphanumeric(b) || matches!(b, b'.' | b'-'))
        && ends(text.bytes().next())
        && ends(bytes.next_back())
        && !text.contains("..")
        && text.parse::<std::net::Ipv4Addr>().is_err()
        && !reserved.iter().any(|prefix| text.starts_with(prefix))
        && !kept.iter().any(|suffix| text.ends_with(suffix))
}

/// Digits of base 64 in the order of their bytes, so that what they stand for and they themselves are ordered alike.
const ORDERED: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

fn is_ordered(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| ORDERED.contains(&b))
}

/// A number and 128 random bits, as 32 digits.
fn ordered(number: u64, entropy: &dyn Entropy) -> Result<String, EntropyUnavailable> {
    let mut random = [0; 16];
    entropy.fill(&mut random)?;
    let digit = |bits: u32, place: u32| {
        let value = usize::try_from(bits >> (place * 6) & 63).unwrap_or(0);
        char::from(ORDERED.get(value).copied().unwrap_or(b'-'))
    };
    let bytes: Vec<u8> = number.to_be_bytes().into_iter().chain(random).collect();
    let triples = bytes.chunks_exact(3);
    let texts = triples.flat_map(|triple| {
        let bits = triple
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        (0..4).rev().map(move |place| digit(bits, place))
    });
    Ok(texts.collect())
}

/// The number that [`ordered`] digits begin with.
fn number_of(text: &str) -> Option<u64> {
    let digits = text.bytes().take(11);
    let bits = digits.map(|digit| ORDERED.iter().position(|known| *known == digit));
    let bits = bits.collect::<Option<Vec<_>>>()?;
    let number = bits
        .into_iter()
        .try_fold(0_u128, |sum, value| Some(sum << 6 | u128::try_from(value).ok()?))?;
    u64::try_from(number >> 2).ok()
}

impl VersionId {
    /// The id of the version that was put without versioning.
    #[must_use]
    pub fn null() -> Self {
        Self("null".to_owned())
    }

    /// Whether it is that one.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }

    /// The id of a version made at `moment`, which has to be later than that of the object's newest.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn made_at(moment: u64, entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        ordered(!moment, entropy).map(Self)
    }

    /// The moment that it was made at; `None` of `null`.
    #[must_use]
    pub fn moment(&self) -> Option<u64> {
        if self.is_null() {
            None
        } else {
            number_of(&self.0).map(|number| !number)
        }
    }
}

impl UploadId {
    /// The id of an upload that begins at `moment`.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn made_at(moment: u64, entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        ordered(moment, entropy).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Counting;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_are_called_what_s3_lets_them_be() {
        for name in ["abc", "a-b.c-9", "0-0", "my.bucket", &"a".repeat(63)] {
            assert_eq!(name.parse::<BucketName>().unwrap().as_str(), name);
        }
        let long = "a".repeat(64);
        for name in [
            "",
            "ab",
            &long,
            "Abc",
            "a_b",
            "-abc",
            "abc-",
            ".abc",
            "abc.",
            "a..b",
            "192.168.5.4",
            "xn--abc",
            "sthree-abc",
            "amzn-s3-demo-abc",
            "abc-s3alias",
            "abc--ol-s3",
            "abc.mrap",
            "abc--x-s3",
            "a/b",
            "a b",
            "a\0bc",
            "\u{430}bcd",
            "../..",
        ] {
            assert!(name.parse::<BucketName>().is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn versions_are_ordered_from_the_newest_and_uploads_from_the_oldest(one: u64, two: u64) {
            let versions = [one, two].map(|at| VersionId::made_at(at, &Counting).unwrap());
            prop_assert_eq!(versions[0].moment(), Some(one));
            prop_assert_eq!(versions[0].as_str().cmp(versions[1].as_str()), two.cmp(&one));
            let uploads = [one, two].map(|at| UploadId::made_at(at, &Counting).unwrap());
            prop_assert_eq!(uploads[0].as_str().cmp(uploads[1].as_str()), one.cmp(&two));
            prop_assert!(versions[0].as_str().parse::<VersionId>().is_ok());
            prop_assert!(uploads[0].as_str().parse::<UploadId>().is_ok());
        }
    }
}
