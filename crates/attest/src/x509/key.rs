//! Public keys and signatures of certificates: the algorithms that evidence is signed with, and no weaker one.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};

use super::der::{Der, DerError, NULL, OBJECT, SEQUENCE};

const EC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// `pkcs-1`, before the number of the one algorithm.
const PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// `ecdsa-with-SHA2`, before the number of the one algorithm.
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
/// NIST's hash algorithms, before the number of the one.
const HASHES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
/// The fewest bits of an RSA key that is taken.
const LEAST_RSA: usize = 2048;

/// A key or signature of an algorithm that is not taken, or a signature that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum KeyError {
    #[error(transparent)]
    Der(#[from] DerError),
    #[error("its key is neither ECDSA on P-256 or P-384 nor RSA")]
    Kind,
    #[error("its key is RSA of fewer than {LEAST_RSA} bits")]
    Weak,
    #[error(
        "it is signed by an algorithm that is not taken: only ECDSA and RSA with SHA-256, SHA-384 or SHA-512 are"
    )]
    Algorithm,
    #[error("it is signed by an algorithm that is not one of its issuer's key")]
    Mismatch,
    #[error("the signature does not hold under the key")]
    Signature,
}

/// A hash function of SHA-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn of_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Sha256),
            2 => Some(Self::Sha384),
            3 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Bytes of a digest.
    fn length(self) -> u8 {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// How something was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureAlgorithm {
    Ecdsa(Hash),
    RsaPkcs1(Hash),
    /// With MGF1 over the same hash and a salt of the hash's length.
    RsaPss(Hash),
}

impl SignatureAlgorithm {
    /// Reads an `AlgorithmIdentifier` (RFC 5280, 4.1.1.2; parameters by RFC 4055 and RFC 5758).
    pub(crate) fn read(identifier: &[u8]) -> Result<Self, KeyError> {
        let mut outer = Der::new(identifier);
        let mut inner = Der::new(outer.expect(SEQUENCE, "an algorithm")?);
        outer.end()?;
        let (number, family) = inner
            .expect(OBJECT, "an algorithm's name")?
            .split_last()
            .ok_or(KeyError::Algorithm)?;
        let read = match (family, number) {
            (ECDSA, 2) => Self::Ecdsa(Hash::Sha256),
            (ECDSA, 3) => Self::Ecdsa(Hash::Sha384),
            (ECDSA, 4) => Self::Ecdsa(Hash::Sha512),
            (PKCS1, 11..=13) => {
                let hash = Hash::of_number(number.saturating_sub(10)).ok_or(KeyError::Algorithm)?;
                if !inner.expect(NULL, "no parameters")?.is_empty() {
                    return Err(KeyError::Algorithm);
                }
                Self::RsaPkcs1(hash)
            }
            (PKCS1, 10) => Self::RsaPss(pss_hash(inner.expect(SEQUENCE, "PSS parameters")?)?),
            _ => return Err(KeyError::Algorithm),
        };
        inner.end()?;
        Ok(read)
    }
}

/// RSASSA-PSS-params (RFC 4055, 3.1): hash, mask and salt must agree, and the defaults (SHA-1) are none that is taken.
fn pss_hash(parameters: &[u8]) -> Result<Hash, KeyError> {
    let mut parameters = Der::new(parameters);
    let hash = hash_name(parameters.expect(0xa0, "PSS's hash")?)?;
    let mut mask = Der::new(parameters.expect(0xa1, "PSS's mask")?);
    let mut generator = Der::new(mask.expect(SEQUENCE, "a mask")?);
    mask.end()?;
    if generator.expect(OBJECT, "a mask's name")? != MGF1 {
        return Err(KeyError::Algorithm);
    }
    let of_mask = generator.whole(SEQUENCE, "a mask's hash")?;
    generator.end()?;
    let mut salt = Der::new(parameters.expect(0xa2, "PSS's salt")?);
    let length = salt.small()?;
    salt.end()?;
    if parameters.peek() == Some(0xa3) {
        // The trailer field's only value, which DER would leave out and AMD's certificates write.
        let mut trailer = Der::new(parameters.expect(0xa3, "PSS's trailer")?);
        if trailer.small()? != 1 {
            return Err(KeyError::Algorithm);
        }
        trailer.end()?;
    }
    parameters.end()?;
    if hash_name(of_mask)? != hash || length != hash.length() {
        return Err(KeyError::Algorithm);
    }
    Ok(hash)
}

