//! Every kind of key, what it does and what it refuses, against published vectors and against itself.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use moho_terms::{Arn, Entropy, EntropyUnavailable};
use proptest::prelude::*;

use super::*;

/// Bytes that count up.
pub(crate) struct Counting(AtomicU8);

impl Counting {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(0))
    }
}

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        for byte in bytes {
            *byte = self.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// One set of material for every kind of key, made once: RSA keys take their time.
pub(crate) fn material(spec: KeySpec) -> &'static [u8] {
    static ALL: OnceLock<BTreeMap<KeySpec, Zeroizing<Vec<u8>>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let made = |spec: &KeySpec| (*spec, generate(*spec, &Counting::new()).unwrap());
        KeySpec::ALL.iter().map(made).collect()
    });
    &all[&spec]
}

fn prepared(spec: KeySpec, usage: KeyUsage) -> PreparedKey {
    PreparedKey::from_material(spec, usage, material(spec)).unwrap()
}

/// Every kind of key that is ready for something, with every use of it.
fn all() -> Vec<PreparedKey> {
    let kinds = KeySpec::ALL
        .iter()
        .filter(|spec| **spec != KeySpec::SymmetricDefault);
    kinds
        .flat_map(|spec| spec.usages().iter().map(|usage| prepared(*spec, *usage)))
        .collect()
}

fn unhex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// What a refusal is, in short.
fn misuse<T>(result: Result<T, Refusal>) -> Option<Misuse> {
    result.err().and_then(|refusal| match refusal {
        Refusal::Misuse(misuse) => Some(misuse),
        Refusal::Failed(_) => None,
    })
}

fn failure<T>(result: Result<T, Refusal>) -> String {
    match result {
        Err(Refusal::Failed(error)) => format!("{error:?}"),
        Err(Refusal::Misuse(misuse)) => format!("{misuse:?}"),
        Ok(_) => String::from("done"),
    }
}

#[test]
fn every_signing_key_signs_by_all_its_algorithms_and_notices_every_change() {
    for key in all().iter().filter(|key| key.usage == KeyUsage::SignVerify) {
        for algorithm in key.spec.signing_algorithms(key.usage) {
            let raw = MessageType::Raw;
            let signature = key.sign(*algorithm, raw, b"message").unwrap();
            key.verify(*algorithm, raw, b"message", &signature).unwrap();
            let mut flipped = signature.clone();
            *flipped.last_mut().unwrap() ^= 1;
            for (message, signature) in [
                (b"massage".as_slice(), signature.as_slice()),
                (b"message", &flipped),
                (b"message", &signature[1..]),
                (b"message", b""),
            ] {
                let refused = key.verify(*algorithm, raw, message, signature);
                assert_eq!(failure(refused), "InvalidSignature", "{} {algorithm}", key.spec);
            }
        }
    }
}

/// A digest signed is the message signed, and only a digest of the algorithm's length is one.
#[test]
fn a_digest_stands_for_its_message() {
    use aws_lc_rs::digest;
    for key in all().iter().filter(|key| key.usage == KeyUsage::SignVerify) {
        for algorithm in key.spec.signing_algorithms(key.usage) {
            let hash = match algorithm.digest_len() {
                Some(32) => &digest::SHA256,
                Some(48) => &digest::SHA384,
                Some(_) => &digest::SHA512,
                None => {
                    let refused = key.sign(*algorithm, MessageType::Digest, &[7; 64]);
                    let why = Misuse::MessageType(MessageType::Digest, *algorithm, key.spec);
                    assert_eq!(misuse(refused), Some(why));
                    continue;
                }
            };
            let digest = digest::digest(hash, b"message");
            let digest = digest.as_ref();
            let signature = key.sign(*algorithm, MessageType::Digest, digest).unwrap();
            key.verify(*algorithm, MessageType::Raw, b"message", &signature)
                .unwrap();
            let signature = key.sign(*algorithm, MessageType::Raw, b"message").unwrap();
            key.verify(*algorithm, MessageType::Digest, digest, &signature)
                .unwrap();
            for wrong in [&digest[1..], &[digest, b"x"].concat()] {
                let refused = key.sign(*algorithm, MessageType::Digest, wrong);
                assert_eq!(misuse(refused), Some(Misuse::Digest(*algorithm)));
                let refused = key.verify(*algorithm, MessageType::Digest, wrong, &signature);
                assert_eq!(misuse(refused), Some(Misuse::Digest(*algorithm)));
            }
        }
    }
}

