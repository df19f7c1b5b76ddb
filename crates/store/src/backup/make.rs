//! Making a backup.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use moho_os::{FileLock, LockError, lock_file_exclusive, try_lock_file_shared};
use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::copy::{self, Digest};
use super::manifest::{self, BackupHead, Beginning, Line, Manifest};
use super::named::{NamedSegment, each_named_segment};
use super::{
    BackupError, DATABASE, Hearing, JOURNAL, OBJECTS, Original, Progress, UNFINISHED, backups_in, hex, pin,
    unhex,
};
use crate::StoreError;
use crate::authentic::vouched;
use crate::database::connect;
use crate::migrations::known;
use crate::objects::SegmentId;

/// Lines of segments whose bytes are on the disk, of a backup that is being made.
const DONE: &str = "done";
/// Pages of the database that are copied between two words about it.
const PAGES: i32 = 4096;
/// After so many segments, or bytes of them, they are brought to the disk.
const SETTLED_SEGMENTS: usize = 512;
const SETTLED_BYTES: u64 = 256 << 20;

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupMade {
    /// Where it is.
    pub path: PathBuf,
    /// What it is of.
    pub head: BackupHead,
    /// How many segments were copied, and how many of their bytes; the others were there.
    pub copied: (u64, u64),
}

/// Makes a backup in `folder`, beside whatever moho serves from the store. One that was broken off is gone on with.
///
/// # Errors
/// [`BackupError`]: then there is no new backup, and those before are as they were.
pub fn back_up(
    original: &Original<'_>,
    folder: &Path,
    hearing: Hearing<'_>,
) -> Result<BackupMade, BackupError> {
    copy::folder(folder)?;
    let _alone = alone(folder)?;
    let _open = opened(original.store)?;
    let _pinned = pin::pin(original.store)?;
    let draft = folder.join(UNFINISHED);
    copy::folder(&draft)?;
    remove(&draft.join(manifest::FILE))?;
    let database = copy_database(original, &draft, hearing)?;
    let reading = connect_copy(&draft.join(DATABASE))?;
    let totals = totals(&reading, &draft)?;
    let beginning = beginning(original, &reading, &draft)?;
    let mut segments = Copying::begin(original, folder, &draft)?;
    segments.run(&reading, totals, hearing)?;
    drop(reading);
    let (spool, copied) = segments.finish()?;
    let journal = copy_journal(original, &draft, hearing)?;
    let head = BackupHead::new(beginning, totals);
    write_manifest(original, (&draft, &head), (&database, &spool, &journal))?;
    std::fs::remove_file(&spool).map_err(BackupError::io(&spool))?;
    copy::settle(&draft)?;
    let path = name(folder, original)?;
    std::fs::rename(&draft, &path).map_err(BackupError::io(&path))?;
    copy::settle(folder)?;
    Ok(BackupMade { path, head, copied })
}

