//! What comes back from where backups are kept: a manifest says what was written by whoever has the key, or nothing.

use std::path::{Component, Path};

use moho_store::hostile_input::{manifest, written_manifest};
use moho_terms::Secret;

/// Where the backup is.
const BACKUP: &str = "/backups/20261123T101500Z";

fn key() -> Secret {
    Secret::new(b"fuzz".repeat(8))
}

/// The bytes as a manifest, and its lines as the names of files in one.
pub fn backup_manifest(data: &[u8]) {
    stays_below(data);
    let text = super::text(data);
    // Names are shorter than a line of a manifest, however they are escaped.
    let short = |line: &str| line.chars().take(100).collect::<String>();
    let files: Vec<(String, u64)> = text.lines().take(8).map(short).zip(0..).collect();
    let Some(mut written) = written_manifest(&key(), &files) else {
        return;
    };
    let count = stays_below(&written);
    assert_eq!(count, Some(files.len()), "what is written is read");
    let at = data.iter().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add((*byte).into())
    });
    if let Some(byte) = at.checked_rem(written.len()).and_then(|at| written.get_mut(at)) {
        *byte ^= 1;
        assert_eq!(stays_below(&written), None, "a changed manifest is none");
    }
}

/// How many files a manifest names, all below its backup; `None` if it is none.
fn stays_below(text: &[u8]) -> Option<usize> {
    let files = manifest(text, Path::new(BACKUP), &key())?;
    for path in files.iter().flatten() {
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::RootDir);
        assert!(
            path.starts_with(BACKUP) && path.components().all(plain),
            "a file elsewhere"
        );
    }
    Some(files.len())
}