#[test]
fn an_external_mu_is_refused_and_not_taken_for_a_message() {
    let key = prepared(KeySpec::MlDsa65, KeyUsage::SignVerify);
    let refused = key.sign(SigningAlgorithm::MlDsaShake256, MessageType::ExternalMu, &[1; 64]);
    assert_eq!(misuse(refused), Some(Misuse::ExternalMu));
    let key = prepared(KeySpec::EccNistP256, KeyUsage::SignVerify);
    let refused = key.sign(SigningAlgorithm::EcdsaSha256, MessageType::ExternalMu, &[1; 64]);
    assert!(matches!(misuse(refused), Some(Misuse::MessageType(..))));
}

/// Every operation by every algorithm on every kind of key: done, or refused as the wrong use or algorithm of that key,
/// just as the tables say.
#[test]
fn whatever_a_key_is_not_for_is_refused_as_such() {
    for key in all() {
        let (spec, usage) = (key.spec, key.usage);
        let asked = |has: bool, needed: KeyUsage, refused: Option<Misuse>, what: &str| {
            let expected = if usage != needed {
                matches!(refused, Some(Misuse::Usage(its, _)) if its == usage)
            } else if has {
                !matches!(refused, Some(Misuse::Usage(..) | Misuse::Algorithm(..)))
            } else {
                matches!(refused, Some(Misuse::Algorithm(name, its)) if its == spec && name == what)
            };
            assert!(expected, "{spec} {usage} {what}: {refused:?}");
        };
        for algorithm in SigningAlgorithm::ALL {
            let has = spec.signing_algorithms(usage).contains(algorithm);
            let refused = misuse(key.sign(*algorithm, MessageType::Raw, b"m"));
            asked(has, KeyUsage::SignVerify, refused, algorithm.as_str());
            let refused = misuse(key.verify(*algorithm, MessageType::Raw, b"m", b"s"));
            asked(has, KeyUsage::SignVerify, refused, algorithm.as_str());
        }
        for algorithm in EncryptionAlgorithm::ALL {
            let has = spec.encryption_algorithms(usage).contains(algorithm);
            let refused = misuse(key.encrypt(*algorithm, b"m"));
            asked(has, KeyUsage::EncryptDecrypt, refused, algorithm.as_str());
            let refused = misuse(key.decrypt(*algorithm, b"m"));
            asked(has, KeyUsage::EncryptDecrypt, refused, algorithm.as_str());
        }
        for algorithm in MacAlgorithm::ALL {
            let has = spec.mac_algorithms(usage).contains(algorithm);
            let refused = misuse(key.mac(*algorithm, b"m"));
            asked(has, KeyUsage::GenerateVerifyMac, refused, algorithm.as_str());
            let refused = misuse(key.verify_mac(*algorithm, b"m", b"t"));
            asked(has, KeyUsage::GenerateVerifyMac, refused, algorithm.as_str());
        }
        let has = !spec.agreement_algorithms(usage).is_empty();
        let refused = misuse(key.derive(KeyAgreementAlgorithm::Ecdh, b"p"));
        asked(has, KeyUsage::KeyAgreement, refused, "ECDH");
        let has = !spec.encapsulation_algorithms(usage).is_empty();
        let refused = misuse(key.encapsulate(EncapsulationAlgorithm::MlKem));
        asked(has, KeyUsage::EncapsulateDecapsulate, refused, "ML_KEM");
        let refused = misuse(key.decapsulate(EncapsulationAlgorithm::MlKem, b"c"));
        asked(has, KeyUsage::EncapsulateDecapsulate, refused, "ML_KEM");
    }
}

