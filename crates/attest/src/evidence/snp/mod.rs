//! Attestation reports of AMD SEV-SNP guests (AMD 56860, "SEV Secure Nested Paging Firmware ABI", versions 2 to 5 of the report).
//!
//! A report is signed by a key of the chip (VCEK) or of the machine's provider (VLEK), whose certificate AMD issues for one level of
//! firmware, under an authority (ASK, ASVK) under AMD's root of the product (ARK). [`verify`] checks, in this order:
//!
//! 1. `encoding` of the report: exactly 1184 bytes; version 2, 3, 4 or 5; reserved bytes zero; guest policy without unknown bits and
//!    with bit 17; flags that agree with the author key's digest; a signature of two numbers of 48 bytes and zeros.
//! 2. `kind`: a report that the hypervisor asked for, not the guest.
//! 3. `algorithm`: another than ECDSA on P-384 with SHA-384. `signature`: a report that says itself that it is not signed.
//! 4. `encoding`, `algorithm`, `trust-anchor`, `chain`, `signature`, `validity` of certificates, as of every chain; the leaf's key is
//!    on P-384.
//! 5. `signature` of the report, under the leaf's key.
//! 6. `kind` and `encoding` of what the leaf says: a product that is known, a version of each part of its firmware, and either a chip or
//!    a provider.
//! 7. `binding` of leaf and report: the same kind of key, product (by the processor's family and model, from version 3 on),
//!    reported TCB, and chip. A report that masks its chip's id is taken from a VLEK only.
//! 8. `mode`: a guest policy that lets the hypervisor debug; a migration agent that the guest policy does not allow.
//!
//! Then [`SnpReference`], field by field: product (`kind`); measurement, host data, digests of identity and author keys
//! (`measurement`); endorser (`chain`); VMPL, guest policy bit by bit, platform features (`mode`); guest SVN (`measurement`); reported,
//! committed, launch and current TCB (`tcb`).
//!
//! The guest policy names a migration agent's permission, so that none is there unless the reference allows it. AMD's revocation
//! lists are not asked for: nothing here reads a network.

mod endorsement;
mod guest;
#[cfg(test)]
pub(crate) mod issuer;
mod reference;
#[cfg(test)]
mod reference_tests;
mod report;
#[cfg(test)]
mod tests;

use moho_terms::{Timestamp, hex};

use super::anchors::amd_authorities;
use super::claims::{Claims, EvidenceKind, Genuine};
use super::refusal::{Check, Part, Refusal};
use crate::x509::{Certificate, PublicKey, TrustAnchors, verify_chain};
use endorsement::Endorsement;
pub use endorsement::Endorser;
pub use guest::{GuestPolicy, PlatformInfo, Product, TcbVersion};
pub use reference::SnpReference;
pub(super) use reference::appraise;
pub use report::LENGTH;
use report::Report;

/// The certificates between AMD's root and a report, each in DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnpChain {
    endorsement: Vec<u8>,
    authority: Vec<u8>,
}

impl SnpChain {
    /// The certificate of a VCEK or VLEK, and the ASK or ASVK that issued it.
    #[must_use]
    pub fn new(endorsement: Vec<u8>, authority: Vec<u8>) -> Self {
        Self {
            endorsement,
            authority,
        }
    }

    /// The certificate of a VCEK, and the one of [`amd_authorities`] that its issuer's name is of.
    ///
    /// # Errors
    /// [`Refusal`]: it is no certificate, or its issuer is none of them.
    pub fn of_vcek(vcek: Vec<u8>) -> Result<Self, Refusal> {
        let refused = |check, found: String| Refusal::new(check, Part::Leaf, found);
        let read = Certificate::read(&vcek).map_err(|error| refused(Check::Encoding, error.to_string()))?;
        let known = amd_authorities().map_err(|error| refused(Check::TrustAnchor, error.to_string()))?;
        let issued_it =
            |der: &Vec<u8>| Certificate::read(der).is_ok_and(|authority| authority.subject == read.issuer);
        let authority = known.into_iter().find(issued_it).ok_or_else(|| {
            let found = "its issuer is no authority for VCEKs that is known: name its authority";
            refused(Check::Chain, found.to_owned())
        })?;
        Ok(Self::new(vcek, authority))
    }
}

