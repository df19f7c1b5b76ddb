//! A way in for those who test with hostile input what customers bring of their own: material to be imported, how it is
//! wrapped, the tokens that go with it, and the public keys of others.
//!
//! As in [`hostile_input`](crate::hostile_input), nothing here is another path, and it is no interface to build on.

use std::sync::OnceLock;

use moho_terms::{Secret, Timestamp};
use zeroize::Zeroizing;

use crate::KmsError;
use crate::asymmetric::{PreparedKey, Refusal, as_imported};
use crate::import::{ImportTokens, unpad};
use crate::spec::{KeyAgreementAlgorithm, KeySpec, KeyUsage};

/// What a customer wants to import as material of this kind, in its one form: `None` if it is nothing of the kind.
#[must_use]
pub fn imported_material(spec: KeySpec, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    as_imported(spec, bytes)
}

/// Material that is wrapped by RFC 5649 under a key of zeros.
///
/// # Errors
/// [`KmsError::InvalidCiphertext`], whatever is wrong with it.
pub fn wrapped_material(bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    unpad(&[0; 32], bytes)
}

/// Whether `bytes` are a token to import material into the key `00000000-0000-4000-8000-000000000000`, made under a key
/// of zeros, `now`.
///
/// # Errors
/// [`KmsError::InvalidImportToken`], [`KmsError::ExpiredImportToken`].
pub fn import_token(bytes: &[u8], now: Timestamp) -> Result<(), KmsError> {
    let key = "00000000-0000-4000-8000-000000000000"
        .parse()
        .map_err(|_no_id| KmsError::InvalidImportToken)?;
    ImportTokens::new(Secret::new(vec![0; 32]))
        .open(&key, bytes, now)
        .map(drop)
}

/// Whether `peer` is a public key that a P-256 key with the private key 1 agrees on a secret with.
///
/// # Errors
/// [`KmsError`], as `DeriveSharedSecret` would give.
pub fn peer_public_key(peer: &[u8]) -> Result<(), KmsError> {
    static KEY: OnceLock<Option<PreparedKey>> = OnceLock::new();
    let (spec, usage) = (KeySpec::EccNistP256, KeyUsage::KeyAgreement);
    let key = KEY.get_or_init(|| {
        let bare = [HEAD_OF_P256, &ONE].concat();
        PreparedKey::from_material(spec, usage, &as_imported(spec, &bare)?).ok()
    });
    let key = key.as_ref().ok_or(KmsError::Cryptography("take a key"))?;
    key.derive(KeyAgreementAlgorithm::Ecdh, peer)
        .map(drop)
        .map_err(|refused| match refused {
            Refusal::Failed(error) => error,
            Refusal::Misuse(_) => KmsError::InvalidCiphertext,
        })
}

/// PKCS #8 of a P-256 key without its public key, up to the private one.
const HEAD_OF_P256: &[u8] = &[
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
    0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04,
    0x20,
];
const ONE: [u8; 32] = {
    let mut one = [0; 32];
    one[31] = 1;
    one
};
