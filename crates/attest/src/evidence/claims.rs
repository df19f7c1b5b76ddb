//! What evidence says, once its signatures hold ([`Genuine`]) and once it is what a policy asks for ([`Verified`]).

use moho_terms::Timestamp;

use super::registers::Registers;
use super::snp::SnpClaims;
use super::tdx::TdxClaims;

/// What kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EvidenceKind {
    /// An attestation document of an EC2 instance's NitroTPM.
    NitroTpm,
    /// An attestation document of a Nitro Enclave.
    Nitro,
    /// An attestation report of an AMD SEV-SNP guest.
    Snp,
    /// A quote of an Intel TDX domain.
    Tdx,
}

impl EvidenceKind {
    /// The kinds that are one file each, as policies and the command line name them; the others come with a chain or collateral.
    pub const ALL: [Self; 2] = [Self::NitroTpm, Self::Nitro];

    /// Its name, in policies and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NitroTpm => "nitrotpm",
            Self::Nitro => "nitro",
            Self::Snp => "snp",
            Self::Tdx => "tdx",
        }
    }

    /// The kind of this name, among [`Self::ALL`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What evidence says of the program that runs, apart from the platform it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Workload {
    /// Nothing: the registers are of a host's boot, and any program of it could have asked for them.
    Unmeasured,
    /// The image is the measurement: everything that runs is in it.
    Image,
}

impl Workload {
    /// Its name, in policies and results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unmeasured => "unmeasured",
            Self::Image => "image",
        }
    }
}

/// What evidence says. Only [`Genuine`] and [`Verified`] hold one that is to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// What kind of evidence said it.
    pub kind: EvidenceKind,
    /// Which machine: a module's, a chip's or a platform's id, or who provides it.
    pub platform: String,
    /// When the evidence was made, by the platform's clock, if it says.
    pub issued_at: Option<Timestamp>,
    /// The platform's registers, if it has some.
    pub registers: Option<Registers>,
    /// What its asker gave to be told again.
    pub nonce: Option<Vec<u8>>,
    /// What the attester added.
    pub user_data: Option<Vec<u8>>,
    /// A public key of the attester.
    pub public_key: Option<Vec<u8>>,
    /// What SEV-SNP says besides.
    pub snp: Option<Box<SnpClaims>>,
    /// What TDX says besides.
    pub tdx: Option<Box<TdxClaims>>,
    /// What is said of the program that runs.
    pub workload: Workload,
}

impl Claims {
    /// Claims of this kind that say nothing yet.
    pub(crate) fn of(kind: EvidenceKind, platform: String) -> Self {
        Self {
            kind,
            platform,
            issued_at: None,
            registers: None,
            nonce: None,
            user_data: None,
            public_key: None,
            snp: None,
            tdx: None,
            workload: Workload::Unmeasured,
        }
    }
}

/// The signatures hold, up to a trust anchor, at a time: hardware said this, of something. Of *what* is for a policy to
/// decide ([`Genuine::appraise`]); nothing may be given away for this alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Genuine<C>(C);

impl<C> Genuine<C> {
    /// Each verifier's last line: everything that it must check of signatures and form was checked.
    pub(super) fn assertion(claims: C) -> Self {
        Self(claims)
    }

    /// What it says.
    pub fn claims(&self) -> &C {
        &self.0
    }

    pub(super) fn into_claims(self) -> C {
        self.0
    }
}

/// Genuine, and what a policy asks for: its measurements are the policy's, and it is fresh.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Verified<C>(C);

impl<C> Verified<C> {
    /// The appraisals' last line.
    pub(super) fn assertion(claims: C) -> Self {
        Self(claims)
    }

    /// What a test takes for verified.
    #[cfg(test)]
    pub(crate) fn in_test(claims: C) -> Self {
        Self(claims)
    }

    /// What is believed.
    pub fn claims(&self) -> &C {
        &self.0
    }

    /// What is believed, to keep.
    #[must_use]
    pub fn into_claims(self) -> C {
        self.0
    }
}
