//! Lists: order, markers, and memory that does not grow with the bucket.

use super::*;

fn put_all(shop: &Shop, bucket: &BucketName, keys: &[&str]) {
    for key in keys {
        shop.put(bucket, key, b"x");
    }
}

fn list(
    shop: &Shop,
    bucket: &BucketName,
    (prefix, delimiter, after): (&str, &str, &str),
    limit: usize,
) -> (Vec<String>, Vec<String>, Option<String>) {
    let asked = ListRequest {
        prefix,
        delimiter,
        after,
        limit,
    };
    let page = shop.objects().list(&shop.on(bucket), asked).unwrap();
    let keys = page.objects.iter().map(|found| found.key.as_str().to_owned());
    (keys.collect(), page.common_prefixes, page.next)
}

#[test]
fn keys_are_in_the_order_of_their_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("order");
    let mut keys = [
        "a",
        "B",
        "a/b",
        "a b",
        "\u{e9}",
        "z",
        "\u{1f980}",
        "\u{fffd}",
        "a\0",
        "~",
        "_",
    ];
    put_all(&shop, &bucket, &keys);
    keys.sort_unstable_by_key(|key| key.as_bytes().to_vec());
    let (found, _, next) = list(&shop, &bucket, ("", "", ""), 1000);
    assert_eq!(found, keys);
    assert_eq!(next, None);
}

#[test]
fn markers_within_and_at_common_prefixes_are_where_s3_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("markers");
    put_all(&shop, &bucket, &["a/1", "a/2", "b", "c/1", "c/2/3", "d"]);
    let all = list(&shop, &bucket, ("", "/", ""), 1000);
    assert_eq!(
        all,
        (vec!["b".into(), "d".into()], vec!["a/".into(), "c/".into()], None)
    );
    // The common prefix itself stands for all of it; a key in it does not.
    assert_eq!(list(&shop, &bucket, ("", "/", "a/"), 1000).1, ["c/"]);
    assert_eq!(list(&shop, &bucket, ("", "/", "a/1"), 1000).1, ["a/", "c/"]);
    assert_eq!(list(&shop, &bucket, ("", "/", "a/2"), 1000).1, ["c/"]);
    // A page ends after a common prefix, and the next begins behind it.
    let (keys, prefixes, next) = list(&shop, &bucket, ("", "/", ""), 1);
    assert_eq!(
        (keys.len(), prefixes, next.as_deref()),
        (0, vec!["a/".to_owned()], Some("a/"))
    );
    assert_eq!(list(&shop, &bucket, ("", "/", "a/"), 1).0, ["b"]);
    // No page is told to follow where none does.
    assert_eq!(
        list(&shop, &bucket, ("", "/", "c/"), 1),
        (vec!["d".into()], vec![], None)
    );
    assert_eq!(list(&shop, &bucket, ("", "", ""), 0), (vec![], vec![], None));
    assert_eq!(list(&shop, &bucket, ("c/", "/", ""), 10).1, ["c/2/"]);
    assert_eq!(
        list(&shop, &bucket, ("c/", "/", "zzz"), 10).0,
        Vec::<String>::new()
    );
    assert_eq!(list(&shop, &bucket, ("c", "", "a"), 10).0, ["c/1", "c/2/3"]);
}

#[test]
fn a_version_marker_begins_within_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("versions");
    shop.put(&bucket, "k", b"null");
    shop.objects()
        .set_versioning(&shop.on(&bucket), Versioning::Enabled)
        .unwrap();
    let ids: Vec<_> = (0..3)
        .map(|_| shop.put(&bucket, "k", b"x").version_id.unwrap())
        .collect();
    shop.put(&bucket, "l", b"x");
    let after = |version: &VersionId| {
        let asked = VersionsRequest {
            prefix: "",
            delimiter: "",
            key_marker: "k",
            version_marker: Some(version),
            limit: 10,
        };
        let page = shop.objects().list_versions(&shop.on(&bucket), asked).unwrap();
        page.versions
            .into_iter()
            .map(|one| (one.key.to_string(), one.version_id))
            .collect::<Vec<_>>()
    };
    assert_eq!(after(&ids[2]).len(), 4);
    assert_eq!(after(&ids[0])[0], ("k".to_owned(), VersionId::null()));
    assert_eq!(after(&VersionId::null())[0].0, "l");
    let alone = VersionsRequest {
        prefix: "",
        delimiter: "",
        key_marker: "",
        version_marker: Some(&ids[0]),
        limit: 10,
    };
    let refused = shop.objects().list_versions(&shop.on(&bucket), alone);
    assert!(matches!(refused, Err(ObjectError::InvalidArgument(_))));
}

/// Rows of objects, without their bytes, made behind the store's back.
fn fill(directory: &Path, bucket: &BucketName, count: u32) {
    let mut sqlite = behind(directory);
    let id: i64 = sqlite
        .query_row(
            "SELECT bucket_id FROM bucket WHERE name = ?1",
            [bucket.as_str()],
            |row| row.get(0),
        )
        .unwrap();
    let transaction = sqlite.transaction().unwrap();
    {
        let mut head = transaction
            .prepare("INSERT INTO object_head VALUES (?1, ?2, ?3, ?3, 0)")
            .unwrap();
        let mut version = transaction
            .prepare(
                "INSERT INTO object_version VALUES (?1, ?2, ?3, 1, 5, ?3, 7, 'e', NULL, NULL, NULL, 0, NULL,
                    'arn:aws:kms:moho-local-1:123456789012:key/k', '{}', zeroblob(200), 0)",
            )
            .unwrap();
        for number in 0..count {
            let key = format!("{:03}/{:03}/{number:07}", number % 1000, number / 1000);
            let place = format!("{number:032}");
            head.execute((id, &key, &place)).unwrap();
            version.execute((id, &key, &place)).unwrap();
        }
    }
    transaction.commit().unwrap();
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_list_of_many_takes_little_memory() {
    let directory = tempfile::tempdir().unwrap();
    let (directory, count) = (directory.path(), 100_000);
    let shop = Shop::open(directory);
    let bucket = shop.bucket("many");
    fill(directory, &bucket, count);
    let before = resident();
    let (mut seen, mut after) = (0, String::new());
    loop {
        let (keys, _, next) = list(&shop, &bucket, ("", "", &after), 1000);
        seen += keys.len();
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(seen, usize::try_from(count).unwrap());
    let (_, prefixes, next) = list(&shop, &bucket, ("", "/", ""), 1000);
    assert_eq!((prefixes.len(), next), (1000, None));
    let grown = resident().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB");
}
