//! Going on with an earlier store, because somebody who may says so.

use std::path::Path;
use std::sync::Arc;

use moho_kms::StoreKey;
use rusqlite::{Connection, TransactionBehavior};

use super::Authentic;
use super::anchor::Anchor;
use super::names::Macs;
use super::open::{SINCE, Trust, compare, rebuild, require_tree, require_version, wrapped};
use super::root::Root;
use super::tree::Tree;
use crate::error::StoreError;
use crate::migrations;

/// A store that is gone on with, though it is not the last one that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollback {
    /// How many changes it had seen; none can be told of a version without a tree.
    pub found: Option<u64>,
    /// How many the last one had seen at least, as far as the anchor could be read.
    pub expected: Option<u64>,
}

impl Authentic {
    /// Compares everything in a store with its tree, and makes it the last one that was seen. In the same transaction
    /// `note` may say so in it.
    ///
    /// # Errors
    /// [`StoreError`] if it does not fit its tree, which nobody can consent to; or it cannot be written.
    pub(crate) fn accept(
        writer: &mut Connection,
        (directory, path): (&Path, &Path),
        trust: Trust<'_>,
        note: &dyn Fn(&Connection) -> rusqlite::Result<()>,
    ) -> Result<Rollback, StoreError> {
        let failed = |error| StoreError::from_sqlite(path, error);
        let version = migrations::found(writer, path)?;
        let anchor = Anchor::open(directory)?;
        require_tree(version, trust)?;
        if version < SINCE {
            if anchor.is_some() {
                Anchor::remove(directory)?;
            }
            return Ok(Rollback {
                found: None,
                expected: None,
            });
        }
        let key = StoreKey::unwrap(&wrapped(writer).map_err(failed)?, trust.0)?;
        let tree = Tree::new(Arc::new(Macs::of(&key)?));
        let anchor = match anchor {
            Some(anchor) => anchor,
            None => Anchor::create(directory)?,
        };
        let expected = anchor.last(&tree.macs)?.map(|last| last.epoch);
        let (found, accepted) = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                let found = Root::read(&transaction, &tree.macs)?;
                require_version(&found, version)?;
                compare(&transaction, (&tree, &found), true)?;
                // After both, so that neither of them is ever taken for a later one.
                let epoch = found.epoch.max(expected.unwrap_or_default());
                migrations::bring(&transaction, migrations::known())?;
                note(&transaction)?;
                let version = migrations::known();
                let later = Root {
                    epoch,
                    version,
                    ..found
                };
                let accepted = rebuild(&transaction, &tree, later)?;
                transaction.commit()?;
                Ok((found, accepted))
            })
            .map_err(failed)?;
        anchor.advance(&accepted, &tree.macs)?;
        anchor.sync()?;
        Ok(Rollback {
            found: Some(found.epoch),
            expected,
        })
    }
}
