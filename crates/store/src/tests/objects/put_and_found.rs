//! Objects: put, found, copied, deleted, under conditions.

use std::sync::atomic::AtomicBool;

use super::*;

#[test]
fn what_is_put_is_found_sealed_and_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("first");
    let encryption = shop.encryption(&bucket, "k");
    let mut metadata = ObjectMetadata {
        content_type: Some("text/secret-marker-31".to_owned()),
        expires: Some("whenever".to_owned()),
        upload_checksum: Some(("CRC32".to_owned(), true)),
        ..ObjectMetadata::default()
    };
    metadata
        .user
        .insert("secret-marker-32".to_owned(), "secret-marker-33".to_owned());
    metadata.checksums.push(Checksum {
        algorithm: "SHA256".to_owned(),
        value: "secret-marker-34".to_owned(),
        composite: false,
    });
    let new = NewObject {
        metadata: shop.sealed(&encryption, &metadata),
        tags: vec![("a".to_owned(), "b".to_owned())],
        ..shop.new_object(&bucket, "k")
    };
    let stored = shop
        .put_new(&bucket, "k", new, (b"secret-marker-35", &WriteCondition::None))
        .unwrap();
    assert_eq!(stored.version_id, None);
    assert_eq!((stored.etag.len(), stored.size), (32, 16));
    let found = shop.find(&bucket, "k", None).unwrap();
    let content = found.content.as_ref().unwrap();
    assert_eq!(content.etag, stored.etag);
    assert_eq!(content.tags, [("a".to_owned(), "b".to_owned())]);
    let permit: Permit<kms::Decrypt> = shop.key(&content.encryption);
    let opened = content
        .metadata
        .open(&content.encryption, (&shop.house.kms, &permit));
    assert!(opened.unwrap() == metadata);
    assert_eq!(shop.read(&found, 3..9).unwrap(), b"ret-ma");
    assert!(matches!(
        shop.read(&found, 3..17),
        Err(ObjectError::InvalidRange { size: 16 })
    ));
    for file in ["moho.sqlite", "moho.sqlite-wal"] {
        let bytes = std::fs::read(directory.path().join("store").join(file)).unwrap();
        let marker = b"secret-marker";
        assert!(
            !bytes.windows(marker.len()).any(|window| window == marker),
            "{file}"
        );
    }
}

#[test]
fn small_and_large_ones_and_ranges_across_chunks_are_read_alike() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("sizes");
    for size in [0, 1, 65_536, 65_537, 3 << 20] {
        let bytes: Vec<u8> = (0..size)
            .map(|at: u32| at.to_le_bytes()[at as usize % 3])
            .collect();
        shop.put(&bucket, "k", &bytes);
        assert_eq!(shop.get(&bucket, "k", None).unwrap(), bytes);
    }
    let found = shop.find(&bucket, "k", None).unwrap();
    let range = shop.read(&found, (1 << 20) - 5..(2 << 20) + 5).unwrap();
    assert_eq!(range.len(), (1 << 20) + 10);
    // Two were replaced that had files.
    assert_eq!(shop.files(), 2);
    assert_eq!(
        counted(directory.path(), "SELECT count(*) FROM segment_garbage"),
        1
    );
}

#[test]
fn writes_hold_to_their_conditions() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.versioned("conditions");
    let put = |condition: &WriteCondition| shop.put_if(&bucket, "k", b"x", condition);
    let matching = |etag: &str| WriteCondition::IfMatch(etag.to_owned());
    assert!(matches!(put(&matching("*")), Err(ObjectError::NoSuchKey)));
    let first = put(&WriteCondition::IfAbsent).unwrap();
    assert!(matches!(
        put(&WriteCondition::IfAbsent),
        Err(ObjectError::PreconditionFailed("If-None-Match"))
    ));
    let second = put(&matching(&first.etag)).unwrap();
    assert!(matches!(
        put(&matching(&first.etag)),
        Err(ObjectError::PreconditionFailed("If-Match"))
    ));
    let permit = shop.of(&bucket, "k");
    let delete = |etag: &str| {
        let deletion = Deletion {
            if_match: Some(etag),
            ..Deletion::default()
        };
        shop.objects()
            .delete(DeletePermit::Current(&permit), deletion, shop.at())
    };
    assert!(matches!(
        delete(&first.etag),
        Err(ObjectError::PreconditionFailed(_))
    ));
    delete(&second.etag).unwrap();
    // What is deleted is absent.
    assert!(matches!(delete("*"), Err(ObjectError::PreconditionFailed(_))));
    assert!(matches!(
        put(&matching(&second.etag)),
        Err(ObjectError::NoSuchKey)
    ));
    put(&WriteCondition::IfAbsent).unwrap();
}

