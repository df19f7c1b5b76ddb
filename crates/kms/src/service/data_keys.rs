//! Data keys: made here, used elsewhere, and wrapped under a key meanwhile.

use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_terms::Secret;
use zeroize::Zeroizing;

use super::Kms;
use super::encrypt::{Encrypted, check_algorithm};
use crate::asymmetric::{self, PreparedKey};
use crate::context::EncryptionContext;
use crate::error::KmsError;
use crate::spec::{DataKeyPairSpec, EncryptionAlgorithm};

/// The most bytes of a data key, and of randomness.
const LONGEST: usize = 1024;

/// How many bytes a data key has, from 1 to 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataKeyLength(usize);

impl DataKeyLength {
    /// `AES_128`.
    pub const AES_128: Self = Self(16);
    /// `AES_256`.
    pub const AES_256: Self = Self(32);

    /// So many bytes.
    ///
    /// # Errors
    /// [`KmsError::Validation`] if they are none or more than 1024.
    pub fn new(bytes: usize) -> Result<Self, KmsError> {
        if (1..=LONGEST).contains(&bytes) {
            Ok(Self(bytes))
        } else {
            Err(KmsError::Validation(
                "NumberOfBytes must be between 1 and 1024.".to_owned(),
            ))
        }
    }
}

/// A data key.
pub struct DataKey {
    /// `Plaintext`.
    pub plain: Secret,
    /// The same, encrypted.
    pub encrypted: Encrypted,
}

/// A data key pair.
pub struct DataKeyPair {
    /// `PublicKey`: SubjectPublicKeyInfo, in DER.
    pub public_key: Vec<u8>,
    /// `PrivateKeyPlaintext`: PKCS #8, in DER.
    pub private_key: Secret,
    /// The same, encrypted.
    pub encrypted: Encrypted,
}

impl Kms {
    /// A fresh data key, plain and encrypted under a symmetric key.
    ///
    /// # Errors
    /// As of [`Self::encrypt`].
    pub fn generate_data_key(
        &self,
        permit: &Permit<kms::GenerateDataKey>,
        context: &EncryptionContext,
        length: DataKeyLength,
    ) -> Result<DataKey, KmsError> {
        self.data_key(permit, context, length)
    }

    /// A fresh data key that nobody sees yet, encrypted under a symmetric key.
    ///
    /// # Errors
    /// As of [`Self::encrypt`].
    pub fn generate_data_key_without_plaintext(
        &self,
        permit: &Permit<kms::GenerateDataKeyWithoutPlaintext>,
        context: &EncryptionContext,
        length: DataKeyLength,
    ) -> Result<Encrypted, KmsError> {
        self.data_key(permit, context, length).map(|key| key.encrypted)
    }

    /// A fresh data key pair, its private key plain and encrypted under a symmetric key.
    ///
    /// # Errors
    /// As of [`Self::encrypt`].
    pub fn generate_data_key_pair(
        &self,
        permit: &Permit<kms::GenerateDataKeyPair>,
        context: &EncryptionContext,
        spec: DataKeyPairSpec,
    ) -> Result<DataKeyPair, KmsError> {
        self.data_key_pair(permit, context, spec)
    }

    /// A fresh data key pair whose private key nobody sees yet, encrypted under a symmetric key: the public key, and that.
    ///
    /// # Errors
    /// As of [`Self::encrypt`].
    pub fn generate_data_key_pair_without_plaintext(
        &self,
        permit: &Permit<kms::GenerateDataKeyPairWithoutPlaintext>,
        context: &EncryptionContext,
        spec: DataKeyPairSpec,
    ) -> Result<(Vec<u8>, Encrypted), KmsError> {
        self.data_key_pair(permit, context, spec)
            .map(|pair| (pair.public_key, pair.encrypted))
    }

    /// Whether a data key or a pair could be made and encrypted under the key: what they are refused with, this is. None is
    /// made.
    ///
    /// # Errors
    /// As of [`Self::encrypt`].
    pub fn could_make_data_keys<A: Action>(
        &self,
        permit: &Permit<A>,
        context: &EncryptionContext,
    ) -> Result<(), KmsError> {
        let key = self.unlocked_for(permit, context)?;
        check_algorithm::<A>(&key, EncryptionAlgorithm::SymmetricDefault)
    }

    /// Random bytes.
    ///
    /// # Errors
    /// [`KmsError::Entropy`] if there are none.
    pub fn generate_random(
        &self,
        _permit: &Permit<kms::GenerateRandom>,
        length: DataKeyLength,
    ) -> Result<Secret, KmsError> {
        self.random(length)
    }

    fn data_key<A: Action>(
        &self,
        permit: &Permit<A>,
        context: &EncryptionContext,
        length: DataKeyLength,
    ) -> Result<DataKey, KmsError> {
        let key = self.unlocked_for(permit, context)?;
        check_algorithm::<A>(&key, EncryptionAlgorithm::SymmetricDefault)?;
        let plain = self.random(length)?;
        Ok(DataKey {
            encrypted: self.seal_blob(&key, context, plain.expose())?,
            plain,
        })
    }

    fn data_key_pair<A: Action>(
        &self,
        permit: &Permit<A>,
        context: &EncryptionContext,
        spec: DataKeyPairSpec,
    ) -> Result<DataKeyPair, KmsError> {
        let key = self.unlocked_for(permit, context)?;
        check_algorithm::<A>(&key, EncryptionAlgorithm::SymmetricDefault)?;
        let spec = spec.key_spec();
        let failed = || KmsError::Cryptography("generate a key pair");
        let usage = spec.usages().first().ok_or_else(failed)?;
        let mut private = asymmetric::generate(spec, &*self.entropy)?;
        let prepared = PreparedKey::from_material(spec, *usage, &private)?;
        Ok(DataKeyPair {
            public_key: prepared.public_key().map_err(|_no_pair| failed())?.to_vec(),
            encrypted: self.seal_blob(&key, context, &private)?,
            private_key: Secret::new(std::mem::take(&mut *private)),
        })
    }

    pub(super) fn random(&self, DataKeyLength(length): DataKeyLength) -> Result<Secret, KmsError> {
        let mut bytes = Zeroizing::new(vec![0; length]);
        self.entropy.fill(&mut bytes)?;
        Ok(Secret::new(std::mem::take(&mut *bytes)))
    }
}
