//! Quotes of Intel TDX domains, of versions 4 and 5, against Intel's collateral (Intel, "TDX DCAP Quoting Library API"; PCS API v4).
//!
//! A quote is a domain's report, signed by Intel's quoting enclave, whose own report is signed by the platform's key (PCK), whose chain
//! begins at Intel's root. Collateral is what Intel says of the platform's firmware for thirty days or so. [`verify`] reads the quote and
//! the collateral's dates itself and leaves signatures, revocation and levels of firmware to dcap-qvl, over our own cryptographic
//! library and reader of X.509. It checks, in this order:
//!
//! 1. `encoding` of the quote: 16 KiB at most; version 4 or 5; each length to the last byte, nothing behind; three certificates in PEM
//!    as Intel writes them. `kind`: SGX, another vendor's quoting enclave. `algorithm`: another than ECDSA on P-256 with SHA-256.
//! 2. `encoding` of the collateral: 256 KiB at most of JSON; every member, date and certificate can be read. A PCK chain of its own
//!    is not taken: the quote's is.
//! 3. `trust-anchor`: the quote's root is one of the anchors, and the collateral's chains begin at it.
//! 4. `validity`: the quote's three certificates, TCB info, QE identity, both revocation lists and their chains, before or behind
//!    their time.
//! 5. `mode`: debugging or profiling of the domain (TD ATTRIBUTES, bits 0 to 7), migration (bit 29), service domains (bit 17,
//!    MRSERVICETD), or pages that the host can take away behind its back (bit 28, SEPT_VE_DISABLE, not set).
//! 6. dcap-qvl: `signature` of TCB info, QE identity, revocation lists and certificates; `chain`, with no certificate revoked;
//!    `signature` of the quoting enclave's report, and of the domain's by the key that the former binds (`binding`); that the
//!    quoting enclave is Intel's and not in debug mode; that collateral and platform are of one model (`binding`); that the TDX module
//!    is Intel's; and that the level of firmware is one that Intel knows and has not revoked (`tcb`).
//!
//! Then [`TdxReference`], field by field: MRTD, RTMR0 to RTMR3, MRCONFIGID, MROWNER, MROWNERCONFIG (`measurement`); TD ATTRIBUTES and XFAM
//! bit by bit (`mode`); status and advisories of the firmware, and how recent the collateral is (`tcb`).
//!
//! Performance counters (bit 63, PERFMON) are the domain's own and Intel counts them among what leaves its security as it is: they are
//! not refused here, but a reference names every bit.

mod backend;
mod collateral;
#[cfg(test)]
pub(crate) mod issuer;
mod quote;
mod reference;
#[cfg(test)]
mod reference_tests;
#[cfg(test)]
mod tests;
mod verdict;

use dcap_qvl::verify::QuoteVerifier;
use moho_terms::{Timestamp, hex};

use super::claims::{Claims, EvidenceKind, Genuine};
use super::refusal::{Check, Part, Refusal};
use crate::x509::TrustAnchors;
use backend::Backend;
use collateral::Collateral;
pub use collateral::LONGEST as LONGEST_COLLATERAL;
pub use quote::LONGEST;
use quote::{Quote, TdReport};
pub(super) use reference::appraise;
pub use reference::{AcceptedTcb, TdxReference};
pub use verdict::TcbStatus;

/// What a quote says besides the common claims.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TdxClaims {
    /// What the domain's memory was when it started (MRTD).
    pub mr_td: [u8; 48],
    /// What was measured while it ran (RTMR0 to RTMR3).
    pub rtmr: [[u8; 48]; 4],
    /// The configuration that its owner named.
    pub mr_config_id: [u8; 48],
    /// Its owner.
    pub mr_owner: [u8; 48],
    /// The configuration of its owner's.
    pub mr_owner_config: [u8; 48],
    /// What it was started with (TD ATTRIBUTES).
    pub td_attributes: u64,
    /// Which extended features of the processor it may use (XFAM).
    pub xfam: u64,
    /// What the domain gave to be told.
    pub report_data: [u8; 64],
    /// The TDX module that runs it (MRSEAM), which Intel signed.
    pub mr_seam: [u8; 48],
    /// The versions of the TDX module and the firmware below it (TEE_TCB_SVN).
    pub tee_tcb_svn: [u8; 16],
    /// What Intel says of the platform's firmware.
    pub tcb_status: TcbStatus,
    /// Intel's advisories that are open for it.
    pub advisories: Vec<String>,
    /// The number of Intel's latest event of security that the collateral knows of.
    pub tcb_evaluation: u32,
}

