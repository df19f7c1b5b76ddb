//! From genuine to verified: what a policy asks of claims, with nothing optional in it.

use moho_terms::{Timestamp, hex};

use super::claims::{Claims, EvidenceKind, Genuine, Verified, Workload};
use super::refusal::{Check, Part, Refusal};
use super::registers::{BootDigest, Registers};
use super::snp::{self, SnpReference};
use super::tdx::{self, TdxReference};

/// How far ahead of the verifier's clock a platform's may be, in seconds.
const AHEAD: u64 = 60;

/// What evidence must be, for whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppraisalPolicy {
    /// How it shows that it is not an old one.
    pub freshness: Freshness,
    /// What may run.
    pub references: References,
}

/// How evidence shows that it is not an old one. There is no way to not ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness {
    /// It tells these bytes again, which were made for it.
    Nonce(Vec<u8>),
    /// It was made within so many seconds, by the platform's clock.
    WithinSeconds(u64),
}

/// What may run: for each kind of evidence its own values, so that none can be taken for another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum References {
    /// Boots, of a NitroTPM's document.
    NitroTpm(Vec<BootReference>),
    /// Images of Nitro Enclaves.
    Nitro(Vec<EnclaveReference>),
    /// Guests of SEV-SNP.
    Snp(Vec<SnpReference>),
    /// Domains of TDX.
    Tdx(Vec<TdxReference>),
}

impl References {
    pub(super) fn kind(&self) -> EvidenceKind {
        match self {
            Self::NitroTpm(_) => EvidenceKind::NitroTpm,
            Self::Nitro(_) => EvidenceKind::Nitro,
            Self::Snp(_) => EvidenceKind::Snp,
            Self::Tdx(_) => EvidenceKind::Tdx,
        }
    }
}

/// A boot that a policy names, and what it is known to say of the program that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootReference {
    /// Registers 4, 7 and 11, with 12 and 13 untouched.
    pub digest: BootDigest,
    /// What such a boot says of the program.
    pub workload: Workload,
}

/// An image of a Nitro Enclave that a policy names: its registers 0, 1 and 2, each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnclaveReference {
    /// PCR0 (image), PCR1 (kernel and bootstrap), PCR2 (application).
    pub image: [[u8; 48]; 3],
}

/// How many seconds old a document may be that a key is released to: five minutes, as at AWS KMS.
const RELEASE_AGE: u64 = 300;

/// What a key may be released to: the holder of the key in a fresh document of Nitro, whose registers the key's policy then
/// judges. Only [`Genuine::for_key_release`] makes one that is [`Verified`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRelease {
    claims: Claims,
    registers: Registers,
}

impl KeyRelease {
    /// The public key of the attester, if the document has one.
    #[must_use]
    pub fn public_key(&self) -> Option<&[u8]> {
        self.claims.public_key.as_deref()
    }

    /// Which kind of document: [`EvidenceKind::Nitro`] or [`EvidenceKind::NitroTpm`].
    #[must_use]
    pub fn kind(&self) -> EvidenceKind {
        self.claims.kind
    }

    /// The module that the document is of.
    #[must_use]
    pub fn module_id(&self) -> &str {
        &self.claims.platform
    }

    /// What was measured.
    #[must_use]
    pub fn registers(&self) -> &Registers {
        &self.registers
    }
}

impl Genuine<Claims> {
    /// Holds the claims to a policy, at `now`.
    ///
    /// # Errors
    /// [`Refusal`]: another kind, not fresh, or not what the policy names.
    pub fn appraise(self, policy: &AppraisalPolicy, now: Timestamp) -> Result<Verified<Claims>, Refusal> {
        let mut claims = self.into_claims();
        let wanted = policy.references.kind();
        if claims.kind != wanted {
            let found = format!(
                "it is of kind {}, and the policy is for {}",
                claims.kind.name(),
                wanted.name()
            );
            return Err(Refusal::new(Check::Kind, Part::Evidence, found));
        }
        fresh(&claims, &policy.freshness, now)?;
        match &policy.references {
            References::NitroTpm(boots) => claims.workload = boot(registers(&claims)?, boots)?,
            References::Nitro(images) => enclave(registers(&claims)?, images)?,
            References::Snp(guests) => claims.workload = snp::appraise(&claims, guests)?,
            References::Tdx(domains) => claims.workload = tdx::appraise(&claims, domains)?,
        }
        Ok(Verified::assertion(claims))
    }

