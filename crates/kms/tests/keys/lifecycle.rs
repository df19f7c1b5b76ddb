//! The life of a key: described, rotated, disabled, ended, with time that passes.

use std::collections::BTreeMap;

use crate::house::{DAY, House, id_of};
use moho_iam::action::{Action, kms};
use moho_kms::spec::{KeySpec, KeyUsage, Origin};
use moho_kms::{
    DueKind, EncryptionContext, KeyPolicy, KeyState, KmsError, MaterialState, NewKey, RotationType,
    default_key_policy,
};
use moho_terms::{Arn, Clock};

fn nothing() -> EncryptionContext {
    EncryptionContext::new()
}

/// What was done to keys that were due.
fn run_due(house: &House) -> Vec<(Arn, Vec<DueKind>)> {
    let due = house.kms.run_due().unwrap();
    let done = due.into_iter().map(|due| (due.key.unwrap(), due.done.unwrap()));
    done.collect()
}

/// A key policy that names nobody who could be bound.
fn of_nobody(text: &str) -> KeyPolicy {
    KeyPolicy {
        text: text.to_owned(),
        principals: BTreeMap::new(),
    }
}

#[test]
fn a_new_key_is_what_was_asked_for() {
    let house = House::new();
    let policy = default_key_policy("123456789012".parse().unwrap());
    let tags = BTreeMap::from([("team".to_owned(), "red".to_owned())]);
    let key = house
        .make(NewKey {
            spec: KeySpec::Hmac256,
            usage: KeyUsage::GenerateVerifyMac,
            description: "of the red team".to_owned(),
            policy: Some(of_nobody(&policy)),
            tags: tags.clone(),
            ..NewKey::default()
        })
        .unwrap();
    let record = house.describe(&key).unwrap();
    assert_eq!(record.spec, KeySpec::Hmac256);
    assert_eq!(record.usage, KeyUsage::GenerateVerifyMac);
    assert_eq!(record.description, "of the red team");
    assert_eq!((&record.policy, &record.tags), (&policy, &tags));
    assert_eq!((record.state, record.origin), (KeyState::Enabled, Origin::AwsKms));
    assert_eq!(record.created_at, house.world.now());
}

#[test]
fn what_cannot_be_a_key_is_not_made() {
    let house = House::new();
    let refused = |new: NewKey| house.make(new).unwrap_err();
    let new = NewKey::default;
    let usage = refused(NewKey {
        usage: KeyUsage::SignVerify,
        ..new()
    });
    assert!(matches!(usage, KmsError::Validation(_)), "{usage}");
    let policy = refused(NewKey {
        policy: Some(of_nobody("{}")),
        ..new()
    });
    assert!(matches!(policy, KmsError::MalformedPolicy(_)), "{policy}");
    let description = refused(NewKey {
        description: "d".repeat(8193),
        ..new()
    });
    assert!(matches!(description, KmsError::Validation(_)), "{description}");
    let tags = refused(NewKey {
        tags: BTreeMap::from([("aws:x".to_owned(), String::new())]),
        ..new()
    });
    assert!(matches!(tags, KmsError::Tag(_)), "{tags}");
    assert!(house.world.kept.lock().unwrap().is_empty());
}

#[test]
fn descriptions_policies_and_tags_change_and_nothing_else_does() {
    let house = House::new();
    let key = house.key();
    house.kms.update_description(&house.permit(&key), "new").unwrap();
    let policy = default_key_policy("123456789012".parse().unwrap()).replace("kms:*", "kms:Describe*");
    let named = KeyPolicy {
        principals: BTreeMap::from([("arn:aws:iam::123456789012:role/R".to_owned(), "AROA".to_owned())]),
        ..of_nobody(&policy)
    };
    house.kms.put_policy(&house.permit(&key), &named).unwrap();
    let two = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
    house.kms.tag(&house.permit(&key), &two).unwrap();
    let one = BTreeMap::from([("a".to_owned(), "3".to_owned())]);
    house.kms.tag(&house.permit(&key), &one).unwrap();
    let gone = ["b".to_owned(), "never there".to_owned()];
    house.kms.untag(&house.permit(&key), &gone).unwrap();
    let record = house.describe(&key).unwrap();
    assert_eq!(record.description, "new");
    assert_eq!((&record.policy, &record.principals), (&policy, &named.principals));
    assert_eq!(record.tags, one);
    assert_eq!(record.revision, 6);
    house.works(&key).unwrap();
    // What changes nothing is not written.
    house.kms.update_description(&house.permit(&key), "new").unwrap();
    house.kms.enable(&house.permit(&key)).unwrap();
    assert_eq!(house.describe(&key).unwrap().revision, 6);
    let refused = house.kms.put_policy(&house.permit(&key), &of_nobody("[]"));
    assert!(matches!(refused, Err(KmsError::MalformedPolicy(_))));
}

