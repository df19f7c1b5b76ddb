//! Conversations: items in their places, under one key, until their time has come.

use moho_iam::action::Action;
use moho_iam::action::bedrock::{GetAccountDataRetention, PutAccountDataRetention};
use moho_iam::action::kms;
use moho_iam::action::mantle::{
    CreateConversation, DeleteConversation, EraseContent, ExportContent, GetConversation, UpdateConversation,
};
use moho_iam::authn::Authenticated;
use moho_iam::authz::Permit;
use moho_terms::{Arn, Clock, ContentBytes, ConversationId, ItemId, ResponseId};

use super::{House, behind};
use crate::{
    Appended, Erased, Expired, ItemPage, KeptKind, NewConversation, NewItem, NewResponse, NewTurn,
    StoreError, conversation_context,
};

pub(super) struct Desk<'a> {
    pub(super) house: &'a House,
    pub(super) caller: Authenticated,
}

fn text(words: &str) -> ContentBytes {
    ContentBytes::new(words.as_bytes().to_vec())
}

impl<'a> Desk<'a> {
    pub(super) fn of(house: &'a House) -> Self {
        let caller = house.session("Admin");
        Self { house, caller }
    }

    fn arn(&self, id: &ConversationId) -> Arn {
        let account = self.house.first.account;
        let resource = format!("conversation/{id}");
        Arn::of("bedrock-mantle", "moho-local-1", account.as_str(), &resource).unwrap()
    }

    pub(super) fn permit<A: Action>(&self, id: &ConversationId) -> Permit<A> {
        self.house.permit(&self.caller, &self.arn(id))
    }

    pub(super) fn all<A: Action>(&self, service: &str) -> Permit<A> {
        let account = self.house.first.account;
        let arn = Arn::of(service, "moho-local-1", account.as_str(), "project/default").unwrap();
        self.house.permit(&self.caller, &arn)
    }

    pub(super) fn key<A: Action>(&self, id: &ConversationId) -> Permit<A> {
        let context = conversation_context(self.house.first.account, id).unwrap();
        let key = &self.house.first.account_key;
        let facts = self.house.facts();
        self.house
            .authorizer
            .authorize(&self.caller, &facts, key, &context.condition_keys())
            .unwrap()
    }

    pub(super) fn create(&self, days: u32) -> ConversationId {
        let id = ConversationId::random(&*self.house.world).unwrap();
        let new = NewConversation {
            id: &id,
            metadata: &text("{}"),
            days,
        };
        let create: Permit<CreateConversation> = self.permit(&id);
        let permits = (&create, &self.key(&id));
        let now = self.house.world.now();
        let made = self
            .house
            .store
            .create_conversation(permits, &self.house.kms, &new, now);
        made.unwrap();
        id
    }

    pub(super) fn item(&self, words: &str) -> NewItem {
        NewItem {
            id: ItemId::random(&*self.house.world).unwrap(),
            body: text(words),
        }
    }

    pub(super) fn add(&self, id: &ConversationId, position: u64, items: &[NewItem]) -> Appended {
        let update: Permit<UpdateConversation> = self.permit(id);
        let permits = (&update, &self.key(id));
        let now = self.house.world.now();
        let added = self
            .house
            .store
            .append_items(permits, &self.house.kms, (position, items), now);
        added.unwrap()
    }

    pub(super) fn list(
        &self,
        id: &ConversationId,
        page: &ItemPage,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let read: Permit<GetConversation> = self.permit(id);
        let found = self
            .house
            .store
            .conversation_items(&read, &self.key(id), &self.house.kms, page)?;
        let words = |body: &ContentBytes| String::from_utf8(body.expose().to_vec()).unwrap();
        Ok(found.map(|items| items.iter().map(|item| words(&item.body)).collect()))
    }
}

pub(super) fn page(after: Option<&ItemId>, ascending: bool, limit: usize) -> ItemPage {
    ItemPage {
        after: after.cloned(),
        ascending,
        limit,
    }
}

