//! A journal held to what it has said: its own last checkpoint, and earlier ones that somebody else has kept.
//!
//! Nothing but the journal's files is read, and nothing is changed. It may run beside the process that writes them, or on a copy.

use std::path::{Path, PathBuf};

use moho_attest::log::{
    Checkpoint, CheckpointError, Frontier, SignedCheckpoint, Tree, TreeHash, Trust, UnsignedCheckpoint,
};

use crate::chain::{Link, Record};
use crate::error::AuditError;
use crate::hashes::HashFiles;
use crate::offsets::{EACH, Offsets};
use crate::records;
use crate::segment::{self, check_each};
use crate::verify::continues;

/// A checkpoint that somebody has kept, and what to call it.
pub struct KeptCheckpoint {
    /// Such as the name of its file.
    pub name: String,
    /// The whole note.
    pub note: Vec<u8>,
}

/// What a journal was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLog {
    /// Its last checkpoint, with whoever cosigned it.
    pub signed: SignedCheckpoint,
    /// Records that were read and checked: the first and the last.
    pub records: Option<(u64, u64)>,
    /// Records behind the checkpoint, which it says nothing about.
    pub unpublished: u64,
    /// Bytes of an unfinished record at the end.
    pub unfinished_bytes: u64,
}

/// A journal is not what it said, or cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogFault {
    /// The records are damaged, or cannot be read.
    #[error(transparent)]
    Records(#[from] AuditError),
    /// There is no checkpoint.
    #[error("there is no checkpoint at `{}`: nothing was ever published of this journal, or somebody took it away", .0.display())]
    NoCheckpoint(PathBuf),
    /// A checkpoint is not believed.
    #[error("the checkpoint {name} is not believed")]
    Checkpoint {
        /// Which.
        name: String,
        /// Why not.
        source: CheckpointError,
    },
    /// A checkpoint was signed over more records than there are.
    #[error("rolled back: {name} was signed over {had} records, and there are {has}")]
    RolledBack {
        /// Which checkpoint.
        name: String,
        /// How many records there are.
        has: u64,
        /// How many there were.
        had: u64,
    },
    /// The first records are not those that a checkpoint was signed over.
    #[error(
        "forked: the first {size} records are not those that {name} was signed over: some were altered, removed or put in"
    )]
    Forked {
        /// Which checkpoint.
        name: String,
        /// Over how many.
        size: u64,
    },
    /// A range of records that are not there.
    #[error("there are no records {first} to {last} in the checkpoint, which has {size}")]
    NoSuchRecords {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
        /// How many there are.
        size: u64,
    },
    /// The hashes that lie beside the records do not fit them.
    #[error(
        "record {0}, or a hash on its way to the checkpoint's root, was altered; check all records to tell which"
    )]
    Unproven(u64),
}

/// What was signed at a size.
struct Expected {
    name: String,
    checkpoint: Checkpoint,
}

/// A journal, its last checkpoint, and all that it is held to, smallest first.
struct Holding<'a> {
    directory: &'a Path,
    signed: SignedCheckpoint,
    expected: Vec<Expected>,
}

