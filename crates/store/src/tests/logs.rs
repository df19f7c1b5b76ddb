//! Log events: sealed, numbered, put together, found again, and gone when their time has come.

use std::collections::BTreeMap;

use moho_iam::action::Action;
use moho_iam::action::{kms, logs};
use moho_iam::authn::Authenticated;
use moho_iam::authz::Permit;
use moho_terms::{Arn, Clock, Timestamp};

use super::{House, behind, opened};
use crate::StoreError;
use crate::logs::{
    BlockFacts, GroupChange, GroupMade, GroupsWanted, LogPut, LogScope, NewGroup, NewLogEvent, OpenedBlock,
    Putting, StreamMade, StreamsOf, Swept, log_context, stream_arn,
};

const ALL: LogScope = LogScope {
    streams: StreamsOf::All,
    from: 0,
    until: i64::MAX,
};

pub(super) struct Desk<'a> {
    house: &'a House,
    caller: Authenticated,
}

impl<'a> Desk<'a> {
    pub(super) fn of(house: &'a House) -> Self {
        let caller = house.session("Admin");
        Self { house, caller }
    }

    fn arn(&self, group: &str, stream: &str) -> Arn {
        stream_arn("moho-local-1", self.house.first.account.as_str(), (group, stream)).unwrap()
    }

    pub(super) fn permit<A: Action>(&self, group: &str, stream: &str) -> Permit<A> {
        self.house.permit(&self.caller, &self.arn(group, stream))
    }

    pub(super) fn key<A: Action>(&self, group: &str) -> Permit<A> {
        let context = log_context("moho-local-1", self.house.first.account, group).unwrap();
        let (facts, key) = (self.house.facts(), &self.house.first.account_key);
        self.house
            .authorizer
            .authorize(&self.caller, &facts, key, &context.condition_keys())
            .unwrap()
    }

    pub(super) fn create(&self, group: &str) -> GroupMade {
        let new = NewGroup {
            class: "STANDARD",
            key: None,
            protected: false,
            tags: &BTreeMap::from([("team".to_owned(), "red".to_owned())]),
        };
        let now = self.house.world.now();
        self.house
            .store
            .create_log_group(&self.permit(group, ""), &new, now)
            .unwrap()
    }

    pub(super) fn stream(&self, group: &str, stream: &str) -> StreamMade {
        let now = self.house.world.now();
        self.house
            .store
            .create_log_stream(&self.permit(group, stream), now)
            .unwrap()
    }

    fn put_at(&self, (group, stream): (&str, &str), events: &[(i64, &str)], now: Timestamp) -> LogPut {
        let events: Vec<_> = events
            .iter()
            .map(|(timestamp, message)| NewLogEvent {
                timestamp: *timestamp,
                message,
            })
            .collect();
        let by = Putting {
            kms: &self.house.kms,
            entropy: &*self.house.world,
            now,
        };
        let permits: (Permit<logs::PutLogEvents>, Permit<kms::GenerateDataKey>) =
            (self.permit(group, stream), self.key(group));
        self.house
            .store
            .put_log_events((&permits.0, &permits.1), &events, by)
            .unwrap()
    }

    fn put(&self, place: (&str, &str), events: &[(i64, &str)]) -> LogPut {
        self.put_at(place, events, self.house.world.now())
    }

    fn blocks(&self, group: &str) -> Result<Vec<BlockFacts>, StoreError> {
        let permit: Permit<logs::FilterLogEvents> = self.permit(group, "");
        self.house
            .store
            .log_blocks(&permit, &ALL)
            .map(Option::unwrap_or_default)
    }

    /// Time, number, ingestion and text of all events of a block.
    fn open(&self, group: &str, block: &BlockFacts) -> Result<Vec<(i64, u64, i64, String)>, StoreError> {
        let permit: Permit<logs::FilterLogEvents> = self.permit(group, "");
        let keys = [self.key::<kms::Decrypt>(group)];
        let opened = self
            .house
            .store
            .open_log_block((&permit, block), &keys, &self.house.kms)?;
        let OpenedBlock::There(opened) = opened else {
            return Ok(Vec::new());
        };
        let told = |event: crate::logs::LogEvent<'_>| {
            (
                event.timestamp,
                event.sequence,
                event.ingested,
                event.message.to_owned(),
            )
        };
        Ok(opened.events().map(told).collect())
    }

    pub(super) fn all(&self, group: &str) -> Vec<(i64, u64, i64, String)> {
        let mut all = Vec::new();
        for block in self.blocks(group).unwrap() {
            all.extend(self.open(group, &block).unwrap());
        }
        all.sort();
        all
    }
}

