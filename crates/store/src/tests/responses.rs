//! Responses: kept for one account, sealed, and gone when they are deleted.

use std::path::Path;

use moho_iam::action::{kms, mantle};
use moho_iam::authz::Permit;
use moho_kms::KmsError;
use moho_terms::{Arn, Clock, ContentBytes};

use super::{House, behind};
use crate::StoreError;

#[test]
fn a_response_is_kept_across_restarts_and_deleted_for_good() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Developer");
    let (id, other) = (house.new_id(), house.new_id());
    house.put(&caller, &id, b"what was said").unwrap();
    assert_eq!(house.get(&caller, &id).unwrap().unwrap(), b"what was said");
    assert_eq!(house.get(&caller, &other).unwrap(), None);
    drop(house);

    let house = House::open(directory.path());
    let caller = house.session("Developer");
    assert_eq!(house.get(&caller, &id).unwrap().unwrap(), b"what was said");
    assert!(!house.delete(&caller, &other).unwrap());
    assert!(house.delete(&caller, &id).unwrap());
    assert!(!house.delete(&caller, &id).unwrap());
    assert_eq!(house.get(&caller, &id).unwrap(), None);
}

#[test]
fn neither_the_words_nor_after_deletion_the_sealed_bytes_are_in_any_file() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Developer");
    let id = house.new_id();
    house.put(&caller, &id, b"marker-7c1f-marker").unwrap();
    let everything = |directory: &Path| {
        let files = [
            "root.key",
            "store/moho.sqlite",
            "store/moho.sqlite-wal",
            "store/moho.sqlite-shm",
        ];
        files
            .iter()
            .flat_map(|file| std::fs::read(directory.join(file)).unwrap_or_default())
            .collect::<Vec<u8>>()
    };
    let holds = |part: &[u8]| {
        everything(directory.path())
            .windows(part.len())
            .any(|window| window == part)
    };
    let sealed: Vec<u8> = behind(directory.path())
        .query_row("SELECT sealed FROM sealed_response", [], |row| row.get(0))
        .unwrap();
    assert!(!holds(b"marker-7c1f-marker"));
    assert!(holds(&sealed[30..90]));
    assert!(house.delete(&caller, &id).unwrap());
    drop(house);
    assert!(!holds(&sealed[30..90]));
    assert!(!holds(id.as_str().as_bytes()));
}

#[test]
fn the_same_id_twice_is_a_conflict_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Developer");
    let id = house.new_id();
    house.put(&caller, &id, b"first").unwrap();
    assert!(matches!(
        house.put(&caller, &id, b"second"),
        Err(StoreError::Conflict(_))
    ));
    assert_eq!(house.get(&caller, &id).unwrap().unwrap(), b"first");
}

#[test]
fn another_accounts_response_looks_like_an_absent_one() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Developer");
    let id = house.new_id();
    house.put(&caller, &id, b"theirs").unwrap();
    // The row now belongs to somebody else.
    house.write(
        "INSERT INTO account VALUES ('999999999999', 'moho-local-1', 999999999999999999);
         UPDATE sealed_response SET account_id = '999999999999'",
    );
    assert_eq!(house.get(&caller, &id).unwrap(), None);
    assert!(!house.delete(&caller, &id).unwrap());
    let left: u32 = behind(directory.path())
        .query_row("SELECT count(*) FROM sealed_response", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 1);
}

#[test]
fn a_permit_for_one_response_is_none_for_another() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Admin");
    let (one, two) = (house.new_id(), house.new_id());
    house.put(&caller, &one, b"one").unwrap();
    let read: Permit<mantle::GetInference> = house.permit(&caller, &house.response(&caller, &one));
    let key: Permit<kms::Decrypt> = house.key(&caller, &two);
    let mixed = house.store.get_response(&read, &key, &house.kms);
    assert!(matches!(mixed, Err(StoreError::Kms(KmsError::OtherContext))));
    let key: Permit<kms::GenerateDataKey> = house.key(&caller, &one);
    let body = ContentBytes::new(b"two".to_vec());
    let put = house
        .store
        .put_response(&key, &house.kms, &two, &body, (house.world.now(), 30));
    assert!(matches!(put, Err(StoreError::Kms(KmsError::OtherContext))));
    let own = house.response(&caller, &one);
    let strange = [
        own.as_str().replace(":response/", ":project/"),
        own.as_str().replace(caller.session().account().as_str(), ""),
        own.as_str().replace("bedrock-mantle", "bedrock"),
    ];
    for resource in strange {
        let resource: Arn = resource.parse().unwrap();
        let read: Permit<mantle::GetInference> = house.permit(&caller, &resource);
        let key: Permit<kms::Decrypt> = house.key(&caller, &one);
        let got = house.store.get_response(&read, &key, &house.kms);
        assert!(matches!(got, Err(StoreError::NotAResponse)), "{resource}");
        let delete: Permit<mantle::DeleteInference> = house.permit(&caller, &resource);
        assert!(
            matches!(
                house.store.delete_response(&delete),
                Err(StoreError::NotAResponse)
            ),
            "{resource}"
        );
    }
    assert_eq!(house.get(&caller, &one).unwrap().unwrap(), b"one");
}

#[test]
fn a_sealed_response_that_is_altered_or_moved_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Developer");
    let (one, two) = (house.new_id(), house.new_id());
    house.put(&caller, &one, b"one").unwrap();
    house.put(&caller, &two, b"two").unwrap();
    // As if whoever did it had the key of the tree.
    house.write(&format!(
        "UPDATE sealed_response SET sealed = (SELECT sealed FROM sealed_response WHERE response_id = '{two}')
         WHERE response_id = '{one}'"
    ));
    assert!(matches!(
        house.get(&caller, &one),
        Err(StoreError::Kms(KmsError::Sealed(_)))
    ));
    assert_eq!(house.get(&caller, &two).unwrap().unwrap(), b"two");
    house.write("UPDATE sealed_response SET sealed = substr(sealed, 1, 140)");
    assert!(matches!(
        house.get(&caller, &two),
        Err(StoreError::Kms(KmsError::Sealed(_)))
    ));
}
