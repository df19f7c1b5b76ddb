//! Trails: what they have to deliver is written down before, and nothing is forgotten before it is delivered.

use std::collections::BTreeMap;

use moho_iam::action::Action;
use moho_iam::action::cloudtrail::{
    AddTags, DeleteTrail, ListTags, ListTrails, PutEventSelectors, RemoveTags, StartLogging, StopLogging,
    UpdateTrail,
};
use moho_iam::authn::Authenticated;
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Arn, Clock, Secret, Timestamp};

use super::{House, behind};
use crate::StoreError;
use crate::fresh::Ticks;
use crate::trails::{
    Chain, DigestKey, MOST, MOST_IN_DIGEST, NewDigest, NewDigestKey, PlannedLog, PreviousOfChain, Reading,
    Trail, TrailBucket, TrailError, TrailSettings, Unjoined,
};

/// Where another process' journal was when a trail began to log.
const BEHIND: u64 = 30;

struct Desk<'a> {
    house: &'a House,
    caller: Authenticated,
}

impl<'a> Desk<'a> {
    fn of(house: &'a House) -> Self {
        let caller = house.session("Admin");
        Self { house, caller }
    }

    fn now(&self) -> Timestamp {
        self.house.world.now()
    }

    fn permit<A: Action>(&self, name: &str) -> Permit<A> {
        let account = self.house.first.account;
        let arn = Arn::of(
            "cloudtrail",
            "moho-local-1",
            account.as_str(),
            &format!("trail/{name}"),
        );
        self.house.permit(&self.caller, &arn.unwrap())
    }

    fn settings(&self) -> TrailSettings {
        TrailSettings {
            bucket: bucket("logs"),
            prefix: Some("some".to_owned()),
            kms_key: Some(self.house.first.account_key.clone()),
            multi_region: true,
            global_services: true,
            organization: None,
            validation: true,
        }
    }

    fn create(&self, name: &str) -> Result<Trail, TrailError> {
        let tags = BTreeMap::from([("team".to_owned(), "audit".to_owned())]);
        let id = format!("id of {name}");
        self.house
            .store
            .create_trail(&self.permit(name), (&id, &self.settings()), &tags, self.now())
    }

    fn all(&self) -> Vec<Trail> {
        self.house
            .store
            .trails(&self.permit::<ListTrails>("any"))
            .unwrap()
    }

    fn start(&self, name: &str) {
        let permit = self.permit::<StartLogging>(name);
        self.house.store.start_logging(&permit, self.now()).unwrap();
    }

    fn stop(&self, name: &str) {
        let permit = self.permit::<StopLogging>(name);
        self.house.store.stop_logging(&permit, self.now()).unwrap();
    }

    fn reading(&self, trail: &Trail, end: u64) -> Option<Reading> {
        self.reading_of(trail, ("journal", end))
    }

    fn reading_of(&self, trail: &Trail, (journal, end): (&str, u64)) -> Option<Reading> {
        let store = &self.house.store;
        if let Some(unjoined) = store.unjoined(&trail.id, journal).unwrap() {
            let spans: Vec<(i64, u64)> = unjoined.spans.iter().map(|(span, _)| (*span, BEHIND)).collect();
            store.join_spans(&trail.id, (journal, end), &spans).unwrap();
        }
        store.reading(&trail.id).unwrap()
    }

    fn chains(&self, trail: &Trail) -> Vec<Chain> {
        let accounts = [self.house.first.account];
        let times = (self.now(), 7200);
        self.house.store.chains(trail, &accounts, times).unwrap()
    }

    fn plan(&self, trail: &Trail, reading: &Reading, to: u64) -> bool {
        let log = log(self.house.first.account, (reading.position, to), self.now());
        let read = (to, self.now());
        self.house
            .store
            .plan_logs((&trail.id, reading), &[(log, self.now())], read)
            .unwrap()
    }

    fn deliver_logs(&self, trail: &Trail) -> usize {
        let store = &self.house.store;
        let logs = store.undelivered_logs(&trail.id, 10).unwrap();
        for log in &logs {
            store.log_delivered(trail, log, self.now()).unwrap();
        }
        store.end_readings(&trail.id).unwrap();
        logs.len()
    }

