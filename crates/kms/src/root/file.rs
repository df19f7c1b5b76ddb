//! The root key file, as it lies on the disk.
//!
//! ```text
//! magic "moho-root-key-2\n" (16) | kind (1) | parameters | ring | SHA-256 of all that, its first 8 bytes
//!
//! kind 1, development  no parameters; the ring in the clear
//! kind 2, passphrase   Argon2id: KiB of memory (4) | passes (4) | lanes (4) | salt (32)
//! kind 3, shares       how many it takes (1) | of how many (1) | name of the set (8)
//! ring, of 2 and 3     salt (32) | commitment (32) | AES-256-GCM of the ring, with its tag (16)
//! ring                 how many roots (1) | seed (32) | roots (32 each), the current one first
//!                      the number's highest bit is set once a store was authenticated under the ring
//! ```
//! Numbers are big-endian. The checksum tells a damaged file from a wrong passphrase; it protects from nobody. The key
//! that seals the ring is derived from the key-encryption key, the salt and everything before the salt; the commitment,
//! too, and it is compared before anything is decrypted. Files of the first format, `moho-dev-root-1\n`, still open.

use std::path::Path;

use aws_lc_rs::digest;
use moho_os::read_private_within;
use zeroize::Zeroizing;

use super::RootKind;
use super::error::RootKeyError;
use super::passphrase::{PassphraseCost, SALT};
use super::ring::RootRing;
use super::share::{Quorum, SET};
use crate::crypto::{KEY, TAG};

/// What a file of the first format begins with. It has a key and eight bytes of check.
pub(super) const OLD: &[u8; 16] = b"moho-dev-root-1\n";
/// What a file of this format begins with.
const MAGIC: &[u8; 16] = b"moho-root-key-2\n";
/// What a file of any later format will begin with.
const FAMILY: &[u8] = b"moho-root-key-";
/// Bytes of the checksum, and of the check of old.
pub(super) const CHECK: usize = 8;
/// Bytes of the salt and the commitment before a sealed ring.
pub(super) const SEAL_SALT: usize = 32;
pub(super) const COMMITMENT: usize = 32;
/// More bytes than any root key file has.
const MOST: usize = 512;

/// How a ring is protected, as its file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parameters {
    /// By nothing, in a file of the first format.
    Old,
    /// By nothing.
    Development,
    /// By what a passphrase comes to with this salt, at this cost.
    Passphrase { cost: PassphraseCost, salt: [u8; SALT] },
    /// By a key that was split.
    Shares { quorum: Quorum, set: [u8; SET] },
}

impl Parameters {
    pub(super) fn kind(&self) -> RootKind {
        match self {
            Self::Old | Self::Development => RootKind::Development,
            Self::Passphrase { .. } => RootKind::Passphrase,
            Self::Shares { .. } => RootKind::Shares,
        }
    }

    /// Everything before the ring.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(MOST);
        match self {
            Self::Old => head.extend_from_slice(OLD),
            Self::Development => head.extend([MAGIC.as_slice(), &[1]].concat()),
            Self::Passphrase { cost, salt } => {
                head.extend([MAGIC.as_slice(), &[2], &cost.to_bytes(), salt].concat());
            }
            Self::Shares { quorum, set } => {
                head.extend([MAGIC.as_slice(), &[3, quorum.threshold(), quorum.count()], set].concat());
            }
        }
        head
    }

    /// What stands before the ring in bytes that begin with [`MAGIC`], and what follows.
    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), RootKeyError> {
        let cut = || RootKeyError::CutShort;
        let (kind, rest) = bytes.split_first().ok_or_else(cut)?;
        match *kind {
            1 => Ok((Self::Development, rest)),
            2 => {
                let (cost, rest) = rest.split_first_chunk().ok_or_else(cut)?;
                let (salt, rest) = rest.split_first_chunk().ok_or_else(cut)?;
                let cost = PassphraseCost::from_bytes(cost)?;
                Ok((Self::Passphrase { cost, salt: *salt }, rest))
            }
            3 => {
                let (quorum, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
                let (set, rest) = rest.split_first_chunk().ok_or_else(cut)?;
                let [threshold, count] = *quorum;
                let quorum = Quorum::new(threshold, count).map_err(|_not_one| RootKeyError::Damaged)?;
                Ok((Self::Shares { quorum, set: *set }, rest))
            }
            _ => Err(RootKeyError::Format),
        }
    }
}

