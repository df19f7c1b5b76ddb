//! Import of key material: the wrapping key that a customer wraps it under, the token that ties both together, and how
//! the material comes out again.
//!
//! Nothing is kept between the two calls: the private wrapping key travels in the token, sealed, with what it is for and
//! until when. A token opens here only, for the key that it was made for:
//!
//! ```text
//! token = version (1) | salt (32) | AES-256-GCM( wrapping (1) | wrapping key spec (1) | expiry (8) | PKCS #8 ) | tag (16)
//! key   = HKDF-SHA256(token key, salt, "moho/import-token/1"); nonce zero, as the key is used once
//! AAD   = version | key id
//! ```
//! `wrapping` and `wrapping key spec` count from 0 in the order of their enums, `expiry` are microseconds since 1970.

#[cfg(test)]
mod tests;
mod unwrapping;

pub(crate) use unwrapping::unpad;

use moho_terms::{Entropy, KeyId, Secret, Timestamp};
use zeroize::Zeroizing;

use crate::asymmetric::{Encrypting, Misuse, Refusal, as_imported, generate};
use crate::crypto::{Cipher, KEY, NONCE, TAG, derive};
use crate::error::KmsError;
use crate::spec::{KeySpec, WrappingAlgorithm, WrappingKeySpec};

/// Seconds for which a token is good.
const LIFETIME: u64 = 24 * 60 * 60;
/// The most bytes of a token and of wrapped material.
const MOST: usize = 6144;
const VERSION: u8 = 1;
const SALT: usize = 32;

/// What `GetParametersForImport` gives.
pub(crate) struct ImportParameters {
    /// The public wrapping key, a SubjectPublicKeyInfo.
    pub(crate) public_key: Vec<u8>,
    /// The token.
    pub(crate) token: Vec<u8>,
    /// When both end.
    pub(crate) valid_to: Timestamp,
}

/// What seals and opens tokens, under a key of 32 bytes that is derived from the root for nothing else.
pub(crate) struct ImportTokens(Secret);

impl ImportTokens {
    /// Under this key.
    pub(crate) fn new(key: Secret) -> Self {
        Self(key)
    }

    /// A fresh wrapping key and its token.
    pub(crate) fn parameters(
        &self,
        (key, spec): (&KeyId, KeySpec),
        (algorithm, wrapping): (WrappingAlgorithm, WrappingKeySpec),
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<ImportParameters, Refusal> {
        if !spec.is_importable() {
            return Err(Misuse::Spec(spec).into());
        }
        if !spec.imports_by(algorithm, wrapping) {
            return Err(Misuse::Wrapping(spec, algorithm, wrapping).into());
        }
        let private = generate(wrapping.key_spec(), entropy)?;
        let public_key = Encrypting::new(wrapping.key_spec(), &private)?
            .public_key()
            .to_vec();
        let valid_to = now.plus_seconds(LIFETIME);
        let mut inside = Zeroizing::new(Vec::with_capacity(private.len().saturating_add(10)));
        inside.push(position(WrappingAlgorithm::ALL, algorithm)?);
        inside.push(position(WrappingKeySpec::ALL, wrapping)?);
        inside.extend_from_slice(&valid_to.unix_micros().to_be_bytes());
        inside.extend_from_slice(&private);
        let mut salt = [0; SALT];
        entropy.fill(&mut salt).map_err(KmsError::from)?;
        let mut token = vec![VERSION];
        token.extend_from_slice(&salt);
        self.cipher(&salt)?
            .encrypt([0; NONCE], &aad(key), &inside, &mut token)?;
        Ok(ImportParameters {
            public_key,
            token,
            valid_to,
        })
    }

    /// The material that was wrapped for this key under the token's wrapping key.
    ///
    /// `InvalidImportToken`, `ExpiredImportToken`; `InvalidCiphertext` if it does not unwrap; `IncorrectKeyMaterial` if it
    /// is no material of this kind.
    pub(crate) fn material(
        &self,
        (key, spec): (&KeyId, KeySpec),
        token: &[u8],
        wrapped: &[u8],
        now: Timestamp,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let (algorithm, wrapping, private) = self.open(key, token, now)?;
        if !spec.imports_by(algorithm, wrapping) {
            return Err(KmsError::InvalidImportToken);
        }
        if wrapped.len() > MOST {
            return Err(KmsError::InvalidCiphertext);
        }
        let private = Encrypting::new(wrapping.key_spec(), &private)?;
        let material = unwrapping::unwrap(&private, algorithm, wrapped)?;
        as_imported(spec, &material).ok_or(KmsError::IncorrectKeyMaterial(
            "The key material is not valid for the key spec of the key.",
        ))
    }

    /// What is in a token for this key.
    pub(crate) fn open(
        &self,
        key: &KeyId,
        token: &[u8],
        now: Timestamp,
    ) -> Result<(WrappingAlgorithm, WrappingKeySpec, Zeroizing<Vec<u8>>), KmsError> {
        let invalid = || KmsError::InvalidImportToken;
        if token.len() > MOST {
            return Err(invalid());
        }
        let (&version, rest) = token.split_first().ok_or_else(invalid)?;
        let (salt, sealed) = rest.split_first_chunk::<SALT>().ok_or_else(invalid)?;
        if version != VERSION {
            return Err(invalid());
        }
        let mut inside = Zeroizing::new(Vec::with_capacity(sealed.len().saturating_sub(TAG)));
        self.cipher(salt)?
            .decrypt([0; NONCE], &aad(key), sealed, &mut inside)
            .ok_or_else(invalid)?;
        let (&[algorithm, wrapping], rest) = inside.split_first_chunk::<2>().ok_or_else(invalid)?;
        let (expiry, private) = rest.split_first_chunk::<8>().ok_or_else(invalid)?;
        if now.unix_micros() >= u64::from_be_bytes(*expiry) {
            return Err(KmsError::ExpiredImportToken);
        }
        let algorithm = WrappingAlgorithm::ALL.get(usize::from(algorithm));
        let wrapping = WrappingKeySpec::ALL.get(usize::from(wrapping));
        let private = Zeroizing::new(private.to_vec());
        Ok((
            *algorithm.ok_or_else(invalid)?,
            *wrapping.ok_or_else(invalid)?,
            private,
        ))
    }

    fn cipher(&self, salt: &[u8; SALT]) -> Result<Cipher, KmsError> {
        Cipher::new(&*derive::<KEY>(self.0.expose(), salt, &[b"moho/import-token/1"])?)
    }
}

fn aad(key: &KeyId) -> Vec<u8> {
    let mut aad = vec![VERSION];
    aad.extend_from_slice(key.as_str().as_bytes());
    aad
}

fn position<T: Copy + PartialEq>(all: &[T], one: T) -> Result<u8, KmsError> {
    all.iter()
        .position(|other| *other == one)
        .and_then(|at| u8::try_from(at).ok())
        .ok_or(KmsError::Cryptography("name an algorithm"))
}
