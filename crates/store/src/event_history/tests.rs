//! The history is held to what a list of all events would answer.

use proptest::prelude::*;

use super::*;

fn account(number: u8) -> AccountId {
    format!("{number:012}").parse().unwrap()
}

fn event(position: u64, time: u64) -> KeptEvent {
    KeptEvent {
        position,
        place: 0,
        account: account(1),
        time: Timestamp::from_unix_seconds(time),
        event_id: format!("id-{position}"),
        source: "kms.amazonaws.com".to_owned(),
        name: "CreateKey".to_owned(),
        read_only: false,
        user_name: Some("somebody".to_owned()),
        access_key: None,
        resources: vec![("AWS::KMS::Key".to_owned(), format!("key-{position}"))],
        seal_id: format!("id-{position}"),
        recipients: "000000000001".to_owned(),
        sealed: format!("sealed-{position}"),
    }
}

fn lookup(attribute: Option<HistoryAttribute>) -> HistoryLookup {
    HistoryLookup {
        account: account(1),
        from: None,
        to: None,
        attribute,
        behind: None,
        limit: 50,
    }
}

fn opened() -> (tempfile::TempDir, EventHistory) {
    let directory = tempfile::tempdir().unwrap();
    let history = EventHistory::open(directory.path()).unwrap();
    (directory, history)
}

#[test]
fn what_is_kept_is_found_once_however_often_it_is_kept() {
    let (directory, history) = opened();
    assert_eq!(history.gathered("log").unwrap(), 0);
    let events = [event(1, 10), event(2, 20)];
    history.keep("log", 2, &events).unwrap();
    history.keep("log", 1, &events).unwrap();
    assert_eq!(history.gathered("log").unwrap(), 2, "it never goes back");
    assert_eq!(history.gathered("another log").unwrap(), 0);
    let page = history.look_up(&lookup(None)).unwrap();
    assert_eq!(page.events, [event(2, 20), event(1, 10)]);
    assert_eq!(page.more, None);
    drop(history);
    let again = EventHistory::open(directory.path()).unwrap();
    assert_eq!(again.look_up(&lookup(None)).unwrap(), page);
}

#[test]
fn what_is_in_a_new_log_of_the_same_journal_is_found_once() {
    let (_directory, history) = opened();
    let of_others = KeptEvent {
        account: account(2),
        ..event(1, 10)
    };
    history.keep("log", 2, &[event(1, 10), event(2, 20)]).unwrap();
    let all = [event(1, 10), of_others.clone(), event(2, 20), event(3, 30)];
    let all: Vec<_> = (0..)
        .zip(all)
        .map(|(place, event)| KeptEvent { place, ..event })
        .collect();
    history.keep("new log", 3, &all).unwrap();
    assert_eq!(history.gathered("new log").unwrap(), 3);
    let found = history.look_up(&lookup(None)).unwrap().events;
    let ids: Vec<_> = found.iter().map(|event| event.event_id.as_str()).collect();
    assert_eq!(ids, ["id-3", "id-2", "id-1"]);
    let theirs = HistoryLookup {
        account: of_others.account,
        ..lookup(None)
    };
    assert_eq!(history.look_up(&theirs).unwrap().events.len(), 1);
}

#[test]
fn a_file_that_cannot_be_used_is_made_anew() {
    for spoiled in [
        b"no database at all, but as long as the header of one would be, and longer".to_vec(),
        vec![0; 4096],
    ] {
        let (directory, history) = opened();
        history.keep("log", 1, &[event(1, 10)]).unwrap();
        drop(history);
        for behind in ["-wal", "-shm"] {
            drop(std::fs::remove_file(
                directory.path().join(format!("{FILE}{behind}")),
            ));
        }
        std::fs::write(directory.path().join(FILE), &spoiled).unwrap();
        let again = EventHistory::open(directory.path()).unwrap();
        assert!(again.was_damaged());
        assert_eq!(again.gathered("log").unwrap(), 0);
        assert!(again.look_up(&lookup(None)).unwrap().events.is_empty());
    }
}

