//! Ways in for those who test with hostile input what is read from where backups are kept, and what blocks of log events hold.
//!
//! Nothing here is another path: each function calls what a restoration calls. Hidden from the documentation, as it is no
//! interface to build on.

use std::path::{Path, PathBuf};

use moho_terms::Secret;

use crate::backup;
use crate::logs::{NewLogEvent, block, trigrams};

/// Where the files of a manifest are, `None` for those that are said to be outside of `backup`; or that it is none of the
/// installation that the key is of.
#[must_use]
pub fn manifest(text: &[u8], backup: &Path, key: &Secret) -> Option<Vec<Option<PathBuf>>> {
    backup::files_of(text, backup, key).ok()
}

/// A manifest of files with these names and lengths.
#[must_use]
pub fn written_manifest(key: &Secret, files: &[(String, u64)]) -> Option<Vec<u8>> {
    backup::of_files(files, key).ok()
}

/// The events of a block that says it has this id: times and texts, in their order; `None` if the bytes are no such block.
#[must_use]
pub fn log_block(id: &[u8; 16], plain: &[u8]) -> Option<Vec<(i64, String)>> {
    let block = block::read(id, plain)?;
    let events = block.events();
    Some(
        events
            .map(|event| (event.timestamp, event.message.to_owned()))
            .collect(),
    )
}

/// A block of these events.
#[must_use]
pub fn written_log_block(id: &[u8; 16], events: &[(i64, String)]) -> Option<Vec<u8>> {
    let events: Vec<NewLogEvent<'_>> = events
        .iter()
        .map(|(timestamp, message)| NewLogEvent {
            timestamp: *timestamp,
            message,
        })
        .collect();
    Some(block::of_batch(id, &events)?.plain.expose().to_vec())
}

/// Whether a summary that says it is of the block of this id passes over a text; `None` if the bytes are no such summary.
#[must_use]
pub fn log_summary(id: &[u8; 16], plain: &[u8], text: &str) -> Option<bool> {
    trigrams::read(id, plain).map(|summary| summary.may_have(text))
}