#[test]
fn items_have_their_places() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let id = desk.create(30);
    let items = ["one", "two", "three"].map(|words| desk.item(words));
    assert_eq!(desk.add(&id, 1, &items), Appended::Done);
    assert_eq!(desk.add(&id, 1, &[desk.item("late")]), Appended::Raced);
    assert_eq!(desk.add(&id, 4, &[desk.item("four")]), Appended::Done);
    let again = NewItem {
        id: items[0].id.clone(),
        body: text("again"),
    };
    assert_eq!(desk.add(&id, 5, &[again]), Appended::Twice);
    let listed = |page: &ItemPage| desk.list(&id, page).unwrap().unwrap();
    assert_eq!(listed(&page(None, true, 9)), ["one", "two", "three", "four"]);
    assert_eq!(listed(&page(None, false, 2)), ["four", "three"]);
    assert_eq!(listed(&page(Some(&items[1].id), true, 9)), ["three", "four"]);
    assert_eq!(listed(&page(Some(&items[1].id), false, 9)), ["one"]);
    assert_eq!(
        desk.list(&id, &page(Some(&desk.item("x").id), true, 9)).unwrap(),
        None
    );
    let update: Permit<UpdateConversation> = desk.permit(&id);
    assert!(
        house
            .store
            .delete_conversation_item(&update, &items[1].id)
            .unwrap()
    );
    assert!(
        !house
            .store
            .delete_conversation_item(&update, &items[1].id)
            .unwrap()
    );
    assert_eq!(listed(&page(None, true, 9)), ["one", "three", "four"]);
    let read: Permit<GetConversation> = desk.permit(&id);
    let facts = house.store.conversation_facts(&read).unwrap().unwrap();
    assert_eq!(facts.next_position, 5);
    let one = house
        .store
        .conversation_item(&read, &desk.key(&id), &house.kms, &items[2].id);
    assert_eq!(one.unwrap().unwrap().position, 3);
    let delete: Permit<DeleteConversation> = desk.permit(&id);
    assert!(house.store.delete_conversation(&delete).unwrap());
    assert!(!house.store.delete_conversation(&delete).unwrap());
    assert_eq!(desk.add(&id, 5, &[desk.item("gone")]), Appended::Absent);
    let left: u32 = behind(directory.path())
        .query_row("SELECT count(*) FROM conversation_item", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn a_row_that_was_altered_or_taken_away_is_found_when_it_is_read() {
    for (statements, is_whole) in [
        (
            "UPDATE conversation_item SET sealed = zeroblob(8) WHERE position = 2",
            false,
        ),
        ("UPDATE conversation_item SET size = 1 WHERE position = 3", false),
        ("DELETE FROM conversation_item WHERE position = 2", false),
        ("DELETE FROM conversation_item WHERE position = 1", false),
        ("DELETE FROM conversation_item WHERE position = 4", false),
        ("UPDATE conversation SET next_position = 3", false),
        ("DELETE FROM conversation_item", false),
        ("UPDATE conversation SET expires_at = 1", false),
        ("UPDATE conversation SET sealed = zeroblob(8)", false),
        ("SELECT 1", true),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let house = House::open(directory.path());
        let desk = Desk::of(&house);
        let id = desk.create(30);
        let items = ["one", "two", "three", "four"].map(|words| desk.item(words));
        assert_eq!(desk.add(&id, 1, &items), Appended::Done);
        behind(directory.path()).execute_batch(statements).unwrap();
        for ascending in [true, false] {
            let all = desk.list(&id, &page(None, ascending, 100));
            match all {
                Err(StoreError::Altered(_)) => assert!(!is_whole, "{statements}"),
                Err(error) => panic!("{statements}: {error}"),
                Ok(found) => {
                    assert!(is_whole, "{statements}");
                    assert_eq!(found.unwrap().len(), 4);
                }
            }
        }
    }
}

#[test]
fn pages_after_deleted_items_are_whole() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let id = desk.create(30);
    let items = ["1", "2", "3", "4", "5", "6"].map(|words| desk.item(words));
    assert_eq!(desk.add(&id, 1, &items), Appended::Done);
    for gone in [0, 3, 5] {
        let update: Permit<UpdateConversation> = desk.permit(&id);
        assert!(
            house
                .store
                .delete_conversation_item(&update, &items[gone].id)
                .unwrap()
        );
    }
    let words = |ascending, after: Option<usize>, limit| {
        let after = after.map(|at| &items[at].id);
        desk.list(&id, &page(after, ascending, limit))
            .unwrap()
            .unwrap()
            .concat()
    };
    assert_eq!(words(true, None, 2), "23");
    assert_eq!(words(true, Some(2), 2), "5");
    assert_eq!(words(false, None, 2), "53");
    assert_eq!(words(false, Some(2), 9), "2");
}

