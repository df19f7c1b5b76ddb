//! Backups: made beside writers, gone on with, checked, altered, put back.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use moho_kms::RootKey;
use moho_terms::{Secret, Timestamp};
use rusqlite::{Connection, params};

use super::*;
use crate::Store;
use crate::error::StoreError;
use crate::objects::{LocalSegments, SegmentId, Segments};
use crate::tests::{World, opened};

/// A store with segments, and a folder for its backups.
struct House {
    folder: tempfile::TempDir,
    root: RootKey,
    key: Secret,
    seconds: u64,
    /// Where segments rest, if not in the store.
    elsewhere: Option<LocalSegments>,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        drop(opened(folder.path()).unwrap());
        let root = RootKey::development(&folder.path().join("root.key"), &World::default()).unwrap();
        let house = Self {
            folder,
            root,
            key: Secret::new(vec![7; 32]),
            seconds: 1_795_312_800,
            elsewhere: None,
        };
        fs::create_dir(house.journal()).unwrap();
        house
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    fn sqlite(&self) -> Connection {
        Connection::open(self.store().join(DATABASE)).unwrap()
    }

    /// Puts a segment: its file, then its row.
    fn put(&self, number: u8, bytes: usize) -> SegmentId {
        let id = SegmentId::of(&[number; 32]);
        let path = self.store().join(OBJECTS).join(id.file());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, vec![number; bytes]).unwrap();
        let insert = "INSERT INTO object_segment (body_id, part, segment_id, plain_length, sealed_length, commitment, sums, etag,
            modified_at) VALUES (?1, 1, ?2, 0, ?3, ?4, x'', '', 0)";
        let commitment = [number; 32];
        let values = params![
            format!("body-{number}"),
            id.to_string(),
            i64::try_from(bytes).unwrap(),
            commitment.as_slice()
        ];
        let store = self.open().unwrap();
        store
            .database
            .write(|transaction| transaction.execute(insert, values))
            .unwrap();
        id
    }

    fn delete(&self, body: &str) {
        let delete = "DELETE FROM object_segment WHERE body_id = ?1";
        let store = self.open().unwrap();
        store
            .database
            .write(|transaction| transaction.execute(delete, [body]))
            .unwrap();
    }

    fn open(&self) -> Result<Store, StoreError> {
        opened(self.folder.path())
    }

    fn back_up(&mut self) -> Result<BackupMade, BackupError> {
        self.back_up_hearing(&mut |_| {})
    }

    fn back_up_hearing(&mut self, hearing: Hearing<'_>) -> Result<BackupMade, BackupError> {
        self.seconds += 1;
        let journal = self.journal();
        let parts = move || {
            let path = journal.join("journal-00000000000000000001.jsonl");
            let whole = fs::metadata(&path).map_or(0, |found| found.len().saturating_sub(3));
            Ok(if path.exists() {
                vec![JournalPart { path, whole }]
            } else {
                Vec::new()
            })
        };
        let local = LocalSegments::open(self.store().join(OBJECTS)).unwrap();
        let original = Original {
            store: &self.store(),
            segments: self.elsewhere.as_ref().unwrap_or(&local),
            journal: &parts,
            node: "",
            root: &self.root,
            key: &self.key,
            now: Timestamp::from_unix_seconds(self.seconds),
        };
        back_up(&original, &self.backups(), hearing)
    }

    fn check(&self) -> Result<CheckedBackup, BackupError> {
        check_backup(&self.backups(), &self.key, &mut |_| {})
    }

    fn restore(&self, replace: bool) -> Result<Restored, BackupError> {
        let checked = self.check()?;
        let into = RestoreInto {
            store: &self.store(),
            segments: self.elsewhere.as_ref().map(|place| place as &dyn Segments),
            replace,
            now: Timestamp::from_unix_seconds(self.seconds),
        };
        let staged = stage_backup(&checked, &into, &mut |_| {})?;
        staged.accept((&self.root, &World::default()), None)?;
        staged.put_in_place()
    }
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    found
}

