//! Whether a key may do what is asked of it, before any of its material is touched.

use super::misuse::Misuse;
use crate::spec::{
    EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, KeySpec, KeyUsage, MAX_PLAINTEXT,
    MacAlgorithm, MessageType, SigningAlgorithm,
};

fn asked<A: Copy + PartialEq>(
    key: (KeySpec, KeyUsage),
    needed: KeyUsage,
    operation: &'static str,
    (algorithm, name): (A, &'static str),
    has: &[A],
) -> Result<(), Misuse> {
    let (spec, usage) = key;
    if usage != needed {
        return Err(Misuse::Usage(usage, operation));
    }
    if !has.contains(&algorithm) {
        return Err(Misuse::Algorithm(name, spec));
    }
    Ok(())
}

/// `Sign` or `Verify`.
pub(crate) fn signing(
    spec: KeySpec,
    usage: KeyUsage,
    operation: &'static str,
    algorithm: SigningAlgorithm,
) -> Result<(), Misuse> {
    let has = spec.signing_algorithms(usage);
    asked(
        (spec, usage),
        KeyUsage::SignVerify,
        operation,
        (algorithm, algorithm.as_str()),
        has,
    )
}

/// `Encrypt`, `Decrypt` or half of `ReEncrypt`.
pub(crate) fn encryption(
    spec: KeySpec,
    usage: KeyUsage,
    operation: &'static str,
    algorithm: EncryptionAlgorithm,
) -> Result<(), Misuse> {
    let has = spec.encryption_algorithms(usage);
    asked(
        (spec, usage),
        KeyUsage::EncryptDecrypt,
        operation,
        (algorithm, algorithm.as_str()),
        has,
    )
}

/// `GenerateMac` or `VerifyMac`.
pub(crate) fn mac(
    spec: KeySpec,
    usage: KeyUsage,
    operation: &'static str,
    algorithm: MacAlgorithm,
) -> Result<(), Misuse> {
    let has = spec.mac_algorithms(usage);
    asked(
        (spec, usage),
        KeyUsage::GenerateVerifyMac,
        operation,
        (algorithm, algorithm.as_str()),
        has,
    )
}

/// `DeriveSharedSecret`.
pub(crate) fn agreement(
    spec: KeySpec,
    usage: KeyUsage,
    operation: &'static str,
    algorithm: KeyAgreementAlgorithm,
) -> Result<(), Misuse> {
    let has = spec.agreement_algorithms(usage);
    asked(
        (spec, usage),
        KeyUsage::KeyAgreement,
        operation,
        (algorithm, algorithm.as_str()),
        has,
    )
}

/// `Encapsulate` or `Decapsulate`.
pub(crate) fn encapsulation(
    spec: KeySpec,
    usage: KeyUsage,
    operation: &'static str,
    algorithm: EncapsulationAlgorithm,
) -> Result<(), Misuse> {
    let has = spec.encapsulation_algorithms(usage);
    let needed = KeyUsage::EncapsulateDecapsulate;
    asked(
        (spec, usage),
        needed,
        operation,
        (algorithm, algorithm.as_str()),
        has,
    )
}

/// What `Sign` and `Verify` are given.
pub(crate) fn message(
    spec: KeySpec,
    algorithm: SigningAlgorithm,
    message_type: MessageType,
    message: &[u8],
) -> Result<(), Misuse> {
    match (message_type, algorithm) {
        (MessageType::Raw, _) => length(message),
        (MessageType::ExternalMu, SigningAlgorithm::MlDsaShake256) => Err(Misuse::ExternalMu),
        (MessageType::ExternalMu, _) => Err(Misuse::MessageType(message_type, algorithm, spec)),
        (MessageType::Digest, _) => match algorithm.digest_len() {
            None => Err(Misuse::MessageType(message_type, algorithm, spec)),
            Some(digest) if digest != message.len() => Err(Misuse::Digest(algorithm)),
            Some(_) => Ok(()),
        },
    }
}

/// 1 to 4096 bytes.
pub(crate) fn length(message: &[u8]) -> Result<(), Misuse> {
    if message.is_empty() || message.len() > MAX_PLAINTEXT {
        return Err(Misuse::Length(MAX_PLAINTEXT));
    }
    Ok(())
}
