//! A journal whose process is killed, one whose disk is full, and one whose process may open nothing more, for real: in a process
//! of their own.
#![expect(clippy::unwrap_used, reason = "a test ends when something unexpected happens")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use moho_audit::{AuditError, FileJournal, LogKeys, verify};
use moho_iam::authz::{Entry, Journal, Outcome};
use moho_terms::{Secret, Timestamp};

fn keys() -> LogKeys {
    LogKeys::new(Secret::new(vec![7; 32]), [1; 16])
}

fn entry(second: u64) -> Entry {
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

/// The children below.
const UNTIL_IT_CANNOT: &str = "child_records_until_it_cannot";
const WITH_ALL_OPEN: &str = "child_records_with_as_much_open_as_it_may";

/// Set for the program that a test below starts.
const CHILD: &str = "MOHO_TEST_CHILD";

/// This test's own program, which runs the ignored test `name` in `directory`.
fn child(name: &str, directory: &Path, shell: &str) -> Command {
    let mut command = Command::new("sh");
    let program = std::env::current_exe().unwrap();
    command
        .arg("-c")
        .arg(format!("{shell} exec \"$0\" \"$@\""))
        .arg(program);
    command.args(["--ignored", "--exact", "--nocapture", name]);
    command
        .current_dir(directory)
        .env(CHILD, "1")
        .stdout(Stdio::piped());
    command
}

/// The position in a line of the child's output.
fn acknowledged(line: &str) -> Option<u64> {
    line.split_once("acknowledged ")?.1.trim().parse().ok()
}

#[test]
#[ignore = "only as a child of the tests below"]
fn child_records_until_it_cannot() {
    if std::env::var_os(CHILD).is_none() {
        // Somebody runs ignored tests too.
        return;
    }
    let (journal, _) = FileJournal::open(Path::new("."), &keys()).unwrap();
    let mut error = None;
    for number in 1..=100_000 {
        match journal.record(&entry(number)) {
            Ok(position) => println!("acknowledged {}", position.0),
            Err(refused) => error = error.or(Some(refused)),
        }
        if error.is_some() && number % 7 == 0 {
            break;
        }
    }
    let error = error.unwrap();
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref());
    assert!(matches!(cause, Some(AuditError::DiskFull(_))));
}

#[test]
fn a_journal_that_may_not_grow_any_more_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    // A file size limit is the one full disk that every machine has.
    let output = child(UNTIL_IT_CANNOT, directory.path(), "trap '' XFSZ; ulimit -f 16;")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let last = text.lines().filter_map(acknowledged).max().unwrap();
    let verified = verify(directory.path()).unwrap();
    assert_eq!((verified.records, verified.unfinished_bytes), (last, 0));
    let (journal, _) = FileJournal::open(directory.path(), &keys()).unwrap();
    assert_eq!(journal.record(&entry(1)).unwrap().0, last + 1);
}

#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut kept = 0;
    for round in 1..=5 {
        let mut child = child(UNTIL_IT_CANNOT, directory.path(), "").spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let last = lines
            .filter_map(|line| acknowledged(&line))
            .nth(50 * round)
            .unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(last > kept);
        let (_, recovery) = FileJournal::open(directory.path(), &keys()).unwrap();
        assert!(recovery.records >= last, "{} < {last}", recovery.records);
        kept = recovery.records;
        assert_eq!(verify(directory.path()).unwrap().records, kept);
    }
}

#[test]
#[ignore = "only as a child of the test below"]
fn child_records_with_as_much_open_as_it_may() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let (journal, _) = FileJournal::open(Path::new("."), &keys()).unwrap();
    let open = || std::fs::File::open(".");
    let all: Vec<_> = std::iter::from_fn(|| open().ok()).collect();
    let refused = open().unwrap_err();
    // One after the other, so that each is synced by itself, and then many at once.
    for number in 1..=200 {
        let position = journal.record(&entry(number)).unwrap();
        while number <= 20 && journal.unsynced() > 0 {
            std::thread::yield_now();
        }
        println!("acknowledged {}", position.0);
    }
    while journal.unsynced() > 0 {
        std::thread::yield_now();
    }
    println!("{} were open, and then: {refused}", all.len());
    drop(all);
}

#[test]
fn a_process_that_may_open_nothing_more_keeps_its_journal() {
    let directory = tempfile::tempdir().unwrap();
    let output = child(WITH_ALL_OPEN, directory.path(), "ulimit -n 60;")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{said}");
    assert!(text.contains("os error 24"), "nothing was used up: {text}");
    assert_eq!(text.lines().filter_map(acknowledged).max(), Some(200));
    assert_eq!(verify(directory.path()).unwrap().records, 200);
    let (journal, _) = FileJournal::open(directory.path(), &keys()).unwrap();
    assert_eq!(journal.record(&entry(1)).unwrap().0, 201);
}
