//! A root key file that a key-encryption key seals, which is not in it: a passphrase leads to that key, or shares of it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use moho_iam::bootstrap::Attestation;
use moho_os::LockedBytes;
use moho_terms::{Entropy, Secret};
use zeroize::Zeroizing;

use super::error::{RootKeyError, ShareError};
use super::file::{COMMITMENT, Parameters, RootFile, SEAL_SALT};
use super::passphrase::{self, PassphraseCost, SALT};
use super::ring::{RootRing, derivation};
use super::share::{Quorum, SET, Share};
use super::{RootKind, RootOfTrust};
use crate::crypto::{Cipher, KEY, NONCE, derive};

const WRAP_NONCE: [u8; NONCE] = [0; NONCE];

/// The key that seals a root key file, in locked memory, and how the file says to come by it.
///
/// It stays the same until the file is protected anew. So a process that opened the file once reads it again after a
/// rotation without asking for the passphrase, and the shares outlive rotations.
pub struct KeyEncryptionKey {
    parameters: Parameters,
    key: LockedBytes,
}

impl KeyEncryptionKey {
    /// A new key, which only `passphrase` leads to.
    ///
    /// # Errors
    /// [`RootKeyError::WeakPassphrase`] and [`RootKeyError::NotAPassphrase`]; else if there is no randomness or memory.
    pub fn of_new_passphrase(
        passphrase: &Secret,
        cost: PassphraseCost,
        entropy: &dyn Entropy,
    ) -> Result<Self, RootKeyError> {
        passphrase::strong(passphrase)?;
        let mut salt = [0; SALT];
        entropy.fill(&mut salt)?;
        Ok(Self {
            key: cost.key(passphrase, &salt)?,
            parameters: Parameters::Passphrase { cost, salt },
        })
    }

    /// A new key, which only so many of the shares lead to that are given with it.
    ///
    /// # Errors
    /// [`RootKeyError`] if there is no randomness or memory.
    pub fn of_new_shares(quorum: Quorum, entropy: &dyn Entropy) -> Result<(Self, Vec<Share>), RootKeyError> {
        let mut key = Zeroizing::new([0; KEY]);
        entropy.fill(key.as_mut_slice())?;
        let shares = Share::split(&key, quorum, entropy)?;
        let set = shares.first().map_or([0; SET], Share::set);
        let key = Self {
            parameters: Parameters::Shares { quorum, set },
            key: LockedBytes::take(key.as_mut_slice())?,
        };
        Ok((key, shares))
    }

    /// The key of `file`, which `passphrase` leads to. Whether it is the right one, [`RootOfTrust::open`] tells.
    ///
    /// # Errors
    /// [`RootKeyError`] if no passphrase protects the file, or there is no memory.
    pub fn of_passphrase(file: &RootFile, passphrase: &Secret) -> Result<Self, RootKeyError> {
        passphrase::typed(passphrase)?;
        match file.parameters() {
            Parameters::Passphrase { cost, salt } => Ok(Self {
                key: cost.key(passphrase, salt)?,
                parameters: file.parameters().clone(),
            }),
            Parameters::Shares { quorum, .. } => Err(needs(*quorum)),
            Parameters::Old | Parameters::Development => Err(RootKeyError::InTheClear),
        }
    }

    /// The key of `file`, which `shares` are of. Whether it is the right one, [`RootOfTrust::open`] tells.
    ///
    /// # Errors
    /// [`RootKeyError`] if the file is in the clear, or the shares are too few or do not go together.
    pub fn of_shares(file: &RootFile, shares: &[Share]) -> Result<Self, RootKeyError> {
        if file.kind() == RootKind::Development {
            return Err(RootKeyError::InTheClear);
        }
        let mut key = match (Share::combine(shares), file.quorum()) {
            (Err(ShareError::TooFew { found: 0, .. }), Some(quorum)) => return Err(needs(quorum)),
            (combined, _) => combined?,
        };
        Ok(Self {
            parameters: file.parameters().clone(),
            key: LockedBytes::take(key.as_mut_slice())?,
        })
    }

    /// The cipher of one file, and what commits the file to it.
    fn of_file(&self, salt: &[u8; SEAL_SALT]) -> Result<(Cipher, Zeroizing<[u8; COMMITMENT]>), RootKeyError> {
        let head = self.parameters.head();
        let expand = |label: &[u8]| derive(self.key.expose(), salt, &[label, &head]).map_err(derivation);
        let key = expand(b"moho/root/2 key")?;
        let commitment = expand(b"moho/root/2 commitment")?;
        Ok((Cipher::new(&key).map_err(derivation)?, commitment))
    }

    fn wrong(&self) -> RootKeyError {
        match self.parameters.kind() {
            RootKind::Passphrase => RootKeyError::WrongPassphrase,
            RootKind::Shares => RootKeyError::WrongShares,
            RootKind::Development => RootKeyError::InTheClear,
        }
    }
}

fn needs(quorum: Quorum) -> RootKeyError {
    RootKeyError::NeedsShares {
        threshold: quorum.threshold(),
        count: quorum.count(),
    }
}

impl RootOfTrust for KeyEncryptionKey {
    fn kind(&self) -> RootKind {
        self.parameters.kind()
    }

    fn attestation(&self) -> Attestation {
        Attestation::Development
    }

    fn open(&self, file: &RootFile) -> Result<RootRing, RootKeyError> {
        if *file.parameters() != self.parameters {
            return Err(RootKeyError::ProtectedAnew);
        }
        let damaged = || RootKeyError::Damaged;
        let (salt, rest) = file.ring().split_first_chunk().ok_or_else(damaged)?;
        let (commitment, sealed) = rest.split_first_chunk::<COMMITMENT>().ok_or_else(damaged)?;
        let (cipher, expected) = self.of_file(salt)?;
        if verify_slices_are_equal(commitment, expected.as_slice()).is_err() {
            return Err(self.wrong());
        }
        let mut ring = Zeroizing::new(Vec::with_capacity(sealed.len()));
        cipher
            .decrypt(WRAP_NONCE, b"", sealed, &mut ring)
            .ok_or_else(damaged)?;
        RootRing::parse(&ring)
    }

    /// The salt is fresh, so the cipher is used once and its nonce can be fixed.
    fn seal(&self, ring: &RootRing, entropy: &dyn Entropy) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
        let mut salt = [0; SEAL_SALT];
        entropy.fill(&mut salt)?;
        let (cipher, commitment) = self.of_file(&salt)?;
        let mut plain = Zeroizing::new(Vec::with_capacity(256));
        ring.write(&mut plain);
        // Ciphertext takes the plaintext's place: room for all of it, so that nothing moves and leaves a copy behind.
        let mut sealed = Zeroizing::new(Vec::with_capacity(512));
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(commitment.as_slice());
        cipher
            .encrypt(WRAP_NONCE, b"", &plain, &mut sealed)
            .map_err(derivation)?;
        Ok(RootFile::write(&self.parameters, &sealed))
    }

    fn split(&self, quorum: Quorum, entropy: &dyn Entropy) -> Result<Vec<Share>, RootKeyError> {
        let mut key = Zeroizing::new([0; KEY]);
        for (byte, of) in key.iter_mut().zip(self.key.expose()) {
            *byte = *of;
        }
        Ok(Share::split(&key, quorum, entropy)?)
    }
}
