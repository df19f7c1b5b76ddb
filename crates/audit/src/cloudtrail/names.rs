//! What trails may be called, how they are named from afar, and where in a bucket they may write.
//!
//! The texts are those that the API gives, as far as they are known; the others say so.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use moho_terms::{AccountId, Arn, Region};

/// A trail's name: 3 to 128 ASCII letters, digits, `.`, `_` and `-`, a letter or digit at both ends, no two of the signs side
/// by side, not in the form of an IP address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrailName(String);

/// A trail's name is none: the message of `InvalidTrailNameException`. In this order, as AWS finds them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum TrailNameError {
    #[error("Trail name cannot be blank!")]
    Blank,
    #[error(
        "Trail name too short. Minimum allowed length: 3 characters. Specified name length: {0} characters."
    )]
    TooShort(usize),
    #[error(
        "Trail name too long. Maximum allowed length: 128 characters. Specified name length: {0} characters."
    )]
    TooLong(usize),
    #[error("Trail name must starts with a letter or number.")]
    Start,
    #[error("Trail name must ends with a letter or number.")]
    End,
    #[error(
        "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), and \
         underscores (_)."
    )]
    Characters,
    #[error("Trail name or ARN cannot have adjacent periods (.), hyphens (-), or underscores (_).")]
    Adjacent,
    #[error("Trail names must not be formatted as an IP address.")]
    IpAddress,
}

impl TrailName {
    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrailName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TrailName {
    type Err = TrailNameError;

    fn from_str(text: &str) -> Result<Self, TrailNameError> {
        let length = text.chars().count();
        let sign = |b: u8| matches!(b, b'.' | b'_' | b'-');
        let plain = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        match length {
            0 => return Err(TrailNameError::Blank),
            1..=2 => return Err(TrailNameError::TooShort(length)),
            3..=128 => {}
            _ => return Err(TrailNameError::TooLong(length)),
        }
        if !plain(text.bytes().next()) {
            return Err(TrailNameError::Start);
        }
        if !plain(text.bytes().next_back()) {
            return Err(TrailNameError::End);
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || sign(b)) {
            return Err(TrailNameError::Characters);
        }
        if text
            .as_bytes()
            .windows(2)
            .any(|pair| pair.iter().all(|b| sign(*b)))
        {
            return Err(TrailNameError::Adjacent);
        }
        // The form counts, not whether there is such an address: four groups of up to three digits.
        let digits = |group: &str| matches!(group.len(), 1..=3) && group.bytes().all(|b| b.is_ascii_digit());
        let groups = text.split('.').count();
        if text.parse::<Ipv4Addr>().is_ok() || (groups == 4 && text.split('.').all(digits)) {
            return Err(TrailNameError::IpAddress);
        }
        Ok(Self(text.to_owned()))
    }
}

/// A trail by its whole name: `arn:aws:cloudtrail:us-east-2:123456789012:trail/MyTrail`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TrailArn {
    /// Where it was made, and is changed.
    pub home_region: Region,
    /// Whose it is.
    pub account: AccountId,
    /// Its name there.
    pub name: TrailName,
}

/// What should name a trail does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrailRefError {
    /// `CloudTrailARNInvalidException`: it begins as an ARN does, and is no trail's. The text is our own, after the format in
    /// the exception's documentation.
    #[error("`{0}` is not a trail ARN: the format is arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME.")]
    Arn(String),
    /// `InvalidTrailNameException`.
    #[error(transparent)]
    Name(#[from] TrailNameError),
}

impl FromStr for TrailArn {
    type Err = TrailRefError;

    fn from_str(text: &str) -> Result<Self, TrailRefError> {
        // An ARN in the message is cut, as anything may be sent as one.
        let no = || TrailRefError::Arn(text.chars().take(256).collect());
        let arn: Arn = text.parse().map_err(|_no_arn| no())?;
        let name = arn.resource().strip_prefix("trail/").ok_or_else(no)?;
        if arn.service() != "cloudtrail" || !text.starts_with("arn:aws:") {
            return Err(no());
        }
        Ok(Self {
            home_region: arn.region().parse().map_err(|_no_region| no())?,
            account: arn.account().parse().map_err(|_no_account| no())?,
            name: name.parse()?,
        })
    }
}

impl fmt::Display for TrailArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            home_region,
            account,
            name,
        } = self;
        write!(f, "arn:aws:cloudtrail:{home_region}:{account}:trail/{name}")
    }
}

/// What the API takes where a trail is named: its name, in the region that is asked, or its ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrailRef {
    /// By its name.
    Name(TrailName),
    /// By its ARN.
    Arn(TrailArn),
}

impl FromStr for TrailRef {
    type Err = TrailRefError;

    fn from_str(text: &str) -> Result<Self, TrailRefError> {
        if text.starts_with("arn:") {
            text.parse().map(Self::Arn)
        } else {
            Ok(Self::Name(text.parse()?))
        }
    }
}

/// What stands before `AWSLogs/` in a trail's keys.
///
/// AWS documents 200 characters at most, and no more. Chosen: printable ASCII, and no slash at either end, as the slash behind
/// it is the layout's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPrefix(String);

/// A prefix is none: the message of `InvalidS3PrefixException`, in our own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum KeyPrefixError {
    #[error(
        "S3 prefix too long. Maximum allowed length: 200 characters. Specified prefix length: {0} characters."
    )]
    TooLong(usize),
    #[error("S3 prefix must be empty or consist of printable ASCII characters.")]
    Characters,
    #[error("S3 prefix must not start or end with a forward slash (/).")]
    Slash,
}

impl KeyPrefix {
    const MAX: usize = 200;

