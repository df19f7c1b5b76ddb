//! What a backup holds, file by file, under a MAC of the installation's root key.
//!
//! ```text
//! manifest = head | file* | mac            each a line of JSON
//! mac      = HMAC-SHA-256( key, every line before it )
//! ```
//! Files come in the order of their paths, so that two manifests can be gone through side by side without either being in
//! memory.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use moho_terms::Secret;
use serde::{Deserialize, Serialize};

use super::{BackupError, OBJECTS, hex, unhex};
use crate::objects::SegmentId;

/// Its name in a backup.
pub(super) const FILE: &str = "manifest";
/// The first line says so.
const FORMAT: &str = "moho-backup-1";
/// A line is never longer.
const LONGEST: u64 = 4096;

/// What is known of a backup as a whole. It holds no content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupHead {
    format: String,
    /// When the copy of the metadata was begun, in microseconds since 1970.
    pub made_at: u64,
    /// The moho that made it: its node's name, empty if there is but one.
    pub node: String,
    /// The schema's version.
    pub schema: u32,
    /// The root key that keys are under, by its name: what it takes to open anything.
    pub root_key: String,
    /// How many changes the authenticated tree has seen.
    pub epoch: u64,
    /// The tree's root, in hexadecimal digits.
    pub root: String,
    /// How many objects' bytes rest in files.
    pub segments: u64,
    /// How many bytes those have.
    pub segment_bytes: u64,
}

/// What whoever makes a backup knows of it before.
pub(super) struct Beginning {
    pub(super) made_at: u64,
    pub(super) node: String,
    pub(super) schema: u32,
    pub(super) root_key: String,
    pub(super) epoch: u64,
    pub(super) root: String,
}

impl BackupHead {
    pub(super) fn new(beginning: Beginning, (segments, segment_bytes): (u64, u64)) -> Self {
        Self {
            format: FORMAT.to_owned(),
            made_at: beginning.made_at,
            node: beginning.node,
            schema: beginning.schema,
            root_key: beginning.root_key,
            epoch: beginning.epoch,
            root: beginning.root,
            segments,
            segment_bytes,
        }
    }
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    /// Where it is below the backup, with `/` between names.
    pub(super) file: String,
    pub(super) bytes: u64,
    /// In hexadecimal digits.
    pub(super) sha256: String,
}

impl Line {
    /// The segment whose bytes the file has, if it is one's.
    pub(super) fn segment(&self) -> Option<SegmentId> {
        let file = self.file.strip_prefix(OBJECTS)?.strip_prefix('/')?;
        let id: SegmentId = file.rsplit('/').next()?.parse().ok()?;
        (id.file() == file).then_some(id)
    }

