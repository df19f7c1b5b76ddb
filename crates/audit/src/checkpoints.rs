//! The checkpoint that the journal has published last, as a file: what it said of itself, and can be held to.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use moho_attest::log::{
    Checkpoint, CheckpointError, ConsistencyProof, Cosignature, NoteKey, NoteSigner, Origin, SignatureKind,
    SignatureLine, SignedCheckpoint, Trust, UnsignedCheckpoint, signature_line,
};
use moho_terms::Secret;

use crate::blinding::Blinding;
use crate::error::AuditError;

/// Its file in the journal's directory.
const FILE: &str = "checkpoint";

/// The file of a log's id, in the journal's directory: beside it is always a checkpoint.
const ID: &str = "log";
/// The same until there is one: nobody was ever told of a log of this id.
const BEGINNING: &str = "log.beginning";
/// Bytes of an id, which is written in hexadecimal.
const ID_BYTES: usize = 16;
/// What origins begin with.
const ORIGIN: &str = "moho/log/";

/// What the keys of logs are made of: each journal is a log of its own, with a random id and the key that follows from it.
pub struct LogKeys {
    secret: Secret,
    fresh: [u8; ID_BYTES],
}

impl LogKeys {
    /// Keys that follow from `secret`; a journal that is no log yet becomes the one of the `fresh` id, which is random.
    #[must_use]
    pub fn new(secret: Secret, fresh: [u8; ID_BYTES]) -> Self {
        Self { secret, fresh }
    }

    /// Which log the journal in `directory` is. One that comes without its id, out of a backup or of an earlier version, begins a
    /// new log with all its records: whatever it was called before may have had more. One with an id, but without a checkpoint, is
    /// refused for the same reason.
    pub(crate) fn identity(&self, directory: &Path) -> Result<LogIdentity, AuditError> {
        let (origin, begins) = match log_named(directory)? {
            Some(origin) => (origin, false),
            None => (self.beginning(directory)?, true),
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.expose());
        let seed = Secret::new(hmac::sign(&key, origin.as_str().as_bytes()).as_ref().to_vec());
        let blinding = Arc::new(Blinding::of(&self.secret, &origin));
        LogIdentity::new(origin, &seed, (begins, blinding))
    }

    /// The log that begins now. What was interrupted before it had published anything goes on.
    fn beginning(&self, directory: &Path) -> Result<Origin, AuditError> {
        let path = directory.join(BEGINNING);
        let id = match read(&path)? {
            Some(id) => id,
            None => {
                let id: String = self.fresh.iter().map(|byte| format!("{byte:02x}")).collect();
                replace(&path, id.as_bytes())?;
                id
            }
        };
        origin(&id).ok_or(AuditError::NoLog(path))
    }
}

/// Which log the journal in `directory` is, as its files say; `None` if it is none yet.
///
/// # Errors
/// [`AuditError::NoCheckpoint`] and [`AuditError::NoLog`] keep a journal from being opened; others if they cannot be read.
pub fn log_named(directory: &Path) -> Result<Option<Origin>, AuditError> {
    let path = directory.join(ID);
    let Some(id) = read(&path)? else {
        return Ok(None);
    };
    let origin = origin(&id).ok_or(AuditError::NoLog(path))?;
    let checkpoint = directory.join(FILE);
    if !checkpoint.try_exists().map_err(AuditError::io(&checkpoint))? {
        return Err(AuditError::NoCheckpoint(directory.to_owned()));
    }
    Ok(Some(origin))
}

fn read(path: &Path) -> Result<Option<String>, AuditError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(AuditError::io(path)(error)),
    }
}

/// The log of an id.
fn origin(id: &str) -> Option<Origin> {
    let is_id =
        id.len() == 2 * ID_BYTES && id.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| format!("{ORIGIN}{id}").parse().ok())?
}

/// Lets the journal in `directory`, which nobody uses, begin a new log with all its records if what it published last is not under
/// its key of `keys`: after a restoration of another store, whose keys are others. `true` if it was so.
///
/// # Errors
/// [`AuditError`] if its files cannot be read or removed.
pub fn begin_log_anew(directory: &Path, keys: &LogKeys) -> Result<bool, AuditError> {
    let published = |name: &str| directory.join(name);
    if !published(FILE).exists() {
        return Ok(false);
    }
    let trust = keys.identity(directory)?.trust();
    match Published::read(directory, &trust) {
        Err(AuditError::Checkpoint { .. }) => {}
        other => return other.map(|_its_own| false),
    }
    // The id first: without it, whatever checkpoint is there is another log's.
    for name in [ID, BEGINNING, FILE] {
        remove(&published(name))?;
    }
    Ok(true)
}

/// Lets a journal in `directory` whose records were just put there, out of a backup, begin a new log with all of them if the
/// checkpoint of the one that was there before is missing: under its name there may have been more. `true` if it was so.
///
/// # Errors
/// [`AuditError`] if its files cannot be read or removed.
pub fn begin_log_of_restored(directory: &Path) -> Result<bool, AuditError> {
    match log_named(directory) {
        Err(AuditError::NoCheckpoint(_)) => remove(&directory.join(ID)).map(|()| true),
        other => other.map(|_its_own| false),
    }
}

