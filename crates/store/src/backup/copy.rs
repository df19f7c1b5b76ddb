//! Copying a file while its digest is taken.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

use super::BackupError;
use crate::StoreError;
use crate::objects::{IncomingSegment, RestingSegment, SegmentId, Segments};

/// Bytes in memory.
const PIECE: usize = 1 << 20;

/// How many bytes a file has, and their SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) bytes: u64,
    pub(super) sha256: [u8; 32],
}

/// Reads `from` to its end, or `most` bytes of it, into `to`.
fn pour(
    from: &mut impl Read,
    to: &mut impl Write,
    most: u64,
    failed: &Failed<'_>,
) -> Result<Digest, BackupError> {
    let mut context = Context::new(&SHA256);
    let mut piece = vec![0; PIECE];
    let mut bytes = 0_u64;
    while bytes < most {
        let room = usize::try_from(most.saturating_sub(bytes))
            .unwrap_or(PIECE)
            .min(PIECE);
        let read = match from.read(piece.get_mut(..room).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(BackupError::io(failed.from)(error)),
        };
        let got = piece.get(..read).unwrap_or_default();
        context.update(got);
        to.write_all(got).map_err(BackupError::io(failed.to))?;
        bytes = bytes.saturating_add(read as u64);
    }
    Ok(digested(bytes, context))
}

/// Whom to name if one of both fails.
struct Failed<'a> {
    from: &'a Path,
    to: &'a Path,
}

/// Copies at most `most` bytes of a file into a new file of mode 0600, in the place of one that is there. It is not synced.
pub(super) fn copy(from: &Path, to: &Path, most: u64) -> Result<Digest, BackupError> {
    let mut source = File::open(from).map_err(BackupError::io(from))?;
    let mut target = replace(to)?;
    pour(&mut source, &mut target, most, &Failed { from, to })
}

/// Copies a segment from wherever it rests into a new file. It is not synced.
pub(super) fn copy_resting(resting: &mut dyn RestingSegment, to: &Path) -> Result<Digest, BackupError> {
    let mut target = replace(to)?;
    each_piece(resting, &mut |piece| {
        target.write_all(piece).map_err(BackupError::io(to))
    })
}

/// The digest of a segment, wherever it rests.
pub(super) fn digest_resting(resting: &mut dyn RestingSegment) -> Result<Digest, BackupError> {
    each_piece(resting, &mut |_piece| Ok(()))
}

/// Copies a file to where segments rest, and keeps it there if it is what `expected` says.
pub(super) fn keep_in(
    segments: &dyn Segments,
    (from, id): (&Path, SegmentId),
    expected: &dyn Fn(&Digest) -> bool,
) -> Result<Digest, BackupError> {
    let mut source = File::open(from).map_err(BackupError::io(from))?;
    let mut kept = Kept {
        incoming: segments.begin(id)?,
        failed: None,
    };
    let poured = pour(&mut source, &mut kept, u64::MAX, &Failed { from, to: from });
    if let Some(failed) = kept.failed {
        return Err(failed.into());
    }
    let digest = poured?;
    if expected(&digest) {
        kept.incoming.keep()?;
    }
    Ok(digest)
}

/// A segment that is written to, and why that went wrong.
struct Kept {
    incoming: Box<dyn IncomingSegment>,
    failed: Option<StoreError>,
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.incoming.append(bytes).map_err(|error| {
            let told = io::Error::other(error.to_string());
            self.failed = Some(error);
            told
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn each_piece(
    resting: &mut dyn RestingSegment,
    take: &mut dyn FnMut(&[u8]) -> Result<(), BackupError>,
) -> Result<Digest, BackupError> {
    let mut context = Context::new(&SHA256);
    let mut piece = vec![0; PIECE];
    let mut bytes = 0_u64;
    loop {
        let read = resting.read(bytes, &mut piece)?;
        let got = piece.get(..read).unwrap_or_default();
        if got.is_empty() {
            break;
        }
        context.update(got);
        take(got)?;
        bytes = bytes.saturating_add(read as u64);
    }
    Ok(digested(bytes, context))
}

fn digested(bytes: u64, context: Context) -> Digest {
    let mut sha256 = [0; 32];
    for (byte, value) in sha256.iter_mut().zip(context.finish().as_ref()) {
        *byte = *value;
    }
    Digest { bytes, sha256 }
}

/// The digest of a file.
pub(super) fn digest(path: &Path) -> Result<Digest, BackupError> {
    let mut file = File::open(path).map_err(BackupError::io(path))?;
    pour(
        &mut file,
        &mut io::sink(),
        u64::MAX,
        &Failed { from: path, to: path },
    )
}

/// A new file of mode 0600 where perhaps another one is.
pub(super) fn replace(path: &Path) -> Result<File, BackupError> {
    // What is there may be a link to a file of an earlier backup: it keeps what it has.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(BackupError::io(path)(error)),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).map_err(BackupError::io(path))
}

/// A folder of mode 0700.
pub(super) fn folder(path: &Path) -> Result<(), BackupError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(BackupError::io(path))
}

/// Brings what was written to a folder's file system to the disk.
pub(super) fn settle(path: &Path) -> Result<(), BackupError> {
    moho_os::sync_file_system(path).map_err(BackupError::io(path))
}
