//! Torn, filled up, altered: what is left of the journal, and what it says.

mod disk;
mod holding;
mod published;
mod segments;

use std::path::{Path, PathBuf};

use moho_iam::authz::{
    Entry, Event, EventIdentity, EventKind, EventSource, Journal, JournalUnavailable, Outcome, Position,
};
use moho_terms::{BucketName, ObjectKey, Secret, Timestamp};
use proptest::prelude::*;

use crate::{AuditError, FileJournal, LogKeys, Published, Recovery, verify};

pub(crate) fn entry(second: u64) -> Entry {
    Entry {
        time: Timestamp::from_unix_seconds(1_795_312_800 + second),
        request_id: "00112233-4455-4677-8899-aabbccddeeff".parse().unwrap(),
        outcome: Outcome::Allow,
        reason: "allowed",
        principal: Some(
            "arn:aws:sts::123456789012:assumed-role/Developer/me"
                .parse()
                .unwrap(),
        ),
        account: Some("123456789012".parse().unwrap()),
        access_key_id: None,
        scheme: Some("sigv4"),
        action: Some("bedrock-mantle:CreateInference"),
        resource: Some(
            "arn:aws:bedrock:moho-local-1::foundation-model/m"
                .parse()
                .unwrap(),
        ),
        policy: None,
        statement: None,
        source_identity: None,
        via_service: None,
        endpoint: None,
        source_ip: Some("127.0.0.1".parse().unwrap()),
        peer_uid: None,
        client_certificate_sha256: None,
        user_agent_sha256: None,
        error_code: None,
        further: None,
        told: None,
    }
}

/// Of every journal here.
pub(crate) fn keys() -> LogKeys {
    LogKeys::new(Secret::new(vec![7; 32]), [1; 16])
}

/// Waits for it in this thread.
fn blocked_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park();
    }
}

fn event() -> Event {
    let id = "00112233-4455-4677-8899-aabbccddeeff".parse().unwrap();
    let identity = EventIdentity::of_service("s3.amazonaws.com", None);
    let what = (EventKind::DataEvent, "CopyObject");
    Event::new(what, id, identity, Timestamp::from_unix_seconds(1_795_312_800))
}

#[test]
fn decisions_and_what_came_of_them_are_in_one_chain() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = FileJournal::open(directory.path(), &keys()).unwrap();
    journal.record(&entry(1)).unwrap();
    assert_eq!(journal.record_event(&event()).unwrap(), Position(2));
    journal.record(&entry(2)).unwrap();
    drop(journal);
    assert_eq!(verify(directory.path()).unwrap().records, 3);
    let mut used = Vec::new();
    crate::replay(directory.path(), 0, |past| {
        used.push((past.position, past.action.is_some()))
    })
    .unwrap();
    assert_eq!(
        used,
        [(1, true), (2, false), (3, true)],
        "what came of a use is no use"
    );
}

/// Every member as long as it can be, in characters that take most room.
#[test]
fn the_longest_event_has_room() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = FileJournal::open(directory.path(), &keys()).unwrap();
    let key: ObjectKey = "\u{1}".repeat(1024).parse().unwrap();
    let bucket: BucketName = "b".repeat(63).parse().unwrap();
    let role = |kind: &str, name: &str| format!("arn:aws:{kind}:{}/{name}", "p".repeat(511));
    let mut event = event();
    event.identity.principal = Some(
        role("sts::123456789012:assumed-role", &"r".repeat(129))
            .parse()
            .unwrap(),
    );
    event.identity.issuer = Some(role("iam::123456789012:role", &"r".repeat(64)).parse().unwrap());
    event.subject.bucket = Some(bucket.clone());
    event.subject.key = Some(key.clone());
    event.subject.copy_source = Some(EventSource {
        bucket,
        key,
        version_id: None,
        account: None,
    });
    journal.record_event(&event).unwrap();
}

/// A journal of `count` entries that is closed again, and its one file.
fn journal_of(count: u64) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = FileJournal::open(directory.path(), &keys()).unwrap();
    for number in 1..=count {
        assert_eq!(journal.record(&entry(number)).unwrap(), Position(number));
    }
    let path = directory.path().join("journal-00000000000000000001.jsonl");
    (directory, path)
}

