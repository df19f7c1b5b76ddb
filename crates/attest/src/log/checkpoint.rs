//! What a log says of itself: how many entries it has and what their root is, signed (C2SP tlog-checkpoint), and cosigned by
//! witnesses who saw that it only grew (C2SP tlog-cosignature).

use std::fmt;
use std::str::FromStr;

use super::hash::TreeHash;
use super::note::{
    KeyName, Note, NoteError, NoteKey, NoteSigner, SignatureKind, SignatureLine, signature_line,
};

/// A checkpoint is not one, or not of the log that it should be of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It is not signed as it must be.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Its text is not origin, size and root.
    #[error(
        "this is no checkpoint: a line each for the log's name, its number of entries and their root hash"
    )]
    Malformed,
    /// It is of another log.
    #[error("this is a checkpoint of another log, `{0}`")]
    OtherLog(String),
    /// Fewer witnesses than are asked for have cosigned it.
    #[error("{found} of the witnesses have cosigned this checkpoint, and {needed} have to")]
    TooFewWitnesses {
        /// How many have.
        found: usize,
        /// How many have to.
        needed: usize,
    },
}

/// Which log: the first line of its checkpoints, such as `moho/1b4e28ba-2fa1-11d2-883f-0016d3cca427`.
pub type Origin = KeyName;

/// A tree by its size and root, as a log names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// How many entries.
    pub size: u64,
    /// The hash of all of them.
    pub root: TreeHash,
}

/// As it is signed: three lines.
impl fmt::Display for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (origin, root) = (self.origin.as_str(), self.root.to_base64());
        write!(formatter, "{origin}\n{}\n{root}\n", self.size)
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    /// Lines behind the third are passed over: nobody can check what they say.
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let parsed = || {
            let lines = text.strip_suffix('\n')?;
            if lines.split('\n').any(str::is_empty) {
                return None;
            }
            let mut lines = lines.split('\n');
            let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
            let number: u64 = size.parse().ok()?;
            Some(Self {
                origin: origin.parse().ok()?,
                size: Some(number).filter(|number| number.to_string() == size)?,
                root: TreeHash::from_base64(root)?,
            })
        };
        parsed().ok_or(CheckpointError::Malformed)
    }
}

/// A checkpoint that was read, with signatures that nobody has checked.
pub struct UnsignedCheckpoint<'a> {
    note: Note<'a>,
    checkpoint: Checkpoint,
}

impl<'a> UnsignedCheckpoint<'a> {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError::Note`], [`CheckpointError::Malformed`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, CheckpointError> {
        let note = Note::read(bytes)?;
        let checkpoint = note.text.parse()?;
        Ok(Self { note, checkpoint })
    }

    /// What it says, which nobody vouches for.
    #[must_use]
    pub fn claimed(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Checks who signed it.
    ///
    /// # Errors
    /// [`CheckpointError::OtherLog`], [`CheckpointError::Note`] if the log has not signed it or a signature is wrong,
    /// [`CheckpointError::TooFewWitnesses`].
    pub fn check(self, trust: &Trust) -> Result<SignedCheckpoint, CheckpointError> {
        if self.checkpoint.origin != trust.origin {
            return Err(CheckpointError::OtherLog(
                self.checkpoint.origin.as_str().to_owned(),
            ));
        }
        let mut signed = false;
        let mut cosignatures = Vec::new();
        for line in &self.note.signatures {
            if let Some(key) = trust.log.iter().find(|key| line.names(key)) {
                if !key.has_signed(self.note.text.as_bytes(), line.signature()) {
                    return Err(NoteError::WrongSignature.into());
                }
                signed = true;
            }
            if let Some(key) = trust.witnesses.iter().find(|key| line.names(key)) {
                let cosignature = Cosignature::check(key, self.note.text, line)?;
                if !cosignatures
                    .iter()
                    .any(|one: &Cosignature| one.witness == cosignature.witness)
                {
                    cosignatures.push(cosignature);
                }
            }
        }
        if !signed {
            return Err(NoteError::Unsigned.into());
        }
        if cosignatures.len() < trust.needed {
            return Err(CheckpointError::TooFewWitnesses {
                found: cosignatures.len(),
                needed: trust.needed,
            });
        }
        Ok(SignedCheckpoint {
            checkpoint: self.checkpoint,
            cosignatures,
        })
    }
}

/// Whom one believes about a log.
#[derive(Debug, Clone)]
pub struct Trust {
    /// Which log.
    pub origin: Origin,
    /// The log's keys, each of which will do.
    pub log: Vec<NoteKey>,
    /// Witnesses.
    pub witnesses: Vec<NoteKey>,
    /// How many of those must have cosigned.
    pub needed: usize,
}

/// A checkpoint that the log has signed, and as many witnesses as were asked for. Made by [`UnsignedCheckpoint::check`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    cosignatures: Vec<Cosignature>,
}

impl SignedCheckpoint {
    /// What was signed.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Who of the witnesses has cosigned it, and when.
    #[must_use]
    pub fn cosignatures(&self) -> &[Cosignature] {
        &self.cosignatures
    }
}

impl Checkpoint {
    /// The checkpoint as the log publishes it.
    ///
    /// # Errors
    /// What the signer says.
    pub fn sign(&self, signer: &dyn NoteSigner) -> Result<String, String> {
        let text = self.to_string();
        let signature = signer.sign(text.as_bytes())?;
        Ok(format!("{text}\n{}", signature_line(signer.key(), &signature)))
    }
}

/// That a witness saw this checkpoint, and none before it that it does not continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    witness: KeyName,
    time: u64,
}

impl Cosignature {
    /// Checks the cosignature in `line` by `key` of the checkpoint with this text.
    ///
    /// # Errors
    /// [`NoteError::WrongSignature`].
    pub fn check(key: &NoteKey, text: &str, line: &SignatureLine) -> Result<Self, NoteError> {
        let (time, signature) = line
            .signature()
            .split_first_chunk()
            .filter(|_| line.names(key) && key.kind() == SignatureKind::Cosignature)
            .ok_or(NoteError::WrongSignature)?;
        let time = u64::from_be_bytes(*time);
        let in_range = i64::try_from(time).is_ok();
        if !in_range || !key.has_signed(cosigned_text(time, text).as_bytes(), signature) {
            return Err(NoteError::WrongSignature);
        }
        Ok(Self {
            witness: key.name().clone(),
            time,
        })
    }

    /// Who.
    #[must_use]
    pub fn witness(&self) -> &KeyName {
        &self.witness
    }

    /// When, in seconds since 1970.
    #[must_use]
    pub fn time(&self) -> u64 {
        self.time
    }
}

/// What a witness signs: a line that says what it is, its time in seconds since 1970, and the checkpoint's text.
#[must_use]
pub fn cosigned_text(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}