/// Checks all records of the journal in `directory` against its last checkpoint, for which `trust` says whom to believe, and
/// against the `earlier` ones, for which the log's own signature will do. `progress` hears how many files of how many are done.
///
/// # Errors
/// [`LogFault`] says what does not fit.
pub fn hold(
    directory: &Path,
    trust: &Trust,
    earlier: &[KeptCheckpoint],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<HeldLog, LogFault> {
    Holding::begin(directory, trust, earlier)?.with_all_records(progress)
}

/// The same for the records from `first` to `last` alone, by proofs from the hashes that lie beside them.
///
/// # Errors
/// [`LogFault`] says what does not fit.
pub fn hold_range(
    directory: &Path,
    trust: &Trust,
    earlier: &[KeptCheckpoint],
    (first, last): (u64, u64),
) -> Result<HeldLog, LogFault> {
    Holding::begin(directory, trust, earlier)?.with_records(first, last)
}

fn believed(name: &str, note: &[u8], trust: &Trust) -> Result<SignedCheckpoint, LogFault> {
    let read = UnsignedCheckpoint::read(note).and_then(|read| read.check(trust));
    read.map_err(|source| LogFault::Checkpoint {
        name: name.to_owned(),
        source,
    })
}

impl<'a> Holding<'a> {
    fn begin(directory: &'a Path, trust: &Trust, earlier: &[KeptCheckpoint]) -> Result<Self, LogFault> {
        let path = directory.join("checkpoint");
        let note = match std::fs::read(&path) {
            Ok(note) => note,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LogFault::NoCheckpoint(path));
            }
            Err(error) => return Err(AuditError::io(&path)(error).into()),
        };
        let own = format!("`{}`", path.display());
        let signed = believed(&own, &note, trust)?;
        let by_the_log = Trust {
            needed: 0,
            ..trust.clone()
        };
        let mut expected = vec![Expected {
            name: own,
            checkpoint: signed.checkpoint().clone(),
        }];
        for kept in earlier {
            expected.push(Expected {
                name: kept.name.clone(),
                checkpoint: believed(&kept.name, &kept.note, &by_the_log)?
                    .checkpoint()
                    .clone(),
            });
        }
        expected.sort_by_key(|expected| expected.checkpoint.size);
        Ok(Self {
            directory,
            signed,
            expected,
        })
    }

    /// Whether the tree is what was signed at its size.
    fn fits(&self, frontier: &Frontier) -> Result<(), LogFault> {
        let size = frontier.size();
        let at_size = self
            .expected
            .iter()
            .filter(|expected| expected.checkpoint.size == size);
        for expected in at_size {
            if expected.checkpoint.root != frontier.root() {
                return Err(expected.forked());
            }
        }
        Ok(())
    }

    fn with_all_records(self, progress: &mut dyn FnMut(usize, usize)) -> Result<HeldLog, LogFault> {
        let segments = segment::list(self.directory)?;
        let (mut link, mut frontier, mut unfinished_bytes) = (Link::START, Frontier::default(), 0);
        self.fits(&frontier)?;
        for (number, segment) in segments.iter().enumerate() {
            progress(number, segments.len());
            let mut unfit = Ok(());
            let bytes = segment.read()?;
            let checked = check_each(
                segment,
                &bytes,
                (continues(segment, link)?, &mut |digest| {
                    frontier.push(digest.tree_hash(), |_part, _hash| ());
                    if unfit.is_ok() {
                        unfit = self.fits(&frontier);
                    }
                }),
            );
            // What does not fit stands before what is damaged behind it.
            unfit?;
            let checked = checked?;
            (link, unfinished_bytes) = (checked.link, checked.torn);
        }
        progress(segments.len(), segments.len());
        let has = frontier.size();
        if let Some(expected) = self
            .expected
            .iter()
            .find(|expected| expected.checkpoint.size > has)
        {
            return Err(LogFault::RolledBack {
                name: expected.name.clone(),
                has,
                had: expected.checkpoint.size,
            });
        }
        Ok(HeldLog {
            unpublished: has.saturating_sub(self.signed.checkpoint().size),
            signed: self.signed,
            records: (has > 0).then_some((1, has)),
            unfinished_bytes,
        })
    }

    fn with_records(self, first: u64, last: u64) -> Result<HeldLog, LogFault> {
        let Checkpoint { size, root, .. } = self.signed.checkpoint().clone();
        if first == 0 || first > last || last > size {
            return Err(LogFault::NoSuchRecords { first, last, size });
        }
        // To be read only: whoever checks a copy changes nothing of it, and needs no leave to.
        let files = HashFiles::open_to_read(self.directory)?;
        let offsets = Offsets::open_to_read(self.directory)?;
        let tree = Tree::new(&files);
        for expected in &self.expected {
            expected.check(&tree, (size, &root))?;
        }
        let mut link: Option<Link> = None;
        let mut at = first;
        while at <= last {
            // Bundle by bundle, as those are what is found quickly.
            let index = at.saturating_sub(1);
            let count = EACH.saturating_sub(index % EACH).min(last.saturating_sub(index));
            for line in records::read(self.directory, &offsets, index, count)? {
                link = Some(proven(&tree, (at, &line, link), (size, &root))?);
                at = at.saturating_add(1);
            }
        }
        Ok(HeldLog {
            signed: self.signed,
            records: Some((first, last)),
            unpublished: 0,
            unfinished_bytes: 0,
        })
    }
}

/// Where the chain stands behind record `number`, which is what the tree has at its place.
fn proven(
    tree: &Tree<&HashFiles>,
    (number, line, before): (u64, &[u8], Option<Link>),
    (size, root): (u64, &TreeHash),
) -> Result<Link, LogFault> {
    let unproven = || LogFault::Unproven(number);
    let record = Record::parse(line).map_err(|_damaged| unproven())?;
    let proof = tree
        .inclusion(number.saturating_sub(1), size)?
        .ok_or_else(unproven)?;
    let follows = record.sequence() == number && before.is_none_or(|before| record.before() == before);
    if !follows || proof.check(&record.digest().tree_hash(), root).is_err() {
        return Err(unproven());
    }
    record.after().map_err(|_last| unproven())
}

impl Expected {
    fn forked(&self) -> LogFault {
        LogFault::Forked {
            name: self.name.clone(),
            size: self.checkpoint.size,
        }
    }

    /// That the tree of the last checkpoint begins with this one.
    fn check(&self, tree: &Tree<&HashFiles>, (size, root): (u64, &TreeHash)) -> Result<(), LogFault> {
        let old = self.checkpoint.size;
        let Some(proof) = tree.consistency(old, size)? else {
            return Err(LogFault::RolledBack {
                name: self.name.clone(),
                has: size,
                had: old,
            });
        };
        proof
            .check(&self.checkpoint.root, root)
            .map_err(|_unproven| self.forked())
    }
}