#[test]
fn a_key_has_at_most_fifty_tags() {
    let house = House::new();
    let key = house.key();
    let tags = |n: usize| (0..n).map(|i| (format!("k{i}"), String::new())).collect();
    house.kms.tag(&house.permit(&key), &tags(50)).unwrap();
    let refused = house.kms.tag(&house.permit(&key), &tags(51));
    assert!(matches!(refused, Err(KmsError::LimitExceeded(_))));
    let long = BTreeMap::from([("k0".to_owned(), "v".repeat(257))]);
    let refused = house.kms.tag(&house.permit(&key), &long);
    assert!(matches!(refused, Err(KmsError::Tag(_))));
    assert_eq!(house.describe(&key).unwrap().tags.len(), 50);
}

#[test]
fn a_key_that_ends_can_be_had_back_and_then_is_gone_for_good() {
    let house = House::new();
    let key = house.key();
    let blob = house.encrypt(&key, &nothing()).unwrap();
    for days in [0, 6, 31] {
        let refused = house.kms.schedule_deletion(&house.permit(&key), Some(days));
        assert!(matches!(refused, Err(KmsError::Validation(_))), "{days}");
    }
    let at = house.kms.schedule_deletion(&house.permit(&key), None).unwrap();
    assert_eq!(at, house.world.now().plus_seconds(30 * DAY));
    assert_eq!(
        house.describe(&key).unwrap().state,
        KeyState::PendingDeletion { at }
    );
    assert!(matches!(house.works(&key), Err(KmsError::InvalidState(..))));
    house.world.pass(30 * DAY - 1);
    assert_eq!(run_due(&house), []);
    house.kms.cancel_deletion(&house.permit(&key)).unwrap();
    assert_eq!(house.describe(&key).unwrap().state, KeyState::Disabled);
    house.kms.enable(&house.permit(&key)).unwrap();
    assert_eq!(house.decrypt(&key, &nothing(), &blob).unwrap(), b"words");

    house.kms.schedule_deletion(&house.permit(&key), Some(7)).unwrap();
    house.world.pass(7 * DAY);
    // The sweeper has not come yet, and nobody waits for it.
    assert!(house.kept(&key).is_some());
    assert!(matches!(house.describe(&key), Err(KmsError::NotFound(_))));
    let late = house.kms.cancel_deletion(&house.permit(&key));
    assert!(matches!(late, Err(KmsError::NotFound(_))));
    assert!(matches!(
        house.decrypt(&key, &nothing(), &blob),
        Err(KmsError::NotFound(_))
    ));
    assert_eq!(run_due(&house), [(key.clone(), vec![DueKind::Deleted])]);
    assert!(house.kept(&key).is_none());
    assert_eq!(run_due(&house), []);
    let named = house.kms.key_of_ciphertext(&blob);
    assert!(matches!(named, Err(KmsError::InvalidCiphertext)));
}

