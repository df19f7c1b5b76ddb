//! The authenticated root: every row is the one that was written last.
//!
//! A [`tree`] over all rows of all [`tables`] is kept in the database and changed with them, in the same transaction;
//! temporary triggers tell of each row ([`notes`]). What it comes to, with the number of changes, is the [`root`], under a
//! MAC; the last one that was committed is repeated in a file beside the database, the [`anchor`]. So whoever alters a row,
//! swaps two, or puts an earlier row or file back, is found out: small tables when the store is opened, rows of all tables
//! when they are read and checked.
//!
//! Nothing here is trusted but the [`StoreKey`](moho_kms::StoreKey), which the root of trust wraps. docs/sealing.md has every byte.

mod anchor;
mod consent;
mod error;
mod names;
mod notes;
mod open;
mod restored;
mod root;
mod scrub;
mod survey;
mod tables;
mod tree;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use moho_kms::StoreCipher;
use moho_terms::Secret;
use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Connection, ToSql};

pub use consent::Rollback;
pub use error::Alteration;
pub(crate) use error::{Tampering, tampering};
pub(crate) use open::{Trust, wrapped};
pub(crate) use restored::{last_anchored, vouched};
pub use scrub::Scrub;

use self::anchor::Anchor;
use self::notes::Notes;
use self::root::Root;
use self::tables::{Table, owned, shown};
use self::tree::{Change, Tree, Unlike};

/// Statements that are kept ready on a connection.
const STATEMENTS: usize = 160;

/// The tree over all rows of one store, and who keeps it.
pub(crate) struct Authentic {
    tree: Tree,
    tables: Arc<Vec<Table>>,
    notes: Arc<Notes>,
    anchor: Anchor,
    state: Mutex<State>,
    /// Sees what is there now, whatever a reader still sees.
    witness: Mutex<Connection>,
    adopted: Option<u32>,
    /// Who hears of a row that is read and is not as it was written.
    hears: OnceLock<HearsAlterations>,
}

/// Hears what was found to be altered.
pub type HearsAlterations = Box<dyn Fn(&Alteration) + Send + Sync>;

/// What is known of roots.
struct State {
    /// The last one that was seen.
    seen: Root,
    /// The one that is about to be committed.
    next: Option<Root>,
    /// Whether the anchor could not be written.
    owed: bool,
    /// SQLite's number of the schema that was compared with the tree.
    schema: i64,
}

impl Authentic {
    /// Seals the keys that sign digests. Rotations of the root leave it as it is.
    pub(crate) fn digest_keys(&self) -> &StoreCipher {
        &self.tree.macs.digest_keys
    }

    /// The version of the schema that this store had when its tree was made from what was there; `None` if it has always had
    /// one, or began empty.
    /// What the keys of transparency logs follow from: 32 bytes that rotations of the root leave as they are.
    pub(crate) fn log_secret(&self) -> Secret {
        Secret::new(self.tree.macs.log.of(&[]).to_vec())
    }

    /// What the keys of CloudTrail's records follow from: 32 bytes.
    pub(crate) fn records_secret(&self) -> Secret {
        Secret::new(self.tree.macs.records.of(&[]).to_vec())
    }

    pub(crate) fn adopted(&self) -> Option<u32> {
        self.adopted
    }

    /// A transaction begins.
    pub(crate) fn begin(&self) {
        self.notes.forget();
        self.state().next = None;
    }