/// Version 1 had no recipients.
#[test]
fn a_file_of_an_earlier_version_is_made_anew_by_itself() {
    let (directory, history) = opened();
    history.keep("log", 1, &[event(1, 10)]).unwrap();
    let earlier = "ALTER TABLE event DROP COLUMN recipients; PRAGMA user_version = 1";
    history.connection().execute_batch(earlier).unwrap();
    drop(history);
    let again = EventHistory::open(directory.path()).unwrap();
    assert!(!again.was_damaged());
    assert_eq!(again.gathered("log").unwrap(), 0);
    assert!(again.look_up(&lookup(None)).unwrap().events.is_empty());
    again.keep("log", 1, &[event(1, 10)]).unwrap();
    assert_eq!(again.look_up(&lookup(None)).unwrap().events, [event(1, 10)]);
}

/// Each page behind the first that is filled with nonsense is met by somebody who reads or writes, or hurts nobody; then all can be
/// put in again.
#[test]
fn whatever_part_of_it_is_damaged_is_told_and_it_can_be_made_anew() {
    let (directory, history) = opened();
    let events: Vec<_> = (1..=60).map(|at| event(at, at)).collect();
    history.keep("log", 60, &events).unwrap();
    let whole = history.look_up(&lookup(None)).unwrap();
    drop(history);
    let path = directory.path().join(FILE);
    let sound = std::fs::read(&path).unwrap();
    let pages = sound.len() / 4096;
    assert!(pages > 10);
    let mut damaged = 0;
    for page in 0..pages {
        for nonsense in [0xaa, 0] {
            // Of the first page what is behind its header: the names of the tables.
            let from = if page == 0 { 200 } else { page * 4096 };
            let mut spoiled = sound.clone();
            spoiled[from..(page + 1) * 4096].fill(nonsense);
            std::fs::write(&path, &spoiled).unwrap();
            let history = EventHistory::open(directory.path()).unwrap();
            let met = [
                history.gathered("log").map(drop),
                history.look_up(&lookup(None)).map(drop),
                history
                    .look_up(&lookup(Some(HistoryAttribute::ResourceName("key-7".to_owned()))))
                    .map(drop),
                history.keep("log", 61, &[event(61, 61)]),
                history.forget_before(Timestamp::from_unix_seconds(3)).map(drop),
            ];
            let mut met = met.into_iter().filter_map(Result::err).peekable();
            damaged += u32::from(history.was_damaged() || met.peek().is_some());
            for error in met {
                assert!(
                    matches!(error, StoreError::Corrupt { .. }),
                    "page {page}: {error:?}"
                );
            }
            history
                .make_anew()
                .unwrap_or_else(|error| panic!("page {page}: {error}"));
            assert_eq!(history.gathered("log").unwrap(), 0);
            assert!(history.look_up(&lookup(None)).unwrap().events.is_empty());
            history.keep("log", 60, &events).unwrap();
            assert_eq!(history.look_up(&lookup(None)).unwrap().events, whole.events);
            drop(history);
            let again = EventHistory::open(directory.path()).unwrap();
            assert!(!again.was_damaged());
            assert_eq!(again.gathered("log").unwrap(), 60);
        }
    }
    assert!(damaged > 10, "{damaged} of {pages} pages were met");
}

#[test]
fn whoever_else_has_it_open_goes_on_with_the_one_that_was_made_anew() {
    let (directory, here) = opened();
    let there = EventHistory::open(directory.path()).unwrap();
    for round in 1..=3 {
        here.keep("here", 2 * round, &[event(2 * round, 10)]).unwrap();
        there.keep("there", round, &[event(round, 20)]).unwrap();
        assert_eq!(here.look_up(&lookup(None)).unwrap().events.len(), 2);
        here.make_anew().unwrap();
        for either in [&here, &there] {
            assert_eq!(either.gathered("here").unwrap(), 0);
            assert_eq!(either.gathered("there").unwrap(), 0);
            assert!(either.look_up(&lookup(None)).unwrap().events.is_empty());
        }
    }
    there.keep("there", 1, &[event(1, 20)]).unwrap();
    drop(there);
    assert_eq!(here.gathered("there").unwrap(), 1);
    drop(here);
    let again = EventHistory::open(directory.path()).unwrap();
    assert_eq!(again.look_up(&lookup(None)).unwrap().events, [event(1, 20)]);
}

