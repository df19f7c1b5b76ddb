//! The materials of a key, wrapped by the root key: the current one, those before it, and one that may become it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moho_terms::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::{micros, micros_if_any, named};

/// Bytes of a material's id.
pub(crate) const MATERIAL_ID: usize = 32;

/// Names one material of one key, as AWS's `KeyMaterialId`: 64 hexadecimal digits. It tells nothing of the material.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaterialId([u8; MATERIAL_ID]);

/// Text that is no [`MaterialId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key material id has 64 lower-case hexadecimal digits")]
pub struct MaterialIdError;

impl MaterialId {
    pub(crate) const fn new(bytes: [u8; MATERIAL_ID]) -> Self {
        Self(bytes)
    }

    /// The 256 bits that the digits write down.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; MATERIAL_ID] {
        &self.0
    }
}

impl FromStr for MaterialId {
    type Err = MaterialIdError;

    fn from_str(text: &str) -> Result<Self, MaterialIdError> {
        if text.len() != 2 * MATERIAL_ID || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(MaterialIdError);
        }
        let mut bytes = [0; MATERIAL_ID];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(pair).map_err(|_not_text| MaterialIdError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_no_digits| MaterialIdError)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for MaterialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MaterialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Bytes sealed by a root key: its fingerprint, a nonce, ciphertext and tag.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Wrapped(pub(crate) Vec<u8>);

impl Serialize for Wrapped {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Wrapped {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD
            .decode(text)
            .map(Self)
            .map_err(|_no_base64| serde::de::Error::custom("not base64"))
    }
}

/// What a material is to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MaterialState {
    /// It encrypts, and decrypts what it has encrypted.
    Current,
    /// It only decrypts.
    NonCurrent,
    /// Imported, to become the current one by `RotateKeyOnDemand`. It does nothing until then.
    PendingRotation,
}

impl MaterialState {
    /// As AWS KMS writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "CURRENT",
            Self::NonCurrent => "NON_CURRENT",
            Self::PendingRotation => "PENDING_ROTATION",
        }
    }
}

/// What made a material the current one, if it was not the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RotationType {
    /// Its time had come.
    Automatic,
    /// Somebody asked for it.
    OnDemand,
}

impl RotationType {
    /// As AWS KMS writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "AUTOMATIC",
            Self::OnDemand => "ON_DEMAND",
        }
    }
}

/// The rotation that made a material the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    /// Why.
    pub kind: RotationType,
    /// When.
    #[serde(with = "micros")]
    pub at: Timestamp,
}

/// One material of a key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material {
    /// Its name.
    #[serde(with = "named")]
    pub id: MaterialId,
    /// What it is to its key.
    pub state: MaterialState,
    /// When it was made, or imported for the first time.
    #[serde(with = "micros")]
    pub created_at: Timestamp,
    /// The rotation that made it the current one. The first material has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated: Option<Rotated>,
    /// What whoever imported it says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When imported material ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "micros_if_any")]
    pub valid_to: Option<Timestamp>,
    /// The material; absent if it was imported and then deleted, or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wrapped: Option<Wrapped>,
    /// SHA-256 of imported material, sealed as well, which stays to recognise the material when it is imported again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<Wrapped>,
}

impl Material {
    /// Whether it is there at `now`: not deleted and not past its end.
    #[must_use]
    pub fn is_present(&self, now: Timestamp) -> bool {
        self.wrapped.is_some() && self.valid_to.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_material_id_is_64_lower_case_digits() {
        let text = "00ff10".to_owned() + &"a5".repeat(29);
        let id: MaterialId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        for wrong in [
            text.trim_start_matches('0'),
            &text.to_uppercase(),
            &(text.clone() + "0"),
            "",
            &"é".repeat(32),
        ] {
            assert_eq!(wrong.parse::<MaterialId>(), Err(MaterialIdError), "{wrong}");
        }
    }
}
