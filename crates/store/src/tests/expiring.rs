//! Content that goes: some rows at a time, and what is damaged keeps no other.

use std::sync::atomic::Ordering;

use moho_iam::action::bedrock::PutAccountDataRetention;
use moho_iam::action::kms;
use moho_iam::action::mantle::{DeleteConversation, EraseContent, ExportContent, GetConversation};
use moho_iam::authz::Permit;
use moho_terms::{Clock, ConversationId};

use super::conversations::{Desk, page};
use super::{House, behind};
use crate::{Appended, Expired, KeptKind};

/// How many transactions something takes.
fn transactions<T>(house: &House, act: impl FnOnce() -> T) -> (usize, T) {
    let commits = &house.store.database.commits;
    let before = commits.load(Ordering::SeqCst);
    let came = act();
    (commits.load(Ordering::SeqCst) - before, came)
}

impl Desk<'_> {
    /// A conversation with so many items.
    fn long(&self, items: u64) -> ConversationId {
        let id = self.create(1);
        let items: Vec<_> = (0..items).map(|_| self.item("x")).collect();
        assert_eq!(self.add(&id, 1, &items), Appended::Done);
        id
    }

    fn is_told(&self, id: &ConversationId) -> bool {
        let read: Permit<GetConversation> = self.permit(id);
        let key: Permit<kms::Decrypt> = self.key(id);
        let (store, kms) = (&self.house.store, &self.house.kms);
        let export: Permit<ExportContent> = self.all("bedrock-mantle");
        let told = [
            store.conversation_facts(&read).unwrap().is_some(),
            store.conversation_metadata(&read, &key, kms).unwrap().is_some(),
            self.list(id, &page(None, true, 9)).unwrap() != Some(Vec::new()),
            !store
                .kept_content(&export, (KeptKind::Conversation, ""), 9)
                .unwrap()
                .is_empty(),
        ];
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
        told[0]
    }
}

#[test]
fn what_is_due_goes_some_rows_at_a_time_and_is_not_read_from_the_first_on() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let id = desk.long(25);
    assert!(desk.is_told(&id));
    let now = house.world.now();
    let (commits, none) = transactions(&house, || {
        house.store.expire_due(now, 10, &mut |_| Ok(())).unwrap()
    });
    assert_eq!((commits, none), (0, Expired::default()));
    let due = now.plus_seconds(86_400);
    let items = || -> u32 {
        behind(directory.path())
            .query_row("SELECT count(*) FROM conversation_item", [], |row| row.get(0))
            .unwrap()
    };
    for left in [15, 5, 0] {
        let (commits, expired) = transactions(&house, || {
            house.store.expire_due(due, 10, &mut |_| Ok(())).unwrap()
        });
        assert_eq!((commits, items()), (1, left));
        assert_eq!(
            (expired.conversations, expired.more),
            (usize::from(left == 0), left > 0)
        );
        assert!(!desk.is_told(&id));
        assert_eq!(desk.add(&id, 26, &[desk.item("late")]), Appended::Absent);
        let delete: Permit<DeleteConversation> = desk.permit(&id);
        assert!(left == 0 || !house.store.delete_conversation(&delete).unwrap());
    }
    assert_eq!(
        house.store.expire_due(due, 10, &mut |_| Ok(())).unwrap(),
        Expired::default()
    );
}

#[test]
fn what_is_there_ends_sooner_some_rows_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let now = house.world.now();
    house.put(&desk.caller, &house.new_id(), b"words").unwrap();
    house.write(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1500)
         INSERT INTO sealed_response (account_id, response_id, key_id, created_at, expires_at, size, sealed)
         SELECT account_id, response_id || n, key_id, created_at, expires_at, size, sealed FROM sealed_response, numbers",
    );
    let put: Permit<PutAccountDataRetention> = desk.all("bedrock");
    let (commits, kept) = transactions(&house, || house.store.put_retention_days(&put, 7, now).unwrap());
    assert_eq!((commits, kept.days), (3, 7));
    assert_eq!(
        house.store.due_content(now.plus_seconds(7 * 86_400)).unwrap(),
        1501
    );
}

#[test]
fn what_is_due_and_damaged_is_told_and_keeps_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let ids = [house.new_id(), house.new_id(), house.new_id()];
    for id in &ids {
        house.put(&desk.caller, id, b"words").unwrap();
    }
    desk.long(3);
    behind(directory.path())
        .execute(
            "UPDATE sealed_response SET size = 1 WHERE response_id = ?1",
            [ids[0].as_str()],
        )
        .unwrap();
    let due = house.world.now().plus_seconds(40 * 86_400);
    let expired = house.store.expire_due(due, 1000, &mut |_| Ok(())).unwrap();
    assert_eq!(
        (expired.responses, expired.conversations, expired.more),
        (2, 1, true)
    );
    let told: Vec<_> = expired
        .damaged
        .iter()
        .map(|(content, _)| content.id.as_str())
        .collect();
    assert_eq!(told, [ids[0].as_str()]);
    let expired = house.store.expire_due(due, 1000, &mut |_| Ok(())).unwrap();
    assert_eq!(
        (expired.responses, expired.more, expired.damaged.len()),
        (0, false, 1)
    );
}

#[test]
fn what_is_deleted_goes_some_rows_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let id = desk.long(2500);
    let delete: Permit<DeleteConversation> = desk.permit(&id);
    let (commits, deleted) = transactions(&house, || house.store.delete_conversation(&delete).unwrap());
    assert_eq!((commits, deleted, desk.is_told(&id)), (3, true, false));
    desk.long(1500);
    desk.long(3);
    let erase: Permit<EraseContent> = desk.all("bedrock-mantle");
    let (commits, erased) = transactions(&house, || house.store.erase_content(&erase).unwrap());
    assert_eq!((erased.conversations, commits > 4), (2, true));
    let left: u32 = behind(directory.path())
        .query_row(
            "SELECT (SELECT count(*) FROM conversation_item) + (SELECT count(*) FROM conversation)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(left, 0);
}
