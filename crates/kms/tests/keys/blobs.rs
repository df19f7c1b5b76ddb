//! Ciphertext blobs: whatever is done to one, it does not open, and does not say why.

use crate::house::{House, context};
use moho_iam::action::kms;
use moho_kms::spec::{EncryptionAlgorithm, KeySpec, KeyUsage};
use moho_kms::{DataKeyLength, EncryptionContext, KmsError, Under};
use proptest::prelude::*;

/// What stands where in a blob.
const KEY_ID: std::ops::Range<usize> = 1..17;
const OVERHEAD: usize = 113;

fn nothing() -> EncryptionContext {
    EncryptionContext::new()
}

fn is_invalid(result: &Result<Vec<u8>, KmsError>) -> bool {
    matches!(result, Err(KmsError::InvalidCiphertext))
}

#[test]
fn every_flipped_bit_of_a_blob_is_refused() {
    let house = House::new();
    let key = house.key();
    let blob = house.encrypt(&key, &nothing()).unwrap();
    assert_eq!(blob.len(), OVERHEAD + b"words".len());
    for at in 0..blob.len() {
        for bit in 0..8 {
            let mut altered = blob.clone();
            altered[at] ^= 1 << bit;
            let opened = house.decrypt(&key, &nothing(), &altered);
            if KEY_ID.contains(&at) {
                assert!(matches!(opened, Err(KmsError::IncorrectKey)), "{at}");
                // Who names no key hears nothing else than of any other damage.
                let named = house.kms.key_of_ciphertext(&altered);
                assert!(matches!(named, Err(KmsError::InvalidCiphertext)), "{at}");
            } else {
                assert!(is_invalid(&opened), "{at}.{bit}");
            }
        }
    }
    assert_eq!(house.decrypt(&key, &nothing(), &blob).unwrap(), b"words");
    assert_eq!(house.kms.key_of_ciphertext(&blob).unwrap(), key);
}

#[test]
fn blobs_that_are_cut_extended_or_spliced_are_refused() {
    let house = House::new();
    let key = house.key();
    let blob = house.encrypt(&key, &nothing()).unwrap();
    let other = house.encrypt(&key, &nothing()).unwrap();
    for length in 0..blob.len() {
        assert!(
            is_invalid(&house.decrypt(&key, &nothing(), &blob[..length])),
            "{length}"
        );
    }
    for more in [1, 16, 113, 6200] {
        let long = [blob.as_slice(), &vec![0; more]].concat();
        assert!(is_invalid(&house.decrypt(&key, &nothing(), &long)), "{more}");
    }
    for at in 34..blob.len() {
        let spliced = [&blob[..at], &other[at..]].concat();
        assert!(is_invalid(&house.decrypt(&key, &nothing(), &spliced)), "{at}");
    }
}

#[test]
fn a_blob_opens_under_its_own_key_and_context_only() {
    let house = House::new();
    let (one, two) = (house.key(), house.key());
    let mine = context(&[("account", "1"), ("object", "a")]);
    let blob = house.encrypt(&one, &mine).unwrap();
    assert_eq!(house.decrypt(&one, &mine, &blob).unwrap(), b"words");
    assert!(matches!(
        house.decrypt(&two, &mine, &blob),
        Err(KmsError::IncorrectKey)
    ));
    for other in [
        context(&[]),
        context(&[("account", "1")]),
        context(&[("account", "1"), ("object", "b")]),
        context(&[("account", "1"), ("Object", "a")]),
        context(&[("account", "1"), ("object", "a"), ("more", "")]),
    ] {
        assert!(is_invalid(&house.decrypt(&one, &other, &blob)));
    }
    // A blob that says it is another key's is no more that one's.
    let of_two = house.encrypt(&two, &mine).unwrap();
    let mut moved = blob;
    moved[KEY_ID].copy_from_slice(&of_two[KEY_ID]);
    assert!(is_invalid(&house.decrypt(&two, &mine, &moved)));
    moved[17..33].copy_from_slice(&of_two[17..33]);
    assert!(is_invalid(&house.decrypt(&two, &mine, &moved)));
}