#[test]
fn what_is_backed_up_comes_back() {
    let mut house = House::new();
    let (small, large) = (house.put(1, 100), house.put(2, 3 << 20));
    fs::write(
        house.journal().join("journal-00000000000000000001.jsonl"),
        "entry\nto",
    )
    .unwrap();
    let made = house.back_up().unwrap();
    assert_eq!(
        (made.head.segments, made.head.segment_bytes),
        (2, 100 + (3 << 20))
    );
    assert_eq!(made.copied.0, 2);
    assert_eq!(made.head.root_key, house.root.ring().current().name());
    assert_eq!(house.check().unwrap().head(), &made.head);
    let same = what_is_known(&house.store(), &house.check().unwrap(), &house.root);
    assert!(
        same.same_root && same.epoch == Some(made.head.epoch),
        "nothing is lost"
    );

    house.put(3, 10);
    fs::remove_file(house.store().join(OBJECTS).join(small.file())).unwrap();
    let later = what_is_known(&house.store(), &house.check().unwrap(), &house.root);
    assert!(later.epoch.unwrap() > made.head.epoch && !later.same_root);
    let before = fs::read(house.store().join(DATABASE)).unwrap();
    let restored = house.restore(true).unwrap();
    let aside = restored.set_aside.unwrap();
    assert_eq!(
        fs::read(aside.join(DATABASE)).unwrap(),
        before,
        "the old one is whole"
    );
    for (id, bytes) in [(small, vec![1; 100]), (large, vec![2; 3 << 20])] {
        assert_eq!(
            fs::read(house.store().join(OBJECTS).join(id.file())).unwrap(),
            bytes
        );
    }
    let count: u32 = house
        .sqlite()
        .query_row("SELECT count(*) FROM object_segment", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 2, "what came later is not there");
    drop(house.open().unwrap());
    let known = what_is_known(&house.store(), &house.check().unwrap(), &house.root);
    assert!(
        known.epoch.unwrap() > later.epoch.unwrap(),
        "no earlier state passes for a later one"
    );
    let journal = house.folder.path().join("again");
    restore_journal(&house.check().unwrap(), &journal).unwrap();
    let text = fs::read_to_string(journal.join("journal-00000000000000000001.jsonl")).unwrap();
    assert_eq!(text, "entry", "only whole entries");
}

#[test]
fn a_later_backup_copies_only_what_is_new_and_each_is_whole() {
    let mut house = House::new();
    let ids: Vec<_> = (1..=5).map(|number| house.put(number, 1000)).collect();
    let first = house.back_up().unwrap();
    house.put(9, 77);
    house.delete("body-1");
    let second = house.back_up().unwrap();
    assert_eq!(second.copied, (1, 77));
    assert_eq!(second.head.segments, 5);
    assert!(!second.path.join(OBJECTS).join(ids[0].file()).exists());
    fs::remove_dir_all(&first.path).unwrap();
    assert_eq!(house.check().unwrap().path(), second.path);
    assert_eq!(backups_in(&house.backups()).unwrap(), [second.path]);
}

#[test]
fn segments_that_rest_elsewhere_are_fetched_and_put_back_there() {
    let mut house = House::new();
    let ids: Vec<_> = [(1, 10), (2, 3 << 20), (3, 77)]
        .map(|(number, bytes)| house.put(number, bytes))
        .into();
    let elsewhere = house.folder.path().join("elsewhere");
    fs::rename(house.store().join(OBJECTS), &elsewhere).unwrap();
    assert!(matches!(house.back_up(), Err(BackupError::SegmentGone(_))));
    house.elsewhere = Some(LocalSegments::open(elsewhere.clone()).unwrap());
    let made = house.back_up().unwrap();
    assert_eq!((made.head.segments, made.copied.0), (3, 3));
    let kept: Vec<_> = ids.iter().map(|id| elsewhere.join(id.file())).collect();
    let bytes = kept.iter().map(|path| fs::read(path).unwrap());
    let bytes: Vec<_> = bytes.collect();
    fs::remove_file(&kept[0]).unwrap();
    fs::write(&kept[1], vec![9; 3 << 20]).unwrap();
    house.restore(true).unwrap();
    for (path, bytes) in kept.iter().zip(&bytes) {
        assert!(fs::read(path).unwrap() == *bytes, "{}", path.display());
    }
    assert!(!house.store().join(OBJECTS).join(ids[0].file()).exists());
    // What is altered in the backup is not put there.
    let path = made.path.join(OBJECTS).join(ids[2].file());
    fs::remove_file(&kept[2]).unwrap();
    let checked = house.check().unwrap();
    fs::write(&path, vec![4; 77]).unwrap();
    let into = RestoreInto {
        store: &house.store(),
        segments: house.elsewhere.as_ref().map(|place| place as &dyn Segments),
        replace: true,
        now: Timestamp::from_unix_seconds(house.seconds),
    };
    let staged = stage_backup(&checked, &into, &mut |_| {});
    assert!(matches!(staged, Err(BackupError::Damaged { .. })));
    assert!(!kept[2].exists());
}