#[test]
fn what_is_old_goes_with_what_it_was_about() {
    let (_directory, history) = opened();
    let events: Vec<_> = (1..=10).map(|at| event(at, at * 10)).collect();
    history.keep("log", 10, &events).unwrap();
    assert!(!history.forget_before(Timestamp::from_unix_seconds(50)).unwrap());
    let left = history.look_up(&lookup(None)).unwrap().events;
    assert_eq!(left.iter().map(|event| event.position).min(), Some(5));
    assert_eq!(left.len(), 6);
    let count: i64 = history
        .connection()
        .query_row("SELECT count(*) FROM resource", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 6);
}

fn attributes() -> impl Strategy<Value = Option<HistoryAttribute>> {
    let text = |make: fn(String) -> HistoryAttribute| (0..3_u8).prop_map(move |at| make(at.to_string()));
    prop::option::of(prop_oneof![
        text(HistoryAttribute::EventId),
        text(HistoryAttribute::EventName),
        text(HistoryAttribute::Username),
        text(HistoryAttribute::ResourceType),
        text(HistoryAttribute::ResourceName),
        text(HistoryAttribute::EventSource),
        text(HistoryAttribute::AccessKeyId),
        any::<bool>().prop_map(HistoryAttribute::ReadOnly),
    ])
}

prop_compose! {
    fn kept()(
        of in 1..3_u8, time in 0..6_u64, texts in prop::array::uniform5(0..3_u8), read_only: bool,
        user in any::<bool>(), resources in prop::collection::btree_set((0..3_u8, 0..3_u8), 0..3),
    ) -> KeptEvent {
        let [id, source, name, user_name, key] = texts.map(|text| text.to_string());
        KeptEvent {
            account: account(of),
            event_id: id,
            source,
            name,
            read_only,
            user_name: user.then_some(user_name),
            access_key: (!user).then_some(key),
            resources: resources.iter().map(|(kind, name)| (kind.to_string(), name.to_string())).collect(),
            ..event(0, time)
        }
    }
}

fn is(event: &KeptEvent, attribute: &HistoryAttribute) -> bool {
    match attribute {
        HistoryAttribute::EventId(id) => event.event_id == *id,
        HistoryAttribute::EventName(name) => event.name == *name,
        HistoryAttribute::ReadOnly(is) => event.read_only == *is,
        HistoryAttribute::Username(name) => event.user_name.as_ref() == Some(name),
        HistoryAttribute::ResourceType(kind) => event.resources.iter().any(|(of, _)| of == kind),
        HistoryAttribute::ResourceName(name) => event.resources.iter().any(|(_, of)| of == name),
        HistoryAttribute::EventSource(source) => event.source == *source,
        HistoryAttribute::AccessKeyId(key) => event.access_key.as_ref() == Some(key),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pages_have_what_a_list_of_all_has(
        events in prop::collection::vec(kept(), 0..30), attribute in attributes(),
        from in prop::option::of(0..6_u64), to in prop::option::of(0..6_u64), limit in 1..5_u32,
    ) {
        let events: Vec<_> = events.into_iter().zip(1..).map(|(event, position)| KeptEvent { position, ..event }).collect();
        let (_directory, history) = opened();
        history.keep("log", 30, &events).unwrap();
        let at = |seconds: Option<u64>| seconds.map(Timestamp::from_unix_seconds);
        let mut asked = HistoryLookup { from: at(from), to: at(to), limit, ..lookup(attribute.clone()) };
        let mut found = Vec::new();
        loop {
            let page = history.look_up(&asked).unwrap();
            prop_assert!(page.events.len() <= limit as usize);
            found.extend(page.events);
            match page.more {
                Some(more) => asked.behind = Some(more),
                None => break,
            }
        }
        let mut expected: Vec<_> = events
            .into_iter()
            .filter(|event| event.account == account(1))
            .filter(|event| attribute.as_ref().is_none_or(|attribute| is(event, attribute)))
            .filter(|event| from.is_none_or(|from| event.time.unix_seconds() >= from))
            .filter(|event| to.is_none_or(|to| event.time.unix_seconds() <= to))
            .collect();
        expected.sort_by_key(|event| std::cmp::Reverse((event.time, event.position)));
        prop_assert_eq!(found, expected);
    }
}