    fn plan_digest(&self, trail: &Trail, chain: &Chain, is_last: bool) -> bool {
        let store = &self.house.store;
        let mut logs = store.logs_of_digest(&trail.id, chain).unwrap();
        logs.truncate(MOST_IN_DIGEST);
        let ends_at = chain.begins_at.plus_seconds(60);
        let new = NewDigest {
            ends_at,
            place: PreviousOfChain {
                bucket: bucket("logs"),
                key: format!("digest at {ends_at}"),
                hash: [7; 32],
                signature: "00ff".to_owned(),
            },
            kms_key: None,
            body: b"digest".to_vec(),
            is_last,
        };
        store.plan_digest((&trail.id, chain), &logs, &new).unwrap()
    }

    fn deliver_digests(&self, trail: &Trail) -> usize {
        let store = &self.house.store;
        let digests = store.undelivered_digests(&trail.id).unwrap();
        for digest in &digests {
            store.digest_delivered(&trail.id, digest, self.now()).unwrap();
        }
        store.end_spans(trail).unwrap();
        digests.len()
    }
}

fn bucket(name: &str) -> TrailBucket {
    TrailBucket {
        name: name.parse().unwrap(),
        owner: "222222222222".parse().unwrap(),
    }
}

fn log(account: AccountId, (first, last): (u64, u64), now: Timestamp) -> PlannedLog {
    PlannedLog {
        account,
        first_position: first,
        last_position: last,
        selectors: Some("{}".to_owned()),
        global_services: true,
        bucket: bucket("logs"),
        key: format!("log {first}-{last}"),
        kms_key: None,
        hash: [1; 32],
        oldest: now,
        newest: now,
    }
}

#[test]
fn a_trail_is_kept_as_it_is_set() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let made = desk.create("one").unwrap();
    assert_eq!(made.settings, desk.settings());
    assert_eq!(made.arn().unwrap(), *desk.permit::<ListTags>("one").resource());
    assert!(matches!(desk.create("one"), Err(TrailError::AlreadyExists)));
    let other = TrailSettings {
        bucket: bucket("others"),
        prefix: None,
        kms_key: None,
        validation: false,
        ..desk.settings()
    };
    let changed = house
        .store
        .update_trail(&desk.permit::<UpdateTrail>("one"), &other);
    assert_eq!(changed.unwrap().settings, other);
    let put = desk.permit::<PutEventSelectors>("one");
    house.store.put_event_selectors(&put, Some("[]")).unwrap();
    assert_eq!(desk.all()[0].selectors.as_deref(), Some("[]"));
    let absent = house
        .store
        .update_trail(&desk.permit::<UpdateTrail>("two"), &other);
    assert!(matches!(absent, Err(TrailError::NotFound)));
    for name in ["two", "three", "four", "five"] {
        desk.create(name).unwrap();
    }
    assert!(matches!(desk.create("six"), Err(TrailError::TooMany)));
    assert_eq!(desk.all().len(), MOST);
    house
        .store
        .delete_trail(&desk.permit::<DeleteTrail>("one"), desk.now())
        .unwrap();
    assert_eq!(desk.all().len(), MOST - 1);
    // Its name is free again.
    let id = ("another id", &other);
    let again = house
        .store
        .create_trail(&desk.permit("one"), id, &BTreeMap::new(), desk.now());
    assert_eq!(again.unwrap().id, "another id");
}

