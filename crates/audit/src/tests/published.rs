//! What is published of a journal: checkpoints, tiles, proofs; and what does not fit them.

use std::path::Path;
use std::sync::Mutex;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use moho_attest::log::{
    Held, NoteKey, SignatureKind, Tile, TreeHash, UnsignedCheckpoint, bundle, cosigned_text, signature_line,
};
use moho_iam::authz::{Journal as _, Position};
use moho_terms::Timestamp;

use super::{blocked_on, borders, entry, event, keys};
use crate::{AuditError, FileJournal, LogKeys, Prove, Published, Witnesses};

const FILE: &str = "journal-00000000000000000001.jsonl";

/// A journal of so many entries, all of them published.
fn published(directory: &Path, count: u64) -> FileJournal {
    let (journal, recovery) = FileJournal::open(directory, &keys()).unwrap();
    for number in recovery.records + 1..=count {
        journal.record(&entry(number)).unwrap();
    }
    blocked_on(journal.log().published(Position(count))).unwrap();
    journal
}

fn closed(count: u64) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    drop(published(directory.path(), count));
    directory
}

fn open(directory: &Path) -> Result<FileJournal, AuditError> {
    FileJournal::open(directory, &keys()).map(|(journal, _)| journal)
}

/// All tiles of a journal, by their paths.
fn tiles(journal: &FileJournal, size: u64) -> Vec<(String, Vec<u8>)> {
    let bytes = |tile: &Tile| journal.log().tile(tile).unwrap().unwrap();
    Tile::all(size)
        .map(|tile| (tile.to_string(), bytes(&tile)))
        .collect()
}

#[test]
fn what_is_published_is_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let journal = published(directory.path(), 600);
    let checkpoint = journal.log().checkpoint();
    let note = UnsignedCheckpoint::read(checkpoint.note.as_bytes()).unwrap();
    let signed = note.check(&journal.log().trust()).unwrap();
    assert_eq!(signed.checkpoint(), &checkpoint.checkpoint);
    assert_eq!(checkpoint.checkpoint.size, 600);

    let text = std::fs::read(directory.path().join(FILE)).unwrap();
    let lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let digest = |line: &[u8]| line[line.len() - 67..line.len() - 3].to_vec();
    let digests: Vec<_> = lines.iter().map(|line| digest(line)).collect();
    let whole = Tile::new(Held::Entries, 1, 256).unwrap();
    let bytes = journal.log().tile(&whole).unwrap().unwrap();
    assert_eq!(bundle::entries(&bytes).unwrap(), digests[256..512]);
    let partial = Tile::new(Held::Hashes { level: 0 }, 2, 88).unwrap();
    let hashes: Vec<u8> = digests[512..]
        .iter()
        .flat_map(|line| *TreeHash::of_entry(line).as_bytes())
        .collect();
    assert_eq!(journal.log().tile(&partial).unwrap().unwrap(), hashes);
    for absent in [
        Tile::new(Held::Entries, 2, 89),
        Tile::new(Held::Hashes { level: 1 }, 0, 3),
    ] {
        assert_eq!(journal.log().tile(&absent.unwrap()).unwrap(), None);
    }

    for position in [1, 256, 257, 512, 600] {
        let proven = journal.log().proven(Position(position)).unwrap().unwrap();
        assert_eq!(proven.record, lines[usize::try_from(position).unwrap() - 1]);
        let hash = TreeHash::of_entry(&digest(&proven.record));
        assert_eq!(proven.proof.check(&hash, &checkpoint.checkpoint.root), Ok(()));
    }
    assert_eq!(journal.log().proven(Position(0)).unwrap(), None);
    assert_eq!(journal.log().proven(Position(601)).unwrap(), None);
    for position in [0, 257, 599] {
        let written = journal.log().written_after(Position(position)).unwrap();
        assert_eq!(written, Some(entry(position + 1).time));
    }
    assert_eq!(journal.log().written_after(Position(600)).unwrap(), None);
}

/// The search for a time reads no more of them than some thousands at each of its steps.
#[test]
fn a_time_behind_a_long_row_of_events_is_looked_for_before_them() {
    let late = Timestamp::from_unix_seconds(entry(0).time.unix_seconds() + 10_000);
    for (events, before) in [(4_000, 4_002), (8_200, 1)] {
        let directory = tempfile::tempdir().unwrap();
        let journal = published(directory.path(), 1);
        for _ in 0..events {
            journal.record_event(&event()).unwrap();
        }
        let last = journal.record(&entry(2)).unwrap();
        blocked_on(journal.log().published(last)).unwrap();
        assert_eq!(journal.log().before(late).unwrap(), Position(before));
        assert_eq!(journal.log().since(late).unwrap(), last);
    }
}

