//! Identifiers, each a type of its own, so that none can stand in for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{AccountId, Entropy, EntropyUnavailable};

/// Text that is not an identifier of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(&'static str);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn uuid_v4(entropy: &dyn Entropy) -> Result<String, EntropyUnavailable> {
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let [a @ .., b0, b1, c0, c1, d0, d1, e0, e1, e2, e3, e4, e5] = bytes;
    Ok(format!(
        "{}-{}-{}-{}-{}",
        hex(&a),
        hex(&[b0, b1]),
        hex(&[c0, c1]),
        hex(&[d0, d1]),
        hex(&[e0, e1, e2, e3, e4, e5])
    ))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $rule:literal, $fits:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) { Ok(Self(text.to_owned())) } else { Err(IdError($rule)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// IAM's name characters: letters, digits and `_+=,.@-`.
fn is_name(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

/// EC2's ids: a prefix and 8 or 17 hexadecimal digits.
fn is_numbered(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).map(str::as_bytes);
    digits.is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// A prefix and 192 random bits, as lower-case hexadecimal digits.
fn is_drawn(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).map(str::as_bytes);
    digits.is_some_and(|digits| {
        digits.len() == 48 && digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

id!(/// One request, from socket to receipt: a version 4 UUID.
    RequestId, "a request id is a lower-case UUID", is_uuid);
id!(/// A KmsKey: a version 4 UUID, as AWS writes single-region keys.
    KeyId, "a key id is a lower-case UUID", is_uuid);
id!(/// A stored response: `resp_` and 48 hexadecimal digits.
    ResponseId, "a response id is resp_ and 48 hexadecimal digits",
    |t| is_drawn(t, "resp_"));
id!(/// A conversation: `conv_` and 48 hexadecimal digits.
    ConversationId, "a conversation id is conv_ and 48 hexadecimal digits", |t| is_drawn(t, "conv_"));
id!(/// An item of a conversation: `msg_` and 48 hexadecimal digits, or 56 if it came with a response.
    ItemId, "an item id is msg_ and 48 or 56 hexadecimal digits",
    |t| is_drawn(t.get(..52).unwrap_or(t), "msg_") && matches!(t.len(), 52 | 60)
        && t.bytes().skip(52).all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
id!(/// A prompt that is kept: 10 letters and digits.
    PromptId, "a prompt id is 10 letters and digits",
    |t| t.len() == 10 && t.bytes().all(|b| b.is_ascii_alphanumeric()));
id!(/// The one name of a model on every API, such as `smollm2-135m-instruct`.
    ModelId, "a model id has 1 to 140 letters, digits and .:_-",
    |t| (1..=140).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b".:_-".contains(&b)));
id!(/// The public half of credentials: `ASIA…` if they end, `AKIA…` if they do not, 16 upper-case letters and digits after
    /// that; anything else only in what a developer's own machine was told to take.
    AccessKeyId, "an access key id has 3 to 128 letters, digits and _",
    |t| (3..=128).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
id!(/// A role's name within its account.
    RoleName, "a role name has 1 to 64 letters, digits and _+=,.@-", |t| is_name(t, 1..=64));
id!(/// An IAM user's name within its account.
    UserName, "a user name has 1 to 64 letters, digits and _+=,.@-", |t| is_name(t, 1..=64));
id!(/// The name a caller gives its session of a role.
    SessionName, "a session name has 2 to 64 letters, digits and _+=,.@-", |t| is_name(t, 2..=64));
id!(/// Who stands behind a session, kept through every role that is taken on from it.
    SourceIdentity, "a source identity has 2 to 64 letters, digits and _+=,.@-", |t| is_name(t, 2..=64));

id!(/// A private endpoint: `vpce-` and 8 or 17 hexadecimal digits.
    EndpointId, "a private endpoint's id is vpce- and 8 or 17 hexadecimal digits", |t| is_numbered(t, "vpce-"));
id!(/// The private network that an endpoint belongs to: `vpc-` and 8 or 17 hexadecimal digits.
    VpcId, "a VPC's id is vpc- and 8 or 17 hexadecimal digits", |t| is_numbered(t, "vpc-"));

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

impl EndpointId {
    /// A new endpoint's id.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut bytes = [0_u8; 9];
        entropy.fill(&mut bytes)?;
        let mut digits = hex(&bytes);
        digits.truncate(17);
        Ok(Self(format!("vpce-{digits}")))
    }
}

impl RequestId {
    /// A new request id.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        uuid_v4(entropy).map(Self)
    }
}

impl KeyId {
    /// A new key id.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        uuid_v4(entropy).map(Self)
    }
}

impl ResponseId {
    /// A new response id, of 192 random bits.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut bytes = [0_u8; 24];
        entropy.fill(&mut bytes)?;
        Ok(Self(format!("resp_{}", hex(&bytes))))
    }
}

impl ConversationId {
    /// A new conversation's id, of 192 random bits.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut bytes = [0_u8; 24];
        entropy.fill(&mut bytes)?;
        Ok(Self(format!("conv_{}", hex(&bytes))))
    }
}

impl ItemId {
    /// A new message's id, of 192 random bits.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut bytes = [0_u8; 24];
        entropy.fill(&mut bytes)?;
        Ok(Self(format!("msg_{}", hex(&bytes))))
    }
}

impl PromptId {
    /// A new prompt's id, of 50 random bits.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut bytes = [0_u8; 10];
        entropy.fill(&mut bytes)?;
        let letters = bytes
            .iter()
            .filter_map(|byte| LETTERS.get(usize::from(byte & 31)));
        Ok(Self(letters.map(|letter| char::from(*letter)).collect()))
    }
}