#[test]
fn tags_are_for_conditions() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let arn = desk.create("one").unwrap().arn().unwrap();
    let tags = || {
        house
            .store
            .tags_of_trail(&arn)
            .unwrap()
            .into_iter()
            .collect::<Vec<_>>()
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(tags(), [pair("team", "audit")]);
    let more = BTreeMap::from([pair("a", "1"), pair("team", "other")]);
    house
        .store
        .tag_trail(&desk.permit::<AddTags>("one"), &more)
        .unwrap();
    assert_eq!(tags(), [pair("a", "1"), pair("team", "other")]);
    let old = [
        ("team".to_owned(), Some("audit".to_owned())),
        ("a".to_owned(), None),
    ];
    house
        .store
        .untag_trail(&desk.permit::<RemoveTags>("one"), &old)
        .unwrap();
    // The value was another one.
    assert_eq!(tags(), [pair("team", "other")]);
    let many = (0..50).map(|number| pair(&number.to_string(), "")).collect();
    let refused = house.store.tag_trail(&desk.permit::<AddTags>("one"), &many);
    assert!(matches!(refused, Err(TrailError::TooManyTags)));
    assert_eq!(
        house
            .store
            .trail_tags(&desk.permit::<ListTags>("one"))
            .unwrap()
            .len(),
        1
    );
    let other = house.permit::<ListTags>(&desk.caller, &house.first.account_key);
    let refused = house.store.trail_tags(&other);
    assert!(matches!(refused, Err(TrailError::Store(StoreError::OtherPermit))));
}

#[test]
fn what_was_read_is_delivered_once_and_by_whoever_opens_the_store_next() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let trail = desk.create("one").unwrap();
    assert_eq!(desk.reading(&trail, 9), None);
    desk.start("one");
    desk.start("one");
    // From the decision on, which stands at 1 in a journal that forgets.
    let reading = desk.reading(&trail, 9).unwrap();
    assert_eq!((reading.position, reading.until), (1, None));
    assert!(desk.plan(&trail, &reading, 5));
    assert!(!desk.plan(&trail, &reading, 5), "somebody was faster");
    drop(house);
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let logs = house.store.undelivered_logs(&trail.id, 10).unwrap();
    assert_eq!(logs.len(), 1);
    let again = log(house.first.account, (1, 5), desk.now());
    assert_eq!(logs[0].planned, again);
    assert_eq!(desk.deliver_logs(&trail), 1);
    assert_eq!(desk.deliver_logs(&trail), 0);
    assert_eq!(desk.reading(&trail, 9).unwrap().position, 5);
    assert_eq!(
        house.store.delivery_status(&trail.id).unwrap().delivered_at,
        Some(desk.now())
    );
}

#[test]
fn another_journal_is_read_from_its_beginning() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let trail = desk.create("one").unwrap();
    desk.start("one");
    let reading = desk.reading(&trail, 9).unwrap();
    desk.plan(&trail, &reading, 5);
    let unjoined = house.store.unjoined(&trail.id, "other").unwrap();
    assert_eq!(
        unjoined,
        Some(Unjoined {
            spans: vec![],
            is_other_journal: true
        })
    );
    let other = desk.reading_of(&trail, ("other", 3)).unwrap();
    assert_eq!((other.position, other.until), (0, None));
    assert!(house.store.undelivered_logs(&trail.id, 10).unwrap().is_empty());
    desk.plan(&trail, &other, 2);
    let on = desk.reading_of(&trail, ("other", 3)).unwrap();
    assert_eq!(on.position, 2);
}

#[test]
fn another_journal_has_nothing_of_a_span_that_has_ended() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let trail = desk.create("one").unwrap();
    desk.start("one");
    let ended = desk.reading(&trail, 9).unwrap();
    desk.plan(&trail, &ended, 5);
    desk.stop("one");
    desk.start("one");
    assert_eq!(desk.reading(&trail, 9).unwrap().span, ended.span);
    let other = desk.reading_of(&trail, ("other", 3)).unwrap();
    assert!(other.span > ended.span, "the one that goes on");
    assert_eq!((other.position, other.until), (0, None));
}