#[test]
fn each_checkpoint_continues_the_one_before_also_over_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let mut before = published(directory.path(), 3).log().checkpoint();
    for count in [4, 255, 256, 257, 520] {
        let journal = published(directory.path(), count);
        let (proof, now) = journal
            .log()
            .consistency(before.checkpoint.size)
            .unwrap()
            .unwrap();
        assert_eq!(proof.check(&before.checkpoint.root, &now.checkpoint.root), Ok(()));
        assert_eq!(journal.log().consistency(count + 1).unwrap(), None);
        before = now;
    }
}

#[test]
fn records_that_only_a_killed_process_knew_of_are_published_when_it_is_opened() {
    let directory = closed(300);
    let early = std::fs::read(directory.path().join("checkpoint")).unwrap();
    drop(published(directory.path(), 310));
    std::fs::write(directory.path().join("checkpoint"), early).unwrap();
    let journal = open(directory.path()).unwrap();
    assert_eq!(journal.log().checkpoint().checkpoint.size, 310);
}

#[test]
fn what_follows_from_the_records_is_made_again() {
    let directory = closed(700);
    let all = tiles(&open(directory.path()).unwrap(), 700);
    let alter = |name: &str, how: &dyn Fn(&mut Vec<u8>)| {
        let path = directory.path().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        how(&mut bytes);
        std::fs::write(path, bytes).unwrap();
    };
    let last = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
    let half = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2);
    let more = |bytes: &mut Vec<u8>| bytes.extend([7; 99]);
    for name in ["hashes-0", "hashes-1", "digests"] {
        for how in [&last as &dyn Fn(&mut Vec<u8>), &half, &more] {
            alter(name, how);
            assert_eq!(tiles(&open(directory.path()).unwrap(), 700), all, "{name}");
        }
        std::fs::remove_file(directory.path().join(name)).unwrap();
        assert_eq!(tiles(&open(directory.path()).unwrap(), 700), all, "{name}");
    }
    alter("offsets", &half);
    assert_eq!(tiles(&open(directory.path()).unwrap(), 700), all);
    super::sign_nothing(directory.path());
    assert_eq!(tiles(&open(directory.path()).unwrap(), 700), all);
}

#[test]
fn a_hash_that_a_disk_has_changed_proves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let journal = published(directory.path(), 700);
    let path = directory.path().join("hashes-0");
    let mut bytes = std::fs::read(&path).unwrap();
    // Of entry 9, which is in a whole tile: nobody looks at it to go on.
    bytes[9 * 32] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(
        journal.log().proven(Position(9)),
        Err(AuditError::Broken { .. })
    ));
    assert!(
        matches!(journal.log().consistency(9), Err(AuditError::Broken { .. }))
            || journal.log().consistency(10).is_err()
    );
    assert!(journal.log().proven(Position(600)).unwrap().is_some());
}

#[test]
fn a_journal_that_was_cut_behind_its_checkpoint_is_refused() {
    let directory = closed(5);
    let path = directory.path().join(FILE);
    let whole = std::fs::read(&path).unwrap();
    for records in 0..5 {
        std::fs::write(&path, &whole[..borders(&whole)[records]]).unwrap();
        let Err(error) = open(directory.path()) else {
            panic!("{records} records were accepted")
        };
        assert!(
            matches!(error, AuditError::RolledBack { has, had: 5, .. } if has == records as u64),
            "{error}"
        );
    }
    // Cut in the middle of a record, too.
    std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    assert!(matches!(
        open(directory.path()),
        Err(AuditError::RolledBack { has: 4, .. })
    ));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(
        open(directory.path()),
        Err(AuditError::RolledBack { has: 0, .. })
    ));
}

#[test]
fn a_journal_that_was_written_anew_does_not_fit_its_checkpoint() {
    let directory = closed(5);
    let other = tempfile::tempdir().unwrap();
    let (journal, _) = FileJournal::open(other.path(), &keys()).unwrap();
    for number in 11..=17 {
        journal.record(&entry(number)).unwrap();
    }
    drop(journal);
    std::fs::copy(other.path().join(FILE), directory.path().join(FILE)).unwrap();
    let forged = |name: &str| std::fs::copy(other.path().join(name), directory.path().join(name)).unwrap();
    assert!(matches!(open(directory.path()), Err(AuditError::Broken { .. })));
    // Whoever has the hashes made anew as well still lacks the signature.
    forged("hashes-0");
    forged("digests");
    forged("offsets");
    assert!(matches!(open(directory.path()), Err(AuditError::Broken { .. })));
}

