//! Encrypting and decrypting small things under a key.

use std::sync::Arc;

use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_terms::{Arn, KeyId, Secret};

use super::Kms;
use super::public_keys::other_usage;
use crate::blob::{self, Blob};
use crate::context::EncryptionContext;
use crate::error::KmsError;
use crate::record::MaterialId;
use crate::spec::{EncryptionAlgorithm, KeyUsage, MAX_PLAINTEXT};
use crate::states::allows;
use crate::unlocked::{Opened, Unlocked};

/// What was encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// `CiphertextBlob`.
    pub blob: Vec<u8>,
    /// The material it is under, of a symmetric key.
    pub material: Option<MaterialId>,
}

/// What was decrypted.
pub struct Decrypted {
    /// `Plaintext`.
    pub plain: Secret,
    /// The material it was under, of a symmetric key.
    pub material: Option<MaterialId>,
}

/// What was decrypted and encrypted again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReEncrypted {
    /// What it is now.
    pub encrypted: Encrypted,
    /// The material it was under, of a symmetric key.
    pub source: Option<MaterialId>,
}

/// Under what something is encrypted: the permit for a key, the encryption context that the permit is for, and how.
pub struct Under<'a, A> {
    /// The permit.
    pub permit: &'a Permit<A>,
    /// The encryption context.
    pub context: &'a EncryptionContext,
    /// How.
    pub algorithm: EncryptionAlgorithm,
}

impl Kms {
    /// The ARN of the key that a blob says it is under, so that a permit can be asked for. Only blobs of symmetric keys
    /// say so.
    ///
    /// # Errors
    /// [`KmsError::InvalidCiphertext`] if it says none, or none that is here.
    pub fn key_of_ciphertext(&self, blob: &[u8]) -> Result<Arn, KmsError> {
        let key_id: KeyId = Blob::parse(blob)?.key()?;
        let kept = self.records.get(&key_id)?.ok_or(KmsError::InvalidCiphertext)?;
        kept.arn()
    }

    /// Encrypts at most 4096 bytes under the current material of a key.
    ///
    /// # Errors
    /// [`KmsError::InvalidKeyUsage`] or [`KmsError::IncompatibleAlgorithm`] if the key is for something else;
    /// [`KmsError::Validation`] if it is too much; [`KmsError::OtherContext`]; as of [`Self::key`].
    pub fn encrypt(&self, under: &Under<'_, kms::Encrypt>, plain: &[u8]) -> Result<Encrypted, KmsError> {
        self.encrypt_under(under, plain)
    }

    /// Decrypts a blob of this key, by whichever of its materials it is under.
    ///
    /// # Errors
    /// [`KmsError::InvalidCiphertext`] whatever is wrong with it, and [`KmsError::IncorrectKey`] if it says that it is
    /// another key's; else as of [`Self::encrypt`].
    pub fn decrypt(&self, under: &Under<'_, kms::Decrypt>, blob: &[u8]) -> Result<Decrypted, KmsError> {
        self.decrypt_under(under, blob)
    }

    /// Decrypts a blob of one key and encrypts what was in it under another, or under another encryption context.
    ///
    /// # Errors
    /// As of [`Self::decrypt`] and [`Self::encrypt`].
    pub fn re_encrypt(
        &self,
        from: &Under<'_, kms::ReEncryptFrom>,
        to: &Under<'_, kms::ReEncryptTo>,
        blob: &[u8],
    ) -> Result<ReEncrypted, KmsError> {
        let decrypted = self.decrypt_under(from, blob)?;
        Ok(ReEncrypted {
            encrypted: self.encrypt_under(to, decrypted.plain.expose())?,
            source: decrypted.material,
        })
    }

