//! Amazon Resource Names: the one way to say who and what, in policies, journal and errors.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that is not an [`Arn`], an [`AccountId`] or a [`Region`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArnError(&'static str);

/// An account: twelve decimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // INVARIANT: only ASCII digits are ever stored.
        std::str::from_utf8(&self.0).unwrap_or("000000000000")
    }

    /// An account id from a random number: never starts with 0, so that no tool takes it for an octal number.
    #[must_use]
    pub fn from_random(random: u64) -> Self {
        let mut rest = random % 900_000_000_000 + 100_000_000_000;
        let mut digits = [b'0'; 12];
        for digit in digits.iter_mut().rev() {
            *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or(0));
            rest /= 10;
        }
        Self(digits)
    }
}

impl FromStr for AccountId {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let digits: [u8; 12] = text
            .as_bytes()
            .try_into()
            .map_err(|_wrong_length| ArnError("an account id has 12 digits"))?;
        if digits.iter().all(u8::is_ascii_digit) {
            Ok(Self(digits))
        } else {
            Err(ArnError("an account id has 12 digits"))
        }
    }
}

/// A region's name, such as `moho-local-1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

impl Region {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ArnError(
                "a region has 1 to 32 lower-case letters, digits and hyphens",
            ))
        }
    }
}

/// `arn:partition:service:region:account:resource`, at most 2048 bytes of visible ASCII; of an object in a bucket the key
/// is whatever text it is, in full, as policies name it so, and of a log stream its name is.
///
/// Copies share the text: a request has its resource in its decision, its permit and its journal entry.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    text: Arc<str>,
    /// Where service, region, account and resource begin.
    starts: [u16; 4],
}

impl Arn {
    /// An ARN of partition `aws` from its parts; `region` and `account` may be empty.
    ///
    /// # Errors
    /// [`ArnError`] if a part holds what an ARN cannot.
    pub fn of(service: &str, region: &str, account: &str, resource: &str) -> Result<Self, ArnError> {
        format!("arn:aws:{service}:{region}:{account}:{resource}").parse()
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The service, such as `iam`.
    #[must_use]
    pub fn service(&self) -> &str {
        self.part(0)
    }

    /// The region; empty for global resources.
    #[must_use]
    pub fn region(&self) -> &str {
        self.part(1)
    }

    /// The account; empty for resources that no account owns.
    #[must_use]
    pub fn account(&self) -> &str {
        self.part(2)
    }

    /// Everything after the fifth colon, such as `role/Admin`.
    #[must_use]
    pub fn resource(&self) -> &str {
        let [.., start] = self.starts;
        self.text.get(usize::from(start)..).unwrap_or("")
    }

    /// A part that another follows, up to the colon between them.
    fn part(&self, index: usize) -> &str {
        let place = |index: usize| self.starts.get(index).copied().map(usize::from);
        let end = place(index.saturating_add(1)).and_then(|next| next.checked_sub(1));
        place(index)
            .zip(end)
            .and_then(|(start, end)| self.text.get(start..end))
            .unwrap_or("")
    }

    /// A checked text, and where its parts begin.
    fn kept(text: &str) -> Self {
        let colons = text.bytes().zip(0_u16..).filter(|(byte, _)| *byte == b':');
        let mut after = colons.map(|(_, at)| at.saturating_add(1)).skip(1);
        Self {
            text: text.into(),
            starts: std::array::from_fn(|_| after.next().unwrap_or(u16::MAX)),
        }
    }
}

/// `arn:aws:logs:REGION:ACCOUNT:log-group:GROUP:log-stream:STREAM`, where a stream's name is any text without control
/// characters.
fn is_log_stream(text: &str) -> bool {
    let stream = text
        .strip_prefix("arn:aws:logs:")
        .and_then(|rest| rest.split_once(":log-stream:"));
    stream.is_some_and(|(group, stream)| {
        group.bytes().all(|b| b.is_ascii_graphic()) && !stream.chars().any(char::is_control)
    })
}

/// `arn:aws:s3:::BUCKET/KEY`, where a key is any text.
fn is_object(text: &str) -> bool {
    let object = text
        .strip_prefix("arn:aws:s3:::")
        .and_then(|object| object.split_once('/'));
    object.is_some_and(|(bucket, key)| {
        bucket.bytes().all(|b| b.is_ascii_graphic()) && key.len() <= crate::ObjectKey::MAX
    })
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let visible = text.bytes().all(|b| b.is_ascii_graphic());
        if text.len() > 2048 || !(visible || is_object(text) || is_log_stream(text)) {
            return Err(ArnError("an ARN has at most 2048 visible ASCII characters"));
        }
        let mut parts = text.splitn(6, ':');
        let (prefix, partition, service) = (parts.next(), parts.next(), parts.next());
        let (region, account, resource) = (parts.next(), parts.next(), parts.next());
        let named = |part: Option<&str>| part.is_some_and(|p| !p.is_empty());
        if prefix != Some("arn")
            || !named(partition)
            || !named(service)
            || region.is_none()
            || !named(resource)
        {
            return Err(ArnError(
                "an ARN reads arn:partition:service:region:account:resource",
            ));
        }
        match account {
            Some("" | "aws") => Ok(Self::kept(text)),
            Some(account) => account.parse::<AccountId>().map(|_| Self::kept(text)),
            None => Err(ArnError(
                "an ARN reads arn:partition:service:region:account:resource",
            )),
        }
    }
}

macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
as_text!(AccountId, Region, Arn);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_found() {
        let arn: Arn = "arn:aws:sts::123456789012:assumed-role/Admin/me:1"
            .parse()
            .unwrap();
        assert_eq!(
            (arn.service(), arn.region(), arn.account()),
            ("sts", "", "123456789012")
        );
        assert_eq!(arn.resource(), "assumed-role/Admin/me:1");
    }

    #[test]
    fn malformed_names_are_refused() {
        for text in [
            "",
            "arn",
            "arn:aws:iam::123:role/x",
            "arn:aws:iam::12345678901a:role/x",
            "arn:aws:iam::123456789012:",
            "arn:aws:iam::123456789012:r\u{00e9}",
            "urn:aws:iam::123456789012:x",
        ] {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn random_accounts_have_twelve_digits_and_no_leading_zero(random: u64) {
            let account = AccountId::from_random(random);
            prop_assert_eq!(account.as_str().parse::<AccountId>(), Ok(account));
            prop_assert!(!account.as_str().starts_with('0'));
        }

        #[test]
        fn reading_and_printing_agree(text in "arn:aws:[a-z]{1,5}:[a-z0-9-]{0,9}:([0-9]{12})?:[!-~]{1,20}") {
            let arn: Arn = text.parse().unwrap();
            prop_assert_eq!(&arn.to_string(), &text);
            let parts: Vec<&str> = text.splitn(6, ':').skip(2).collect();
            prop_assert_eq!([arn.service(), arn.region(), arn.account(), arn.resource()].to_vec(), parts);
        }
    }
}
