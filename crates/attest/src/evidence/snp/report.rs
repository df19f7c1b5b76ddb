//! The report itself: 1184 bytes of fixed fields (AMD 56860, "SEV Secure Nested Paging Firmware ABI", ATTESTATION_REPORT), and
//! nothing about who signed them.

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};

use super::super::layout::Layout;
use super::super::refusal::{Check, Part, Refusal};
use super::guest::{GuestPolicy, PlatformInfo};

/// Bytes of a report of any version.
pub const LENGTH: usize = 1184;
/// Bytes of it that are signed.
pub(super) const SIGNED: usize = 0x2a0;
/// Versions whose fields are known: 3 tells the processor, 4 and 5 tell which mitigations are verified.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=5;
/// `SIGNATURE_ALGO` of ECDSA on P-384 with SHA-384, the only one there is.
const ECDSA_P384_SHA384: u32 = 1;
/// `VMPL` of a report that the hypervisor asked for, not the guest (SNP_HV_REPORT_REQ).
const OF_THE_HYPERVISOR: u32 = u32::MAX;

/// Which kind of key a report says that it was signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SigningKey {
    /// The chip's own.
    Vcek,
    /// One that AMD gave to the machine's provider.
    Vlek,
}

/// What a report says, before anybody has looked who signed it. TCB versions are still bytes: their layout is the product's.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) guest_svn: u32,
    pub(super) policy: GuestPolicy,
    pub(super) family_id: [u8; 16],
    pub(super) image_id: [u8; 16],
    pub(super) vmpl: u8,
    pub(super) current_tcb: [u8; 8],
    pub(super) platform: PlatformInfo,
    pub(super) signing_key: SigningKey,
    pub(super) report_data: [u8; 64],
    pub(super) measurement: [u8; 48],
    pub(super) host_data: [u8; 32],
    pub(super) id_key_digest: [u8; 48],
    pub(super) author_key_digest: [u8; 48],
    pub(super) report_id: [u8; 32],
    /// The report id of an associated migration agent.
    pub(super) migration_agent: Option<[u8; 32]>,
    pub(super) reported_tcb: [u8; 8],
    /// Family and model of the processor, from version 3 on.
    pub(super) cpuid: Option<(u8, u8)>,
    /// All zeros if it is masked.
    pub(super) chip_id: [u8; 64],
    pub(super) committed_tcb: [u8; 8],
    pub(super) launch_tcb: [u8; 8],
    signed: &'a [u8],
    /// `r` and `s`, 48 bytes each, most significant byte first.
    signature: [u8; 96],
}

fn refused<T>(check: Check, found: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(check, Part::Report, found))
}

impl<'a> Report<'a> {
    /// Reads exactly one report.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let (signed, signature) = halves(bytes)?;
        let mut fields = Layout::new(signed, Part::Report);
        let version = fields.u32()?;
        if !VERSIONS.contains(&version) {
            return refused(Check::Encoding, format!("its version {version} is not known"));
        }
        let guest_svn = fields.u32()?;
        let policy = fields.u64()?;
        let (family_id, image_id) = (fields.array()?, fields.array()?);
        let vmpl = vmpl(fields.u32()?)?;
        if fields.u32()? != ECDSA_P384_SHA384 {
            let found = "it is not signed by ECDSA on P-384 with SHA-384";
            return refused(Check::Algorithm, found);
        }
        let current_tcb = fields.array()?;
        let platform = PlatformInfo::from_bits(fields.u64()?);
        let (signing_key, author_key) = keys(fields.u32()?)?;
        fields.zeros(4)?;
        let (report_data, measurement, host_data) = (fields.array()?, fields.array()?, fields.array()?);
        let (id_key_digest, author_key_digest) = (fields.array()?, fields.array()?);
        says_if_it_has_one(author_key, &author_key_digest)?;
        let (report_id, agent) = (fields.array()?, fields.array()?);
        let reported_tcb = fields.array()?;
        let cpuid = cpuid(version, &mut fields)?;
        let (chip_id, committed_tcb) = (fields.array()?, fields.array()?);
        for _firmware in ["current", "committed"] {
            fields.bytes(3)?;
            fields.zeros(1)?;
        }
        let launch_tcb = fields.array()?;
        if version >= 4 {
            // LAUNCH_MIT_VECTOR and CURRENT_MIT_VECTOR: their bits are a platform's own, and nothing is decided by them.
            fields.bytes(16)?;
        }
        fields.zeros(fields.length())?;
        Ok(Self {
            guest_svn,
            policy: GuestPolicy::from_bits(policy)
                .map_err(|found| Refusal::new(Check::Encoding, Part::Report, found))?,
            family_id,
            image_id,
            vmpl,
            current_tcb,
            platform,
            signing_key,
            report_data,
            measurement,
            host_data,
            id_key_digest,
            author_key_digest,
            report_id,
            // Without an agent, firmware writes ones; zeros were written by early ones.
            migration_agent: Some(agent).filter(|agent| *agent != [0xff; 32] && *agent != [0; 32]),
            reported_tcb,
            cpuid,
            chip_id,
            committed_tcb,
            launch_tcb,
            signed,
            signature: fixed(signature)?,
        })
    }

    /// Whether the holder of this key (an uncompressed point on P-384) signed it.
    pub(super) fn is_signed_by(&self, point: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
            .verify(self.signed, &self.signature)
            .is_ok()
    }
}

