//! All rows against the tree, and the tree against all rows, a step at a time: in little memory, and as slowly as whoever
//! asks for it wants.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::Authentic;
use super::error::Tampering;
use super::root::Root;
use super::survey::{self, BUCKETS, compare_indexes};
use super::tables::{Table, shown};
use super::tree::entries;

/// How far a scrub has come. It begins anew by default, and may be kept as long as the process lives.
#[derive(Debug, Clone, Default)]
pub struct Scrub {
    stage: Stage,
    rows: u64,
}

#[derive(Debug, Clone, Default)]
enum Stage {
    /// The rows of all tables, one table after the other: the number of the table, and the key to go on after.
    Rows(usize, Option<Vec<Value>>),
    /// Whether the tree names more rows than there are.
    #[default]
    Missing,
    /// Whether indexes find all rows.
    Indexes(usize),
    Done,
}

impl Scrub {
    /// How many rows were found to be right so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether all of it was gone through.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }
}

impl Authentic {
    /// Takes one step more: some thousand rows at most, but for what tells whether rows are missing.
    pub(crate) fn scrub(&self, connection: &Connection, scrub: &mut Scrub) -> rusqlite::Result<()> {
        let root = self.root(connection)?;
        scrub.stage = match std::mem::take(&mut scrub.stage) {
            Stage::Missing => {
                self.count(connection, &root)?;
                Stage::Rows(0, None)
            }
            Stage::Rows(number, after) => match self.tables.get(number) {
                Some(table) => {
                    let (rows, last) = self.some_rows(connection, (&root, table), after.as_deref())?;
                    scrub.rows = scrub.rows.saturating_add(rows);
                    match last {
                        Some(last) => Stage::Rows(number, Some(last)),
                        None => Stage::Rows(number.saturating_add(1), None),
                    }
                }
                None => Stage::Indexes(0),
            },
            Stage::Indexes(number) => match self.tables.get(number) {
                Some(table) => {
                    compare_indexes(connection, table)?;
                    Stage::Indexes(number.saturating_add(1))
                }
                None => Stage::Done,
            },
            Stage::Done => Stage::Done,
        };
        Ok(())
    }

    /// Checks rows after a key, and says how many there were and which was the last one, if there may be more.
    fn some_rows(
        &self,
        connection: &Connection,
        (root, table): (&Root, &Table),
        after: Option<&[Value]>,
    ) -> rusqlite::Result<(u64, Option<Vec<Value>>)> {
        let mut statement = connection.prepare(&table.batch(after.is_some()))?;
        let mut rows = statement.query(params_from_iter(after.unwrap_or_default()))?;
        let (mut count, mut last) = (0_u64, None);
        while let Some(row) = rows.next()? {
            let key = table.key_of(row)?;
            let (name, digest) = table.named(row, &self.tree.macs)?;
            if self.tree.entry(connection, root.digest, &name)? != Some(digest) {
                return Err(Tampering::row(&table.name, Some(shown(&key))).into());
            }
            count = count.saturating_add(1);
            last = Some(key);
        }
        Ok((count, last))
    }

    /// Whether there are as many rows as the tree names.
    fn count(&self, connection: &Connection, root: &Root) -> rusqlite::Result<()> {
        let mut named: HashMap<[u8; 2], u64> = HashMap::new();
        for bucket in 0..BUCKETS {
            let leaf = self.tree.leaf(connection, root.digest, bucket)?;
            for ([_, _, one, other, ..], _) in entries(&leaf) {
                let count = named.entry([one, other]).or_default();
                *count = count.saturating_add(1);
            }
        }
        let mut there: HashMap<[u8; 2], u64> = HashMap::new();
        for table in self.tables.iter() {
            let count = there.entry(table.tag).or_default();
            *count = count.saturating_add(survey::count(connection, table)?);
        }
        // Two tables may have the same tag, by chance: then it is one of them.
        for table in self.tables.iter() {
            let named = named.get(&table.tag).copied().unwrap_or_default();
            if there.get(&table.tag) != Some(&named) {
                return Err(Tampering::row(&table.name, None).into());
            }
        }
        Ok(())
    }
}
