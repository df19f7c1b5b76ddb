//! The journal as a file that one process appends to.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use moho_iam::authz::{Entry, Event, Journal, JournalUnavailable, Position};
use moho_os::{FileLock, LockError, lock_file_exclusive};
use serde::Serialize;

use crate::blinding::Blinding;
use crate::chain::{Link, MAX_RECORD};
use crate::checkpoints::LogKeys;
use crate::committer::Committer;
use crate::error::AuditError;
use crate::growing_up::grow_up;
use crate::log::TransparencyLog;
use crate::mark::Reached;
use crate::segment::{self, Segment, Tail};
use crate::tree::{Grower, Leaf, Tree};
use crate::verify::continues;

/// A segment that has grown to this is followed by a new one.
const SEGMENT: u64 = 64 << 20;
/// Bytes that nearly every entry fits into.
const USUAL: usize = 1024;

/// What was found when the journal was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// How many records it holds.
    pub records: u64,
    /// Bytes of an unfinished record that were cut off its end: the process had been killed, or the disk was full. No
    /// request was answered on the strength of them.
    pub cut_bytes: u64,
    /// Whether it begins a new log with all of them: it came without the name and the checkpoint of one.
    pub new_log: bool,
}

/// A journal in a directory. Only one at a time can be open.
///
/// Every record is handed to the kernel with one `write` before the decision takes effect, so it outlives the process;
/// a thread brings it to the disk at once, with all others that were written meanwhile, and whoever replies waits for that
/// ([`FileJournal::settled`]). If writing fails, that request fails and the next one tries again; if bringing to the disk
/// fails, the journal takes no more entries, because nobody can tell which ones are lost.
///
/// Behind what is on the disk a Merkle tree grows, whose checkpoints are signed and published ([`FileJournal::log`]).
pub struct FileJournal {
    // Dropped in this order: the last records are synced and published before the lock is free.
    writer: Mutex<Writer>,
    blinding: Arc<Blinding>,
    committer: Committer,
    _grower: Grower,
    log: TransparencyLog,
    _lock: FileLock,
}

impl FileJournal {
    /// Opens the journal in `directory`, which is made if absent; an unfinished record at the end is cut off. The newest
    /// file is checked record by record, the older ones at their seams, and all by the tree's root where the last checkpoint
    /// was signed; [`verify`](crate::verify()) checks each. Hashes of the tree that are missing are made again from the records.
    ///
    /// # Errors
    /// [`AuditError::Broken`] if the chain is broken: then nothing is changed. [`AuditError::RolledBack`] if it had more
    /// records when it was last signed. [`AuditError::NoCheckpoint`] if nobody can tell. [`AuditError::InUse`] if another process has
    /// it open.
    pub fn open(directory: &Path, keys: &LogKeys) -> Result<(Self, Recovery), AuditError> {
        segment::make_directory(directory)?;
        let lock = lock(directory)?;
        let (writer, recovery) = Writer::at_the_end(directory)?;
        let identity = keys.identity(directory)?;
        let recovery = Recovery {
            new_log: identity.begins,
            ..recovery
        };
        let blinding = Arc::clone(&identity.blinding);
        let (tree, growing) = grow_up(directory, recovery.records, identity)?;
        let told = Arc::clone(&tree);
        let committer = Committer::start(recovery.records, Box::new(move |records| told.on_disk(records)));
        let committer = committer.map_err(AuditError::io(directory))?;
        let grower = Grower::start(&tree, directory, growing).map_err(AuditError::io(directory))?;
        let journal = Self {
            log: TransparencyLog::new(&tree, directory),
            writer: Mutex::new(writer.grown(tree)),
            blinding,
            committer,
            _grower: grower,
            _lock: lock,
        };
        Ok((journal, recovery))
    }

    /// How many records were handed to the kernel and are not known to be on the disk: a loss of power would lose them.
    #[must_use]
    pub fn unsynced(&self) -> u64 {
        self.committer.unsynced()
    }

    /// Ends when every record that was written before this call is on the disk; with [`AuditError::NotDurable`] if nobody can tell.
    pub fn settled(&self) -> Reached {
        self.committer.durable().wait(self.committer.last_written().0)
    }

    /// The last record that was written.
    #[must_use]
    pub fn last(&self) -> Position {
        self.committer.last_written()
    }

    /// What is published of it.
    #[must_use]
    pub fn log(&self) -> &TransparencyLog {
        &self.log
    }

    fn append(&self, entry: &impl Serialize) -> Result<Position, JournalUnavailable> {
        let mut text = Vec::with_capacity(USUAL);
        serde_json::to_writer(&mut text, entry).map_err(JournalUnavailable::new)?;
        self.blinding.blind(&mut text);
        let entry = String::from_utf8(text).map_err(JournalUnavailable::new)?;
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer
            .append(&entry, &self.committer)
            .map_err(JournalUnavailable::new)
    }
}

impl Journal for FileJournal {
    fn record(&self, entry: &Entry) -> Result<Position, JournalUnavailable> {
        self.append(entry)
    }

