//! What is refused where it was to go goes where the trail is set to by then, and no record stands in two files.

use std::sync::atomic::Ordering;

use moho_store::trails::{Trail, TrailSettings};

use super::house::{House, settings};
use super::{OWN, bucket};

/// A house with a second bucket, and what a trail is set to for that.
fn open() -> (House, TrailSettings) {
    let house = House::open();
    house.make_bucket("others");
    let others = TrailSettings {
        bucket: bucket("others", OWN),
        ..settings()
    };
    (house, others)
}

fn set(house: &House, to: &TrailSettings) {
    let permit = house.permit("one");
    house.delivery.store.update_trail(&permit, to).unwrap();
}

fn step_on(house: &House) {
    while house.step().more {}
}

/// A log file is put, and nobody knows: that it was could not be written down.
fn unsure(house: &House) -> Trail {
    let trail = house.logging("one", &settings());
    house.tell(&[3]);
    house.world.takes.store(false, Ordering::Relaxed);
    assert_eq!(house.step().failed, 1);
    house.world.takes.store(true, Ordering::Relaxed);
    assert_eq!(house.log_files("logs"), 1);
    house.later(300);
    trail
}

fn shut(house: &House) {
    assert_eq!(house.ask("DELETE", "/logs?policy", "").0, 204);
}

#[test]
fn what_was_only_refused_goes_where_the_trail_is_set_to() {
    let (house, others) = open();
    let trail = house.logging("one", &settings());
    shut(&house);
    house.tell(&[3]);
    for _again in 0..2 {
        assert_eq!(house.step().failed, 1);
        assert_eq!(house.status(&trail).error.as_deref(), Some("AccessDenied"));
        house.later(300);
    }
    // Nobody holds it back by what he puts there.
    let waits = house.delivery.store.undelivered_logs(&trail.id, 9).unwrap();
    let there = format!("/logs/{}", waits[0].planned.key);
    assert_eq!(house.ask("PUT", &there, "another").0, 200);
    set(&house, &others);
    step_on(&house);
    assert_eq!(house.log_files("others"), 1);
}

#[test]
fn what_may_have_been_put_already_waits_for_its_own_place() {
    let (house, others) = open();
    let trail = unsure(&house);
    shut(&house);
    set(&house, &others);
    house.tell(&[5]);
    for _again in 0..3 {
        let step = house.step();
        assert_eq!((step.done, step.failed, step.more), (0, 1, false));
        assert_eq!(house.status(&trail).error.as_deref(), Some("AccessDenied"));
        house.later(300);
    }
    assert_eq!(house.log_files("others"), 0, "its record would be in two files");
    house.let_in("logs");
    step_on(&house);
    assert_eq!((house.log_files("logs"), house.log_files("others")), (1, 1));
}

#[test]
fn what_is_not_in_its_place_whatever_was_put_goes_elsewhere() {
    for goes_with_its_bucket in [false, true] {
        let (house, others) = open();
        unsure(&house);
        house.empty("logs");
        if goes_with_its_bucket {
            assert_eq!(house.ask("DELETE", "/logs", "").0, 204);
        } else {
            shut(&house);
        }
        set(&house, &others);
        step_on(&house);
        assert_eq!(house.log_files("others"), 1);
    }
}

#[test]
fn another_key_for_the_same_place_does_not_make_it_sure() {
    let (house, others) = open();
    let trail = unsure(&house);
    shut(&house);
    let store = &house.delivery.store;
    let sealed = TrailSettings {
        kms_key: store.account_key(trail.account).unwrap(),
        ..settings()
    };
    for to in [&sealed, &others] {
        set(&house, to);
        step_on(&house);
        house.later(300);
    }
    assert_eq!((house.log_files("logs"), house.log_files("others")), (1, 0));
}

#[test]
fn a_digest_whose_bucket_is_gone_goes_where_the_trail_is_set_to() {
    let (house, others) = open();
    let with_digests = |settings: TrailSettings| TrailSettings {
        validation: true,
        ..settings
    };
    let trail = house.logging("one", &with_digests(settings()));
    house.tell(&[3]);
    step_on(&house);
    for _hour in 0..2 {
        house.later(3600);
        step_on(&house);
    }
    assert_eq!(house.digests("logs"), 2);
    house.empty("logs");
    assert_eq!(house.ask("DELETE", "/logs", "").0, 204);
    house.later(3600);
    step_on(&house);
    let error = house.status(&trail).digest_error;
    assert_eq!(error.as_deref(), Some("NoSuchBucket"));
    set(&house, &with_digests(others));
    step_on(&house);
    assert_eq!(house.digests("others"), 1);
    assert_eq!(house.status(&trail).digest_error, None);
    for _hour in 0..2 {
        house.later(3600);
        step_on(&house);
    }
    assert_eq!(house.digests("others"), 3);
}

#[test]
fn a_digest_that_may_have_been_put_already_waits_for_its_own_place() {
    let (house, others) = open();
    let with_digests = |settings: TrailSettings| TrailSettings {
        validation: true,
        ..settings
    };
    let trail = house.logging("one", &with_digests(settings()));
    house.step();
    house.later(3600);
    house.world.takes.store(false, Ordering::Relaxed);
    house.step();
    house.world.takes.store(true, Ordering::Relaxed);
    assert_eq!(house.digests("logs"), 1);
    shut(&house);
    set(&house, &with_digests(others));
    house.later(300);
    step_on(&house);
    let error = house.status(&trail).digest_error;
    assert_eq!(error.as_deref(), Some("AccessDenied"));
    assert_eq!(house.digests("others"), 0);
    house.let_in("logs");
    house.later(3600);
    step_on(&house);
    assert_eq!((house.digests("logs"), house.digests("others")), (1, 1));
}