/// Removes a file, if there is one.
fn remove(path: &Path) -> Result<(), BackupError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(BackupError::io(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Sees to it that nobody else makes a backup there.
fn alone(folder: &Path) -> Result<FileLock, BackupError> {
    lock_file_exclusive(&folder.join("lock")).map_err(|error| match error {
        LockError::Io { path, source } => BackupError::io(&path)(source),
        LockError::Held(_) | _ => BackupError::Making(folder.to_owned()),
    })
}

/// The store, shared with whoever serves from it.
fn opened(store: &Path) -> Result<FileLock, BackupError> {
    if !store.join(DATABASE).is_file() {
        return Err(BackupError::NoStore(store.to_owned()));
    }
    try_lock_file_shared(&store.join("moho.lock")).map_err(|error| match error {
        LockError::Io { path, source } => BackupError::io(&path)(source),
        LockError::Held(_) | _ => BackupError::InUse(store.to_owned()),
    })
}

/// Copies the database as it is at one moment.
fn copy_database(original: &Original<'_>, draft: &Path, hearing: Hearing<'_>) -> Result<Line, BackupError> {
    let (from, to) = (original.store.join(DATABASE), draft.join(DATABASE));
    drop(copy::replace(&to)?);
    let source = connect(&from).map_err(BackupError::sqlite(&from))?;
    let found = source.pragma_query_value(None, "user_version", |row| row.get(0));
    let found: u32 = found.map_err(BackupError::sqlite(&from))?;
    if found != known() {
        return Err(BackupError::OtherVersion {
            found,
            known: known(),
        });
    }
    // While it lasts, what is read is of one moment, whoever writes.
    let moment = source
        .unchecked_transaction()
        .map_err(BackupError::sqlite(&from))?;
    let begun: rusqlite::Result<i64> =
        moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
    begun.map_err(BackupError::sqlite(&from))?;
    let mut target = Connection::open(&to).map_err(BackupError::sqlite(&to))?;
    {
        let copying = Backup::new(&moment, &mut target).map_err(BackupError::sqlite(&to))?;
        loop {
            let step = copying.step(PAGES).map_err(BackupError::sqlite(&to))?;
            let pages = copying.progress();
            let (total, left) = (counted(pages.pagecount), counted(pages.remaining));
            hearing(Progress {
                step: "metadata",
                done: total.saturating_sub(left),
                total,
                bytes: 0,
            });
            match step {
                rusqlite::backup::StepResult::Done => break,
                rusqlite::backup::StepResult::More => {}
                // Another process is about to write; it is over in a moment.
                rusqlite::backup::StepResult::Busy | rusqlite::backup::StepResult::Locked | _ => {
                    std::thread::sleep(std::time::Duration::from_millis(10))
                }
            }
        }
    }
    drop(moment);
    // All of it in one file.
    let whole = target.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()));
    whole.map_err(BackupError::sqlite(&to))?;
    drop(target);
    Ok(line(DATABASE.to_owned(), &copy::digest(&to)?))
}

fn counted(pages: i32) -> u64 {
    u64::try_from(pages).unwrap_or(0)
}

/// The copy, to read it only.
fn connect_copy(path: &Path) -> Result<Connection, BackupError> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(BackupError::sqlite(path))
}

fn totals(copy: &Connection, draft: &Path) -> Result<(u64, u64), BackupError> {
    let (mut count, mut bytes) = (0_u64, 0_u64);
    let gone = each_named_segment(copy, &mut |segment: NamedSegment| -> Result<(), BackupError> {
        count = count.saturating_add(1);
        bytes = bytes.saturating_add(segment.sealed_length);
        Ok(())
    });
    gone.map_err(BackupError::sqlite(&draft.join(DATABASE)))??;
    Ok((count, bytes))
}

fn beginning(original: &Original<'_>, copy: &Connection, draft: &Path) -> Result<Beginning, BackupError> {
    let state = vouched(copy, &draft.join(DATABASE), original.root)?;
    Ok(Beginning {
        made_at: original.now.unix_micros(),
        node: original.node.to_owned(),
        schema: known(),
        root_key: original.root.ring().current().name(),
        epoch: state.epoch,
        root: hex(&state.digest),
    })
}

/// What is known of a segment that need not be copied.
struct Known {
    digest: Digest,
    /// The backup that has it.
    place: PathBuf,
}

/// The segments on their way.
struct Copying<'a> {
    original: &'a Original<'a>,
    draft: &'a Path,
    known: HashMap<SegmentId, Known>,
    done: BufWriter<File>,
    /// Lines of what is not on the disk yet.
    waiting: Vec<Line>,
    waiting_bytes: u64,
    named: HashSet<SegmentId>,
    copied: (u64, u64),
}

