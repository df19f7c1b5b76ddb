//! Full, torn, altered, foreign and newer databases, and processes that are killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use moho_terms::ResponseId;

use super::{House, behind, opened};
use crate::StoreError;
use crate::migrations::known;

fn refused(directory: &Path) -> StoreError {
    match opened(directory) {
        Err(error) => error,
        Ok(_) => panic!("it opened"),
    }
}

#[test]
fn settings_lose_nothing_and_leave_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    for (pragma, expected) in [
        ("synchronous", 2),
        ("secure_delete", 1),
        ("foreign_keys", 1),
        ("temp_store", 2),
    ] {
        let value: u32 = house
            .store
            .database
            .write(|tx| tx.pragma_query_value(None, pragma, |row| row.get(0)))
            .unwrap();
        assert_eq!(value, expected, "{pragma}");
        let value: u32 = house
            .store
            .database
            .read(|tx| tx.pragma_query_value(None, pragma, |row| row.get(0)))
            .unwrap();
        assert_eq!(value, expected, "{pragma} of a reader");
    }
    let mode: String = house
        .store
        .database
        .read(|tx| tx.pragma_query_value(None, "journal_mode", |row| row.get(0)))
        .unwrap();
    assert_eq!(mode, "wal");
    assert!(
        house
            .store
            .database
            .read(|tx| tx.execute("DELETE FROM iam_role_policy", []))
            .is_err(),
        "a reader wrote"
    );
}

#[test]
fn the_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let _house = House::open(directory.path());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory.path().join("store")), 0o700);
    let files: Vec<_> = std::fs::read_dir(directory.path().join("store"))
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_store_that_somebody_has_alone_is_not_shared() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let lock = directory.path().join("store/moho.lock");
    assert!(opened(directory.path()).is_ok(), "stores share");
    assert!(
        moho_os::lock_file_exclusive(&lock).is_err(),
        "an earlier moho would not"
    );
    drop(house);
    let _alone = moho_os::lock_file_exclusive(&lock).unwrap();
    assert!(matches!(refused(directory.path()), StoreError::InUse(_)));
}

#[test]
fn a_store_that_takes_no_changes_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).unwrap();
    store.try_write().unwrap();
    store
        .database
        .write(|tx| tx.pragma_update(None, "query_only", true))
        .unwrap();
    assert!(store.try_write().is_err());
}

#[test]
fn a_full_disk_is_said_to_be_full_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Developer");
    let kept = house.new_id();
    house.put(&caller, &kept, b"before").unwrap();
    let pages = |limit: u32| {
        let set = |row: &rusqlite::Row<'_>| row.get::<_, u32>(0);
        house
            .store
            .database
            .write(|tx| tx.pragma_update_and_check(None, "max_page_count", limit, set))
            .unwrap()
    };
    pages(1);
    let error = house.put(&caller, &house.new_id(), &[7; 100_000]).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull(_)), "{error}");
    assert!(error.to_string().contains("free space"), "{error}");
    assert_eq!(house.get(&caller, &kept).unwrap().unwrap(), b"before");
    assert!(
        house.delete(&caller, &kept).unwrap(),
        "deleting needs no more pages"
    );
    pages(u32::MAX);
    let after = house.new_id();
    house.put(&caller, &after, &[7; 100_000]).unwrap();
    assert_eq!(house.get(&caller, &after).unwrap().unwrap(), [7; 100_000]);
}

#[test]
fn a_damaged_database_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    drop(House::open(directory.path()));
    let path = directory.path().join("store/moho.sqlite");
    let whole = std::fs::read(&path).unwrap();
    let mut header = whole.clone();
    header[..16].fill(b'x');
    let mut schema = whole;
    schema[100..3000].fill(0xff);
    for (what, bytes) in [
        ("header", header),
        ("schema", schema),
        ("text", b"not a database".repeat(100)),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        let error = refused(directory.path());
        assert!(matches!(error, StoreError::Corrupt { .. }), "{what}: {error}");
        assert!(error.to_string().contains("restore it from a backup"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "left as it was");
    }
}