fn hash_name(identifier: &[u8]) -> Result<Hash, KeyError> {
    let mut outer = Der::new(identifier);
    let mut inner = Der::new(outer.expect(SEQUENCE, "a hash")?);
    outer.end()?;
    let (number, family) = inner
        .expect(OBJECT, "a hash's name")?
        .split_last()
        .ok_or(KeyError::Algorithm)?;
    // Parameters are null or left out: both are to be taken (RFC 4055, 2.1).
    inner.optional(NULL)?;
    inner.end()?;
    if family != HASHES {
        return Err(KeyError::Algorithm);
    }
    Hash::of_number(*number).ok_or(KeyError::Algorithm)
}

/// A public key of a certificate (`SubjectPublicKeyInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublicKey<'a> {
    /// An uncompressed point, 65 bytes.
    P256(&'a [u8]),
    /// An uncompressed point, 97 bytes.
    P384(&'a [u8]),
    /// PKCS#1's `RSAPublicKey` in DER, of 2048 bits or more.
    Rsa(&'a [u8]),
}

impl<'a> PublicKey<'a> {
    /// Reads a `SubjectPublicKeyInfo`, whole.
    pub(crate) fn read(spki: &'a [u8]) -> Result<Self, KeyError> {
        let mut outer = Der::new(spki);
        let mut inner = Der::new(outer.expect(SEQUENCE, "a public key")?);
        outer.end()?;
        let mut algorithm = Der::new(inner.expect(SEQUENCE, "a key's algorithm")?);
        let kind = algorithm.expect(OBJECT, "a key's algorithm")?;
        let key = match (kind, algorithm.any()?) {
            (EC_KEY, (OBJECT, curve)) => Self::point(curve, inner.whole_bits("a point")?)?,
            ([family @ .., 1], (NULL, [])) if family == PKCS1 => Self::rsa(inner.whole_bits("an RSA key")?)?,
            _ => return Err(KeyError::Kind),
        };
        algorithm.end()?;
        inner.end()?;
        Ok(key)
    }

    fn point(curve: &[u8], point: &'a [u8]) -> Result<Self, KeyError> {
        match (curve, point.len(), point.first()) {
            (P256, 65, Some(4)) => Ok(Self::P256(point)),
            (P384, 97, Some(4)) => Ok(Self::P384(point)),
            _ => Err(KeyError::Kind),
        }
    }

    fn rsa(key: &'a [u8]) -> Result<Self, KeyError> {
        let mut outer = Der::new(key);
        let mut numbers = Der::new(outer.expect(SEQUENCE, "an RSA key")?);
        outer.end()?;
        let modulus = numbers.unsigned()?;
        numbers.unsigned()?;
        numbers.end()?;
        let unused = modulus.first().map_or(0, |first| first.leading_zeros());
        let bits = modulus.len().saturating_mul(8).saturating_sub(unused as usize);
        if bits < LEAST_RSA {
            return Err(KeyError::Weak);
        }
        Ok(Self::Rsa(key))
    }

    /// That `signature` over `message` was made with this key, by this algorithm.
    pub(crate) fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        use SignatureAlgorithm as By;
        let (how, key): (&'static dyn VerificationAlgorithm, &[u8]) = match (self, algorithm) {
            (Self::P256(key), By::Ecdsa(Hash::Sha256)) => (&ECDSA_P256_SHA256_ASN1, key),
            (Self::P256(key), By::Ecdsa(Hash::Sha384)) => (&ECDSA_P256_SHA384_ASN1, key),
            (Self::P384(key), By::Ecdsa(Hash::Sha256)) => (&ECDSA_P384_SHA256_ASN1, key),
            (Self::P384(key), By::Ecdsa(Hash::Sha384)) => (&ECDSA_P384_SHA384_ASN1, key),
            (Self::Rsa(key), By::RsaPkcs1(Hash::Sha256)) => (&RSA_PKCS1_2048_8192_SHA256, key),
            (Self::Rsa(key), By::RsaPkcs1(Hash::Sha384)) => (&RSA_PKCS1_2048_8192_SHA384, key),
            (Self::Rsa(key), By::RsaPkcs1(Hash::Sha512)) => (&RSA_PKCS1_2048_8192_SHA512, key),
            (Self::Rsa(key), By::RsaPss(Hash::Sha256)) => (&RSA_PSS_2048_8192_SHA256, key),
            (Self::Rsa(key), By::RsaPss(Hash::Sha384)) => (&RSA_PSS_2048_8192_SHA384, key),
            (Self::Rsa(key), By::RsaPss(Hash::Sha512)) => (&RSA_PSS_2048_8192_SHA512, key),
            _ => return Err(KeyError::Mismatch),
        };
        UnparsedPublicKey::new(how, key)
            .verify(message, signature)
            .map_err(|_unspecified| KeyError::Signature)
    }
}
