//! Opening: a store begins, comes of an earlier version, or is compared with its tree.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use moho_kms::{RootKey, StoreKey};
use moho_terms::Entropy;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::anchor::{self, Anchor};
use super::error::Tampering;
use super::names::Macs;
use super::notes::Notes;
use super::root::Root;
use super::survey;
use super::tables::{Coverage, Table};
use super::tree::{EMPTY, Tree};
use super::{Authentic, STATEMENTS, State};
use crate::error::StoreError;
use crate::migrations::{self, bring};

/// The first version of the schema that has a tree.
pub(super) const SINCE: u32 = 9;

/// The root of trust, and randomness.
pub(crate) type Trust<'a> = (&'a RootKey, &'a dyn Entropy);

/// Where a store is, and what is known of it before it is trusted.
struct Opening<'a> {
    writer: &'a mut Connection,
    path: &'a Path,
    trust: Trust<'a>,
}

/// A tree that was compared with what it covers, or made of it.
struct Opened {
    tree: Tree,
    root: Root,
    anchor: Anchor,
    adopted: Option<u32>,
}

impl Authentic {
    /// Brings the database up to date, and compares it with its tree, or makes that if it cannot have one yet.
    ///
    /// # Errors
    /// [`StoreError`] if anything is not as it was written.
    pub(crate) fn open(
        writer: &mut Connection,
        (directory, path): (&Path, &Path),
        trust: Trust<'_>,
        witness: Connection,
    ) -> Result<Self, StoreError> {
        let failed = |error| StoreError::from_sqlite(path, error);
        let found = migrations::found(writer, path)?;
        let anchor = Anchor::open(directory)?;
        require_tree(found, trust)?;
        let mut opening = Opening { writer, path, trust };
        let opened = match anchor {
            None if found < SINCE => opening.begin(Anchor::create(directory)?, found)?,
            Some(anchor) if found < SINCE => {
                if !anchor.is_blank()? {
                    return Err(StoreError::Altered(super::Alteration::Tree(
                        "the database is of a version from before the anchor that is beside it",
                    )));
                }
                opening.begin(anchor, found)?
            }
            None => {
                return Err(StoreError::Altered(super::Alteration::Tree(
                    "the anchor is missing",
                )));
            }
            Some(anchor) => opening.go_on(anchor, found)?,
        };
        opened.anchor.advance(&opened.root, &opened.tree.macs)?;
        opened.anchor.sync()?;
        let noted = trust.0.note_store(trust.1);
        noted.map_err(moho_kms::KmsError::from)?;
        Self::over(writer, witness, opened).map_err(failed)
    }

    fn over(writer: &Connection, witness: Connection, opened: Opened) -> rusqlite::Result<Self> {
        writer.set_prepared_statement_cache_capacity(STATEMENTS);
        let macs = &opened.tree.macs;
        let tables = Arc::new(Table::all(writer, macs)?);
        let state = State {
            seen: opened.root,
            next: None,
            owed: false,
            schema: writer.pragma_query_value(None, "schema_version", |row| row.get(0))?,
        };
        let authentic = Self {
            notes: Notes::listen(writer, &tables, macs)?,
            tables,
            tree: opened.tree,
            anchor: opened.anchor,
            state: Mutex::new(state),
            witness: Mutex::new(witness),
            adopted: opened.adopted,
            hears: OnceLock::new(),
        };
        Ok(authentic)
    }
}

