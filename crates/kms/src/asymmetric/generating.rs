//! Where material comes from: made here, or brought by the customer.

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use aws_lc_rs::signature::{EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, PqdsaKeyPair};
use moho_terms::Entropy;
use zeroize::Zeroizing;

use super::encapsulating;
use super::signing::{ecdsa, ml_dsa};
use crate::error::KmsError;
use crate::spec::KeySpec;

/// HMAC keys are at least as long as their spec says, and at most this long, or they would have to be hashed first.
const LONGEST_HMAC_KEY: usize = 128;
/// Bytes of an Ed25519 or ML-DSA seed.
const SEED: usize = 32;

fn failed<E>(_unspecified: E) -> KmsError {
    KmsError::Cryptography("generate a key")
}

/// Fresh material for a key of this kind. RSA, ECC and ML-KEM keys come from the cryptographic library's own randomness,
/// which takes no other; all others from `entropy`.
pub(crate) fn generate(spec: KeySpec, entropy: &dyn Entropy) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    if let Some(length) = secret_len(spec) {
        let mut secret = Zeroizing::new(vec![0; length]);
        entropy.fill(&mut secret)?;
        return Ok(secret);
    }
    if let Some(size) = rsa_size(spec) {
        let key = PrivateDecryptingKey::generate(size).map_err(failed)?;
        return rsa_bytes(&key);
    }
    if let Some(curve) = ecdsa(spec) {
        let key = EcdsaKeyPair::generate(curve).map_err(failed)?;
        return Ok(copy(key.to_pkcs8v1().map_err(failed)?.as_ref()));
    }
    if spec.is_encapsulation() {
        return encapsulating::generate(spec);
    }
    let mut seed = Zeroizing::new([0; SEED]);
    entropy.fill(seed.as_mut_slice())?;
    let document = match ml_dsa(spec) {
        Some(parameters) => PqdsaKeyPair::from_seed(parameters, seed.as_slice())
            .map_err(failed)?
            .to_pkcs8v1(),
        None => Ed25519KeyPair::from_seed_unchecked(seed.as_slice())
            .map_err(failed)?
            .to_pkcs8v1(),
    };
    Ok(copy(document.map_err(failed)?.as_ref()))
}

/// What a customer brought, as material of this kind, always in the same form: `None` if it is nothing of the kind.
///
/// Symmetric keys have 32 bytes; HMAC keys as many as AWS KMS takes; key pairs are PKCS #8 of exactly the spec, with
/// nothing behind. The library checks that the parts of a key belong together.
pub(crate) fn as_imported(spec: KeySpec, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if spec == KeySpec::SymmetricDefault {
        return (Some(bytes.len()) == secret_len(spec)).then(|| copy(bytes));
    }
    if let Some(least) = secret_len(spec) {
        return (least..=LONGEST_HMAC_KEY)
            .contains(&bytes.len())
            .then(|| copy(bytes));
    }
    if !spec.is_importable() || !is_one_element(bytes) {
        return None;
    }
    if let Some(bits) = spec.rsa_bits() {
        let key = PrivateDecryptingKey::from_pkcs8(bytes).ok()?;
        return (key.key_size_bits() == bits)
            .then(|| rsa_bytes(&key).ok())
            .flatten();
    }
    let document = match ecdsa(spec) {
        Some(curve) => uncompressed(curve, &EcdsaKeyPair::from_pkcs8(curve, bytes).ok()?)?.to_pkcs8v1(),
        None => Ed25519KeyPair::from_pkcs8(bytes).ok()?.to_pkcs8v1(),
    }
    .ok()?;
    // A curve is named; the library would also take its parameters, spelled out.
    (algorithm(bytes) == algorithm(document.as_ref())).then(|| copy(document.as_ref()))
}

/// The same key with its public point written in full, as the library remembers how it was written.
fn uncompressed(curve: &'static EcdsaSigningAlgorithm, key: &EcdsaKeyPair) -> Option<EcdsaKeyPair> {
    let private: EcPrivateKeyBin<'_> = key.private_key().as_be_bytes().ok()?;
    let public = key.public_key().as_ref();
    EcdsaKeyPair::from_private_key_and_public_key(curve, private.as_ref(), public).ok()
}

fn copy(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(secret.to_vec())
}

fn rsa_bytes(key: &PrivateDecryptingKey) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    let document = AsDer::<Pkcs8V1Der<'_>>::as_der(key).map_err(failed)?;
    Ok(copy(document.as_ref()))
}

/// Bytes of a key that is one secret.
fn secret_len(spec: KeySpec) -> Option<usize> {
    match (spec, ()) {
        (KeySpec::SymmetricDefault | KeySpec::Hmac256, ()) => Some(32),
        (KeySpec::Hmac224, ()) => Some(28),
        (KeySpec::Hmac384, ()) => Some(48),
        (KeySpec::Hmac512, ()) => Some(64),
        _ => None,
    }
}

fn rsa_size(spec: KeySpec) -> Option<KeySize> {
    match spec.rsa_bits() {
        Some(2048) => Some(KeySize::Rsa2048),
        Some(3072) => Some(KeySize::Rsa3072),
        Some(4096) => Some(KeySize::Rsa4096),
        _ => None,
    }
}

/// Whether `bytes` are one DER SEQUENCE from end to end: the library reads one and leaves alone what follows.
pub(super) fn is_one_element(bytes: &[u8]) -> bool {
    content(bytes).is_some()
}

/// What is in the SEQUENCE that `bytes` are.
fn content(bytes: &[u8]) -> Option<&[u8]> {
    let (&[0x30, first], rest) = bytes.split_first_chunk::<2>()? else {
        return None;
    };
    let (length, content) = match (first, rest) {
        (0..=0x7f, _) => (usize::from(first), rest),
        (0x81, [length, content @ ..]) => (usize::from(*length), content),
        (0x82, [high, low, content @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), content),
        _ => return None,
    };
    (content.len() == length).then_some(content)
}

/// The algorithm of PKCS #8, if it is a short one as of all kinds of keys here; it stands behind the version.
fn algorithm(pkcs8: &[u8]) -> Option<&[u8]> {
    let behind = content(pkcs8)?.get(3..)?;
    let length = behind.get(1).filter(|length| **length < 0x80)?;
    behind.get(..usize::from(*length).checked_add(2)?)
}
