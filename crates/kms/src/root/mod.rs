//! The root of trust: the one secret that is not wrapped by another.
//!
//! It lives in one file ([`RootFile`]), which holds a [`RootRing`]: the root that wraps now, the one that a rotation has
//! not done with yet, and a seed that other secrets are derived from. What keeps the ring from whoever gets hold of the
//! file is a [`RootOfTrust`]: nothing at all ([`Development`]), or a [`KeyEncryptionKey`] that comes of a passphrase or of
//! so many of the shares that it was split into. None of them proves anything about the machine, which is why
//! [`RootKey::attestation`] says `development` and everything that talks to the outside repeats it.

mod development;
mod error;
mod file;
mod kek;
mod key;
mod passphrase;
mod ring;
mod rotation;
mod shamir;
mod share;
mod store_key;
#[cfg(test)]
mod tests;

use moho_iam::bootstrap::Attestation;
use moho_terms::Entropy;
use zeroize::Zeroizing;

pub use development::Development;
pub use error::{RootKeyError, ShareError};
pub use file::RootFile;
pub use kek::KeyEncryptionKey;
pub use key::{RootKey, RootWriting};
pub use passphrase::PassphraseCost;
pub use ring::{Root, RootRing};
pub use rotation::{RootRotation, RootRotationError, RootRotationStep, RootRotationWish};
pub use share::{Quorum, Share};
pub use store_key::{Macing, StoreCipher, StoreKey, StoreMac};

pub(crate) use ring::FINGERPRINT;

/// What a root key file is protected by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootKind {
    /// Nothing but the file's permissions.
    Development,
    /// A passphrase.
    Passphrase,
    /// So many of the shares of a key.
    Shares,
}

impl RootKind {
    /// One word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Passphrase => "passphrase",
            Self::Shares => "shares",
        }
    }
}

/// What turns a ring into the bytes of a root key file, and back.
pub trait RootOfTrust: Send + Sync {
    /// What the file says of itself.
    fn kind(&self) -> RootKind;

    /// What stands behind a ring that is kept so.
    fn attestation(&self) -> Attestation;

    /// The ring in the file.
    ///
    /// # Errors
    /// [`RootKeyError`] if this is not what protects the file, or the file was altered.
    fn open(&self, file: &RootFile) -> Result<RootRing, RootKeyError>;

    /// The bytes of a file with this ring.
    ///
    /// # Errors
    /// [`RootKeyError`] if there is no randomness.
    fn seal(&self, ring: &RootRing, entropy: &dyn Entropy) -> Result<Zeroizing<Vec<u8>>, RootKeyError>;

    /// Shares, so many of which open what this protects, until it is protected anew.
    ///
    /// # Errors
    /// [`RootKeyError::InTheClear`] if there is nothing to split.
    fn split(&self, quorum: Quorum, entropy: &dyn Entropy) -> Result<Vec<Share>, RootKeyError>;
}
