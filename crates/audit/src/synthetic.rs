//! A log of entries that nobody wrote, for those who measure proofs: hashes and a checkpoint without records.
//!
//! Hidden from the documentation, as it is no interface to build on.

use std::path::Path;

use moho_attest::log::{Frontier, TreeHash};

use crate::checkpoints::{LogKeys, Published};
use crate::error::AuditError;
use crate::hashes::HashFiles;
use crate::log::TransparencyLog;
use crate::offsets::Offsets;
use crate::tree::{Growing, Leaf, Tree};

/// So many entries are gathered before they are written.
const AT_ONCE: u64 = 1 << 16;

/// A log of so many entries, in an empty directory: each is its number, eight bytes, big-endian.
///
/// # Errors
/// [`AuditError`] if the files cannot be written.
pub fn log(directory: &Path, entries: u64, keys: &LogKeys) -> Result<TransparencyLog, AuditError> {
    let identity = keys.identity(directory)?;
    let (files, offsets) = (HashFiles::new(directory), Offsets::open(directory)?);
    let mut growing = Growing::from(Frontier::default());
    for number in 0..entries {
        growing.push(&Leaf {
            hash: TreeHash::of_entry(&number.to_be_bytes()),
            offset: 0,
        });
        if growing.size().is_multiple_of(AT_ONCE) {
            growing.write(&files, &offsets)?;
        }
    }
    growing.write(&files, &offsets)?;
    let published = Published::sign(&identity, growing.checkpoint(&identity))?;
    let tree = Tree::new((files, offsets), identity, (published, entries));
    Ok(TransparencyLog::new(&tree, directory))
}