    /// Where the file is below `folder`; `None` if it is said to be anywhere else.
    pub(super) fn path(&self, folder: &Path) -> Option<PathBuf> {
        let relative = Path::new(&self.file);
        let plain = relative
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        (plain && !self.file.is_empty() && self.file != FILE).then(|| folder.join(relative))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mac {
    mac: String,
}

fn context(key: &Secret) -> hmac::Context {
    hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
}

/// A manifest that is being written.
pub(super) struct Writer<W> {
    to: W,
    mac: hmac::Context,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(to: W, key: &Secret, head: &BackupHead) -> std::io::Result<Self> {
        let mut writer = Self {
            to,
            mac: context(key),
        };
        writer.line(head)?;
        Ok(writer)
    }

    pub(super) fn file(&mut self, line: &Line) -> std::io::Result<()> {
        self.line(line)
    }

    pub(super) fn finish(mut self) -> std::io::Result<W> {
        let mac = hex(self.mac.sign().as_ref());
        let mut text = serde_json::to_vec(&Mac { mac })?;
        text.push(b'\n');
        self.to.write_all(&text)?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn line(&mut self, value: &impl Serialize) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(value)?;
        text.push(b'\n');
        self.mac.update(&text);
        self.to.write_all(&text)
    }
}

/// A manifest whose MAC was checked: what its lines say is what was written.
pub(super) struct Manifest {
    path: PathBuf,
    head: BackupHead,
    /// Lines of files.
    files: u64,
    bytes: u64,
    /// The MAC of nothing yet, under the key that it was checked with.
    mac: hmac::Context,
}

impl Manifest {
    /// Reads all of it and checks it.
    pub(super) fn open(backup: &Path, key: &Secret) -> Result<Self, BackupError> {
        let path = backup.join(FILE);
        Self::read(&mut read(backup, &path)?, (backup, &path), key)
    }

    fn read(
        reader: &mut impl BufRead,
        (backup, path): (&Path, &Path),
        key: &Secret,
    ) -> Result<Self, BackupError> {
        let untrusted = |why| BackupError::Manifest {
            path: backup.to_owned(),
            why,
        };
        let first = next(reader, path)?;
        let head: BackupHead =
            parse(&first).ok_or_else(|| untrusted("its first line is none of a manifest"))?;
        if head.format != FORMAT {
            return Err(untrusted("its format is another one than this moho knows"));
        }
        let mut mac = context(key);
        mac.update(&first);
        let (mut files, mut bytes) = (0_u64, 0_u64);
        loop {
            let line = next(reader, path)?;
            if let Some(file) = parse::<Line>(&line) {
                mac.update(&line);
                files = files.saturating_add(1);
                bytes = bytes.saturating_add(file.bytes);
                continue;
            }
            let told = parse::<Mac>(&line).and_then(|told| unhex(&told.mac));
            let told =
                told.ok_or_else(|| untrusted("a line of it is none of a manifest, or its end is missing"))?;
            if verify_slices_are_equal(&told, mac.sign().as_ref()).is_err() {
                return Err(untrusted(
                    "it was altered, or is not of the installation that this root key is of",
                ));
            }
            break;
        }
        if !next(reader, path)?.is_empty() {
            return Err(untrusted("something follows its end"));
        }
        Ok(Self {
            path: path.to_owned(),
            head,
            files,
            bytes,
            mac: context(key),
        })
    }

    pub(super) fn head(&self) -> &BackupHead {
        &self.head
    }

    pub(super) fn files(&self) -> u64 {
        self.files
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its lines, once more from the beginning. They are only true if none of them is an error, the last one included: the
    /// file may be another one by now.
    pub(super) fn lines(&self) -> Result<Lines, BackupError> {
        let backup = self.path.parent().unwrap_or(&self.path);
        let mut reader = read(backup, &self.path)?;
        let mut mac = self.mac.clone();
        mac.update(&next(&mut reader, &self.path)?);
        Ok(Lines {
            reader,
            path: self.path.clone(),
            mac: Some(mac),
        })
    }
}

/// Where the files of a manifest are below `backup`, as [`Manifest::open`] and [`Lines`] read one; `None` for those that are
/// said to be elsewhere.
pub(crate) fn files_of(
    text: &[u8],
    backup: &Path,
    key: &Secret,
) -> Result<Vec<Option<PathBuf>>, BackupError> {
    let path = backup.join(FILE);
    let manifest = Manifest::read(&mut &*text, (backup, &path), key)?;
    let (mut reader, mut files) = (text, Vec::new());
    next(&mut reader, &path)?;
    for _ in 0..manifest.files {
        let line: Option<Line> = parse(&next(&mut reader, &path)?);
        files.push(line.and_then(|line| line.path(backup)));
    }
    Ok(files)
}

/// A manifest of files with these names and lengths.
pub(crate) fn of_files(files: &[(String, u64)], key: &Secret) -> std::io::Result<Vec<u8>> {
    let beginning = Beginning {
        made_at: 0,
        node: String::new(),
        schema: 0,
        root_key: String::new(),
        epoch: 0,
        root: String::new(),
    };
    let mut writer = Writer::begin(Vec::new(), key, &BackupHead::new(beginning, (0, 0)))?;
    for (file, bytes) in files {
        writer.file(&Line {
            file: file.clone(),
            bytes: *bytes,
            sha256: String::new(),
        })?;
    }
    writer.finish()
}

/// The files of a manifest, in the order of their paths.
pub(super) struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
    /// Of all lines so far; `None` after the last one.
    mac: Option<hmac::Context>,
}

impl Iterator for Lines {
    type Item = Result<Line, BackupError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut mac = self.mac.take()?;
        let line = match next(&mut self.reader, &self.path) {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        if let Some(file) = parse::<Line>(&line) {
            mac.update(&line);
            self.mac = Some(mac);
            return Some(Ok(file));
        }
        let told = parse::<Mac>(&line).and_then(|told| unhex(&told.mac));
        let is_same = told.is_some_and(|told| verify_slices_are_equal(&told, mac.sign().as_ref()).is_ok());
        (!is_same).then(|| {
            Err(BackupError::Manifest {
                path: self.path.parent().unwrap_or(&self.path).to_owned(),
                why: "it was altered while it was read",
            })
        })
    }
}

fn read(backup: &Path, path: &Path) -> Result<BufReader<File>, BackupError> {
    match File::open(path) {
        Ok(file) => Ok(BufReader::new(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(BackupError::NoBackup(backup.to_owned()))
        }
        Err(error) => Err(BackupError::io(path)(error)),
    }
}

/// The next line with its end; empty after the last one.
fn next(reader: &mut impl BufRead, path: &Path) -> Result<Vec<u8>, BackupError> {
    let mut line = Vec::new();
    let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut line);
    read.map_err(BackupError::io(path))?;
    Ok(line)
}

fn parse<T: for<'a> Deserialize<'a>>(line: &[u8]) -> Option<T> {
    serde_json::from_slice(line.strip_suffix(b"\n")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_altered_between_two_looks_is_found_by_the_second() {
        let (folder, key) = (tempfile::tempdir().unwrap(), Secret::new(vec![7; 32]));
        let path = folder.path().join(FILE);
        let of = |files: &[(String, u64)]| of_files(files, &key).unwrap();
        let (one, two) = (("one".to_owned(), 1), ("two".to_owned(), 2));
        std::fs::write(&path, of(&[one.clone(), two.clone()])).unwrap();
        let manifest = Manifest::open(folder.path(), &key).unwrap();
        let names = |manifest: &Manifest| -> Result<Vec<String>, BackupError> {
            let lines = manifest.lines().unwrap();
            lines.map(|line| line.map(|line| line.file)).collect()
        };
        assert_eq!(names(&manifest).unwrap(), ["one", "two"]);
        let whole = String::from_utf8(of(&[one, two])).unwrap();
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        for altered in [
            whole.replace("\"two\"", "\"six\""),
            whole.replacen("\"bytes\":2", "\"bytes\":3", 1),
            [lines[0], lines[1], lines[3]].concat(),
            [lines[0], lines[2], lines[1], lines[3]].concat(),
            [lines[0], lines[1], lines[2]].concat(),
            [lines[0], lines[1], lines[1], lines[2], lines[3]].concat(),
        ] {
            std::fs::write(&path, &altered).unwrap();
            assert!(names(&manifest).is_err(), "{altered}");
        }
    }
}
