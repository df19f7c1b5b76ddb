//! Files: none is left that nobody needs, and none goes that somebody needs, whenever a process ends.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};

use super::super::damage::child;
use super::*;
use crate::StoreError;

const LARGE: usize = 100_000;

/// The files of all segments, in the order of their names.
fn files_of(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![directory.join("store")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.parent().unwrap().ends_with("store") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn ever() -> Timestamp {
    Timestamp::from_unix_seconds(250_000_000_000)
}

#[test]
fn files_go_a_while_after_what_they_were_of() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("files");
    shop.put(&bucket, "a", &[1; LARGE]);
    let reading = shop.find(&bucket, "a", None).unwrap();
    let permit: Permit<kms::Decrypt> = shop.key(&reading.content.as_ref().unwrap().encryption);
    let piece = shop
        .objects()
        .pieces(&reading, None, 0..10)
        .unwrap()
        .next()
        .unwrap();
    shop.put(&bucket, "a", &[2; LARGE]);
    assert_eq!(shop.objects().sweep(shop.at().now, 10).unwrap().deleted, 0);
    // Who had begun to read goes on.
    let context = reading.content.as_ref().unwrap().encryption.context();
    let (store, kms) = (&shop.house.store, &shop.house.kms);
    let mut reader = store
        .segment_reader(piece.segment, kms, &permit, context)
        .unwrap();
    assert_eq!(reader.read_range(0..3).unwrap(), [1; 3]);
    // Who begins only now finds nothing of what was replaced.
    assert!(matches!(
        shop.objects().pieces(&reading, None, 0..10),
        Err(ObjectError::NoSuchKey)
    ));
    shop.pass(601);
    let swept = shop.objects().sweep(shop.at().now, 10).unwrap();
    assert_eq!((swept.deleted, swept.more, shop.files()), (1, false, 1));
    assert_eq!(shop.get(&bucket, "a", None).unwrap(), [2; LARGE]);
}

#[test]
fn what_is_being_read_stays_until_its_readers_are_done() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("files");
    for key in ["read", "other"] {
        shop.put(&bucket, key, &[1; LARGE]);
    }
    let reading = shop.find(&bucket, "read", None).unwrap();
    let permit: Permit<kms::Decrypt> = shop.key(&reading.content.as_ref().unwrap().encryption);
    let mut pieces = shop.objects().pieces(&reading, None, 0..10).unwrap();
    let again = shop.objects().pieces(&reading, None, 0..10).unwrap();
    shop.delete(&bucket, "read").unwrap();
    shop.delete(&bucket, "other").unwrap();
    shop.pass(100_000);
    // What is being read does not keep the rest waiting, and waits itself.
    assert_eq!(shop.objects().sweep(shop.at().now, 1).unwrap().deleted, 1);
    assert_eq!(shop.objects().sweep(shop.at().now, 1).unwrap().deleted, 0);
    let context = reading.content.as_ref().unwrap().encryption.context();
    let (store, kms) = (&shop.house.store, &shop.house.kms);
    let segment = pieces.next().unwrap().segment;
    let mut reader = store.segment_reader(segment, kms, &permit, context).unwrap();
    assert_eq!(reader.read_range(0..3).unwrap(), [1; 3]);
    drop(pieces);
    assert_eq!(shop.objects().sweep(shop.at().now, 1).unwrap().deleted, 0);
    drop(again);
    assert_eq!(shop.objects().sweep(shop.at().now, 1).unwrap().deleted, 1);
    assert_eq!(shop.files(), 0);
}

#[test]
fn files_wait_by_the_clock_even_if_it_was_ahead_before() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.versioned("ahead");
    shop.pass(31_536_000);
    let version = shop.put(&bucket, "a", &[1; LARGE]).version_id.unwrap();
    shop.now.fetch_sub(31_536_000, Ordering::SeqCst);
    shop.delete_version(&bucket, "a", &version).unwrap();
    assert_eq!(shop.objects().sweep(shop.at().now, 10).unwrap().deleted, 0);
    shop.pass(601);
    assert_eq!(shop.objects().sweep(shop.at().now, 10).unwrap().deleted, 1);
}

#[test]
fn files_that_nobody_remembers_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("orphans");
    shop.put(&bucket, "a", &[1; LARGE]);
    let encryption = shop.encryption(&bucket, "lost");
    drop(shop.segment(&encryption, &[2; LARGE]));
    assert_eq!(shop.files(), 2);
    let objects = shop.objects();
    let noted = |go_on| {
        objects
            .note_orphans_until(ever(), shop.at().now, &|| go_on)
            .unwrap()
            .noted
    };
    assert_eq!(noted(false), 0, "it looks at nothing once it is to stop");
    assert_eq!(noted(true), 1);
    assert_eq!(noted(true), 0);
    assert_eq!(objects.sweep_until(ever(), 10).unwrap().deleted, 1);
    assert_eq!(shop.files(), 1);
    assert_eq!(shop.get(&bucket, "a", None).unwrap(), [1; LARGE]);
}