impl Opening<'_> {
    /// Makes the tree of what is there, which may be nothing.
    fn begin(&mut self, anchor: Anchor, found: u32) -> Result<Opened, StoreError> {
        let failed = |error| StoreError::from_sqlite(self.path, error);
        // No rotation takes the root away before the key that it wraps is kept.
        let writing = self.trust.0.writing().map_err(moho_kms::KmsError::from)?;
        let key = StoreKey::random(self.trust.1)?;
        let wrapped = key.wrap(writing.ring().current(), self.trust.1)?;
        let tree = Tree::new(Arc::new(Macs::of(&key)?));
        let none = Root {
            epoch: 0,
            version: migrations::known(),
            digest: EMPTY,
        };
        let made = self
            .writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                bring(&transaction, migrations::known())?;
                transaction.execute("INSERT INTO authentic_key VALUES (1, ?1)", [&wrapped])?;
                let root = rebuild(&transaction, &tree, none)?;
                transaction.commit()?;
                Ok(root)
            });
        Ok(Opened {
            root: made.map_err(failed)?,
            tree,
            anchor,
            adopted: (found > 0).then_some(found),
        })
    }

    /// Compares what is there with its tree, and brings it up to date.
    fn go_on(&mut self, anchor: Anchor, found: u32) -> Result<Opened, StoreError> {
        let failed = |error| StoreError::from_sqlite(self.path, error);
        let key = StoreKey::unwrap(&wrapped(self.writer).map_err(failed)?, self.trust.0)?;
        let tree = Tree::new(Arc::new(Macs::of(&key)?));
        // Before the database: it can only be behind.
        let last = match anchor.last(&tree.macs)? {
            Some(last) => Some(last),
            // The store was made, and nothing more.
            None if anchor.is_blank()? => None,
            None => {
                return Err(StoreError::Altered(super::Alteration::Tree(
                    "the anchor is not as it was written",
                )));
            }
        };
        let is_old = found < migrations::known();
        let behavior = if is_old {
            TransactionBehavior::Immediate
        } else {
            TransactionBehavior::Deferred
        };
        let root = self
            .writer
            .transaction_with_behavior(behavior)
            .and_then(|transaction| {
                let root = Root::read(&transaction, &tree.macs)?;
                if last.is_some() || root.epoch > 1 {
                    anchor::compare(&root, last)?;
                }
                require_version(&root, found)?;
                compare(&transaction, (&tree, &root), is_old)?;
                if !is_old {
                    return Ok(root);
                }
                bring(&transaction, migrations::known())?;
                let root = Root {
                    version: migrations::known(),
                    ..root
                };
                let root = rebuild(&transaction, &tree, root)?;
                transaction.commit()?;
                Ok(root)
            });
        Ok(Opened {
            root: root.map_err(failed)?,
            tree,
            anchor,
            adopted: None,
        })
    }
}

/// The wrapped key of a store.
pub(crate) fn wrapped(connection: &Connection) -> rusqlite::Result<Vec<u8>> {
    let found = connection.query_row("SELECT wrapped FROM authentic_key", [], |row| row.get(0));
    let missing = || Tampering::tree("the key that authenticates the store is missing").into();
    found.optional()?.ok_or_else(missing)
}

/// A root that has authenticated a store takes none for its own from which the tree was taken off, or that is from before there
/// was one: whatever rows it has, nothing vouches for them. One with nothing in it may begin anew.
pub(super) fn require_tree(found: u32, trust: Trust<'_>) -> Result<(), StoreError> {
    if (1..SINCE).contains(&found) && trust.0.ring().has_store() {
        return Err(StoreError::Altered(super::Alteration::Tree(
            "the database is of a version from before its root key had authenticated one",
        )));
    }
    Ok(())
}

/// A tree says nothing of a database of another version.
pub(super) fn require_version(root: &Root, found: u32) -> Result<(), Tampering> {
    if root.version == found {
        return Ok(());
    }
    Err(Tampering::tree(
        "the version of the database is not the one that was written",
    ))
}

pub(super) fn rebuild(connection: &Connection, tree: &Tree, before: Root) -> rusqlite::Result<Root> {
    let tables = Table::all(connection, &tree.macs)?;
    let rows = survey::rows(connection, tables.iter(), tree)?;
    let root = before.next(tree.rebuild(connection, &rows)?);
    root.write(connection, &tree.macs)?;
    Ok(root)
}

/// Compares tables with the tree: those that opening reads, or all.
pub(super) fn compare(
    connection: &Connection,
    (tree, root): (&Tree, &Root),
    all: bool,
) -> rusqlite::Result<()> {
    let tables = Table::all(connection, &tree.macs)?;
    for coverage in [Coverage::Opening, Coverage::Reading] {
        if all || coverage == Coverage::Opening {
            survey::compare(connection, (tree, root), &tables, coverage)?;
            for table in tables.iter().filter(|table| table.coverage == coverage) {
                survey::compare_indexes(connection, table)?;
            }
        }
    }
    Ok(())
}