impl<'a> Copying<'a> {
    fn begin(original: &'a Original<'a>, folder: &Path, draft: &'a Path) -> Result<Self, BackupError> {
        let mut known = HashMap::new();
        if let Some(earlier) = backups_in(folder)?.pop() {
            // One that cannot be trusted is nothing to build upon.
            if let Ok(manifest) = Manifest::open(&earlier, original.key) {
                for line in manifest.lines()? {
                    remember(&mut known, &line?, &earlier);
                }
            }
        }
        let spool = draft.join(DONE);
        for line in broken_off(&spool)? {
            remember(&mut known, &line, draft);
        }
        let next = draft.join("done.new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let done = options.open(&next).map_err(BackupError::io(&next))?;
        Ok(Self {
            original,
            draft,
            known,
            done: BufWriter::new(done),
            waiting: Vec::new(),
            waiting_bytes: 0,
            named: HashSet::new(),
            copied: (0, 0),
        })
    }

    fn run(
        &mut self,
        copy: &Connection,
        (total, _): (u64, u64),
        hearing: Hearing<'_>,
    ) -> Result<(), BackupError> {
        let (mut done, mut bytes) = (0_u64, 0_u64);
        let went = each_named_segment(copy, &mut |segment: NamedSegment| -> Result<(), BackupError> {
            self.take(&segment)?;
            done = done.saturating_add(1);
            bytes = bytes.saturating_add(segment.sealed_length);
            hearing(Progress {
                step: "segments",
                done,
                total,
                bytes,
            });
            Ok(())
        });
        went.map_err(BackupError::sqlite(&self.draft.join(DATABASE)))?
    }

    /// One segment: linked if it is known, copied otherwise.
    fn take(&mut self, segment: &NamedSegment) -> Result<(), BackupError> {
        if !self.named.insert(segment.id) {
            return Ok(());
        }
        let file = segment.id.file();
        let to = self.draft.join(OBJECTS).join(&file);
        if let Some(parent) = to.parent() {
            copy::folder(parent)?;
        }
        let known = self.known.remove(&segment.id);
        let digest = match known {
            Some(known) if linked(&known, &file, &to) => known.digest,
            _ => self.copy(segment, &to)?,
        };
        self.waiting.push(line(format!("{OBJECTS}/{file}"), &digest));
        self.waiting_bytes = self.waiting_bytes.saturating_add(digest.bytes);
        if self.waiting.len() >= SETTLED_SEGMENTS || self.waiting_bytes >= SETTLED_BYTES {
            self.settle()?;
        }
        Ok(())
    }

    fn copy(&mut self, segment: &NamedSegment, to: &Path) -> Result<Digest, BackupError> {
        let mut resting = match self.original.segments.open(segment.id) {
            Err(StoreError::SegmentAbsent(_)) => {
                return Err(BackupError::SegmentGone(segment.id.to_string()));
            }
            other => other?,
        };
        let digest = copy::copy_resting(&mut *resting, to)?;
        if digest.bytes < segment.sealed_length {
            return Err(BackupError::SegmentGone(segment.id.to_string()));
        }
        self.copied = (
            self.copied.0.saturating_add(1),
            self.copied.1.saturating_add(digest.bytes),
        );
        Ok(digest)
    }

    /// Brings to the disk what is waiting, and then writes down that it is there.
    fn settle(&mut self) -> Result<(), BackupError> {
        copy::settle(self.draft)?;
        let spool = self.draft.join("done.new");
        for line in self.waiting.drain(..) {
            let mut text =
                serde_json::to_vec(&line).map_err(|error| BackupError::io(&spool)(error.into()))?;
            text.push(b'\n');
            self.done.write_all(&text).map_err(BackupError::io(&spool))?;
        }
        self.waiting_bytes = 0;
        self.done.flush().map_err(BackupError::io(&spool))?;
        // What a run that was broken off has done is known by either file.
        Ok(())
    }

    /// Removes what a run before has left and nothing names any more; gives the lines of all segments.
    fn finish(mut self) -> Result<(PathBuf, (u64, u64)), BackupError> {
        self.settle()?;
        remove_others(&self.draft.join(OBJECTS), &self.named)?;
        let (next, spool) = (self.draft.join("done.new"), self.draft.join(DONE));
        std::fs::rename(&next, &spool).map_err(BackupError::io(&spool))?;
        Ok((spool, self.copied))
    }
}

/// The lines that a run wrote which was broken off. The last one may be torn.
fn broken_off(spool: &Path) -> Result<Vec<Line>, BackupError> {
    let mut lines = Vec::new();
    for path in [spool.to_owned(), spool.with_extension("new")] {
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(BackupError::io(&path)(error)),
        };
        lines.extend(text.split_inclusive(|byte| *byte == b'\n').filter_map(|line| {
            let line: Line = serde_json::from_slice(line.strip_suffix(b"\n")?).ok()?;
            Some(line)
        }));
    }
    if !lines.is_empty() {
        let mut text = Vec::new();
        for line in &lines {
            text.extend(serde_json::to_vec(line).unwrap_or_default());
            text.push(b'\n');
        }
        moho_os::replace_private(spool, &text)
            .map_err(|error| BackupError::io(spool)(std::io::Error::other(error)))?;
    }
    Ok(lines)
}

