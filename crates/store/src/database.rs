//! The SQLite database: one connection that writes, some that read, and settings that lose nothing.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moho_os::{FileLock, LockError, lock_file_exclusive, lock_file_in_turn, try_lock_file_shared};
use moho_terms::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, ToSql, Transaction, TransactionBehavior};

use crate::authentic::{Authentic, Rollback, Trust};
use crate::error::StoreError;
use crate::group::{Came, Queue, Writing, in_savepoint};

/// Readers that can be at work at once; they never wait for the writer.
const READERS: usize = 6;
/// How many of them may look for objects, which can take long. The others are for what all requests wait for: decisions, keys.
pub(crate) const FOR_OBJECTS: usize = 4;
/// Checkpoints wait for one another, and changes for those of another process.
const BUSY: Duration = Duration::from_secs(5);
/// The write-ahead log is cut back to this after a checkpoint.
const LOG_LIMIT: u32 = 16 << 20;

/// What is read.
#[derive(Clone, Copy)]
pub(crate) enum Reads {
    Objects,
    AllElse,
}

/// Why a change or a look ended early.
pub(crate) enum Stopped<E> {
    /// Something may not be; nothing is changed.
    Refused(E),
    /// SQLite failed.
    Failed(rusqlite::Error),
}

impl<E> From<rusqlite::Error> for Stopped<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

pub(crate) struct Database {
    path: PathBuf,
    writer: Mutex<Writing>,
    /// Who waits for the writer.
    pub(crate) queue: Queue,
    readers: [Mutex<Connection>; READERS],
    turn: AtomicUsize,
    /// Whether the log may hold what was to be taken out of it: who had the store before may have died in between.
    log_owed: AtomicBool,
    authentic: Authentic,
    /// Transactions that were committed.
    #[cfg(test)]
    pub(crate) commits: AtomicUsize,
    _lock: FileLock,
}

impl Database {
    pub(crate) fn open(directory: &Path, trust: Trust<'_>) -> Result<Self, StoreError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(StoreError::io(directory))?;
        let lock = try_lock_file_shared(&directory.join("moho.lock")).map_err(locked(directory))?;
        // One after the other brings the schema up to date.
        let opening = lock_file_in_turn(&directory.join("moho.opening")).map_err(locked(directory))?;
        let path = directory.join("moho.sqlite");
        // SQLite would make the file readable by others; its log and index get the same mode as the file.
        let private = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        drop(private.map_err(StoreError::io(&path))?);
        let failed = |error| StoreError::from_sqlite(&path, error);
        let mut writer = connect(&path).map_err(failed)?;
        let witness = connect(&path).map_err(failed)?;
        let authentic = Authentic::open(&mut writer, (directory, &path), trust, witness)?;
        drop(opening);
        let reader = || {
            let reader = connect(&path)?;
            reader.pragma_update(None, "query_only", true)?;
            Ok(reader)
        };
        let one = || reader().map(Mutex::new).map_err(failed);
        let readers = [one()?, one()?, one()?, one()?, one()?, one()?];
        Ok(Self {
            path,
            writer: Mutex::new(Writing::new(writer)),
            queue: Queue::default(),
            readers,
            turn: AtomicUsize::new(0),
            log_owed: AtomicBool::new(true),
            authentic,
            #[cfg(test)]
            commits: AtomicUsize::new(0),
            _lock: lock,
        })
    }