#[test]
fn a_key_whose_end_was_postponed_can_be_had_back_until_then() {
    let house = House::new();
    let (due, later) = (house.key(), house.key());
    house.kms.schedule_deletion(&house.permit(&due), Some(7)).unwrap();
    house
        .kms
        .schedule_deletion(&house.permit(&later), Some(30))
        .unwrap();
    house.world.pass(10 * DAY);
    let until = house.world.now().plus_seconds(DAY);
    assert_eq!(house.kms.postpone_deletions(until).unwrap(), 1);
    assert_eq!(house.kms.postpone_deletions(until).unwrap(), 0);
    assert_eq!(run_due(&house), []);
    let state = |key| house.describe(key).unwrap().state;
    assert_eq!(state(&due), KeyState::PendingDeletion { at: until });
    let at = house.world.now().plus_seconds(20 * DAY);
    assert_eq!(state(&later), KeyState::PendingDeletion { at });
    house.world.pass(DAY - 1);
    house.kms.cancel_deletion(&house.permit(&due)).unwrap();
    assert_eq!(state(&due), KeyState::Disabled);
    house.world.pass(20 * DAY);
    assert_eq!(run_due(&house), [(later, vec![DueKind::Deleted])]);
}

#[test]
fn a_disabled_key_that_was_to_end_comes_back_disabled() {
    let house = House::new();
    let key = house.key();
    house.kms.disable(&house.permit(&key)).unwrap();
    house.kms.schedule_deletion(&house.permit(&key), Some(7)).unwrap();
    house.kms.cancel_deletion(&house.permit(&key)).unwrap();
    assert_eq!(house.describe(&key).unwrap().state, KeyState::Disabled);
}

#[test]
fn a_key_rotates_by_itself_and_opens_everything() {
    let house = House::new();
    let key = house.key();
    for days in [89, 2561] {
        let refused = house.kms.enable_rotation(&house.permit(&key), Some(days));
        assert!(matches!(refused, Err(KmsError::Validation(_))), "{days}");
    }
    let status = || house.kms.rotation_status(&house.permit(&key)).unwrap();
    assert_eq!(status(), None);
    house.kms.enable_rotation(&house.permit(&key), None).unwrap();
    assert_eq!(status().unwrap().period_days, 365);
    house.kms.enable_rotation(&house.permit(&key), Some(90)).unwrap();
    assert_eq!(
        status().unwrap().next_at,
        house.world.now().plus_seconds(90 * DAY)
    );
    let first = house.encrypt(&key, &nothing()).unwrap();
    house.world.pass(90 * DAY - 1);
    assert_eq!(run_due(&house), []);
    house.world.pass(1);
    assert_eq!(run_due(&house), [(key.clone(), vec![DueKind::Rotated])]);
    assert_eq!(run_due(&house), []);
    let second = house.encrypt(&key, &nothing()).unwrap();
    assert_ne!(first[17..33], second[17..33]);
    // Whoever was away for long rotates once, and the next time is as far as it would have been.
    house.world.pass(200 * DAY);
    assert_eq!(run_due(&house).len(), 1);
    assert_eq!(
        status().unwrap().next_at,
        house.world.now().plus_seconds(70 * DAY)
    );
    for blob in [first, second] {
        assert_eq!(house.decrypt(&key, &nothing(), &blob).unwrap(), b"words");
    }
    let record = house.kms.rotations(&house.permit(&key)).unwrap();
    assert_eq!(record.materials.len(), 3);
    let kinds = record
        .materials
        .iter()
        .map(|material| material.rotated.map(|rotated| rotated.kind));
    let automatic = Some(RotationType::Automatic);
    assert_eq!(kinds.collect::<Vec<_>>(), [None, automatic, automatic]);
    house.kms.disable_rotation(&house.permit(&key)).unwrap();
    house.world.pass(1000 * DAY);
    assert_eq!(run_due(&house), []);
}

#[test]
fn a_key_that_may_not_be_used_does_not_rotate_until_it_may() {
    let house = House::new();
    let key = house.key();
    house.kms.enable_rotation(&house.permit(&key), Some(90)).unwrap();
    house.kms.disable(&house.permit(&key)).unwrap();
    house.world.pass(100 * DAY);
    assert_eq!(run_due(&house), []);
    house.kms.schedule_deletion(&house.permit(&key), None).unwrap();
    assert_eq!(house.kms.rotation_status(&house.permit(&key)).unwrap(), None);
    house.kms.cancel_deletion(&house.permit(&key)).unwrap();
    house.kms.enable(&house.permit(&key)).unwrap();
    assert_eq!(run_due(&house), [(key, vec![DueKind::Rotated])]);
}

