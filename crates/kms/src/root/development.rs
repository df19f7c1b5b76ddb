//! The development root: in the clear, in a file that only this user can read. It proves nothing and hides nothing.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use moho_iam::bootstrap::Attestation;
use moho_terms::Entropy;
use zeroize::Zeroizing;

use super::error::RootKeyError;
use super::file::{CHECK, Parameters, RootFile};
use super::ring::{Root, RootRing};
use super::share::{Quorum, Share};
use super::{RootKind, RootOfTrust};
use crate::crypto::KEY;

/// No protection but the file's permissions.
pub struct Development;

impl RootOfTrust for Development {
    fn kind(&self) -> RootKind {
        RootKind::Development
    }

    fn attestation(&self) -> Attestation {
        Attestation::Development
    }

    fn open(&self, file: &RootFile) -> Result<RootRing, RootKeyError> {
        match file.parameters() {
            Parameters::Development => RootRing::parse(file.ring()),
            Parameters::Old => old(file.ring()),
            Parameters::Passphrase { .. } => Err(RootKeyError::NeedsPassphrase),
            Parameters::Shares { quorum, .. } => Err(RootKeyError::NeedsShares {
                threshold: quorum.threshold(),
                count: quorum.count(),
            }),
        }
    }

    fn seal(&self, ring: &RootRing, _entropy: &dyn Entropy) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
        let mut plain = Zeroizing::new(Vec::with_capacity(256));
        ring.write(&mut plain);
        Ok(RootFile::write(&Parameters::Development, &plain))
    }

    fn split(&self, _quorum: Quorum, _entropy: &dyn Entropy) -> Result<Vec<Share>, RootKeyError> {
        Err(RootKeyError::InTheClear)
    }
}

/// The key of a file of the first format, with its check.
fn old(bytes: &[u8]) -> Result<RootRing, RootKeyError> {
    let (key, check) = bytes.split_first_chunk::<KEY>().ok_or(RootKeyError::CutShort)?;
    if verify_slices_are_equal(check, Root::check_of::<CHECK>(key)?.as_slice()).is_err() {
        return Err(RootKeyError::Damaged);
    }
    RootRing::of_one_key(key)
}