    /// Makes an earlier database the last one, while nobody has it open.
    pub(crate) fn accept_rollback(
        directory: &Path,
        trust: Trust<'_>,
        note: &dyn Fn(&Connection) -> rusqlite::Result<()>,
    ) -> Result<Rollback, StoreError> {
        let _alone = lock_file_exclusive(&directory.join("moho.lock")).map_err(locked(directory))?;
        let path = directory.join("moho.sqlite");
        let mut writer = connect(&path).map_err(|error| StoreError::from_sqlite(&path, error))?;
        Authentic::accept(&mut writer, (directory, &path), trust, note)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A connection more, which only reads.
    pub(crate) fn another_reader(&self) -> Result<Connection, StoreError> {
        let reader = connect(&self.path).and_then(|reader| {
            reader.pragma_update(None, "query_only", true)?;
            Ok(reader)
        });
        reader.map_err(|error| StoreError::from_sqlite(&self.path, error))
    }

    /// Takes what was overwritten out of the write-ahead log, too. While somebody reads there, it cannot be done, and is owed.
    pub(crate) fn empty_log(&self) {
        let writer = self.alone();
        let connection = &writer.connection;
        // Readers are not waited for: a backup may read for hours, and everybody who writes would wait with this.
        let busy = connection
            .busy_timeout(Duration::ZERO)
            .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)));
        let patient = connection.busy_timeout(BUSY).is_ok();
        // Under the writer's lock: whoever changes something afterwards sees to the log afterwards.
        self.log_owed
            .store(!(patient && matches!(busy, Ok(false))), Ordering::Relaxed);
    }

    /// The same, if it could not be done before; `false` if it still cannot.
    pub(crate) fn empty_log_if_owed(&self) -> bool {
        if self.log_owed.load(Ordering::Relaxed) {
            self.empty_log();
        }
        !self.log_owed.load(Ordering::Relaxed)
    }

    /// How long the writer waits for others, in milliseconds; and from now on so long.
    #[cfg(test)]
    pub(crate) fn patience(&self, from_now_on: Duration) -> u32 {
        let writer = self.alone();
        let before = writer
            .connection
            .query_row("PRAGMA busy_timeout", [], |row| row.get(0));
        writer.connection.busy_timeout(from_now_on).unwrap();
        before.unwrap()
    }

    /// Reads a consistent state, beside any writer.
    pub(crate) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let reader = self.reader(Reads::AllElse);
        let read = reader.unchecked_transaction().and_then(|moment| query(&moment));
        read.map_err(|error| StoreError::from_sqlite(&self.path, error))
    }

    /// Reads at most one row.
    pub(crate) fn find<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        self.read(|connection| query(connection).optional())
    }

    /// Changes everything or nothing; when it returns, the change is on the disk.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut writer = self.alone();
        let done = writer
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                self.authentic.begin();
                let changed = change(&transaction)?;
                self.commit(&transaction)?;
                Ok(changed)
            });
        done.map_err(|error| StoreError::from_sqlite(&self.path, error))
    }

    /// Changes everything, or nothing if `change` refuses; when it returns, the change is on the disk.
    pub(crate) fn change<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Stopped<E>>,
    ) -> Result<T, E> {
        let mut refusal = None;
        let done = {
            let mut writer = self.alone();
            writer
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .inspect(|_begun| self.authentic.begin())
                .and_then(|transaction| match change(&transaction) {
                    Ok(changed) => self.commit(&transaction).map(|()| Some(changed)),
                    Err(Stopped::Failed(error)) => Err(error),
                    Err(Stopped::Refused(refused)) => {
                        refusal = Some(refused);
                        transaction.rollback().map(|()| None)
                    }
                })
        };
        self.ended(done, refusal)
    }

    /// As [`Self::change_grouped`], of what refuses nothing.
    #[cfg(test)]
    pub(crate) fn write_grouped<T>(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.change_grouped(|connection| change(connection).map_err(Stopped::Failed))
    }

    /// As [`Self::change`], together with what other threads change meanwhile: the disk is waited for once for all of them. A
    /// change that fails is taken back alone; what it sees of the others before it is committed with it, or neither is.
    pub(crate) fn change_grouped<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, Stopped<E>>,
    ) -> Result<T, E> {
        let failed = |error| StoreError::from_sqlite(&self.path, error);
        let (batch, came) = {
            let mut writer = self.writer();
            let batch = writer.join(|| self.authentic.begin()).map_err(failed)?;
            let (came, sound) = in_savepoint(&writer.connection, change);
            if let Err(error) = sound {
                writer.end(|_| Err(error));
            } else if writer.is_full() || self.queue.is_empty() {
                writer.end(|connection| self.commit(connection));
            }
            (batch, came)
        };
        // INVARIANT: if it did not end just now, whoever waited for the writer then ends it.
        let ended = batch.wait();
        match came {
            Came::Panicked(panic) => resume_unwind(panic),
            Came::Stopped(Stopped::Failed(error)) => Err(failed(error).into()),
            // It may have been refused because of what others had changed: that has to be true, too.
            Came::Stopped(Stopped::Refused(refused)) => ended
                .map_err(failed)
                .map_or_else(|e| Err(e.into()), |()| Err(refused)),
            Came::Changed(changed) => ended.map(|()| changed).map_err(|error| failed(error).into()),
        }
    }

    /// Ends every transaction that changes something, with all that it changed on the disk.
    fn commit(&self, transaction: &Connection) -> rusqlite::Result<()> {
        #[cfg(test)]
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.authentic.before_commit(transaction)?;
        transaction.execute_batch("COMMIT")?;
        self.authentic.committed();
        Ok(())
    }

    /// The connection that writes, which may be in a transaction with the changes of others.
    fn writer(&self) -> MutexGuard<'_, Writing> {
        self.queue.join();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.queue.leave();
        writer
    }

    /// The connection that writes, in no transaction.
    fn alone(&self) -> MutexGuard<'_, Writing> {
        let mut writer = self.writer();
        writer.end(|connection| self.commit(connection));
        writer
    }

    /// The tree over all rows.
    pub(crate) fn authentic(&self) -> &Authentic {
        &self.authentic
    }

    /// Reads one consistent state, by any number of queries.
    pub(crate) fn look<T, E: From<StoreError>>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Stopped<E>>,
    ) -> Result<T, E> {
        self.look_with(Reads::AllElse, query)
    }

    /// The same of objects: however long it takes, others find a reader.
    pub(crate) fn look_at_objects<T, E: From<StoreError>>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Stopped<E>>,
    ) -> Result<T, E> {
        self.look_with(Reads::Objects, query)
    }

    fn look_with<T, E: From<StoreError>>(
        &self,
        reads: Reads,
        query: impl FnOnce(&Connection) -> Result<T, Stopped<E>>,
    ) -> Result<T, E> {
        let mut refusal = None;
        let done = {
            let reader = self.reader(reads);
            reader
                .unchecked_transaction()
                .and_then(|transaction| match query(&transaction) {
                    Ok(found) => transaction.finish().map(|()| Some(found)),
                    Err(Stopped::Failed(error)) => Err(error),
                    Err(Stopped::Refused(refused)) => {
                        refusal = Some(refused);
                        transaction.finish().map(|()| None)
                    }
                })
        };
        self.ended(done, refusal)
    }

    fn ended<T, E: From<StoreError>>(
        &self,
        done: rusqlite::Result<Option<T>>,
        refusal: Option<E>,
    ) -> Result<T, E> {
        match (done, refusal) {
            (Ok(Some(done)), _) => Ok(done),
            (_, Some(refused)) => Err(refused),
            (Ok(None), None) => {
                Err(StoreError::from_sqlite(&self.path, rusqlite::Error::QueryReturnedNoRows).into())
            }
            (Err(error), None) => Err(StoreError::from_sqlite(&self.path, error).into()),
        }
    }

    /// A reader that is free, or else the next in turn. Nobody but who looks for objects waits for whoever does.
    pub(crate) fn reader(&self, reads: Reads) -> MutexGuard<'_, Connection> {
        self.free_reader(reads).unwrap_or_else(|| {
            let ([first, ..], (for_objects, others)) = (&self.readers, self.readers.split_at(FOR_OBJECTS));
            let waited_for = match reads {
                Reads::Objects => for_objects,
                Reads::AllElse => others,
            };
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let next = waited_for.get(turn % waited_for.len().max(1)).unwrap_or(first);
            next.lock().unwrap_or_else(PoisonError::into_inner)
        })
    }

    pub(crate) fn free_reader(&self, reads: Reads) -> Option<MutexGuard<'_, Connection>> {
        let usable = match reads {
            Reads::Objects => FOR_OBJECTS,
            Reads::AllElse => READERS,
        };
        // From the end, where those are that are for nobody's objects.
        let mut usable = self.readers.iter().take(usable).rev();
        usable.find_map(|reader| reader.try_lock().ok())
    }

    /// Whether the row of `table` with this primary key is the one that was written last, and absent only if it was removed
    /// or never there. Both are seen as of one moment if `connection` is in a transaction that the row was read in.
    /// Of what the same transaction has changed nothing can be said: that is compared when it is committed.
    ///
    /// # Errors
    /// One that becomes [`StoreError::Altered`].
    pub(crate) fn check(
        &self,
        connection: &Connection,
        table: &'static str,
        key: &[&dyn ToSql],
    ) -> rusqlite::Result<()> {
        self.authentic.check(connection, table, key)
    }

    /// Something in the database was altered.
    pub(crate) fn damaged(&self, why: impl std::error::Error + Send + Sync + 'static) -> StoreError {
        let source = rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(why));
        StoreError::Corrupt {
            path: self.path.clone(),
            source,
        }
    }
}

