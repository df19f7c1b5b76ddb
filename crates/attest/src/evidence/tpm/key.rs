//! Public areas of a TPM's keys (`TPMT_PUBLIC`, Part 2, 12.2.4), and what an attestation key must be.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RsaPublicKeyComponents, UnparsedPublicKey,
};

use super::super::refusal::{Check, Part, Refusal};
use super::wire::{TpmError, Wire};

pub(super) const RSA: u16 = 0x0001;
pub(super) const SHA256_ID: u16 = 0x000b;
pub(super) const SHA384_ID: u16 = 0x000c;
const NULL: u16 = 0x0010;
const RSASSA: u16 = 0x0014;
const RSAPSS: u16 = 0x0016;
const ECDSA: u16 = 0x0018;
const ECC: u16 = 0x0023;
const P256: u16 = 0x0003;
const P384: u16 = 0x0004;

/// Attributes that make a key one that signs nothing but what its TPM made, and that no other TPM has (Part 2, 8.3):
/// fixedTPM, fixedParent, sensitiveDataOrigin, restricted and sign.
const ATTESTATION: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 16 | 1 << 18;
/// That it decrypts, too: then its restriction is another.
const DECRYPT: u32 = 1 << 17;

enum Unique<'a> {
    Rsa { modulus: &'a [u8], exponent: u32 },
    Ecc { curve: u16, x: &'a [u8], y: &'a [u8] },
}

/// The public part of a key that signs quotes: restricted, made by its TPM, and never to leave it.
pub struct AttestationKey<'a> {
    public: &'a [u8],
    unique: Unique<'a>,
}

fn refused(check: Check, found: impl Into<String>) -> Refusal {
    Refusal::new(check, Part::AttestationKey, found)
}

impl<'a> AttestationKey<'a> {
    /// Reads a `TPMT_PUBLIC`, exactly.
    ///
    /// # Errors
    /// [`Check::Encoding`] if it is none, [`Check::Algorithm`] for one that is too weak, [`Check::Key`] if it could sign what its TPM
    /// did not make.
    pub fn read(public: &'a [u8]) -> Result<Self, Refusal> {
        let (attributes, unique) =
            fields(public).map_err(|error| refused(Check::Encoding, error.to_string()))?;
        if attributes & ATTESTATION != ATTESTATION || attributes & DECRYPT != 0 {
            let found = format!(
                "its attributes are {attributes:#010x}: not those of a restricted signing key of one TPM"
            );
            return Err(refused(Check::Key, found));
        }
        if let Unique::Rsa { modulus, exponent } = &unique {
            if modulus.len() < 256 || modulus.first().is_none_or(|first| *first < 0x80) {
                return Err(refused(Check::Algorithm, "it is RSA of fewer than 2048 bits"));
            }
            if *exponent != 65537 {
                return Err(refused(Check::Algorithm, "its RSA exponent is not 65537"));
            }
        }
        Ok(Self { public, unique })
    }

    /// Its name: `0x000b ‖ SHA-256(TPMT_PUBLIC)` (Part 1, 16). Credentials are activated for it.
    #[must_use]
    pub fn name(&self) -> Vec<u8> {
        let mut name = SHA256_ID.to_be_bytes().to_vec();
        name.extend_from_slice(digest(&SHA256, self.public).as_ref());
        name
    }

    /// The uncompressed point of an ECC key (SEC 1), as NitroTPM's documents may certify it.
    #[must_use]
    pub fn point(&self) -> Option<Vec<u8>> {
        match self.unique {
            Unique::Ecc { curve, x, y } => point(curve, x, y),
            Unique::Rsa { .. } => None,
        }
    }

