//! From the records on the disk to a tree of all of them: what was published goes on, what is missing is made again, and what
//! does not fit what was signed is told.

use std::path::Path;
use std::sync::Arc;

use moho_attest::log::{Frontier, Tree as Hashed, TreeHash};

use crate::chain::Record;
use crate::checkpoints::{LogIdentity, Published};
use crate::error::AuditError;
use crate::hashes::HashFiles;
use crate::offsets::Offsets;
use crate::segment;
use crate::tree::{Growing, Leaf, Tree};

/// So many entries are gathered before they are written.
const AT_ONCE: u64 = 1 << 16;

/// The tree of the `records` in `directory`, which are on the disk, published.
pub(crate) fn grow_up(
    directory: &Path,
    records: u64,
    identity: LogIdentity,
) -> Result<(Arc<Tree>, Growing), AuditError> {
    let published = Published::read(directory, &identity.trust())?;
    let signed = match &published {
        Some(published) => (published.checkpoint.size, published.checkpoint.root),
        None => (0, TreeHash::of_nothing()),
    };
    if records < signed.0 {
        return Err(AuditError::RolledBack {
            directory: directory.to_owned(),
            has: records,
            had: signed.0,
        });
    }
    let (files, offsets) = (HashFiles::open(directory)?, Offsets::open(directory)?);
    let growing = grown(directory, (&files, &offsets), signed)?;
    let published = match published {
        Some(published) if published.checkpoint.size == growing.size() => published,
        Some(_) | None => {
            files.sync()?;
            let fresh = Published::sign(&identity, growing.checkpoint(&identity))?;
            fresh.write(directory)?;
            fresh
        }
    };
    identity.begun(directory)?;
    let tree = Tree::new((files, offsets), identity, (published, growing.size()));
    Ok((tree, growing))
}

/// The tree of all records, of which the first `signed.0` have the root that was signed.
fn grown(
    directory: &Path,
    (files, offsets): (&HashFiles, &Offsets),
    signed: (u64, TreeHash),
) -> Result<Growing, AuditError> {
    // All records of the newest file are hashed anew: each of them stands for those before it, by the chain.
    let newest = segment::list(directory)?
        .pop()
        .map_or(0, |newest| newest.first.saturating_sub(1));
    let trusted = newest.min(signed.0);
    if files.cut(trusted)? && offsets.are_of(trusted)? {
        let mut growing = Growing::from(Frontier::of(&Hashed::new(files), trusted)?);
        if catch_up(directory, (files, offsets), (&mut growing, signed))? {
            return Ok(growing);
        }
    }
    // Then it is the hashes that are wrong, or the records.
    files.cut(0)?;
    let mut growing = Growing::from(Frontier::default());
    if catch_up(directory, (files, offsets), (&mut growing, signed))? {
        return Ok(growing);
    }
    Err(AuditError::Broken {
        path: directory.to_owned(),
        offset: 0,
        what: "the records are not those that the last checkpoint was signed over",
    })
}

/// Takes every record behind the tree; `false` if it has another root than was signed when it has come that far.
fn catch_up(
    directory: &Path,
    (files, offsets): (&HashFiles, &Offsets),
    (growing, signed): (&mut Growing, (u64, TreeHash)),
) -> Result<bool, AuditError> {
    let as_signed = |growing: &Growing| growing.size() != signed.0 || growing.root() == signed.1;
    if !as_signed(growing) {
        return Ok(false);
    }
    let segments = segment::list(directory)?;
    let nexts = segments.iter().skip(1).map(|next| next.first).chain([u64::MAX]);
    for (segment, next) in segments.iter().zip(nexts) {
        if next <= growing.size().saturating_add(1) {
            continue;
        }
        let bytes = segment.read()?;
        let mut offset = 0_u64;
        for (number, line) in (segment.first..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            if number == growing.size().saturating_add(1) {
                let record = Record::parse(line).map_err(|what| segment.broken(offset, what))?;
                growing.push(&Leaf {
                    digest: record.digest(),
                    offset,
                });
                if !as_signed(growing) {
                    return Ok(false);
                }
                if growing.size().is_multiple_of(AT_ONCE) {
                    growing.write(files, offsets)?;
                }
            }
            offset = offset.saturating_add(line.len() as u64);
        }
    }
    growing.write(files, offsets)?;
    Ok(true)
}
