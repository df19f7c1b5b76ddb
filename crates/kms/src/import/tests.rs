//! Tokens and wrapped material: what comes in as it was meant to, and everything else.

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey,
};
use proptest::prelude::*;

use super::*;
use crate::asymmetric::tests::{Counting, material};

fn tokens() -> ImportTokens {
    ImportTokens::new(Secret::new(vec![1; 32]))
}

fn key(last: char) -> KeyId {
    format!("8b0f4dfa-0d0a-4d0c-9a0b-00000000000{last}")
        .parse()
        .unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_795_312_800)
}

/// Wraps as a customer would.
fn wrap(algorithm: WrappingAlgorithm, public: &[u8], material: &[u8]) -> Vec<u8> {
    let public = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(public).unwrap()).unwrap();
    let (oaep, under_aes) = match algorithm {
        WrappingAlgorithm::RsaesOaepSha1 => (&OAEP_SHA1_MGF1SHA1, false),
        WrappingAlgorithm::RsaesOaepSha256 => (&OAEP_SHA256_MGF1SHA256, false),
        WrappingAlgorithm::RsaAesKeyWrapSha1 => (&OAEP_SHA1_MGF1SHA1, true),
        WrappingAlgorithm::RsaAesKeyWrapSha256 => (&OAEP_SHA256_MGF1SHA256, true),
    };
    let aes = [9; 32];
    let mut wrapped = vec![0; public.ciphertext_size()];
    let inside = if under_aes { aes.as_slice() } else { material };
    public.encrypt(oaep, inside, &mut wrapped, None).unwrap();
    if under_aes {
        let mut padded = vec![0; material.len() + 16];
        let key = AesKek::new(&AES_256, &aes).unwrap();
        wrapped.extend_from_slice(key.wrap_with_padding(material, &mut padded).unwrap());
    }
    wrapped
}

fn failure<T>(result: Result<T, KmsError>) -> String {
    result
        .map(|_| ())
        .map_err(|error| format!("{error:?}"))
        .unwrap_err()
}

/// Every kind of material by every way of wrapping that the table allows, and none of the others.
#[test]
fn material_comes_in_by_every_way_that_is_allowed() {
    let tokens = tokens();
    for spec in KeySpec::ALL {
        // A P-521 key is too long for 2048 bits.
        let wrapping = if *spec == KeySpec::EccNistP521 {
            WrappingKeySpec::Rsa3072
        } else {
            WrappingKeySpec::Rsa2048
        };
        for algorithm in WrappingAlgorithm::ALL {
            let how = (*algorithm, wrapping);
            let made = tokens.parameters((&key('1'), *spec), how, now(), &Counting::new());
            if !spec.imports_by(*algorithm, wrapping) {
                assert!(matches!(made, Err(Refusal::Misuse(_))), "{spec} {algorithm}");
                continue;
            }
            let made = made.map_err(|refused| format!("{refused:?}")).unwrap();
            assert!(made.token.len() <= MOST && made.public_key.len() <= 4096);
            let wrapped = wrap(*algorithm, &made.public_key, material(*spec));
            let came = tokens
                .material((&key('1'), *spec), &made.token, &wrapped, now())
                .unwrap();
            assert_eq!(*came, material(*spec), "{spec} {algorithm}");
        }
    }
}

/// One set of parameters for the tests that follow: RSA keys take their time.
fn made() -> &'static ImportParameters {
    static MADE: std::sync::OnceLock<ImportParameters> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        let how = (WrappingAlgorithm::RsaAesKeyWrapSha256, WrappingKeySpec::Rsa2048);
        let key = (&key('1'), KeySpec::EccNistP256);
        let made = tokens().parameters(key, how, now(), &Counting::new());
        made.map_err(|refused| format!("{refused:?}")).unwrap()
    })
}

#[test]
fn a_token_opens_for_its_key_until_it_ends_and_nowhere_else() {
    let wrapped = wrap(
        WrappingAlgorithm::RsaAesKeyWrapSha256,
        &made().public_key,
        material(KeySpec::EccNistP256),
    );
    let (token, spec) = (made().token.as_slice(), KeySpec::EccNistP256);
    let import = |key: KeyId, at| tokens().material((&key, spec), token, &wrapped, at);
    assert!(import(key('1'), now().plus_seconds(LIFETIME - 1)).is_ok());
    assert_eq!(failure(import(key('1'), made().valid_to)), "ExpiredImportToken");
    assert_eq!(failure(import(key('2'), now())), "InvalidImportToken");
    let elsewhere = ImportTokens::new(Secret::new(vec![3; 32]));
    let refused = elsewhere.material((&key('1'), spec), token, &wrapped, now());
    assert_eq!(failure(refused), "InvalidImportToken");
    // A token says how: one for a key pair does not import a symmetric key.
    let refused = tokens().material((&key('1'), KeySpec::SymmetricDefault), token, &wrapped, now());
    assert_eq!(failure(refused), "InvalidImportToken");
}

#[test]
fn what_does_not_unwrap_is_told_from_what_is_no_such_key() {
    let import = |wrapped: &[u8]| {
        let key = (&key('1'), KeySpec::EccNistP256);
        tokens().material(key, &made().token, wrapped, now())
    };
    let algorithm = WrappingAlgorithm::RsaAesKeyWrapSha256;
    let right = wrap(algorithm, &made().public_key, material(KeySpec::EccNistP256));
    let other = wrap(algorithm, &made().public_key, material(KeySpec::EccNistP384));
    assert!(matches!(import(&other), Err(KmsError::IncorrectKeyMaterial(_))));
    let by_sha1 = wrap(
        WrappingAlgorithm::RsaAesKeyWrapSha1,
        &made().public_key,
        material(KeySpec::EccNistP256),
    );
    let unwrapped_by_rsa = wrap(WrappingAlgorithm::RsaesOaepSha256, &made().public_key, &[4; 32]);
    let too_long = vec![0; MOST + 1];
    for wrong in [
        &by_sha1,
        &unwrapped_by_rsa,
        &right[..right.len() - 8],
        b"",
        &too_long,
    ] {
        assert_eq!(failure(import(wrong)), "InvalidCiphertext");
    }
}

/// NIST SP 800-38F has RFC 5649's construction; its length, padding and check value are all looked at.
#[test]
fn wrapping_with_padding_notices_every_change() {
    let (aes, secret) = ([9; 32], [7; 45]);
    let mut padded = [0; 64];
    let wrapped = AesKek::new(&AES_256, &aes)
        .unwrap()
        .wrap_with_padding(&secret, &mut padded)
        .unwrap()
        .to_vec();
    assert_eq!(unpad(&aes, &wrapped).unwrap().as_slice(), secret);
    for at in 0..wrapped.len() {
        let mut flipped = wrapped.clone();
        flipped[at] ^= 1;
        assert_eq!(failure(unpad(&aes, &flipped)), "InvalidCiphertext");
    }
    assert_eq!(failure(unpad(&aes[..16], &wrapped)), "InvalidCiphertext");
}

proptest! {
    /// No altered, cut or lengthened token opens.
    #[test]
    fn an_altered_token_is_invalid(at in any::<prop::sample::Index>(), flip in 1_u8.., cut in any::<bool>()) {
        let mut token = made().token.clone();
        let at = at.index(token.len());
        if cut { token.truncate(at) } else { token[at] ^= flip }
        let refused = tokens().open(&key('1'), &token, now());
        prop_assert_eq!(failure(refused), "InvalidImportToken");
    }
}
