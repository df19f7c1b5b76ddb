//! Looks at trails: what is in the way of one is in no other's.

use moho_iam::action::cloudtrail::DeleteTrail;
use moho_store::trails::TrailSettings;
use moho_terms::Timestamp;

use super::house::{BEGINNING, House, settings};
use super::{OTHER, OWN, bucket};
use crate::telemetry::TrailLag;

/// A log file is written down, and its bucket is not there.
fn undelivered(house: &House) -> moho_store::trails::Trail {
    let mut nowhere = settings();
    nowhere.bucket = bucket("nowhere", OWN);
    let trail = house.logging("one", &nowhere);
    house.tell(&[3, 4]);
    assert_eq!(house.step().failed, 1);
    assert_eq!(house.status(&trail).error.as_deref(), Some("NoSuchBucket"));
    trail
}

#[test]
fn a_log_file_that_another_journal_cannot_make_is_given_up_and_its_trail_goes_on() {
    let house = House::open();
    let lost = undelivered(&house);
    house.logging("two", &settings());
    house.later(300);
    {
        let mut telling = house.telling.lock().unwrap();
        telling.name = "another".to_owned();
        telling.events.clear();
        telling.end = 0;
    }
    house.make_bucket("nowhere");
    house.tell(&[5]);
    let step = house.step();
    assert_eq!((step.done, step.failed), (2, 1));
    assert_eq!(house.findings(), ["TrailLogFileLost"]);
    assert_eq!((house.log_files("nowhere"), house.log_files("logs")), (1, 1));
    assert_eq!(house.status(&lost).error, None);
}

#[test]
fn a_log_file_of_which_the_journal_has_nothing_is_given_up() {
    for is_short in [true, false] {
        let house = House::open();
        undelivered(&house);
        house.logging("two", &settings());
        house.later(300);
        {
            let mut telling = house.telling.lock().unwrap();
            telling.events.clear();
            telling.end = if is_short { 2 } else { 5 };
        }
        house.make_bucket("nowhere");
        house.step();
        assert_eq!(house.findings(), ["TrailLogFileLost"]);
        house.later(300);
        house.tell(&[9]);
        while house.step().more {}
        assert_eq!((house.log_files("nowhere"), house.log_files("logs")), (1, 1));
        assert_eq!(house.findings().len(), 1);
    }
}

#[test]
fn the_same_records_written_in_another_way_are_delivered() {
    let house = House::open();
    undelivered(&house);
    house.later(300);
    for (_, source) in &mut house.telling.lock().unwrap().events {
        *source = "logs.amazonaws.com".to_owned();
    }
    house.make_bucket("nowhere");
    assert_eq!(house.step().done, 1);
    assert!(house.findings().is_empty());
    assert_eq!(house.log_files("nowhere"), 1);
}

#[test]
fn a_trail_that_cannot_be_looked_at_is_in_no_other_s_way() {
    let house = House::open();
    let wrong = house.logging("one", &settings());
    let permit = house.permit("one");
    let store = &house.delivery.store;
    store.put_event_selectors(&permit, Some("{}")).unwrap();
    house.logging("two", &settings());
    house.tell(&[3]);
    let step = house.step();
    assert_eq!((step.done, step.failed), (1, 1));
    let status = house.status(&wrong);
    assert_eq!(status.error.as_deref(), Some("InternalError"));
    assert!(status.again_at > Some(moho_terms::Clock::now(&*house.world)));
}

#[test]
fn pages_of_the_journal_are_gathered_into_one_log_file() {
    let house = House::open();
    house.logging("one", &settings());
    house.tell(&[3, 4, 5, 6, 7, 8, 9]);
    let step = house.step();
    assert_eq!((step.done, step.more), (1, false), "a page has two of them");
    assert_eq!(house.log_files("logs"), 1);
}

#[test]
fn what_cannot_be_written_down_counts_as_not_delivered() {
    let house = House::open();
    let trail = house.logging("one", &settings());
    house.tell(&[3]);
    house
        .world
        .takes
        .store(false, std::sync::atomic::Ordering::Relaxed);
    let step = house.step();
    assert_eq!((step.done, step.failed), (0, 1));
    assert_eq!(house.status(&trail).error.as_deref(), Some("ServiceUnavailable"));
    house
        .world
        .takes
        .store(true, std::sync::atomic::Ordering::Relaxed);
    house.later(10);
    assert_eq!(house.step().done, 1);
    assert_eq!(house.log_files("logs"), 1, "in the same place");
}