/// Whoever is refused leaves nothing on the disk that no list, count or deletion would see.
#[test]
fn files_of_what_is_refused_go_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("refused");
    shop.put(&bucket, "a", &[1; LARGE]);
    let aborted = shop.upload(&bucket, "b");
    shop.objects()
        .abort(&shop.of(&bucket, "b"), &aborted, shop.at())
        .unwrap();
    let tags = (0..11).map(|n| (n.to_string(), String::new())).collect();
    let new = NewObject {
        tags,
        ..shop.new_object(&bucket, "a")
    };
    let held = NewObject {
        lock: AskedLock::default().with_legal_hold(&shop.of(&bucket, "a"), true),
        ..shop.new_object(&bucket, "a")
    };
    let absent = shop.put_if(&bucket, "a", &[2; LARGE], &WriteCondition::IfAbsent);
    assert!(matches!(absent, Err(ObjectError::PreconditionFailed(_))));
    let tagged = shop.put_new(&bucket, "a", new, (&[2; LARGE], &WriteCondition::None));
    assert!(matches!(tagged, Err(ObjectError::BadRequest(_))));
    let locked = shop.put_new(&bucket, "a", held, (&[2; LARGE], &WriteCondition::None));
    assert!(matches!(locked, Err(ObjectError::InvalidRequest(_))));
    let part = shop.part((&bucket, "b"), &aborted, 1, &[2; LARGE]);
    assert!(matches!(part, Err(ObjectError::NoSuchUpload)));
    assert_eq!(shop.files(), 1);
    let noted = "SELECT count(*) FROM segment_garbage";
    assert_eq!(counted(directory.path(), noted), 0);
    assert_eq!(shop.get(&bucket, "a", None).unwrap(), [1; LARGE]);
}

/// What a row has is nobody's to discard, whatever went wrong for whom.
#[test]
fn a_file_that_a_row_has_is_not_discarded() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("kept");
    shop.put(&bucket, "a", &[1; LARGE]);
    let found = shop.find(&bucket, "a", None).unwrap();
    let piece = shop
        .objects()
        .pieces(&found, None, 0..10)
        .unwrap()
        .next()
        .unwrap();
    let file = piece.segment.file().unwrap();
    shop.objects().discard(&[file], shop.at().now).unwrap();
    assert_eq!(shop.get(&bucket, "a", None).unwrap(), [1; LARGE]);
}

#[test]
fn a_file_that_an_object_has_stays_whatever_was_noted() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("noted");
    let written = |key: &str| {
        let new = shop.new_object(&bucket, key);
        let segment = shop.segment(&new.encryption, &[3; LARGE]);
        (new, segment)
    };
    let put = |key: &str, (new, segment): (NewObject, Segment)| {
        let condition = &WriteCondition::None;
        shop.objects()
            .put(&shop.of(&bucket, key), new, (segment, condition), shop.at())
    };
    let objects = shop.objects();
    // It is taken for forgotten between its last byte and its row.
    let late = written("late");
    assert_eq!(
        objects
            .note_orphans_until(ever(), shop.at().now, &|| true)
            .unwrap()
            .noted,
        1
    );
    put("late", late).unwrap();
    let noted = || counted(directory.path(), "SELECT count(*) FROM segment_garbage");
    assert_eq!(noted(), 0);
    // And if it is noted none the less, it is left alone.
    shop.house
        .write("INSERT INTO segment_garbage SELECT segment_id, 5 FROM object_segment");
    assert_eq!(objects.sweep_until(ever(), 10).unwrap().deleted, 0);
    assert_eq!(shop.get(&bucket, "late", None).unwrap(), [3; LARGE]);
    // Once it is being deleted, no object can have it.
    let later = written("later");
    let id = later.1.id();
    shop.house
        .write(&format!("INSERT INTO segment_garbage VALUES ('{id}', -1)"));
    assert!(matches!(
        put("later", later),
        Err(ObjectError::Store(StoreError::Conflict(_)))
    ));
    assert_eq!(objects.sweep_until(ever(), 10).unwrap().deleted, 1);
    assert_eq!(shop.files(), 1);
}

