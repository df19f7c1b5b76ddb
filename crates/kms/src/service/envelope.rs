//! The envelope that everything of a customer's rests in: sealed under a data key, and that under a KmsKey.

use std::sync::Arc;

use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_os::LockedBytes;
use moho_terms::{ContentBytes, Secret, Stopwatch};
use zeroize::Zeroizing;

use super::Kms;
use super::data_keys::DataKeyLength;
use super::encrypt::check_algorithm;
use crate::context::EncryptionContext;
use crate::data_keys::{DataKeyInUse, DataKeys, Purpose};
use crate::error::KmsError;
use crate::seal::{self, Opener, SealedError, SealedObject, Sealer, v1, v2};
use crate::spec::EncryptionAlgorithm;
use crate::unlocked::Unlocked;

impl Kms {
    /// The same, remembering data keys for a while, which this stopwatch measures.
    #[must_use]
    pub fn with_data_key_caching(mut self, stopwatch: Arc<dyn Stopwatch>) -> Self {
        self.data_keys = DataKeys::timed_by(stopwatch);
        self
    }

    /// Seals `plain` under the key and the context that the permit is for. It opens only under the same context.
    ///
    /// # Errors
    /// [`KmsError`] if the key is absent, disabled, damaged or no symmetric key; [`KmsError::OtherContext`] if the permit
    /// was not decided under [`EncryptionContext::condition_keys`].
    pub fn seal(
        &self,
        permit: &Permit<kms::GenerateDataKey>,
        context: &EncryptionContext,
        plain: &ContentBytes,
    ) -> Result<SealedObject, KmsError> {
        let key = self.unlocked_for(permit, context)?;
        check_algorithm::<kms::GenerateDataKey>(&key, EncryptionAlgorithm::SymmetricDefault)?;
        let digest = context.digest();
        let purpose = Purpose::seal(&key.record.key_id, &digest);
        let data_key = match self.data_keys.find(&purpose, &key.record, plain.len()) {
            Some(known) => known,
            None => {
                let (fresh, blob) = self.fresh_data_key(&key, context)?;
                let fresh = in_use(&fresh, blob)?;
                self.data_keys
                    .remember(purpose, &key.record, (Arc::clone(&fresh), plain.len()));
                fresh
            }
        };
        let parts = (data_key.plain.expose(), data_key.blob.as_slice());
        v2::seal(parts, &digest, plain, &*self.entropy)
    }

    /// Begins an object under the key and the context that the permit is for, whose chunks are sealed one after the other. It
    /// opens only under the same context. As nobody knows how long it becomes, its data key is no other object's.
    ///
    /// # Errors
    /// As for [`Self::seal`].
    pub fn sealer(
        &self,
        permit: &Permit<kms::GenerateDataKey>,
        context: &EncryptionContext,
    ) -> Result<Sealer, KmsError> {
        let key = self.unlocked_for(permit, context)?;
        check_algorithm::<kms::GenerateDataKey>(&key, EncryptionAlgorithm::SymmetricDefault)?;
        let (fresh, blob) = self.fresh_data_key(&key, context)?;
        v2::begin((fresh.expose(), &blob), &context.digest(), &*self.entropy)
    }

    /// Seals together what is sealed in parts under the key and the context that the permit is for: `join` makes one of what
    /// they hold, in their order, or `None` if it is none of that. Whoever may seal more under a context is told nothing of
    /// what is there: both happens in here.
    ///
    /// # Errors
    /// [`KmsError::Sealed`] if a part is not that; the others as for [`Self::seal`].
    pub fn seal_together(
        &self,
        permit: &Permit<kms::GenerateDataKey>,
        context: &EncryptionContext,
        parts: &[&[u8]],
        join: impl FnOnce(&[ContentBytes]) -> Option<ContentBytes>,
    ) -> Result<Option<SealedObject>, KmsError> {
        let key = self.unlocked_for(permit, context)?;
        check_algorithm::<kms::GenerateDataKey>(&key, EncryptionAlgorithm::SymmetricDefault)?;
        let mut opened = Vec::with_capacity(parts.len());
        for part in parts {
            opened.push(self.open_under(&key, context, &v2::Sealed::parse(part)?)?);
        }
        join(&opened)
            .map(|joined| self.seal(permit, context, &joined))
            .transpose()
    }

