//! A chain of certificates in order, from a trust anchor to the one whose key signed the evidence (RFC 5280, 6.1, without
//! what evidence does not have: policies, name constraints, revocation lists).

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{Timestamp, hex};

use super::certificate::{Authority, Certificate, CertificateError};
use super::key::KeyError;

/// Most authorities between an anchor and what it vouches for.
const LONGEST: usize = 8;
/// Longest list of anchors in PEM, in bytes.
const LONGEST_PEM: usize = 256 * 1024;

/// A certificate that is believed because whoever verifies says so.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustAnchor {
    der: Vec<u8>,
}

/// Bytes that are no trust anchor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no certificate to trust: {why}")]
pub struct AnchorError {
    why: String,
}

impl TrustAnchor {
    /// A certificate in DER; it must be of an authority, or sign itself.
    ///
    /// # Errors
    /// [`AnchorError`], with the reason.
    pub fn from_der(der: &[u8]) -> Result<Self, AnchorError> {
        let error = |why: String| AnchorError { why };
        let read = Certificate::read(der).map_err(|wrong| error(wrong.to_string()))?;
        if read.authority == Authority::No && read.subject != read.issuer {
            return Err(error("it is no authority's".to_owned()));
        }
        Ok(Self { der: der.to_vec() })
    }

    /// SHA-256 of the certificate, as fingerprints are published: 64 hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(digest(&SHA256, &self.der).as_ref())
    }
}

impl fmt::Debug for TrustAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustAnchor({})", self.fingerprint())
    }
}

/// What is believed: no fewer than one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchors(Vec<TrustAnchor>);

impl TrustAnchors {
    /// These, of which there must be one at least.
    ///
    /// # Errors
    /// [`AnchorError`] if there is none.
    pub fn new(anchors: Vec<TrustAnchor>) -> Result<Self, AnchorError> {
        if anchors.is_empty() {
            let why = "there is none".to_owned();
            return Err(AnchorError { why });
        }
        Ok(Self(anchors))
    }

    /// Whether this certificate, in DER, is one of them.
    pub(crate) fn hold(&self, der: &[u8]) -> bool {
        self.0.iter().any(|anchor| anchor.der == der)
    }

    /// Every certificate of a file in PEM (RFC 7468).
    ///
    /// # Errors
    /// [`AnchorError`] if there is none, or one is not a certificate of an authority.
    pub fn from_pem(pem: &str) -> Result<Self, AnchorError> {
        let certificates = certificates_of_pem(pem)?;
        Self::new(
            certificates
                .iter()
                .map(|der| TrustAnchor::from_der(der))
                .collect::<Result<_, _>>()?,
        )
    }
}

/// The certificates of a PEM file, in their order.
pub(crate) fn certificates_of_pem(pem: &str) -> Result<Vec<Vec<u8>>, AnchorError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let error = |why: &str| AnchorError { why: why.to_owned() };
    if pem.len() > LONGEST_PEM {
        return Err(error("the file is longer than a list of certificates"));
    }
    let mut certificates = Vec::new();
    let mut rest = pem;
    while let Some((_, from)) = rest.split_once(BEGIN) {
        let (body, behind) = from
            .split_once(END)
            .ok_or_else(|| error("a PEM certificate has no end"))?;
        let body: String = body.split_ascii_whitespace().collect();
        certificates.push(STANDARD.decode(body).map_err(|_not| error("it is not base64"))?);
        rest = behind;
    }
    Ok(certificates)
}

/// Which certificate of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// The one whose key signed the evidence.
    Leaf,
    /// The so-manyth authority, from the anchor's side, counted from 0.
    Authority(usize),
    /// The anchor.
    Anchor,
}

/// Why a chain does not lead from an anchor to its leaf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ChainError {
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("it was issued by none of the trust anchors (its own fingerprint is {0})")]
    Foreign(String),
    #[error("its issuer's name is not the subject of the certificate before it")]
    Name,
    #[error("its issuer's key did not sign it: {0}")]
    Signature(KeyError),
    #[error("it is not valid before {not_before}, and the time is {now}")]
    NotYet { not_before: Timestamp, now: Timestamp },
    #[error("it was valid until {not_after}, and the time is {now}")]
    Expired { not_after: Timestamp, now: Timestamp },
    #[error("it signs certificates and is no authority's")]
    NoAuthority,
    #[error("it is an authority's, and signed evidence")]
    AuthorityAsLeaf,
    #[error("there are more authorities below it than it allows")]
    PathLength,
    #[error("the chain has more than {LONGEST} certificates")]
    TooLong,
}

