//! The answer as it is sent: what `moho_attest::session::Answer` reads.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moho_attest::session::Statement;
use moho_terms::hex;
use serde::Serialize;

use super::host_tpm::TpmEvidence;

#[derive(Serialize)]
struct Written<'a> {
    version: u8,
    kind: &'static str,
    purpose: &'static str,
    nonce: String,
    key_set: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<WrittenTpm<'a>>,
}

/// Evidence of a TPM (docs/attestation.md).
#[derive(Serialize)]
struct WrittenTpm<'a> {
    attestation_key: String,
    quote: String,
    signature: String,
    pcrs: WrittenRegisters<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ek_certificate: Option<String>,
}

#[derive(Serialize)]
struct WrittenRegisters<'a> {
    bank: &'a str,
    values: BTreeMap<u8, String>,
}

/// The answer to the nonce of this statement, which is over these bytes of a key set.
pub(super) fn json(statement: &Statement, key_set: &[u8], evidence: Option<&TpmEvidence>) -> Vec<u8> {
    let written = Written {
        version: 1,
        kind: if evidence.is_some() { "tpm" } else { "development" },
        purpose: statement.purpose.name(),
        nonce: statement.nonce.to_hex(),
        key_set: STANDARD.encode(key_set),
        evidence: evidence.map(|evidence| WrittenTpm {
            attestation_key: STANDARD.encode(&evidence.attestation_key),
            quote: STANDARD.encode(&evidence.quote),
            signature: STANDARD.encode(&evidence.signature),
            pcrs: WrittenRegisters {
                bank: evidence.bank,
                values: evidence
                    .registers
                    .iter()
                    .map(|(index, value)| (*index, hex::encode(value)))
                    .collect(),
            },
            ek_certificate: evidence
                .endorsement_certificate
                .as_ref()
                .map(|certificate| STANDARD.encode(certificate)),
        }),
    };
    // Strings and numbers: there is nothing that JSON could not write.
    let mut json = serde_json::to_vec(&written).unwrap_or_default();
    json.push(b'\n');
    json
}