    /// That the holder of this key signed `message`; `signature` is a `TPMT_SIGNATURE` (Part 2, 11.3.4), exactly.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        let wrong = |check, found: &str| Refusal::new(check, Part::Quote, found);
        let (scheme, hash, value) = signature_fields(signature)
            .map_err(|error| Refusal::new(Check::Encoding, Part::Quote, error.to_string()))?;
        let weak = || {
            wrong(
                Check::Algorithm,
                "it is signed with another hash than SHA-256 or SHA-384",
            )
        };
        if ![SHA256_ID, SHA384_ID].contains(&hash) {
            return Err(weak());
        }
        let holds = match (&self.unique, scheme, hash) {
            (Unique::Rsa { modulus, exponent }, RSASSA | RSAPSS, _) => {
                let how = match (scheme, hash) {
                    (RSASSA, SHA256_ID) => &RSA_PKCS1_2048_8192_SHA256,
                    (RSASSA, _) => &RSA_PKCS1_2048_8192_SHA384,
                    (_, SHA256_ID) => &RSA_PSS_2048_8192_SHA256,
                    _ => &RSA_PSS_2048_8192_SHA384,
                };
                let (n, e) = (*modulus, exponent.to_be_bytes());
                let e = e.get(1..).unwrap_or_default();
                RsaPublicKeyComponents { n, e }
                    .verify(how, message, &value)
                    .is_ok()
            }
            (Unique::Ecc { curve, x, y }, ECDSA, _) => {
                let how = match (*curve, hash) {
                    (P256, SHA256_ID) => &ECDSA_P256_SHA256_FIXED,
                    (P384, SHA384_ID) => &ECDSA_P384_SHA384_FIXED,
                    _ => return Err(weak()),
                };
                let point = point(*curve, x, y).ok_or_else(weak)?;
                UnparsedPublicKey::new(how, point).verify(message, &value).is_ok()
            }
            _ => {
                return Err(wrong(
                    Check::Algorithm,
                    "it is signed by another algorithm than its key's",
                ));
            }
        };
        if holds {
            Ok(())
        } else {
            Err(wrong(
                Check::Signature,
                "it was not signed by the attestation key, or was altered",
            ))
        }
    }
}

fn coordinate_length(curve: u16) -> Option<usize> {
    match curve {
        P256 => Some(32),
        P384 => Some(48),
        _ => None,
    }
}

/// `04 ‖ x ‖ y`, each coordinate of the curve's length: a TPM may leave leading zeros out.
fn point(curve: u16, x: &[u8], y: &[u8]) -> Option<Vec<u8>> {
    let length = coordinate_length(curve)?;
    let mut point = vec![4];
    for coordinate in [x, y] {
        point.extend(std::iter::repeat_n(0, length.checked_sub(coordinate.len())?));
        point.extend_from_slice(coordinate);
    }
    Some(point)
}

fn fields(public: &[u8]) -> Result<(u32, Unique<'_>), TpmError> {
    let mut wire = Wire::new(public);
    let kind = wire.u16()?;
    if wire.u16()? != SHA256_ID {
        return Err(TpmError::Value("its name is not of SHA-256"));
    }
    let attributes = wire.u32()?;
    wire.buffer()?;
    // A key that signs has no symmetric algorithm; its scheme says with which hash.
    if wire.u16()? != NULL {
        return Err(TpmError::Value("it is a key that encrypts"));
    }
    let unique = match kind {
        RSA => {
            scheme(&mut wire)?;
            wire.u16()?;
            let exponent = wire.u32()?;
            let modulus = wire.buffer()?;
            let exponent = if exponent == 0 { 65537 } else { exponent };
            Unique::Rsa { modulus, exponent }
        }
        ECC => {
            scheme(&mut wire)?;
            let curve = wire.u16()?;
            coordinate_length(curve).ok_or(TpmError::Value("its curve is neither P-256 nor P-384"))?;
            if wire.u16()? != NULL {
                return Err(TpmError::Value("it derives keys"));
            }
            Unique::Ecc {
                curve,
                x: wire.buffer()?,
                y: wire.buffer()?,
            }
        }
        _ => return Err(TpmError::Value("it is neither an RSA nor an ECC key")),
    };
    wire.end()?;
    Ok((attributes, unique))
}

/// A signing scheme and its hash (Part 2, 11.2.1); a restricted key has one.
fn scheme(wire: &mut Wire<'_>) -> Result<(), TpmError> {
    match wire.u16()? {
        RSASSA | RSAPSS | ECDSA => wire.u16().map(drop),
        _ => Err(TpmError::Value("its scheme is neither RSASSA, RSAPSS nor ECDSA")),
    }
}

/// Scheme, hash, and the signature as aws-lc-rs takes it.
fn signature_fields(signature: &[u8]) -> Result<(u16, u16, Vec<u8>), TpmError> {
    let mut wire = Wire::new(signature);
    let (scheme, hash) = (wire.u16()?, wire.u16()?);
    let value = match scheme {
        RSASSA | RSAPSS => wire.buffer()?.to_vec(),
        ECDSA => {
            let length = if hash == SHA384_ID { 48_usize } else { 32 };
            let mut value = Vec::with_capacity(96);
            for number in [wire.buffer()?, wire.buffer()?] {
                let missing = length
                    .checked_sub(number.len())
                    .ok_or(TpmError::Value("a signature's number is too long"))?;
                value.extend(std::iter::repeat_n(0, missing));
                value.extend_from_slice(number);
            }
            value
        }
        _ => {
            return Err(TpmError::Value(
                "its signature is neither RSASSA, RSAPSS nor ECDSA",
            ));
        }
    };
    wire.end()?;
    Ok((scheme, hash, value))
}
