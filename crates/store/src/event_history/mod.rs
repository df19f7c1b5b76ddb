//! Management events of the last 90 days, to be looked up: an index over what the journals of all who use a store have.
//!
//! It is a database of its own beside the store's, and all of it follows from the journals: what is missing is put in again from
//! them, and a file that cannot be used, or of which a part cannot be read any more, is made anew. So it is in no tree and no backup. What CloudTrail's records say stays sealed
//! as the journal has it; names and ids, which the journal has in the clear as well, are what is looked up by.

mod asked;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use moho_terms::{AccountId, Timestamp};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use crate::database;
use crate::error::StoreError;

pub use asked::{HistoryAttribute, HistoryLookup, HistoryPage};

/// Its file, in the store's directory.
const FILE: &str = "events.sqlite";
/// The version of its tables. A file of any other is made anew.
const VERSION: i64 = 2;
/// The most events that are removed at once.
const REMOVED_AT_ONCE: u32 = 2000;

const TABLES: &str = "
    CREATE TABLE event (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        log TEXT NOT NULL, position INTEGER NOT NULL, place INTEGER NOT NULL,
        account TEXT NOT NULL, time INTEGER NOT NULL,
        event_id TEXT NOT NULL, source TEXT NOT NULL, name TEXT NOT NULL, read_only INTEGER NOT NULL,
        user_name TEXT, access_key TEXT,
        seal_id TEXT NOT NULL, recipients TEXT NOT NULL, sealed TEXT NOT NULL,
        UNIQUE (log, position, place));
    CREATE INDEX event_time ON event (account, time, number);
    CREATE INDEX event_name ON event (account, name, time, number);
    CREATE INDEX event_source ON event (account, source, time, number);
    CREATE INDEX event_user ON event (account, user_name, time, number);
    CREATE INDEX event_key ON event (account, access_key, time, number);
    CREATE INDEX event_own_id ON event (account, event_id);
    CREATE INDEX event_age ON event (time);
    CREATE TABLE resource (
        number INTEGER NOT NULL REFERENCES event ON DELETE CASCADE,
        account TEXT NOT NULL, time INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
        PRIMARY KEY (number, kind, name)) WITHOUT ROWID;
    CREATE INDEX resource_name ON resource (account, name, time, number);
    CREATE INDEX resource_kind ON resource (account, kind, time, number);
    CREATE TABLE gathered (log TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
";

/// The events that can be looked up.
pub struct EventHistory {
    path: PathBuf,
    connection: Mutex<Connection>,
    was_damaged: bool,
}

/// An event as it is kept, for one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEvent {
    /// The record of the journal that it is in.
    pub position: u64,
    /// Which of those who are told of it the account is, from 0.
    pub place: u32,
    /// Who is told of it.
    pub account: AccountId,
    /// When it was.
    pub time: Timestamp,
    /// Its id, for this account.
    pub event_id: String,
    /// The service, such as `kms.amazonaws.com`.
    pub source: String,
    /// The operation.
    pub name: String,
    /// Whether it could change nothing.
    pub read_only: bool,
    /// The name of the user, or of the role's session.
    pub user_name: Option<String>,
    /// The public half of the credentials.
    pub access_key: Option<String>,
    /// What it was about: type and name.
    pub resources: Vec<(String, String)>,
    /// The id that its record is sealed for.
    pub seal_id: String,
    /// All accounts that are told, separated by commas: for them it is sealed.
    pub recipients: String,
    /// CloudTrail's record of it, sealed.
    pub sealed: String,
}

