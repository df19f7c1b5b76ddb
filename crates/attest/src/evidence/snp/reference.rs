//! Guests that a policy names, and the comparison of a report with them.

use super::super::claims::{Claims, Workload};
use super::super::nearest::{Difference, nearest, same_bytes};
use super::super::refusal::{Check, Part, Refusal};
use super::SnpClaims;
use super::endorsement::Endorser;
use super::guest::{GuestPolicy, PlatformInfo, Product, TcbVersion};

/// A guest that a policy names. Each field is compared, and none can be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnpReference {
    /// The line of processors, which `minimum_tcb` counts for.
    pub product: Product,
    /// Whose key signs: a chip's, or this one provider's.
    pub endorser: Endorser,
    /// What the guest's memory was when it started.
    pub measurement: [u8; 48],
    /// What the host said at its start; zeros if it says nothing.
    pub host_data: [u8; 32],
    /// The privilege level that asks for reports: 0, unless there is a paravisor below it.
    pub vmpl: u8,
    /// The guest policy, bit by bit.
    pub guest_policy: GuestPolicy,
    /// SHA-384 of the key that signed the guest's identity block; zeros if there is none.
    pub id_key_digest: [u8; 48],
    /// SHA-384 of the key that certified that one; zeros if there is none.
    pub author_key_digest: [u8; 48],
    /// The oldest image, by the number in its identity block.
    pub minimum_guest_svn: u32,
    /// The oldest firmware: at launch, now, reported, and the one that can be gone back to.
    pub minimum_tcb: TcbVersion,
    /// What must be on.
    pub required_platform: PlatformInfo,
    /// What such a guest is known to say of the program that runs.
    pub workload: Workload,
}

/// What the guest is known to say of its program, if it is one of `references`. Otherwise the refusal tells of the reference
/// that most of it agrees with.
pub(in crate::evidence) fn appraise(
    claims: &Claims,
    references: &[SnpReference],
) -> Result<Workload, Refusal> {
    let Some(found) = &claims.snp else {
        let found = "it says nothing of a guest of SEV-SNP";
        return Err(Refusal::new(Check::Kind, Part::Evidence, found));
    };
    nearest(references, Part::Report, |reference| reference.differences(found))
        .map(|reference| reference.workload)
}

impl SnpReference {
    /// For each field, what is wrong with it: what says which guest it is first, what says how it runs behind.
    fn differences(&self, found: &SnpClaims) -> [Difference; 11] {
        [
            (found.product != self.product).then(|| {
                let (found, wanted) = (found.product.name(), self.product.name());
                let found = format!("the product is {found}, and the policy names {wanted}");
                (Check::Kind, found)
            }),
            same_bytes("the measurement", &found.measurement, &self.measurement),
            same_bytes("the host data", &found.host_data, &self.host_data),
            same_bytes("the id key digest", &found.id_key_digest, &self.id_key_digest),
            same_bytes(
                "the author key digest",
                &found.author_key_digest,
                &self.author_key_digest,
            ),
            (found.endorser != self.endorser).then(|| {
                let (found, wanted) = (shown(&found.endorser), shown(&self.endorser));
                let found = format!("it is signed by {found}, and the policy names {wanted}");
                (Check::Chain, found)
            }),
            (found.vmpl != self.vmpl).then(|| {
                let (found, wanted) = (found.vmpl, self.vmpl);
                (
                    Check::Mode,
                    format!("the VMPL is {found}, and the policy names {wanted}"),
                )
            }),
            (found.guest_policy != self.guest_policy).then(|| {
                let (found, wanted) = (found.guest_policy, self.guest_policy);
                let found = format!("the guest policy is {found}, and the policy names {wanted}");
                (Check::Mode, found)
            }),
            (!found.platform_info.has(self.required_platform)).then(|| {
                let (found, wanted) = (found.platform_info.bits(), self.required_platform.bits());
                let found = format!("the platform info is {found:#x}, and the policy asks for {wanted:#x}");
                (Check::Mode, found)
            }),
            (found.guest_svn < self.minimum_guest_svn).then(|| {
                let (found, wanted) = (found.guest_svn, self.minimum_guest_svn);
                let found = format!("the guest SVN is {found}, and the policy asks for {wanted}");
                (Check::Measurement, found)
            }),
            self.old_firmware(found),
        ]
    }

    fn old_firmware(&self, found: &SnpClaims) -> Difference {
        let versions = [
            ("reported", found.reported_tcb),
            ("committed", found.committed_tcb),
            ("launch", found.launch_tcb),
            ("current", found.current_tcb),
        ];
        let (name, found) = versions
            .into_iter()
            .find(|(_, version)| !version.is_at_least(self.minimum_tcb))?;
        let wanted = self.minimum_tcb;
        Some((
            Check::Tcb,
            format!("the {name} TCB is {found}, and the policy asks for {wanted}"),
        ))
    }
}

fn shown(endorser: &Endorser) -> String {
    match endorser {
        Endorser::Vcek => "a chip's key (VCEK)".to_owned(),
        Endorser::Vlek { csp_id } => format!("the key of the provider `{csp_id}` (VLEK)"),
    }
}
