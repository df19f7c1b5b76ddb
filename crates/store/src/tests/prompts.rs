//! Prompts: sealed under a chosen key, in a draft that changes and versions that do not, and gone when they are deleted.

use std::collections::BTreeMap;

use moho_iam::action::Action;
use moho_iam::action::bedrock::{
    CreatePrompt, CreatePromptVersion, DeletePrompt, GetPrompt, ListPrompts, TagResource, UntagResource,
    UpdatePrompt,
};
use moho_iam::action::kms;
use moho_iam::authn::Authenticated;
use moho_iam::authz::Permit;
use moho_terms::{Arn, Clock, ContentBytes, PromptId};

use super::{House, behind};
use crate::{
    NewPrompt, NewPromptVersion, PromptChange, PromptChanged, PromptFacts, PromptMade, PromptVersionMade,
    StoreError, Tagged, prompt_context, prompt_of,
};

struct Desk<'a> {
    house: &'a House,
    caller: Authenticated,
}

fn text(words: &str) -> ContentBytes {
    ContentBytes::new(words.as_bytes().to_vec())
}

impl<'a> Desk<'a> {
    fn of(house: &'a House) -> Self {
        let caller = house.session("Admin");
        Self { house, caller }
    }

    fn new_arn(&self) -> Arn {
        let id = PromptId::random(&*self.house.world).unwrap();
        self.arn(&format!("prompt/{id}"))
    }

    fn arn(&self, resource: &str) -> Arn {
        let account = self.house.first.account;
        Arn::of("bedrock", "moho-local-1", account.as_str(), resource).unwrap()
    }

    fn key<A: Action>(&self, prompt: &Arn) -> Permit<A> {
        let context = prompt_context(prompt).unwrap().condition_keys();
        let key = &self.house.first.account_key;
        let facts = self.house.facts();
        self.house
            .authorizer
            .authorize(&self.caller, &facts, key, &context)
            .unwrap()
    }

    fn permit<A: Action>(&self, arn: &Arn) -> Permit<A> {
        self.house.permit(&self.caller, arn)
    }

    fn create(&self, arn: &Arn, (name, words): (&str, &str), token: Option<(&str, [u8; 32])>) -> PromptMade {
        let tags = BTreeMap::from([("team".to_owned(), "red".to_owned())]);
        let new = NewPrompt {
            arn,
            name,
            body: &text(words),
            key_chosen: false,
            tags: &tags,
            token,
        };
        let permits: (Permit<CreatePrompt>, Permit<kms::GenerateDataKey>) =
            (self.permit(&self.arn("prompt/*")), self.key(arn));
        let now = self.house.world.now();
        let made = self
            .house
            .store
            .create_prompt((&permits.0, &permits.1), &self.house.kms, &new, now);
        made.unwrap()
    }

    fn update(&self, arn: &Arn, (name, words): (&str, &str)) -> PromptChanged {
        let change = PromptChange {
            name,
            body: &text(words),
            key_chosen: true,
        };
        let permits: (Permit<UpdatePrompt>, Permit<kms::GenerateDataKey>) = (self.permit(arn), self.key(arn));
        let now = self.house.world.now();
        let changed = self
            .house
            .store
            .update_prompt((&permits.0, &permits.1), &self.house.kms, &change, now);
        changed.unwrap()
    }

    fn version(&self, arn: &Arn, number: u32, token: Option<(&str, [u8; 32])>) -> PromptVersionMade {
        let draft = self.facts(arn).unwrap();
        let of = self.arn(&format!("{}:{number}", arn.resource()));
        let new = NewPromptVersion {
            arn: &of,
            draft: &draft,
            body: &text(&format!("as of {number}")),
            tags: &BTreeMap::new(),
            token,
        };
        let permits: (Permit<CreatePromptVersion>, Permit<kms::GenerateDataKey>) =
            (self.permit(arn), self.key(&of));
        let now = self.house.world.now();
        let made =
            self.house
                .store
                .create_prompt_version((&permits.0, &permits.1), &self.house.kms, &new, now);
        made.unwrap()
    }

    fn facts(&self, arn: &Arn) -> Option<PromptFacts> {
        let permit: Permit<GetPrompt> = self.permit(arn);
        self.house.store.prompt_facts(&permit).unwrap()
    }

    fn open(&self, arn: &Arn) -> Result<Option<String>, StoreError> {
        let read: Permit<GetPrompt> = self.permit(arn);
        let opened = self
            .house
            .store
            .open_prompt((&read, arn), &self.key(arn), &self.house.kms)?;
        Ok(opened.map(|body| String::from_utf8(body.expose().to_vec()).unwrap()))
    }

    fn delete(&self, arn: &Arn) -> bool {
        let permit: Permit<DeletePrompt> = self.permit(arn);
        self.house.store.delete_prompt(&permit).unwrap()
    }
}