    /// Takes what a transaction has changed into the tree. The last thing before it is committed.
    pub(crate) fn before_commit(&self, transaction: &Connection) -> rusqlite::Result<()> {
        let notes = self.notes.take();
        if notes.is_empty() {
            return Ok(());
        }
        self.settle()?;
        let root = Root::read(transaction, &self.tree.macs)?;
        root.is_after(&self.state().seen.seen())?;
        self.see_schema(transaction, &root)?;
        let mut changes = BTreeMap::new();
        for (name, note) in &notes {
            let table = self.tables.get(note.table).ok_or(rusqlite::Error::InvalidQuery)?;
            let found = table.find(transaction, &note.key, &self.tree.macs)?;
            let change = Change {
                was: note.was,
                is: found.map(|(_, digest)| digest),
            };
            if change.was != change.is {
                changes.insert(*name, change);
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        let updated = self.tree.update(transaction, root.digest, &changes);
        let digest = updated.map_err(|error| match unlike(&error).and_then(|name| notes.get(&name)) {
            Some(note) => {
                let table = self.tables.get(note.table).map_or("", |table| &table.name);
                Tampering::row(table, Some(shown(&note.key))).into()
            }
            None => error,
        })?;
        let next = root.next(digest);
        next.write(transaction, &self.tree.macs)?;
        self.state().next = Some(next);
        Ok(())
    }

    /// The transaction was committed.
    pub(crate) fn committed(&self) {
        let mut state = self.state();
        if let Some(next) = state.next.take() {
            state.seen = next;
            state.owed = self.anchor.advance(&next, &self.tree.macs).is_err();
        }
    }

    /// Nothing more is changed while the anchor cannot be written.
    fn settle(&self) -> rusqlite::Result<()> {
        let mut state = self.state();
        if state.owed {
            let written = self.anchor.advance(&state.seen, &self.tree.macs);
            written.map_err(|error| rusqlite::Error::UserFunctionError(Box::new(error)))?;
            state.owed = false;
        }
        Ok(())
    }

    /// Whether the row of `table` with this primary key is the one that was written last, or absent and rightly so.
    pub(crate) fn check(
        &self,
        connection: &Connection,
        table: &'static str,
        key: &[&dyn ToSql],
    ) -> rusqlite::Result<()> {
        let key = key
            .iter()
            .map(|part| value(*part))
            .collect::<rusqlite::Result<Vec<Value>>>()?;
        let table = self.tables.iter().find(|covered| covered.name == table);
        let table = table
            .filter(|table| table.takes(&key))
            .ok_or(rusqlite::Error::InvalidQuery)?;
        let checked = if connection.is_autocommit() {
            let moment = connection.unchecked_transaction()?;
            self.check_row(&moment, table, &key)
        } else {
            self.check_row(connection, table, &key)
        };
        checked.inspect_err(|error| {
            if let (Some(Tampering::Altered(alteration)), Some(hears)) = (tampering(error), self.hears.get())
            {
                hears(alteration);
            }
        })
    }

    /// Lets somebody hear of every row that is read and is not as it was written. The first one stays.
    pub(crate) fn tell_of_alterations(&self, hears: HearsAlterations) {
        let _first = self.hears.get_or_init(|| hears);
    }

    fn check_row(&self, connection: &Connection, table: &Table, key: &[Value]) -> rusqlite::Result<()> {
        let root = self.root(connection)?;
        let macs = &self.tree.macs;
        let name = macs.name(table, key.iter().map(Into::into));
        let found = table.find(connection, key, macs)?.map(|(_, digest)| digest);
        if self.tree.entry(connection, root.digest, &name)? == found {
            return Ok(());
        }
        Err(Tampering::row(&table.name, Some(shown(key))).into())
    }

    /// The root as a connection sees it, which may be a moment ago.
    fn root(&self, connection: &Connection) -> rusqlite::Result<Root> {
        let root = Root::read(connection, &self.tree.macs)?;
        let seen = self.state().seen.seen();
        if root.is_after(&seen).is_ok() {
            return Ok(root);
        }
        // Somebody has gone on since this connection began to read: then what there is now is later.
        let witness = self.witness.lock().unwrap_or_else(PoisonError::into_inner);
        Root::read(&witness, &self.tree.macs)?.is_after(&seen)?;
        if root.epoch == seen.epoch {
            return root.is_after(&seen).map(|()| root).map_err(Into::into);
        }
        Ok(root)
    }

    /// Looks at what is there now: no earlier root than was seen here, and the schema that was compared with the tree.
    pub(crate) fn observe(&self, connection: &Connection) -> rusqlite::Result<()> {
        let seen = self.state().seen.seen();
        let root = Root::read(connection, &self.tree.macs)?;
        root.is_after(&seen)?;
        self.see_schema(connection, &root)?;
        let mut state = self.state();
        if root.epoch > state.seen.epoch {
            state.seen = root;
        }
        Ok(())
    }

    /// Compares tables, indexes and triggers with the tree once more, if they are not those of before.
    fn see_schema(&self, connection: &Connection, root: &Root) -> rusqlite::Result<()> {
        if root.version > self.state().seen.version {
            return Err(Tampering::Newer(root.version).into());
        }
        let mut statement = connection.prepare_cached("SELECT schema_version FROM pragma_schema_version")?;
        let schema: i64 = statement.query_row([], |row| row.get(0))?;
        if self.state().schema == schema {
            return Ok(());
        }
        for table in self.tables.iter().filter(|table| table.is_schema()) {
            survey::compare_table(connection, (&self.tree, root), table)?;
        }
        self.state().schema = schema;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Authentic {
    fn drop(&mut self) {
        // It may be behind: what is not synced now is only less.
        self.anchor.sync().unwrap_or_default();
    }
}

fn unlike(error: &rusqlite::Error) -> Option<names::Name> {
    if let rusqlite::Error::UserFunctionError(inner) = error {
        return inner.downcast_ref::<Unlike>().map(|unlike| unlike.0);
    }
    None
}

fn value(part: &dyn ToSql) -> rusqlite::Result<Value> {
    match part.to_sql()? {
        ToSqlOutput::Borrowed(value) => Ok(owned(value)),
        ToSqlOutput::Owned(value) => Ok(value),
        ToSqlOutput::Arg(_) | _ => Err(rusqlite::Error::InvalidQuery),
    }
}
