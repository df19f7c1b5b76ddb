//! Whether what is remembered is still what is kept: another process may change the same database.
//!
//! Nobody is told of a change. Whoever looks something up in memory first sees to it that the last look at the database is
//! not too old, and looks otherwise: at SQLite's own count of commits, which costs a few microseconds, and, if that moved,
//! at the numbers that triggers keep. So a change of another process counts here after half a second at most, without a
//! thread, and if it cannot be looked, nothing that is remembered counts.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use rusqlite::{Connection, Row};

use crate::database::Database;
use crate::error::StoreError;
use crate::migrations::known;

/// How old a look may be, in microseconds.
const YOUNG: u64 = 250_000;
/// The same while somebody else is looking.
const OLD: u64 = 450_000;
/// How many keys may have changed until it costs less to forget all.
const MANY: usize = 1000;

/// Time that only goes forward.
pub(crate) enum Ticks {
    /// The machine's.
    Real(Instant),
    /// A test's, in microseconds.
    #[cfg(test)]
    Hand(std::sync::Arc<AtomicU64>),
}

impl Ticks {
    #[expect(
        clippy::disallowed_methods,
        reason = "how old a look is, is measured here; no decision is made on it but to look again"
    )]
    pub(crate) fn real() -> Self {
        Self::Real(Instant::now())
    }

    fn micros(&self) -> u64 {
        match self {
            Self::Real(start) => u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX),
            #[cfg(test)]
            Self::Hand(micros) => micros.load(Ordering::SeqCst),
        }
    }
}

/// The numbers that count changes, by their kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Numbers {
    metadata: i64,
    key: i64,
    alias: i64,
    grant: i64,
}

/// Which keys something has changed of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// These.
    These(Vec<String>),
    /// Perhaps all.
    All,
}

/// What has changed since the last look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) metadata: bool,
    pub(crate) keys: Keys,
    pub(crate) aliases: Keys,
    pub(crate) grants: Keys,
}

struct Looker {
    connection: Connection,
    commits: i64,
    numbers: Numbers,
}

pub(crate) struct Freshness {
    ticks: Ticks,
    /// When the last look began.
    looked_at: AtomicU64,
    looker: Mutex<Looker>,
}

impl Freshness {
    /// Begins to look by `connection`, before anything is remembered.
    pub(crate) fn new(connection: Connection, path: &Path, ticks: Ticks) -> Result<Self, StoreError> {
        let looked_at = AtomicU64::new(ticks.micros());
        let failed = |error| StoreError::from_sqlite(path, error);
        let looker = Looker {
            commits: commits(&connection).map_err(failed)?,
            numbers: numbers(&connection).map_err(failed)?,
            connection,
        };
        Ok(Self {
            ticks,
            looked_at,
            looker: Mutex::new(looker),
        })
    }

    /// Sees to it that what is remembered may count: looks if the last look is too old, and has `forget` forget what has
    /// changed.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be looked: then nothing that is remembered may count.
    pub(crate) fn ensure(
        &self,
        database: &Database,
        forget: impl FnOnce(&Changes),
    ) -> Result<(), StoreError> {
        let age = self.age();
        if age <= YOUNG {
            return Ok(());
        }
        let Some(mut looker) = self.turn(age) else {
            return Ok(());
        };
        // Somebody else may have looked meanwhile.
        if self.age() <= YOUNG {
            return Ok(());
        }
        self.look(&mut looker, database, forget)
    }

    /// Looks now, however young the last look is.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be looked.
    pub(crate) fn renew(&self, database: &Database, forget: impl FnOnce(&Changes)) -> Result<(), StoreError> {
        let mut looker = self.looker.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut looker, database, forget)
    }

    fn look(
        &self,
        looker: &mut Looker,
        database: &Database,
        forget: impl FnOnce(&Changes),
    ) -> Result<(), StoreError> {
        let began = self.ticks.micros();
        let failed = |error| StoreError::from_sqlite(database.path(), error);
        let commits = commits(&looker.connection).map_err(failed)?;
        if commits != looker.commits {
            let changes = looker.look(database)?;
            forget(&changes);
            looker.commits = commits;
        }
        self.looked_at.store(began, Ordering::Release);
        Ok(())
    }

    fn age(&self) -> u64 {
        let looked_at = self.looked_at.load(Ordering::Acquire);
        self.ticks.micros().saturating_sub(looked_at)
    }

    /// The one who looks; `None` while somebody else does and what is remembered may count until then.
    fn turn(&self, age: u64) -> Option<MutexGuard<'_, Looker>> {
        match self.looker.try_lock() {
            Ok(looker) => Some(looker),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if age <= OLD => None,
            Err(TryLockError::WouldBlock) => Some(self.looker.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

impl Looker {
    /// What has changed since the last look. A later moho may have changed what things mean: then nothing can be said.
    fn look(&mut self, database: &Database) -> Result<Changes, StoreError> {
        let path = database.path();
        let failed = |error| StoreError::from_sqlite(path, error);
        let version: u32 = self
            .connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(failed)?;
        if version > known() {
            return Err(StoreError::Newer {
                path: path.to_owned(),
                found: version,
                known: known(),
            });
        }
        let observed = database.authentic().observe(&self.connection);
        let now = observed
            .and_then(|()| numbers(&self.connection))
            .map_err(failed)?;
        let was = self.numbers;
        let keys = |kind: &str, was: i64, now: i64| self.keys(kind, was, now).map_err(failed);
        let changes = Changes {
            metadata: now.metadata != was.metadata,
            keys: keys("key", was.key, now.key)?,
            aliases: keys("alias", was.alias, now.alias)?,
            grants: keys("grant", was.grant, now.grant)?,
        };
        self.numbers = now;
        Ok(changes)
    }

    /// The keys that were noted with a number after `was`.
    fn keys(&self, kind: &str, was: i64, now: i64) -> rusqlite::Result<Keys> {
        if was == now {
            return Ok(Keys::These(Vec::new()));
        }
        let limit = i64::try_from(MANY).unwrap_or(i64::MAX);
        let mut statement = self
            .connection
            .prepare("SELECT key_id FROM kms_changed WHERE kind = ?1 AND number > ?2 LIMIT ?3")?;
        let rows = statement.query_map((kind, was, limit), |row| row.get(0))?;
        let keys: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
        // A number that fell, as of a database that was put back, says nothing.
        Ok(if now < was || keys.len() >= MANY {
            Keys::All
        } else {
            Keys::These(keys)
        })
    }
}

fn commits(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0))
}

fn numbers(connection: &Connection) -> rusqlite::Result<Numbers> {
    let mut statement = connection.prepare("SELECT kind, number FROM generation")?;
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
    let mut numbers = Numbers::default();
    for row in statement.query_map([], read)? {
        let (kind, number) = row?;
        match kind.as_str() {
            "metadata" => numbers.metadata = number,
            "key" => numbers.key = number,
            "alias" => numbers.alias = number,
            "grant" => numbers.grant = number,
            _ => {}
        }
    }
    Ok(numbers)
}