/// Material of one kind is never taken for another's, whatever use is named.
#[test]
fn material_is_taken_for_its_own_kind_only() {
    for spec in KeySpec::ALL.iter().filter(|spec| spec.is_asymmetric()) {
        for other in KeySpec::ALL.iter().filter(|other| other.is_asymmetric()) {
            for usage in KeyUsage::ALL {
                let taken = PreparedKey::from_material(*spec, *usage, material(*other)).is_ok();
                assert_eq!(
                    taken,
                    spec == other && spec.allows(*usage),
                    "{spec} {other} {usage}"
                );
            }
        }
    }
}

#[test]
fn rsa_encrypts_up_to_its_limit_and_opens_nothing_altered() {
    for spec in [KeySpec::Rsa2048, KeySpec::Rsa3072, KeySpec::Rsa4096] {
        let key = prepared(spec, KeyUsage::EncryptDecrypt);
        for algorithm in spec.encryption_algorithms(KeyUsage::EncryptDecrypt) {
            let most = spec.max_plaintext(*algorithm).unwrap();
            let ciphertext = key.encrypt(*algorithm, &vec![5; most]).unwrap();
            assert_eq!(*key.decrypt(*algorithm, &ciphertext).unwrap(), vec![5; most]);
            let refused = key.encrypt(*algorithm, &vec![5; most + 1]);
            assert_eq!(misuse(refused), Some(Misuse::Length(most)));
            let mut flipped = ciphertext.clone();
            flipped[40] ^= 1;
            for wrong in [&flipped, &ciphertext[1..], b""] {
                let refused = key.decrypt(*algorithm, wrong);
                assert_eq!(failure(refused), "InvalidCiphertext");
            }
        }
    }
}

#[test]
fn both_sides_agree_and_other_public_keys_are_refused() {
    let curves = [KeySpec::EccNistP256, KeySpec::EccNistP384, KeySpec::EccNistP521];
    for spec in curves {
        let ours = prepared(spec, KeyUsage::KeyAgreement);
        let theirs = generate(spec, &Counting::new()).unwrap();
        let theirs = PreparedKey::from_material(spec, KeyUsage::KeyAgreement, &theirs).unwrap();
        let public = theirs.public_key().unwrap();
        let secret = ours.derive(KeyAgreementAlgorithm::Ecdh, public).unwrap();
        let same = theirs
            .derive(KeyAgreementAlgorithm::Ecdh, ours.public_key().unwrap())
            .unwrap();
        assert_eq!(*secret, *same);
        let point = &public[public.len() - 65..];
        let off_the_curve = {
            let mut altered = public.to_vec();
            *altered.last_mut().unwrap() ^= 1;
            altered
        };
        let rsa = prepared(KeySpec::Rsa2048, KeyUsage::SignVerify);
        let longer = [public, b"\0"].concat();
        for wrong in [
            point,
            &off_the_curve,
            rsa.public_key().unwrap(),
            &longer,
            b"\x30\x00",
        ] {
            let refused = ours.derive(KeyAgreementAlgorithm::Ecdh, wrong);
            assert_eq!(misuse(refused), Some(Misuse::PublicKey(spec)));
        }
        for other in curves.iter().filter(|other| **other != spec) {
            let other = prepared(*other, KeyUsage::KeyAgreement);
            let refused = ours.derive(KeyAgreementAlgorithm::Ecdh, other.public_key().unwrap());
            assert_eq!(misuse(refused), Some(Misuse::PublicKey(spec)));
        }
    }
}

