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
