//! Signed notes (C2SP signed-note): a text, an empty line, and lines of signatures by keys that have names.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest note that is looked at, in bytes; one with sixteen signatures of the longest kind is shorter.
const LONGEST: usize = 96 * 1024;
/// Most signatures that are looked at.
const SIGNATURES: usize = 64;
/// What begins a line of a signature: an em dash and a space.
const DASH: &str = "— ";

/// A note, or a key for notes, is not one, or nobody trusted has signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// It is not text, an empty line and signatures.
    #[error("this is no signed note: a text, an empty line, and a line for each signature")]
    Malformed,
    /// It is longer than any real one.
    #[error("this note is longer than a note may be")]
    TooLong,
    /// A key's name is empty, or has a space or a plus sign in it.
    #[error("a key's name may not be empty, nor have spaces, plus signs or control characters in it")]
    Name,
    /// This is no key of a kind that is known.
    #[error(
        "this is no key for notes: name, key id and key, joined by plus signs, of kind 1 (Ed25519) or 4 (cosignatures)"
    )]
    Key,
    /// A signature by a trusted key is not one of this text.
    #[error("a signature of the note is not by the key that it names, or the text was altered")]
    WrongSignature,
    /// No trusted key has signed it.
    #[error("the note is signed by no key that is trusted for it")]
    Unsigned,
}

/// Whose key it is: not empty, without spaces, plus signs and control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let wrong = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if text.is_empty() || text.len() > 255 || text.contains(wrong) {
            return Err(NoteError::Name);
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a key signs, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureKind {
    /// Ed25519 of the text.
    Ed25519,
    /// Ed25519 of a time and the text of a checkpoint (C2SP tlog-cosignature).
    Cosignature,
}

impl SignatureKind {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }
}

/// The public half of a key that signs notes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NoteKey {
    name: KeyName,
    kind: SignatureKind,
    public: [u8; 32],
    id: u32,
}

impl NoteKey {
    /// The key of this name with this Ed25519 public key (RFC 8032).
    #[must_use]
    pub fn new(name: KeyName, kind: SignatureKind, public: [u8; 32]) -> Self {
        let mut hashed = digest::Context::new(&digest::SHA256);
        hashed.update(name.as_str().as_bytes());
        hashed.update(&[b'\n', kind.byte()]);
        hashed.update(&public);
        let id = match hashed.finish().as_ref() {
            [a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]),
            _ => 0,
        };
        Self {
            name,
            kind,
            public,
            id,
        }
    }

    /// Whose it is.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// What it signs.
    #[must_use]
    pub fn kind(&self) -> SignatureKind {
        self.kind
    }

    /// Its id, which signatures begin with.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public)
            .verify(message, signature)
            .is_ok()
    }
}

/// As whoever is to trust the key writes it down: `NAME+ID+KEY`, the id in hexadecimal, the key behind its kind in base64.
impl fmt::Display for NoteKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![self.kind.byte()];
        key.extend_from_slice(&self.public);
        write!(
            formatter,
            "{}+{:08x}+{}",
            self.name.as_str(),
            self.id,
            STANDARD.encode(key)
        )
    }
}

impl FromStr for NoteKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, rest) = text.split_once('+').ok_or(NoteError::Key)?;
        let (_id, key) = rest.split_once('+').ok_or(NoteError::Key)?;
        let key = STANDARD.decode(key).map_err(|_not_base64| NoteError::Key)?;
        let (kind, public) = key.split_first().ok_or(NoteError::Key)?;
        let kinds = [SignatureKind::Ed25519, SignatureKind::Cosignature];
        let kind = kinds
            .into_iter()
            .find(|known| known.byte() == *kind)
            .ok_or(NoteError::Key)?;
        let public = public.try_into().map_err(|_length| NoteError::Key)?;
        // Its id follows from the rest, and so has to be as it is printed.
        let found = Self::new(name.parse()?, kind, public);
        if found.to_string() == text {
            Ok(found)
        } else {
            Err(NoteError::Key)
        }
    }
}

/// Whoever has the private half of a [`NoteKey`].
pub trait NoteSigner {
    /// Its public half.
    fn key(&self) -> &NoteKey;

    /// The Ed25519 signature of a message.
    ///
    /// # Errors
    /// It cannot sign: a text for whoever operates it, without secrets.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], String>;
}

/// The line of a signature, with its line break.
#[must_use]
pub fn signature_line(key: &NoteKey, signature: &[u8]) -> String {
    let mut signed = key.id.to_be_bytes().to_vec();
    signed.extend_from_slice(signature);
    format!("{DASH}{} {}\n", key.name.as_str(), STANDARD.encode(signed))
}

/// One signature of a note, by whoever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    name: KeyName,
    id: u32,
    signature: Vec<u8>,
}

impl SignatureLine {
    /// Whether it says that it is by this key.
    #[must_use]
    pub fn names(&self, key: &NoteKey) -> bool {
        (&self.name, self.id) == (&key.name, key.id)
    }

    /// What was signed with.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Reads the lines of signatures, each of which ends with a line break.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn read_all(text: &str) -> Result<Vec<Self>, NoteError> {
        let lines = text.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        let lines = lines.split('\n').map(Self::read).collect::<Result<Vec<_>, _>>()?;
        if lines.len() > SIGNATURES {
            return Err(NoteError::TooLong);
        }
        Ok(lines)
    }

    fn read(line: &str) -> Result<Self, NoteError> {
        let (name, signature) = line
            .strip_prefix(DASH)
            .and_then(|rest| rest.split_once(' '))
            .ok_or(NoteError::Malformed)?;
        let bytes = STANDARD
            .decode(signature)
            .map_err(|_not_base64| NoteError::Malformed)?;
        let (id, signature) = bytes.split_first_chunk().ok_or(NoteError::Malformed)?;
        if signature.is_empty() {
            return Err(NoteError::Malformed);
        }
        Ok(Self {
            name: name.parse().map_err(|_name| NoteError::Malformed)?,
            id: u32::from_be_bytes(*id),
            signature: signature.to_vec(),
        })
    }
}

/// A note that was read, and believed by nobody yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note<'a> {
    /// Its text, with its last line break.
    pub(super) text: &'a str,
    /// Its signatures.
    pub(super) signatures: Vec<SignatureLine>,
}

impl<'a> Note<'a> {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`], [`NoteError::TooLong`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, NoteError> {
        if bytes.len() > LONGEST {
            return Err(NoteError::TooLong);
        }
        let note = std::str::from_utf8(bytes).map_err(|_not_text| NoteError::Malformed)?;
        if note.contains(|c: char| c < ' ' && c != '\n') {
            return Err(NoteError::Malformed);
        }
        let divided = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
        let (text, signatures) = note
            .split_at_checked(divided.saturating_add(1))
            .ok_or(NoteError::Malformed)?;
        let signatures = signatures.strip_prefix('\n').ok_or(NoteError::Malformed)?;
        Ok(Self {
            text,
            signatures: SignatureLine::read_all(signatures)?,
        })
    }
}