/// NIST CAVP, KAS ECC CDH primitive, P-256, count 0.
#[test]
fn agreement_is_nists() {
    let private = unhex("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534");
    let public = unhex(
        "ead218590119e8876b29146ff89ca61770c4edbbf97d38ce385ed281d8a6b230
         28af61281fd35e2fa7002523acc85a429cb06ee6648325389f59edfce1405141",
    );
    let peer = unhex(
        "700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287
         db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac",
    );
    let material = [
        unhex("308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420"),
        private,
        unhex("a14403420004"),
        public,
    ]
    .concat();
    let key = PreparedKey::from_material(KeySpec::EccNistP256, KeyUsage::KeyAgreement, &material).unwrap();
    let head = unhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");
    let secret = key
        .derive(KeyAgreementAlgorithm::Ecdh, &[head, peer].concat())
        .unwrap();
    assert_eq!(
        *secret,
        unhex("46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b")
    );
}

/// RFC 8032, 7.1, test 2.
#[test]
fn ed25519_is_that_of_rfc_8032() {
    let seed = unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let public = unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    let pkcs8 = [unhex("302e020100300506032b657004220420"), seed].concat();
    let material = as_imported(KeySpec::EccNistEdwards25519, &pkcs8).unwrap();
    assert_eq!(*material, pkcs8);
    let key =
        PreparedKey::from_material(KeySpec::EccNistEdwards25519, KeyUsage::SignVerify, &material).unwrap();
    assert_eq!(
        key.public_key().unwrap(),
        [unhex("302a300506032b6570032100"), public].concat()
    );
    let signature = key
        .sign(SigningAlgorithm::Ed25519Sha512, MessageType::Raw, &[0x72])
        .unwrap();
    assert_eq!(
        signature,
        unhex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        )
    );
}