#[test]
fn an_item_of_another_conversation_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let (one, other) = (desk.create(30), desk.create(30));
    desk.add(&one, 1, &[desk.item("first")]);
    desk.add(&other, 1, &[desk.item("other")]);
    behind(directory.path())
        .execute(
            "UPDATE conversation_item SET conversation_id = ?1, position = 7 WHERE conversation_id = ?2",
            [other.as_str(), one.as_str()],
        )
        .unwrap();
    assert!(matches!(
        desk.list(&other, &page(None, true, 9)),
        Err(StoreError::Altered(_))
    ));
}

#[test]
fn a_conversation_that_is_full_takes_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let id = desk.create(30);
    let large = "x".repeat(9 << 20);
    assert_eq!(desk.add(&id, 1, &[desk.item(&large)]), Appended::Done);
    assert_eq!(desk.add(&id, 2, &[desk.item(&large)]), Appended::Full);
    assert_eq!(desk.add(&id, 2, &[desk.item("small")]), Appended::Done);
}

#[test]
fn content_goes_when_its_time_has_come() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let now = house.world.now();
    let (short, long) = (desk.create(1), desk.create(30));
    desk.add(&short, 1, &[desk.item("x")]);
    let id = house.new_id();
    house.put(&desk.caller, &id, b"kept for 30 days").unwrap();
    let day = |days: u64| now.plus_seconds(days * 86_400);
    assert_eq!(
        house.store.expire_due(day(0), 10, &mut |_| Ok(())).unwrap(),
        Expired::default()
    );
    let refusing = &mut |_: &[crate::Expiry]| Err(crate::NotWrittenDown::new("full"));
    let refused = house.store.expire_due(day(1), 10, refusing);
    assert!(matches!(refused, Err(StoreError::NotWrittenDown(_))));
    let mut written = Vec::new();
    let expired = house.store.expire_due(day(1), 10, &mut |due| {
        written.extend(due.iter().map(|expiry| (expiry.kind, expiry.id.clone())));
        Ok(())
    });
    let expired = expired.unwrap();
    assert_eq!(written, [(KeptKind::Conversation, short.to_string())]);
    assert_eq!((expired.responses, expired.conversations), (0, 1));
    let read: Permit<GetConversation> = desk.permit(&short);
    assert_eq!(house.store.conversation_facts(&read).unwrap(), None);
    // What the account says counts for what is there.
    let put: Permit<PutAccountDataRetention> = desk.all("bedrock");
    let get: Permit<GetAccountDataRetention> = desk.all("bedrock");
    assert_eq!(house.store.own_retention(&get).unwrap().days, 30);
    assert_eq!(house.store.put_retention_days(&put, 7, now).unwrap().days, 7);
    assert_eq!(house.store.due_content(day(7)).unwrap(), 2);
    let nothing = house.store.expire_due(day(6), 10, &mut |_| Ok(()));
    assert_eq!(nothing.unwrap(), Expired::default());
    let expired = house.store.expire_due(day(7), 10, &mut |_| Ok(()));
    assert_eq!(expired.unwrap().responses, 1);
    assert_eq!(house.get(&desk.caller, &id).unwrap(), None);
    let read: Permit<GetConversation> = desk.permit(&long);
    assert_eq!(house.store.conversation_facts(&read).unwrap(), None);
    let none = house.store.put_retention_mode(&put, false, now).unwrap();
    assert_eq!((none.keeps, none.days, none.updated), (false, 7, Some(now)));
    assert!(house.store.put_retention_mode(&put, true, now).unwrap().keeps);
}

#[test]
fn what_the_account_says_by_then_counts_for_what_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let now = house.world.now();
    let put: Permit<PutAccountDataRetention> = desk.all("bedrock");
    house.store.put_retention_days(&put, 7, now).unwrap();
    // Both were begun when the account kept things for 30 days.
    house.put(&desk.caller, &house.new_id(), b"words").unwrap();
    let id = desk.create(30);
    let due = now.plus_seconds(7 * 86_400);
    assert_eq!(house.store.due_content(due).unwrap(), 2);
    house.store.put_retention_mode(&put, false, now).unwrap();
    let refused = house.put(&desk.caller, &house.new_id(), b"words");
    assert!(matches!(refused, Err(StoreError::KeepsNothing)));
    let update: Permit<UpdateConversation> = desk.permit(&id);
    let items = [desk.item("x")];
    let permits = (&update, &desk.key(&id));
    let refused = house.store.append_items(permits, &house.kms, (1, &items), now);
    assert!(matches!(refused, Err(StoreError::KeepsNothing)));
    let create: Permit<CreateConversation> = desk.permit(&id);
    let new = NewConversation {
        id: &id,
        metadata: &text("{}"),
        days: 30,
    };
    let refused = house
        .store
        .create_conversation((&create, &desk.key(&id)), &house.kms, &new, now);
    assert!(matches!(refused, Err(StoreError::KeepsNothing)));
    house.store.put_retention_mode(&put, true, now).unwrap();
    assert_eq!(desk.add(&id, 1, &items), Appended::Done);
}

