//! An issuer that the tests play: keys of every kind, their set, and tokens that say what a test wants.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

pub(super) const ISSUER: &str = "https://login.example.com/realm";
pub(super) const NOW: u64 = 1_790_000_000;

pub(super) enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
}

pub(super) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub(super) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(super) fn ec(curve: &'static str) -> Self {
        let algorithm: &'static EcdsaSigningAlgorithm = match curve {
            "P-256" => &ECDSA_P256_SHA256_FIXED_SIGNING,
            "P-384" => &ECDSA_P384_SHA384_FIXED_SIGNING,
            _ => &ECDSA_P521_SHA512_FIXED_SIGNING,
        };
        Self::Ec(EcdsaKeyPair::generate(algorithm).unwrap(), curve)
    }

    pub(super) fn ed() -> Self {
        Self::Ed(Ed25519KeyPair::generate().unwrap())
    }

    /// Its public key as a JWK, with further members.
    pub(super) fn jwk(&self, more: &str) -> String {
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(",{more}")
        };
        match self {
            Self::Rsa(pair) => {
                // DER: SEQUENCE, INTEGER of 257 bytes (a zero first), INTEGER 65537.
                let der = pair.public_key().as_ref();
                assert_eq!((der.len(), &der[der.len() - 5..]), (270, &[2, 3, 1, 0, 1][..]));
                let (n, e) = (encoded(&der[9..265]), encoded([1, 0, 1]));
                format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"{more}}}"#)
            }
            Self::Ec(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let (x, y) = (encoded(x), encoded(y));
                format!(r#"{{"kty":"EC","crv":"{curve}","x":"{x}","y":"{y}"{more}}}"#)
            }
            Self::Ed(pair) => {
                let x = encoded(pair.public_key());
                format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"{more}}}"#)
            }
        }
    }

    /// A signature by the algorithm of this name.
    pub(super) fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token with this header and these claims.
    pub(super) fn token(&self, header: &str, claims: &str) -> String {
        let algorithm = header
            .split(r#""alg":""#)
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let signed = format!("{}.{}", encoded(header), encoded(claims));
        let signature = self.sign(algorithm.unwrap_or("RS256"), signed.as_bytes());
        format!("{signed}.{}", encoded(signature))
    }
}

pub(super) fn set(keys: &[String]) -> KeySet {
    KeySet::parse(ISSUER, format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).unwrap()
}

/// The claims of an ordinary token, with some replaced or added (`null` leaves one out).
pub(super) fn claims(changes: &[(&str, &str)]) -> String {
    let (issuer, now, end) = (format!("\"{ISSUER}\""), NOW.to_string(), (NOW + 300).to_string());
    let mut all: Vec<(&str, &str)> = vec![
        ("iss", &issuer),
        ("sub", "\"alice\""),
        ("aud", "\"moho-cli\""),
        ("iat", &now),
        ("exp", &end),
    ];
    for (name, value) in changes {
        all.retain(|(other, _)| other != name);
        if *value != "null" {
            all.push((name, value));
        }
    }
    let members: Vec<String> = all
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

pub(super) fn provider() -> Provider {
    Provider {
        arn: "arn:aws:iam::123456789012:oidc-provider/login.example.com/realm"
            .parse()
            .unwrap(),
        issuer: ISSUER.to_owned(),
        client_ids: vec!["moho-cli".to_owned(), "other".to_owned()],
    }
}

/// All the checks there are.
pub(super) fn verify(token: &str, keys: &KeySet) -> Result<VerifiedToken, TokenError> {
    let now = moho_terms::Timestamp::from_unix_seconds(NOW);
    IdToken::parse(token)?
        .check_signature(keys)?
        .for_provider(&provider(), now)
}