#[test]
fn a_draft_changes_and_versions_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let arn = desk.new_arn();
    let (id, _draft) = prompt_of(&arn).unwrap();
    assert_eq!(
        desk.create(&arn, ("greeting", "first"), None),
        PromptMade::There(id.clone(), house.world.now())
    );
    assert_eq!(desk.version(&arn, 1, None), PromptVersionMade::Done);
    assert_eq!(desk.version(&arn, 1, None), PromptVersionMade::Raced);
    assert_eq!(desk.update(&arn, ("welcome", "second")), PromptChanged::Done);
    let first = desk.arn(&format!("prompt/{id}:1"));
    assert_eq!(desk.open(&arn).unwrap().unwrap(), "second");
    assert_eq!(desk.open(&first).unwrap().unwrap(), "as of 1");
    let facts = desk.facts(&arn).unwrap();
    assert_eq!(
        (facts.name.as_str(), facts.version, facts.last_version),
        ("welcome", 0, 1)
    );
    assert!(facts.key_chosen);
    assert_eq!(desk.facts(&first).unwrap().name, "greeting");
    // A number is not given twice.
    assert!(desk.delete(&first) && !desk.delete(&first));
    assert_eq!(desk.version(&arn, 1, None), PromptVersionMade::Raced);
    for number in 2..=11 {
        assert_eq!(desk.version(&arn, number, None), PromptVersionMade::Done);
    }
    assert_eq!(desk.version(&arn, 12, None), PromptVersionMade::Full);
    let list: Permit<ListPrompts> = desk.permit(&desk.arn("*"));
    let versions = house.store.prompt_versions(&list, (&id, 0), 3).unwrap();
    let numbers: Vec<_> = versions.iter().map(|facts| facts.version).collect();
    assert_eq!(numbers, [0, 2, 3]);
    assert!(desk.delete(&arn));
    assert_eq!(desk.facts(&desk.arn(&format!("prompt/{id}:2"))), None);
    assert_eq!(desk.update(&arn, ("welcome", "third")), PromptChanged::Absent);
}

#[test]
fn a_version_that_was_altered_or_put_back_is_found_when_it_is_read() {
    for statements in [
        "UPDATE prompt_version SET name = 'other'",
        "DELETE FROM prompt_version",
        "UPDATE prompt_version SET sealed = zeroblob(9)",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let house = House::open(directory.path());
        let desk = Desk {
            house: &house,
            caller: house.session("Admin"),
        };
        let arn = desk.new_arn();
        desk.create(&arn, ("greeting", "first"), None);
        assert_eq!(desk.open(&arn).unwrap().unwrap(), "first");
        behind(directory.path()).execute_batch(statements).unwrap();
        assert!(
            matches!(desk.open(&arn), Err(StoreError::Altered(_))),
            "{statements}"
        );
        let read: Permit<GetPrompt> = desk.permit(&arn);
        let facts = house.store.prompt_facts(&read);
        assert!(matches!(facts, Err(StoreError::Altered(_))), "{statements}");
    }
}

#[test]
fn the_same_token_makes_the_same_prompt_once() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let (one, two) = (desk.new_arn(), desk.new_arn());
    let made = desk.create(&one, ("a", "x"), Some(("token", [1; 32])));
    assert_eq!(desk.create(&two, ("a", "x"), Some(("token", [1; 32]))), made);
    assert_eq!(
        desk.create(&two, ("a", "y"), Some(("token", [2; 32]))),
        PromptMade::Conflict
    );
    assert_eq!(desk.create(&two, ("a", "x"), None), PromptMade::NameTaken);
    assert!(matches!(
        desk.create(&two, ("b", "x"), None),
        PromptMade::There(..)
    ));
    assert_eq!(desk.update(&two, ("a", "x")), PromptChanged::NameTaken);
    assert_eq!(
        desk.version(&one, 1, Some(("v", [1; 32]))),
        PromptVersionMade::Done
    );
    assert_eq!(
        desk.version(&one, 2, Some(("v", [1; 32]))),
        PromptVersionMade::Raced
    );
    let permit: Permit<CreatePromptVersion> = desk.permit(&one);
    let earlier = house.store.prompt_version_of_token(&permit, "v").unwrap();
    assert_eq!(earlier, Some((1, vec![1; 32])));
    let list: Permit<ListPrompts> = desk.permit(&desk.arn("*"));
    assert_eq!(house.store.prompts(&list, "", 10).unwrap().len(), 2);
}