    /// Holds the claims of a Nitro document to what must be true of everyone that a key is released to, whatever the key's
    /// policy then says of the registers: it is fresh, and nothing from outside the image was measured.
    ///
    /// # Errors
    /// [`Refusal`]: too old, or its registers 12 or 13 are not zero.
    pub fn for_key_release(self, now: Timestamp) -> Result<Verified<KeyRelease>, Refusal> {
        let claims = self.into_claims();
        fresh(&claims, &Freshness::WithinSeconds(RELEASE_AGE), now)?;
        let registers = registers(&claims)?.clone();
        if claims.kind == EvidenceKind::NitroTpm {
            BootDigest::of(&registers)?;
        }
        Ok(Verified::assertion(KeyRelease { claims, registers }))
    }
}

fn registers(claims: &Claims) -> Result<&Registers, Refusal> {
    let none = || Refusal::new(Check::Registers, Part::Evidence, "it has no registers");
    claims.registers.as_ref().ok_or_else(none)
}

fn fresh(claims: &Claims, freshness: &Freshness, now: Timestamp) -> Result<(), Refusal> {
    match freshness {
        Freshness::Nonce(wanted) if claims.nonce.as_deref() == Some(wanted) => Ok(()),
        Freshness::Nonce(wanted) => {
            let found = match &claims.nonce {
                Some(nonce) => format!(
                    "it is {}, and {} was asked for",
                    hex::encode(nonce),
                    hex::encode(wanted)
                ),
                None => format!("there is none, and {} was asked for", hex::encode(wanted)),
            };
            Err(Refusal::new(Check::Nonce, Part::Evidence, found))
        }
        Freshness::WithinSeconds(seconds) => {
            let refused = |found: String| Err(Refusal::new(Check::Freshness, Part::Evidence, found));
            let Some(made) = claims.issued_at else {
                return refused("it does not say when it was made: ask for it with a nonce".to_owned());
            };
            if made > now.plus_seconds(AHEAD) {
                return refused(format!("it was made at {made}, and the time is {now}"));
            }
            if now > made.plus_seconds(*seconds) {
                return refused(format!(
                    "it was made at {made}, the time is {now}, and it may be {seconds} seconds old"
                ));
            }
            Ok(())
        }
    }
}

fn boot(registers: &Registers, boots: &[BootReference]) -> Result<Workload, Refusal> {
    let digest = BootDigest::of(registers)?;
    let found = boots.iter().find(|boot| boot.digest == digest);
    found.map(|boot| boot.workload).ok_or_else(|| {
        let shown: Vec<String> = [4, 7, 11]
            .into_iter()
            .filter_map(|index| Some(format!("PCR{index} {}", hex::encode(registers.get(index)?))))
            .collect();
        let found = format!(
            "none of the policy's {} boots is {}",
            boots.len(),
            shown.join(", ")
        );
        Refusal::new(Check::Measurement, Part::Evidence, found)
    })
}

fn enclave(registers: &Registers, images: &[EnclaveReference]) -> Result<(), Refusal> {
    let is = |image: &EnclaveReference| {
        (0..)
            .zip(&image.image)
            .all(|(index, value)| registers.get(index) == Some(value.as_slice()))
    };
    if images.iter().any(is) {
        return Ok(());
    }
    let shown: Vec<String> = registers
        .iter()
        .take(3)
        .map(|(index, value)| format!("PCR{index} {}", hex::encode(value)))
        .collect();
    let found = format!(
        "none of the policy's {} images is {}",
        images.len(),
        shown.join(", ")
    );
    Err(Refusal::new(Check::Measurement, Part::Evidence, found))
}