    /// Opens what was sealed under the key and the context that the permit is for.
    ///
    /// # Errors
    /// [`KmsError::Sealed`] if the bytes are not that; the others as for [`Self::seal`].
    pub fn open(
        &self,
        permit: &Permit<kms::Decrypt>,
        context: &EncryptionContext,
        sealed: &[u8],
    ) -> Result<ContentBytes, KmsError> {
        let key = self.unlocked_for(permit, context)?;
        check_algorithm::<kms::Decrypt>(&key, EncryptionAlgorithm::SymmetricDefault)?;
        match seal::version(sealed)? {
            (v1::VERSION, _) => v1::open(key.first(&self.root)?.bytes, &key.record.key_id, context, sealed),
            _ => self.open_under(&key, context, &v2::Sealed::parse(sealed)?),
        }
    }

    /// Opens the head of an object of version 2, which has `sealed_length` bytes, of which `head` holds the first ones:
    /// [`Sealer::HEAD_MAX`] are enough. Nothing is opened unless it is committed to the key and the context that the permit
    /// is for.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn opener(
        &self,
        permit: &Permit<kms::Decrypt>,
        context: &EncryptionContext,
        head: &[u8],
        sealed_length: u64,
    ) -> Result<Opener, KmsError> {
        let key = self.unlocked_for(permit, context)?;
        check_algorithm::<kms::Decrypt>(&key, EncryptionAlgorithm::SymmetricDefault)?;
        let sealed = v2::Sealed::parse(head)?;
        let bytes = usize::try_from(sealed_length).unwrap_or(usize::MAX);
        self.with_data_key(&key, context, (&sealed, bytes), |data_key, digest| {
            sealed.opener(data_key, digest, sealed_length)
        })
    }

    fn open_under(
        &self,
        key: &Unlocked,
        context: &EncryptionContext,
        sealed: &v2::Sealed<'_>,
    ) -> Result<ContentBytes, KmsError> {
        let bytes = sealed.body_length();
        self.with_data_key(key, context, (sealed, bytes), |data_key, digest| {
            sealed.open(data_key, digest)
        })
    }

    /// Finds the data key of an object for so many bytes, and remembers it if it is the object's.
    fn with_data_key<T>(
        &self,
        key: &Unlocked,
        context: &EncryptionContext,
        (sealed, bytes): (&v2::Sealed<'_>, usize),
        open: impl FnOnce(&[u8], &[u8; 32]) -> Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        if *sealed.key_id() != key.record.key_id {
            return Err(SealedError::OtherKey(sealed.key_id().clone()).into());
        }
        let digest = context.digest();
        let purpose = Purpose::open(sealed.blob, &digest);
        if let Some(known) = self.data_keys.find(&purpose, &key.record, bytes) {
            return open(known.plain.expose(), &digest);
        }
        let opened = match self.open_blob(key, context, sealed.blob) {
            Err(KmsError::InvalidCiphertext) => Err(SealedError::NotAuthentic.into()),
            opened => opened,
        };
        let data_key = in_use(&opened?.plain, Vec::new())?;
        let opened = open(data_key.plain.expose(), &digest)?;
        self.data_keys.remember(purpose, &key.record, (data_key, bytes));
        Ok(opened)
    }

    /// A data key that nobody has used yet, and what it is under its KmsKey.
    fn fresh_data_key(
        &self,
        key: &Unlocked,
        context: &EncryptionContext,
    ) -> Result<(Secret, Vec<u8>), KmsError> {
        let fresh = self.random(DataKeyLength::AES_256)?;
        let blob = self.seal_blob(key, context, fresh.expose())?.blob;
        Ok((fresh, blob))
    }
}

fn in_use(plain: &Secret, blob: Vec<u8>) -> Result<Arc<DataKeyInUse>, KmsError> {
    let mut copy = Zeroizing::new(plain.expose().to_vec());
    Ok(Arc::new(DataKeyInUse {
        plain: LockedBytes::take(&mut copy)?,
        blob,
    }))
}