pub(crate) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    // The file is not trusted: no functions from its schema, no writing to SQLite's own tables.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_LIMIT, |_| Ok(()))?;
    Ok(connection)
}

/// A moho that shares the store with no other, such as one of before, has it.
fn locked(directory: &Path) -> impl FnOnce(LockError) -> StoreError {
    let directory = directory.to_owned();
    move |error| match error {
        LockError::Io { path, source } => StoreError::io(&path)(source),
        LockError::Held(_) | _ => StoreError::InUse(directory),
    }
}

/// A column that holds a term as text.
pub(crate) fn term<T: FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text = row.get_ref(column)?.as_str()?;
    text.parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// A column that holds a time.
pub(crate) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let micros: i64 = row.get(column)?;
    let micros = u64::try_from(micros)
        .map_err(|_negative| rusqlite::Error::IntegralValueOutOfRange(column, micros))?;
    Ok(Timestamp::from_unix_micros(micros))
}

/// A time as a column holds it.
pub(crate) fn micros(time: Timestamp) -> i64 {
    // INVARIANT: a timestamp ends with the year 9999, which fits.
    i64::try_from(time.unix_micros()).unwrap_or(i64::MAX)
}

/// A column that holds a count.
pub(crate) fn counted(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let count: i64 = row.get(column)?;
    u64::try_from(count).map_err(|_negative| rusqlite::Error::IntegralValueOutOfRange(column, count))
}

/// A count as a column holds it; what is more is as much as a column can hold.
pub(crate) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
