//! Who signs digests, and whose signatures are believed.

use std::collections::BTreeMap;
use std::error::Error;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use moho_terms::Secret;

use crate::cloudtrail::hexadecimal::{self, Sha256};

/// Whoever signs digests: a key here, or one in a device that never lets it go.
pub trait DigestSigner {
    /// The public key: DER, PKCS#1 (`RSAPublicKey`).
    fn public_key(&self) -> &[u8];

    /// Signs with RSA PKCS#1 v1.5 and SHA-256.
    ///
    /// # Errors
    /// [`SignerUnavailable`].
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerUnavailable>;
}

/// The key cannot be used, or is none.
#[derive(Debug, thiserror::Error)]
#[error("the key that signs digests cannot be used")]
pub struct SignerUnavailable(#[source] Box<dyn Error + Send + Sync>);

impl SignerUnavailable {
    /// Because of `source`.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// A key in memory.
pub struct LocalDigestKey(RsaKeyPair);

impl LocalDigestKey {
    /// A new private key, RSA of 2048 bits: DER, PKCS#8. The cryptographic library takes no other randomness than its own.
    ///
    /// # Errors
    /// [`SignerUnavailable`]: there is none.
    pub fn generate() -> Result<Secret, SignerUnavailable> {
        let failed =
            |unspecified: aws_lc_rs::error::Unspecified| SignerUnavailable::new(unspecified.to_string());
        let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
        let der: Pkcs8V1Der<'_> = key.as_der().map_err(failed)?;
        Ok(Secret::new(der.as_ref().to_vec()))
    }

    /// From a private key: DER, PKCS#8, RSA of 2048 bits or more.
    ///
    /// # Errors
    /// [`SignerUnavailable`]: it is none.
    pub fn from_pkcs8(key: &Secret) -> Result<Self, SignerUnavailable> {
        RsaKeyPair::from_pkcs8(key.expose())
            .map(Self)
            .map_err(|rejected| SignerUnavailable::new(rejected.to_string()))
    }
}

impl DigestSigner for LocalDigestKey {
    fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerUnavailable> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        // This padding uses no randomness: the argument is for the other one.
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|unspecified| SignerUnavailable::new(unspecified.to_string()))?;
        Ok(signature)
    }
}

/// A public key's fingerprint: 32 hexadecimal digits.
#[must_use]
pub fn fingerprint(public_key: &[u8]) -> String {
    let hash = Sha256::of(public_key);
    let (half, _) = hash.as_bytes().split_at(16);
    hexadecimal::encode(half)
}

/// The public keys whose signatures are believed.
#[derive(Debug, Clone, Default)]
pub struct PublicKeys(BTreeMap<String, Vec<u8>>);

impl PublicKeys {
    /// Believes this key too: DER, PKCS#1.
    pub fn believe(&mut self, public_key: Vec<u8>) {
        self.0.insert(fingerprint(&public_key), public_key);
    }

    /// Whether there is a key with this fingerprint, and if so, whether the signature (hexadecimal) is its own.
    pub(super) fn check(&self, fingerprint: &str, message: &[u8], signature: &str) -> Option<bool> {
        let key = self.0.get(fingerprint)?;
        let Some(signature) = hexadecimal::decode(signature) else {
            return Some(false);
        };
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
        Some(key.verify(message, &signature).is_ok())
    }
}