/// Verifies a quote against collateral (JSON, as dcap-qvl has it) at `now`, under `anchors` ([`super::intel_roots`]).
///
/// # Errors
/// [`Refusal`]: which check, of which part, and what was found.
pub fn verify(
    quote: &[u8],
    collateral: &[u8],
    anchors: &TrustAnchors,
    now: Timestamp,
) -> Result<Genuine<Claims>, Refusal> {
    let read = Quote::read(quote)?;
    let collateral = Collateral::read(collateral)?;
    let root = read.chain.root(anchors)?;
    collateral.is_of(root)?;
    read.chain.in_time(now)?;
    collateral.in_time(now)?;
    closed(&read.report)?;
    let verified = QuoteVerifier::<Backend>::new_with_config(root.to_vec())
        .verify(quote, &collateral.read, now.unix_seconds())
        .map_err(|error| verdict::refusal(&error))?;
    let Some(status) = TcbStatus::from_name(&verified.status) else {
        let found = "its firmware is of a status that is not known";
        return Err(Refusal::new(Check::Tcb, Part::Collateral, found));
    };
    let mut claims = Claims::of(EvidenceKind::Tdx, hex::encode(&verified.ppid));
    claims.nonce = Some(read.report.report_data.to_vec());
    let tcb_evaluation = collateral.tcb_evaluation();
    let verdict = (status, verified.advisory_ids, tcb_evaluation);
    claims.tdx = Some(Box::new(read.report.into_claims(verdict)));
    Ok(Genuine::assertion(claims))
}

/// Bits of TD ATTRIBUTES (Intel, "TDX Module ABI Specification", 348551).
const UNDER_DEBUG: u64 = 0xff;
const SERVICE_DOMAINS: u64 = 1 << 17;
const SEPT_VE_DISABLE: u64 = 1 << 28;
const MIGRATABLE: u64 = 1 << 29;

/// That neither the host nor another domain can look into it.
fn closed(report: &TdReport) -> Result<(), Refusal> {
    let refused = |found: &str| Err(Refusal::new(Check::Mode, Part::TdQuote, found));
    let has = |bits: u64| report.td_attributes & bits != 0;
    if has(UNDER_DEBUG) {
        return refused("the domain is under debug: the host reads or profiles what it does");
    }
    if has(MIGRATABLE) {
        return refused("the domain can be migrated to where another domain likes");
    }
    if has(SERVICE_DOMAINS) || report.mr_service_td.is_some_and(|bound| bound != [0; 48]) {
        return refused("another domain is bound to it and may reach into it");
    }
    if !has(SEPT_VE_DISABLE) {
        return refused("the host can take pages of the domain away and have it go on without them");
    }
    Ok(())
}

impl TdReport {
    fn into_claims(
        self,
        (tcb_status, advisories, tcb_evaluation): (TcbStatus, Vec<String>, u32),
    ) -> TdxClaims {
        TdxClaims {
            mr_td: self.mr_td,
            rtmr: self.rtmr,
            mr_config_id: self.mr_config_id,
            mr_owner: self.mr_owner,
            mr_owner_config: self.mr_owner_config,
            td_attributes: self.td_attributes,
            xfam: self.xfam,
            report_data: self.report_data,
            mr_seam: self.mr_seam,
            tee_tcb_svn: self.tee_tcb_svn,
            tcb_status,
            advisories,
            tcb_evaluation,
        }
    }
}