/// RFC 4231, test case 2.
#[test]
fn macs_are_those_of_rfc_4231() {
    let tags = [
        (
            KeySpec::Hmac224,
            "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
        ),
        (
            KeySpec::Hmac256,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            KeySpec::Hmac384,
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            KeySpec::Hmac512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ];
    let message = b"what do ya want for nothing?";
    for (spec, tag) in tags {
        let key = PreparedKey::from_material(spec, KeyUsage::GenerateVerifyMac, b"Jefe").unwrap();
        let algorithm = spec.mac_algorithms(KeyUsage::GenerateVerifyMac)[0];
        let mut mac = key.mac(algorithm, message).unwrap();
        assert_eq!(mac, unhex(tag));
        key.verify_mac(algorithm, message, &mac).unwrap();
        let short = key.verify_mac(algorithm, message, &mac[1..]);
        assert_eq!(failure(short), "InvalidMac");
        mac[0] ^= 0x80;
        assert_eq!(failure(key.verify_mac(algorithm, message, &mac)), "InvalidMac");
        assert!(matches!(key.public_key(), Err(Misuse::Spec(_))));
    }
}

/// FIPS 203 promises a secret for every ciphertext of the right length, but the right one only for its own.
#[test]
fn a_secret_is_decapsulated_and_an_altered_one_is_implicitly_rejected() {
    for (spec, length) in [
        (KeySpec::MlKem512, 768),
        (KeySpec::MlKem768, 1088),
        (KeySpec::MlKem1024, 1568),
    ] {
        let key = prepared(spec, KeyUsage::EncapsulateDecapsulate);
        let algorithm = EncapsulationAlgorithm::MlKem;
        let (secret, mut ciphertext) = key.encapsulate(algorithm).unwrap();
        assert_eq!((secret.len(), ciphertext.len()), (32, length));
        assert_eq!(*key.decapsulate(algorithm, &ciphertext).unwrap(), *secret);
        ciphertext[9] ^= 1;
        let other = key.decapsulate(algorithm, &ciphertext).unwrap();
        assert!(other.len() == 32 && *other != *secret);
        let refused = key.decapsulate(algorithm, &ciphertext[1..]);
        assert_eq!(failure(refused), "InvalidCiphertext");
    }
}

#[test]
fn messages_have_1_to_4096_bytes() {
    let key = prepared(KeySpec::EccNistEdwards25519, KeyUsage::SignVerify);
    let mac = prepared(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac);
    for length in [0, 1, 4096, 4097] {
        let message = vec![1; length];
        let expected = (length == 0 || length == 4097).then_some(Misuse::Length(4096));
        let signed = key.sign(SigningAlgorithm::Ed25519Sha512, MessageType::Raw, &message);
        assert_eq!(misuse(signed), expected, "{length}");
        assert_eq!(misuse(mac.mac(MacAlgorithm::HmacSha256, &message)), expected);
    }
}

#[test]
fn imported_material_is_exactly_of_its_kind() {
    for spec in KeySpec::ALL {
        for other in KeySpec::ALL {
            let bytes = material(*other);
            let expected = if spec.is_asymmetric() {
                spec == other && spec.is_importable()
            } else if *spec == KeySpec::SymmetricDefault {
                bytes.len() == 32
            } else {
                (material(*spec).len()..=128).contains(&bytes.len())
            };
            assert_eq!(as_imported(*spec, bytes).is_some(), expected, "{spec} {other}");
        }
    }
    let pkcs8 = material(KeySpec::EccNistP384);
    let longer = [pkcs8, b"\0"].concat();
    assert!(as_imported(KeySpec::EccNistP384, &longer).is_none());
    assert!(as_imported(KeySpec::Hmac512, &[1; 129]).is_none());
}

/// The seed rests, not what it expands to: `OneAsymmetricKey` with `[0] seed` of RFC 9881.
#[test]
fn ml_dsa_rests_as_its_seed() {
    for spec in [KeySpec::MlDsa44, KeySpec::MlDsa65, KeySpec::MlDsa87] {
        let material = material(spec);
        assert_eq!(material.len(), 54);
        assert_eq!(material[material.len() - 32..], (0..32).collect::<Vec<u8>>());
    }
}

/// A flipped bit of a private key is refused, or says nothing (such as PKCS #8's version, or how a point is written).
#[test]
fn no_flipped_bit_of_a_private_key_gives_another_key() {
    let pkcs8 = material(KeySpec::EccNistP256);
    assert!(as_imported(KeySpec::EccNistP256, pkcs8).is_some());
    for at in 0..pkcs8.len() {
        for bit in 0..8 {
            let mut flipped = pkcs8.to_vec();
            flipped[at] ^= 1 << bit;
            let taken = as_imported(KeySpec::EccNistP256, &flipped);
            let same = taken.is_none_or(|taken| *taken == pkcs8);
            assert!(same, "byte {at}, bit {bit}");
        }
    }
}

/// Words that AWS's own clients look for.
#[test]
fn refusals_are_worded_as_aws_words_them() {
    let arn: Arn = "arn:aws:kms:eu-central-1:123456789012:key/8b0f4dfa-0d0a-4d0c-9a0b-000000000001"
        .parse()
        .unwrap();
    let said = |refusal: Refusal| refusal.of(&arn).to_string().replace(arn.as_str(), "ARN");
    let key = prepared(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt);
    let refused = key.sign(SigningAlgorithm::RsassaPssSha256, MessageType::Raw, b"m");
    assert_eq!(
        said(refused.unwrap_err()),
        "ARN key usage is ENCRYPT_DECRYPT which is not valid for Sign."
    );
    let key = prepared(KeySpec::EccNistP256, KeyUsage::SignVerify);
    let refused = key.sign(SigningAlgorithm::EcdsaSha256, MessageType::Digest, b"m");
    assert_eq!(
        said(refused.unwrap_err()),
        "Digest is invalid length for algorithm ECDSA_SHA_256."
    );
    let refused = key.verify(SigningAlgorithm::EcdsaSha256, MessageType::Raw, b"m", b"s");
    assert_eq!(said(refused.unwrap_err()), KmsError::InvalidSignature.to_string());
}

proptest! {
    /// Anything that is imported is in its one form already: it comes back as it is.
    #[test]
    fn what_is_imported_stays_as_it_is(spec in 0..KeySpec::ALL.len(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let spec = KeySpec::ALL[spec];
        if let Some(taken) = as_imported(spec, &bytes) {
            let again = as_imported(spec, &taken);
            prop_assert_eq!(again.as_deref(), Some(&*taken));
        }
    }
}