#[test]
fn a_journal_begins_a_new_log_only_under_other_keys() {
    let directory = closed(5);
    assert!(!crate::begin_log_anew(directory.path(), &keys()).unwrap());
    let was = open(directory.path()).unwrap().log().checkpoint();
    let foreign = LogKeys::new(moho_terms::Secret::new(vec![8; 32]), [2; 16]);
    assert!(crate::begin_log_anew(directory.path(), &foreign).unwrap());
    let (journal, _) = FileJournal::open(directory.path(), &foreign).unwrap();
    let is = journal.log().checkpoint();
    assert_eq!(is.checkpoint.root, was.checkpoint.root);
    assert_eq!(is.checkpoint.size, 5);
    assert_ne!(is.checkpoint.origin, was.checkpoint.origin);
    drop(journal);
    assert!(!crate::begin_log_anew(directory.path(), &foreign).unwrap());
    let empty = tempfile::tempdir().unwrap();
    assert!(!crate::begin_log_anew(empty.path(), &foreign).unwrap());
}

#[test]
fn a_checkpoint_of_another_or_of_nobody_is_refused() {
    let directory = closed(5);
    let path = directory.path().join("checkpoint");
    let note = std::fs::read_to_string(&path).unwrap();
    let foreign = LogKeys::new(moho_terms::Secret::new(vec![8; 32]), [1; 16]);
    assert!(matches!(
        FileJournal::open(directory.path(), &foreign),
        Err(AuditError::Checkpoint { .. })
    ));
    for wrong in [
        String::new(),
        note.replace("\n5\n", "\n4\n"),
        note.replace("moho/log/0", "moho/log/1"),
    ] {
        std::fs::write(&path, wrong).unwrap();
        assert!(matches!(
            open(directory.path()),
            Err(AuditError::Checkpoint { .. })
        ));
    }
    std::fs::write(&path, note).unwrap();
    assert!(open(directory.path()).is_ok());
}

#[test]
fn a_journal_without_its_id_begins_a_new_log_and_only_without_a_checkpoint() {
    let directory = closed(5);
    let id = directory.path().join("log");
    let reopened = |fresh: u8| {
        let keys = LogKeys::new(moho_terms::Secret::new(vec![7; 32]), [fresh; 16]);
        FileJournal::open(directory.path(), &keys)
            .map(|(journal, _)| journal.log().checkpoint().checkpoint.clone())
    };
    let before = reopened(2).unwrap();
    assert_eq!(before.origin.as_str(), format!("moho/log/{}", "01".repeat(16)));
    std::fs::remove_file(&id).unwrap();
    assert!(matches!(reopened(2), Err(AuditError::Checkpoint { .. })));
    std::fs::remove_file(directory.path().join("checkpoint")).unwrap();
    let after = reopened(3).unwrap();
    assert_eq!((after.size, after.root), (before.size, before.root));
    assert_eq!(after.origin.as_str(), format!("moho/log/{}", "02".repeat(16)));
    for wrong in ["", "0", &"0A".repeat(16), &"01".repeat(17)] {
        std::fs::write(&id, wrong).unwrap();
        assert!(matches!(reopened(4), Err(AuditError::NoLog(_))), "{wrong}");
    }
}

#[test]
fn a_log_whose_checkpoint_is_missing_is_not_continued() {
    let directory = closed(5);
    let (id, file) = (directory.path().join("log"), directory.path().join("checkpoint"));
    let (named, note) = (std::fs::read(&id).unwrap(), std::fs::read(&file).unwrap());
    let records = directory.path().join("journal-00000000000000000001.jsonl");
    let whole = std::fs::read(&records).unwrap();
    assert!(crate::log_named(directory.path()).unwrap().is_some());
    let all = || {
        let files = std::fs::read_dir(directory.path()).unwrap().map(Result::unwrap);
        let mut files: Vec<_> = files
            .map(|file| (file.file_name(), std::fs::read(file.path()).unwrap()))
            .collect();
        files.sort();
        files
    };
    // With all its records, with fewer, with none: what was signed cannot be told, and nothing is changed.
    let fewer = &whole[..borders(&whole)[3]];
    for left in [&whole[..], fewer, &[]] {
        std::fs::write(&records, left).unwrap();
        std::fs::remove_file(&file).unwrap();
        let before = all();
        let Err(error) = open(directory.path()) else {
            panic!("{} bytes of records were signed anew", left.len())
        };
        assert!(matches!(error, AuditError::NoCheckpoint(_)), "{error}");
        assert!(error.to_string().contains("move `log` away"), "{error}");
        assert!(matches!(
            crate::log_named(directory.path()),
            Err(AuditError::NoCheckpoint(_))
        ));
        assert!(all() == before);
        // Put back, it tells whether they are all there.
        std::fs::write(&file, &note).unwrap();
        let opened = open(directory.path()).map(drop);
        assert_eq!(opened.is_ok(), left == &whole[..]);
    }
    // Whoever takes the name away begins a new log, and is told.
    std::fs::write(&records, fewer).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_file(&id).unwrap();
    let other = LogKeys::new(moho_terms::Secret::new(vec![7; 32]), [9; 16]);
    let (journal, recovery) = FileJournal::open(directory.path(), &other).unwrap();
    assert!(recovery.new_log);
    assert_eq!(journal.log().checkpoint().checkpoint.size, 3);
    assert_ne!(std::fs::read(&id).unwrap(), named);
    drop(journal);
    let (_, recovery) = FileJournal::open(directory.path(), &other).unwrap();
    assert!(!recovery.new_log);
}

