//! Attestation documents and appraisal policies: strangers' COSE, CBOR, X.509 and JSON.

use moho_attest::evidence::{PolicyFile, aws_nitro_roots, nitro};
use moho_terms::Timestamp;

/// The bytes as an attestation document of Nitro, at a time within any certificate of the corpus.
pub fn attestation_document(data: &[u8]) {
    let Ok(roots) = aws_nitro_roots() else { return };
    let verified = nitro::verify(data, &roots, Timestamp::from_unix_seconds(super::NOW));
    let said = verified.err().map(|refusal| refusal.to_string());
    assert!(said.is_some(), "nothing here is signed by AWS");
    assert!(
        said.is_none_or(|said| said.len() < 400),
        "a refusal does not repeat what it refuses"
    );
}

/// The bytes as a policy file: what passes leaves nothing open.
pub fn appraisal_policy(data: &[u8]) {
    let text = super::text(data);
    if let Ok(file) = PolicyFile::parse(&text) {
        assert!(text.contains(file.kind().name()), "a policy says what it is for");
        assert!(
            text.contains("nonce") || text.contains("max_age_seconds"),
            "a policy says how fresh"
        );
    }
}

/// Whether the bytes are a policy file.
#[must_use]
pub fn is_appraisal_policy(data: &[u8]) -> bool {
    PolicyFile::parse(&super::text(data)).is_ok()
}