/// What is signed, and the signature.
fn halves(bytes: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    match bytes.split_at_checked(SIGNED) {
        Some(halves) if bytes.len() == LENGTH => Ok(halves),
        _ => {
            let found = format!("it has {} bytes instead of {LENGTH}", bytes.len());
            refused(Check::Encoding, found)
        }
    }
}

/// That the digest of an author key is there if the flag says so, and otherwise zero.
fn says_if_it_has_one(flag: bool, digest: &[u8; 48]) -> Result<(), Refusal> {
    if flag == (digest != &[0; 48]) {
        return Ok(());
    }
    let found = "whether it has the digest of an author key is not what its flag says";
    refused(Check::Encoding, found)
}

/// The privilege level within the guest that asked for the report.
fn vmpl(written: u32) -> Result<u8, Refusal> {
    match u8::try_from(written) {
        Ok(level @ 0..=3) => Ok(level),
        _ if written == OF_THE_HYPERVISOR => {
            let found = "the hypervisor asked for it, not the guest: it says nothing that the guest would";
            refused(Check::Kind, found)
        }
        _ => refused(Check::Encoding, format!("there is no VMPL {written}")),
    }
}

/// The kind of key that signed, and whether an author key certified the one of the guest's identity block.
fn keys(written: u32) -> Result<(SigningKey, bool), Refusal> {
    if written >> 5 != 0 {
        return refused(Check::Encoding, "flags of its keys that have to be zero are not");
    }
    let author_key = written & 1 != 0;
    // MASK_CHIP_KEY: the chip's key signs nothing, and firmware writes zeros for its signature.
    let masked = written & 2 != 0;
    match (written >> 2 & 7, masked) {
        (0, false) => Ok((SigningKey::Vcek, author_key)),
        (1, _) => Ok((SigningKey::Vlek, author_key)),
        (0, true) | (7, _) => refused(Check::Signature, "it is not signed, and says so itself"),
        (key, _) => refused(
            Check::Encoding,
            format!("there is no kind {key} of keys to sign with"),
        ),
    }
}

/// `CPUID_FAM_ID` and `CPUID_MOD_ID`; reserved in version 2.
fn cpuid(version: u32, fields: &mut Layout<'_>) -> Result<Option<(u8, u8)>, Refusal> {
    if version == 2 {
        fields.zeros(24)?;
        return Ok(None);
    }
    let [family, model, _stepping] = fields.array()?;
    fields.zeros(21)?;
    Ok(Some((family, model)))
}

/// A signature as it stands in a report (AMD 56860, "ECDSA P-384 with SHA-384 signature": two numbers of 72 bytes, least byte
/// first, in 512 bytes), as two numbers of 48 bytes, most significant byte first.
fn fixed(written: &[u8]) -> Result<[u8; 96], Refusal> {
    let mut fields = Layout::new(written, Part::Report);
    let mut signature = [0; 96];
    for half in signature.chunks_exact_mut(48) {
        let number: [u8; 48] = fields.array()?;
        half.iter_mut()
            .zip(number.iter().rev())
            .for_each(|(to, from)| *to = *from);
        fields.zeros(24)?;
    }
    fields.zeros(fields.length())?;
    Ok(signature)
}
