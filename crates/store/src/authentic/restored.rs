//! What the root of trust vouches for: the state that a database is in, and the last one that an anchor knows of.

use std::path::Path;

use moho_kms::{RootKey, StoreKey};
use rusqlite::Connection;

use super::anchor::Anchor;
use super::names::Macs;
use super::open::wrapped;
use super::root::{Root, Seen};
use crate::error::StoreError;

/// A state of a store, as its root of trust vouches for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vouched {
    /// How many changes there were.
    pub(crate) epoch: u64,
    /// What all rows come to.
    pub(crate) digest: [u8; 16],
}

impl Vouched {
    fn of(seen: Seen) -> Self {
        Self {
            epoch: seen.epoch,
            digest: seen.digest,
        }
    }
}

fn macs(connection: &Connection, path: &Path, root: &RootKey) -> Result<Macs, StoreError> {
    let wrapped = wrapped(connection).map_err(|error| StoreError::from_sqlite(path, error))?;
    Ok(Macs::of(&StoreKey::unwrap(&wrapped, root)?)?)
}

/// The state that a database is in.
///
/// # Errors
/// [`StoreError::Altered`] if the root of trust does not vouch for it.
pub(crate) fn vouched(connection: &Connection, path: &Path, root: &RootKey) -> Result<Vouched, StoreError> {
    let macs = macs(connection, path, root)?;
    let read = Root::read(connection, &macs).map_err(|error| StoreError::from_sqlite(path, error))?;
    Ok(Vouched::of(read.seen()))
}

/// The last state that the anchor in `directory` knows of; `None` if there is none that was written under the key of the
/// database that `connection` reads.
///
/// # Errors
/// [`StoreError`] if the key cannot be used or the anchor cannot be read.
pub(crate) fn last_anchored(
    directory: &Path,
    (connection, path): (&Connection, &Path),
    root: &RootKey,
) -> Result<Option<Vouched>, StoreError> {
    let macs = macs(connection, path, root)?;
    let last = match Anchor::open(directory)? {
        Some(anchor) => anchor.last(&macs)?,
        None => None,
    };
    Ok(last.map(Vouched::of))
}
