//! The root key of an installation, open: its file, what protects that, and the ring as it was last read.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use moho_iam::bootstrap::Attestation;
use moho_os::{
    FileLock, PrivateFileError, Residence, create_private, lock_file_in_turn, lock_file_shared,
    replace_private,
};
use moho_terms::{Entropy, Secret};

use super::error::RootKeyError;
use super::file::RootFile;
use super::kek::KeyEncryptionKey;
use super::ring::{FINGERPRINT, Root, RootRing};
use super::share::{Quorum, Share};
use super::{Development, RootKind, RootOfTrust};
use crate::error::KmsError;

/// The root key of an installation.
///
/// Several processes may have it open, and one of them may rotate it meanwhile (`rotate`).
/// Whoever *opens* what a root wrapped asks [`root`](Self::root), which reads the file again for a name that is not known
/// yet. Whoever *writes* what a root wraps holds a [`RootWriting`] until it is written, so that nothing is wrapped anew by
/// a root that is about to leave.
pub struct RootKey {
    path: PathBuf,
    protection: Arc<dyn RootOfTrust>,
    ring: RwLock<Arc<RootRing>>,
}

impl RootKey {
    /// The development root key in the file at `path`, which is created if it is absent.
    ///
    /// # Errors
    /// [`RootKeyError`] if the file is a link, belongs to or can be reached by others, was altered, or something protects
    /// it.
    pub fn development(path: &Path, entropy: &dyn Entropy) -> Result<Self, RootKeyError> {
        match Self::open(path, Arc::new(Development)) {
            Err(RootKeyError::File(PrivateFileError::Absent(_))) => {}
            opened => return opened,
        }
        match Self::create(path, Arc::new(Development), entropy) {
            // Another process was faster: its key is the key.
            Err(RootKeyError::File(PrivateFileError::Exists(_))) => Self::open(path, Arc::new(Development)),
            created => created,
        }
    }

    /// The root key in the file at `path`, which `passphrase` protects.
    ///
    /// # Errors
    /// [`RootKeyError`] if it is another one, or the file cannot be used.
    pub fn with_passphrase(path: &Path, passphrase: &Secret) -> Result<Self, RootKeyError> {
        let key = KeyEncryptionKey::of_passphrase(&RootFile::read(path)?, passphrase)?;
        Self::open(path, Arc::new(key))
    }

    /// The root key in the file at `path`, which so many of `shares` are enough to open.
    ///
    /// # Errors
    /// [`RootKeyError`] if they are others, or the file cannot be used.
    pub fn with_shares(path: &Path, shares: &[Share]) -> Result<Self, RootKeyError> {
        let key = KeyEncryptionKey::of_shares(&RootFile::read(path)?, shares)?;
        match Self::open(path, Arc::new(key)) {
            // They may be shares of the key that a passphrase leads to.
            Err(RootKeyError::WrongPassphrase) => Err(RootKeyError::WrongShares),
            opened => opened,
        }
    }

    /// The root key in the file at `path`, which has this protection.
    ///
    /// # Errors
    /// [`RootKeyError`] if it has another one, or the file cannot be used.
    pub fn open(path: &Path, protection: Arc<dyn RootOfTrust>) -> Result<Self, RootKeyError> {
        let ring = protection.open(&RootFile::read(path)?)?;
        Ok(Self {
            path: path.to_owned(),
            protection,
            ring: RwLock::new(Arc::new(ring)),
        })
    }

    /// A new root key, in a new file at `path`.
    ///
    /// # Errors
    /// [`PrivateFileError::Exists`] if there is a file; other [`RootKeyError`]s if there is no randomness, or the disk
    /// fails.
    pub fn create(
        path: &Path,
        protection: Arc<dyn RootOfTrust>,
        entropy: &dyn Entropy,
    ) -> Result<Self, RootKeyError> {
        let ring = RootRing::random(entropy)?;
        create_private(path, &protection.seal(&ring, entropy)?)?;
        Ok(Self {
            path: path.to_owned(),
            protection,
            ring: RwLock::new(Arc::new(ring)),
        })
    }

    /// What protects the file.
    #[must_use]
    pub fn kind(&self) -> RootKind {
        self.protection.kind()
    }

    /// What stands behind this root key.
    #[must_use]
    pub fn attestation(&self) -> Attestation {
        self.protection.attestation()
    }

    /// Whether the key is kept out of swap; a start-up warning if not.
    #[must_use]
    pub fn residence(&self) -> Residence {
        self.ring().residence()
    }

    /// A 32-byte secret for one purpose, always the same; no two purposes are related.
    ///
    /// # Errors
    /// [`KmsError::Cryptography`] if the library fails.
    pub fn derive(&self, purpose: &str) -> Result<Secret, KmsError> {
        self.ring().derive(purpose)
    }

