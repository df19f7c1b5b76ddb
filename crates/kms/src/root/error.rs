//! Why a root key cannot be had, told apart by what there is to do about it.

use moho_os::{LockError, MemoryError, PrivateFileError};
use moho_terms::EntropyUnavailable;

use crate::error::KmsError;

/// The root key could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootKeyError {
    /// Its file is not as private as it must be, or the disk failed.
    #[error("the root key cannot be used")]
    File(#[from] PrivateFileError),
    /// The file is something else.
    #[error("the root key file does not hold a moho root key: restore it from a backup")]
    NotRootKey,
    /// A later version wrote it.
    #[error(
        "the root key file has a format that this version of moho cannot read: use the version that wrote it"
    )]
    Format,
    /// The end is missing.
    #[error("the root key file is cut short: restore it from a backup")]
    CutShort,
    /// The file was altered.
    #[error("the root key file is damaged: restore it from a backup")]
    Damaged,
    /// The file asks for more work than any passphrase is worth.
    #[error(
        "the root key file asks for {0}, which moho never does: it was altered, restore it from a backup"
    )]
    Cost(&'static str),
    /// It is protected by a passphrase, which was not given.
    #[error("the root key file is protected by a passphrase")]
    NeedsPassphrase,
    /// It is protected by shares, which were not given.
    #[error("the root key file is protected by shares, {threshold} of {count} of which open it")]
    NeedsShares {
        /// How many it takes.
        threshold: u8,
        /// How many there are.
        count: u8,
    },
    /// Another passphrase protects it.
    #[error("the passphrase does not open the root key file: it is another one, or the file was altered")]
    WrongPassphrase,
    /// Other shares protect it.
    #[error(
        "the shares do not open the root key file: they are of another root key, or of before it was last protected"
    )]
    WrongShares,
    /// A passphrase that anybody guesses.
    #[error("a passphrase has at least {0} characters: take several words")]
    WeakPassphrase(usize),
    /// A passphrase that cannot be told by whoever reads it aloud.
    #[error("a passphrase is one line of text, of at most {0} bytes")]
    NotAPassphrase(usize),
    /// The shares themselves.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// There is no key that could be split.
    #[error(
        "a development root key lies in its file in the clear: protect it with `moho root protect` first"
    )]
    InTheClear,
    /// Somebody protected the file with something else, after it was opened.
    #[error("the root key file was protected anew since it was opened: restart moho")]
    ProtectedAnew,
    /// A root was to be added to a ring that has as many as it can have.
    #[error("the last rotation of the root key has not ended: let it end first")]
    RingFull,
    /// Another process is at it, or the disk failed.
    #[error("the root key file cannot be locked")]
    Lock(#[from] LockError),
    /// No random bytes for a new key.
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
    /// No memory for the key.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// Not as much memory as the passphrase takes.
    #[error("there are no {0} MiB of memory, which the passphrase of the root key file takes")]
    NoRoom(u32),
    /// The cryptographic library failed.
    #[error("the root key cannot be derived from")]
    Derivation(#[source] Box<KmsError>),
}

/// Text that is no share, or shares that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// Something else.
    #[error("this is no share: one begins with `moho-share-1`, and is one line")]
    NotAShare,
    /// A part of it is missing, or one too many.
    #[error("a share has six parts, with spaces between them")]
    Parts,
    /// A part of it is not what stands there.
    #[error("the {0} of the share cannot be read")]
    Unreadable(&'static str),
    /// It was copied wrongly.
    #[error("the share was copied wrongly: its checksum does not fit")]
    Checksum,
    /// The same one twice.
    #[error("share {0} is there twice")]
    Repeated(u8),
    /// Of two splittings.
    #[error("the shares are not of one set: `{0}` and `{1}`")]
    Mixed(String, String),
    /// Not enough.
    #[error("these are {found} shares, and it takes {threshold}")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many it takes.
        threshold: u8,
    },
    /// Not so many of so many.
    #[error("shares are so many of so many, as `3/5`: at least 2, and at most 255")]
    Quorum,
}
