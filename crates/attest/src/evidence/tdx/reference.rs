//! Domains that a policy names, and the comparison of a quote with them.

use super::super::claims::{Claims, Workload};
use super::super::nearest::{Difference, nearest, same_bytes};
use super::super::refusal::{Check, Part, Refusal};
use super::TdxClaims;
use super::verdict::TcbStatus;

/// A domain that a policy names. Each field is compared, and none can be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TdxReference {
    /// What the domain's memory was when it started (MRTD).
    pub mr_td: [u8; 48],
    /// What was measured while it ran, by firmware, loader, system and program (RTMR0 to RTMR3).
    pub rtmr: [[u8; 48]; 4],
    /// The configuration that its owner named; zeros if none.
    pub mr_config_id: [u8; 48],
    /// Its owner; zeros if none is named.
    pub mr_owner: [u8; 48],
    /// The configuration of its owner's; zeros if none is named.
    pub mr_owner_config: [u8; 48],
    /// What it was started with (TD ATTRIBUTES), bit by bit: performance counters (bit 63) are here, too.
    pub td_attributes: u64,
    /// Which extended features of the processor it may use (XFAM), bit by bit.
    pub xfam: u64,
    /// The firmware that is taken.
    pub tcb: AcceptedTcb,
    /// The oldest collateral, by the number of the event of security that it knows of (`tcbEvaluationDataNumber`).
    pub minimum_tcb_evaluation: u32,
    /// What such a domain is known to say of the program that runs.
    pub workload: Workload,
}

/// Firmware that a policy takes. By default up to date, and without an advisory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedTcb {
    /// What Intel may say of it.
    pub statuses: Vec<TcbStatus>,
    /// Intel's advisories that may be open for it: an advisory that is not named is not taken, whatever the status.
    pub advisories: Vec<String>,
}

impl Default for AcceptedTcb {
    fn default() -> Self {
        Self {
            statuses: vec![TcbStatus::UpToDate],
            advisories: Vec::new(),
        }
    }
}

/// What the domain is known to say of its program, if it is one of `references`. Otherwise the refusal tells of the reference
/// that most of it agrees with.
pub(in crate::evidence) fn appraise(
    claims: &Claims,
    references: &[TdxReference],
) -> Result<Workload, Refusal> {
    let Some(found) = &claims.tdx else {
        let found = "it says nothing of a domain of TDX";
        return Err(Refusal::new(Check::Kind, Part::Evidence, found));
    };
    nearest(references, Part::TdQuote, |reference| {
        reference.differences(found)
    })
    .map(|reference| reference.workload)
}

impl TdxReference {
    /// For each field, what is wrong with it: what says which domain it is first, what says how it runs behind.
    fn differences(&self, found: &TdxClaims) -> [Difference; 12] {
        let [rtmr0, rtmr1, rtmr2, rtmr3] = &found.rtmr;
        let [wanted0, wanted1, wanted2, wanted3] = &self.rtmr;
        [
            same_bytes("MRTD", &found.mr_td, &self.mr_td),
            same_bytes("RTMR0", rtmr0, wanted0),
            same_bytes("RTMR1", rtmr1, wanted1),
            same_bytes("RTMR2", rtmr2, wanted2),
            same_bytes("RTMR3", rtmr3, wanted3),
            same_bytes("MRCONFIGID", &found.mr_config_id, &self.mr_config_id),
            same_bytes("MROWNER", &found.mr_owner, &self.mr_owner),
            same_bytes("MROWNERCONFIG", &found.mr_owner_config, &self.mr_owner_config),
            same_bits("the TD attributes", found.td_attributes, self.td_attributes),
            same_bits("the XFAM", found.xfam, self.xfam),
            self.tcb.lacks(found),
            (found.tcb_evaluation < self.minimum_tcb_evaluation).then(|| {
                let (found, wanted) = (found.tcb_evaluation, self.minimum_tcb_evaluation);
                let found =
                    format!("the collateral is of TCB evaluation {found}, and the policy asks for {wanted}");
                (Check::Tcb, found)
            }),
        ]
    }
}

fn same_bits(name: &str, found: u64, wanted: u64) -> Difference {
    (found != wanted).then(|| {
        let found = format!("{name} are {found:#x}, and the policy names {wanted:#x}");
        (Check::Mode, found)
    })
}

impl AcceptedTcb {
    fn lacks(&self, found: &TdxClaims) -> Difference {
        if !self.statuses.contains(&found.tcb_status) {
            let accepted: Vec<&str> = self.statuses.iter().map(|status| status.name()).collect();
            let found = format!(
                "the TCB is {} ({}), and the policy takes {}",
                found.tcb_status.name(),
                found.advisories.join(", "),
                accepted.join(", ")
            );
            return Some((Check::Tcb, found));
        }
        let open = found
            .advisories
            .iter()
            .find(|open| !self.advisories.contains(open))?;
        let found = format!("the advisory {open} is open, and the policy does not take it");
        Some((Check::Tcb, found))
    }
}
