//! Segments in a bucket that the tests play: what is kept comes back, and what a place elsewhere may do to it is an error within
//! a known time, never other bytes.

mod hostile;
mod played;
mod settled;

use moho_store::objects::{PresentSegment, RestingSegment, SegmentId, Segments};
use tempfile::TempDir;

use self::played::Played;
use super::incoming::PART;
use super::*;
use crate::closing::Stage;
use crate::config::Typed;

const FOLDER: &str = "00112233445566778899aabbccddeeff";
const BRIEF: Patience = Patience {
    stall: Duration::from_secs(20),
    whole: Duration::from_secs(120),
    trying: Duration::from_millis(200),
    pause: Duration::from_millis(1),
};

/// A bucket that is played, and the store's directory beside it.
struct Place {
    played: Played,
    folder: TempDir,
    closing: Closing,
    segments: BucketSegments,
}

/// The settings of a bucket that is played.
fn config(folder: &FilePath, address: std::net::SocketAddr) -> ObjectsConfig {
    let credentials = folder.join("credentials");
    if !credentials.exists() {
        let text = b"aws_access_key_id = ID\naws_secret_access_key = the-secret\n";
        moho_os::create_private(&credentials, text).unwrap();
    }
    let lines = format!(
        "[objects]\nurl = 's3://bucket/some/prefix'\nendpoint = 'http://{address}'\ncredentials_file = '{}'",
        credentials.display()
    );
    let config = crate::config::objects(&Typed::from_file(&lines).unwrap());
    config.unwrap().unwrap()
}

/// Waits for nobody.
const HASTY: Patience = Patience {
    stall: Duration::from_millis(200),
    ..BRIEF
};

impl Place {
    fn new() -> Self {
        Self::with(BRIEF)
    }

    fn with(patience: Patience) -> Self {
        let (played, folder, closing) = (Played::new(), TempDir::new().unwrap(), Closing::new());
        let config = config(folder.path(), played.address);
        let place = (folder.path(), FOLDER);
        let segments = BucketSegments::with(&config, place, closing.clone(), patience).unwrap();
        Self {
            played,
            folder,
            closing,
            segments,
        }
    }

    fn key(id: SegmentId) -> String {
        format!("some/prefix/{FOLDER}/{id}")
    }

    fn keep(&self, id: SegmentId, bytes: &[u8]) -> Result<(), StoreError> {
        let mut incoming = self.segments.begin(id)?;
        for piece in bytes.chunks(1_000_000) {
            incoming.append(piece)?;
        }
        incoming.keep()
    }

    /// Puts an object there that nobody uploaded.
    fn put(&self, id: SegmentId, bytes: Vec<u8>) {
        self.played.kept().objects.insert(Self::key(id), bytes);
    }
}

