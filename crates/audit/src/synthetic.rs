//! A log of entries that nobody wrote, for those who measure proofs: hashes and a checkpoint without records.
//!
//! Hidden from the documentation, as it is no interface to build on.

use std::path::Path;

use moho_attest::log::Frontier;

use crate::chain::Digest;
use crate::checkpoints::{LogKeys, Published};
use crate::error::AuditError;
use crate::hashes::HashFiles;
use crate::log::TransparencyLog;
use crate::offsets::Offsets;
use crate::tree::{Growing, Leaf, Tree};

/// So many entries are gathered before they are written.
const AT_ONCE: u64 = 1 << 16;

/// A log of so many entries, in an empty directory: each is the digest that ends with its number.
///
/// # Errors
/// [`AuditError`] if the files cannot be written.
pub fn log(directory: &Path, entries: u64, keys: &LogKeys) -> Result<TransparencyLog, AuditError> {
    let identity = keys.identity(directory)?;
    let (files, offsets) = (HashFiles::open(directory)?, Offsets::open(directory)?);
    let mut growing = Growing::from(Frontier::default());
    for number in 0..entries {
        growing.push(&Leaf {
            digest: Digest::from_bytes(numbered(number)),
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

fn numbered(number: u64) -> [u8; 32] {
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().rev().zip(number.to_le_bytes()) {
        *to = from;
    }
    digest
}