#[test]
fn what_is_interrupted_before_it_has_published_anything_goes_on() {
    let directory = closed(5);
    let file = |name: &str| directory.path().join(name);
    // Before the first checkpoint, and between that and its name.
    for published in [false, true] {
        std::fs::rename(file("log"), file("log.beginning")).unwrap();
        if !published {
            std::fs::remove_file(file("checkpoint")).unwrap();
        }
        let other = LogKeys::new(moho_terms::Secret::new(vec![7; 32]), [9; 16]);
        let (journal, recovery) = FileJournal::open(directory.path(), &other).unwrap();
        assert!(recovery.new_log);
        let origin = journal.log().checkpoint().checkpoint.origin.clone();
        assert_eq!(origin.as_str(), format!("moho/log/{}", "01".repeat(16)));
        assert!(file("log").exists() && !file("log.beginning").exists());
    }
}

#[test]
fn records_out_of_a_backup_beside_a_name_without_a_checkpoint_begin_a_new_log() {
    let directory = closed(5);
    assert!(!crate::begin_log_of_restored(directory.path()).unwrap());
    std::fs::remove_file(directory.path().join("checkpoint")).unwrap();
    assert!(crate::begin_log_of_restored(directory.path()).unwrap());
    assert!(!crate::begin_log_of_restored(directory.path()).unwrap());
    let other = LogKeys::new(moho_terms::Secret::new(vec![7; 32]), [9; 16]);
    let (journal, _) = FileJournal::open(directory.path(), &other).unwrap();
    let origin = journal.log().checkpoint().checkpoint.origin.clone();
    assert_eq!(origin.as_str(), format!("moho/log/{}", "09".repeat(16)));
}

/// Witnesses of whom some lie.
struct Both(Vec<NoteKey>, Mutex<u64>);

fn witness(seed: u8) -> (Ed25519KeyPair, NoteKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    let name = format!("witness.example/{seed}").parse().unwrap();
    (pair, NoteKey::new(name, SignatureKind::Cosignature, public))
}

impl Witnesses for Both {
    fn keys(&self) -> &[NoteKey] {
        &self.0
    }

    fn cosign(&self, published: &Published, prove: &Prove<'_>) -> Vec<String> {
        let mut seen = self.1.lock().unwrap();
        let proof = prove(*seen).unwrap();
        assert_eq!((proof.old, proof.new), (*seen, published.checkpoint.size));
        *seen = published.checkpoint.size;
        let signed = |seed: u8, text: &str| {
            let (pair, key) = witness(seed);
            let signature = pair.sign(cosigned_text(7, text).as_bytes());
            signature_line(&key, &[&7_u64.to_be_bytes()[..], signature.as_ref()].concat())
        };
        let text = published.checkpoint.to_string();
        let honest = signed(1, &text);
        vec![
            honest.clone() + &honest,
            signed(2, "another text\n"),
            signed(3, &text),
            "no line".to_owned(),
        ]
    }
}

#[test]
fn only_cosignatures_that_are_any_are_published_once_each() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = FileJournal::open(directory.path(), &keys()).unwrap();
    let known = vec![witness(1).1, witness(2).1];
    let witnesses = Both(known.clone(), Mutex::new(0));
    journal.log().witnessed_by(Box::new(witnesses));
    journal.record(&entry(1)).unwrap();
    blocked_on(journal.log().published(Position(1))).unwrap();
    let published = journal.log().checkpoint();
    assert_eq!(published.cosigners(), 1, "{}", published.note);
    let trust = moho_attest::log::Trust {
        witnesses: known,
        needed: 1,
        ..journal.log().trust()
    };
    let read = UnsignedCheckpoint::read(published.note.as_bytes()).unwrap();
    assert_eq!(read.check(&trust).unwrap().cosignatures()[0].time(), 7);
    drop(journal);
    // It is kept with its signatures.
    assert_eq!(open(directory.path()).unwrap().log().checkpoint(), published);
}
