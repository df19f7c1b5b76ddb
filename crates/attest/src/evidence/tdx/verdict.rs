//! What dcap-qvl says of a quote and its collateral, in our words: the status of the platform's firmware, or why it refused.
//!
//! Its errors are text and nothing else, hence they are told apart by text. Only the name of the check depends on that, never the
//! decision; a test for each holds the texts, and the version is pinned.

use super::super::refusal::{Check, Part, Refusal};

/// Most characters of an error that a refusal repeats.
const SHOWN: usize = 240;

/// Errors by a part of their text, from the more special to the more general.
const ERRORS: &[(&str, Check, Part)] = &[
    (
        "InvalidCrlSignatureForPublicKey",
        Check::Signature,
        Part::Collateral,
    ),
    ("Failed to parse root CA CRL", Check::Signature, Part::Collateral),
    ("Failed to parse PCK CRL", Check::Encoding, Part::Collateral),
    ("CertRevoked", Check::Chain, Part::Collateral),
    ("Failed to decode TcbInfo", Check::Encoding, Part::Collateral),
    ("Failed to decode QeIdentity", Check::Encoding, Part::Collateral),
    (
        "Signature is invalid for tcb_info",
        Check::Signature,
        Part::Collateral,
    ),
    (
        "Signature is invalid for qe_identity",
        Check::Signature,
        Part::Collateral,
    ),
    (
        "Signature is invalid for qe_report",
        Check::Signature,
        Part::TdQuote,
    ),
    (
        "ISV enclave report signature is invalid",
        Check::Signature,
        Part::TdQuote,
    ),
    ("InvalidSignatureForPublicKey", Check::Signature, Part::TdQuote),
    ("Unsupported QE Identity", Check::Kind, Part::Collateral),
    ("non-TDX TCB info", Check::Kind, Part::Collateral),
    ("QE report hash mismatch", Check::Binding, Part::TdQuote),
    ("Invalid QE auth data length", Check::Encoding, Part::TdQuote),
    ("QE report validation failed", Check::Mode, Part::TdQuote),
    ("Fmspc mismatch", Check::Binding, Part::Collateral),
    ("issued directly by the root CA", Check::Chain, Part::Collateral),
    ("tdxModule", Check::Encoding, Part::Collateral),
    ("No TCB levels", Check::Tcb, Part::Collateral),
    ("QE ISVSVN", Check::Tcb, Part::Collateral),
    ("QE ", Check::Binding, Part::TdQuote),
    ("TCB", Check::Tcb, Part::Collateral),
    ("TDX module", Check::Binding, Part::TdQuote),
    (
        "Reserved bits in TD attributes are set",
        Check::Mode,
        Part::TdQuote,
    ),
];

/// A refusal of dcap-qvl's.
pub(super) fn refusal(error: &anyhow::Error) -> Refusal {
    let said = format!("{error:#}");
    let (check, part) = ERRORS
        .iter()
        .find(|(text, ..)| said.contains(text))
        .map_or((Check::Chain, Part::Evidence), |(_, check, part)| (*check, *part));
    let shown: String = said.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    Refusal::new(check, part, shown)
}

/// What Intel says of the firmware of a platform (PCS API v4, `tcbStatus`). A revoked platform is refused and has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TcbStatus {
    /// Nothing is known to be wrong.
    UpToDate,
    /// The program in the domain has to defend itself.
    SwHardeningNeeded,
    /// The machine's settings have to be changed.
    ConfigurationNeeded,
    /// Both.
    ConfigurationAndSwHardeningNeeded,
    /// There is newer firmware that mends something.
    OutOfDate,
    /// The same, and settings have to be changed.
    OutOfDateConfigurationNeeded,
    /// The domain was started under older firmware than runs now.
    TdRelaunchAdvised,
    /// The same, and settings have to be changed.
    TdRelaunchAdvisedConfigurationNeeded,
}

impl TcbStatus {
    const ALL: [Self; 8] = [
        Self::UpToDate,
        Self::SwHardeningNeeded,
        Self::ConfigurationNeeded,
        Self::ConfigurationAndSwHardeningNeeded,
        Self::OutOfDate,
        Self::OutOfDateConfigurationNeeded,
        Self::TdRelaunchAdvised,
        Self::TdRelaunchAdvisedConfigurationNeeded,
    ];

    /// Its name, as Intel writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SwHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSwHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::TdRelaunchAdvised => "TDRelaunchAdvised",
            Self::TdRelaunchAdvisedConfigurationNeeded => "TDRelaunchAdvisedConfigurationNeeded",
        }
    }

    /// The status of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}
