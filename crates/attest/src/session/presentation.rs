//! A server's answer to a client's nonce: keys, and evidence for them or the word that there is none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{Timestamp, hex};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::keys::KeySet;
use super::statement::{Nonce, Purpose, Statement};
use crate::evidence::{Check, Claims, EvidenceKind, Part, Refusal, Verified, Workload};

/// Longest answer that is looked at, in bytes: event logs and collateral are the longest of it.
pub const LONGEST: usize = 1 << 20;

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    version: u8,
    kind: String,
    purpose: String,
    nonce: String,
    key_set: String,
    #[serde(borrow, default)]
    evidence: Option<&'a RawValue>,
}

/// What a server answers.
#[derive(Debug)]
pub enum Answer<'a> {
    /// Keys, and evidence for them that has yet to be verified.
    Presentation(Presentation<'a>),
    /// Keys that nothing vouches for.
    Development(Development),
}

/// The keys of a server that nothing vouches for: a laptop's, or one whose administrator has given it no hardware to do so. There is no way from
/// here to [`AttestedKeys`].
#[derive(Debug)]
pub struct Development {
    /// What it says.
    pub unattested: KeySet,
}

/// Keys, and evidence for them that has yet to be verified.
#[derive(Debug)]
pub struct Presentation<'a> {
    kind: EvidenceKind,
    statement: Statement,
    keys: KeySet,
    evidence: &'a str,
}

/// The keys of a server of which evidence was verified: its image is one that a policy names, and these keys are its own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct AttestedKeys(KeySet);

impl AttestedKeys {
    /// The keys.
    pub fn keys(&self) -> &KeySet {
        &self.0
    }
}

fn refused<T>(check: Check, found: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(check, Part::Presentation, found))
}

impl<'a> Answer<'a> {
    /// Takes an answer apart that was asked for with this nonce, at `now`: its form, that it answers this question, and that its keys are
    /// good. Nothing of it is to be believed yet.
    ///
    /// # Errors
    /// [`Refusal`]: of another form, an answer to somebody else, or keys that are not good any more.
    pub fn read(bytes: &'a [u8], nonce: Nonce, now: Timestamp) -> Result<Self, Refusal> {
        if bytes.len() > LONGEST {
            let found = format!(
                "it has {} bytes, and {LONGEST} at most are looked at",
                bytes.len()
            );
            return refused(Check::Encoding, found);
        }
        let written: Written<'a> = match serde_json::from_slice(bytes) {
            Ok(written) => written,
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let found = format!("it is not of the form of an answer: line {line}, column {column}");
                return refused(Check::Encoding, found);
            }
        };
        if written.version != 1 {
            return refused(Check::Encoding, "its version is not known");
        }
        let Some(purpose) = Purpose::from_name(&written.purpose) else {
            return refused(Check::Kind, "its keys are for a purpose that is not known");
        };
        if Nonce::from_hex(&written.nonce) != Some(nonce) {
            let found = format!("it is not an answer to {}", nonce.to_hex());
            return refused(Check::Nonce, found);
        }
        let Ok(key_set) = STANDARD.decode(&written.key_set) else {
            return refused(Check::Encoding, "its key set is not base64");
        };
        let keys = KeySet::read(&key_set, now)
            .map_err(|error| Refusal::new(Check::Key, Part::Presentation, error.to_string()))?;
        let statement = Statement::over(&key_set, purpose, nonce);
        match (written.kind.as_str(), written.evidence) {
            ("development", None) => Ok(Self::Development(Development { unattested: keys })),
            ("development", Some(_)) => refused(Check::Kind, "it says to have no evidence, and brings some"),
            (kind, Some(evidence)) => match EvidenceKind::from_name(kind) {
                Some(kind) => Ok(Self::Presentation(Presentation {
                    kind,
                    statement,
                    keys,
                    evidence: evidence.get(),
                })),
                None => refused(Check::Kind, "its evidence is of a kind that is not known"),
            },
            (_, None) => refused(Check::Kind, "it brings no evidence of the kind that it names"),
        }
    }
}

impl Presentation<'_> {
    /// Which kind of evidence it brings.
    #[must_use]
    pub fn kind(&self) -> EvidenceKind {
        self.kind
    }

    /// The evidence, in JSON of its kind.
    #[must_use]
    pub fn evidence(&self) -> &str {
        self.evidence
    }

    /// What evidence has to repeat: the nonce that whoever verifies it asks for.
    #[must_use]
    pub fn statement(&self) -> Statement {
        self.statement
    }

    /// The keys, as evidence of them was verified against a policy.
    ///
    /// # Errors
    /// [`Refusal`]: the evidence is of another kind, over something else, or says nothing of the program that runs.
    pub fn attested(self, verified: &Verified<Claims>) -> Result<AttestedKeys, Refusal> {
        let claims = verified.claims();
        if claims.kind != self.kind {
            let (found, wanted) = (claims.kind.name(), self.kind.name());
            return refused(
                Check::Kind,
                format!("{found} was verified, and the answer brings {wanted}"),
            );
        }
        let binding = self.statement.binding();
        let repeated = claims.nonce.as_deref().unwrap_or_default();
        // REPORT_DATA has 64 bytes: the rest is zeros.
        let (bound, rest) = repeated
            .split_at_checked(binding.len())
            .unwrap_or((repeated, &[]));
        if bound != binding || rest.iter().any(|byte| *byte != 0) {
            let found = format!(
                "the evidence is over {}, and these keys are {}",
                hex::encode(repeated),
                hex::encode(&binding)
            );
            return refused(Check::Binding, found);
        }
        match claims.workload {
            Workload::Image => Ok(AttestedKeys(self.keys)),
            Workload::Unmeasured => refused(
                Check::Measurement,
                "the evidence says nothing of the program that runs (`workload: unmeasured`)",
            ),
        }
    }
}