#[test]
fn a_chain_goes_on_behind_what_was_delivered_and_ends_with_the_span() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let trail = desk.create("one").unwrap();
    desk.start("one");
    let reading = desk.reading(&trail, 9).unwrap();
    let [first] = desk.chains(&trail).try_into().unwrap();
    assert_eq!(
        (first.begins_at, first.waits, first.is_drained),
        (desk.now(), false, false)
    );
    assert!(desk.plan(&trail, &reading, 5));
    assert!(desk.chains(&trail)[0].waits);
    assert!(!desk.plan_digest(&trail, &first, false), "a log file waits");
    desk.deliver_logs(&trail);
    assert_eq!(house.store.logs_of_digest(&trail.id, &first).unwrap().len(), 1);
    assert!(desk.plan_digest(&trail, &first, false));
    assert!(
        !desk.plan_digest(&trail, &first, false),
        "there is one to be delivered"
    );
    assert!(house.store.logs_of_digest(&trail.id, &first).unwrap().is_empty());
    assert_eq!(desk.deliver_digests(&trail), 1);
    let [next] = desk.chains(&trail).try_into().unwrap();
    assert_eq!(next.begins_at, first.begins_at.plus_seconds(60));
    assert_eq!(next.previous.as_ref().unwrap().signature, "00ff");
    desk.stop("one");
    // The stop stands before what was read: there is nothing more.
    assert_eq!(desk.reading(&trail, 9).unwrap().until, Some(5));
    desk.deliver_logs(&trail);
    let [last] = desk.chains(&trail).try_into().unwrap();
    assert!(last.is_drained && !last.is_done);
    assert!(desk.plan_digest(&trail, &last, true));
    desk.start("one");
    assert_eq!(desk.deliver_digests(&trail), 1);
    let [anew] = desk.chains(&trail).try_into().unwrap();
    assert_eq!((anew.previous, anew.span > last.span), (None, true));
}

#[test]
fn a_digest_names_no_more_than_it_can_and_the_next_one_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let trail = desk.create("one").unwrap();
    desk.start("one");
    let reading = desk.reading(&trail, 9).unwrap();
    let [first] = desk.chains(&trail).try_into().unwrap();
    let most = u64::try_from(MOST_IN_DIGEST).unwrap();
    let logs: Vec<(PlannedLog, Timestamp)> = (0..most + 5)
        .map(|number| {
            let log = PlannedLog {
                key: format!("log {number:06}"),
                ..log(house.first.account, (number + 1, number + 2), desk.now())
            };
            (log, desk.now())
        })
        .collect();
    let planned = (most + 6, desk.now());
    let read = (trail.id.as_str(), &reading);
    assert!(house.store.plan_logs(read, &logs, planned).unwrap());
    let delivered = "UPDATE trail_log SET delivered_at = 1, selectors = NULL";
    house.write(delivered);
    let logs = house.store.logs_of_digest(&trail.id, &first).unwrap();
    assert_eq!(logs.len(), MOST_IN_DIGEST + 1);
    assert!(!desk.plan_digest(&trail, &first, true), "it is not the last");
    assert!(desk.plan_digest(&trail, &first, false));
    assert_eq!(desk.deliver_digests(&trail), 1);
    let [next] = desk.chains(&trail).try_into().unwrap();
    let rest = house.store.logs_of_digest(&trail.id, &next).unwrap();
    assert_eq!((rest.len(), &*rest[0].key), (5, "log 001000"));
}

#[test]
fn no_log_file_is_named_as_of_a_time_that_a_digest_has_passed() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let trail = desk.create("one").unwrap();
    desk.start("one");
    let reading = desk.reading(&trail, 9).unwrap();
    let [first] = desk.chains(&trail).try_into().unwrap();
    // It ends a minute from now.
    assert!(desk.plan_digest(&trail, &first, false));
    let plan = |seconds| {
        let time = first.begins_at.plus_seconds(seconds);
        let log = log(house.first.account, (1, 5), desk.now());
        let read = (trail.id.as_str(), &reading);
        let planned = house.store.plan_logs(read, &[(log, time)], (5, desk.now()));
        planned.unwrap()
    };
    assert!(!plan(59), "it waits");
    desk.deliver_digests(&trail);
    assert!(!plan(59), "it is delivered");
    assert_eq!(desk.reading(&trail, 9), Some(reading.clone()));
    assert!(plan(60));
}

