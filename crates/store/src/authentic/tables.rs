//! Which tables the tree covers, and how their rows are read.
//!
//! A table that is not named here is covered, and compared with the tree whenever the store is opened.

use std::fmt::Write as _;

use rusqlite::types::{Type, Value, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};

use super::error::Tampering;
use super::names::{Digest, Macs, Name};

/// Tables that the tree says nothing of, and why that is safe.
const EXEMPT: &[(&str, &str)] = [
    (
        "authentic_key",
        "it is sealed by the root key, and an earlier one is of no use",
    ),
    ("authentic_node", "it is the tree"),
    ("authentic_root", "it is the root, and has a MAC of its own"),
    (
        "quota_counter",
        "it changes all the time, and decides nothing but how much of today's quota is left",
    ),
    ("usage", "it changes all the time, and decides nothing"),
    ("iam_last_access", "it changes all the time, and decides nothing"),
    (
        "iam_last_access_mark",
        "it says how far the journal was read for the table above",
    ),
]
.as_slice();

/// Tables that grow with what is stored, so that opening does not read them: whoever reads a row of them checks it. Whoever
/// alters this list has to begin a new version of the schema, as the tree is built by it.
const LARGE: &[(&str, &str)] = [
    ("sealed_response", "a row is checked when a response is read"),
    (
        "conversation",
        "a row is checked when anything of a conversation is read",
    ),
    (
        "conversation_item",
        "a row is checked when an item is read, and that none is missing between two",
    ),
    (
        "prompt_version",
        "a row is checked when a version of a prompt is read",
    ),
    ("invocation_outbox", "a row is checked when a record is delivered"),
    ("object_head", "a row is checked when an object is looked for"),
    ("object_version", "a row is checked when a version is read"),
    ("object_upload", "a row is checked when an upload is gone on with"),
    ("object_segment", "a row is checked when a segment is read"),
    ("log_stream", "a row is checked when a stream is read or changed"),
    (
        "log_block",
        "a row is checked when its events are read, and that as many are there as their stream says",
    ),
]
.as_slice();

/// Columns that the tree says nothing of, and why that is safe: they may be large, and the rest of the row binds them.
const UNBOUND: &[(&str, &str, &str)] = [
    (
        "object_segment",
        "inline",
        "it is sealed, and the commitment and the length beside it fit no other bytes",
    ),
    (
        "log_block",
        "summary",
        "it is sealed with the id of the block, which stands beside it and is no other's",
    ),
    (
        "log_block",
        "sealed",
        "it is sealed with the id of the block, which stands beside it and is no other's",
    ),
]
.as_slice();

/// SQLite's own table of tables, indexes and triggers. What is altered there would change what all others say.
const SCHEMA: &str = "sqlite_schema";

/// How many rows are read together.
const BATCH: u32 = 1000;

/// When rows are compared with the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coverage {
    /// When the store is opened, all of them, and whenever somebody checks one.
    Opening,
    /// Whenever somebody checks one.
    Reading,
}

/// A table that is covered.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) coverage: Coverage,
    /// Tells its rows from those of other tables in their names.
    pub(super) tag: [u8; 2],
    pub(super) columns: Vec<String>,
    /// Which of the columns are the primary key, and what they hold.
    pub(super) key: Vec<(usize, Type)>,
    /// Finds one row by its key.
    pub(super) find: String,
    /// Reads all rows from the table itself, not from an index.
    pub(super) scan: String,
}

impl Table {
    /// All tables that are covered, SQLite's own first.
    pub(super) fn all(connection: &Connection, macs: &Macs) -> rusqlite::Result<Vec<Self>> {
        let select = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
        let mut statement = connection.prepare(select)?;
        let names = statement.query_map([], |row| row.get(0))?;
        let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
        let mut tables = vec![Self::schema(macs)];
        for name in names {
            if !EXEMPT.iter().any(|(exempt, _)| *exempt == name) {
                tables.push(Self::read(connection, &name, macs)?);
            }
        }
        Ok(tables)
    }

    fn schema(macs: &Macs) -> Self {
        let columns = ["type", "name", "tbl_name", "sql"].map(str::to_owned).to_vec();
        let mut schema = Self::of(SCHEMA, columns, vec![(0, Type::Text), (1, Type::Text)]);
        schema.tag = macs.tag(SCHEMA);
        schema
    }