    fn encrypt_under<A: Action>(&self, under: &Under<'_, A>, plain: &[u8]) -> Result<Encrypted, KmsError> {
        let key = self.unlocked_for(under.permit, under.context)?;
        check_algorithm::<A>(&key, under.algorithm)?;
        if under.algorithm != EncryptionAlgorithm::SymmetricDefault {
            without_context(under.context)?;
            let encrypted = key.prepared(&self.root)?.encrypt(under.algorithm, plain);
            return Ok(Encrypted {
                blob: encrypted.map_err(|refusal| refusal.of(&key.arn))?,
                material: None,
            });
        }
        if plain.is_empty() || plain.len() > MAX_PLAINTEXT {
            return Err(KmsError::Validation(format!(
                "Plaintext must have between 1 and {MAX_PLAINTEXT} bytes."
            )));
        }
        self.seal_blob(&key, under.context, plain)
    }

    fn decrypt_under<A: Action>(&self, under: &Under<'_, A>, blob: &[u8]) -> Result<Decrypted, KmsError> {
        let key = self.unlocked_for(under.permit, under.context)?;
        check_algorithm::<A>(&key, under.algorithm)?;
        if under.algorithm != EncryptionAlgorithm::SymmetricDefault {
            without_context(under.context)?;
            let decrypted = key.prepared(&self.root)?.decrypt(under.algorithm, blob);
            let mut plain = decrypted.map_err(|refusal| refusal.of(&key.arn))?;
            return Ok(Decrypted {
                plain: Secret::new(std::mem::take(&mut *plain)),
                material: None,
            });
        }
        self.open_blob(&key, under.context, blob)
    }

    /// Encrypts under the current material of a symmetric key.
    pub(super) fn seal_blob(
        &self,
        key: &Unlocked,
        context: &EncryptionContext,
        plain: &[u8],
    ) -> Result<Encrypted, KmsError> {
        let material = key.current(&self.root)?;
        Ok(Encrypted {
            blob: blob::seal(key, material, &context.digest(), plain, &*self.entropy)?,
            material: Some(*material.id),
        })
    }

    pub(super) fn open_blob(
        &self,
        key: &Unlocked,
        context: &EncryptionContext,
        blob: &[u8],
    ) -> Result<Decrypted, KmsError> {
        let blob = Blob::parse(blob)?;
        if *blob.key_id != key.id {
            return Err(KmsError::IncorrectKey);
        }
        if let Some(material) = key.material(blob.material, &self.root)? {
            return opened(key, material, (&blob, context));
        }
        let newer = self.newer(key)?;
        let material = newer.material(blob.material, &self.root)?;
        opened(
            &newer,
            material.ok_or(KmsError::InvalidCiphertext)?,
            (&blob, context),
        )
    }

    /// The key as another process has left it a moment ago: a material that is not known may be one that it was rotated to.
    fn newer(&self, key: &Unlocked) -> Result<Arc<Unlocked>, KmsError> {
        self.records.renew()?;
        let newer = self.read(&key.arn, self.clock.now())?;
        if newer.record.revision == key.record.revision {
            return Err(KmsError::InvalidCiphertext);
        }
        allows(newer.state_at(self.clock.now()), kms::Decrypt::NAME, &newer.arn)?;
        Ok(newer)
    }
}

fn opened(
    key: &Unlocked,
    material: Opened<'_>,
    (blob, context): (&Blob<'_>, &EncryptionContext),
) -> Result<Decrypted, KmsError> {
    Ok(Decrypted {
        plain: blob.open(key, material, &context.digest())?,
        material: Some(*material.id),
    })
}

/// Whether a key encrypts by `algorithm`.
pub(super) fn check_algorithm<A: Action>(
    key: &Unlocked,
    algorithm: EncryptionAlgorithm,
) -> Result<(), KmsError> {
    let (spec, usage) = (key.record.spec, key.record.usage);
    if usage != KeyUsage::EncryptDecrypt {
        Err(other_usage::<A>(key))
    } else if spec.encryption_algorithms(usage).contains(&algorithm) {
        Ok(())
    } else {
        Err(KmsError::IncompatibleAlgorithm(algorithm.as_str(), spec.as_str()))
    }
}

/// RSA takes no encryption context, and ignoring one would be a promise broken.
fn without_context(context: &EncryptionContext) -> Result<(), KmsError> {
    if context.pairs().next().is_none() {
        return Ok(());
    }
    Err(KmsError::Validation(
        "EncryptionContext is not supported with asymmetric KMS keys.".to_owned(),
    ))
}