fn now_of(house: &House) -> i64 {
    i64::try_from(house.world.now().unix_micros() / 1000).unwrap()
}

#[test]
fn events_are_numbered_and_come_no_earlier_than_those_before() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    assert_eq!(desk.create("/a"), GroupMade::Done);
    assert_eq!(desk.create("/a"), GroupMade::Exists);
    assert_eq!(desk.put(("/a", "s"), &[(5, "x")]), LogPut::NoStream);
    assert_eq!(desk.stream("/a", "s"), StreamMade::Done);
    assert_eq!(desk.stream("/a", "s"), StreamMade::Exists);
    assert_eq!(desk.stream("/b", "s"), StreamMade::NoGroup);
    assert_eq!(desk.put(("/b", "s"), &[(5, "x")]), LogPut::NoGroup);
    let now = now_of(&house);
    assert_eq!(desk.put(("/a", "s"), &[(7, "b"), (8, "c")]), LogPut::Done);
    // The clock was put back.
    let before = Timestamp::from_unix_seconds(1_000_000);
    assert_eq!(desk.put_at(("/a", "s"), &[(5, "a")], before), LogPut::Done);
    let told = |time, number, text: &str| (time, number, now, text.to_owned());
    assert_eq!(
        desk.all("/a"),
        [told(5, 3, "a"), told(7, 1, "b"), told(8, 2, "c")]
    );
    let permit: Permit<logs::GetLogEvents> = desk.permit("/a", "s");
    let facts = house.store.log_stream(&permit).unwrap().unwrap();
    assert_eq!(
        (facts.first_event, facts.last_event, facts.last_ingestion),
        (Some(5), Some(8), Some(now))
    );
    drop(house);
    let house = House::open(directory.path());
    assert_eq!(Desk::of(&house).all("/a").len(), 3);
}

#[test]
fn small_blocks_are_put_together_and_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    desk.create("/a");
    desk.stream("/a", "s");
    let mut expected = Vec::new();
    let now = now_of(&house);
    let early = {
        desk.put(("/a", "s"), &[(0, "event 0")]);
        desk.blocks("/a").unwrap()
    };
    expected.push((0, 1, now, "event 0".to_owned()));
    for number in 1..300_i64 {
        let text = format!("event {number}");
        assert_eq!(desk.put(("/a", "s"), &[(number * 7 % 40, &text)]), LogPut::Done);
        expected.push((number * 7 % 40, u64::try_from(number + 1).unwrap(), now, text));
    }
    expected.sort();
    assert_eq!(desk.all("/a"), expected);
    let blocks = desk.blocks("/a").unwrap();
    assert!(blocks.len() < 30, "{}", blocks.len());
    assert_eq!(blocks.iter().map(|block| block.events).sum::<u64>(), 300);
    // Who looked before finds its events where they are now.
    assert_eq!(
        desk.open("/a", &early[0]).unwrap(),
        [(0, 1, now, "event 0".to_owned())]
    );
}

#[test]
fn a_summary_never_hides_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    desk.create("/a");
    desk.stream("/a", "s");
    let texts: Vec<String> = (0..1000)
        .map(|number| format!("request {number} took long"))
        .collect();
    let events: Vec<(i64, &str)> = (0..).zip(&texts).map(|(at, text)| (at, text.as_str())).collect();
    desk.put(("/a", "s"), &events);
    let block = &desk.blocks("/a").unwrap()[0];
    assert!(block.is_summed_up);
    let permit: Permit<logs::FilterLogEvents> = desk.permit("/a", "");
    let summary = house
        .store
        .log_summary((&permit, block), &desk.key("/a"), &house.kms)
        .unwrap()
        .unwrap();
    assert!(summary.may_have("request 777 took"));
    assert!(!summary.may_have("zanzibar"));
}

#[test]
fn a_group_of_the_same_name_is_another() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    desk.create("/a");
    desk.stream("/a", "s");
    desk.put(("/a", "s"), &[(5, "old")]);
    let of_old: Permit<logs::FilterLogEvents> = desk.permit("/a", "");
    let delete = |group| house.store.delete_log_group(&desk.permit(group, "")).unwrap();
    assert_eq!(delete("/a"), Some(true));
    assert_eq!(delete("/a"), None);
    assert!(house.store.log_blocks(&of_old, &ALL).unwrap().is_none());
    desk.create("/a");
    desk.stream("/a", "s");
    assert!(desk.all("/a").is_empty());
    assert!(
        house.store.log_blocks(&of_old, &ALL).unwrap().is_none(),
        "it was decided about another"
    );
    let mut gone = Vec::new();
    let swept = house.store.sweep_logs(house.world.now(), 100, &mut |expiry| {
        gone.push((expiry.group.clone(), expiry.blocks, expiry.expired));
        Ok(())
    });
    assert_eq!(
        swept.unwrap(),
        Swept {
            blocks: 1,
            more: false
        }
    );
    assert_eq!(gone, [("/a".to_owned(), 1, false)]);
    let left: u32 = behind(directory.path())
        .query_row("SELECT count(*) FROM log_group", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 1);
}

