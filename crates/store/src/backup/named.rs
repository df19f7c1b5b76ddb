//! What a copy of the metadata names, and what is known of the store that it may take the place of.

use std::path::Path;

use moho_kms::RootKey;
use rusqlite::{Connection, OpenFlags};

use super::CheckedBackup;
use crate::authentic::last_anchored;
use crate::database::{counted, term};
use crate::objects::SegmentId;

/// Segments that are files, in the order of their ids.
const SEGMENTS: &str = "SELECT DISTINCT segment_id, sealed_length FROM object_segment
    WHERE segment_id IS NOT NULL ORDER BY segment_id";

/// A segment that a row names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NamedSegment {
    pub(crate) id: SegmentId,
    pub(crate) sealed_length: u64,
}

/// Gives every named segment to `take`, which may end that.
pub(crate) fn each_named_segment<E>(
    connection: &Connection,
    take: &mut dyn FnMut(NamedSegment) -> Result<(), E>,
) -> rusqlite::Result<Result<(), E>> {
    let mut statement = connection.prepare(SEGMENTS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let segment = NamedSegment {
            id: term(row, 0)?,
            sealed_length: counted(row, 1)?,
        };
        if let Err(stopped) = take(segment) {
            return Ok(Err(stopped));
        }
    }
    Ok(Ok(()))
}

/// What is known of the store that a backup is to take the place of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WhatIsKnown {
    /// How many changes it has seen; `None` if there is none that could be read.
    pub epoch: Option<u64>,
    /// Whether it is the very state of the backup.
    pub same_root: bool,
    /// How many there are of what, now and in the backup.
    pub counts: Vec<(&'static str, u64, u64)>,
}

/// What is counted, and how.
const COUNTED: &[(&str, &str)] = &[
    ("accounts", "SELECT count(*) FROM account"),
    ("keys", "SELECT count(*) FROM kms_key"),
    ("roles", "SELECT count(*) FROM iam_role"),
    ("buckets", "SELECT count(*) FROM bucket"),
    ("object versions", "SELECT count(*) FROM object_version"),
    ("stored responses", "SELECT count(*) FROM sealed_response"),
    ("prompts", "SELECT count(*) FROM prompt"),
];

/// Compares the store in a directory with a backup. What cannot be read, or is not vouched for, is not known.
#[must_use]
pub fn what_is_known(store: &Path, backup: &CheckedBackup, root: &RootKey) -> WhatIsKnown {
    let path = backup.path().join(super::DATABASE);
    let Some(then) = reading(&path) else {
        return WhatIsKnown::default();
    };
    let last = last_anchored(store, (&then, &path), root).ok().flatten();
    let counts = reading(&store.join(super::DATABASE)).map(|now| {
        let count = |connection: &Connection, query: &str| {
            connection.query_row(query, [], |row| counted(row, 0)).ok()
        };
        let both = COUNTED.iter().filter_map(|(what, query)| {
            let now = count(&now, query)?;
            Some((*what, now, count(&then, query).unwrap_or(0)))
        });
        both.collect()
    });
    let head = backup.head();
    WhatIsKnown {
        counts: counts.unwrap_or_default(),
        same_root: last.is_some_and(|last| last.epoch == head.epoch && super::hex(&last.digest) == head.root),
        epoch: last.map(|last| last.epoch),
    }
}

fn reading(path: &Path) -> Option<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).ok()
}