/// What a report says besides the common claims.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnpClaims {
    /// The line of processors.
    pub product: Product,
    /// Whose key signed.
    pub endorser: Endorser,
    /// The chip's id, unless it is masked.
    pub chip_id: Option<[u8; 64]>,
    /// The privilege level within the guest that asked for the report.
    pub vmpl: u8,
    /// What the firmware lets the hypervisor do with the guest.
    pub guest_policy: GuestPolicy,
    /// What the guest's memory was when it started.
    pub measurement: [u8; 48],
    /// What the host said at its start.
    pub host_data: [u8; 32],
    /// What the guest gave to be told.
    pub report_data: [u8; 64],
    /// The family of the image, in its identity block.
    pub family_id: [u8; 16],
    /// The image, in its identity block.
    pub image_id: [u8; 16],
    /// The image's security version, in its identity block.
    pub guest_svn: u32,
    /// SHA-384 of the key that signed the identity block; zeros if there is none.
    pub id_key_digest: [u8; 48],
    /// SHA-384 of the key that certified that one; zeros if there is none.
    pub author_key_digest: [u8; 48],
    /// This start of the guest.
    pub report_id: [u8; 32],
    /// The report id of the guest's migration agent, if it has one.
    pub migration_agent: Option<[u8; 32]>,
    /// Features of the platform.
    pub platform_info: PlatformInfo,
    /// The firmware that the signing key is derived for.
    pub reported_tcb: TcbVersion,
    /// The oldest firmware that the platform can go back to.
    pub committed_tcb: TcbVersion,
    /// The firmware when the guest started or was brought here.
    pub launch_tcb: TcbVersion,
    /// The firmware that runs.
    pub current_tcb: TcbVersion,
}

/// Verifies a report at `now`: form, chain, signature, that chain and report are of the same chip and firmware, and that nothing lets the
/// hypervisor look into the guest.
///
/// # Errors
/// [`Refusal`]: which check, of which part, and what was found.
pub fn verify(
    report: &[u8],
    chain: &SnpChain,
    anchors: &TrustAnchors,
    now: Timestamp,
) -> Result<Genuine<Claims>, Refusal> {
    let report = Report::read(report)?;
    let leaf = verify_chain(anchors, &[&chain.authority], &chain.endorsement, now)?;
    let PublicKey::P384(point) = leaf.key else {
        let found = "its key is not on P-384, as reports are signed";
        return Err(Refusal::new(Check::Algorithm, Part::Leaf, found));
    };
    if !report.is_signed_by(point) {
        let found = "it was not signed by the key of its certificate, or was altered";
        return Err(Refusal::new(Check::Signature, Part::Report, found));
    }
    let endorsement = Endorsement::read(&leaf)?;
    endorsement.vouches_for(&report)?;
    closed(&report)?;
    Ok(Genuine::assertion(report.into_claims(endorsement)?))
}

/// That the hypervisor can neither debug the guest nor hand it to an agent behind its policy's back.
fn closed(report: &Report<'_>) -> Result<(), Refusal> {
    let refused = |found: &str| Err(Refusal::new(Check::Mode, Part::Report, found));
    if report.policy.allows_debugging() {
        return refused("the guest policy allows debugging: the hypervisor reads what the guest does");
    }
    if report.migration_agent.is_some() && !report.policy.allows_migration_agent() {
        return refused("it has a migration agent that its guest policy does not allow");
    }
    Ok(())
}

impl Report<'_> {
    fn into_claims(self, endorsement: Endorsement<'_>) -> Result<Claims, Refusal> {
        let Endorsement {
            product, endorser, ..
        } = endorsement;
        let chip_id = Some(self.chip_id).filter(|id| *id != [0; 64]);
        let platform = match (&chip_id, &endorser) {
            (Some(id), _) => hex::encode(id),
            (None, Endorser::Vlek { csp_id }) => csp_id.clone(),
            (None, Endorser::Vcek) => String::new(),
        };
        let mut claims = Claims::of(EvidenceKind::Snp, platform);
        claims.nonce = Some(self.report_data.to_vec());
        claims.snp = Some(Box::new(SnpClaims {
            product,
            endorser,
            chip_id,
            vmpl: self.vmpl,
            guest_policy: self.policy,
            measurement: self.measurement,
            host_data: self.host_data,
            report_data: self.report_data,
            family_id: self.family_id,
            image_id: self.image_id,
            guest_svn: self.guest_svn,
            id_key_digest: self.id_key_digest,
            author_key_digest: self.author_key_digest,
            report_id: self.report_id,
            migration_agent: self.migration_agent,
            platform_info: self.platform,
            reported_tcb: TcbVersion::read(self.reported_tcb, product)?,
            committed_tcb: TcbVersion::read(self.committed_tcb, product)?,
            launch_tcb: TcbVersion::read(self.launch_tcb, product)?,
            current_tcb: TcbVersion::read(self.current_tcb, product)?,
        }));
        Ok(claims)
    }
}
