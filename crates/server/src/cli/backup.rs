//! `moho backup`: a copy of everything that is kept, made beside a moho that serves.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use moho_kms::RootKey;
use moho_store::StoreError;
use moho_store::backup::{
    BACKUP_KEY, BackupError, BackupHead, CheckedBackup, JournalPart, Original, back_up, check_backup,
};
use moho_terms::{Clock, Secret, Timestamp};

use super::counting::Counting;
use super::{Exit, Failure, root, say, surroundings, typed};
use crate::bucket_segments::place::{PlaceError, Settling};
use crate::closing::Closing;
use crate::config::{self, ObjectsConfig, Typed};
use crate::system::SystemClock;

/// The journal's folder in the data directory.
pub(super) const JOURNAL: &str = "journal";

pub(super) fn command(config: &dyn Fn() -> Arg) -> Command {
    Command::new("backup")
        .about("Copies everything that is kept, ciphertext only, while moho serves")
        .long_about(
            "Makes a backup in a folder of its own below DIR: the metadata as it is at one moment, the sealed bytes of every \
             object that it names, the journal, and a manifest with the SHA-256 of each file under a MAC of the root key. \
             Nothing in it is in the clear but names, sizes and times, and it holds no key that opens anything: keep root.key \
             elsewhere, and never beside it.\n\nmoho may serve meanwhile, in several processes; nothing is deleted on the disk \
             until the backup has ended. Objects whose bytes rest in a bucket (`objects.url`) are \
             fetched from there, and are part of the backup like all others. Bytes that an earlier backup in DIR has are linked to, not copied, and each backup is \
             whole by itself: remove any of them as you like. One that was broken off is gone on with by the next. Until it \
             says that it is done, there is no new backup, and those before are untouched.",
        )
        .after_help(
            "Examples:\n  moho backup /srv/backups/moho --config /etc/moho/moho.toml\n  moho backup --verify /srv/backups/moho\n\n\
             docs/operations.md says how to restore one.",
        )
        .args(arguments())
        .args(given(config))
}

fn arguments() -> [Arg; 2] {
    [
        Arg::new("dir")
            .value_name("DIR")
            .required(true)
            .value_parser(value_parser!(PathBuf))
            .help("Folder of backups; with --verify, also one backup in it"),
        Arg::new("verify")
            .long("verify")
            .action(ArgAction::SetTrue)
            .help("Makes none, but checks every byte of the newest one in DIR, or of the one that is named"),
    ]
}

/// What is asked of everybody who needs store and root key.
pub(super) fn given(config: &dyn Fn() -> Arg) -> impl Iterator<Item = Arg> {
    let of_root = |arg: &Arg| {
        let id = arg.get_id().as_str();
        matches!(id, "data" | "store" | "region") || id.starts_with("root.") || id.starts_with("objects.")
    };
    Typed::args().into_iter().filter(of_root).chain([config()])
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let place = Place::of(matches)?;
    let dir = matches.get_one::<PathBuf>("dir").cloned().unwrap_or_default();
    let mut counting = Counting::new();
    if matches.get_flag("verify") {
        let checked = checked(&dir, &place.key, &mut counting)?;
        let (files, bytes) = checked.size();
        return say(&format!(
            "whole: {}, {files} files, {bytes} bytes; {}",
            checked.path().display(),
            told(checked.head())
        ));
    }
    let journal = place.data.join(JOURNAL);
    let parts = || parts(&journal);
    let segments = place.settling(&place.store).as_remembered().map_err(in_the_way)?;
    let original = Original {
        store: &place.store,
        segments: &*segments,
        journal: &parts,
        node: "",
        root: &place.root,
        key: &place.key,
        now: SystemClock.now(),
    };
    let made = back_up(&original, &dir, &mut |progress| counting.show(progress)).map_err(failed)?;
    counting.end();
    let (copied, bytes) = made.copied;
    say(&format!(
        "made: {}; {}, {copied} of them copied now ({bytes} bytes)",
        made.path.display(),
        told(&made.head)
    ))
}

/// What is said of a backup.
pub(super) fn told(head: &BackupHead) -> String {
    format!(
        "made at {}, change {}, under the root {}, {} objects' files of {} bytes",
        Timestamp::from_unix_micros(head.made_at),
        head.epoch,
        head.root_key,
        head.segments,
        head.segment_bytes
    )
}

/// Checks a backup, and shows how far that is.
pub(super) fn checked(dir: &Path, key: &Secret, counting: &mut Counting) -> Result<CheckedBackup, Failure> {
    let checked = check_backup(dir, key, &mut |progress| counting.show(progress));
    counting.end();
    checked.map_err(failed)
}

fn parts(journal: &Path) -> std::io::Result<Vec<JournalPart>> {
    let parts = moho_audit::whole_parts(journal).map_err(std::io::Error::other)?;
    let part = |part: moho_audit::WholePart| JournalPart {
        path: part.path,
        whole: part.whole,
    };
    Ok(parts.into_iter().map(part).collect())
}

/// Where everything is, and the root key.
pub(super) struct Place {
    pub(super) data: PathBuf,
    /// The store's own directory.
    pub(super) store: PathBuf,
    pub(super) root: RootKey,
    /// Where objects are to rest.
    objects: Option<ObjectsConfig>,
    /// Never is, as nobody serves here.
    closing: Closing,
    /// What manifests are under.
    pub(super) key: Secret,
}

impl Place {
    pub(super) fn of(matches: &ArgMatches) -> Result<Self, Failure> {
        let (typed, surroundings) = (typed(matches)?, surroundings());
        let data = config::data(&typed, &surroundings)?;
        let store = config::store(&typed, &surroundings)?.join("store");
        let root_config = config::root(&typed, &surroundings)?;
        root::harden()?;
        let root = root::open(&root_config)?;
        let key = root
            .derive(BACKUP_KEY)
            .map_err(|error| Failure::new(Exit::Failed, error))?;
        Ok(Self {
            data,
            store,
            root,
            objects: config::objects(&typed)?,
            closing: Closing::new(),
            key,
        })
    }

    /// Where the segments of the store in `directory` rest, or are to.
    pub(super) fn settling<'a>(&'a self, directory: &'a Path) -> Settling<'a> {
        Settling {
            directory,
            wanted: self.objects.as_ref(),
            closing: &self.closing,
        }
    }
}

pub(super) fn in_the_way(error: PlaceError) -> Failure {
    Failure::new(Exit::InTheWay, error)
}

/// What was altered ends as a damaged journal does.
pub(super) fn failed(error: BackupError) -> Failure {
    let exit = match &error {
        BackupError::Manifest { .. }
        | BackupError::Damaged { .. }
        | BackupError::SegmentGone(_)
        | BackupError::Store(StoreError::Corrupt { .. }) => Exit::Damaged,
        BackupError::Cryptography => Exit::Failed,
        BackupError::NoBackup(_)
        | BackupError::Making(_)
        | BackupError::NoStore(_)
        | BackupError::OtherVersion { .. }
        | BackupError::InUse(_)
        | BackupError::NotEmpty(_)
        | BackupError::Store(_)
        | _ => Exit::InTheWay,
    };
    Failure::new(exit, error)
}