#[test]
fn each_process_reads_its_own_journal_and_digests_wait_for_all() {
    let directory = tempfile::tempdir().unwrap();
    let (house, beside) = (
        House::open_with(directory.path(), "a", Ticks::real()),
        House::open_with(directory.path(), "b", Ticks::real()),
    );
    let (desk, other) = (Desk::of(&house), Desk::of(&beside));
    let trail = desk.create("one").unwrap();
    desk.start("one");
    let reading = desk.reading(&trail, 9).unwrap();
    // What the other has written since the trail began is of it, also before it knew of that.
    let unjoined = beside.store.unjoined(&trail.id, "journal").unwrap().unwrap();
    assert_eq!(unjoined.spans, [(1, desk.now())]);
    let beside_reading = other.reading(&trail, 40).unwrap();
    assert_eq!((reading.position, beside_reading.position), (1, BEHIND));
    assert!(other.plan(&trail, &beside_reading, 50));
    assert!(house.store.undelivered_logs(&trail.id, 10).unwrap().is_empty());
    assert!(desk.chains(&trail)[0].waits);
    other.deliver_logs(&trail);
    desk.stop("one");
    desk.deliver_logs(&trail);
    assert_eq!(desk.reading(&trail, 9), None);
    assert!(
        !desk.chains(&trail)[0].is_drained,
        "the other may still have something"
    );
    assert_eq!(other.reading(&trail, 60).unwrap().until, Some(60));
    let reading = other.reading(&trail, 60).unwrap();
    other.plan(&trail, &reading, 60);
    other.deliver_logs(&trail);
    let [last] = desk.chains(&trail).try_into().unwrap();
    assert!(last.is_drained);
    assert_eq!(house.store.logs_of_digest(&trail.id, &last).unwrap().len(), 2);
}

#[test]
fn who_leaves_a_trail_has_no_digests_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let trail = desk.create("one").unwrap();
    desk.start("one");
    let (own, member) = (house.first.account, "222222222222".parse().unwrap());
    let chains = |accounts: &[AccountId]| {
        let chains = house.store.chains(&trail, accounts, (desk.now(), 7200)).unwrap();
        chains.into_iter().map(|chain| chain.account).collect::<Vec<_>>()
    };
    assert_eq!(chains(&[own, member]).len(), 2);
    assert_eq!(chains(&[own]), [own]);
}

#[test]
fn a_deleted_trail_still_delivers_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let trail = desk.create("one").unwrap();
    desk.start("one");
    let reading = desk.reading(&trail, 9).unwrap();
    desk.chains(&trail);
    desk.plan(&trail, &reading, 5);
    house
        .store
        .delete_trail(&desk.permit::<DeleteTrail>("one"), desk.now())
        .unwrap();
    assert!(desk.all().is_empty());
    assert_eq!(house.store.trails_with_spans().unwrap().len(), 1);
    assert_eq!(desk.deliver_logs(&trail), 1);
    let [last] = desk.chains(&trail).try_into().unwrap();
    assert!(desk.plan_digest(&trail, &last, true));
    assert_eq!(desk.deliver_digests(&trail), 1);
    assert!(house.store.trails_with_spans().unwrap().is_empty());
    let left: u32 = behind(directory.path())
        .query_row("SELECT count(*) FROM trail", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn who_deletes_trails_that_still_deliver_makes_no_more_of_them_than_others() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let made = |number: usize| {
        let id = format!("trail {number}");
        let new = (id.as_str(), &desk.settings());
        house
            .store
            .create_trail(&desk.permit("one"), new, &BTreeMap::new(), desk.now())
    };
    for number in 0..MOST {
        made(number).unwrap();
        desk.start("one");
        let delete = desk.permit::<DeleteTrail>("one");
        house.store.delete_trail(&delete, desk.now()).unwrap();
    }
    assert_eq!(house.store.trails_with_spans().unwrap().len(), MOST);
    assert!(matches!(made(MOST), Err(TrailError::TooMany)));
    let give_up = |before| house.store.give_up_deleted_trail("trail 0", before).unwrap();
    assert_eq!(
        [give_up(desk.now()), give_up(desk.now().plus_seconds(1))],
        [false, true]
    );
    made(MOST).unwrap();
}