#[test]
fn a_response_and_its_turn_are_kept_together_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let id = desk.create(30);
    let taken = house.new_id();
    house.put(&desk.caller, &taken, b"words").unwrap();
    let keep = |response: &ResponseId, position| {
        let key: Permit<kms::GenerateDataKey> = house.key(&desk.caller, response);
        let new = NewResponse {
            id: response,
            body: &text("an answer"),
            key: &key,
            days: 30,
        };
        let turn = NewTurn {
            position,
            items: &[desk.item("asked"), desk.item("said")],
            response: Some(&new),
        };
        let update: Permit<UpdateConversation> = desk.permit(&id);
        let permits = (&update, &desk.key(&id));
        house
            .store
            .append_turn(permits, &house.kms, &turn, house.world.now())
    };
    let listed = || desk.list(&id, &page(None, true, 9)).unwrap().unwrap();
    assert!(matches!(keep(&taken, 1), Err(StoreError::Conflict(_))));
    assert!(listed().is_empty());
    let response = house.new_id();
    assert_eq!(keep(&response, 2).unwrap(), Appended::Raced);
    assert_eq!(house.get(&desk.caller, &response).unwrap(), None);
    assert_eq!(keep(&response, 1).unwrap(), Appended::Done);
    assert_eq!(listed(), ["asked", "said"]);
    assert_eq!(house.get(&desk.caller, &response).unwrap().unwrap(), b"an answer");
}

#[test]
fn all_content_is_told_and_erased() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let id = desk.create(30);
    desk.add(&id, 1, &[desk.item("words")]);
    let responses = [house.new_id(), house.new_id()];
    for response in &responses {
        house.put(&desk.caller, response, b"words").unwrap();
    }
    let sealed: Vec<u8> = behind(directory.path())
        .query_row("SELECT sealed FROM conversation_item", [], |row| row.get(0))
        .unwrap();
    let export: Permit<ExportContent> = desk.all("bedrock-mantle");
    let kept = |kind, after: &str| house.store.kept_content(&export, (kind, after), 10).unwrap();
    let first = kept(KeptKind::Response, "");
    assert_eq!(first.len(), 2);
    assert_eq!(kept(KeptKind::Response, &first[0].id), first[1..]);
    assert_eq!(kept(KeptKind::Conversation, "")[0].id, id.as_str());
    assert!(kept(KeptKind::Prompt, "").is_empty());
    let uses = house.store.key_uses(house.first.account).unwrap();
    let of = |what: &str| {
        uses.iter()
            .flat_map(|key| &key.uses)
            .find(|one| one.what == what)
            .unwrap()
    };
    assert_eq!((of("conversations").count, of("conversations").bytes), (1, 7));
    let erase: Permit<EraseContent> = desk.all("bedrock-mantle");
    let erased = house.store.erase_content(&erase).unwrap();
    let expected = Erased {
        responses: 2,
        conversations: 1,
        prompts: 0,
    };
    assert_eq!(erased, expected);
    assert_eq!(house.store.erase_content(&erase).unwrap(), Erased::default());
    for file in ["moho.sqlite", "moho.sqlite-wal"] {
        let bytes = std::fs::read(directory.path().join("store").join(file)).unwrap_or_default();
        assert!(
            !bytes.windows(30).any(|window| *window == sealed[30..60]),
            "{file}"
        );
    }
    let read: Permit<kms::Decrypt> = desk.key(&id);
    let permit: Permit<GetConversation> = desk.permit(&id);
    let metadata = house.store.conversation_metadata(&permit, &read, &house.kms);
    assert!(metadata.unwrap().is_none());
}
