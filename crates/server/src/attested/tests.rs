//! The keys of a moho: good for as long as they say, renewed in time, and not those of the next start.

use hpke::kem::XWing;
use hpke::{Deserializable as _, Kem};
use moho_attest::session::{Answer, KeySet, Nonce, Purpose, Statement};
use moho_terms::Timestamp;

use super::answer;
use super::keys::SessionKeys;
use crate::system::SystemEntropy;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_790_000_000 + seconds)
}

fn made() -> (SessionKeys, SystemEntropy) {
    let entropy = SystemEntropy::default();
    (SessionKeys::make(at(0), &entropy).unwrap(), entropy)
}

#[test]
fn a_key_set_is_good_for_half_a_day_at_least_and_a_day_at_most() {
    let (keys, entropy) = made();
    let told = |seconds| keys.key_set(b"key", at(seconds), &entropy).unwrap();
    let first = told(0);
    assert_eq!(told(43_199), first);
    let second = told(43_200);
    assert_ne!(second.hpke, first.hpke);
    assert_eq!(
        (second.receipt == first.receipt, second.tls == first.tls),
        (true, true)
    );
    for (seconds, told) in [(0, &first), (43_199, &first), (43_200, &second)] {
        assert_eq!(KeySet::read(&told.to_bytes(), at(seconds)).as_ref(), Ok(told));
        let left = told.not_after.unix_seconds() - at(seconds).unix_seconds();
        assert!((43_200..=86_400).contains(&left), "{left}");
    }
}

#[test]
fn a_clock_that_was_set_back_does_not_make_a_key_last_longer() {
    let (keys, entropy) = made();
    let first = keys.key_set(b"key", at(10_000), &entropy).unwrap();
    let keys = SessionKeys::make(at(10_000), &entropy).unwrap();
    let earlier = keys.key_set(b"key", at(0), &entropy).unwrap();
    assert_ne!(first.hpke, earlier.hpke);
    assert_eq!(earlier.not_after, at(86_400));
    let keys = SessionKeys::make(at(60), &entropy).unwrap();
    let told = |seconds| keys.key_set(b"key", at(seconds), &entropy).unwrap().hpke;
    assert_eq!(told(0), told(60), "a moment is no setting back");
}

#[test]
fn every_start_has_keys_of_its_own() {
    let ((one, entropy), (other, _)) = (made(), made());
    let told = |keys: &SessionKeys| keys.key_set(b"key", at(0), &entropy).unwrap();
    assert_ne!(told(&one).hpke, told(&other).hpke);
    assert_ne!(told(&one).receipt, told(&other).receipt);
}

#[test]
fn what_is_sealed_for_the_key_that_is_told_opens_with_the_one_that_is_kept() {
    let (keys, entropy) = made();
    let told = keys.key_set(b"key", at(0), &entropy).unwrap();
    let public = <XWing as Kem>::PublicKey::from_bytes(&told.hpke).unwrap();
    let sealing = keys.sealing(at(0), &entropy).unwrap();
    let private = <XWing as Kem>::PrivateKey::from_bytes(sealing.private()).unwrap();
    assert!(XWing::sk_to_pk(&private) == public);
}

#[test]
fn an_answer_of_development_is_read_as_such() {
    let (keys, entropy) = made();
    let key_set = keys.key_set(b"key", at(0), &entropy).unwrap();
    let bytes = key_set.to_bytes();
    let nonce = Nonce([5; 32]);
    let json = answer::json(&Statement::over(&bytes, Purpose::Session, nonce), &bytes, None);
    let Ok(Answer::Development(development)) = Answer::read(&json, nonce, at(0)) else {
        panic!("it is of development");
    };
    assert_eq!(development.unattested, key_set);
}
