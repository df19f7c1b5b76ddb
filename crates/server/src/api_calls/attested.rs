//! Whom a plaintext was to be released to, as CloudTrail says it in `additionalEventData.recipient`.

use std::collections::BTreeMap;

use moho_attest::evidence::{EvidenceKind, KeyRelease, Verified};
use moho_terms::hex;
use serde::Serialize;

/// The registers of an enclave that CloudTrail tells of besides the image's.
const OF_ENCLAVE: [u8; 5] = [1, 2, 3, 4, 8];

/// The module and the measurements of an attestation document.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AttestedRecipient {
    attestation_document_module_id: String,
    #[serde(flatten)]
    registers: BTreeMap<String, String>,
}

impl AttestedRecipient {
    /// Those of evidence that was verified. Of registers that hold nothing nothing is told.
    pub(super) fn of(evidence: &Verified<KeyRelease>) -> Self {
        let release = evidence.claims();
        let told = release.registers().iter().filter_map(|(index, value)| {
            let name = if release.kind() == EvidenceKind::NitroTpm {
                format!("attestationDocumentNitroTPMPCR{index}")
            } else if index == 0 {
                "attestationDocumentEnclaveImageDigest".to_owned()
            } else if OF_ENCLAVE.contains(&index) {
                format!("attestationDocumentEnclavePCR{index}")
            } else {
                return None;
            };
            let touched = value.iter().any(|byte| *byte != 0);
            touched.then(|| (name, hex::encode(value)))
        });
        Self {
            attestation_document_module_id: release.module_id().to_owned(),
            registers: told.collect(),
        }
    }
}
