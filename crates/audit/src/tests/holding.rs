//! A journal that is held to what it said.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use moho_attest::log::{CheckpointError, Trust};
use moho_iam::authz::{Journal as _, Position};

use super::{blocked_on, borders, entry, keys};
use crate::chain::Link;
use crate::{AuditError, FileJournal, HeldLog, KeptCheckpoint, LogFault, hold, hold_range};

const FILE: &str = "journal-00000000000000000001.jsonl";

/// Has so many entries in it, published; whom to believe, and the checkpoint.
fn grown(directory: &Path, count: u64) -> (Trust, KeptCheckpoint) {
    let (journal, recovery) = FileJournal::open(directory, &keys()).unwrap();
    for number in recovery.records + 1..=count {
        journal.record(&entry(number)).unwrap();
    }
    blocked_on(journal.log().published(Position(count))).unwrap();
    let kept = KeptCheckpoint {
        name: format!("at-{count}"),
        note: journal.log().checkpoint().note.clone().into_bytes(),
    };
    (journal.log().trust(), kept)
}

fn held(directory: &Path, trust: &Trust, earlier: &[KeptCheckpoint]) -> Result<HeldLog, LogFault> {
    hold(directory, trust, earlier, &mut |_, _| ())
}

#[test]
fn an_honest_journal_is_what_it_said() {
    let directory = tempfile::tempdir().unwrap();
    let mut earlier = Vec::new();
    let mut trust = None;
    for count in [1, 3, 256, 300, 600] {
        let (whom, kept) = grown(directory.path(), count);
        earlier.push(kept);
        trust = Some(whom);
    }
    let trust = trust.unwrap();
    let found = held(directory.path(), &trust, &earlier).unwrap();
    assert_eq!(found.records, Some((1, 600)));
    assert_eq!(
        (
            found.signed.checkpoint().size,
            found.unpublished,
            found.unfinished_bytes
        ),
        (600, 0, 0)
    );
    for range in [(1, 1), (1, 600), (200, 520), (256, 257), (600, 600)] {
        let found = hold_range(directory.path(), &trust, &earlier, range).unwrap();
        assert_eq!(found.records, Some(range));
    }
    for (first, last) in [(0, 1), (3, 2), (600, 601)] {
        let absent = hold_range(directory.path(), &trust, &[], (first, last));
        assert!(matches!(absent, Err(LogFault::NoSuchRecords { size: 600, .. })));
    }
}

/// All that is in a folder: names, bytes, and when and how each may be changed.
fn all_of(directory: &Path) -> Vec<(OsString, Vec<u8>, SystemTime, u32)> {
    let here = std::fs::metadata(directory).unwrap();
    let itself = (
        OsString::new(),
        Vec::new(),
        here.modified().unwrap(),
        here.permissions().mode(),
    );
    let inside = std::fs::read_dir(directory).unwrap().map(|file| {
        let file = file.unwrap();
        let about = file.metadata().unwrap();
        let bytes = std::fs::read(file.path()).unwrap();
        (
            file.file_name(),
            bytes,
            about.modified().unwrap(),
            about.permissions().mode(),
        )
    });
    let mut all: Vec<_> = inside.chain([itself]).collect();
    all.sort();
    all
}

#[test]
fn nothing_is_changed_of_what_is_checked_and_it_need_not_be_writable() {
    let directory = tempfile::tempdir().unwrap();
    let (trust, kept) = grown(directory.path(), 300);
    let earlier = [kept];
    let may = |mode: u32, of_files: u32| {
        for file in std::fs::read_dir(directory.path()).unwrap() {
            let of_files = std::fs::Permissions::from_mode(of_files);
            std::fs::set_permissions(file.unwrap().path(), of_files).unwrap();
        }
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    may(0o500, 0o400);
    let before = all_of(directory.path());
    assert!(held(directory.path(), &trust, &earlier).is_ok());
    assert!(hold_range(directory.path(), &trust, &earlier, (200, 300)).is_ok());
    assert!(all_of(directory.path()) == before);
    // Where hashes are missing, none are made: that is for who writes the journal.
    for absent in ["hashes-0", "hashes-7", "offsets"] {
        may(0o700, 0o600);
        let file = directory.path().join(absent);
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let before = all_of(directory.path());
        assert!(held(directory.path(), &trust, &earlier).is_ok());
        let missing = hold_range(directory.path(), &trust, &earlier, (200, 300)).unwrap_err();
        let named = matches!(&missing, LogFault::Records(AuditError::Io { path, .. }) if *path == file);
        assert!(named, "{missing}");
        assert!(all_of(directory.path()) == before);
        std::fs::write(&file, bytes).unwrap();
    }
    may(0o700, 0o600);
}

#[test]
fn a_journal_that_was_cut_and_signed_anew_is_rolled_back_and_forked() {
    let directory = tempfile::tempdir().unwrap();
    let (trust, five) = grown(directory.path(), 5);
    let (_, nine) = grown(directory.path(), 9);
    // As whoever has the signing key would do it.
    let path = directory.path().join(FILE);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..borders(&whole)[4]]).unwrap();
    super::sign_nothing(directory.path());
    let (journal, _) = FileJournal::open(directory.path(), &keys()).unwrap();
    drop(journal);
    let rolled_back = held(directory.path(), &trust, &[nine]);
    assert!(matches!(&rolled_back, Err(LogFault::RolledBack { name, has: 4, had: 9 }) if name == "at-9"));
    let (journal, _) = FileJournal::open(directory.path(), &keys()).unwrap();
    for number in 15..=20 {
        journal.record(&entry(number)).unwrap();
    }
    drop(journal);
    let forked = held(directory.path(), &trust, &[five]);
    assert!(
        matches!(&forked, Err(LogFault::Forked { name, size: 5 }) if name == "at-5"),
        "{forked:?}"
    );
    let (_, ten) = grown(directory.path(), 10);
    assert!(held(directory.path(), &trust, &[ten]).is_ok());
}