#[test]
fn a_prompt_opens_under_its_own_name_and_key_only() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let (one, two) = (desk.new_arn(), desk.new_arn());
    desk.create(&one, ("one", "first words"), None);
    desk.create(&two, ("two", "other words"), None);
    // Whoever asks for leave to use the wrong key, as it was another one before, is told to look again.
    let context = prompt_context(&one).unwrap().condition_keys();
    let (facts, key) = (house.facts(), house.new_key(&house.session("Admin")));
    let key = house.authorizer.authorize(&desk.caller, &facts, &key, &context);
    let read: Permit<GetPrompt> = desk.permit(&one);
    let under_another = house.store.open_prompt((&read, &one), &key.unwrap(), &house.kms);
    assert!(under_another.unwrap().is_none());
    // Rows that changed places are refused before they are opened.
    behind(directory.path())
        .execute_batch(
            "CREATE TEMP TABLE swapped AS SELECT prompt_id, sealed FROM prompt_version;
             UPDATE prompt_version SET sealed = (SELECT sealed FROM swapped WHERE swapped.prompt_id <> prompt_version.prompt_id)",
        )
        .unwrap();
    assert!(matches!(desk.open(&one), Err(StoreError::Altered(_))));
    let read: Permit<GetPrompt> = desk.permit(&one);
    let other = house
        .store
        .open_prompt((&read, &two), &desk.key(&two), &house.kms);
    assert!(matches!(other, Err(StoreError::OtherPermit)));
    let foreign: Arn = one
        .as_str()
        .replace(house.first.account.as_str(), "999999999999")
        .parse()
        .unwrap();
    let list: Permit<ListPrompts> = desk.permit(&desk.arn("*"));
    let foreign = house
        .store
        .open_prompt((&list, &foreign), &desk.key(&one), &house.kms);
    assert!(matches!(foreign, Err(StoreError::OtherPermit)));
}

#[test]
fn what_was_deleted_or_replaced_is_in_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let sealed = || -> Vec<u8> {
        behind(directory.path())
            .query_row("SELECT sealed FROM prompt_version", [], |row| row.get(0))
            .unwrap()
    };
    let holds = |part: &[u8]| {
        ["moho.sqlite", "moho.sqlite-wal"].iter().any(|file| {
            let bytes = std::fs::read(directory.path().join("store").join(file)).unwrap_or_default();
            bytes.windows(part.len()).any(|window| window == part)
        })
    };
    let arn = desk.new_arn();
    desk.create(&arn, ("n", "marker-51f0-marker with some length to it"), None);
    let first = sealed();
    assert!(holds(&first[30..60]) && !holds(b"marker-51f0"));
    desk.update(&arn, ("n", "marker-51f1-marker with some length to it"));
    let second = sealed();
    assert!(holds(&second[30..60]) && !holds(&first[30..60]));
    assert!(desk.delete(&arn));
    assert!(!holds(&second[30..60]));
}

#[test]
fn tags_belong_to_one_version() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let desk = Desk::of(&house);
    let arn = desk.new_arn();
    desk.create(&arn, ("n", "x"), None);
    desk.version(&arn, 1, None);
    let first = desk.arn(&format!("{}:1", arn.resource()));
    let tag = |arn: &Arn, tags: &[(&str, &str)]| {
        let permit: Permit<TagResource> = desk.permit(arn);
        let tags = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        house.store.tag_prompt(&permit, &tags.collect()).unwrap()
    };
    let tags = |arn: &Arn| {
        let permit: Permit<GetPrompt> = desk.permit(arn);
        house.store.prompt_tags(&permit).unwrap().map(|tags| tags.len())
    };
    assert_eq!((tags(&arn), tags(&first)), (Some(1), Some(0)));
    assert_eq!(tag(&first, &[("a", "1"), ("b", "2")]), Tagged::Done);
    assert_eq!(tag(&first, &[("A", "1")]), Tagged::OtherCase);
    let many: Vec<String> = (0..49).map(|number| format!("k{number}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "v")).collect();
    assert_eq!(tag(&first, &many), Tagged::TooMany);
    assert_eq!(tag(&arn, &many), Tagged::Done);
    assert_eq!(house.store.tags_of_prompt(&first).unwrap().len(), 2);
    let untag: Permit<UntagResource> = desk.permit(&first);
    assert!(house.store.untag_prompt(&untag, &["a".to_owned()]).unwrap());
    assert_eq!((tags(&arn), tags(&first)), (Some(50), Some(1)));
    assert_eq!(tag(&desk.new_arn(), &[("a", "1")]), Tagged::Absent);
    let uses = house.store.key_uses(house.first.account).unwrap();
    let prompts = uses
        .iter()
        .flat_map(|key| &key.uses)
        .find(|one| one.what == "prompts");
    assert_eq!(prompts.map(|prompts| prompts.count), Some(2));
}

#[test]
fn only_arns_of_prompts_name_prompts() {
    let of = |text: &str| prompt_of(&text.parse().unwrap());
    let arn = |rest: &str| format!("arn:aws:bedrock:r:123456789012:prompt/{rest}");
    assert_eq!(of(&arn("ABCDEFGHIJ")).unwrap().1, 0);
    assert_eq!(of(&arn("ABCDEFGHIJ:77")).unwrap().1, 77);
    for other in [
        "ABCDEFGHIJ:0",
        "ABCDEFGHIJ:",
        "ABCDEFGHIJ:x",
        "ABCDEFGHI",
        "*",
        "ABCDEFGHIJ:123456",
    ] {
        assert_eq!(of(&arn(other)), None, "{other}");
    }
    assert_eq!(of("arn:aws:kms:r:123456789012:prompt/ABCDEFGHIJ"), None);
}