/// A root key file, read but not opened.
pub struct RootFile {
    parameters: Parameters,
    /// The ring as it lies there.
    ring: Zeroizing<Vec<u8>>,
}

impl RootFile {
    /// Reads the file at `path`, and opens nothing.
    ///
    /// # Errors
    /// [`RootKeyError`] if it is not as private as it must be, is no root key file, or is damaged.
    pub fn read(path: &Path) -> Result<Self, RootKeyError> {
        Self::parse(&read_private_within(path, MOST)?)
    }

    /// What protects it.
    #[must_use]
    pub fn kind(&self) -> RootKind {
        self.parameters.kind()
    }

    /// How many shares open it, if it is protected by shares.
    #[must_use]
    pub fn quorum(&self) -> Option<Quorum> {
        match &self.parameters {
            Parameters::Shares { quorum, .. } => Some(*quorum),
            Parameters::Old | Parameters::Development | Parameters::Passphrase { .. } => None,
        }
    }

    /// What a try of a passphrase costs, if it is protected by one.
    #[must_use]
    pub fn cost(&self) -> Option<PassphraseCost> {
        match &self.parameters {
            Parameters::Passphrase { cost, .. } => Some(*cost),
            Parameters::Old | Parameters::Development | Parameters::Shares { .. } => None,
        }
    }

    pub(super) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The ring as it lies there.
    pub(super) fn ring(&self) -> &[u8] {
        &self.ring
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, RootKeyError> {
        let (magic, rest) = bytes.split_first_chunk().ok_or(RootKeyError::NotRootKey)?;
        if magic == OLD {
            let ring = exactly(rest, KEY + CHECK)?;
            return Ok(Self {
                parameters: Parameters::Old,
                ring: Zeroizing::new(ring.to_vec()),
            });
        }
        if magic != MAGIC {
            let family = magic.starts_with(FAMILY);
            return Err(if family {
                RootKeyError::Format
            } else {
                RootKeyError::NotRootKey
            });
        }
        let body = rest.len().checked_sub(CHECK).ok_or(RootKeyError::CutShort)?;
        let (body, sum) = rest.split_at_checked(body).ok_or(RootKeyError::CutShort)?;
        let whole = checksum(&[magic, body]) == *sum;
        let (parameters, ring) = match Parameters::parse(body) {
            Ok(read) => read,
            // What a damaged file asks for is no news.
            Err(RootKeyError::CutShort) => return Err(RootKeyError::CutShort),
            Err(_) if !whole => return Err(RootKeyError::Damaged),
            Err(error) => return Err(error),
        };
        let around = match parameters.kind() {
            RootKind::Development => 0,
            RootKind::Passphrase | RootKind::Shares => SEAL_SALT + COMMITMENT + TAG,
        };
        let inside = ring.len().checked_sub(around).ok_or(RootKeyError::CutShort)?;
        if !whole && !RootRing::can_have(inside) && bytes.len() < MOST {
            return Err(RootKeyError::CutShort);
        }
        if !whole || !RootRing::can_have(inside) {
            return Err(RootKeyError::Damaged);
        }
        Ok(Self {
            parameters,
            ring: Zeroizing::new(ring.to_vec()),
        })
    }

    /// The file, written down again.
    pub(crate) fn print(&self) -> Vec<u8> {
        match self.parameters {
            Parameters::Old => [self.parameters.head().as_slice(), &self.ring].concat(),
            Parameters::Development | Parameters::Passphrase { .. } | Parameters::Shares { .. } => {
                Self::write(&self.parameters, &self.ring).to_vec()
            }
        }
    }

    /// The bytes of a file with this `ring`, as it shall lie there.
    pub(super) fn write(parameters: &Parameters, ring: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut file = Zeroizing::new(Vec::with_capacity(MOST));
        file.extend_from_slice(&parameters.head());
        file.extend_from_slice(ring);
        let sum = checksum(&[&file]);
        file.extend_from_slice(&sum);
        file
    }
}

fn exactly(bytes: &[u8], length: usize) -> Result<&[u8], RootKeyError> {
    match bytes.len() {
        found if found == length => Ok(bytes),
        found if found < length => Err(RootKeyError::CutShort),
        _ => Err(RootKeyError::Damaged),
    }
}

fn checksum(parts: &[&[u8]]) -> [u8; CHECK] {
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in parts {
        hash.update(part);
    }
    let mut sum = [0; CHECK];
    for (byte, of) in sum.iter_mut().zip(hash.finish().as_ref()) {
        *byte = *of;
    }
    sum
}