/// As after a process that was killed before it published anything.
fn reopened(directory: &Path) -> Result<(FileJournal, Recovery), AuditError> {
    for derived in ["hashes-0", "offsets"] {
        let _absent = std::fs::remove_file(directory.join(derived));
    }
    sign_nothing(directory);
    FileJournal::open(directory, &keys())
}

/// Puts a checkpoint of no entries there, as a journal has it that has just begun.
fn sign_nothing(directory: &Path) {
    let identity = keys().identity(directory).unwrap();
    let nothing = crate::tree::Growing::from(moho_attest::log::Frontier::default());
    let nothing = Published::sign(&identity, nothing.checkpoint(&identity)).unwrap();
    nothing.write(directory).unwrap();
    identity.begun(directory).unwrap();
}

/// Where each line of the file begins, and where the last one ends.
fn borders(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

#[test]
fn entries_are_numbered_across_restarts_and_the_whole_chain_verifies() {
    let (directory, path) = journal_of(3);
    let (journal, recovery) = reopened(directory.path()).unwrap();
    assert_eq!(
        recovery,
        Recovery {
            records: 3,
            cut_bytes: 0,
            new_log: false
        }
    );
    assert_eq!(journal.record(&entry(4)).unwrap(), Position(4));
    let verified = verify(directory.path()).unwrap();
    assert_eq!(
        (verified.records, verified.segments, verified.unfinished_bytes),
        (4, 1, 0)
    );
    let text = std::fs::read_to_string(path).unwrap();
    assert!(
        text.ends_with(&format!("\"digest\":\"{}\"}}\n", verified.head)),
        "{text}"
    );
}

#[test]
fn a_record_is_json_that_other_tools_can_read_and_check() {
    let (_directory, path) = journal_of(1);
    let text = std::fs::read_to_string(path).unwrap();
    let fields: std::collections::BTreeMap<String, &serde_json::value::RawValue> =
        serde_json::from_str(&text).unwrap();
    assert_eq!(
        fields.keys().collect::<Vec<_>>(),
        ["digest", "entry", "previous", "sequence"]
    );
    let entry = fields["entry"].get();
    assert!(
        entry.contains("\"action\":\"bedrock-mantle:CreateInference\""),
        "{entry}"
    );
    let (body, _) = text.split_once(",\"digest\"").unwrap();
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    let hex: String = sum.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(fields["digest"].get(), format!("\"{hex}\""));
}

#[test]
fn a_journal_has_one_writer_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let inside = directory.path().join("journal");
    let (journal, _) = FileJournal::open(&inside, &keys()).unwrap();
    assert!(matches!(
        FileJournal::open(&inside, &keys()),
        Err(AuditError::InUse(_))
    ));
    journal.record(&entry(1)).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inside), 0o700);
    for file in std::fs::read_dir(&inside).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    drop(journal);
    assert!(FileJournal::open(&inside, &keys()).is_ok());
}

#[test]
fn a_journal_cut_at_any_byte_of_its_last_record_goes_on() {
    let (directory, path) = journal_of(3);
    let whole = std::fs::read(&path).unwrap();
    let last = borders(&whole)[2];
    for length in last..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let (journal, recovery) = reopened(directory.path()).unwrap();
        assert_eq!(
            recovery,
            Recovery {
                records: 2,
                cut_bytes: (length - last) as u64,
                new_log: false
            },
            "{length}"
        );
        assert_eq!(journal.record(&entry(3)).unwrap(), Position(3));
        drop(journal);
        assert_eq!(
            std::fs::read(&path).unwrap(),
            whole,
            "the same entry makes the same bytes"
        );
    }
}

