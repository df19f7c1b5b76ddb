//! Records of calls: sealed while they wait, delivered in batches that stay as they were begun, dropped with their key.

use moho_iam::action::bedrock::{
    DeleteModelInvocationLoggingConfiguration, GetModelInvocationLoggingConfiguration,
    PutModelInvocationLoggingConfiguration,
};

use super::logs::Desk;
use super::*;
use crate::invocations::{
    BatchLimits, BatchTurn, InvocationBatch, InvocationDestination, InvocationLogging, LogBucket,
    NewInvocation, invocation_context,
};
use crate::logs::{LogPut, NewLogEvent, Putting};

const LIMITS: BatchLimits = BatchLimits {
    records: 3,
    bytes: 1000,
    patience: 5,
    lease: 10,
    longest: 60,
};

struct Outbox {
    house: House,
    admin: Authenticated,
    directory: tempfile::TempDir,
}

impl Outbox {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let house = House::open(directory.path());
        let admin = house.session("Admin");
        Self {
            house,
            admin,
            directory,
        }
    }

    fn all<A: Action>(&self) -> Permit<A> {
        let account = self.house.first.account;
        let arn = Arn::of("bedrock", "moho-local-1", account.as_str(), "*").unwrap();
        self.house.permit(&self.admin, &arn)
    }

    fn key<A: Action>(&self) -> Permit<A> {
        let context = invocation_context(self.house.first.account).unwrap();
        let context = context.condition_keys();
        let (authorizer, facts) = (&self.house.authorizer, self.house.facts());
        let key = &self.house.first.account_key;
        authorizer.authorize(&self.admin, &facts, key, &context).unwrap()
    }

    fn keep(&self, bucket: &str, record: &str, at: u64) {
        let record = ContentBytes::new(record.as_bytes().to_vec());
        let new = NewInvocation {
            destination: &to(bucket),
            key: &self.key(),
            record: &record,
        };
        let now = Timestamp::from_unix_seconds(at);
        let kept = self.house.store.keep_invocations(&self.house.kms, &[new], now);
        kept.unwrap();
    }

    fn next(&self, at: u64, name: &str) -> Option<InvocationBatch> {
        self.next_of(at, name, BatchTurn::Again)
    }

    fn next_of(&self, at: u64, name: &str, turn: BatchTurn) -> Option<InvocationBatch> {
        let (store, now) = (&self.house.store, Timestamp::from_unix_seconds(at));
        store.next_invocations(now, LIMITS, (name, turn)).unwrap()
    }

    fn opened(&self, batch: &InvocationBatch) -> Option<Vec<String>> {
        let key = self.key();
        let opened = self.house.store.open_invocations(batch, &key, &self.house.kms);
        let text = |record: ContentBytes| String::from_utf8(record.expose().to_vec()).unwrap();
        opened
            .unwrap()
            .map(|records| records.into_iter().map(text).collect())
    }

    fn waiting(&self) -> (u64, u64) {
        let backlog = self.house.store.invocation_backlog().unwrap();
        (backlog.records, backlog.bytes)
    }
}

fn bucket(name: &str) -> LogBucket {
    LogBucket {
        bucket: name.parse().unwrap(),
        prefix: Some("p".to_owned()),
    }
}

fn to(name: &str) -> InvocationDestination {
    InvocationDestination::Bucket(bucket(name))
}

#[test]
fn an_account_s_calls_are_logged_from_when_it_says_so_until_it_says_so_no_more() {
    let outbox = Outbox::new();
    let (house, account) = (&outbox.house, outbox.house.first.account);
    assert_eq!(house.store.invocation_logging(account).unwrap(), None);
    let logging = InvocationLogging {
        group: None,
        bucket: Some(bucket("logs")),
        text: Some(false),
        image: None,
        embedding: Some(true),
        video: None,
        audio: None,
    };
    let put: Permit<PutModelInvocationLoggingConfiguration> = outbox.all();
    let now = house.world.now();
    house.store.put_invocation_logging(&put, &logging, now).unwrap();
    let get: Permit<GetModelInvocationLoggingConfiguration> = outbox.all();
    let found = house.store.own_invocation_logging(&get).unwrap();
    assert_eq!(found.as_ref(), Some(&logging));
    let other = "999999999999".parse().unwrap();
    assert_eq!(house.store.invocation_logging(other).unwrap(), None);
    let delete: Permit<DeleteModelInvocationLoggingConfiguration> = outbox.all();
    house.store.delete_invocation_logging(&delete).unwrap();
    house.store.delete_invocation_logging(&delete).unwrap();
    assert_eq!(house.store.invocation_logging(account).unwrap(), None);
}

