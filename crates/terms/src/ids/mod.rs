//! Identifiers, each a type of its own, so that none can stand in for another.

use crate::{Entropy, EntropyUnavailable, hex};

/// Text that is not an identifier of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(&'static str);

fn uuid_v4(entropy: &dyn Entropy) -> Result<String, EntropyUnavailable> {
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let [a @ .., b0, b1, c0, c1, d0, d1, e0, e1, e2, e3, e4, e5] = bytes;
    Ok(format!(
        "{}-{}-{}-{}-{}",
        hex::encode(&a),
        hex::encode(&[b0, b1]),
        hex::encode(&[c0, c1]),
        hex::encode(&[d0, d1]),
        hex::encode(&[e0, e1, e2, e3, e4, e5])
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

        impl std::str::FromStr for $name {
            type Err = $crate::IdError;

            fn from_str(text: &str) -> Result<Self, $crate::IdError> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) { Ok(Self(text.to_owned())) } else { Err($crate::ids::IdError($rule)) }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

mod access_key;
mod kept;
mod names;
mod objects;

pub use access_key::AccessKeyId;
pub use kept::{ConversationId, ItemId, PromptId, ResponseId};
pub use names::{RoleName, SessionName, SourceIdentity, UserName};
pub use objects::{BucketName, UploadId, VersionId};

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// EC2's ids: a prefix and 8 or 17 hexadecimal digits.
fn is_numbered(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).map(str::as_bytes);
    digits.is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

id!(/// One request, from socket to receipt: a version 4 UUID.
    RequestId, "a request id is a lower-case UUID", is_uuid);
id!(/// A KmsKey: a version 4 UUID, as AWS writes single-region keys.
    KeyId, "a key id is a lower-case UUID", is_uuid);
id!(/// The one name of a model on every API, such as `smollm2-135m-instruct`.
    ModelId, "a model id has 1 to 140 letters, digits and .:_-",
    |t| (1..=140).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b".:_-".contains(&b)));
id!(/// A private endpoint: `vpce-` and 8 or 17 hexadecimal digits.
    EndpointId, "a private endpoint's id is vpce- and 8 or 17 hexadecimal digits", |t| is_numbered(t, "vpce-"));
id!(/// The private network that an endpoint belongs to: `vpc-` and 8 or 17 hexadecimal digits.
    VpcId, "a VPC's id is vpc- and 8 or 17 hexadecimal digits", |t| is_numbered(t, "vpc-"));

impl EndpointId {
    /// A new endpoint's id.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut bytes = [0_u8; 9];
        entropy.fill(&mut bytes)?;
        let mut digits = hex::encode(&bytes);
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes that are always the same.
    pub(super) struct Counting;

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

    #[test]
    fn what_could_leave_a_path_or_a_log_line_is_refused() {
        for text in ["", "a/b", "a b", "a\nb", "..%2f", "\u{0430}dmin"] {
            assert!(text.parse::<ModelId>().is_err(), "{text}");
            assert!(text.parse::<RoleName>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn accepted_text_prints_back(text in "\\PC{0,70}") {
            if let Ok(name) = text.parse::<SessionName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