#[test]
fn without_digests_nothing_is_kept_of_what_was_delivered() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    desk.create("one").unwrap();
    let other = TrailSettings {
        validation: false,
        ..desk.settings()
    };
    let trail = house
        .store
        .update_trail(&desk.permit::<UpdateTrail>("one"), &other)
        .unwrap();
    desk.start("one");
    let reading = desk.reading(&trail, 9).unwrap();
    desk.plan(&trail, &reading, 5);
    assert!(desk.chains(&trail).is_empty());
    desk.deliver_logs(&trail);
    let rows = "SELECT (SELECT count(*) FROM trail_log) + (SELECT count(*) FROM trail_chain)";
    let left: u32 = behind(directory.path())
        .query_row(rows, [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
    desk.stop("one");
    desk.deliver_logs(&trail);
    house.store.end_spans(&trail).unwrap();
    assert!(house.store.trails_with_spans().unwrap().is_empty());
}

#[test]
fn a_failure_is_told_until_something_is_delivered() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let trail = desk.create("one").unwrap();
    let times = (desk.now(), desk.now().plus_seconds(8));
    for of_digest in [false, true] {
        house
            .store
            .note_undelivered(&trail.id, ("AccessDenied", of_digest), times)
            .unwrap();
    }
    let status = house.store.delivery_status(&trail.id).unwrap();
    assert_eq!(status.error.as_deref(), Some("AccessDenied"));
    assert_eq!(status.digest_error.as_deref(), Some("AccessDenied"));
    assert_eq!((status.failures, status.again_at), (2, Some(times.1)));
    house
        .store
        .update_trail(&desk.permit::<UpdateTrail>("one"), &desk.settings())
        .unwrap();
    let again_at = house.store.delivery_status(&trail.id).unwrap().again_at;
    assert_eq!(again_at, None, "it is tried at once");
}

#[test]
fn keys_of_digests_are_sealed_and_stay() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let region = "moho-local-1".parse().unwrap();
    let new = |fingerprint: &str| NewDigestKey {
        public: DigestKey {
            fingerprint: fingerprint.to_owned(),
            public_key: b"public".to_vec(),
            valid_from: desk.now(),
            valid_to: desk.now().plus_seconds(100),
        },
        private: Secret::new(b"a private key".to_vec()),
    };
    assert!(house.store.digest_key(&region, desk.now()).unwrap().is_none());
    for fingerprint in ["one", "two"] {
        house
            .store
            .keep_digest_key(&region, &new(fingerprint), &*house.world)
            .unwrap();
    }
    let (public, private) = house.store.digest_key(&region, desk.now()).unwrap().unwrap();
    assert_eq!(
        (public.fingerprint.as_str(), private.expose()),
        ("one", &b"a private key"[..])
    );
    let later = desk.now().plus_seconds(100);
    assert!(house.store.digest_key(&region, later).unwrap().is_none());
    house
        .store
        .keep_digest_key(
            &region,
            &{
                let mut third = new("three");
                third.public.valid_from = later;
                third.public.valid_to = later.plus_seconds(100);
                third
            },
            &*house.world,
        )
        .unwrap();
    let permit = desk.permit("any");
    let listed = |from, to| {
        let keys = house
            .store
            .public_digest_keys(&permit, (from, to), ("", 10))
            .unwrap();
        keys.into_iter().map(|key| key.fingerprint).collect::<Vec<_>>()
    };
    assert_eq!(listed(desk.now(), desk.now()), ["one"]);
    assert_eq!(listed(desk.now(), later), ["one", "three"]);
    drop(house);
    let raw = std::fs::read(directory.path().join("store/moho.sqlite")).unwrap();
    let wal = std::fs::read(directory.path().join("store/moho.sqlite-wal")).unwrap_or_default();
    for bytes in [raw, wal] {
        assert!(!bytes.windows(13).any(|part| part == b"a private key"));
    }
}