#[test]
fn records_rest_sealed_and_are_batched_by_where_they_go() {
    let outbox = Outbox::new();
    outbox.keep("one", "the first words", 100);
    outbox.keep("two", "others", 101);
    outbox.keep("one", "the second words", 102);
    assert_eq!(outbox.waiting(), (3, 37));
    let oldest = outbox.house.store.invocation_backlog().unwrap().oldest;
    assert_eq!(oldest, Some(Timestamp::from_unix_seconds(100)));
    for file in std::fs::read_dir(outbox.directory.path().join("store")).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(
                !bytes.windows(5).any(|some| some == b"words"),
                "{}",
                path.display()
            );
        }
    }
    let uses = outbox.house.store.key_uses(outbox.house.first.account).unwrap();
    let counted = uses[0].uses.iter().find(|one| one.what.contains("invocation"));
    assert_eq!(counted.map(|one| (one.count, one.bytes)), Some((3, 37)));

    assert_eq!(outbox.next(104, "early"), None, "they wait for others");
    let batch = outbox.next(105, "a").unwrap();
    assert_eq!((&*batch.name, &batch.destination), ("a", &to("one")));
    assert_eq!(
        outbox.opened(&batch).unwrap(),
        ["the first words", "the second words"]
    );
    assert_eq!(
        outbox.next(105, "b"),
        None,
        "one way has a batch, the other waits"
    );
    let other = outbox.next(106, "b").unwrap();
    assert_eq!(outbox.opened(&other).unwrap(), ["others"]);
    outbox.house.store.invocations_delivered(&batch).unwrap();
    outbox.house.store.invocations_delivered(&other).unwrap();
    assert_eq!(outbox.waiting(), (0, 0));
}

#[test]
fn whoever_tries_again_delivers_the_same_under_the_same_name() {
    let mut outbox = Outbox::new();
    for record in ["1", "2", "3", "4"] {
        outbox.keep("one", record, 100);
    }
    let batch = outbox.next(100, "a").unwrap();
    assert_eq!(outbox.opened(&batch).unwrap(), ["1", "2", "3"], "it is full");
    outbox.keep("one", "5", 101);
    assert_eq!(outbox.next(109, "b"), None, "it is being delivered");
    // The process ended, and another goes on.
    let directory = outbox.directory.path().to_owned();
    outbox.house = House::open(&directory);
    outbox.admin = outbox.house.session("Admin");
    let again = outbox.next(110, "b").unwrap();
    assert_eq!(again, batch);
    assert_eq!(outbox.opened(&again).unwrap(), ["1", "2", "3"]);
    let later = Timestamp::from_unix_seconds(150);
    outbox.house.store.invocations_failed(&again, later).unwrap();
    assert_eq!(outbox.next(149, "c"), None);
    let third = outbox.next(150, "c").unwrap();
    assert_eq!((&*third.name, third.failures), ("a", 1));
    outbox.house.store.invocations_delivered(&third).unwrap();
    let rest = outbox.next(151, "d").unwrap();
    assert_eq!(outbox.opened(&rest).unwrap(), ["4", "5"]);
}

#[test]
fn a_batch_that_somebody_else_has_delivered_takes_nothing_of_the_next() {
    let outbox = Outbox::new();
    outbox.keep("one", "first", 100);
    let slow = outbox.next(105, "a").unwrap();
    let quick = outbox.next(115, "b").unwrap();
    assert_eq!(slow, quick);
    outbox.house.store.invocations_delivered(&quick).unwrap();
    // It gets the place of the first.
    outbox.keep("one", "second", 116);
    assert_eq!(outbox.opened(&slow), None);
    outbox.house.store.invocations_delivered(&slow).unwrap();
    assert_eq!(outbox.waiting(), (1, 6));
    let next = outbox.next(130, "c").unwrap();
    assert_eq!(outbox.opened(&slow), None, "it is not the batch that there is");
    assert_eq!(outbox.opened(&next).unwrap(), ["second"]);
}

#[test]
fn records_whose_key_was_deleted_are_dropped_once_that_is_written_down() {
    let outbox = Outbox::new();
    let store = &outbox.house.store;
    outbox.keep("one", "words", 100);
    outbox.keep("two", "words", 100);
    let batch = outbox.next(105, "a").unwrap();
    assert_eq!(
        store
            .shred_invocations(&mut |_| panic!("they can be opened"))
            .unwrap(),
        0
    );
    outbox.house.write("UPDATE kms_key SET record = NULL");
    let refused = store.shred_invocations(&mut |_| Err(crate::NotWrittenDown::new(StoreError::KeepsNothing)));
    assert!(matches!(refused, Err(StoreError::NotWrittenDown(_))));
    assert_eq!(outbox.waiting().0, 2);
    let mut told = Vec::new();
    let dropped = store.shred_invocations(&mut |shredded| {
        told.extend_from_slice(shredded);
        Ok(())
    });
    assert_eq!(dropped.unwrap(), 2);
    let [shredded] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!(shredded.key, outbox.house.first.account_key);
    assert_eq!(
        (shredded.account, shredded.records),
        (outbox.house.first.account, 2)
    );
    assert_eq!(outbox.waiting(), (0, 0));
    store.invocations_delivered(&batch).unwrap();
    assert_eq!(outbox.next(200, "b"), None);
}

