//! All rows of tables against the tree, both ways: what is altered, what is missing, and what was never written.

use rusqlite::Connection;

use super::error::{Alteration, Tampering};
use super::names::{Digest, Name};
use super::root::Root;
use super::tables::{Coverage, Table, quoted, shown};
use super::tree::{Tree, entries};
use crate::database::counted;

/// How many buckets there are, and in each half of the tree.
pub(super) const BUCKETS: u32 = 1 << 16;
const HALF: u32 = BUCKETS / 2;

/// All rows of these tables, sorted by what they are called.
pub(super) fn rows<'t>(
    connection: &Connection,
    tables: impl Iterator<Item = &'t Table>,
    tree: &Tree,
) -> rusqlite::Result<Vec<(Name, Digest)>> {
    let mut found = Vec::new();
    for table in tables {
        let mut statement = connection.prepare(&table.scan)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            found.push(table.named(row, &tree.macs)?);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Compares all rows of the tables of one coverage with the tree.
pub(super) fn compare(
    connection: &Connection,
    (tree, root): (&Tree, &Root),
    tables: &[Table],
    coverage: Coverage,
) -> rusqlite::Result<()> {
    let of = || tables.iter().filter(|table| table.coverage == coverage);
    let found = rows(connection, of(), tree)?;
    let mut found = found.into_iter().peekable();
    let first = match coverage {
        Coverage::Opening => 0,
        Coverage::Reading => HALF,
    };
    for bucket in first..first.saturating_add(HALF) {
        let leaf = tree.leaf(connection, root.digest, bucket)?;
        for expected in entries(&leaf) {
            match found.next() {
                Some(row) if row == expected => {}
                Some(row) => return Err(told(connection, tree, of(), (row.0.min(expected.0), row.0))?.into()),
                None => return Err(told(connection, tree, of(), (expected.0, expected.0))?.into()),
            }
        }
        let beyond = |(name, _): &(Name, Digest)| super::tree::bucket(name) <= bucket;
        if let Some((name, _)) = found.next_if(beyond) {
            return Err(told(connection, tree, of(), (name, name))?.into());
        }
    }
    Ok(())
}

/// Says which row it is that is not what it should be: the `first` of two names, if there is a row of it.
fn told<'t>(
    connection: &Connection,
    tree: &Tree,
    tables: impl Iterator<Item = &'t Table>,
    (first, _): (Name, Name),
) -> rusqlite::Result<Tampering> {
    let [_, _, one, other, ..] = first;
    let mut missing = Tampering::tree("a row is missing");
    for table in tables.filter(|table| table.tag == [one, other]) {
        let mut statement = connection.prepare(&table.scan)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if table.named(row, &tree.macs)?.0 == first {
                return Ok(Tampering::row(&table.name, Some(shown(&table.key_of(row)?))));
            }
        }
        missing = Tampering::row(&table.name, None);
    }
    Ok(missing)
}

/// Whether what finds rows finds all of them, and no others.
pub(super) fn compare_indexes(connection: &Connection, table: &Table) -> rusqlite::Result<()> {
    if table.is_schema() {
        return Ok(());
    }
    let check = format!("PRAGMA integrity_check({})", quoted(&table.name));
    let said: String = connection.query_row(&check, [], |row| row.get(0))?;
    if said == "ok" {
        return Ok(());
    }
    Err(Tampering::Altered(Alteration::Index(table.name.clone())).into())
}

/// Compares one table with the tree.
pub(super) fn compare_table(
    connection: &Connection,
    (tree, root): (&Tree, &Root),
    table: &Table,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&table.scan)?;
    let mut rows = statement.query([])?;
    let mut there: u64 = 0;
    while let Some(row) = rows.next()? {
        let (name, digest) = table.named(row, &tree.macs)?;
        if tree.entry(connection, root.digest, &name)? != Some(digest) {
            return Err(Tampering::row(&table.name, Some(shown(&table.key_of(row)?))).into());
        }
        there = there.saturating_add(1);
    }
    if expected(connection, (tree, root), table.tag)? == there {
        return Ok(());
    }
    Err(Tampering::row(&table.name, None).into())
}

/// How many rows a table has.
pub(super) fn count(connection: &Connection, table: &Table) -> rusqlite::Result<u64> {
    let from = quoted(&table.name);
    let select = format!("SELECT count(*) FROM {from} NOT INDEXED");
    connection.query_row(&select, [], |row| counted(row, 0))
}

/// How many rows of this tag the tree names.
fn expected(connection: &Connection, (tree, root): (&Tree, &Root), tag: [u8; 2]) -> rusqlite::Result<u64> {
    let mut count: u64 = 0;
    for bucket in 0..BUCKETS {
        let leaf = tree.leaf(connection, root.digest, bucket)?;
        let of = entries(&leaf).filter(|([_, _, one, other, ..], _)| tag == [*one, *other]);
        count = count.saturating_add(u64::try_from(of.count()).unwrap_or(u64::MAX));
    }
    Ok(count)
}
