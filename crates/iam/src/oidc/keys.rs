//! A provider's public keys (JWK Set, RFC 7517), each bound to the one kind of signature it can have made.

use aws_lc_rs::signature::{RsaPublicKeyComponents, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::algorithm::{Algorithm, Curve, eddsa};
use super::error::TokenError;
use super::json::{Json, Members, text};

/// The most keys that are read of a set; a set with more is refused.
const MOST_KEYS: usize = 128;
/// Bytes of an RSA modulus: 2048 to 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;
/// Bytes of an RSA exponent: 65537 has three.
const EXPONENT: std::ops::RangeInclusive<usize> = 1..=4;

/// An issuer's keys.
#[derive(Debug)]
pub struct KeySet {
    issuer: String,
    keys: Vec<Key>,
}

/// Why a set of keys is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is not a set of keys.
    #[error("it is not a JSON Web Key Set")]
    Malformed,
    /// It has more keys than anybody needs.
    #[error("it has more than {MOST_KEYS} keys")]
    TooMany,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// What the set says the key is for; nothing else is then taken.
    algorithm: Option<Algorithm>,
    public: Public,
}

#[derive(Debug)]
enum Public {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// The uncompressed point.
    Ec {
        curve: Curve,
        point: Vec<u8>,
    },
    Ed25519([u8; 32]),
}

impl KeySet {
    /// Reads the set that `issuer` publishes. Keys of other kinds and for other uses are left out, as RFC 7517 has it.
    ///
    /// # Errors
    /// [`KeySetError`] if it is none.
    pub fn parse(issuer: &str, bytes: &[u8]) -> Result<Self, KeySetError> {
        let mut members = Json::object(bytes).ok_or(KeySetError::Malformed)?;
        let Some(Json::List(list)) = members.remove("keys") else {
            return Err(KeySetError::Malformed);
        };
        if list.len() > MOST_KEYS {
            return Err(KeySetError::TooMany);
        }
        let keys = list.iter().filter_map(|key| match key {
            Json::Object(members) => Key::read(members),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_) => None,
        });
        Ok(Self {
            issuer: issuer.to_owned(),
            keys: keys.collect(),
        })
    }

    /// Whose keys these are.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// How many of them can check a signature.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none of them can.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether one of the keys named `key_id` made `signature` of `signed`. A token that names no key is for the only
    /// one of its algorithm.
    pub(super) fn check(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
        (signed, signature): (&[u8], &[u8]),
    ) -> Result<(), TokenError> {
        let suits =
            |key: &&Key| key.takes(algorithm) && key_id.is_none_or(|id| key.id.as_deref() == Some(id));
        let mut candidates = self.keys.iter().filter(suits).peekable();
        if candidates.peek().is_none() {
            return Err(TokenError::NoKey);
        }
        if key_id.is_none() && candidates.clone().count() > 1 {
            return Err(TokenError::Malformed("it does not name its key"));
        }
        if candidates.any(|key| key.made(algorithm, signed, signature)) {
            Ok(())
        } else {
            Err(TokenError::Signature)
        }
    }
}

impl Key {
    /// A key that may have signed tokens; `None` for any other, and for one that is broken.
    fn read(members: &Members) -> Option<Self> {
        if text(members, "use").is_some_and(|used| used != "sig") {
            return None;
        }
        if let Some(operations) = members.get("key_ops") {
            let operations = operations.texts()?;
            if !operations.iter().any(|operation| operation == "verify") {
                return None;
            }
        }
        let algorithm = match members.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::named(name.text()?)?),
        };
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(members, name)?).ok();
        let public = match text(members, "kty")? {
            "RSA" => Public::rsa(bytes("n")?, bytes("e")?)?,
            "EC" => Public::ec(Curve::named(text(members, "crv")?)?, &bytes("x")?, &bytes("y")?)?,
            "OKP" if text(members, "crv") == Some("Ed25519") => Public::Ed25519(bytes("x")?.try_into().ok()?),
            _ => return None,
        };
        let key = Self {
            id: text(members, "kid").map(str::to_owned),
            algorithm,
            public,
        };
        algorithm
            .is_none_or(|algorithm| key.takes(algorithm))
            .then_some(key)
    }

    /// Whether the key is for signatures of this algorithm: by its own kind first, then by what its set says.
    fn takes(&self, algorithm: Algorithm) -> bool {
        let kind = match (&self.public, algorithm) {
            (Public::Rsa { .. }, Algorithm::Rsa(_)) | (Public::Ed25519(_), Algorithm::Ed25519) => true,
            (Public::Ec { curve, .. }, Algorithm::Ec(asked)) => *curve == asked,
            (Public::Rsa { .. } | Public::Ec { .. } | Public::Ed25519(_), _) => false,
        };
        kind && self.algorithm.is_none_or(|own| own == algorithm)
    }

    fn made(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        match (&self.public, algorithm) {
            (Public::Rsa { modulus, exponent }, Algorithm::Rsa(scheme)) => RsaPublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .verify(scheme.parameters(), signed, signature)
            .is_ok(),
            (Public::Ec { curve, point }, Algorithm::Ec(_)) => UnparsedPublicKey::new(curve.ecdsa(), point)
                .verify(signed, signature)
                .is_ok(),
            (Public::Ed25519(key), Algorithm::Ed25519) => UnparsedPublicKey::new(eddsa(), key)
                .verify(signed, signature)
                .is_ok(),
            (Public::Rsa { .. } | Public::Ec { .. } | Public::Ed25519(_), _) => false,
        }
    }
}

impl Public {
    fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Option<Self> {
        let odd = exponent.last().is_some_and(|last| last % 2 == 1);
        let not_one = exponent != [1];
        (MODULUS.contains(&modulus.len()) && EXPONENT.contains(&exponent.len()) && odd && not_one)
            .then_some(Self::Rsa { modulus, exponent })
    }

    fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Option<Self> {
        let length = curve.coordinate();
        (x.len() == length && y.len() == length).then(|| Self::Ec {
            curve,
            point: [&[4], x, y].concat(),
        })
    }
}