#[test]
fn what_waits_of_each_account_is_known_without_counting_it() {
    let outbox = Outbox::new();
    let (store, account) = (&outbox.house.store, outbox.house.first.account);
    let waits = || (outbox.waiting(), store.invocation_bytes_waiting(account).unwrap());
    assert_eq!(waits(), ((0, 0), 0));
    outbox.keep("one", "words", 100);
    outbox.keep("two", "more words", 100);
    assert_eq!(waits(), ((2, 15), 15));
    assert_eq!(
        store
            .invocation_bytes_waiting("999999999999".parse().unwrap())
            .unwrap(),
        0
    );
    let batch = outbox.next(105, "a").unwrap();
    store.invocations_delivered(&batch).unwrap();
    store.invocations_delivered(&batch).unwrap();
    let left = waits();
    assert!(matches!(left, ((1, 10), 10) | ((1, 5), 5)), "{left:?}");
    outbox.house.write("UPDATE kms_key SET record = NULL");
    store.shred_invocations(&mut |_| Ok(())).unwrap();
    assert_eq!(waits(), ((0, 0), 0));
    // It says nothing of what is there: only as many rows as accounts are read.
    outbox
        .house
        .write("UPDATE invocation_waiting SET records = 7, bytes = 70");
    assert_eq!(waits(), ((7, 70), 70));
}

#[test]
fn shredding_is_bounded_by_bytes_too() {
    let outbox = Outbox::new();
    let large = "x".repeat(6 << 20);
    for _record in 0..5 {
        outbox.keep("one", &large, 100);
    }
    outbox.house.write("UPDATE kms_key SET record = NULL");
    let mut rounds = Vec::new();
    loop {
        let mut told = 0;
        let dropped = outbox.house.store.shred_invocations(&mut |shredded| {
            told = shredded.iter().map(|one| one.records).sum();
            Ok(())
        });
        assert_eq!(dropped.unwrap(), told);
        if told == 0 {
            break;
        }
        rounds.push(told);
    }
    assert_eq!(rounds, [3, 2]);
    assert_eq!(outbox.waiting(), (0, 0));
}

#[test]
fn what_a_clock_that_was_ahead_has_put_off_goes_when_it_is_right_again() {
    let outbox = Outbox::new();
    outbox.keep("one", "first", 100);
    let batch = outbox.next(105, "a").unwrap();
    let far = Timestamp::from_unix_seconds(1_000_000);
    outbox.house.store.invocations_failed(&batch, far).unwrap();
    let again = outbox.next(106, "b").unwrap();
    assert_eq!(
        (again.name.as_str(), again.was_far_off, again.failures),
        ("a", true, 1)
    );
    // As long as is usual is no error of a clock.
    let soon = Timestamp::from_unix_seconds(107 + LIMITS.longest);
    outbox.house.store.invocations_failed(&batch, soon).unwrap();
    assert_eq!(outbox.next(107, "c"), None);
    let third = outbox.next(107 + LIMITS.longest, "c").unwrap();
    assert!(!third.was_far_off);
    outbox.house.store.invocations_delivered(&third).unwrap();

    outbox.keep("two", "second", 1_000_000);
    let second = outbox.next(200, "d").unwrap();
    assert_eq!(outbox.opened(&second).unwrap(), ["second"]);
}

#[test]
fn what_is_due_again_and_what_is_new_take_turns() {
    let outbox = Outbox::new();
    let store = &outbox.house.store;
    for bucket in ["one", "two", "three"] {
        outbox.keep(bucket, "words", 100);
        let batch = outbox.next(105, bucket).unwrap();
        let others = store.other_ways_failing(&batch).unwrap();
        store
            .invocations_failed(&batch, Timestamp::from_unix_seconds(106 + others))
            .unwrap();
    }
    outbox.keep("fresh", "words", 110);
    let name = |turn| {
        outbox
            .next_of(120, "n", turn)
            .map(|batch| (batch.name, batch.failures))
    };
    let next = |name: &str, failures| Some((name.to_owned(), failures));
    assert_eq!(name(BatchTurn::New), next("n", 0));
    assert_eq!(name(BatchTurn::New), next("one", 1), "nothing is new");
    assert_eq!(name(BatchTurn::Again), next("two", 1));
    assert_eq!(name(BatchTurn::Again), next("three", 1));
    assert_eq!(name(BatchTurn::Again), None);
}