impl EventHistory {
    /// Opens the history in the store's directory, or begins one.
    ///
    /// # Errors
    /// [`StoreError`] if the disk says no.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(FILE);
        drop(private(&path)?);
        let mut opened = connect(&path);
        // Whatever it was, all of it can be put in again.
        let was_damaged = opened.as_ref().is_err_and(is_damage);
        if was_damaged {
            opened = emptied(&path);
        }
        if was_damaged && opened.is_err() {
            remove(&path).map_err(StoreError::io(&path))?;
            drop(private(&path)?);
            opened = connect(&path);
        }
        let opened = opened.map_err(|error| StoreError::from_sqlite(&path, error))?;
        Ok(Self {
            path,
            connection: Mutex::new(opened),
            was_damaged,
        })
    }

    /// Whether what was there when it was opened could not be used, and was made anew.
    #[must_use]
    pub fn was_damaged(&self) -> bool {
        self.was_damaged
    }

    /// Makes it anew, with nothing in it: what to do after [`StoreError::Corrupt`]. All who have the file open, other processes
    /// too, go on with the new one.
    ///
    /// # Errors
    /// [`StoreError`]: then it is as it was.
    pub fn make_anew(&self) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let emptied = empty(&connection).and_then(|()| make_tables(&mut connection));
        emptied.map_err(|error| self.failed(error))
    }

    /// Up to which record of a log it has all events.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn gathered(&self, log: &str) -> Result<u64, StoreError> {
        let connection = self.connection();
        let found = connection
            .query_row("SELECT position FROM gathered WHERE log = ?1", [log], |row| {
                row.get(0)
            })
            .optional();
        let found: Option<i64> = found.map_err(|error| self.failed(error))?;
        Ok(found.map_or(0, i64::unsigned_abs))
    }

    /// Keeps events of a log of which all are known now up to record `until`. Those that are there already stay as they are, also if
    /// their journal had another log before.
    ///
    /// # Errors
    /// [`StoreError`]: then none is kept.
    pub fn keep(&self, log: &str, until: u64, events: &[KeptEvent]) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let mut keep = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for event in events {
                put(&transaction, log, event)?;
            }
            transaction.execute(
                "INSERT INTO gathered VALUES (?1, ?2)
                 ON CONFLICT (log) DO UPDATE SET position = max(position, excluded.position)",
                params![log, integer(until)],
            )?;
            transaction.commit()
        };
        keep().map_err(|error| self.failed(error))
    }

    /// Removes some of the events from before `time`; `true` if there may be more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn forget_before(&self, time: Timestamp) -> Result<bool, StoreError> {
        let removed = self.connection().execute(
            "DELETE FROM event WHERE number IN (SELECT number FROM event WHERE time < ?1 ORDER BY time LIMIT ?2)",
            params![integer(time.unix_seconds()), REMOVED_AT_ONCE],
        );
        Ok(removed.map_err(|error| self.failed(error))? == REMOVED_AT_ONCE as usize)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: rusqlite::Error) -> StoreError {
        if is_damage(&error) {
            return StoreError::Corrupt {
                path: self.path.clone(),
                source: error,
            };
        }
        StoreError::from_sqlite(&self.path, error)
    }
}

fn put(connection: &Connection, log: &str, event: &KeptEvent) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO event (log, position, place, account, time, event_id, source, name, read_only, user_name, access_key,
             seal_id, recipients, sealed)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14
         WHERE NOT EXISTS (SELECT 1 FROM event WHERE account = ?4 AND event_id = ?6 AND log <> ?1)
         ON CONFLICT (log, position, place) DO NOTHING",
    )?;
    let put = insert.execute(params![
        log,
        integer(event.position),
        event.place,
        event.account.as_str(),
        integer(event.time.unix_seconds()),
        event.event_id,
        event.source,
        event.name,
        event.read_only,
        event.user_name,
        event.access_key,
        event.seal_id,
        event.recipients,
        event.sealed,
    ])?;
    if put == 0 {
        return Ok(());
    }
    let number = connection.last_insert_rowid();
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO resource VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (kind, name) in &event.resources {
        let (account, time) = (event.account.as_str(), integer(event.time.unix_seconds()));
        insert.execute(params![number, account, time, kind, name])?;
    }
    Ok(())
}

/// A number as SQLite has it: none of ours is as large as the largest.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A connection to the file, with its tables.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let mut connection = database::connect(path)?;
    // What a loss of power takes is put in again.
    connection.pragma_update(None, "synchronous", "normal")?;
    make_tables(&mut connection)?;
    Ok(connection)
}

fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != VERSION {
        if version != 0 {
            transaction.execute_batch(
                "DROP TABLE IF EXISTS resource; DROP TABLE IF EXISTS event; DROP TABLE IF EXISTS gathered;",
            )?;
        }
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}

/// The file, which SQLite would make readable by others.
fn private(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(StoreError::io(path))
}

/// Makes a database of whatever is there, with nothing in it. The file stays the same one: to take it away from others who have it
/// open would have them write into what is no file any more, and remove the new one's log when they end.
fn empty(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, true)?;
    let emptied = connection.execute_batch("VACUUM");
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, false)?;
    emptied
}

/// The same of a file that is no database to begin with, and a connection to it, with its tables.
fn emptied(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    empty(&connection)?;
    drop(connection);
    connect(path)
}

/// Whether that can only be as the file is no database, no whole one, or not as it was written: what is asked of it fits the tables
/// that it has, and what is put in breaks no rule of theirs.
fn is_damage(error: &rusqlite::Error) -> bool {
    let by_code = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::ConstraintViolation)
    );
    by_code || matches!(error, rusqlite::Error::SqlInputError { .. })
}

fn remove(path: &Path) -> std::io::Result<()> {
    for behind in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(behind);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