/// The wrong certificate and what is wrong with it.
pub(crate) type Broken = (Link, ChainError);

/// Follows a chain from an anchor through `authorities` (nearest the anchor first) to `leaf`, at `now`.
///
/// The first authority may be an anchor itself, as Nitro's documents bring theirs, or be issued by one.
pub(crate) fn verify_chain<'a>(
    anchors: &TrustAnchors,
    authorities: &[&'a [u8]],
    leaf: &'a [u8],
    now: Timestamp,
) -> Result<Certificate<'a>, Broken> {
    if authorities.len() > LONGEST {
        return Err((Link::Anchor, ChainError::TooLong));
    }
    let mut certificates = Vec::with_capacity(authorities.len().saturating_add(1));
    for (index, der) in authorities.iter().enumerate() {
        let link = Link::Authority(index);
        certificates.push((
            link,
            Certificate::read(der).map_err(|error| (link, error.into()))?,
        ));
    }
    let leaf = Certificate::read(leaf).map_err(|error| (Link::Leaf, error.into()))?;
    if leaf.authority != Authority::No {
        return Err((Link::Leaf, ChainError::AuthorityAsLeaf));
    }
    certificates.push((Link::Leaf, leaf.clone()));

    let below = certificates.len().saturating_sub(1);
    let first = certificates.first().ok_or((Link::Anchor, ChainError::TooLong))?;
    let anchor = anchor_of(anchors, first)?;
    let mut issuer = Certificate::read(&anchor.der).map_err(|error| (Link::Anchor, error.into()))?;
    in_time(&issuer, now).map_err(|error| (Link::Anchor, error))?;
    if anchor.der != first.1.der {
        may_issue(&issuer, certificates.len()).map_err(|error| (Link::Anchor, error))?;
    }
    for (index, (link, certificate)) in certificates.into_iter().enumerate() {
        let remaining = below.saturating_sub(index);
        if certificate.der != issuer.der {
            issued(&issuer, &certificate).map_err(|error| (link, error))?;
            in_time(&certificate, now).map_err(|error| (link, error))?;
        }
        if link != Link::Leaf {
            may_issue(&certificate, remaining).map_err(|error| (link, error))?;
        }
        issuer = certificate;
    }
    Ok(leaf)
}

/// The anchor that the first certificate is, or that issued it.
fn anchor_of<'t>(
    anchors: &'t TrustAnchors,
    (link, first): &(Link, Certificate<'_>),
) -> Result<&'t TrustAnchor, Broken> {
    let is_it = |anchor: &&TrustAnchor| anchor.der == first.der;
    let issued_it = |anchor: &&TrustAnchor| {
        Certificate::read(&anchor.der)
            .is_ok_and(|anchor| anchor.subject == first.issuer && first.verify_signature(&anchor.key).is_ok())
    };
    let found = anchors.0.iter().find(is_it);
    found.or_else(|| anchors.0.iter().find(issued_it)).ok_or_else(|| {
        let fingerprint = hex::encode(digest(&SHA256, first.der).as_ref());
        (*link, ChainError::Foreign(fingerprint))
    })
}

fn issued(issuer: &Certificate<'_>, certificate: &Certificate<'_>) -> Result<(), ChainError> {
    if certificate.issuer != issuer.subject {
        return Err(ChainError::Name);
    }
    certificate
        .verify_signature(&issuer.key)
        .map_err(ChainError::Signature)
}

fn in_time(certificate: &Certificate<'_>, now: Timestamp) -> Result<(), ChainError> {
    within(certificate.not_before, certificate.not_after, now)
}

/// That a time is within what something is valid for.
pub(crate) fn within(not_before: Timestamp, not_after: Timestamp, now: Timestamp) -> Result<(), ChainError> {
    if now < not_before {
        return Err(ChainError::NotYet { not_before, now });
    }
    // The last second counts whole (RFC 5280, 4.1.2.5).
    if now.unix_seconds() > not_after.unix_seconds() {
        return Err(ChainError::Expired { not_after, now });
    }
    Ok(())
}

/// That an authority may issue what is below it: `below` certificates, the leaf among them.
fn may_issue(authority: &Certificate<'_>, below: usize) -> Result<(), ChainError> {
    let Authority::Yes(longest) = authority.authority else {
        return Err(ChainError::NoAuthority);
    };
    if !authority.uses.certify() {
        return Err(ChainError::NoAuthority);
    }
    if longest.is_some_and(|longest| below.saturating_sub(1) > usize::from(longest)) {
        return Err(ChainError::PathLength);
    }
    Ok(())
}
