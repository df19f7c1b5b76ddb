//! SigV4 in the query string: a URL that carries its own proof for a while, and the inside of every bearer key.

use std::collections::BTreeMap;

use moho_terms::Timestamp;
use zeroize::Zeroizing;

use super::canonical::Parameter;
use super::claim::{Credential, SignatureClaim, ordered};
use super::signature::ALGORITHM;
use super::{AuthnError, HttpHead, canonical, header};
use moho_terms::hex;

/// The longest that a presigned URL is good for, in seconds: a week.
const MAX_SECONDS: u64 = 604_800;

/// The parameters that prove something.
pub(super) const KNOWN: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
];

/// Those of an older version of signatures.
const OLDER: [&str; 2] = ["Signature", "AWSAccessKeyId"];

/// What a query string says to prove who is calling, parsed.
pub(super) struct Presigned {
    credential: String,
    session_token: Option<Zeroizing<String>>,
    signed_headers: String,
    signed_at: Timestamp,
    seconds: u64,
    signature: [u8; 32],
}

/// Whether a query string means to prove something, in this or an older version of signatures.
pub(super) fn authenticates(raw_query: &str) -> bool {
    const WITHOUT_MEANING_ALONE: [&str; 3] = ["X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders"];
    canonical::query_parameters(raw_query).any(|(name, _)| {
        KNOWN
            .iter()
            .filter(|known| !WITHOUT_MEANING_ALONE.contains(known))
            .chain(&OLDER)
            .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    })
}

/// Whether a query proves something in an older version only.
fn is_older(raw_query: &str) -> bool {
    canonical::query_parameters(raw_query)
        .filter(|(name, _)| OLDER.iter().any(|older| name.as_ref() == older.as_bytes()))
        .count()
        == OLDER.len()
        && !canonical::query_parameters(raw_query).any(|(name, _)| {
            KNOWN
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        })
}

impl Presigned {
    /// Parses the query of a request that has no other proof.
    pub(super) fn of_request(head: &HttpHead<'_>) -> Result<Self, AuthnError> {
        if is_older(head.raw_query) {
            return Err(AuthnError::Unsupported(
                "Unsupported signature version: the only one is 4, with 'X-Amz-Algorithm'.",
            ));
        }
        if header::single(head, "x-amz-security-token")?.is_some() {
            return Err(AuthnError::Malformed(
                "A session token belongs where the signature is: in the query string as 'X-Amz-Security-Token'.",
            ));
        }
        Self::parse(
            &canonical::query_parameters(head.raw_query).collect::<Vec<_>>(),
            MAX_SECONDS,
        )
    }

    /// Parses what proves something among decoded parameters. It is good for at most `max_seconds`.
    pub(super) fn parse(parameters: &[Parameter<'_>], max_seconds: u64) -> Result<Self, AuthnError> {
        let known = by_name(parameters)?;
        let named = |name: &str, missing| known.get(name).copied().ok_or(AuthnError::Malformed(missing));
        let algorithm = named(
            "X-Amz-Algorithm",
            "AWS query-string parameters must include 'X-Amz-Algorithm'. Re-examine the query-string parameters.",
        )?;
        if algorithm != ALGORITHM {
            return Err(AuthnError::Unsupported(
                "Unsupported algorithm: 'X-Amz-Algorithm' must be AWS4-HMAC-SHA256.",
            ));
        }
        let credential = named(
            "X-Amz-Credential",
            "AWS query-string parameters must include 'X-Amz-Credential'. Re-examine the query-string parameters.",
        )?;
        let signature = named(
            "X-Amz-Signature",
            "AWS query-string parameters must include 'X-Amz-Signature'. Re-examine the query-string parameters.",
        )?;
        let signed_headers = named(
            "X-Amz-SignedHeaders",
            "AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the query-string parameters.",
        )?;
        let date = named(
            "X-Amz-Date",
            "AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.",
        )?;
        let expires = named(
            "X-Amz-Expires",
            "AWS query-string parameters must include 'X-Amz-Expires'. Re-examine the query-string parameters.",
        )?;
        Ok(Self {
            credential: credential.to_owned(),
            session_token: known
                .get("X-Amz-Security-Token")
                .map(|token| Zeroizing::new((*token).to_owned())),
            signed_headers: ordered(signed_headers)?.to_owned(),
            signed_at: signing_time(date)?,
            seconds: lifetime(expires, max_seconds)?,
            signature: hex::decode(signature).ok_or(AuthnError::Malformed(
                "'X-Amz-Signature' must be 64 lower-case hexadecimal digits.",
            ))?,
        })
    }

    /// What is claimed.
    pub(super) fn claim(&self) -> Result<SignatureClaim<'_>, AuthnError> {
        Ok(SignatureClaim {
            credential: Credential::parse(&self.credential)?,
            session_token: self.session_token.as_ref().map(|token| token.as_str()),
            signed_headers: &self.signed_headers,
            signed_at: self.signed_at,
            seconds: Some(self.seconds),
            signature: self.signature,
        })
    }

    /// When it was signed.
    pub(super) fn signed_at(&self) -> Timestamp {
        self.signed_at
    }

    /// When it ends, if the session does not end sooner.
    pub(super) fn expires_at(&self) -> Timestamp {
        self.signed_at.plus_seconds(self.seconds)
    }
}

/// Every parameter that proves something, once and spelt as it is.
fn by_name<'a>(parameters: &'a [Parameter<'_>]) -> Result<BTreeMap<&'static str, &'a str>, AuthnError> {
    let mut found = BTreeMap::new();
    for (name, value) in parameters {
        let Some(known) = KNOWN
            .iter()
            .find(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        else {
            continue;
        };
        let value = std::str::from_utf8(value).ok();
        let value = value
            .filter(|_| name.as_ref() == known.as_bytes())
            .ok_or(AuthnError::Malformed(
                "A query-string parameter that proves who is calling is misspelt or not text.",
            ))?;
        if found.insert(*known, value).is_some() {
            return Err(AuthnError::Malformed(
                "A query-string parameter that proves who is calling appears twice.",
            ));
        }
    }
    Ok(found)
}

fn signing_time(date: &str) -> Result<Timestamp, AuthnError> {
    match Timestamp::parse_iso8601_basic(date) {
        Ok(time) => Ok(time),
        Err(_) => Err(AuthnError::Malformed(
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
        )),
    }
}

fn lifetime(expires: &str, max_seconds: u64) -> Result<u64, AuthnError> {
    let number = !expires.is_empty() && expires.bytes().all(|b| b.is_ascii_digit());
    match expires.parse::<u64>() {
        _ if !number => Err(AuthnError::Malformed("X-Amz-Expires should be a number")),
        Ok(0) => Err(AuthnError::Malformed("X-Amz-Expires must be at least 1 second")),
        Ok(seconds) if seconds <= max_seconds => Ok(seconds),
        Ok(_) | Err(_) if max_seconds == MAX_SECONDS => Err(AuthnError::Malformed(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        )),
        Ok(_) | Err(_) => Err(AuthnError::Malformed(
            "X-Amz-Expires of a bearer key must be between 1 and 43200 seconds.",
        )),
    }
}