#[test]
fn a_damaged_page_is_an_error_when_it_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Developer");
    let id = house.new_id();
    house.put(&caller, &id, &[7; 3000]).unwrap();
    let root: u32 = behind(directory.path())
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'sealed_response'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(house);
    let path = directory.path().join("store/moho.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    let start = usize::try_from((root - 1) * 4096).unwrap();
    bytes[start..start + 4096].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    let house = House::open(directory.path());
    let error = house.get(&house.session("Developer"), &id).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[test]
fn a_row_that_nobody_could_have_written_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    for change in [
        "UPDATE kms_key SET region = 'No Region'",
        "UPDATE kms_key SET key_id = 'x'",
    ] {
        let sqlite = behind(directory.path());
        sqlite.pragma_update(None, "foreign_keys", false).unwrap();
        sqlite
            .execute_batch(&format!("BEGIN; {change}; COMMIT;"))
            .unwrap();
        sqlite
            .execute("UPDATE account_key SET key_id = (SELECT key_id FROM kms_key)", [])
            .unwrap();
        assert!(
            matches!(house.store.bootstrapped(), Err(StoreError::Corrupt { .. })),
            "{change}"
        );
    }
}

#[test]
fn a_newer_or_foreign_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(House::open(directory.path()));
    behind(directory.path())
        .pragma_update(None, "user_version", known() + 1)
        .unwrap();
    let error = refused(directory.path());
    assert!(
        matches!(
            error,
            StoreError::Newer { found, known: here, .. } if found == known() + 1 && here == known()
        ),
        "{error}"
    );
    behind(directory.path())
        .pragma_update(None, "user_version", known())
        .unwrap();
    assert!(opened(directory.path()).is_ok());
    behind(directory.path())
        .pragma_update(None, "application_id", 1)
        .unwrap();
    assert!(matches!(refused(directory.path()), StoreError::Foreign(_)));

    let other = tempfile::tempdir().unwrap();
    std::fs::create_dir(other.path().join("store")).unwrap();
    behind(other.path())
        .execute("CREATE TABLE theirs (x)", [])
        .unwrap();
    assert!(matches!(refused(other.path()), StoreError::Foreign(_)));
}

#[test]
fn a_process_killed_while_it_migrates_starts_again() {
    // A migration is one transaction: what a killed one leaves is an empty database.
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("store")).unwrap();
    std::fs::write(directory.path().join("store/moho.sqlite"), b"").unwrap();
    House::open(directory.path());
}

/// Set for the program that a test below starts.
const CHILD: &str = "MOHO_TEST_CHILD";
/// What it runs.
const PUTS: &str = "tests::damage::child_puts_until_it_cannot";

/// This test's own program, which runs an ignored test in `directory`.
pub(super) fn child(directory: &Path, shell: &str, test: &str) -> Command {
    let mut command = Command::new("sh");
    let program = std::env::current_exe().unwrap();
    command
        .arg("-c")
        .arg(format!("{shell} exec \"$0\" \"$@\""))
        .arg(program);
    command.args(["--ignored", "--exact", "--nocapture", test]);
    command
        .current_dir(directory)
        .env(CHILD, "1")
        .stdout(Stdio::piped());
    command
}

/// The response in a line of the child's output.
pub(super) fn acknowledged(line: &str) -> Option<ResponseId> {
    line.split_once("acknowledged ")?.1.trim().parse().ok()
}

#[test]
#[ignore = "only as a child of the tests below"]
fn child_puts_until_it_cannot() {
    if std::env::var_os(CHILD).is_none() {
        // Somebody runs ignored tests too.
        return;
    }
    let house = House::open(Path::new("."));
    let caller = house.session("Developer");
    for _ in 0..100_000 {
        let id = house.new_id();
        match house.put(&caller, &id, id.as_str().as_bytes()) {
            Ok(()) => println!("acknowledged {id}"),
            Err(StoreError::DiskFull(_) | StoreError::DiskFailed { .. }) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

pub(super) fn all_are_there(directory: &Path, ids: &[ResponseId]) {
    let house = House::open(directory);
    let caller = house.session("Developer");
    for id in ids {
        assert_eq!(house.get(&caller, id).unwrap().unwrap(), id.as_str().as_bytes());
    }
    let check: String = house
        .store
        .database
        .read(|tx| tx.pragma_query_value(None, "integrity_check", |row| row.get(0)))
        .unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut ids = Vec::new();
    for round in 1..=4 {
        let mut child = child(directory.path(), "", PUTS).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        ids.extend(lines.filter_map(|line| acknowledged(&line)).take(20 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        all_are_there(directory.path(), &ids);
    }
    assert_eq!(ids.len(), 200);
}

#[test]
fn files_that_may_not_grow_any_more_lose_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    drop(House::open(directory.path()));
    // A file size limit is the one full disk that every machine has.
    let output = child(directory.path(), "trap '' XFSZ; ulimit -f 900;", PUTS)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let ids: Vec<_> = text.lines().filter_map(acknowledged).collect();
    assert!(!ids.is_empty() && ids.len() < 100_000, "{}", ids.len());
    all_are_there(directory.path(), &ids);
}
