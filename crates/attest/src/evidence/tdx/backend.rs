//! What dcap-qvl works with: our one cryptographic library, and our reader of X.509, instead of its own.

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use dcap_qvl::config::{Config, CryptoProvider, EcdsaSigEncoder, ParsedCert, PckCa, X509Codec};
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

use crate::x509::Certificate;
use crate::x509::der::{INTEGER, SEQUENCE};

/// Configuration of dcap-qvl.
pub(super) struct Backend;

impl Config for Backend {
    type X509 = Self;
    type SigEncoder = Self;
    type Crypto = Self;
}

impl CryptoProvider for Backend {
    fn sig_algo() -> &'static dyn SignatureVerificationAlgorithm {
        &EcdsaP256Sha256
    }

    fn sha256(data: &[u8]) -> [u8; 32] {
        hashed(&SHA256, data)
    }

    fn sha384(data: &[u8]) -> [u8; 48] {
        hashed(&SHA384, data)
    }
}

fn hashed<const N: usize>(algorithm: &'static Algorithm, data: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes
        .iter_mut()
        .zip(digest(algorithm, data).as_ref())
        .for_each(|(to, from)| *to = *from);
    bytes
}

/// The one algorithm of Intel's certificates, lists, collateral and quotes.
#[derive(Debug)]
struct EcdsaP256Sha256;

impl SignatureVerificationAlgorithm for EcdsaP256Sha256 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public_key)
            .verify(message, signature)
            .map_err(|_unspecified| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}

impl X509Codec for Backend {
    type Parsed<'a> = Certificate<'a>;

    fn from_der(der: &[u8]) -> anyhow::Result<Certificate<'_>> {
        Ok(Certificate::read(der)?)
    }
}

impl ParsedCert for Certificate<'_> {
    /// Only whoever fetches collateral asks for it.
    fn pck_ca(&self) -> Option<PckCa> {
        None
    }

    /// No extension is there twice: a certificate with one is not read.
    fn extension(&self, name: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(Certificate::extension(self, name).map(<[u8]>::to_vec))
    }
}

impl EcdsaSigEncoder for Backend {
    fn encode_ecdsa_sig(r: &[u8], s: &[u8]) -> anyhow::Result<Vec<u8>> {
        let numbers = [integer(r)?, integer(s)?].concat();
        Ok([&[SEQUENCE, u8::try_from(numbers.len())?], numbers.as_slice()].concat())
    }
}

/// A number that is not negative, in DER: without needless zeros, and with one where it would be negative.
fn integer(digits: &[u8]) -> anyhow::Result<Vec<u8>> {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let digits = digits.get(zeros..).unwrap_or_default();
    let sign: &[u8] = match digits.first() {
        Some(0..=0x7f) => &[],
        Some(0x80..) | None => &[0],
    };
    let length = sign.len().saturating_add(digits.len());
    // One byte of length is all that numbers of a signature on P-256 need.
    anyhow::ensure!(length <= 33, "a number is longer than a signature's");
    Ok([&[INTEGER, u8::try_from(length)?], sign, digits].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_signatures_have_one_form() {
        let last = |byte: u8| {
            let mut number = [0; 32];
            number[31] = byte;
            number
        };
        let encoded = |r: &[u8], s: &[u8]| Backend::encode_ecdsa_sig(r, s).unwrap();
        assert_eq!(encoded(&last(1), &last(0x7f)), [0x30, 6, 2, 1, 1, 2, 1, 0x7f]);
        assert_eq!(encoded(&last(0), &last(0x80)), [0x30, 7, 2, 1, 0, 2, 2, 0, 0x80]);
        let long = encoded(&[0xff; 32], &[0xff; 32]);
        assert_eq!((long.len(), &long[..5]), (72, [0x30, 70, 2, 33, 0].as_slice()));
        assert!(Backend::encode_ecdsa_sig(&[1; 33], &[1; 34]).is_err());
    }

    #[test]
    fn digests_are_those_of_the_standard() {
        let sha256 = moho_terms::hex::encode(&Backend::sha256(b"abc"));
        assert!(sha256.starts_with("ba7816bf8f01cfea"), "{sha256}");
        let sha384 = moho_terms::hex::encode(&Backend::sha384(b"abc"));
        assert!(sha384.starts_with("cb00753f45a35e8b"), "{sha384}");
    }
}
