//! Keys as their users meet them: with permits won on the whole road, over records somebody else can alter.

use crate::house::{House, kms_at, region};
use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_iam::bootstrap::{Attestation, Door, IdentityProvider};
use moho_kms::{EncryptionContext, KeptKey, KeyRecord, KmsError, SealedError};
use moho_terms::{AccountId, Arn, Clock, ContentBytes};

fn seal(house: &House, key: &Arn) -> Result<Vec<u8>, KmsError> {
    let plain = ContentBytes::new(b"words".to_vec());
    let sealed = house
        .kms
        .seal(&house.permit(key), &EncryptionContext::new(), &plain)?;
    Ok(sealed.into_bytes())
}

fn open(house: &House, key: &Arn, sealed: &[u8]) -> Result<Vec<u8>, KmsError> {
    house
        .kms
        .open(&house.permit(key), &EncryptionContext::new(), sealed)
        .map(|plain| plain.expose().to_vec())
}

#[test]
fn what_is_sealed_under_a_key_opens_under_it_only() {
    let house = House::new();
    let (one, two) = (house.key(), house.key());
    let sealed = seal(&house, &one).unwrap();
    assert_eq!(open(&house, &one, &sealed).unwrap(), b"words");
    let error = open(&house, &two, &sealed).unwrap_err();
    assert!(
        matches!(error, KmsError::Sealed(SealedError::OtherKey(_))),
        "{error}"
    );
}

#[test]
fn a_restart_changes_nothing() {
    let mut house = House::new();
    let key = house.key();
    let sealed = seal(&house, &key).unwrap();
    house.kms = kms_at(&house.world, &house.directory.path().join("root.key"));
    assert_eq!(open(&house, &key, &sealed).unwrap(), b"words");
}

#[test]
fn a_permit_for_what_is_no_key_here_is_refused() {
    let house = House::new();
    let key = house.key();
    let named = |text: String| text.parse::<Arn>().unwrap();
    let id = key.resource();
    for resource in [
        named("arn:aws:kms:moho-local-1:123456789012:key/00000000-0000-4000-8000-000000000000".to_owned()),
        named(format!("arn:aws:kms:elsewhere-1:123456789012:{id}")),
        named(format!("arn:aws:kms:moho-local-1:123456789012:{id}x")),
        named("arn:aws:kms:moho-local-1:123456789012:alias/mine".to_owned()),
        named(format!("arn:aws:s3:moho-local-1:123456789012:{id}")),
    ] {
        let permit: Permit<kms::GenerateDataKey> = house.permit(&resource);
        let result = house
            .kms
            .seal(&permit, &EncryptionContext::new(), &ContentBytes::new(vec![1]));
        assert!(matches!(result, Err(KmsError::NotFound(_))), "{resource}");
    }
}

#[test]
fn a_key_that_is_removed_shreds_what_it_sealed_at_once() {
    let house = House::new();
    let key = house.key();
    let sealed = seal(&house, &key).unwrap();
    house.world.kept.lock().unwrap().clear();
    assert!(matches!(open(&house, &key, &sealed), Err(KmsError::NotFound(_))));
}

#[test]
fn a_disabled_key_is_refused_until_it_is_enabled() {
    let house = House::new();
    let key = house.key();
    let sealed = seal(&house, &key).unwrap();
    house.kms.disable(&house.permit(&key)).unwrap();
    assert!(matches!(open(&house, &key, &sealed), Err(KmsError::Disabled(_))));
    assert!(matches!(seal(&house, &key), Err(KmsError::Disabled(_))));
    house.kms.enable(&house.permit(&key)).unwrap();
    assert_eq!(open(&house, &key, &sealed).unwrap(), b"words");
}

type Change = fn(&mut KeptKey);

#[test]
fn what_a_key_is_found_by_cannot_be_altered() {
    let changes: [(&str, Change); 6] = [
        ("account", |kept| kept.account = "210987654321".parse().unwrap()),
        ("region", |kept| kept.region = "elsewhere-1".parse().unwrap()),
        ("revision", |kept| kept.revision += 1),
        ("due", |kept| {
            kept.due_at = Some(crate::house::World::default().now())
        }),
        ("short", |kept| {
            kept.record.pop();
        }),
        ("long", |kept| kept.record.push(b' ')),
    ];
    for (what, change) in changes {
        let house = House::new();
        let key = house.key();
        let sealed = seal(&house, &key).unwrap();
        house.alter(&key, change);
        // The key is remembered, but only as it was.
        let refused = open(&house, &key, &sealed);
        assert!(
            matches!(refused, Err(KmsError::DamagedRecord(_) | KmsError::NotFound(_))),
            "{what}"
        );
        assert!(house.describe(&key).is_err(), "{what}");
        assert!(house.kms.disable(&house.permit(&key)).is_err(), "{what}");
    }
}

#[test]
fn every_flipped_byte_of_a_record_is_refused() {
    let house = House::new();
    let key = house.key();
    let length = house.kept(&key).unwrap().record.len();
    assert!(length > 500);
    for at in 0..length {
        house.alter(&key, |kept| kept.record[at] ^= 1);
        let error = house.works(&key).unwrap_err();
        match at {
            1..17 => assert!(matches!(error, KmsError::OtherRoot(_)), "{at}: {error}"),
            _ => assert!(matches!(error, KmsError::DamagedRecord(_)), "{at}: {error}"),
        }
        house.alter(&key, |kept| kept.record[at] ^= 1);
    }
    house.works(&key).unwrap();
}

#[test]
fn a_record_cannot_be_moved_to_another_key_or_cut() {
    let house = House::new();
    let (one, two) = (house.key(), house.key());
    let stolen = house.kept(&one).unwrap().record.clone();
    house.alter(&two, |kept| kept.record.clone_from(&stolen));
    assert!(matches!(house.works(&two), Err(KmsError::DamagedRecord(_))));
    for length in 0..stolen.len() {
        house.alter(&two, |kept| kept.record.truncate(stolen.len() - 1 - length));
        assert!(
            matches!(house.works(&two), Err(KmsError::DamagedRecord(_))),
            "{length}"
        );
        house.alter(&two, |kept| kept.record.clone_from(&stolen));
    }
}

#[test]
fn another_root_key_says_that_it_is_another() {
    let mut house = House::new();
    let key = house.key();
    house.kms = kms_at(&house.world, &house.directory.path().join("other.key"));
    let error = house.works(&key).unwrap_err();
    assert!(matches!(error, KmsError::OtherRoot(_)));
    assert!(error.to_string().contains("restore the root key file"), "{error}");
}

#[test]
fn more_keys_than_are_remembered_all_work() {
    let house = House::new();
    let keys: Vec<Arn> = (0..1030).map(|_| house.key()).collect();
    let sealed: Vec<_> = keys.iter().map(|key| seal(&house, key).unwrap()).collect();
    for (key, sealed) in keys.iter().zip(&sealed).step_by(50) {
        assert_eq!(open(&house, key, sealed).unwrap(), b"words");
    }
}

#[test]
fn the_bootstrap_key_is_the_accounts_and_is_not_yet_kept() {
    let house = House::new();
    let account: AccountId = "210987654321".parse().unwrap();
    let door = Door::open(Attestation::Development, IdentityProvider::None).unwrap();
    let kept = house
        .kms
        .bootstrap_key(&door, account, &region(), house.world.now())
        .unwrap();
    assert_eq!(kept.account, account);
    let record = KeyRecord::peek(&kept.record).unwrap();
    assert!(record.policy.contains("arn:aws:iam::210987654321:root"));
    assert!(house.world.kept.lock().unwrap().is_empty());
}