#[test]
fn what_is_too_old_goes_and_is_counted_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    desk.create("/a");
    desk.stream("/a", "s");
    let (now, day) = (now_of(&house), 86_400_000);
    desk.put(("/a", "s"), &[(now - 4 * day, "old")]);
    desk.put(("/a", "s"), &[(now - 4 * day, "old"), (now - 2 * day, "young")]);
    let permit: Permit<logs::PutRetentionPolicy> = desk.permit("/a", "");
    let changed = house
        .store
        .change_log_group(&permit, GroupChange::Retention(Some(3)));
    assert!(changed.unwrap());
    let sweep = || {
        house
            .store
            .sweep_logs(house.world.now(), 100, &mut |_expiry| Ok(()))
            .unwrap()
    };
    assert_eq!(sweep().blocks, 1);
    assert_eq!(sweep().blocks, 0);
    assert_eq!(desk.all("/a").len(), 2, "a block goes when all of it is too old");
    let permit: Permit<logs::PutRetentionPolicy> = desk.permit("/a", "");
    let facts = house.store.log_group(&permit).unwrap().unwrap();
    let wanted = GroupsWanted {
        prefix: "/a",
        pattern: "",
        class: None,
        after: "",
        most: 1,
    };
    let listed = house.store.log_groups(&desk.permit("", ""), &wanted).unwrap();
    assert_eq!(
        (listed[0].1.stored_bytes, facts.retention_days),
        (8 + 52, Some(3))
    );
    let refused = house
        .store
        .sweep_logs(Timestamp::from_unix_seconds(4_000_000_000), 100, &mut |_expiry| {
            Err(crate::NotWrittenDown::new("no"))
        });
    assert!(matches!(refused, Err(StoreError::NotWrittenDown(_))));
    assert_eq!(desk.all("/a").len(), 2);
}

#[test]
fn blocks_that_were_removed_or_exchanged_are_missed() {
    for change in [
        "DELETE FROM log_block WHERE sequence = 1",
        "UPDATE log_block SET sealed = (SELECT sealed FROM log_block WHERE sequence = 2) WHERE sequence = 1",
        "UPDATE log_block SET first_time = 0 WHERE sequence = 1",
        "UPDATE log_block SET events = 2 WHERE sequence = 1",
        "UPDATE log_stream SET blocks = 1",
        "DELETE FROM log_block WHERE sequence = 1; UPDATE log_stream SET blocks = 1",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let house = House::open(directory.path());
        let desk = Desk::of(&house);
        desk.create("/a");
        desk.stream("/a", "s");
        desk.put(("/a", "s"), &[(5, "one")]);
        desk.put(("/a", "s"), &[(6, "two")]);
        drop(house);
        behind(directory.path()).execute_batch(change).unwrap();
        drop(opened(directory.path()).unwrap());
        let house = House::open(directory.path());
        let desk = Desk::of(&house);
        let read = desk.blocks("/a").and_then(|blocks| {
            blocks
                .iter()
                .map(|block| desk.open("/a", block))
                .collect::<Result<Vec<_>, _>>()
        });
        assert!(read.is_err(), "{change}");
    }
}

#[test]
fn a_search_counts_blocks_of_streams_that_have_any_of_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    desk.create("/a");
    desk.stream("/a", "early");
    desk.stream("/a", "late");
    desk.stream("/a", "empty");
    desk.put(("/a", "early"), &[(5, "one")]);
    desk.put(("/a", "late"), &[(50, "two")]);
    house.write("UPDATE log_stream SET blocks = 7 WHERE name = 'late'");
    let permit: Permit<logs::FilterLogEvents> = desk.permit("/a", "");
    let found = |from, until| {
        let streams = StreamsOf::All;
        let found = house
            .store
            .log_blocks(&permit, &LogScope { streams, from, until });
        found.map(|blocks| blocks.unwrap().len())
    };
    assert_eq!(found(0, 49).unwrap(), 1);
    assert!(matches!(found(0, 50), Err(StoreError::Altered(_))));
    assert!(matches!(found(50, 50), Err(StoreError::Altered(_))));
    assert_eq!(found(51, 60).unwrap(), 0);
}
