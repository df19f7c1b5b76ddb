//! The algorithms that sign identity tokens. Only asymmetric ones exist here: there is no way to say `none` or `HS256`.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    VerificationAlgorithm,
};

/// An algorithm of JWA (RFC 7518, RFC 8037), by the kind of key that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rsa(RsaScheme),
    Ec(Curve),
    Ed25519,
}

/// How an RSA key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RsaScheme {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
}

/// A curve; ECDSA's hash goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Algorithm {
    /// The algorithm of a name in `alg`, which is compared to the letter.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rsa(RsaScheme::Rs256),
            "RS384" => Self::Rsa(RsaScheme::Rs384),
            "RS512" => Self::Rsa(RsaScheme::Rs512),
            "PS256" => Self::Rsa(RsaScheme::Ps256),
            "PS384" => Self::Rsa(RsaScheme::Ps384),
            "PS512" => Self::Rsa(RsaScheme::Ps512),
            "ES256" => Self::Ec(Curve::P256),
            "ES384" => Self::Ec(Curve::P384),
            "ES512" => Self::Ec(Curve::P521),
            // RFC 9864 names the curve; RFC 8037's older name leaves it to the key.
            "EdDSA" | "Ed25519" => Self::Ed25519,
            _ => return None,
        })
    }
}

impl RsaScheme {
    pub(super) fn parameters(self) -> &'static RsaParameters {
        match self {
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &RSA_PSS_2048_8192_SHA512,
        }
    }
}

impl Curve {
    /// The curve of a name in `crv` (RFC 7518).
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "P-256" => Some(Self::P256),
            "P-384" => Some(Self::P384),
            "P-521" => Some(Self::P521),
            _ => None,
        }
    }

    /// The length of one coordinate in bytes.
    pub(super) fn coordinate(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    pub(super) fn ecdsa(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
            Self::P521 => &ECDSA_P521_SHA512_FIXED,
        }
    }
}

/// What checks Ed25519's signatures.
pub(super) fn eddsa() -> &'static dyn VerificationAlgorithm {
    &ED25519
}
