//! What keys do that are not symmetric: sign, authenticate, agree on secrets, encapsulate.

use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_terms::Secret;
use zeroize::Zeroizing;

use super::Kms;
use crate::asymmetric::{PreparedKey, Refusal};
use crate::error::KmsError;
use crate::spec::{
    EncapsulationAlgorithm, KeyAgreementAlgorithm, KeySpec, KeyUsage, MacAlgorithm, MessageType,
    SigningAlgorithm,
};
use crate::unlocked::Unlocked;

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Whether the bytes are the message or what stands for it.
    pub kind: MessageType,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// A public key, and what the key is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// SubjectPublicKeyInfo, in DER.
    pub der: Vec<u8>,
    /// What kind of key it is of.
    pub spec: KeySpec,
    /// What the key is for.
    pub usage: KeyUsage,
}

/// A secret, and what tells it to the owner of a key.
pub struct Encapsulated {
    /// The secret.
    pub secret: Secret,
    /// What tells it.
    pub ciphertext: Vec<u8>,
}

impl Kms {
    /// Signs a message.
    ///
    /// # Errors
    /// [`KmsError::InvalidKeyUsage`], [`KmsError::IncompatibleAlgorithm`], [`KmsError::Validation`]; as of [`Self::key`].
    pub fn sign(
        &self,
        permit: &Permit<kms::Sign>,
        algorithm: SigningAlgorithm,
        message: Message<'_>,
    ) -> Result<Vec<u8>, KmsError> {
        self.prepared(permit, |key| key.sign(algorithm, message.kind, message.bytes))
    }

    /// Whether a signature is this key's over a message.
    ///
    /// # Errors
    /// [`KmsError::InvalidSignature`] if not; as of [`Self::sign`].
    pub fn verify(
        &self,
        permit: &Permit<kms::Verify>,
        algorithm: SigningAlgorithm,
        message: Message<'_>,
        signature: &[u8],
    ) -> Result<(), KmsError> {
        self.prepared(permit, |key| {
            key.verify(algorithm, message.kind, message.bytes, signature)
        })
    }

    /// The public half of a key pair.
    ///
    /// # Errors
    /// [`KmsError::UnsupportedOperation`] if the key is none; as of [`Self::key`].
    pub fn public_key(&self, permit: &Permit<kms::GetPublicKey>) -> Result<PublicKey, KmsError> {
        let key = self.unlocked(permit)?;
        if key.record.spec.is_symmetric() {
            return Err(KmsError::UnsupportedOperation(
                key.arn.clone(),
                format!("key spec is {}", key.record.spec),
            ));
        }
        let prepared = key.prepared(&self.root)?;
        let der = prepared.public_key().map_err(|misuse| misuse.of(&key.arn))?;
        Ok(PublicKey {
            der: der.to_vec(),
            spec: key.record.spec,
            usage: key.record.usage,
        })
    }

    /// A message authentication code.
    ///
    /// # Errors
    /// As of [`Self::sign`].
    pub fn generate_mac(
        &self,
        permit: &Permit<kms::GenerateMac>,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        self.prepared(permit, |key| key.mac(algorithm, message))
    }

    /// Whether a message authentication code is this key's for a message.
    ///
    /// # Errors
    /// [`KmsError::InvalidMac`] if not; as of [`Self::sign`].
    pub fn verify_mac(
        &self,
        permit: &Permit<kms::VerifyMac>,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), KmsError> {
        self.prepared(permit, |key| key.verify_mac(algorithm, message, mac))
    }

    /// The secret that this key and another's public key, a SubjectPublicKeyInfo, have in common.
    ///
    /// # Errors
    /// As of [`Self::sign`].
    pub fn derive_shared_secret(
        &self,
        permit: &Permit<kms::DeriveSharedSecret>,
        algorithm: KeyAgreementAlgorithm,
        public_key: &[u8],
    ) -> Result<Secret, KmsError> {
        self.prepared(permit, |key| key.derive(algorithm, public_key))
            .map(secret)
    }

    /// A fresh secret, and what tells it to this key.
    ///
    /// # Errors
    /// As of [`Self::sign`].
    pub fn encapsulate(
        &self,
        permit: &Permit<kms::Encapsulate>,
        algorithm: EncapsulationAlgorithm,
    ) -> Result<Encapsulated, KmsError> {
        let (plain, ciphertext) = self.prepared(permit, |key| key.encapsulate(algorithm))?;
        Ok(Encapsulated {
            secret: secret(plain),
            ciphertext,
        })
    }

    /// The secret that was told to this key; one that nobody has, if it was told to another.
    ///
    /// # Errors
    /// [`KmsError::InvalidCiphertext`] if it has another length; as of [`Self::sign`].
    pub fn decapsulate(
        &self,
        permit: &Permit<kms::Decapsulate>,
        algorithm: EncapsulationAlgorithm,
        ciphertext: &[u8],
    ) -> Result<Secret, KmsError> {
        self.prepared(permit, |key| key.decapsulate(algorithm, ciphertext))
            .map(secret)
    }

    fn prepared<A: Action, T>(
        &self,
        permit: &Permit<A>,
        act: impl FnOnce(&PreparedKey) -> Result<T, Refusal>,
    ) -> Result<T, KmsError> {
        let key = self.unlocked(permit)?;
        if key.record.spec == KeySpec::SymmetricDefault {
            return Err(other_usage::<A>(&key));
        }
        act(key.prepared(&self.root)?).map_err(|refusal| refusal.of(&key.arn))
    }
}

/// The key is for something else than what `A` needs.
pub(super) fn other_usage<A: Action>(key: &Unlocked) -> KmsError {
    let operation = A::NAME.strip_prefix("kms:").unwrap_or(A::NAME);
    KmsError::InvalidKeyUsage(key.arn.clone(), key.record.usage, operation)
}

fn secret(mut plain: Zeroizing<Vec<u8>>) -> Secret {
    Secret::new(std::mem::take(&mut *plain))
}
