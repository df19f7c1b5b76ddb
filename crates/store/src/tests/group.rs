//! Changes that are committed together: each ends as if it were alone, and the disk is waited for once.

use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use super::damage::{acknowledged, all_are_there, child};
use super::*;
use crate::authentic::{Alteration, Tampering};
use crate::database::{Database, Stopped};
use crate::group::again;

fn database(directory: &Path) -> Database {
    let database = with_trust(directory, |store, trust| Database::open(store, trust)).unwrap();
    database
        .write(|tx| {
            tx.execute_batch(
                "CREATE TABLE number (n INTEGER PRIMARY KEY) STRICT;
                 CREATE TABLE child (n INTEGER REFERENCES number DEFERRABLE INITIALLY DEFERRED) STRICT;",
            )
        })
        .unwrap();
    database
}

fn insert(connection: &Connection, number: u64) -> rusqlite::Result<()> {
    connection
        .execute("INSERT INTO number VALUES (?1)", [i64::try_from(number).unwrap()])
        .map(drop)
}

fn numbers(database: &Database) -> Vec<u64> {
    database
        .read(|connection| {
            let mut all = connection.prepare("SELECT n FROM number ORDER BY n")?;
            all.query_map([], |row| crate::database::counted(row, 0))?
                .collect()
        })
        .unwrap()
}

type Change<'a> = Box<dyn FnOnce(&Connection) -> Result<(), Stopped<StoreError>> + Send + 'a>;

/// Does all of it in one transaction, in an order that nobody knows: the first change waits until all others wait.
fn together(
    database: &Database,
    changes: Vec<Change<'_>>,
) -> Vec<std::thread::Result<Result<(), StoreError>>> {
    let (begun, beginning) = mpsc::channel();
    let count = changes.len();
    std::thread::scope(|scope| {
        let first = scope.spawn(move || {
            database.write_grouped(|_| {
                begun.send(()).unwrap();
                database.queue.until(count);
                Ok(())
            })
        });
        beginning.recv().unwrap();
        let all: Vec<_> = changes
            .into_iter()
            .map(|change| {
                scope.spawn(move || catch_unwind(AssertUnwindSafe(|| database.change_grouped(change))))
            })
            .collect();
        let ended = all.into_iter().map(|one| one.join().unwrap()).collect();
        drop(first.join().unwrap());
        ended
    })
}

fn inserting<'a>(number: u64) -> Change<'a> {
    Box::new(move |connection| Ok(insert(connection, number)?))
}

#[test]
fn the_disk_is_waited_for_once_for_all() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(directory.path());
    let before = database.commits.load(Ordering::SeqCst);
    let ended = together(&database, (0..20).map(inserting).collect());
    assert!(ended.iter().all(|one| matches!(one, Ok(Ok(())))));
    assert_eq!(numbers(&database), (0..20).collect::<Vec<_>>());
    assert_eq!(database.commits.load(Ordering::SeqCst), before + 1);
    database
        .write_grouped(|connection| insert(connection, 20))
        .unwrap();
    assert_eq!(
        database.commits.load(Ordering::SeqCst),
        before + 2,
        "one that is alone does not wait"
    );
}

#[test]
fn what_is_refused_fails_or_panics_is_taken_back_alone() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(directory.path());
    database.write(|tx| insert(tx, 100)).unwrap();
    let mut changes: Vec<Change<'_>> = Vec::new();
    for number in 0..20 {
        changes.push(match number % 4 {
            0 => Box::new(move |connection| {
                insert(connection, number)?;
                Err(Stopped::Refused(StoreError::OtherPermit))
            }),
            1 => Box::new(move |connection| {
                insert(connection, number)?;
                Ok(insert(connection, 100)?)
            }),
            2 => Box::new(move |connection| {
                insert(connection, number)?;
                panic!("a change that panics");
            }),
            _ => inserting(number),
        });
    }
    for (number, ended) in together(&database, changes).into_iter().enumerate() {
        let expected = match number % 4 {
            0 => matches!(ended, Ok(Err(StoreError::OtherPermit))),
            1 => matches!(ended, Ok(Err(StoreError::Conflict(_)))),
            2 => ended.is_err(),
            _ => matches!(ended, Ok(Ok(()))),
        };
        assert!(expected, "{number}");
    }
    assert_eq!(numbers(&database), [3, 7, 11, 15, 19, 100]);
}

#[test]
fn what_cannot_be_committed_is_nobodys() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(directory.path());
    let mut changes: Vec<Change<'_>> = (0..10).map(inserting).collect();
    changes.push(Box::new(|connection| {
        connection.execute("INSERT INTO child VALUES (1000)", [])?;
        Ok(())
    }));
    changes.push(Box::new(|_| Err(Stopped::Refused(StoreError::OtherPermit))));
    for ended in together(&database, changes) {
        assert!(matches!(ended, Ok(Err(StoreError::Conflict(_)))));
    }
    assert!(numbers(&database).is_empty());
    database
        .write_grouped(|connection| insert(connection, 1))
        .unwrap();
    database.write(|tx| insert(tx, 2)).unwrap();
    assert_eq!(numbers(&database), [1, 2]);
}

