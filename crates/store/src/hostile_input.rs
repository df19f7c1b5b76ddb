//! Ways in for those who test with hostile input what is read from where backups are kept.
//!
//! Nothing here is another path: each function calls what a restoration calls. Hidden from the documentation, as it is no
//! interface to build on.

use std::path::{Path, PathBuf};

use moho_terms::Secret;

use crate::backup;

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
