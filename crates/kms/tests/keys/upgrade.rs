//! A key as a version of moho before customer-managed keys kept it, with what it sealed: all of this was made by that
//! version.

use std::sync::Arc;

use crate::house::{House, kms_at};
use moho_kms::{
    EncryptionContext, KeyRecord, KeyState, KmsError, LegacyKey, LegacyState, MaterialState,
    default_key_policy,
};
use moho_terms::{Arn, ContentBytes, Timestamp};

const ROOT: &str = "6D6F686F2D6465762D726F6F742D310ABC5AF89634D3710FAD4BEA8826C463019F3DDB7A18B654F3912FCD6B0AA846E4\
                    72F8D942F16B3329";
const KEY: &str = "6604a241-df7d-4bb9-98f6-9432d16f0dab";
const WRAPPED: &str = "01CD2E74B1821146F0501DBD410E374ED010AF4DEB8927C66402A03FDDF48080612979870F363D00C0EDC2EEE31B7B\
                       C950327BA1F9E3857AAA4FA1B43A7BD83967D293F08ADF18ED773A29B451";
const SEALED: &str = "4D4F484F5345414C01146604A241DF7D4BB998F69432D16F0DAB25C462009E3CDB7917B554F2902ECC6B09A745E3822\
                      0BE5CFB9937D57312B04E47E53B32553784AD648A6E92B54BA55562B4981FC1C6B1A85CE3961B01C30155075EF77E91\
                      03D0AC2E49E4FC9A8FB17358B60BBA38C913197FA0E81FCD11F4E2397AF0BFBA2990F5C5A663D94E4DB9D67184294397\
                      DDA81F135BD68B202588DD3B6D9E2771";

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn old_key() -> LegacyKey {
    LegacyKey {
        key_id: KEY.parse().unwrap(),
        account: "123456789012".parse().unwrap(),
        region: "moho-local-1".parse().unwrap(),
        state: LegacyState::Enabled,
        policy: default_key_policy("123456789012".parse().unwrap()),
        created_at: Timestamp::from_unix_micros(1_795_312_800_000_000),
        wrapped: WRAPPED.to_owned(),
    }
}

/// A house with the old root key file, and the old key as the store's migration leaves it.
fn house(key: &LegacyKey) -> (House, Arn) {
    let mut house = House::new();
    let path = house.directory.path().join("old.key");
    moho_os::create_private(&path, &bytes(ROOT)).unwrap();
    house.kms = kms_at(&house.world, &path);
    let kept = key.kept().unwrap();
    let arn = kept.arn().unwrap();
    house
        .world
        .kept
        .lock()
        .unwrap()
        .insert(kept.key_id.clone(), Arc::new(kept));
    (house, arn)
}

fn open(house: &House, key: &Arn) -> Result<Vec<u8>, KmsError> {
    house
        .kms
        .open(&house.permit(key), &EncryptionContext::new(), &bytes(SEALED))
        .map(|plain| plain.expose().to_vec())
}

#[test]
fn an_old_key_opens_what_it_sealed_and_does_all_that_new_ones_do() {
    let (house, key) = house(&old_key());
    assert!(
        matches!(open(&house, &key), Err(KmsError::DamagedRecord(_))),
        "not trusted before"
    );
    assert_eq!(house.kms.upgrade().unwrap(), 1);
    assert_eq!(house.kms.upgrade().unwrap(), 0, "once is enough");
    assert_eq!(open(&house, &key).unwrap(), b"words");
    house.works(&key).unwrap();
    let record = house.describe(&key).unwrap();
    assert_eq!(record.created_at, old_key().created_at);
    assert_eq!((record.materials.len(), record.revision), (1, 2));
    // A rotation leaves the old material in its place.
    house.kms.rotate_on_demand(&house.permit(&key)).unwrap();
    assert_eq!(open(&house, &key).unwrap(), b"words");
    let seal = |plain: &[u8]| {
        let plain = ContentBytes::new(plain.to_vec());
        house
            .kms
            .seal(&house.permit(&key), &EncryptionContext::new(), &plain)
    };
    assert!(seal(b"more").is_ok());
    let record = house.describe(&key).unwrap();
    let states: Vec<_> = record.materials.iter().map(|material| material.state).collect();
    assert_eq!(states, [MaterialState::NonCurrent, MaterialState::Current]);
}

#[test]
fn what_an_old_key_says_can_be_read_before_it_is_upgraded() {
    let mut key = old_key();
    key.state = LegacyState::Disabled;
    let record = KeyRecord::peek(&key.kept().unwrap().record).unwrap();
    assert_eq!(record.policy, key.policy);
    assert_eq!(record.state, KeyState::Disabled);
    assert!(record.materials.is_empty());
}

type Change = fn(&mut LegacyKey);

#[test]
fn an_old_key_that_was_altered_is_not_upgraded() {
    let changes: [(&str, Change); 6] = [
        ("state", |key| key.state = LegacyState::Disabled),
        ("policy", |key| key.policy.push(' ')),
        ("time", |key| key.created_at = key.created_at.plus_seconds(1)),
        ("region", |key| key.region = "elsewhere-1".parse().unwrap()),
        ("short", |key| key.wrapped.truncate(152)),
        ("odd", |key| key.wrapped.push('0')),
    ];
    for (what, change) in changes {
        let mut key = old_key();
        change(&mut key);
        let (house, _) = house(&key);
        assert!(
            matches!(house.kms.upgrade(), Err(KmsError::DamagedRecord(_))),
            "{what}"
        );
    }
    for at in 0..WRAPPED.len() / 2 {
        let mut wrapped = bytes(WRAPPED);
        wrapped[at] ^= 1;
        let mut key = old_key();
        key.wrapped = wrapped.iter().map(|byte| format!("{byte:02x}")).collect();
        let (house, _) = house(&key);
        assert!(
            matches!(
                house.kms.upgrade(),
                Err(KmsError::DamagedRecord(_) | KmsError::OtherRoot(_))
            ),
            "{at}"
        );
    }
}