#[test]
fn a_blob_of_one_material_does_not_open_by_another() {
    let house = House::new();
    let key = house.key();
    let old = house.encrypt(&key, &nothing()).unwrap();
    house.kms.rotate_on_demand(&house.permit(&key)).unwrap();
    let new = house.encrypt(&key, &nothing()).unwrap();
    assert_ne!(old[17..33], new[17..33]);
    assert_eq!(house.decrypt(&key, &nothing(), &old).unwrap(), b"words");
    assert_eq!(house.decrypt(&key, &nothing(), &new).unwrap(), b"words");
    let mut crossed = old;
    crossed[17..33].copy_from_slice(&new[17..33]);
    assert!(is_invalid(&house.decrypt(&key, &nothing(), &crossed)));
}

#[test]
fn a_permit_for_another_context_does_not_do() {
    let house = House::new();
    let key = house.key();
    let (mine, other) = (context(&[("a", "1")]), context(&[("a", "2")]));
    let permit = house.permit_under::<kms::Encrypt>(&key, &other);
    let under = Under {
        permit: &permit,
        context: &mine,
        algorithm: EncryptionAlgorithm::SymmetricDefault,
    };
    assert!(matches!(
        house.kms.encrypt(&under, b"words"),
        Err(KmsError::OtherContext)
    ));
    let permit = house.permit_under(&key, &other);
    let made = house
        .kms
        .generate_data_key(&permit, &mine, DataKeyLength::AES_256);
    assert!(matches!(made, Err(KmsError::OtherContext)));
}

#[test]
fn data_keys_are_fresh_as_long_as_asked_for_and_come_back() {
    let house = House::new();
    let key = house.key();
    let mine = context(&[("a", "1")]);
    let mut seen = std::collections::BTreeSet::new();
    for bytes in [1, 16, 32, 64, 1024] {
        let permit = house.permit_under(&key, &mine);
        let length = DataKeyLength::new(bytes).unwrap();
        let made = house.kms.generate_data_key(&permit, &mine, length).unwrap();
        assert_eq!(made.plain.len(), bytes);
        let opened = house.decrypt(&key, &mine, &made.encrypted.blob).unwrap();
        assert_eq!(opened, made.plain.expose());
        assert!(seen.insert(opened));
        let permit = house.permit_under(&key, &mine);
        let hidden = house
            .kms
            .generate_data_key_without_plaintext(&permit, &mine, length)
            .unwrap();
        assert_eq!(house.decrypt(&key, &mine, &hidden.blob).unwrap().len(), bytes);
    }
    assert!(DataKeyLength::new(0).is_err() && DataKeyLength::new(1025).is_err());
}

#[test]
fn data_key_pairs_come_back_as_the_private_key_of_the_public_one() {
    let house = House::new();
    let key = house.key();
    let spec = "ECC_NIST_P256".parse().unwrap();
    let permit = house.permit(&key);
    house.kms.could_make_data_keys(&permit, &nothing()).unwrap();
    assert!(
        house
            .kms
            .could_make_data_keys(&permit, &context(&[("other", "context")]))
            .is_err()
    );
    let pair = house
        .kms
        .generate_data_key_pair(&permit, &nothing(), spec)
        .unwrap();
    let private = house.decrypt(&key, &nothing(), &pair.encrypted.blob).unwrap();
    assert_eq!(private, pair.private_key.expose());
    let permit = house.permit(&key);
    let (public, hidden) = house
        .kms
        .generate_data_key_pair_without_plaintext(&permit, &nothing(), spec)
        .unwrap();
    assert_ne!(public, pair.public_key);
    assert_eq!(public.len(), 91);
    assert!(house.decrypt(&key, &nothing(), &hidden.blob).unwrap().len() > 100);
}