#[test]
fn on_how_many_ways_records_wait_is_bounded_by_account() {
    let outbox = Outbox::new();
    let (store, account) = (&outbox.house.store, outbox.house.first.account);
    let key = &outbox.house.first.account_key;
    let has = |buckets: &[&str], most| {
        let ways: Vec<_> = buckets.iter().copied().map(to).collect();
        let ways: Vec<_> = ways.iter().map(|to| (to, key)).collect();
        store.has_invocation_ways(account, &ways, most).unwrap()
    };
    assert!(has(&["one", "two"], 2) && !has(&["one", "two"], 1));
    for bucket in ["one", "two", "three", "one"] {
        outbox.keep(bucket, "words", 100);
    }
    assert!(has(&["one", "two"], 2), "they wait there already");
    assert!(has(&["four"], 4) && has(&["four", "four"], 4) && has(&["four", "one"], 4));
    assert!(!has(&["four"], 3) && !has(&["one", "four"], 3) && !has(&["four", "five"], 4));
    let other: Arn = format!("{key}0").parse().unwrap();
    let way = [(&to("one"), &other)];
    assert!(!store.has_invocation_ways(account, &way, 3).unwrap());
    let stranger = "999999999999".parse().unwrap();
    assert!(store.has_invocation_ways(stranger, &way, 1).unwrap());
    let batch = outbox.next(105, "a").unwrap();
    store.invocations_delivered(&batch).unwrap();
    assert!(has(&["four"], 3));
}

/// Puts the first records of a batch into a log group.
fn put(
    outbox: &Outbox,
    desk: &Desk<'_>,
    batch: &InvocationBatch,
    records: &[&str],
) -> (LogPut, Option<InvocationBatch>) {
    let events: Vec<_> = records
        .iter()
        .map(|message| NewLogEvent {
            timestamp: 5,
            message,
        })
        .collect();
    let by = Putting {
        kms: &outbox.house.kms,
        entropy: &*outbox.house.world,
        now: outbox.house.world.now(),
    };
    let permits = (desk.permit("calls", "s"), desk.key("calls"));
    outbox
        .house
        .store
        .put_invocations((&permits.0, &permits.1), (batch, &events), by)
        .unwrap()
}

#[test]
fn a_record_is_in_a_log_group_once_whenever_the_process_ends() {
    let outbox = Outbox::new();
    for record in ["1", "2", "3"] {
        outbox.keep("one", record, 100);
    }
    let batch = outbox.next(105, "a").unwrap();
    let desk = Desk::of(&outbox.house);
    assert_eq!(put(&outbox, &desk, &batch, &["1", "2"]), (LogPut::NoGroup, None));
    assert_eq!(outbox.waiting().0, 3);
    desk.create("calls");
    desk.stream("calls", "s");
    let texts = || {
        let all = desk.all("calls").into_iter();
        all.map(|event| event.3).collect::<Vec<_>>()
    };
    let (done, left) = put(&outbox, &desk, &batch, &["1", "2"]);
    let left = left.unwrap();
    assert_eq!(done, LogPut::Done);
    assert_eq!(
        (outbox.waiting(), outbox.opened(&left).unwrap()),
        ((1, 1), vec!["3".to_owned()])
    );
    // Whoever still has all of the batch, as its lease was over, puts nothing of it again.
    assert_eq!(put(&outbox, &desk, &batch, &["1", "2"]), (LogPut::Done, None));
    assert_eq!(outbox.opened(&batch), None);
    outbox.house.store.invocations_delivered(&batch).unwrap();
    assert_eq!(
        (texts(), outbox.waiting().0),
        (vec!["1".to_owned(), "2".to_owned()], 1)
    );
    // This process ended here; the next one finds what is left.
    let again = outbox.next(116, "b").unwrap();
    assert_eq!(again, left);
    let (done, left) = put(&outbox, &desk, &again, &["3"]);
    assert_eq!(done, LogPut::Done);
    outbox.house.store.invocations_delivered(&left.unwrap()).unwrap();
    assert_eq!((texts().len(), outbox.waiting()), (3, (0, 0)));
    assert_eq!(outbox.next(200, "c"), None);
}

#[test]
fn a_record_that_was_altered_is_not_delivered() {
    let outbox = Outbox::new();
    outbox.keep("one", "words", 100);
    let batch = outbox.next(105, "a").unwrap();
    behind(outbox.directory.path())
        .execute_batch("UPDATE invocation_outbox SET written_at = 1")
        .unwrap();
    let key = outbox.key();
    let opened = outbox
        .house
        .store
        .open_invocations(&batch, &key, &outbox.house.kms);
    assert!(matches!(opened.err(), Some(StoreError::Altered(_))));
}