#[test]
fn a_clock_that_was_ahead_stops_no_trail() {
    const YEAR: u64 = 365 * 24 * 3600;
    let house = House::open();
    let mut with_digests = settings();
    with_digests.validation = true;
    let trail = house.logging("one", &with_digests);
    let store = &house.delivery.store;
    house.later(YEAR);
    house.tell(&[3]);
    assert_eq!(house.step().done, 1);
    // The first digest begins as its clock says, and the second is due.
    house.later(3600);
    house.tell(&[5]);
    assert_eq!(house.step().done, 2);
    let times = [YEAR, YEAR + 60].map(|ahead| moho_terms::Clock::now(&*house.world).plus_seconds(ahead));
    let note = store.note_undelivered(&trail.id, ("AccessDenied", false), (times[0], times[1]));
    note.unwrap();
    house
        .world
        .seconds
        .fetch_sub(YEAR, std::sync::atomic::Ordering::Relaxed);
    house.tell(&[7]);
    let step = house.step();
    assert_eq!(
        (step.done, step.failed),
        (1, 3),
        "a log file, and three times that were ahead"
    );
    house.later(3600);
    house.tell(&[9]);
    let step = house.step();
    assert_eq!((step.done, step.failed), (2, 0));
    assert_eq!((house.log_files("logs"), house.digests("logs")), (4, 2));
}

#[test]
fn whoever_has_the_name_of_a_trails_bucket_now_gets_nothing() {
    let house = House::open();
    // The bucket of this name is another account's by now, and lets the trail in.
    let mut gone = settings();
    gone.validation = true;
    gone.bucket = bucket("logs", OTHER);
    let trail = house.logging("one", &gone);
    house.tell(&[3]);
    for _again in 0..2 {
        let step = house.step();
        assert_eq!((step.done, step.failed), (0, 1));
        assert_eq!(house.status(&trail).error.as_deref(), Some("NoSuchBucket"));
        house.later(300);
    }
    assert_eq!((house.log_files("logs"), house.digests("logs")), (0, 0));
    let own = TrailSettings {
        bucket: bucket("logs", OWN),
        ..gone
    };
    let store = &house.delivery.store;
    store.update_trail(&house.permit("one"), &own).unwrap();
    while house.step().more {}
    assert_eq!(house.log_files("logs"), 1, "the trail was set to it");
}

#[test]
fn a_digest_is_as_little_for_whoever_has_the_name_of_its_bucket_now() {
    let house = House::open();
    let mut gone = settings();
    gone.validation = true;
    gone.bucket = bucket("logs", OTHER);
    let trail = house.logging("one", &gone);
    house.step();
    house.later(3600);
    house.step();
    assert_eq!(house.status(&trail).digest_error.as_deref(), Some("NoSuchBucket"));
    assert_eq!(house.digests("logs"), 0);
}

#[test]
fn a_page_of_the_journal_is_opened_once_for_all_trails() {
    let house = House::open();
    for name in ["one", "two", "three"] {
        house.logging(name, &settings());
    }
    let opened = |positions: &[u64], files: u64| {
        house.telling.lock().unwrap().opened = 0;
        house.tell(positions);
        let step = house.step();
        assert_eq!((step.done, step.failed, step.more), (files, 0, false));
        house.telling.lock().unwrap().opened
    };
    assert_eq!(opened(&[3, 4, 5, 6, 7, 8, 9], 3), 4, "a page has two of them");
    // One that is looked at in between is looked at with the others from then on.
    house.later(100);
    house.logging("zero", &settings());
    house.tell(&[10]);
    assert_eq!(house.step().done, 1);
    house.later(200);
    assert_eq!(opened(&[12, 13], 4), 2);
}

#[test]
fn how_far_delivery_is_behind_is_told_without_what_fails() {
    let house = House::open();
    let lag = || house.delivery.meters.lag();
    house.logging("one", &settings());
    house.tell(&[3, 4]);
    house.step();
    assert_eq!(lag(), TrailLag::default());
    house.tell(&[7, 9]);
    house.step();
    let behind = Timestamp::from_unix_seconds(BEGINNING + 4);
    let waits = TrailLag {
        records: 5,
        oldest: Some(behind),
        failing: 0,
    };
    assert_eq!(lag(), waits, "the next log file is due later");
    let mut nowhere = settings();
    nowhere.bucket = bucket("nowhere", OWN);
    house.logging("two", &nowhere);
    house.step();
    assert_eq!(lag(), TrailLag { failing: 1, ..waits });
    house.later(300);
    house.step();
    let failing = TrailLag {
        failing: 1,
        ..TrailLag::default()
    };
    assert_eq!(lag(), failing);
}

#[test]
fn a_deleted_trail_that_waits_for_what_never_comes_is_forgotten() {
    const MONTH: u64 = 30 * 24 * 3600;
    let house = House::open();
    house.logging("one", &settings());
    // Its end is behind all that the journal ever has, and nothing fails.
    let delete = house.permit::<DeleteTrail>("one");
    let store = &house.delivery.store;
    store
        .delete_trail(&delete, moho_terms::Clock::now(&*house.world))
        .unwrap();
    let waiting = || {
        assert_eq!(house.step().failed, 0);
        store.trails_with_spans().unwrap().len()
    };
    house.later(MONTH);
    assert_eq!((waiting(), house.findings().len()), (1, 0));
    house.later(1);
    assert_eq!(waiting(), 0);
    assert_eq!(house.findings(), ["DeletedTrailForgotten"]);
}