    /// The ring as it was last read.
    #[must_use]
    pub fn ring(&self) -> Arc<RootRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again. Roots that are in it no more stay known to this process.
    ///
    /// # Errors
    /// [`RootKeyError`] if the file cannot be used any more; the ring stays what it was.
    pub fn reload(&self) -> Result<Arc<RootRing>, RootKeyError> {
        let ring = self.protection.open(&RootFile::read(&self.path)?)?;
        Ok(self.now(ring))
    }

    /// The root of this name, after a look into the file if it is not known yet; `None` if it is not there either.
    ///
    /// # Errors
    /// [`RootKeyError`] if the file cannot be used any more.
    pub fn root(&self, fingerprint: &[u8; FINGERPRINT]) -> Result<Option<Arc<Root>>, RootKeyError> {
        if let Some(known) = self.ring().by_fingerprint(fingerprint) {
            return Ok(Some(Arc::clone(known)));
        }
        Ok(self.reload()?.by_fingerprint(fingerprint).cloned())
    }

    /// The ring to wrap with, as it is in the file at this moment and until the guard is dropped: hold it until what was
    /// wrapped is where a rotation finds it.
    ///
    /// # Errors
    /// [`RootKeyError`] if the file cannot be used any more, or not be locked.
    pub fn writing(&self) -> Result<RootWriting, RootKeyError> {
        let lock = lock_file_shared(&self.beside("lock"))?;
        Ok(RootWriting {
            ring: self.reload()?,
            _lock: lock,
        })
    }

    /// Protects the file with something else, and everything in it stays the same. Who has it open has to open it anew
    /// before it is next rotated.
    ///
    /// # Errors
    /// [`RootKeyError`] if it is being rotated, or the disk fails; then it is protected as before.
    pub fn protect(
        self,
        protection: Arc<dyn RootOfTrust>,
        entropy: &dyn Entropy,
    ) -> Result<Self, RootKeyError> {
        let _nobody_rotates = self.rotating()?;
        let _nobody_writes = lock_file_in_turn(&self.beside("lock"))?;
        let ring = self.reload()?;
        replace_private(&self.path, &protection.seal(&ring, entropy)?)?;
        Ok(Self { protection, ..self })
    }

    /// Writes down that a store was authenticated under this ring, unless that is there: from then on no store of before there
    /// was a tree is taken for one of its stores ([`RootRing::has_store`]).
    ///
    /// # Errors
    /// [`RootKeyError`] if the file cannot be used any more, or the disk fails.
    pub fn note_store(&self, entropy: &dyn Entropy) -> Result<(), RootKeyError> {
        if !self.ring().has_store() && !self.reload()?.has_store() {
            self.replace(|ring| Ok(ring.with_store()), entropy)?;
        }
        Ok(())
    }

    /// Shares of what protects the file, so many of which open it.
    ///
    /// # Errors
    /// [`RootKeyError::InTheClear`] if nothing protects it.
    pub fn split(&self, quorum: Quorum, entropy: &dyn Entropy) -> Result<Vec<Share>, RootKeyError> {
        self.protection.split(quorum, entropy)
    }

    /// Puts a new ring into the file, made of the one that is in it at that moment, while nobody wraps anything.
    pub(super) fn replace(
        &self,
        change: impl FnOnce(RootRing) -> Result<RootRing, RootKeyError>,
        entropy: &dyn Entropy,
    ) -> Result<Arc<RootRing>, RootKeyError> {
        let _nobody_writes = lock_file_in_turn(&self.beside("lock"))?;
        let ring = change(self.protection.open(&RootFile::read(&self.path)?)?)?;
        replace_private(&self.path, &self.protection.seal(&ring, entropy)?)?;
        Ok(self.now(ring))
    }

    /// Keeps every other process from rotating or protecting.
    pub(super) fn rotating(&self) -> Result<FileLock, RootKeyError> {
        Ok(moho_os::lock_file_exclusive(&self.beside("rotation.lock"))?)
    }

    fn now(&self, ring: RootRing) -> Arc<RootRing> {
        let mut place = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        *place = Arc::new(ring.after(&place));
        Arc::clone(&place)
    }

    fn beside(&self, what: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".");
        name.push(what);
        self.path.with_file_name(name)
    }
}

/// The right to write what a root wraps: as long as there is one, no root leaves and none comes.
pub struct RootWriting {
    ring: Arc<RootRing>,
    _lock: FileLock,
}

impl RootWriting {
    /// The ring.
    #[must_use]
    pub fn ring(&self) -> &RootRing {
        &self.ring
    }
}
