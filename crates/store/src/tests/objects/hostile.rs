//! Keys that lead elsewhere in other systems, and rows that somebody altered.

use super::*;

#[test]
fn keys_mean_nothing_but_themselves() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.versioned("hostile");
    let longest = "x".repeat(1024);
    let keys = [
        "..",
        "../../etc/passwd",
        "/",
        "//a",
        "a/../b",
        "a/./b",
        "nul\0inside",
        "\0",
        "line\r\nbreak",
        "\u{202e}gpj.exe",
        "e\u{301}",
        "\u{e9}",
        "%2e%2e%2f",
        "'; DROP TABLE bucket; --",
        "a*?[b]",
        "\u{1f980}",
        "\u{fdd0}\u{10ffff}",
        &longest,
    ];
    for key in keys {
        shop.put(&bucket, key, key.as_bytes());
    }
    for key in keys {
        assert_eq!(shop.get(&bucket, key, None).unwrap(), key.as_bytes(), "{key:?}");
        let upload = shop.upload(&bucket, key);
        let part = shop.part((&bucket, key), &upload, 1, b"x").unwrap();
        shop.complete((&bucket, key), &upload, &[(1, part.etag)]).unwrap();
        assert_eq!(shop.get(&bucket, key, None).unwrap(), b"x");
    }
    let asked = ListRequest {
        prefix: "",
        delimiter: "",
        after: "",
        limit: 100,
    };
    let listed = shop.objects().list(&shop.on(&bucket), asked).unwrap();
    assert_eq!(listed.objects.len(), keys.len());
    for key in keys {
        let asked = ListRequest { prefix: key, ..asked };
        let found = shop.objects().list(&shop.on(&bucket), asked).unwrap();
        assert!(found.objects.iter().any(|one| one.key.as_str() == key), "{key:?}");
    }
    assert!("x".repeat(1025).parse::<ObjectKey>().is_err());
}

#[test]
fn altered_rows_are_errors_and_never_other_objects() {
    for change in [
        "DELETE FROM object_version",
        "DELETE FROM object_segment",
        "UPDATE object_segment SET plain_length = plain_length + 1",
        "UPDATE object_segment SET commitment = zeroblob(32)",
        "UPDATE object_segment SET inline = zeroblob(length(inline))",
        "UPDATE object_version SET encryption = '{}'",
        "UPDATE object_version SET size = size + 1",
        "UPDATE object_version SET version_id = replace(version_id, 'a', 'b') || 'x'",
        "UPDATE object_head SET current = '????????????????????????????????'",
        "UPDATE bucket SET settings = '{}'",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let shop = Shop::open(directory.path());
        let bucket = shop.bucket("altered");
        shop.put(&bucket, "k", b"content");
        behind(directory.path()).execute_batch(change).unwrap();
        let read = shop.get(&bucket, "k", None);
        assert!(read.is_err(), "{change}");
    }
}

#[test]
fn one_objects_bytes_do_not_open_as_anothers() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("swapped");
    shop.put(&bucket, "one", b"1");
    shop.put(&bucket, "two", b"2");
    let sqlite = behind(directory.path());
    let body = |key: &str| -> String {
        let select = "SELECT body_id FROM object_version WHERE key = ?1";
        sqlite.query_row(select, [key], |row| row.get(0)).unwrap()
    };
    let (one, two) = (body("one"), body("two"));
    let set = "UPDATE object_version SET body_id = ?1 WHERE key = ?2";
    sqlite.execute(set, [&two, "one"]).unwrap();
    sqlite.execute(set, [&one, "two"]).unwrap();
    assert!(shop.get(&bucket, "one", None).is_err());
    assert!(shop.get(&bucket, "two", None).is_err());
}
