//! Stores of every earlier version: what they keep opens here as it did there.

use rusqlite::Connection;

use super::*;
use crate::migrations::{as_of, known, migrate_to};

/// The root key, account and response of the installation in `testdata/version1.sql`, which moho made before there were
/// customer-managed keys.
const ROOT: &str = "6d6f686f2d6465762d726f6f742d310ad3350a510ea0ece1ac4c04bb3ffff47f554888c52569b1dfc083245011833ffd789e608f504e49f6";
const RESPONSE: &str = "resp_3c9e419c481cbf65668b9d6163e492ca7cedcccd54bcf842";
const ROWS: &str = include_str!("../../testdata/version1.sql");

/// The last version whose rows no tree told of.
const BEFORE_THE_TREE: u32 = 8;

/// That installation, as far as a moho of `version` brought it.
pub(super) fn installed(directory: &Path, version: u32) {
    let digit = |digit: u8| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap();
    let pairs = ROOT.as_bytes().chunks_exact(2);
    let root: Vec<u8> = pairs.map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
    moho_os::create_private(&directory.join("root.key"), &root).unwrap();
    std::fs::create_dir(directory.join("store")).unwrap();
    let path = directory.join("store/moho.sqlite");
    let mut sqlite = Connection::open(&path).unwrap();
    sqlite.pragma_update(None, "foreign_keys", true).unwrap();
    migrate_to(&mut sqlite, &path, 1).unwrap();
    sqlite.execute_batch(ROWS).unwrap();
    migrate_to(&mut sqlite, &path, version.min(BEFORE_THE_TREE)).unwrap();
    drop(sqlite);
    if version > BEFORE_THE_TREE {
        drop(as_of(version, || opened(directory)).unwrap());
    }
    let found: u32 = behind(directory)
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(found, version);
}

fn opens(house: &House) -> Vec<u8> {
    let developer = house.session("Developer");
    house
        .get(&developer, &RESPONSE.parse().unwrap())
        .unwrap()
        .unwrap()
}

#[test]
fn what_any_earlier_version_sealed_opens() {
    for version in 1..known() {
        let directory = tempfile::tempdir().unwrap();
        installed(directory.path(), version);
        let house = House::open(directory.path());
        assert_eq!(house.kms.upgrade().unwrap(), 1, "version {version}");
        assert_eq!(house.kms.upgrade().unwrap(), 0);
        assert_eq!(opens(&house), b"sealed by an earlier moho", "version {version}");
        let admin = house.session("Admin");
        let key = house.first.account_key.clone();
        house.kms.disable(&house.permit(&admin, &key)).unwrap();
        house.kms.enable(&house.permit(&admin, &key)).unwrap();
        let id = house.new_id();
        house.put(&house.session("Developer"), &id, b"new").unwrap();
        drop(house);
        assert_eq!(
            opens(&House::open(directory.path())),
            b"sealed by an earlier moho"
        );
    }
}

#[test]
fn two_that_start_at_once_bring_a_store_up_to_date_together() {
    for version in [1, 6, 9, 12] {
        let directory = tempfile::tempdir().unwrap();
        installed(directory.path(), version);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let house = House::open(directory.path());
                    house.kms.upgrade().unwrap();
                    assert_eq!(opens(&house), b"sealed by an earlier moho");
                });
            }
        });
    }
}

#[test]
fn rows_of_an_earlier_version_that_has_a_tree_are_not_taken_as_they_are() {
    for version in BEFORE_THE_TREE + 1..known() {
        let directory = tempfile::tempdir().unwrap();
        installed(directory.path(), version);
        behind(directory.path())
            .execute_batch("UPDATE iam_role SET max_session_seconds = 43200")
            .unwrap();
        let refused = opened(directory.path()).err();
        assert!(
            matches!(refused, Some(StoreError::Altered(_))),
            "version {version}"
        );
    }
}

#[test]
fn an_earlier_key_that_was_altered_is_no_key() {
    for change in [
        "UPDATE kms_key SET policy = replace(policy, 'root', 'role/Developer')",
        "UPDATE kms_key SET state = 'Disabled'",
        "UPDATE kms_key SET wrapped = zeroblob(length(wrapped))",
    ] {
        let directory = tempfile::tempdir().unwrap();
        installed(directory.path(), 6);
        behind(directory.path()).execute_batch(change).unwrap();
        let house = House::open(directory.path());
        assert!(house.kms.upgrade().is_err(), "{change}");
    }
}
