//! Which rows a transaction changes, and what they were: told by triggers that only the writing connection has.
//!
//! They are temporary, so that nobody can take them out of the database, and see what other triggers, foreign keys and
//! replacements do, too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};

use super::names::{Digest, Macs, Name};
use super::tables::{Table, owned, quoted};

/// What the triggers call.
const NOTE: &str = "moho_note";
/// Arguments before the values: the number of the table, and what happens.
const BEFORE: usize = 2;

/// What happens to a row.
const INSERTED: i64 = 1;
const UPDATED: i64 = 2;
const DELETED: i64 = 3;

/// A row that was changed: where it is, and what it came to before.
pub(super) struct Note {
    pub(super) table: usize,
    pub(super) key: Vec<Value>,
    pub(super) was: Option<Digest>,
}

/// The rows that the transaction has changed so far.
#[derive(Default)]
pub(super) struct Notes(Mutex<HashMap<Name, Note>>);

impl Notes {
    /// Has a connection tell of what it changes.
    pub(super) fn listen(
        connection: &Connection,
        tables: &Arc<Vec<Table>>,
        macs: &Arc<Macs>,
    ) -> rusqlite::Result<Arc<Self>> {
        // A row that makes way for another is removed, and has to be told of.
        connection.pragma_update(None, "recursive_triggers", true)?;
        let notes = Arc::new(Self::default());
        let (told, of, by) = (Arc::clone(&notes), Arc::clone(tables), Arc::clone(macs));
        connection.create_scalar_function(NOTE, -1, FunctionFlags::SQLITE_UTF8, move |context| {
            told.note(context, &of, &by)?;
            Ok(None::<i64>)
        })?;
        for (number, table) in tables.iter().enumerate().filter(|(_, table)| !table.is_schema()) {
            connection.execute_batch(&triggers(number, table))?;
        }
        Ok(notes)
    }

    fn note(&self, context: &Context<'_>, tables: &[Table], macs: &Macs) -> rusqlite::Result<()> {
        let number: u32 = context.get(0)?;
        let happens: i64 = context.get(1)?;
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let table = tables.get(number).ok_or(rusqlite::Error::InvalidQuery)?;
        let values: Vec<ValueRef<'_>> = (BEFORE..context.len()).map(|at| context.get_raw(at)).collect();
        let (row, new_key) = match happens {
            INSERTED => (None, values.as_slice()),
            _ => {
                let (row, key) = values
                    .split_at_checked(table.columns.len())
                    .ok_or(rusqlite::Error::InvalidQuery)?;
                (Some(row), key)
            }
        };
        let mut notes = self.lock();
        if let Some(row) = row {
            let key = || table.key.iter().filter_map(|(at, _)| row.get(*at).copied());
            let was = || Some(macs.digest(table, row.iter().copied()));
            noted(&mut notes, (number, macs.name(table, key())), key(), was);
        }
        if happens != DELETED {
            let key = || new_key.iter().copied();
            noted(&mut notes, (number, macs.name(table, key())), key(), || None);
        }
        Ok(())
    }

    /// Forgets all: a transaction begins.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    /// All that was noted.
    pub(super) fn take(&self) -> HashMap<Name, Note> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Note>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a row was is what it was when it was first changed.
fn noted<'v>(
    notes: &mut HashMap<Name, Note>,
    (table, name): (usize, Name),
    key: impl Iterator<Item = ValueRef<'v>>,
    was: impl FnOnce() -> Option<Digest>,
) {
    notes.entry(name).or_insert_with(|| Note {
        table,
        key: key.map(owned).collect(),
        was: was(),
    });
}

fn triggers(number: usize, table: &Table) -> String {
    let row: String = table
        .columns
        .iter()
        .map(|name| format!(", OLD.{}", quoted(name)))
        .collect();
    let key = table.key.iter().filter_map(|(at, _)| table.columns.get(*at));
    let key: String = key.map(|name| format!(", NEW.{}", quoted(name))).collect();
    let on = quoted(&table.name);
    let trigger = |when: &str, happens: i64, values: &str| {
        format!(
            "CREATE TEMP TRIGGER authentic_{number}_{happens} AFTER {when} ON main.{on}
             BEGIN SELECT {NOTE}({number}, {happens}{values}); END;"
        )
    };
    [
        trigger("INSERT", INSERTED, &key),
        trigger("UPDATE", UPDATED, &format!("{row}{key}")),
        trigger("DELETE", DELETED, &row),
    ]
    .concat()
}