impl AccessKeyId {
    /// The id of credentials that end.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn temporary(account: AccountId, entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        Self::made("ASIA", account, entropy)
    }

    /// The id of credentials that do not end.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn long_lived(account: AccountId, entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        Self::made("AKIA", account, entropy)
    }

    /// Whose it is: as in AWS's own ids, the account stands in the first 48 of its 80 bits, between a one and seven
    /// random ones. `None` if it was not made so; that it was proves nothing.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        let letters = self
            .0
            .strip_prefix("ASIA")
            .or_else(|| self.0.strip_prefix("AKIA"))?;
        if letters.len() != 16 {
            return None;
        }
        let bits = letters.bytes().try_fold(0_u128, |bits, letter| {
            let value = BASE32.iter().position(|known| *known == letter)?;
            Some(bits << 5 | u128::try_from(value).ok()?)
        })?;
        let account = u64::try_from(bits >> 39 & ACCOUNT_BITS).ok()?;
        let marked = bits >> 79 == 1;
        marked.then(|| format!("{account:012}").parse().ok()).flatten()
    }

    fn made(prefix: &str, account: AccountId, entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut random = [0_u8; 16];
        entropy.fill(&mut random)?;
        let number: u128 = account.as_str().parse().unwrap_or(0);
        let random = u128::from_be_bytes(random) & ((1 << 39) - 1);
        let bits = 1 << 79 | (number & ACCOUNT_BITS) << 39 | random;
        let letters = (0..16_u32).rev().filter_map(|place| {
            let value = usize::try_from(bits >> (place * 5) & 31).ok()?;
            BASE32.get(value).map(|letter| char::from(*letter))
        });
        Ok(Self(prefix.chars().chain(letters).collect()))
    }
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ACCOUNT_BITS: u128 = (1 << 40) - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Counting;
    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
            for (value, byte) in (0_u8..).zip(bytes) {
                *byte = value.wrapping_mul(37);
            }
            Ok(())
        }
    }

    #[test]
    fn endpoints_and_networks_are_numbered_as_ec2_does() {
        for id in ["vpce-0a1b2c3d", "vpce-0a1b2c3d4e5f60718"] {
            assert!(id.parse::<EndpointId>().is_ok(), "{id}");
            assert!(id.replace("vpce", "vpc").parse::<VpcId>().is_ok(), "{id}");
        }
        for id in [
            "vpce-",
            "vpce-0a1b2c3",
            "vpce-0A1B2C3D",
            "vpce-0a1b2c3d4",
            "vpc-0a1b2c3d\n",
            "vpc-xa1b2c3d",
            "",
        ] {
            assert!(
                id.parse::<EndpointId>().is_err() && id.parse::<VpcId>().is_err(),
                "{id}"
            );
        }
        assert_eq!(EndpointId::random(&Counting).unwrap().as_str().len(), 22);
    }

    #[test]
    fn made_identifiers_are_valid() {
        assert!(
            RequestId::random(&Counting)
                .unwrap()
                .as_str()
                .parse::<RequestId>()
                .is_ok()
        );
        assert!(
            ResponseId::random(&Counting)
                .unwrap()
                .as_str()
                .parse::<ResponseId>()
                .is_ok()
        );
        for id in [
            ConversationId::random(&Counting).unwrap().to_string(),
            ItemId::random(&Counting).unwrap().to_string(),
            PromptId::random(&Counting).unwrap().to_string(),
        ] {
            let valid = [
                id.parse::<ConversationId>().is_ok(),
                id.parse::<ItemId>().is_ok(),
                id.parse::<PromptId>().is_ok(),
            ];
            assert_eq!(valid.iter().filter(|valid| **valid).count(), 1, "{id}");
        }
        assert!(
            AccessKeyId::temporary("123456789012".parse().unwrap(), &Counting)
                .unwrap()
                .as_str()
                .parse::<AccessKeyId>()
                .is_ok()
        );
        assert_eq!(
            RequestId::random(&Counting).unwrap().as_str().as_bytes()[14],
            b'4'
        );
    }

    /// The numbers are those that AWS's scheme, as it is widely known, gives for a published example id.
    #[test]
    fn an_access_key_id_says_whose_it_is() {
        let published: AccessKeyId = "ASIAQNZGKIQY56JQ7WML".parse().unwrap();
        assert_eq!(published.account().unwrap().as_str(), "029608264753");
        for other in [
            "AKIAIOSFODNN7EXAMPLE",
            "test",
            "AKIA0000000000000000",
            "ASIA",
            "AROAQNZGKIQY56JQ7WML",
        ] {
            assert_eq!(other.parse::<AccessKeyId>().unwrap().account(), None, "{other}");
        }
    }

    #[test]
    fn what_could_leave_a_path_or_a_log_line_is_refused() {
        for text in ["", "a/b", "a b", "a\nb", "..%2f", "\u{0430}dmin"] {
            assert!(text.parse::<ModelId>().is_err(), "{text}");
            assert!(text.parse::<RoleName>().is_err(), "{text}");
        }
    }

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

        #[test]
        fn an_access_key_id_keeps_its_account(digits in "[0-9]{12}") {
            let account: AccountId = digits.parse().unwrap();
            let temporary = AccessKeyId::temporary(account, &Counting).unwrap();
            prop_assert_eq!(temporary.account(), Some(account));
            prop_assert!(temporary.as_str().starts_with("ASIA") && temporary.as_str().len() == 20);
            let long_lived = AccessKeyId::long_lived(account, &Counting).unwrap();
            prop_assert_eq!(long_lived.account(), Some(account));
            prop_assert!(long_lived.as_str().starts_with("AKIA"));
        }

        #[test]
        fn accepted_text_prints_back(text in "\\PC{0,70}") {
            if let Ok(name) = text.parse::<SessionName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