fn id(number: u8) -> SegmentId {
    SegmentId::of(&[number; 32])
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

fn read(resting: &mut dyn RestingSegment, from: u64, length: usize) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![0; length];
    let read = resting.read(from, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

#[test]
fn what_is_kept_comes_back_in_any_range() {
    let place = Place::new();
    for (number, length) in (1_u8..).zip([1, 1000, PART - 1, PART, PART + 1, 2 * PART + 12_345]) {
        let plain = pattern(length);
        place.keep(id(number), &plain).unwrap();
        assert!(
            place.played.kept().objects[&Place::key(id(number))] == plain,
            "{length}"
        );
        let mut resting = place.segments.open(id(number)).unwrap();
        assert_eq!(resting.length(), length as u64);
        for (from, many) in [
            (0, length),
            (0, 10),
            (length / 2, 77),
            (length / 2 + 77, 1 << 20),
            (length - 1, 10),
            (5, 100_000),
            (130_000, 3),
            (length, 5),
            (length + 100, 5),
        ] {
            let expected = plain.get(from.min(length)..(from + many).min(length)).unwrap();
            let found = read(&mut *resting, from as u64, many).unwrap();
            assert!(found == expected, "{length}: {from}, {many}");
        }
    }
    assert!(place.played.kept().uploads.is_empty());
    assert!(place.segments.drafts.left_behind().unwrap().is_empty());
}

#[test]
fn what_is_small_is_one_request_and_what_follows_comes_in_long_ranges() {
    let place = Place::new();
    place.keep(id(1), &pattern(100_000)).unwrap();
    assert_eq!(place.played.asked(), ["PUT "]);
    let mut resting = place.segments.open(id(1)).unwrap();
    read(&mut *resting, 0, 1 << 20).unwrap();
    assert_eq!(place.played.asked(), ["GET bytes=0-131071"]);
    place.keep(id(2), &pattern(3 * PART)).unwrap();
    let parts = [
        "POST uploads",
        "PUT partNumberuploadId",
        "PUT partNumberuploadId",
        "PUT partNumberuploadId",
        "POST uploadId",
    ];
    assert_eq!(place.played.asked(), parts);
    let mut resting = place.segments.open(id(2)).unwrap();
    let (mut at, chunk) = (100_u64, (1 << 20) + 16);
    while at < resting.length() {
        at += read(&mut *resting, at, chunk).unwrap().len() as u64;
    }
    let sequential = place.played.asked();
    assert!(sequential.len() <= 8, "{sequential:?}");
    read(&mut *resting, 5_000_000, chunk).unwrap();
    assert_eq!(
        place.played.asked(),
        ["GET bytes=5000000-6048591"],
        "no more than was asked for"
    );
}

#[test]
fn what_is_not_kept_is_not_there_and_leaves_nothing() {
    let place = Place::new();
    let mut dropped = place.segments.begin(id(1)).unwrap();
    dropped.append(&pattern(PART + 1)).unwrap();
    assert_eq!(place.played.kept().uploads.len(), 1);
    assert!(matches!(place.segments.open(id(1)), Err(StoreError::SegmentAbsent(absent)) if absent == id(1)));
    drop(dropped);
    place.played.wait_until(|kept| kept.uploads.is_empty());
    assert!(place.played.kept().objects.is_empty());
    // A part that is refused ends it.
    place.played.behave(|asked| {
        if asked.query.get("partNumber").is_some_and(|number| number == "2") {
            played::Instead::Say(played::refused("403 Forbidden", "AccessDenied"))
        } else {
            played::Instead::Nothing
        }
    });
    let mut failing = place.segments.begin(id(2)).unwrap();
    let failed = failing.append(&pattern(2 * PART + 1)).unwrap_err();
    assert!(matches!(failed, StoreError::Elsewhere { .. }), "{failed}");
    assert!(matches!(
        failing.append(b"more"),
        Err(StoreError::SegmentUnfinished)
    ));
    assert!(matches!(failing.keep(), Err(StoreError::SegmentUnfinished)));
    place.played.wait_until(|kept| kept.uploads.is_empty());
}

#[test]
fn what_a_killed_process_left_is_given_up() {
    let place = Place::new();
    let mut going = place.segments.begin(id(1)).unwrap();
    going.append(&pattern(PART + 1)).unwrap();
    let left = (Place::key(id(2)), std::collections::BTreeMap::new());
    place.played.kept().uploads.insert("left".to_owned(), left);
    drop(place.segments.drafts.note(id(2), "left").unwrap());
    drop(place.segments.drafts.note(id(3), "gone already").unwrap());
    place.segments.sweep();
    assert_eq!(place.played.kept().uploads.len(), 1, "the one that is going on");
    going.keep().unwrap();
    assert!(place.segments.drafts.left_behind().unwrap().is_empty());
}

#[test]
fn what_is_deleted_is_gone_and_what_is_there_is_listed_page_by_page() {
    let place = Place::new();
    for number in 0..8 {
        place.put(id(number), vec![number; usize::from(number)]);
    }
    let mut objects = std::mem::take(&mut place.played.kept().objects);
    for foreign in ["moho-segments", "readme", "x/00112233445566778899aabbccddeeff"] {
        objects.insert(format!("some/prefix/{FOLDER}/{foreign}"), vec![]);
    }
    objects.insert(format!("some/prefix/other/{}", id(9)), vec![]);
    place.played.kept().objects = objects;
    let mut present: Vec<PresentSegment> = place.segments.present().map(Result::unwrap).collect();
    present.sort_by_key(|one| one.id);
    let found: Vec<_> = present.iter().map(|one| (one.id, one.sealed_length)).collect();
    let expected: Vec<_> = (0..8).map(|number| (id(number), u64::from(number))).collect();
    assert_eq!(found, expected);
    assert_eq!(present[0].kept_at.to_string(), "2026-11-23T00:00:00Z");
    place.segments.delete(id(3)).unwrap();
    place.segments.delete(id(3)).unwrap();
    assert_eq!(place.segments.present().count(), 7);
    assert!(
        place
            .played
            .kept()
            .objects
            .contains_key(&format!("some/prefix/{FOLDER}/readme"))
    );
}

#[test]
fn no_more_are_on_their_way_than_there_may_be() {
    let place = Place::new();
    let mut going: Vec<_> = (0..MOST_WRITERS)
        .map(|_| place.segments.begin(id(1)).unwrap())
        .collect();
    let crowded = place.segments.begin(id(1)).err().unwrap();
    assert!(crowded.to_string().contains("try again"), "{crowded}");
    drop(going.pop());
    drop(place.segments.begin(id(1)).unwrap());
}

#[test]
fn connections_are_kept_and_a_closed_one_is_no_trouble() {
    let place = Place::new();
    place.keep(id(1), b"bytes").unwrap();
    // Each answer is followed by the end of its connection.
    place.played.behave(|asked| match asked.method.as_str() {
        "GET" => played::Instead::Say(played::said(
            "206 Partial Content",
            "content-range: bytes 0-4/5\r\nlast-modified: Mon, 23 Nov 2026 00:00:00 GMT\r\n",
            b"bytes",
        )),
        _ => played::Instead::Nothing,
    });
    for _ in 0..20 {
        assert_eq!(place.segments.open(id(1)).unwrap().length(), 5);
    }
}
