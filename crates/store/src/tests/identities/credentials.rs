//! Access keys and long-term bearer keys: nothing long-lived exists or works without leave.

use moho_iam::authn::CredentialSource as _;

use super::*;

#[test]
fn without_leave_of_the_organisation_nothing_long_lived_is_made() {
    let office = Office::closed();
    let denied = office.user("/alice");
    assert!(says(denied).contains("iam:CreateAccessKey"));
    assert_eq!(code(office.user("/alice")), IamCode::AccessDenied);
    office.group("/readers").unwrap();
    let policy = office.let_keys_in();
    office.user("/alice").unwrap();
    let kept = office.credential("/alice", "BedrockAPIKey-1-at-1").unwrap();
    office.let_none_in(&policy);
    assert_eq!(code(office.key("/alice")), IamCode::AccessDenied);
    assert_eq!(code(office.credential("/alice", "two")), IamCode::AccessDenied);
    let reset =
        office
            .house
            .store
            .reset_service_credential(&office.on("user/alice"), &kept.id, ("three", &[8; 32]));
    assert_eq!(code(reset), IamCode::AccessDenied);
}

#[test]
fn keys_stop_working_the_moment_the_policy_goes() {
    let office = Office::closed();
    let policy = office.let_keys_in();
    let user = office.user("/eng/alice").unwrap();
    let store = &office.house.store;
    let key = office.key("/eng/alice").unwrap();
    office.credential("/eng/alice", "BedrockAPIKey-1-at-1").unwrap();
    let found = store.access_key(&key).unwrap().unwrap();
    assert_eq!(
        (found.user.id, found.sealed),
        (user.id.clone(), b"sealed".to_vec())
    );
    assert_eq!(found.user.path, "/eng/");
    let bearer = store.bedrock_key("BedrockAPIKey-1-at-1").unwrap().unwrap();
    assert_eq!((bearer.user.id, bearer.sha256), (user.id, [7; 32]));
    office.let_none_in(&policy);
    assert!(store.access_key(&key).unwrap().is_none());
    assert!(store.bedrock_key("BedrockAPIKey-1-at-1").unwrap().is_none());
    let counted = store.long_lived_credentials().unwrap();
    let there = LongLivedCredentials {
        allowed_in: Vec::new(),
        users: 1,
        access_keys: 1,
        service_credentials: 1,
    };
    assert_eq!(counted, there);
    let (directory, data) = (office.directory.path().join("store"), office.directory);
    let seen = || LongLivedCredentials::of_directory(&directory).unwrap();
    assert_eq!(seen(), Some(there.clone()), "beside the store that is open");
    drop((office.house, office.admin));
    let files = || std::fs::read_dir(&directory).unwrap().count();
    let before = files();
    assert_eq!(seen(), Some(there));
    assert_eq!(files(), before, "looking leaves no trace");
    drop(data);
    assert_eq!(seen(), None);
}

#[test]
fn only_active_credentials_are_found() {
    let office = Office::open();
    office.user("/alice").unwrap();
    let store = &office.house.store;
    let key = office.key("/alice").unwrap();
    let set = |active| store.update_access_key(&office.on("user/alice"), key.as_str(), active);
    set(false).unwrap();
    assert!(store.access_key(&key).unwrap().is_none());
    set(true).unwrap();
    assert!(store.access_key(&key).unwrap().is_some());
    store
        .delete_access_key(&office.on("user/alice"), key.as_str())
        .unwrap();
    assert!(store.access_key(&key).unwrap().is_none());
    assert_eq!(code(set(true)), IamCode::NoSuchEntity);

    let made = office.credential("/alice", "one").unwrap();
    let set = |active| store.update_service_credential(&office.on("user/alice"), &made.id, active);
    set(false).unwrap();
    assert!(store.bedrock_key("one").unwrap().is_none());
    set(true).unwrap();
    let reset = store
        .reset_service_credential(&office.on("user/alice"), &made.id, ("two", &[9; 32]))
        .unwrap();
    assert_eq!(
        (reset.id.as_str(), reset.alias.as_str()),
        (made.id.as_str(), "two")
    );
    assert!(
        store.bedrock_key("one").unwrap().is_none(),
        "the key before it is worth nothing"
    );
    assert_eq!(store.bedrock_key("two").unwrap().unwrap().sha256, [9; 32]);
}

#[test]
fn a_user_has_two_keys_at_most_and_only_its_own() {
    let office = Office::open();
    let store = &office.house.store;
    office.user("/alice").unwrap();
    office.user("/bob").unwrap();
    let one = office.key("/alice").unwrap();
    office.key("/alice").unwrap();
    assert_eq!(
        says(office.key("/alice")),
        "Cannot exceed quota for AccessKeysPerUser: 2"
    );
    let listed = |after: Option<&str>, limit| {
        let page = Page { after, limit };
        store.list_access_keys(&office.on("user/alice"), page).unwrap()
    };
    let (first, whole) = (listed(None, 1), listed(None, 100));
    assert_eq!((first.items.len(), whole.items.len()), (1, 2));
    let rest = listed(first.last.as_deref(), 1);
    assert_eq!([first.items, rest.items].concat(), whole.items);
    assert_eq!((rest.last, whole.last), (None, None));
    let of_bob = store.delete_access_key(&office.on("user/bob"), one.as_str());
    assert_eq!(code(of_bob), IamCode::NoSuchEntity);
    office.credential("/alice", "one").unwrap();
    office.credential("/alice", "two").unwrap();
    assert_eq!(code(office.credential("/alice", "three")), IamCode::LimitExceeded);
    let listed = |resource: &str| {
        let found = store.list_service_credentials(&office.on(resource), None, all());
        found.unwrap().items.len()
    };
    assert_eq!(
        (listed("user/alice"), listed("user/bob"), listed("user/*")),
        (2, 0, 2)
    );
}

#[test]
fn when_a_key_was_used_is_written_down_now_and_then() {
    let office = Office::open();
    let store = &office.house.store;
    office.user("/alice").unwrap();
    let key = office.key("/alice").unwrap();
    let account = office.house.first.account;
    assert_eq!(
        store.access_key_owner(account, key.as_str()).unwrap().unwrap(),
        "alice"
    );
    let other = "123456789012".parse().unwrap();
    assert_eq!(store.access_key_owner(other, key.as_str()).unwrap(), None);
    let last = || {
        store
            .access_key_last_used(&office.on("user/alice"), key.as_str())
            .unwrap()
    };
    assert_eq!(last(), None);
    let at = |seconds| LastUse {
        at: office.now().plus_seconds(seconds),
        service: "iam".to_owned(),
        region: "moho-local-1".to_owned(),
    };
    for (used, known) in [(0, 0), (899, 0), (900, 900)] {
        store.note_access_key_use(&key, &at(used)).unwrap();
        assert_eq!(last(), Some(at(known)), "{used}");
    }
    let elsewhere = LastUse {
        service: "sts".to_owned(),
        ..at(901)
    };
    store.note_access_key_use(&key, &elsewhere).unwrap();
    assert_eq!(last(), Some(elsewhere));
}
