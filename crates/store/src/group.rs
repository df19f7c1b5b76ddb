//! Group commit: changes of many threads in one transaction, which the disk is waited for once.
//!
//! Each change runs on its own thread, one after the other, in a savepoint of its own. Whoever is done and sees others
//! waiting for the writer leaves the transaction open for the next of them; the last one commits for all. So nobody waits
//! for company: a change that is alone is committed at once, and while the disk is busy with it, the next ones gather.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rusqlite::types::Type;
use rusqlite::{Connection, ffi};

use crate::database::Stopped;
use crate::error::StoreError;

/// Changes that are committed together, at most.
const MOST: u32 = 256;

/// The connection that writes, and the changes that it has not committed yet.
pub(crate) struct Writing {
    pub(crate) connection: Connection,
    open: Option<(Arc<Batch>, u32)>,
}

impl Writing {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            open: None,
        }
    }

    /// The changes to be committed with this one, which may be the first: then `begun` is told.
    pub(crate) fn join(&mut self, begun: impl FnOnce()) -> rusqlite::Result<Arc<Batch>> {
        let (batch, before) = match self.open.take() {
            Some(open) => open,
            None => {
                self.connection.execute_batch("BEGIN IMMEDIATE")?;
                begun();
                (Arc::default(), 0)
            }
        };
        self.open = Some((Arc::clone(&batch), before.saturating_add(1)));
        Ok(batch)
    }

    /// Whether as many changes wait for the disk as may.
    pub(crate) fn is_full(&self) -> bool {
        self.open.as_ref().is_some_and(|(_, changes)| *changes >= MOST)
    }

    /// Ends the transaction that is open, if there is one, and tells everybody with a change in it how.
    pub(crate) fn end(&mut self, commit: impl FnOnce(&Connection) -> rusqlite::Result<()>) {
        let Some((batch, _)) = self.open.take() else {
            return;
        };
        let ended = catch_unwind(AssertUnwindSafe(|| commit(&self.connection)));
        if !matches!(ended, Ok(Ok(()))) && !self.connection.is_autocommit() {
            // If it cannot be taken back, no transaction begins on this connection any more.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        match ended {
            Ok(ended) => batch.tell(ended.map_err(Arc::new)),
            Err(panic) => {
                batch.tell(Err(Arc::new(rusqlite::Error::SqliteFailure(
                    ffi::Error::new(ffi::SQLITE_ABORT),
                    None,
                ))));
                resume_unwind(panic);
            }
        }
    }
}

/// How many threads wait for the writer.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: AtomicUsize,
    /// Tells a test that one more waits.
    #[cfg(test)]
    grown: (Mutex<()>, Condvar),
}

impl Queue {
    pub(crate) fn join(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        #[cfg(test)]
        {
            let _turn = self.grown.0.lock().unwrap_or_else(PoisonError::into_inner);
            self.grown.1.notify_all();
        }
    }

    pub(crate) fn leave(&self) {
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0
    }

    /// Waits until so many wait.
    #[cfg(test)]
    pub(crate) fn until(&self, count: usize) {
        let turn = self.grown.0.lock().unwrap_or_else(PoisonError::into_inner);
        let few = |(): &mut ()| self.waiting.load(Ordering::SeqCst) < count;
        drop(self.grown.1.wait_while(turn, few));
    }
}

type Ended = Result<(), Arc<rusqlite::Error>>;

/// What those who wait for the same transaction share.
#[derive(Default)]
pub(crate) struct Batch {
    ended: Mutex<Option<Ended>>,
    told: Condvar,
}

impl Batch {
    fn tell(&self, ended: Ended) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
        self.told.notify_all();
    }

    /// Waits until the transaction has ended.
    pub(crate) fn wait(&self) -> rusqlite::Result<()> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = self.told.wait_while(ended, |ended| ended.is_none());
        match &*ended.unwrap_or_else(PoisonError::into_inner) {
            Some(Err(error)) => Err(again(error)),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

/// The same error, for each who has to be told.
pub(crate) fn again(error: &Arc<rusqlite::Error>) -> rusqlite::Error {
    if let rusqlite::Error::UserFunctionError(inner) = &**error
        && let Some(own) = inner.downcast_ref()
    {
        return rusqlite::Error::UserFunctionError(if let StoreError::DiskFull(path) = own {
            Box::new(StoreError::DiskFull(path.clone()))
        } else if let StoreError::Io { path, source } = own {
            Box::new(StoreError::Io {
                path: path.clone(),
                source: source.kind().into(),
            })
        } else {
            Box::new(Arc::clone(error))
        });
    }
    if let rusqlite::Error::SqliteFailure(code, text) = &**error {
        return rusqlite::Error::SqliteFailure(*code, text.clone());
    }
    rusqlite::Error::FromSqlConversionFailure(0, Type::Null, Box::new(Arc::clone(error)))
}

/// What a change came to.
pub(crate) enum Came<T, E> {
    Changed(T),
    Stopped(Stopped<E>),
    Panicked(Box<dyn Any + Send>),
}

/// Runs a change in a savepoint: nothing stays of one that stops or panics.
///
/// # Errors
/// If that cannot be said: then nothing of the whole transaction may stay.
pub(crate) fn in_savepoint<T, E>(
    connection: &Connection,
    change: impl FnOnce(&Connection) -> Result<T, Stopped<E>>,
) -> (Came<T, E>, rusqlite::Result<()>) {
    if let Err(error) = connection.execute_batch("SAVEPOINT change") {
        let again = again(&Arc::new(error));
        return (Came::Stopped(Stopped::Failed(again)), Ok(()));
    }
    let came = match catch_unwind(AssertUnwindSafe(|| change(connection))) {
        Ok(Ok(changed)) => Came::Changed(changed),
        Ok(Err(stopped)) => Came::Stopped(stopped),
        Err(panic) => Came::Panicked(panic),
    };
    if let Came::Stopped(Stopped::Failed(rusqlite::Error::SqliteFailure(code, text))) = &came
        && connection.is_autocommit()
    {
        // SQLite took back the whole transaction, as it does when the disk is full: that is why.
        let why = rusqlite::Error::SqliteFailure(*code, text.clone());
        return (came, Err(why));
    }
    let end = match &came {
        Came::Changed(_) => "RELEASE change",
        Came::Stopped(_) | Came::Panicked(_) => "ROLLBACK TO change; RELEASE change",
    };
    let ended = connection.execute_batch(end);
    (came, ended)
}