#[test]
fn a_record_that_was_altered_and_chained_anew_does_not_fit() {
    let directory = tempfile::tempdir().unwrap();
    let (trust, kept) = grown(directory.path(), 300);
    let path = directory.path().join(FILE);
    let whole = std::fs::read_to_string(&path).unwrap();
    // Every digest is right again, from the altered record on.
    let mut link = Link::START;
    let mut forged = Vec::new();
    for (number, line) in whole.lines().enumerate() {
        let (_, rest) = line.split_once(r#""entry":"#).unwrap();
        let (entry, _) = rest.rsplit_once(r#","digest""#).unwrap();
        let altered = entry.replace("Developer", "Somebody!");
        let (record, next) = link.record(if number == 7 { &altered } else { entry }).unwrap();
        forged.extend(record);
        link = next;
    }
    std::fs::write(&path, &forged).unwrap();
    assert!(
        crate::verify(directory.path()).is_ok(),
        "the chain alone does not tell"
    );
    assert!(matches!(
        held(directory.path(), &trust, &[]),
        Err(LogFault::Forked { size: 300, .. })
    ));
    assert!(matches!(
        held(directory.path(), &trust, &[kept]),
        Err(LogFault::Forked { size: 300, .. })
    ));
    assert!(matches!(
        hold_range(directory.path(), &trust, &[], (8, 8)),
        Err(LogFault::Unproven(8))
    ));
    assert!(matches!(
        hold_range(directory.path(), &trust, &[], (1, 300)),
        Err(LogFault::Unproven(8))
    ));
    assert!(hold_range(directory.path(), &trust, &[], (1, 7)).is_ok());
}

#[test]
fn what_is_damaged_missing_or_signed_by_others_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (trust, kept) = grown(directory.path(), 20);
    let stranger = Trust {
        origin: "example.com/log".parse().unwrap(),
        ..trust.clone()
    };
    let other = held(directory.path(), &stranger, &[]);
    assert!(matches!(
        other,
        Err(LogFault::Checkpoint {
            source: CheckpointError::OtherLog(_),
            ..
        })
    ));
    let witnessed = Trust {
        needed: 1,
        ..trust.clone()
    };
    let few = CheckpointError::TooFewWitnesses { found: 0, needed: 1 };
    assert!(
        matches!(held(directory.path(), &witnessed, &[]), Err(LogFault::Checkpoint { source, .. }) if source == few)
    );
    let garbled = KeptCheckpoint {
        note: kept.note[..40].to_vec(),
        name: "garbled".to_owned(),
    };
    assert!(
        matches!(held(directory.path(), &trust, &[garbled]), Err(LogFault::Checkpoint { name, .. }) if name == "garbled")
    );

    let path = directory.path().join(FILE);
    let whole = std::fs::read(&path).unwrap();
    let mut altered = whole.clone();
    altered[borders(&whole)[9] + 100] ^= 1;
    std::fs::write(&path, altered).unwrap();
    let broken = held(directory.path(), &trust, &[]);
    assert!(matches!(
        broken,
        Err(LogFault::Records(AuditError::Broken { .. }))
    ));
    let without: Vec<u8> = [&whole[..borders(&whole)[9]], &whole[borders(&whole)[10]..]].concat();
    std::fs::write(&path, without).unwrap();
    let missing = held(directory.path(), &trust, &[]);
    assert!(matches!(
        missing,
        Err(LogFault::Records(AuditError::Broken { .. }))
    ));
    std::fs::write(&path, &whole).unwrap();
    std::fs::remove_file(directory.path().join("checkpoint")).unwrap();
    assert!(matches!(
        held(directory.path(), &trust, &[]),
        Err(LogFault::NoCheckpoint(_))
    ));
}