/// SQLite takes back what it likes when the disk is full.
#[test]
fn of_a_full_disk_everybody_hears_who_lost_something() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(directory.path());
    let pages = |limit: u32| {
        database
            .write(|tx| tx.pragma_update_and_check(None, "max_page_count", limit, |row| row.get::<_, u32>(0)))
            .unwrap()
    };
    pages(1);
    let large: Change<'_> = Box::new(|connection| {
        connection.execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
             INSERT INTO number SELECT i FROM n",
        )?;
        Ok(())
    });
    let mut changes: Vec<Change<'_>> = (0..10).map(inserting).collect();
    changes.insert(5, large);
    let ended = together(&database, changes);
    let kept = numbers(&database);
    let mut acknowledged = 0;
    for (number, ended) in ended.into_iter().enumerate() {
        match ended.unwrap() {
            Ok(()) => acknowledged += 1,
            Err(StoreError::DiskFull(_)) => {}
            Err(other) => panic!("{number}: {other}"),
        }
    }
    assert_eq!(kept.len(), acknowledged);
    assert!(kept.iter().all(|number| *number < 10));
    pages(u32::MAX);
    database
        .write_grouped(|connection| insert(connection, 500))
        .unwrap();
}

#[test]
fn changes_alone_and_together_do_not_wait_for_each_other_forever() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(directory.path());
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let database = &database;
            scope.spawn(move || {
                for round in 0..50 {
                    let number = thread * 50 + round;
                    match number % 3 {
                        0 => database.write(|tx| insert(tx, number)).unwrap(),
                        1 => database.empty_log(),
                        _ => database.write_grouped(|tx| insert(tx, number)).unwrap(),
                    }
                }
            });
        }
    });
    let expected: Vec<u64> = (0..400).filter(|number| number % 3 != 1).collect();
    assert_eq!(numbers(&database), expected);
}

/// Whoever reads for long keeps only the log as it is, and nobody waiting.
#[test]
fn the_log_is_emptied_without_waiting_for_who_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(directory.path());
    assert!(database.empty_log_if_owed());
    let reader = database.another_reader().unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM number")
        .unwrap();
    database.write(|tx| insert(tx, 1)).unwrap();
    // If it waited for the reader, this would not end.
    database.patience(Duration::from_secs(86_400));
    database.empty_log();
    assert!(!database.empty_log_if_owed(), "it is owed");
    assert_eq!(
        database.patience(Duration::from_secs(5)),
        5000,
        "others are waited for as before"
    );
    reader.execute_batch("COMMIT").unwrap();
    assert!(database.empty_log_if_owed());
    let log = std::fs::metadata(directory.path().join("store/moho.sqlite-wal")).unwrap();
    assert_eq!(log.len(), 0);
}

/// What is found out just before a commit is told to all who wait for it.
#[test]
fn everybody_hears_the_same() {
    let path = Path::new("moho.sqlite");
    let told = |error: rusqlite::Error| StoreError::from_sqlite(path, again(&Arc::new(error)));
    let own = |error| rusqlite::Error::UserFunctionError(Box::new(error));
    let full = StoreError::DiskFull(path.to_owned());
    assert!(matches!(told(own(full)), StoreError::DiskFull(_)));
    let refused = StoreError::io(path)(std::io::ErrorKind::PermissionDenied.into());
    let told_of = told(own(refused));
    let StoreError::Io { source, .. } = told_of else {
        panic!("{told_of}");
    };
    assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied);
    assert!(matches!(
        told(own(StoreError::OtherPermit)),
        StoreError::Database { .. }
    ));
    let altered = Tampering::Altered(Alteration::Index("t".to_owned()));
    assert!(matches!(told(altered.into()), StoreError::Altered(_)));
    let busy = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None);
    assert!(matches!(told(busy), StoreError::Busy(_)));
    let unreadable = rusqlite::Error::IntegralValueOutOfRange(0, -1);
    assert!(matches!(told(unreadable), StoreError::Corrupt { .. }));
}

#[test]
#[ignore = "only as a child of the test below"]
fn child_puts_with_many_threads() {
    if std::env::var_os("MOHO_TEST_CHILD").is_none() {
        // Somebody runs ignored tests too.
        return;
    }
    let house = House::open(Path::new("."));
    let caller = house.session("Developer");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    let id = house.new_id();
                    house.put(&caller, &id, id.as_str().as_bytes()).unwrap();
                    println!("acknowledged {id}");
                }
            });
        }
    });
}

#[test]
fn a_killed_process_loses_nothing_of_what_was_committed_together() {
    let directory = tempfile::tempdir().unwrap();
    let mut ids = Vec::new();
    for round in 1..=4 {
        let test = "tests::group::child_puts_with_many_threads";
        let mut child = child(directory.path(), "", test).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        ids.extend(lines.filter_map(|line| acknowledged(&line)).take(100 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        all_are_there(directory.path(), &ids);
    }
    assert_eq!(ids.len(), 1000);
}
