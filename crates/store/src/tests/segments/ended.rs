//! Processes that are killed, that sweep while others write, and that have no room.

use std::io::{BufRead, BufReader};

use super::*;
use crate::objects::{LocalSegments, Segments};
use crate::tests::damage::child;

/// A segment in a line of a child's output, or in one for a child.
fn line(segment: &Segment) -> String {
    let commitment: String = segment.commitment.iter().map(|b| format!("{b:02x}")).collect();
    format!("{commitment} {} {}", segment.plain_length, segment.sealed_length)
}

fn from_line(line: &str) -> Option<(ResponseId, Segment)> {
    let (_, told) = line.split_once("acknowledged ")?;
    let mut words = told.split_whitespace();
    let id = words.next()?.parse().ok()?;
    let hex = words.next()?;
    let mut commitment = [0; 32];
    for (at, byte) in commitment.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    let segment = Segment {
        plain_length: words.next()?.parse().ok()?,
        sealed_length: words.next()?.parse().ok()?,
        commitment,
        sums: Vec::new(),
        inline: None,
    };
    Some((id, segment))
}

#[test]
#[ignore = "only as a child of the tests below"]
fn child_writes_until_it_cannot() {
    if std::env::var_os("MOHO_TEST_CHILD").is_none() {
        // Somebody runs ignored tests too.
        return;
    }
    let house = House::open(Path::new("."));
    let caller = house.session("Developer");
    for round in 0..100 {
        let id = house.new_id();
        let context = crate::response_context(house.first.account, &id).unwrap();
        let sealer = house.kms.sealer(&house.key(&caller, &id), &context).unwrap();
        let mut writer = house.store.segment_writer(sealer);
        let written = writer
            .write(&pattern(MIB + 5000 * round))
            .and_then(|()| writer.finish());
        match written {
            Ok(segment) => println!("acknowledged {id} {}", line(&segment)),
            Err(error) => {
                let left = std::fs::read_dir("store/objects/incoming").unwrap().count();
                println!("ended {left} {error}");
                return;
            }
        }
    }
}

const WRITES: &str = "tests::segments::ended::child_writes_until_it_cannot";

fn come_back(directory: &Path, written: &[(ResponseId, Segment)]) {
    let house = House::open(directory);
    let caller = house.session("Developer");
    for (id, segment) in written {
        let context = crate::response_context(house.first.account, id).unwrap();
        let permit = house.key(&caller, id);
        let mut reader = house
            .store
            .segment_reader(again(segment), &house.kms, &permit, &context)
            .unwrap();
        let length = usize::try_from(segment.plain_length).unwrap();
        assert!(read(&mut reader, 0..u64::MAX).unwrap() == pattern(length));
    }
}

#[test]
fn a_killed_process_loses_no_segment_and_its_leftovers_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let incoming = directory.path().join("store/objects/incoming");
    let mut written = Vec::new();
    for round in 1..=3 {
        let mut child = child(directory.path(), "", WRITES).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        written.extend(lines.filter_map(|line| from_line(&line)).take(5 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        // Somebody else's file stays, a torn one goes.
        std::fs::write(incoming.join("0123456789abcdef0123456789abcdef"), "torn").unwrap();
        std::fs::write(incoming.join("other"), "").unwrap();
        come_back(directory.path(), &written);
        let left: Vec<_> = std::fs::read_dir(&incoming)
            .unwrap()
            .map(|f| f.unwrap().file_name())
            .collect();
        assert_eq!(left, ["other"]);
    }
    assert_eq!(written.len(), 30);
}

#[test]
fn what_another_process_is_writing_is_not_removed() {
    let shelf = Shelf::new();
    let mut writer = shelf.writer();
    let plain = pattern(3 * MIB);
    let (before, after) = plain.split_at(2 * MIB);
    writer.write(before).unwrap();
    let there = opened(shelf.directory.path()).unwrap();
    assert_eq!(shelf.incoming(), 1);
    writer.write(after).unwrap();
    let segment = writer.finish().unwrap();
    assert!(shelf.read(&segment, 0..u64::MAX).unwrap() == plain);
    assert_eq!(there.segments_present().count(), 1);
    assert_eq!(shelf.incoming(), 0);
}

/// Stores open, and so sweep, while others write.
#[test]
fn sweeping_and_writing_at_once_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("objects");
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let folder = folder.clone();
            scope.spawn(move || {
                let local = LocalSegments::open(folder).unwrap();
                for round in 0..50 {
                    let id = SegmentId::of(&[thread * 50 + round; 32]);
                    let mut incoming = local.begin(id).unwrap();
                    incoming.append(b"bytes").unwrap();
                    incoming.keep().unwrap();
                    assert_eq!(local.open(id).unwrap().length(), 5);
                }
            });
            scope.spawn({
                let folder = directory.path().join("objects");
                move || (0..200).for_each(|_| drop(LocalSegments::open(folder.clone()).unwrap()))
            });
        }
    });
    assert_eq!(LocalSegments::open(folder).unwrap().present().count(), 200);
}

#[test]
fn files_that_may_not_grow_any_more_leave_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    drop(House::open(directory.path()));
    // A file size limit is the one full disk that every machine has: 1,075,200 bytes are less than a chunk and 26,624 more.
    let output = child(directory.path(), "trap '' XFSZ; ulimit -f 2100;", WRITES)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("ended 0"), "{text}");
    let written: Vec<_> = text.lines().filter_map(from_line).collect();
    assert_eq!(written.len(), 6, "{text}");
    come_back(directory.path(), &written);
}