#[test]
fn of_many_that_put_where_nothing_is_one_does() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("race");
    let won: usize = std::thread::scope(|scope| {
        let put = || shop.put_if(&bucket, "k", b"x", &WriteCondition::IfAbsent).is_ok();
        let all: Vec<_> = (0..8).map(|_| scope.spawn(put)).collect();
        all.into_iter()
            .filter(|_| true)
            .map(|one| usize::from(one.join().unwrap()))
            .sum()
    });
    assert_eq!(won, 1);
}

#[test]
fn reads_hold_to_their_conditions_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("reads");
    let etag = shop.put(&bucket, "k", b"x").etag;
    let found = shop.find(&bucket, "k", None).unwrap();
    let (before, after) = (
        Timestamp::from_unix_seconds(START - 1),
        Timestamp::from_unix_seconds(START),
    );
    let check = |condition: &ReadCondition| match condition.check(&found) {
        Ok(()) => 200,
        Err(ObjectError::NotModified { .. }) => 304,
        Err(ObjectError::PreconditionFailed(_)) => 412,
        Err(other) => panic!("{other}"),
    };
    let tags = |own: bool| {
        vec![
            "other".to_owned(),
            if own { etag.clone() } else { "x".to_owned() },
        ]
    };
    let by = |matches: Option<bool>, none: Option<bool>, modified, unmodified| ReadCondition {
        if_match: matches.map(tags),
        if_none_match: none.map(tags),
        if_modified_since: modified,
        if_unmodified_since: unmodified,
    };
    let (before, after) = (Some(before), Some(after));
    let any = ReadCondition {
        if_match: Some(vec!["*".to_owned()]),
        ..ReadCondition::default()
    };
    for (condition, status) in [
        (any, 200),
        (by(Some(true), None, None, None), 200),
        (by(Some(false), None, None, None), 412),
        (by(None, Some(true), None, None), 304),
        (by(None, Some(false), None, None), 200),
        (by(None, None, after, None), 304),
        (by(None, None, before, None), 200),
        (by(None, None, None, before), 412),
        (by(None, None, None, after), 200),
        // The entity tag is stronger than the time.
        (by(Some(true), None, None, before), 200),
        (by(None, Some(true), before, None), 304),
        (by(None, Some(false), after, None), 200),
    ] {
        assert_eq!(check(&condition), status, "{condition:?}");
    }
}

#[test]
fn a_copy_is_sealed_anew_and_takes_any_range() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let (from, to) = (shop.bucket("from"), shop.bucket("to-there"));
    let bytes: Vec<u8> = (0..(2_u32 << 20) + 7).map(|at| at.to_le_bytes()[1]).collect();
    shop.put(&from, "source", &bytes);
    let source = shop.find(&from, "source", None).unwrap();
    let encryption = shop.encryption(&to, "copy");
    let (open, seal) = (
        shop.key(&source.content.as_ref().unwrap().encryption),
        shop.key(&encryption),
    );
    let copying = Copying {
        kms: &shop.house.kms,
        open: &open,
        seal: &seal,
        encryption: &encryption,
        left: &AtomicBool::new(false),
    };
    for range in [0..bytes.len() as u64, 5..(1 << 20) + 5, 7..7] {
        let segment = shop.objects().copy(&source, range.clone(), copying).unwrap();
        let new = shop.new_object(&to, "copy");
        shop.objects()
            .put(
                &shop.of(&to, "copy"),
                new,
                (segment, &WriteCondition::None),
                shop.at(),
            )
            .unwrap();
        let expected = &bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        assert_eq!(shop.get(&to, "copy", None).unwrap(), expected);
    }
    let beyond = shop.objects().copy(&source, 0..bytes.len() as u64 + 1, copying);
    assert!(matches!(beyond, Err(ObjectError::InvalidRange { .. })));
    let swapped = Copying {
        open: &shop.key(&encryption),
        ..copying
    };
    assert!(shop.objects().copy(&source, 0..1, swapped).is_err());
    let abandoned = Copying {
        left: &AtomicBool::new(true),
        ..copying
    };
    let abandoned = shop.objects().copy(&source, 0..1, abandoned);
    assert!(matches!(abandoned, Err(ObjectError::Abandoned)));
}