#[test]
fn every_altered_file_is_found_and_nothing_is_touched() {
    let mut house = House::new();
    house.put(1, 100);
    house.put(2, 70_000);
    fs::write(
        house.journal().join("journal-00000000000000000001.jsonl"),
        "entry one\nto",
    )
    .unwrap();
    let made = house.back_up().unwrap();
    let store = fs::read(house.store().join(DATABASE)).unwrap();
    let mut seen = 0;
    for path in files(&made.path) {
        let whole = fs::read(&path).unwrap();
        let altered = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = whole.clone();
            change(&mut bytes);
            fs::write(&path, &bytes).unwrap();
            assert!(house.restore(true).is_err(), "{}", path.display());
            assert_eq!(fs::read(house.store().join(DATABASE)).unwrap(), store);
        };
        altered(&|bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        });
        altered(&|bytes| bytes.truncate(bytes.len() - 1));
        altered(&|bytes| bytes.push(b'\n'));
        altered(&|bytes| bytes.clear());
        fs::remove_file(&path).unwrap();
        assert!(house.restore(true).is_err(), "{}", path.display());
        std::os::unix::fs::symlink(house.store().join(DATABASE), &path).unwrap();
        assert!(house.restore(true).is_err(), "{}", path.display());
        fs::remove_file(&path).unwrap();
        fs::write(&path, &whole).unwrap();
        seen += 1;
    }
    assert_eq!(seen, 5, "manifest, database, two segments, journal");
    assert!(house.restore(true).is_ok());
}

#[test]
fn another_installation_s_backup_is_refused() {
    let mut house = House::new();
    house.back_up().unwrap();
    house.key = Secret::new(vec![8; 32]);
    assert!(matches!(house.check(), Err(BackupError::Manifest { .. })));
    let empty = tempfile::tempdir().unwrap();
    let none = check_backup(empty.path(), &house.key, &mut |_| {});
    assert!(matches!(none, Err(BackupError::NoBackup(_))));
}

#[test]
fn a_store_in_use_or_not_empty_is_left_alone() {
    let mut house = House::new();
    house.back_up().unwrap();
    assert!(matches!(house.restore(false), Err(BackupError::NotEmpty(_))));
    let open = house.open().unwrap();
    assert!(matches!(house.restore(true), Err(BackupError::InUse(_))));
    drop(open);
    assert!(house.restore(true).is_ok());
}

#[test]
fn one_that_was_broken_off_is_no_backup_and_is_gone_on_with() {
    let mut house = House::new();
    let ids: Vec<_> = (1..=4).map(|number| house.put(number, 300 << 10)).collect();
    let gone = house.store().join(OBJECTS).join(ids[3].file());
    let bytes = fs::read(&gone).unwrap();
    fs::remove_file(&gone).unwrap();
    assert!(matches!(house.back_up(), Err(BackupError::SegmentGone(id)) if id == ids[3].to_string()));
    assert!(matches!(house.check(), Err(BackupError::NoBackup(_))));
    // What a loss of power tears is copied again; what is known to be on the disk is not.
    let draft = house.backups().join(UNFINISHED);
    assert!(draft.join(OBJECTS).join(ids[0].file()).exists());
    fs::write(draft.join(OBJECTS).join(ids[0].file()), b"torn").unwrap();
    fs::write(draft.join(OBJECTS).join("00"), b"a file where a folder is").unwrap_or_default();
    drop(fs::remove_file(draft.join(OBJECTS).join("00")));
    fs::write(&gone, bytes).unwrap();
    let made = house.back_up().unwrap();
    assert_eq!(made.head.segments, 4);
    house.check().unwrap();
    assert!(!draft.exists());
}

#[test]
fn nothing_is_deleted_while_a_backup_is_made() {
    let mut house = House::new();
    let id = house.put(1, 100);
    let store = house.open().unwrap();
    let mut refused = 0;
    house
        .back_up_hearing(&mut |progress| {
            if progress.step == "segments" {
                assert!(matches!(store.delete_segment(id), Err(StoreError::BackingUp)));
                refused += 1;
            }
        })
        .unwrap();
    assert_eq!(refused, 1);
    store.delete_segment(id).unwrap();
    assert!(matches!(
        house.back_up(),
        Err(BackupError::SegmentGone(_)) | Ok(_)
    ));
}

#[test]
fn metadata_is_of_one_moment_whoever_writes() {
    let mut house = House::new();
    let sqlite = house.sqlite();
    sqlite
        .execute_batch(
            "CREATE TABLE pair (one INTEGER, filler BLOB); INSERT INTO pair VALUES (0, NULL), (0, NULL)",
        )
        .unwrap();
    let mut number = 0;
    let made = house
        .back_up_hearing(&mut |_| {
            number += 1;
            sqlite
                .execute("UPDATE pair SET one = ?1, filler = randomblob(9000)", [number])
                .unwrap();
        })
        .unwrap();
    let copy = Connection::open(made.path.join(DATABASE)).unwrap();
    let (low, high): (u32, u32) = copy
        .query_row("SELECT min(one), max(one) FROM pair", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(low, high);
    assert_eq!(files(&made.path).len(), 2, "no log beside it");
}
