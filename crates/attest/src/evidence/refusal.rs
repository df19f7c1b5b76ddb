//! Why evidence was refused: which check, of which part, and what was found there.

use std::fmt;

use crate::x509::{ChainError, KeyError, Link};

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// That bytes are of the one form their format allows.
    Encoding,
    /// That only algorithms that are strong enough were used.
    Algorithm,
    /// That a signature holds.
    Signature,
    /// That certificates lead to their issuer.
    Chain,
    /// That the chain begins at a trust anchor.
    TrustAnchor,
    /// That the time is within what a certificate or collateral is valid for.
    Validity,
    /// That evidence is not older than the policy allows.
    Freshness,
    /// That evidence answers the challenge of whoever asked.
    Nonce,
    /// That what runs cannot be looked into: no debug mode.
    Mode,
    /// That the registers are those that must be there, and hold what they must.
    Registers,
    /// That what runs is what the policy names.
    Measurement,
    /// That the parts of evidence belong together.
    Binding,
    /// That an event log leads to the registers that were quoted.
    Replay,
    /// That a key is of the kind its use needs.
    Key,
    /// That the platform's firmware is at the level that the policy asks for.
    Tcb,
    /// That evidence is of the kind that was asked for.
    Kind,
}

impl Check {
    /// Its name, as results in JSON have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Encoding => "encoding",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Chain => "chain",
            Self::TrustAnchor => "trust-anchor",
            Self::Validity => "validity",
            Self::Freshness => "freshness",
            Self::Nonce => "nonce",
            Self::Mode => "mode",
            Self::Registers => "registers",
            Self::Measurement => "measurement",
            Self::Binding => "binding",
            Self::Replay => "replay",
            Self::Key => "key",
            Self::Tcb => "tcb",
            Self::Kind => "kind",
        }
    }
}

/// Which part of the evidence, or beside it, a check looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The evidence as a whole.
    Evidence,
    /// A server's answer: its keys, and the evidence for them.
    Presentation,
    /// A TPM's quote.
    Quote,
    /// The key that signed the quote.
    AttestationKey,
    /// The firmware's event log.
    EventLog,
    /// A Nitro attestation document.
    Document,
    /// An attestation report of SEV-SNP.
    Report,
    /// A quote of TDX.
    TdQuote,
    /// What Intel says of platforms and their firmware, beside a quote of TDX.
    Collateral,
    /// The certificate whose key signed the evidence.
    Leaf,
    /// The so-manyth authority of its chain, from the trust anchor's side, counted from 0.
    Authority(usize),
    /// The trust anchor.
    Anchor,
}

impl Part {
    /// Its name, as results in JSON have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Document => "document",
            Self::Presentation => "presentation",
            Self::Quote => "quote",
            Self::AttestationKey => "attestation-key",
            Self::EventLog => "event-log",
            Self::Report => "report",
            Self::TdQuote => "td-quote",
            Self::Collateral => "collateral",
            Self::Leaf => "leaf-certificate",
            Self::Authority(_) => "authority-certificate",
            Self::Anchor => "trust-anchor",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if let Self::Authority(index) = self {
            write!(f, " {index}")?;
        }
        Ok(())
    }
}

/// Evidence is not believed: which check failed, of which part, and what was found.
///
/// What was found is told in words that may hold digests, times and certificates' fingerprints, never the evidence itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {} of the {part}: {found}", .check.name())]
pub struct Refusal {
    check: Check,
    part: Part,
    found: String,
}

impl Refusal {
    pub(crate) fn new(check: Check, part: Part, found: impl Into<String>) -> Self {
        let found = found.into();
        Self { check, part, found }
    }

    /// What was checked.
    #[must_use]
    pub fn check(&self) -> Check {
        self.check
    }

    /// What of.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }

    /// What was found, and what should have been.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl From<(Link, ChainError)> for Refusal {
    fn from((link, error): (Link, ChainError)) -> Self {
        let part = match link {
            Link::Leaf => Part::Leaf,
            Link::Authority(index) => Part::Authority(index),
            Link::Anchor => Part::Anchor,
        };
        let check = match &error {
            ChainError::Certificate(_) => Check::Encoding,
            ChainError::Foreign(_) => Check::TrustAnchor,
            ChainError::Signature(KeyError::Signature) => Check::Signature,
            ChainError::Signature(_) => Check::Algorithm,
            ChainError::NotYet { .. } | ChainError::Expired { .. } => Check::Validity,
            ChainError::Name
            | ChainError::NoAuthority
            | ChainError::AuthorityAsLeaf
            | ChainError::PathLength
            | ChainError::TooLong => Check::Chain,
        };
        Self::new(check, part, error.to_string())
    }
}
