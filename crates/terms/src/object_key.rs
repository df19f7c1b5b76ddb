//! What objects are called, and their ARNs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Arn, ArnError, BucketName};

/// Text that is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ObjectKeyError {
    /// It is empty.
    #[error("an object's key is not empty")]
    Empty,
    /// It is longer than 1024 bytes.
    #[error("an object's key has at most 1024 bytes")]
    TooLong,
}

/// An object's name within its bucket: any 1 to 1024 bytes of UTF-8, which mean nothing: `..` is no way up, and nothing is
/// normalised. Keys are ordered as their bytes are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Most bytes of a key.
    pub const MAX: usize = 1024;

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectKey {
    type Err = ObjectKeyError;

    fn from_str(text: &str) -> Result<Self, ObjectKeyError> {
        match text.len() {
            0 => Err(ObjectKeyError::Empty),
            1..=Self::MAX => Ok(Self(text.to_owned())),
            _ => Err(ObjectKeyError::TooLong),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// With escapes: a key may hold what a terminal obeys.
impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_debug())
    }
}

impl Serialize for ObjectKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Arn {
    /// `arn:aws:s3:::BUCKET`.
    ///
    /// # Errors
    /// Never, in fact.
    pub fn of_bucket(bucket: &BucketName) -> Result<Self, ArnError> {
        Self::of("s3", "", "", bucket.as_str())
    }

    /// `arn:aws:s3:::BUCKET/KEY`, whatever the key holds.
    ///
    /// # Errors
    /// Never, in fact.
    pub fn of_object(bucket: &BucketName, key: &ObjectKey) -> Result<Self, ArnError> {
        Self::of("s3", "", "", &format!("{bucket}/{key}"))
    }

    /// The bucket that this is the ARN of, or of an object in it.
    #[must_use]
    pub fn bucket(&self) -> Option<BucketName> {
        self.in_s3().and_then(|(bucket, _)| bucket.parse().ok())
    }

    /// The bucket and key of the object that this is the ARN of.
    #[must_use]
    pub fn object(&self) -> Option<(BucketName, ObjectKey)> {
        let (bucket, key) = self.in_s3()?;
        Some((bucket.parse().ok()?, key?.parse().ok()?))
    }

    fn in_s3(&self) -> Option<(&str, Option<&str>)> {
        let own = self.service() == "s3" && self.region().is_empty() && self.account().is_empty();
        let resource = self.resource();
        own.then(|| match resource.split_once('/') {
            Some((bucket, key)) => (bucket, Some(key)),
            None => (resource, None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> Result<ObjectKey, ObjectKeyError> {
        text.parse()
    }

    #[test]
    fn a_key_is_any_text_of_1_to_1024_bytes() {
        for text in [
            "a",
            "../../etc/passwd",
            "/",
            "//",
            "a\0b",
            "\u{202e}gpj.exe",
            "a\r\nb",
            "?x=1#y",
        ] {
            assert_eq!(key(text).unwrap().as_str(), text);
        }
        assert!(key(&"\u{1f980}".repeat(256)).is_ok());
        assert_eq!(key(&"x".repeat(1025)), Err(ObjectKeyError::TooLong));
        assert_eq!(
            key(&format!("{}xx", "\u{1f980}".repeat(256))),
            Err(ObjectKeyError::TooLong)
        );
        assert_eq!(key(""), Err(ObjectKeyError::Empty));
        assert_eq!(format!("{:?}", key("a\n\u{1b}").unwrap()), "a\\n\\u{1b}");
    }

    #[test]
    fn what_is_no_object_of_a_bucket_has_none() {
        for text in [
            "arn:aws:s3:::bucket",
            "arn:aws:s3:::bucket/",
            "arn:aws:s3:eu:123456789012:bucket/key",
            "arn:aws:iam:::bucket/key",
            "arn:aws:s3:::B/key",
        ] {
            assert_eq!(text.parse::<Arn>().unwrap().object(), None, "{text}");
        }
        assert!("arn:aws:iam::123456789012:role/a b".parse::<Arn>().is_err());
        assert!("arn:aws:s3:::a b/key".parse::<Arn>().is_err());
        assert!("arn:aws:s3:::a b".parse::<Arn>().is_err());
        assert!(
            format!("arn:aws:s3:::bucket/\n{}", "x".repeat(1024))
                .parse::<Arn>()
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn an_objects_arn_is_read_as_it_was_written(text in "(?s).{1,200}") {
            let (bucket, key): (BucketName, ObjectKey) = ("my-bucket".parse().unwrap(), text.parse().unwrap());
            let arn = Arn::of_object(&bucket, &key).unwrap();
            prop_assert_eq!(&arn.as_str().parse::<Arn>().unwrap(), &arn);
            prop_assert_eq!(arn.bucket(), Some(bucket.clone()));
            prop_assert_eq!(arn.object(), Some((bucket, key)));
        }
    }
}