#[test]
fn permits_and_seals_of_one_object_are_none_for_another() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("permits");
    let new = shop.new_object(&bucket, "one");
    let segment = shop.segment(&new.encryption, b"x");
    let put = shop.objects().put(
        &shop.of(&bucket, "two"),
        new,
        (segment, &WriteCondition::None),
        shop.at(),
    );
    assert!(matches!(put, Err(ObjectError::OtherPermit)));
    let put: Permit<s3::GetObject> = shop.on(&bucket);
    assert!(matches!(
        shop.objects().find(&put, None),
        Err(ObjectError::OtherPermit)
    ));
    // Leave to read what is current is none to read a version, and the other way round.
    let current: Permit<s3::GetObject> = shop.of(&bucket, "one");
    let named = shop.objects().find(&current, Some(&VersionId::null()));
    assert!(matches!(named, Err(ObjectError::OtherPermit)));
    let version: Permit<s3::GetObjectVersion> = shop.of(&bucket, "one");
    assert!(matches!(
        shop.objects().find(&version, None),
        Err(ObjectError::OtherPermit)
    ));
}

#[test]
fn several_are_deleted_each_for_itself() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.lockable("several");
    let free = shop.put(&bucket, "free", b"x").version_id.unwrap();
    let held = shop.put(&bucket, "held", b"x").version_id.unwrap();
    shop.objects()
        .set_legal_hold(&shop.of(&bucket, "held"), None, true, shop.at())
        .unwrap();
    let versions = [shop.of(&bucket, "free"), shop.of(&bucket, "held")];
    let absent = shop.of(&bucket, "absent");
    let asked = [
        (DeletePermit::Version(&versions[0], &free), Deletion::default()),
        (DeletePermit::Version(&versions[1], &held), Deletion::default()),
        (DeletePermit::Current(&absent), Deletion::default()),
    ];
    let done = shop.objects().delete_all(&asked, shop.at()).unwrap();
    assert!(done[0].as_ref().is_ok_and(|done| !done.delete_marker));
    assert!(matches!(done[1], Err(ObjectError::Locked)));
    assert!(done[2].as_ref().is_ok_and(|done| done.delete_marker));
    assert!(shop.find(&bucket, "held", None).is_ok());
}

#[test]
fn tags_change_without_the_object() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.versioned("tags");
    let id = shop.put(&bucket, "k", b"x").version_id.unwrap();
    let tags = [("a".to_owned(), "1".to_owned())];
    let current: Permit<s3::PutObjectTagging> = shop.of(&bucket, "k");
    assert_eq!(
        shop.objects().set_tags(&current, None, &tags).unwrap(),
        Some(id.clone())
    );
    let found = shop.find(&bucket, "k", Some(&id)).unwrap();
    assert_eq!(found.content.unwrap().tags, tags);
    let version: Permit<s3::DeleteObjectVersionTagging> = shop.of(&bucket, "k");
    shop.objects().set_tags(&version, Some(&id), &[]).unwrap();
    assert!(
        shop.find(&bucket, "k", None)
            .unwrap()
            .content
            .unwrap()
            .tags
            .is_empty()
    );
    shop.delete(&bucket, "k").unwrap();
    let gone = shop.objects().set_tags(&current, None, &tags);
    assert!(matches!(gone, Err(ObjectError::CurrentIsDeleteMarker { .. })));
}

#[test]
fn what_is_sealed_under_a_key_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("counted");
    shop.put(&bucket, "a", &[0; 10]);
    shop.put(&bucket, "a", &[0; 20]);
    shop.put(&bucket, "b", &[0; 30]);
    let upload = shop.upload(&bucket, "c");
    shop.part((&bucket, "c"), &upload, 1, &[0; 7]).unwrap();
    shop.part((&bucket, "c"), &upload, 1, &[0; 5]).unwrap();
    let uses = || -> Vec<(&'static str, u64, u64)> {
        let all = shop.house.store.key_uses(shop.house.first.account).unwrap();
        let uses = all.into_iter().flat_map(|key| key.uses);
        uses.map(|one| (one.what, one.count, one.bytes)).collect()
    };
    assert_eq!(uses(), [("objects", 2, 50), ("uploaded parts", 1, 5)]);
    let part = shop.part((&bucket, "c"), &upload, 2, &[0; 6]).unwrap();
    shop.complete((&bucket, "c"), &upload, &[(2, part.etag)]).unwrap();
    assert_eq!(uses(), [("objects", 3, 56)]);
    for key in ["a", "b", "c"] {
        shop.delete(&bucket, key).unwrap();
    }
    assert_eq!(uses(), []);
}