#[test]
fn a_file_that_cannot_be_deleted_keeps_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("stuck");
    for key in ["a", "b", "c"] {
        shop.put(&bucket, key, &[1; LARGE]);
        shop.delete(&bucket, key).unwrap();
        shop.pass(1);
    }
    // In the place of the first file there is a folder, with something in it.
    let first: String = behind(directory.path())
        .query_row(
            "SELECT segment_id FROM segment_garbage ORDER BY noted_at",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let place = files_of(directory.path())
        .into_iter()
        .find(|path| path.to_string_lossy().contains(&first))
        .unwrap();
    std::fs::remove_file(&place).unwrap();
    std::fs::create_dir_all(place.join("in the way")).unwrap();
    shop.pass(700);
    let objects = shop.objects();
    let swept = objects.sweep(shop.at().now, 1).unwrap();
    assert_eq!((swept.deleted, swept.more, swept.failed.len()), (0, true, 1));
    assert_eq!(swept.failed[0].0.to_string(), first);
    let swept = objects.sweep(shop.at().now, 10).unwrap();
    assert_eq!(
        (swept.deleted, swept.failed.len()),
        (2, 0),
        "it waits behind the others"
    );
    std::fs::remove_dir_all(&place).unwrap();
    shop.pass(700);
    assert_eq!(objects.sweep(shop.at().now, 10).unwrap().deleted, 1);
}

#[test]
fn a_segment_that_cannot_be_read_is_told_and_those_after_it_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("sectors");
    for key in ["a", "b", "c"] {
        shop.put(&bucket, key, &[1; LARGE]);
    }
    // What is there is no file; and a row says what no segment has.
    for place in files_of(directory.path()).into_iter().take(1) {
        std::fs::remove_file(&place).unwrap();
        std::fs::create_dir(&place).unwrap();
    }
    shop.put(&bucket, "d", b"small");
    behind(directory.path())
        .execute(
            "UPDATE object_segment SET plain_length = -1 WHERE inline IS NOT NULL",
            [],
        )
        .unwrap();
    let mut pace = |_read| std::ops::ControlFlow::Continue(());
    let (mut after, mut segments, mut whats) = (None, 0, Vec::new());
    loop {
        let done = shop.objects().scrub(after.as_deref(), 1, &mut pace).unwrap();
        segments += done.segments;
        whats.extend(done.findings.iter().map(|finding| finding.what));
        after = done.next;
        if after.is_none() {
            break;
        }
    }
    whats.sort_unstable();
    assert_eq!(whats, ["it cannot be read", "its row says what no segment is"]);
    assert_eq!(segments, 4);
}

#[test]
#[ignore = "only as a child of the test below"]
fn child_puts_over_and_over() {
    if std::env::var_os("MOHO_TEST_CHILD").is_none() {
        // Somebody runs ignored tests too.
        return;
    }
    let shop = Shop::open(Path::new("."));
    let bucket: BucketName = "killed".parse().unwrap();
    for number in 1_u8..=250 {
        shop.put(&bucket, "k", &[number; LARGE]);
        println!("acknowledged k {number}");
        let upload = shop.upload(&bucket, "big");
        println!("acknowledged upload {number}");
        let part = shop.part((&bucket, "big"), &upload, 1, &[number; LARGE]).unwrap();
        println!("acknowledged part {number}");
        shop.complete((&bucket, "big"), &upload, &[(1, part.etag)])
            .unwrap();
        println!("acknowledged big {number}");
    }
}

#[test]
fn a_process_that_is_killed_leaves_objects_whole_and_no_files_for_good() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("killed");
    // Each of the four steps is the next one when it is killed.
    for lines in [4_usize, 13, 30, 7] {
        let name = "tests::objects::garbage::child_puts_over_and_over";
        let mut child = child(directory.path(), "", name).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let told = output.filter_map(|line| {
            let (step, number) = line.split_once("acknowledged ")?.1.trim().split_once(' ')?;
            Some((step.to_owned(), number.parse::<u8>().ok()?))
        });
        let last: HashMap<String, u8> = told.take(lines).collect();
        child.kill().unwrap();
        child.wait().unwrap();

        for key in ["k", "big"] {
            let bytes = shop.get(&bucket, key, None).unwrap();
            assert_eq!(bytes.len(), LARGE);
            assert!(
                bytes[0] >= last[key] && bytes.iter().all(|byte| *byte == bytes[0]),
                "{key}"
            );
        }
        let objects = shop.objects();
        objects
            .note_orphans_until(ever(), shop.at().now, &|| true)
            .unwrap();
        while objects.sweep_until(ever(), 3).unwrap().more {}
        let remembered = "SELECT count(*) FROM object_segment WHERE segment_id IS NOT NULL";
        let remembered = counted(directory.path(), remembered);
        assert_eq!(i64::try_from(shop.files()).unwrap(), remembered);
        assert_eq!(
            counted(directory.path(), "SELECT count(*) FROM segment_garbage"),
            0
        );
    }
}
