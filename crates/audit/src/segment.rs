//! The journal's files: `journal-<number of its first record>.jsonl`, one after the other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::chain::{Digest, Link, MAX_RECORD, Record};
use crate::error::AuditError;

/// One file of the journal.
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    /// The number of its first record.
    pub(crate) first: u64,
}

impl Segment {
    pub(crate) fn beginning_at(directory: &Path, first: u64) -> Self {
        // Twenty digits: names sort as numbers do.
        Self {
            path: directory.join(format!("journal-{first:020}.jsonl")),
            first,
        }
    }

    fn named(path: PathBuf) -> Option<Self> {
        let digits = path
            .file_name()?
            .to_str()?
            .strip_prefix("journal-")?
            .strip_suffix(".jsonl")?;
        let first = digits.parse().ok().filter(|_| digits.len() == 20)?;
        Some(Self { path, first })
    }

    /// Creates the file, if it is absent, and opens it for appending: once, for whoever writes and whoever syncs.
    pub(crate) fn open(&self) -> Result<Arc<File>, AuditError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let file = options.open(&self.path).map_err(AuditError::io(&self.path))?;
        // A new file's name must survive a loss of power, too.
        let directory = self.path.parent().unwrap_or_else(|| Path::new("."));
        File::open(directory)
            .and_then(|d| d.sync_all())
            .map_err(AuditError::io(directory))?;
        Ok(Arc::new(file))
    }

    pub(crate) fn read(&self) -> Result<Vec<u8>, AuditError> {
        let mut bytes = Vec::new();
        File::open(&self.path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .map_err(AuditError::io(&self.path))?;
        Ok(bytes)
    }

    /// The first and the last record of a whole segment, each sound by itself.
    pub(crate) fn ends(&self) -> Result<(Record, Record), AuditError> {
        let mut file = File::open(&self.path).map_err(AuditError::io(&self.path))?;
        let length = file.metadata().map_err(AuditError::io(&self.path))?.len();
        let window = length.min(MAX_RECORD as u64);
        let mut part = |from: u64| {
            let mut bytes = Vec::new();
            let read = file
                .seek(SeekFrom::Start(from))
                .and_then(|_| Read::by_ref(&mut file).take(window).read_to_end(&mut bytes));
            read.map(|_| bytes).map_err(AuditError::io(&self.path))
        };
        let (head, tail) = (part(0)?, part(length.saturating_sub(window))?);
        let first = head.split_inclusive(|b| *b == b'\n').next().unwrap_or_default();
        let last = tail
            .split_inclusive(|b| *b == b'\n')
            .next_back()
            .unwrap_or_default();
        let at_end = length.saturating_sub(last.len() as u64);
        Ok((
            Record::parse(first).map_err(|what| self.broken(0, what))?,
            Record::parse(last).map_err(|what| self.broken(at_end, what))?,
        ))
    }

    pub(crate) fn broken(&self, offset: u64, what: &'static str) -> AuditError {
        AuditError::Broken {
            path: self.path.clone(),
            offset,
            what,
        }
    }
}

/// The journal's directory, made if absent, for this user alone.
pub(crate) fn make_directory(directory: &Path) -> Result<(), AuditError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(AuditError::io(directory))
}

/// All segments, oldest first.
pub(crate) fn list(directory: &Path) -> Result<Vec<Segment>, AuditError> {
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(AuditError::io(directory))?;
    let mut segments: Vec<_> = entries
        .into_iter()
        .filter_map(|entry| Segment::named(entry.path()))
        .collect();
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// A segment's records, checked: where the chain stands after the last sound one, and what is behind it.
pub(crate) struct Checked {
    pub(crate) link: Link,
    /// Bytes of sound records.
    pub(crate) sound: u64,
    /// Bytes behind them that a write left unfinished.
    pub(crate) torn: u64,
}

/// Checks a segment's bytes against the chain before it.
///
/// An unfinished last record is what a killed process or a lost power supply leaves, and was never acknowledged; so it
/// is told apart from a broken chain. Unfinished means: the rest has no line break and is no longer than a record, or
/// it has a hole of zero bytes (a page that never reached the disk) and no sound record behind it.
pub(crate) fn check(segment: &Segment, bytes: &[u8], link: Link) -> Result<Checked, AuditError> {
    check_each(segment, bytes, (link, &mut |_digest| ()))
}

/// The same, telling the digest of each sound record.
pub(crate) fn check_each(
    segment: &Segment,
    bytes: &[u8],
    (mut link, each): (Link, &mut dyn FnMut(&Digest)),
) -> Result<Checked, AuditError> {
    let mut rest = bytes;
    let mut sound = 0_u64;
    while !rest.is_empty() {
        let end = rest
            .iter()
            .position(|b| *b == b'\n')
            .map(|at| at.saturating_add(1));
        let step = end
            .and_then(|end| rest.split_at_checked(end))
            .map(|(line, after)| (link.check(line), line, after));
        match step {
            Some((Ok(next), line, after)) => {
                link = next;
                each(&link.previous);
                sound = sound.saturating_add(line.len() as u64);
                rest = after;
            }
            _ if is_unfinished(rest) => break,
            Some((Err(what), ..)) => return Err(segment.broken(sound, what)),
            None => return Err(segment.broken(sound, "this is not a record")),
        }
    }
    Ok(Checked {
        link,
        sound,
        torn: rest.len() as u64,
    })
}

fn is_unfinished(rest: &[u8]) -> bool {
    let has_hole = rest.contains(&0);
    let has_line = rest.contains(&b'\n');
    if !has_hole {
        return !has_line && rest.len() < MAX_RECORD;
    }
    !rest
        .split_inclusive(|b| *b == b'\n')
        .any(|line| Record::parse(line).is_ok())
}

/// Where a journal's bytes go. The one outside tests is a file; tests put a disk in its place that fills up or fails.
pub(crate) trait Tail: Send {
    /// Appends all bytes, or fails having appended any number of them.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file to `length`.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// The same, to sync it while this one writes. It needs nothing that could be used up: what was written must not fail to be
    /// synced because the process has as many files open as it may.
    fn syncer(&self) -> Arc<dyn Syncer>;
}

/// Brings what was appended so far to the disk.
pub(crate) trait Syncer: Send + Sync {
    fn sync(&self) -> io::Result<()>;
}

impl Tail for Arc<File> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        (&**self).write_all(bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn syncer(&self) -> Arc<dyn Syncer> {
        Self::clone(self)
    }
}

impl Syncer for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