#[test]
fn re_encrypting_moves_a_blob_to_another_key_and_context() {
    let house = House::new();
    let (one, two) = (house.key(), house.key());
    let (before, after) = (context(&[("v", "1")]), context(&[("v", "2")]));
    let blob = house.encrypt(&one, &before).unwrap();
    let from = house.permit_under::<kms::ReEncryptFrom>(&one, &before);
    let to = house.permit_under::<kms::ReEncryptTo>(&two, &after);
    let from = Under {
        permit: &from,
        context: &before,
        algorithm: EncryptionAlgorithm::SymmetricDefault,
    };
    let to = Under {
        permit: &to,
        context: &after,
        algorithm: EncryptionAlgorithm::SymmetricDefault,
    };
    let moved = house.kms.re_encrypt(&from, &to, &blob).unwrap();
    assert_eq!(
        house.decrypt(&two, &after, &moved.encrypted.blob).unwrap(),
        b"words"
    );
    let current = |key| house.describe(key).unwrap().current().map(|material| material.id);
    assert_eq!(moved.source, current(&one));
    assert_eq!(moved.encrypted.material, current(&two));
    house.kms.disable(&house.permit(&two)).unwrap();
    assert!(matches!(house.kms.re_encrypt(&from, &to, &blob), Err(KmsError::Disabled(key)) if key == two));
}

#[test]
fn plaintext_of_no_bytes_or_too_many_is_refused() {
    let house = House::new();
    let key = house.key();
    let permit = house.permit(&key);
    let under = Under {
        permit: &permit,
        context: &nothing(),
        algorithm: EncryptionAlgorithm::SymmetricDefault,
    };
    for (length, fits) in [(0, false), (1, true), (4096, true), (4097, false)] {
        let made = house.kms.encrypt(&under, &vec![7; length]);
        assert_eq!(made.is_ok(), fits, "{length}");
        if let Ok(made) = made {
            assert_eq!(
                house.decrypt(&key, &nothing(), &made.blob).unwrap(),
                vec![7; length]
            );
        }
    }
}

#[test]
fn rsa_keys_encrypt_in_their_own_way_and_under_no_context() {
    let house = House::new();
    let key = house.key_of(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt);
    let run = |context: &EncryptionContext, algorithm| {
        let permit = house.permit_under(&key, context);
        let under = Under {
            permit: &permit,
            context,
            algorithm,
        };
        let made = house.kms.encrypt(&under, b"words")?;
        let permit = house.permit_under(&key, context);
        let under = Under {
            permit: &permit,
            context,
            algorithm,
        };
        let mut altered = made.blob.clone();
        altered[9] ^= 1;
        assert!(matches!(
            house.kms.decrypt(&under, &altered),
            Err(KmsError::InvalidCiphertext)
        ));
        Ok(house.kms.decrypt(&under, &made.blob)?.plain.expose().to_vec())
    };
    assert_eq!(
        run(&nothing(), EncryptionAlgorithm::RsaesOaepSha256).unwrap(),
        b"words"
    );
    let refused = run(&context(&[("a", "1")]), EncryptionAlgorithm::RsaesOaepSha256);
    assert!(matches!(refused, Err(KmsError::Validation(_))));
    let refused = run(&nothing(), EncryptionAlgorithm::SymmetricDefault);
    assert!(matches!(refused, Err(KmsError::IncompatibleAlgorithm(..))));
    let permit = house.permit(&key);
    let made = house
        .kms
        .generate_data_key(&permit, &nothing(), DataKeyLength::AES_128);
    assert!(matches!(made, Err(KmsError::IncompatibleAlgorithm(..))));
}

proptest! {
    #[test]
    fn foreign_bytes_never_open(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let house = House::new();
        let key = house.key();
        let blob = house.encrypt(&key, &nothing()).unwrap();
        prop_assert!(is_invalid(&house.decrypt(&key, &nothing(), &bytes)) || bytes.first() == Some(&1));
        // Right in front, foreign behind.
        let front = [&blob[..33], &bytes].concat();
        prop_assert!(is_invalid(&house.decrypt(&key, &nothing(), &front)));
    }
}
