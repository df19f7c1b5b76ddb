//! Many at once on one key: nothing that was acknowledged is lost, and nothing comes out that was not put in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::house::{DAY, House, id_of};
use moho_kms::{EncryptionContext, KeyRecord, KeyState, KmsError};
use moho_terms::Arn;

const ROUNDS: usize = 60;

/// Does something again for as long as others are in the way.
fn insist<T>(mut act: impl FnMut() -> Result<T, KmsError>) -> Result<T, KmsError> {
    loop {
        match act() {
            Err(KmsError::Conflict) => {}
            done => return done,
        }
    }
}

#[test]
fn changes_by_many_are_all_there_in_the_end() {
    let house = House::new();
    let key = house.key();
    thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let (house, key) = (&house, &key);
            scope.spawn(move || {
                for n in 0..10 {
                    let tag = BTreeMap::from([(format!("{name}{n}"), name.to_owned())]);
                    insist(|| house.kms.tag(&house.permit(key), &tag)).unwrap();
                }
            });
        }
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    insist(|| house.kms.rotate_on_demand(&house.permit(&key))).unwrap();
                }
            });
        }
    });
    let record = house.describe(&key).unwrap();
    assert_eq!(record.tags.len(), 40);
    assert_eq!(record.materials.len(), 21);
    assert_eq!(record.revision, 1 + 40 + 20);
}

#[test]
fn no_more_rotations_on_demand_than_there_may_be() {
    let house = House::new();
    let key = house.key();
    let (done, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    match insist(|| house.kms.rotate_on_demand(&house.permit(&key))) {
                        Ok(()) => done.fetch_add(1, Ordering::Relaxed),
                        Err(KmsError::LimitExceeded(_)) => refused.fetch_add(1, Ordering::Relaxed),
                        Err(error) => panic!("{error}"),
                    };
                }
            });
        }
    });
    assert_eq!((done.into_inner(), refused.into_inner()), (25, 15));
}

/// Encrypts and decrypts while others meddle: either it works or it says why it may not.
fn use_it(house: &House, key: &Arn) -> usize {
    let nothing = EncryptionContext::new();
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut worked = 0;
    for _ in 0..ROUNDS {
        match house.encrypt(key, &nothing) {
            Ok(blob) => kept.push(blob),
            Err(KmsError::Disabled(_) | KmsError::InvalidState(..)) => {}
            Err(error) => panic!("{error}"),
        }
        for blob in &kept {
            match house.decrypt(key, &nothing, blob) {
                Ok(plain) => {
                    assert_eq!(plain, b"words");
                    worked += 1;
                }
                Err(KmsError::Disabled(_) | KmsError::InvalidState(..)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    worked
}

#[test]
fn a_key_in_use_is_rotated_disabled_and_scheduled_and_loses_nothing() {
    let house = House::new();
    let key = house.key();
    let before = house.encrypt(&key, &EncryptionContext::new()).unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| use_it(&house, &key));
        }
        scope.spawn(|| {
            for _ in 0..25 {
                let rotated = insist(|| house.kms.rotate_on_demand(&house.permit(&key)));
                assert!(matches!(
                    rotated,
                    Ok(()) | Err(KmsError::Disabled(_) | KmsError::InvalidState(..))
                ));
            }
        });
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                insist(|| house.kms.schedule_deletion(&house.permit(&key), Some(7))).unwrap();
                insist(|| house.kms.cancel_deletion(&house.permit(&key))).unwrap();
                insist(|| house.kms.enable(&house.permit(&key))).unwrap();
            }
        });
    });
    assert_eq!(house.describe(&key).unwrap().state, KeyState::Enabled);
    assert_eq!(
        house.decrypt(&key, &EncryptionContext::new(), &before).unwrap(),
        b"words"
    );
    assert!(use_it(&house, &key) > 0);
}

#[test]
fn whoever_cancels_in_time_keeps_the_key_and_whoever_is_late_does_not() {
    for _ in 0..20 {
        let house = House::new();
        let key = house.key();
        house.kms.schedule_deletion(&house.permit(&key), Some(7)).unwrap();
        house.world.pass(7 * DAY - 1);
        let (cancelled, _) = thread::scope(|scope| {
            let sweeper = scope.spawn(|| {
                house.world.pass(1);
                house.kms.run_due().unwrap()
            });
            let cancelled = house.kms.cancel_deletion(&house.permit(&key));
            (cancelled, sweeper.join().unwrap())
        });
        let kept = house
            .kept(&key)
            .map(|kept| KeyRecord::peek(&kept.record).unwrap());
        match cancelled {
            Ok(()) => assert_eq!(kept.unwrap().state, KeyState::Disabled),
            Err(KmsError::NotFound(_)) => assert!(kept.is_none(), "{}", id_of(&key)),
            Err(error) => panic!("{error}"),
        }
    }
}