fn remember(known: &mut HashMap<SegmentId, Known>, line: &Line, place: &Path) {
    let id = line.segment();
    let sha256 = unhex(&line.sha256).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    if let (Some(id), Some(sha256)) = (id, sha256) {
        let digest = Digest {
            bytes: line.bytes,
            sha256,
        };
        let place = place.to_owned();
        known.insert(id, Known { digest, place });
    }
}

/// Whether the file is in the backup now, by being it or by a link.
fn linked(known: &Known, file: &str, to: &Path) -> bool {
    let from = known.place.join(OBJECTS).join(file);
    let whole = |path: &Path| {
        std::fs::symlink_metadata(path)
            .is_ok_and(|found| found.is_file() && found.len() == known.digest.bytes)
    };
    if !whole(&from) {
        return false;
    }
    from == to || {
        // What a run before has left there may be torn.
        drop(std::fs::remove_file(to));
        std::fs::hard_link(&from, to).is_ok()
    }
}

fn remove_others(objects: &Path, named: &HashSet<SegmentId>) -> Result<(), BackupError> {
    for folder in listed(objects)? {
        for file in listed(&folder)? {
            let id = file.file_name().and_then(|name| name.to_str()?.parse().ok());
            if id.is_none_or(|id: SegmentId| !named.contains(&id)) {
                std::fs::remove_file(&file).map_err(BackupError::io(&file))?;
            }
        }
    }
    Ok(())
}

/// What is in a folder, if there is one.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(BackupError::io(folder)(error)),
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()).map_err(BackupError::io(folder)))
            .collect(),
    }
}

/// Copies the journal as far as its entries are whole.
fn copy_journal(
    original: &Original<'_>,
    draft: &Path,
    hearing: Hearing<'_>,
) -> Result<Vec<Line>, BackupError> {
    let folder = draft.join(JOURNAL);
    copy::folder(&folder)?;
    for left in listed(&folder)? {
        std::fs::remove_file(&left).map_err(BackupError::io(&left))?;
    }
    let parts = (original.journal)().map_err(BackupError::io(&folder))?;
    let total = parts.len() as u64;
    let mut lines = Vec::new();
    for (number, part) in (1_u64..).zip(&parts) {
        let name = part
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let digest = copy::copy(&part.path, &folder.join(&name), part.whole)?;
        lines.push(line(format!("{JOURNAL}/{name}"), &digest));
        hearing(Progress {
            step: "journal",
            done: number,
            total,
            bytes: digest.bytes,
        });
    }
    Ok(lines)
}

fn write_manifest(
    original: &Original<'_>,
    (draft, head): (&Path, &BackupHead),
    (database, spool, journal): (&Line, &Path, &[Line]),
) -> Result<(), BackupError> {
    let path = draft.join(manifest::FILE);
    let failed = || BackupError::io(&path);
    // Everything it names is there before it is.
    copy::settle(draft)?;
    let file = BufWriter::new(copy::replace(&path)?);
    let mut writer = manifest::Writer::begin(file, original.key, head).map_err(failed())?;
    writer.file(database).map_err(failed())?;
    let lines = File::open(spool).map_err(BackupError::io(spool))?;
    for text in std::io::BufRead::lines(std::io::BufReader::new(lines)) {
        let text = text.map_err(BackupError::io(spool))?;
        let line: Line = serde_json::from_str(&text).map_err(|error| BackupError::io(spool)(error.into()))?;
        writer.file(&line).map_err(failed())?;
    }
    for line in journal {
        writer.file(line).map_err(failed())?;
    }
    let written = writer.finish().map_err(failed())?;
    let file = written
        .into_inner()
        .map_err(|error| failed()(error.into_error()))?;
    file.sync_all().map_err(failed())
}

fn line(file: String, digest: &Digest) -> Line {
    Line {
        file,
        bytes: digest.bytes,
        sha256: hex(&digest.sha256),
    }
}

/// A name that no backup has.
fn name(folder: &Path, original: &Original<'_>) -> Result<PathBuf, BackupError> {
    let time = original.now.iso8601_basic();
    let names =
        std::iter::once(time.clone()).chain((2_u32..1000).map(|number| format!("{time}-{number:03}")));
    let mut free = names.map(|name| folder.join(name)).filter(|path| !path.exists());
    free.next().ok_or_else(|| BackupError::Making(folder.to_owned()))
}
