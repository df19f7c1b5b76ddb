//! Stores of before there were buckets.

use rusqlite::Connection;

use super::*;
use crate::migrations::migrate_to;

#[test]
fn a_store_of_version_7_gets_buckets_and_keeps_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("store")).unwrap();
    let path = directory.path().join("store/moho.sqlite");
    let mut sqlite = Connection::open(&path).unwrap();
    sqlite.pragma_update(None, "foreign_keys", true).unwrap();
    migrate_to(&mut sqlite, &path, 7).unwrap();
    sqlite
        .execute("INSERT INTO quota_counter VALUES ('kept', 1, x'01', 2, 3, 4)", [])
        .unwrap();
    let buckets = "SELECT count(*) FROM sqlite_schema WHERE name = 'bucket'";
    let there: u32 = sqlite.query_row(buckets, [], |row| row.get(0)).unwrap();
    assert_eq!(there, 0);
    drop(sqlite);

    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("new");
    shop.put(&bucket, "k", b"x");
    assert_eq!(shop.get(&bucket, "k", None).unwrap(), b"x");
    let kept = "SELECT count(*) FROM quota_counter WHERE node = 'kept'";
    assert_eq!(counted(directory.path(), kept), 1);
}

#[test]
fn what_version_8_holds_was_said_to_be_held() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("store")).unwrap();
    let path = directory.path().join("store/moho.sqlite");
    let mut sqlite = Connection::open(&path).unwrap();
    migrate_to(&mut sqlite, &path, 8).unwrap();
    for held in [0, 1] {
        let version = "INSERT INTO object_version (bucket_id, key, version_id, is_null, modified_at, size, etag, legal_hold)
            VALUES (1, 'k' || ?1, 'v', 0, 5, 0, '', ?1)";
        sqlite.execute(version, [held]).unwrap();
    }
    drop(sqlite);
    drop(Shop::open(directory.path()));
    let said = "SELECT hold_said FROM object_version WHERE key = 'k1'";
    assert_eq!(counted(directory.path(), said), 1);
    let never = "SELECT hold_said FROM object_version WHERE key = 'k0'";
    assert_eq!(counted(directory.path(), never), 0);
}