    fn record_event(&self, event: &Event) -> Result<Position, JournalUnavailable> {
        self.append(event)
    }
}

/// The end of the journal, as the one writer sees it.
pub(crate) struct Writer {
    pub(crate) link: Link,
    pub(crate) segment: Segment,
    /// Bytes of whole records in the segment.
    pub(crate) length: u64,
    /// Bytes after which the next segment begins.
    pub(crate) limit: u64,
    /// Whether there may be bytes behind the last whole record.
    pub(crate) unfinished: bool,
    pub(crate) tail: Box<dyn Tail>,
    pub(crate) open: OpenTail,
    /// What is told of every record.
    pub(crate) tree: Option<Arc<Tree>>,
}

/// How to begin a segment.
pub(crate) type OpenTail = Box<dyn Fn(&Segment) -> Result<Box<dyn Tail>, AuditError> + Send>;

impl Writer {
    /// Where the journal in `directory` ends, after all of it was looked at that one looks at; what is there is on the disk.
    fn at_the_end(directory: &Path) -> Result<(Self, Recovery), AuditError> {
        let (segment, link) = newest(directory)?;
        let mut file = segment.open()?;
        let checked = segment::check(&segment, &segment.read()?, link)?;
        if checked.torn > 0 {
            file.cut(checked.sound).map_err(AuditError::io(&segment.path))?;
        }
        // A killed process leaves records that only the kernel has.
        file.sync_all().map_err(AuditError::io(&segment.path))?;
        let recovery = Recovery {
            records: checked.link.next.saturating_sub(1),
            cut_bytes: checked.torn,
            new_log: false,
        };
        let writer = Self {
            link: checked.link,
            segment,
            length: checked.sound,
            limit: SEGMENT,
            unfinished: false,
            tail: Box::new(file),
            open: Box::new(|segment: &Segment| Ok(Box::new(segment.open()?) as Box<dyn Tail>)),
            tree: None,
        };
        Ok((writer, recovery))
    }

    fn grown(self, tree: Arc<Tree>) -> Self {
        Self {
            tree: Some(tree),
            ..self
        }
    }

    /// Appends one record; only when that has succeeded does the chain move on.
    pub(crate) fn append(&mut self, entry: &str, committer: &Committer) -> Result<Position, AuditError> {
        if committer.durable().has_failed() {
            return Err(AuditError::NotDurable);
        }
        let (record, next) = self
            .link
            .record(entry)
            .ok_or(AuditError::TooLong { limit: MAX_RECORD })?;
        let size = record.len() as u64;
        self.cut_unfinished()?;
        if self.length > 0 && self.length.saturating_add(size) > self.limit {
            self.begin_segment(committer)?;
        }
        self.unfinished = true;
        if let Err(error) = self.tail.append(&record) {
            let failed = AuditError::io(&self.segment.path)(error);
            // If this fails as well, the next record tries it again first.
            return self.cut_unfinished().and(Err(failed));
        }
        self.unfinished = false;
        let position = Position(self.link.next);
        if let Some(tree) = &self.tree {
            tree.written(Leaf {
                digest: next.previous,
                offset: self.length,
            });
        }
        (self.link, self.length) = (next, self.length.saturating_add(size));
        // Nothing may fail from here on: the record is there, and others follow it.
        committer.written(position, || self.tail.syncer());
        Ok(position)
    }

    fn cut_unfinished(&mut self) -> Result<(), AuditError> {
        if self.unfinished {
            self.tail
                .cut(self.length)
                .map_err(AuditError::io(&self.segment.path))?;
            self.unfinished = false;
        }
        Ok(())
    }

    fn begin_segment(&mut self, committer: &Committer) -> Result<(), AuditError> {
        let next = Segment::beginning_at(
            self.segment.path.parent().unwrap_or_else(|| Path::new(".")),
            self.link.next,
        );
        let synced = self.tail.syncer().sync();
        synced.map_err(AuditError::io(&self.segment.path))?;
        committer.synced();
        self.tail = (self.open)(&next)?;
        (self.segment, self.length) = (next, 0);
        Ok(())
    }
}

/// Sees to it that this process is the one writer.
fn lock(directory: &Path) -> Result<FileLock, AuditError> {
    lock_file_exclusive(&directory.join("journal.lock")).map_err(|error| match error {
        LockError::Io { path, source } => AuditError::io(&path)(source),
        LockError::Held(_) | _ => AuditError::InUse(directory.to_owned()),
    })
}

/// The segment to append to, and where the chain stands at its beginning, after looking at every seam.
fn newest(directory: &Path) -> Result<(Segment, Link), AuditError> {
    let mut link = Link::START;
    let mut segments = segment::list(directory)?;
    let Some(newest) = segments.pop() else {
        return Ok((Segment::beginning_at(directory, link.next), link));
    };
    for segment in &segments {
        link = continues(segment, link)?;
        let (first, last) = segment.ends()?;
        if first.before() != link {
            return Err(segment.broken(0, "the file does not continue the one before"));
        }
        link = last.after().map_err(|what| segment.broken(0, what))?;
    }
    let link = continues(&newest, link)?;
    Ok((newest, link))
}