#[test]
fn a_page_that_never_reached_the_disk_is_a_torn_tail_too() {
    let (directory, path) = journal_of(3);
    let whole = std::fs::read(&path).unwrap();
    let last = borders(&whole)[2];
    // All of it lost; its beginning lost; zeros behind it.
    let mut begun = whole.clone();
    begun[last..last + 100].fill(0);
    let lost = [&whole[..last], &[0; 5000]].concat();
    let padded = [whole.as_slice(), &[0; 9000]].concat();
    for (bytes, records) in [(lost, 2_u8), (begun, 2), (padded, 3)] {
        std::fs::write(&path, &bytes).unwrap();
        let (_, recovery) = reopened(directory.path()).unwrap();
        assert_eq!(recovery.records, u64::from(records));
        assert_eq!(
            std::fs::read(&path).unwrap(),
            whole[..borders(&whole)[usize::from(records)]]
        );
    }
}

#[test]
fn a_byte_flipped_anywhere_in_a_whole_record_is_refused_and_nothing_is_changed() {
    let (directory, path) = journal_of(3);
    let whole = std::fs::read(&path).unwrap();
    // Not the very last byte: without its line break the last record is one that was never finished.
    for at in 0..whole.len() - 1 {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        std::fs::write(&path, &altered).unwrap();
        let Err(error) = reopened(directory.path()) else {
            panic!("byte {at} was accepted")
        };
        assert!(matches!(error, AuditError::Broken { .. }), "{at}: {error}");
        let message = error.to_string();
        assert!(
            message.contains("restore it from a backup") && message.contains(".jsonl"),
            "{message}"
        );
        assert!(matches!(verify(directory.path()), Err(AuditError::Broken { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), altered);
    }
}

#[test]
fn records_left_out_repeated_or_moved_are_refused() {
    let (directory, path) = journal_of(4);
    let whole = std::fs::read(&path).unwrap();
    let borders = borders(&whole);
    let line = |n: usize| &whole[borders[n]..borders[n + 1]];
    for order in [
        &[1, 2, 3][..],
        &[0, 2, 3],
        &[0, 1, 3],
        &[1, 0, 2, 3],
        &[0, 1, 1, 2, 3],
        &[0, 1, 2, 3, 3],
        &[3],
    ] {
        let altered: Vec<u8> = order.iter().flat_map(|n| line(*n).to_vec()).collect();
        std::fs::write(&path, altered).unwrap();
        assert!(
            matches!(reopened(directory.path()), Err(AuditError::Broken { .. })),
            "{order:?}"
        );
    }
}

#[test]
fn a_hole_before_sound_records_is_damage_not_a_torn_tail() {
    let (directory, path) = journal_of(4);
    let mut bytes = std::fs::read(&path).unwrap();
    let second = borders(&bytes)[1];
    bytes[second..second + 50].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(
        reopened(directory.path()),
        Err(AuditError::Broken { .. })
    ));
}

#[test]
fn foreign_bytes_longer_than_a_record_are_not_cut_off() {
    let (directory, path) = journal_of(1);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [whole.as_slice(), &[b'x'; 66_000]].concat()).unwrap();
    assert!(matches!(
        reopened(directory.path()),
        Err(AuditError::Broken { .. })
    ));
}

#[test]
fn an_endless_entry_is_refused_and_the_next_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = FileJournal::open(directory.path(), &keys()).unwrap();
    let endless = Entry {
        user_agent_sha256: Some("f".repeat(70_000)),
        ..entry(1)
    };
    let error = journal.record(&endless).unwrap_err();
    assert!(matches!(cause(&error), Some(AuditError::TooLong { .. })));
    assert_eq!(journal.record(&entry(1)).unwrap(), Position(1));
}

/// The error behind the trait's.
fn cause(error: &JournalUnavailable) -> Option<&AuditError> {
    std::error::Error::source(error)?.downcast_ref()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_lies_there_is_opened_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let (directory, path) = journal_of(1);
        let whole = std::fs::read(&path).unwrap();
        for bytes in [bytes.clone(), [whole.as_slice(), &bytes].concat()] {
            std::fs::write(&path, &bytes).unwrap();
            match reopened(directory.path()) {
                Ok((_, recovery)) => prop_assert!(recovery.records <= 1),
                Err(error) => {
                    prop_assert!(matches!(error, AuditError::Broken { .. }), "another error");
                    prop_assert_eq!(std::fs::read(&path).unwrap(), bytes);
                }
            }
        }
    }
}