#[test]
fn a_key_rotates_on_demand_twenty_five_times() {
    let house = House::new();
    let key = house.key();
    let first = house.encrypt(&key, &nothing()).unwrap();
    for _ in 0..25 {
        house.kms.rotate_on_demand(&house.permit(&key)).unwrap();
    }
    let refused = house.kms.rotate_on_demand(&house.permit(&key));
    assert!(matches!(refused, Err(KmsError::LimitExceeded(_))));
    assert_eq!(house.decrypt(&key, &nothing(), &first).unwrap(), b"words");
    let record = house.describe(&key).unwrap();
    assert_eq!(record.materials.len(), 26);
    let current = record
        .materials
        .iter()
        .filter(|material| material.state == MaterialState::Current);
    assert_eq!(current.count(), 1);
    assert!(record.current() == record.materials.last());
}

#[test]
fn only_symmetric_keys_rotate() {
    let house = House::new();
    let key = house.key_of(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac);
    let unsupported =
        |result: Result<(), KmsError>| matches!(result, Err(KmsError::UnsupportedOperation(..)));
    assert!(unsupported(house.kms.enable_rotation(&house.permit(&key), None)));
    assert!(unsupported(house.kms.disable_rotation(&house.permit(&key))));
    assert!(unsupported(house.kms.rotate_on_demand(&house.permit(&key))));
    assert!(unsupported(
        house.kms.rotation_status(&house.permit(&key)).map(drop)
    ));
    assert!(unsupported(house.kms.rotations(&house.permit(&key)).map(drop)));
}

#[test]
fn one_damaged_key_keeps_no_other_from_what_is_due() {
    let house = House::new();
    let keys = [house.key(), house.key(), house.key()];
    for key in &keys {
        house.kms.schedule_deletion(&house.permit(key), Some(7)).unwrap();
    }
    house.alter(&keys[1], |kept| kept.record[60] ^= 1);
    house.world.pass(7 * DAY);
    let due = house.kms.run_due().unwrap();
    assert_eq!(due.len(), 3);
    for due in due {
        let is_damaged = due.key_id == id_of(&keys[1]);
        assert_eq!(matches!(due.done, Err(KmsError::DamagedRecord(_))), is_damaged);
        assert_eq!(matches!(due.done.as_deref(), Ok([DueKind::Deleted])), !is_damaged);
    }
    assert_eq!(house.world.kept.lock().unwrap().len(), 1);
}

#[test]
fn a_thousand_damaged_keys_keep_none_after_them_from_what_is_due() {
    let house = House::new();
    for _ in 0..1000 {
        let key = house.key();
        house.kms.schedule_deletion(&house.permit(&key), Some(7)).unwrap();
        house.alter(&key, |kept| kept.record[60] ^= 1);
    }
    house.world.pass(1);
    let key = house.key();
    house.kms.schedule_deletion(&house.permit(&key), Some(7)).unwrap();
    house.world.pass(7 * DAY);
    for expected in [1001, 1000] {
        let due = house.kms.run_due().unwrap();
        assert_eq!(due.len(), expected);
        assert!(house.kept(&key).is_none());
    }
}

/// Tags that are short to whoever writes them, and long where they rest.
fn long_tags(count: usize) -> BTreeMap<String, String> {
    let tags = (0..count).map(|n| (format!("{n}"), "\u{1}".repeat(256)));
    tags.collect()
}

