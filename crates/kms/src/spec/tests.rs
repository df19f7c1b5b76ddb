//! The tables against what AWS's documentation says, and the names against themselves.

use super::*;

#[test]
fn names_read_back_and_absent_ones_are_told_from_wrong_ones() {
    for spec in KeySpec::ALL {
        assert_eq!(spec.as_str().parse(), Ok(*spec));
    }
    for algorithm in SigningAlgorithm::ALL {
        assert_eq!(algorithm.as_str().parse(), Ok(*algorithm));
    }
    assert_eq!("SM2".parse::<KeySpec>(), Err(SpecError::Unsupported));
    assert_eq!("rsa_2048".parse::<KeySpec>(), Err(SpecError::Unknown));
    assert_eq!(
        "ED25519_PH_SHA_512".parse::<SigningAlgorithm>(),
        Err(SpecError::Unsupported)
    );
    assert_eq!(
        "RSAES_PKCS1_V1_5".parse::<WrappingAlgorithm>(),
        Err(SpecError::Unsupported)
    );
    assert_eq!("AWS_CLOUDHSM".parse::<Origin>(), Err(SpecError::Unsupported));
}

#[test]
fn data_key_pairs_are_neither_symmetric_nor_ml_dsa() {
    let pairs: Vec<_> = KeySpec::ALL
        .iter()
        .filter(|spec| spec.as_str().parse::<DataKeyPairSpec>().is_ok())
        .map(|spec| spec.as_str())
        .collect();
    assert_eq!(
        pairs,
        [
            "RSA_2048",
            "RSA_3072",
            "RSA_4096",
            "ECC_NIST_P256",
            "ECC_NIST_P384",
            "ECC_NIST_P521",
            "ECC_SECG_P256K1",
            "ECC_NIST_EDWARDS25519",
            "ML_KEM_512",
            "ML_KEM_768",
            "ML_KEM_1024",
        ]
    );
}

/// A usage that a spec allows has algorithms, of one kind only; one that it does not allow has none.
#[test]
fn a_usage_has_algorithms_exactly_where_it_is_allowed() {
    for spec in KeySpec::ALL {
        for usage in KeyUsage::ALL {
            let counts = [
                spec.encryption_algorithms(*usage).len(),
                spec.signing_algorithms(*usage).len(),
                spec.mac_algorithms(*usage).len(),
                spec.agreement_algorithms(*usage).len(),
                spec.encapsulation_algorithms(*usage).len(),
            ];
            let kinds = counts.iter().filter(|count| **count > 0).count();
            assert_eq!(kinds, usize::from(spec.allows(*usage)), "{spec} {usage}");
        }
    }
}

#[test]
fn plaintext_limits_are_those_of_the_documentation() {
    use EncryptionAlgorithm::{RsaesOaepSha1, RsaesOaepSha256, SymmetricDefault};
    let limits = [
        (KeySpec::SymmetricDefault, SymmetricDefault, Some(4096)),
        (KeySpec::Rsa2048, RsaesOaepSha1, Some(214)),
        (KeySpec::Rsa2048, RsaesOaepSha256, Some(190)),
        (KeySpec::Rsa3072, RsaesOaepSha1, Some(342)),
        (KeySpec::Rsa3072, RsaesOaepSha256, Some(318)),
        (KeySpec::Rsa4096, RsaesOaepSha1, Some(470)),
        (KeySpec::Rsa4096, RsaesOaepSha256, Some(446)),
        (KeySpec::Rsa4096, SymmetricDefault, None),
        (KeySpec::SymmetricDefault, RsaesOaepSha256, None),
        (KeySpec::EccNistP256, RsaesOaepSha256, None),
    ];
    for (spec, algorithm, limit) in limits {
        assert_eq!(spec.max_plaintext(algorithm), limit, "{spec} {algorithm}");
    }
}

#[test]
fn rsa_keys_are_imported_only_under_an_aes_key() {
    use WrappingAlgorithm::{RsaAesKeyWrapSha256, RsaesOaepSha256};
    use WrappingKeySpec::{Rsa2048, Rsa3072};
    assert!(!KeySpec::Rsa2048.imports_by(RsaesOaepSha256, WrappingKeySpec::Rsa4096));
    assert!(KeySpec::Rsa2048.imports_by(RsaAesKeyWrapSha256, Rsa2048));
    assert!(!KeySpec::EccNistP521.imports_by(RsaesOaepSha256, Rsa2048));
    assert!(KeySpec::EccNistP521.imports_by(RsaesOaepSha256, Rsa3072));
    assert!(KeySpec::SymmetricDefault.imports_by(RsaesOaepSha256, Rsa2048));
    assert!(!KeySpec::Hmac512.imports_by(RsaAesKeyWrapSha256, Rsa2048));
    assert!(!KeySpec::MlDsa44.imports_by(RsaAesKeyWrapSha256, Rsa2048));
    assert!(KeySpec::EccNistEdwards25519.imports_by(RsaAesKeyWrapSha256, Rsa2048));
}