    fn read(connection: &Connection, name: &str, macs: &Macs) -> rusqlite::Result<Self> {
        let mut statement =
            connection.prepare("SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid")?;
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let all: Vec<(String, String, u32)> = statement
            .query_map([name], read)?
            .collect::<rusqlite::Result<_>>()?;
        let is_bound = |column: &str| !UNBOUND.iter().any(|(of, it, _)| (*of, *it) == (name, column));
        let all: Vec<_> = all.into_iter().filter(|(column, ..)| is_bound(column)).collect();
        let mut key: Vec<(u32, usize, Type)> = all
            .iter()
            .enumerate()
            .filter(|(_, (_, _, place))| *place > 0)
            .map(|(at, (_, kind, place))| (*place, at, held(kind)))
            .collect();
        key.sort_unstable_by_key(|(place, ..)| *place);
        if key.is_empty() {
            return Err(Tampering::tree("a table has no primary key").into());
        }
        let key = key.into_iter().map(|(_, at, kind)| (at, kind)).collect();
        let mut table = Self::of(name, all.into_iter().map(|(column, ..)| column).collect(), key);
        table.tag = macs.tag(name);
        if LARGE.iter().any(|(large, _)| *large == name) {
            table.coverage = Coverage::Reading;
        }
        Ok(table)
    }

    fn of(name: &str, columns: Vec<String>, key: Vec<(usize, Type)>) -> Self {
        let list = listed(columns.iter());
        let keys: Vec<&String> = key.iter().filter_map(|(at, _)| columns.get(*at)).collect();
        let mut is = String::new();
        for (number, column) in keys.iter().enumerate() {
            let and = if number > 0 { " AND " } else { "" };
            // Writing to text does not fail.
            write!(is, "{and}{} = ?{}", quoted(column), number.saturating_add(1)).unwrap_or_default();
        }
        let from = quoted(name);
        Self {
            find: format!("SELECT {list} FROM {from} WHERE {is}"),
            scan: format!("SELECT {list} FROM {from} NOT INDEXED"),
            name: name.to_owned(),
            coverage: Coverage::Opening,
            tag: [0; 2],
            columns,
            key,
        }
    }

    /// Reads some rows in the order of their keys; `after` one of them, which is bound, or from the first.
    pub(super) fn batch(&self, after: bool) -> String {
        let list = listed(self.columns.iter());
        let keys = listed(self.key.iter().filter_map(|(at, _)| self.columns.get(*at)));
        let places = (1..=self.key.len()).map(|number| format!("?{number}"));
        let after = if after {
            format!("WHERE ({keys}) > ({})", places.collect::<Vec<_>>().join(", "))
        } else {
            String::new()
        };
        let from = quoted(&self.name);
        format!("SELECT {list} FROM {from} {after} ORDER BY {keys} LIMIT {BATCH}")
    }

    /// Whether it is SQLite's own.
    pub(super) fn is_schema(&self) -> bool {
        self.name == SCHEMA
    }

    /// What a row is called and comes to.
    pub(super) fn named(&self, row: &Row<'_>, macs: &Macs) -> rusqlite::Result<(Name, Digest)> {
        let mut values = Vec::with_capacity(self.columns.len());
        for at in 0..self.columns.len() {
            values.push(row.get_ref(at)?);
        }
        let key = self.key.iter().filter_map(|(at, _)| values.get(*at).copied());
        let name = macs.name(self, key);
        Ok((name, macs.digest(self, values.into_iter())))
    }

    /// What the row with this key is called and comes to now, if it is there.
    pub(super) fn find(
        &self,
        connection: &Connection,
        key: &[Value],
        macs: &Macs,
    ) -> rusqlite::Result<Option<(Name, Digest)>> {
        let mut statement = connection.prepare_cached(&self.find)?;
        let mut rows = statement.query(params_from_iter(key))?;
        rows.next()?.map(|row| self.named(row, macs)).transpose()
    }

    /// Whether these can be a key: a number is never found as text, nor the other way.
    pub(super) fn takes(&self, key: &[Value]) -> bool {
        let kinds = self.key.iter().map(|(_, kind)| *kind);
        key.len() == self.key.len() && kinds.eq(key.iter().map(Value::data_type))
    }

    /// The key of a row.
    pub(super) fn key_of(&self, row: &Row<'_>) -> rusqlite::Result<Vec<Value>> {
        self.key.iter().map(|(at, _)| row.get(*at)).collect()
    }
}

/// What a column of this declared type holds.
fn held(declared: &str) -> Type {
    match declared {
        "INTEGER" | "INT" => Type::Integer,
        "BLOB" => Type::Blob,
        "REAL" => Type::Real,
        _ => Type::Text,
    }
}

fn listed<'n>(columns: impl Iterator<Item = &'n String>) -> String {
    columns.map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// A name as a statement may hold it, whatever it is.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A key as people read it: names and numbers, nothing of what is kept under them.
pub(super) fn shown(key: &[Value]) -> String {
    let part = |value: &Value| match ValueRef::from(value) {
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Text(text) => {
            let text = String::from_utf8_lossy(text);
            let some: String = text.chars().take(100).flat_map(char::escape_default).collect();
            format!("`{some}`")
        }
        ValueRef::Blob(blob) => blob.iter().take(16).map(|byte| format!("{byte:02x}")).collect(),
        ValueRef::Null | ValueRef::Real(_) => "?".to_owned(),
    };
    key.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// A value of one's own.
pub(super) fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        // Text that is none is not found again, and its row is refused.
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
    }
}