#[test]
fn what_is_said_of_a_key_leaves_room_for_its_rotations() {
    let house = House::new();
    let policy = default_key_policy("123456789012".parse().unwrap());
    let spaces = |count| of_nobody(&(policy.clone() + &"\n".repeat(count)));
    let too_much = |refused: KmsError| assert!(matches!(refused, KmsError::LimitExceeded(_)), "{refused}");
    let description = "\u{1}".repeat(8192);
    let new = NewKey {
        description: description.clone(),
        tags: long_tags(50),
        policy: Some(spaces(32_000)),
        ..NewKey::default()
    };
    too_much(house.make(new).unwrap_err());
    let key = house.key();
    let tag = |count| house.kms.tag(&house.permit(&key), &long_tags(count));
    tag(50).unwrap();
    let say = |text: &str| house.kms.update_description(&house.permit(&key), text);
    say(&description).unwrap();
    let put = |count| house.kms.put_policy(&house.permit(&key), &spaces(count));
    too_much(put(32_000).unwrap_err());
    say("").unwrap();
    put(26_000).unwrap();
    too_much(say(&description).unwrap_err());
    let names: Vec<_> = long_tags(50).into_keys().collect();
    house.kms.untag(&house.permit(&key), &names).unwrap();
    say(&description).unwrap();
    too_much(tag(50).unwrap_err());
    tag(15).unwrap();
    // Twenty-five rotations on demand, and ninety years of automatic ones, as often as there may be.
    house.kms.enable_rotation(&house.permit(&key), Some(90)).unwrap();
    for _ in 0..25 {
        house.kms.rotate_on_demand(&house.permit(&key)).unwrap();
    }
    for _ in 0..365 {
        house.world.pass(90 * DAY);
        assert_eq!(run_due(&house), [(key.clone(), vec![DueKind::Rotated])]);
    }
    house.works(&key).unwrap();
}

#[test]
fn keys_are_listed_in_order_and_by_account() {
    let house = House::new();
    let mut keys: Vec<_> = (0..5).map(|_| id_of(&house.key())).collect();
    keys.sort();
    let any: Arn = "arn:aws:kms:moho-local-1:123456789012:*".parse().unwrap();
    let list = |after, limit| {
        let listed = house.kms.list_keys(&house.permit(&any), after, limit).unwrap();
        listed.iter().map(|kept| kept.key_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 3), keys[..3]);
    assert_eq!(list(Some(&keys[2]), 3), keys[3..]);
    house.alter(
        &format!("{}key/{}", any.as_str().trim_end_matches('*'), keys[0])
            .parse()
            .unwrap(),
        |kept| {
            kept.account = "210987654321".parse().unwrap();
        },
    );
    assert_eq!(list(None, 9), keys[1..]);
}

/// What every action of the API says of keys in the state that `key` is in.
fn said_by_all(house: &House, key: &Arn) -> Vec<(&'static str, &'static str)> {
    fn said<A: Action>(house: &House, key: &Arn) -> (&'static str, &'static str) {
        let word = match house.kms.key(&house.permit::<A>(key)) {
            Ok(_) => "ok",
            Err(KmsError::Disabled(_)) => "disabled",
            Err(KmsError::InvalidState(_, why)) => why,
            Err(_) => "?",
        };
        (A::NAME, word)
    }
    vec![
        said::<kms::DescribeKey>(house, key),
        said::<kms::GetKeyPolicy>(house, key),
        said::<kms::CreateAlias>(house, key),
        said::<kms::CreateGrant>(house, key),
        said::<kms::CancelKeyDeletion>(house, key),
        said::<kms::EnableKey>(house, key),
        said::<kms::Decrypt>(house, key),
        said::<kms::Sign>(house, key),
    ]
}

#[test]
fn what_a_key_allows_follows_its_state() {
    let house = House::new();
    let key = house.key();
    let words = |house: &House, key: &Arn| {
        said_by_all(house, key)
            .into_iter()
            .map(|(_, word)| word)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(&house, &key),
        ["ok", "ok", "ok", "ok", "not pending deletion", "ok", "ok", "ok"]
    );
    house.kms.disable(&house.permit(&key)).unwrap();
    let off = "disabled";
    assert_eq!(
        words(&house, &key),
        ["ok", "ok", "ok", off, "not pending deletion", "ok", off, off]
    );
    house.kms.schedule_deletion(&house.permit(&key), None).unwrap();
    let ends = "pending deletion";
    assert_eq!(
        words(&house, &key),
        ["ok", "ok", ends, ends, "ok", ends, ends, ends]
    );
    let empty = house.empty_key();
    let waits = "pending import";
    assert_eq!(
        words(&house, &empty),
        [
            "ok",
            "ok",
            "ok",
            waits,
            "not pending deletion",
            waits,
            waits,
            waits
        ]
    );
}