fn remove(path: &Path) -> Result<(), AuditError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(AuditError::io(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Which log a journal is, and who signs for it.
pub(crate) struct LogIdentity {
    /// The first line of its checkpoints.
    pub(crate) origin: Origin,
    /// Who signs them.
    pub(crate) signer: Box<dyn NoteSigner + Send + Sync>,
    /// Whether nobody was ever told of it.
    pub(crate) begins: bool,
    /// What its entries are blinded with.
    pub(crate) blinding: Arc<Blinding>,
}

impl LogIdentity {
    /// The log of this name, whose checkpoints are signed with the Ed25519 key of this seed, 32 bytes.
    fn new(
        origin: Origin,
        seed: &Secret,
        (begins, blinding): (bool, Arc<Blinding>),
    ) -> Result<Self, AuditError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose());
        let pair = pair.map_err(|rejected| AuditError::Unsigned(rejected.to_string()))?;
        let public = <[u8; 32]>::try_from(pair.public_key().as_ref());
        let public = public.map_err(|error| AuditError::Unsigned(error.to_string()))?;
        let key = NoteKey::new(origin.clone(), SignatureKind::Ed25519, public);
        Ok(Self {
            origin,
            signer: Box::new(SeedSigner { pair, key }),
            begins,
            blinding,
        })
    }

    /// That there is a checkpoint now: from here on it is the log of the journal in `directory`, and needs one.
    pub(crate) fn begun(&self, directory: &Path) -> Result<(), AuditError> {
        if !self.begins {
            return Ok(());
        }
        let path = directory.join(ID);
        let renamed = std::fs::rename(directory.join(BEGINNING), &path)
            .and_then(|()| File::open(directory)?.sync_all());
        renamed.map_err(AuditError::io(&path))
    }

    /// Whom one believes about this log, without witnesses.
    pub(crate) fn trust(&self) -> Trust {
        Trust {
            origin: self.origin.clone(),
            log: vec![self.signer.key().clone()],
            witnesses: Vec::new(),
            needed: 0,
        }
    }
}

struct SeedSigner {
    pair: Ed25519KeyPair,
    key: NoteKey,
}

impl NoteSigner for SeedSigner {
    fn key(&self) -> &NoteKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], String> {
        let signature = self.pair.sign(message);
        signature
            .as_ref()
            .try_into()
            .map_err(|_length| "a signature has 64 bytes".to_owned())
    }
}

/// Tells how the tree of so many entries grew into that of the checkpoint; `None` if it never did.
pub type Prove<'a> = dyn Fn(u64) -> Option<ConsistencyProof> + Sync + 'a;

/// Those who have seen that the log only grew, and say so.
pub trait Witnesses: Send + Sync {
    /// Who they are.
    fn keys(&self) -> &[NoteKey];

    /// Asks each of them to cosign a checkpoint, on a thread that has nothing else to do, and gives the lines of those who did in
    /// time. Whether they are what they should be is looked at afterwards.
    fn cosign(&self, published: &Published, prove: &Prove<'_>) -> Vec<String>;
}

/// A checkpoint as it is published: its lines, with signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The whole note.
    pub note: String,
    /// What it says.
    pub checkpoint: Checkpoint,
}

impl Published {
    /// Signs a checkpoint.
    pub(crate) fn sign(identity: &LogIdentity, checkpoint: Checkpoint) -> Result<Self, AuditError> {
        let note = checkpoint.sign(&*identity.signer).map_err(AuditError::Unsigned)?;
        Ok(Self { note, checkpoint })
    }

    /// Adds the cosignatures of witnesses, one of each, as far as they are what they should be.
    pub(crate) fn cosign(&mut self, witnesses: &dyn Witnesses, prove: &Prove<'_>) {
        let text = self.checkpoint.to_string();
        let mut cosigned = Vec::new();
        for lines in witnesses.cosign(self, prove) {
            for line in SignatureLine::read_all(&lines).unwrap_or_default() {
                let by = witnesses.keys().iter().find(|key| line.names(key));
                if let Some(key) = by
                    && !cosigned.contains(key)
                    && Cosignature::check(key, &text, &line).is_ok()
                {
                    cosigned.push(key.clone());
                    self.note.push_str(&signature_line(key, line.signature()));
                }
            }
        }
    }

    /// How many signatures it has beside the log's.
    #[must_use]
    pub fn cosigners(&self) -> usize {
        let (_, signatures) = self.note.split_once("\n\n").unwrap_or_default();
        signatures.lines().count().saturating_sub(1)
    }

    /// The one that was published last in `directory`; `None` if none ever was.
    pub(crate) fn read(directory: &Path, trust: &Trust) -> Result<Option<Self>, AuditError> {
        let path = directory.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(AuditError::io(&path)(error)),
        };
        let signed = Self::believe(&bytes, trust).map_err(|source| AuditError::Checkpoint {
            path: path.clone(),
            source,
        })?;
        Ok(Some(Self {
            note: String::from_utf8_lossy(&bytes).into_owned(),
            checkpoint: signed.checkpoint().clone(),
        }))
    }

    fn believe(bytes: &[u8], trust: &Trust) -> Result<SignedCheckpoint, CheckpointError> {
        UnsignedCheckpoint::read(bytes)?.check(trust)
    }

    /// Puts it in the place of the one before, on the disk.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), AuditError> {
        replace(&directory.join(FILE), self.note.as_bytes())
    }
}

/// Puts a file in the place of the one before, on the disk: there is always one of the two, whole.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), AuditError> {
    let fresh = path.with_extension("new");
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        std::fs::rename(&fresh, path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(AuditError::io(path))
}
