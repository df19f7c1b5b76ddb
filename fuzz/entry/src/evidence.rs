//! Attestation documents, appraisal policies and servers' answers: strangers' COSE, CBOR, X.509 and JSON.

use moho_attest::evidence::tpm::{AttestationKey, EventLog, Quote};
use moho_attest::evidence::{Bank, PolicyFile, aws_nitro_roots, nitro};
use moho_attest::session::{Answer, Nonce};
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

/// When the answers of the corpus were given, and to which nonce.
fn answered() -> (Nonce, Timestamp) {
    (Nonce([7; 32]), Timestamp::from_unix_seconds(1_790_000_000))
}

/// The bytes as a server's answer to a nonce: what is read says what it is for, and what brings evidence names its kind.
pub fn attested_answer(data: &[u8]) {
    let (nonce, now) = answered();
    match Answer::read(data, nonce, now) {
        Ok(Answer::Presentation(presentation)) => {
            assert_eq!(presentation.statement().nonce, nonce, "it answers this question");
            assert!(
                !presentation.evidence().is_empty(),
                "it brings what it says to bring"
            );
        }
        Ok(Answer::Development(development)) => {
            assert!(development.unattested.not_after > now, "its keys are good");
        }
        Err(refusal) => assert!(!refusal.found().is_empty(), "a refusal says what was found"),
    }
}

/// Whether the bytes are a server's answer.
#[must_use]
pub fn is_attested_answer(data: &[u8]) -> bool {
    let (nonce, now) = answered();
    Answer::read(data, nonce, now).is_ok()
}

/// The bytes as a TPM's attestation key, as a quote with its signature, and as an event log.
pub fn tpm_evidence(data: &[u8]) {
    let key = AttestationKey::read(data);
    if let Ok(key) = &key {
        assert_eq!(key.name().len(), 34, "a name is an algorithm and a digest");
        let signed = Quote::verify(data, data, key);
        assert!(signed.is_err(), "a key is no quote");
    }
    for bank in [Bank::Sha256, Bank::Sha384] {
        let Ok(log) = EventLog::read(data, bank) else {
            continue;
        };
        for event in log.events() {
            assert_eq!(event.digest.len(), bank.length(), "a digest is of its bank");
        }
        let untouched =
            (1..24).filter(|register| !log.events().iter().any(|event| event.register == *register));
        for register in untouched {
            assert!(
                log.replayed(register).iter().all(|byte| *byte == 0),
                "nothing was extended"
            );
        }
    }
}

/// Whether the bytes are an event log, or a key.
#[must_use]
pub fn is_tpm_evidence(data: &[u8]) -> bool {
    EventLog::read(data, Bank::Sha256).is_ok() || AttestationKey::read(data).is_ok()
}

/// Whether the bytes are a policy file.
#[must_use]
pub fn is_appraisal_policy(data: &[u8]) -> bool {
    PolicyFile::parse(&super::text(data)).is_ok()
}