    /// The prefix; `None` for an empty one, which means that there is none.
    ///
    /// # Errors
    /// [`KeyPrefixError`].
    pub fn parse(text: &str) -> Result<Option<Self>, KeyPrefixError> {
        let length = text.chars().count();
        if length > Self::MAX {
            return Err(KeyPrefixError::TooLong(length));
        }
        if !text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            return Err(KeyPrefixError::Characters);
        }
        if text.starts_with('/') || text.ends_with('/') {
            return Err(KeyPrefixError::Slash);
        }
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An organisation: `o-` and 10 to 32 lower-case letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrganizationId(String);

/// What should be an organisation's id is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an organisation's id is o- and 10 to 32 lower-case letters and digits")]
pub struct OrganizationIdError;

impl FromStr for OrganizationId {
    type Err = OrganizationIdError;

    fn from_str(text: &str) -> Result<Self, OrganizationIdError> {
        let rest = text.strip_prefix("o-").ok_or(OrganizationIdError)?;
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if (10..=32).contains(&rest.len()) && rest.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(OrganizationIdError)
        }
    }
}

impl fmt::Display for OrganizationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_refused_in_the_words_of_the_api() {
        let long = "a".repeat(129);
        for (text, message) in [
            ("", "Trail name cannot be blank!"),
            (
                "a",
                "Trail name too short. Minimum allowed length: 3 characters. Specified name length: 1 characters.",
            ),
            (
                &long,
                "Trail name too long. Maximum allowed length: 128 characters. Specified name length: 129 characters.",
            ),
            ("trail!", "Trail name must ends with a letter or number."),
            (
                "my#trail",
                "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), and underscores (_).",
            ),
            ("-trail", "Trail name must starts with a letter or number."),
            (
                "my-_namespace",
                "Trail name or ARN cannot have adjacent periods (.), hyphens (-), or underscores (_).",
            ),
            (
                "192.168.5.4",
                "Trail names must not be formatted as an IP address.",
            ),
            (
                "999.168.5.4",
                "Trail names must not be formatted as an IP address.",
            ),
        ] {
            assert_eq!(
                text.parse::<TrailName>().unwrap_err().to_string(),
                message,
                "{text}"
            );
        }
        for text in [
            "abc",
            "1.2.3",
            "1.2.3.4.5",
            "a.b-c_d",
            "My-Trail",
            &"a".repeat(128),
        ] {
            assert_eq!(text.parse::<TrailName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_trail_is_named_by_name_or_arn() {
        let arn: TrailRef = "arn:aws:cloudtrail:us-east-2:123456789012:trail/My-Trail"
            .parse()
            .unwrap();
        let TrailRef::Arn(arn) = arn else {
            panic!("{arn:?}")
        };
        assert_eq!(arn.home_region.as_str(), "us-east-2");
        assert_eq!(
            arn.to_string(),
            "arn:aws:cloudtrail:us-east-2:123456789012:trail/My-Trail"
        );
        assert!(matches!("My-Trail".parse(), Ok(TrailRef::Name(_))));
        for text in [
            "arn:aws:cloudtrail:us-east-2:123456789012:eventdatastore/My-Trail",
            "arn:aws:s3:us-east-2:123456789012:trail/My-Trail",
            "arn:aws-cn:cloudtrail:us-east-2:123456789012:trail/My-Trail",
            "arn:aws:cloudtrail::123456789012:trail/My-Trail",
            "arn:aws:cloudtrail:us-east-2::trail/My-Trail",
            "arn:aws:cloudtrail",
        ] {
            assert!(
                matches!(text.parse::<TrailRef>(), Err(TrailRefError::Arn(_))),
                "{text}"
            );
        }
        let bad = "arn:aws:cloudtrail:us-east-2:123456789012:trail/a";
        assert_eq!(
            bad.parse::<TrailRef>(),
            Err(TrailRefError::Name(TrailNameError::TooShort(1)))
        );
    }

    #[test]
    fn prefixes_are_short_and_stand_between_slashes() {
        assert_eq!(KeyPrefix::parse(""), Ok(None));
        assert_eq!(KeyPrefix::parse("a/b").unwrap().unwrap().as_str(), "a/b");
        assert!(KeyPrefix::parse(&"a".repeat(200)).is_ok());
        assert_eq!(
            KeyPrefix::parse(&"a".repeat(201)),
            Err(KeyPrefixError::TooLong(201))
        );
        assert_eq!(KeyPrefix::parse("a\nb"), Err(KeyPrefixError::Characters));
        for text in ["/", "/a", "a/"] {
            assert_eq!(KeyPrefix::parse(text), Err(KeyPrefixError::Slash), "{text}");
        }
    }

    #[test]
    fn organisations_have_their_own_form() {
        assert!("o-abcdefghij".parse::<OrganizationId>().is_ok());
        for text in [
            "o-abc",
            "abcdefghijkl",
            "o-ABCDEFGHIJ",
            "o-abcdefghi/",
            &format!("o-{}", "a".repeat(33)),
        ] {
            assert_eq!(text.parse::<OrganizationId>(), Err(OrganizationIdError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_name_that_prints_as_it_was_or_none(text in "\\PC{0,140}") {
            if let Ok(name) = text.parse::<TrailName>() {
                prop_assert_eq!(name.as_str(), &text);
                let arn = format!("arn:aws:cloudtrail:eu-central-1:123456789012:trail/{text}");
                prop_assert_eq!(arn.parse::<TrailArn>().unwrap().to_string(), arn);
            }
            let _either = text.parse::<TrailRef>();
            let _either = format!("arn:{text}").parse::<TrailRef>();
            let _either = KeyPrefix::parse(&text);
        }
    }
}
