//! Bearer keys: `bedrock-api-key-…`, a presigned request in disguise, as AWS's own generator makes them.
//!
//! `base64("bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-…&Version=1")`. `&Version=1` is appended after signing.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{Region, Secret, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::canonical::{self, CanonicalRequest, Parameter};
use super::presented::Presented;
use super::presigned::{self, Presigned};
use super::signature::{self, ALGORITHM, Scope, TERMINATOR};
use super::{AuthnError, SigningName};
use moho_terms::hex;

const PREFIX: &str = "bedrock-api-key-";
const HOST_AND_PATH: &str = "bedrock.amazonaws.com/?";
const VERSION: &str = "&Version=1";
/// SHA-256 of nothing.
const EMPTY_PAYLOAD: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// The longest key: a session token with its overhead, encoded twice.
const MAX_KEY: usize = 24 * 1024;
/// Twelve hours.
pub(super) const MAX_SECONDS: u64 = 43_200;
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const MALFORMED: AuthnError = AuthnError::Malformed("The bearer key is malformed.");

/// A bearer key that was parsed.
pub(super) struct BearerKey {
    presigned: Presigned,
    canonical_request: String,
}

/// The credentials of an `Authorization` header of scheme `Bearer`; `None` if it has another scheme.
pub(super) fn bearer_credentials(authorization: &str) -> Option<&str> {
    let (scheme, rest) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
}

impl BearerKey {
    /// Parses a key. One of another make is unknown; one of ours must have exactly the known parameters.
    pub(super) fn parse(key: &str) -> Result<Self, AuthnError> {
        let encoded = key.strip_prefix(PREFIX).ok_or(AuthnError::UnknownKey)?;
        if encoded.len() > MAX_KEY {
            return Err(MALFORMED);
        }
        let Ok(decoded) = STANDARD.decode(encoded) else {
            return Err(MALFORMED);
        };
        let decoded = Zeroizing::new(decoded);
        let Ok(url) = std::str::from_utf8(&decoded) else {
            return Err(MALFORMED);
        };
        let query = url
            .strip_prefix(HOST_AND_PATH)
            .and_then(|rest| rest.strip_suffix(VERSION))
            .ok_or(MALFORMED)?;
        Self::from_parameters(&canonical::query_parameters(query).collect::<Vec<_>>())
    }

    fn from_parameters(parameters: &[Parameter<'_>]) -> Result<Self, AuthnError> {
        let of_a_key = |(name, value): &Parameter<'_>| match name.as_ref() {
            b"Action" => value.as_ref() == b"CallWithBearerToken",
            b"X-Amz-SignedHeaders" => value.as_ref() == b"host",
            name => presigned::KNOWN.iter().any(|known| known.as_bytes() == name),
        };
        let actions = parameters.iter().filter(|(name, _)| name.as_ref() == b"Action");
        if !parameters.iter().all(of_a_key) || actions.count() != 1 {
            return Err(MALFORMED);
        }
        Ok(Self {
            presigned: Presigned::parse(parameters, MAX_SECONDS)?,
            canonical_request: canonical_request(&canonical::query_of(parameters)),
        })
    }

    /// What the key presents, by the rules of `region`. Keys are always signed for `bedrock`.
    pub(super) fn present(&self, region: &Region) -> Result<Presented<'_>, AuthnError> {
        let claim = self.presigned.claim()?;
        let (scope, _) = claim
            .credential
            .scope(claim.signed_at, region, &[SigningName::Bedrock])?;
        Ok(Presented {
            access_key_id: claim.credential.access_key_id,
            session_token: claim.session_token,
            scope,
            signed_at: claim.signed_at,
            signature: claim.signature,
            canonical_request: Cow::Borrowed(&self.canonical_request),
        })
    }

    /// When it was signed.
    pub(super) fn signed_at(&self) -> Timestamp {
        self.presigned.signed_at()
    }

    /// When it ends, if the session does not end sooner.
    pub(super) fn expires_at(&self) -> Timestamp {
        self.presigned.expires_at()
    }
}

/// Makes a key as AWS's generator does.
pub(super) fn make(
    access_key_id: &str,
    secret_access_key: &Secret,
    session_token: &str,
    (region, now, seconds): (&Region, Timestamp, u64),
) -> Secret {
    let date = now.basic_date();
    let scope = Scope {
        date: &date,
        region: region.as_str(),
        service: SigningName::Bedrock.as_str(),
    };
    let credential = format!("{access_key_id}/{date}/{region}/{}/{TERMINATOR}", scope.service);
    let encode = |text: &str| Zeroizing::new(utf8_percent_encode(text, UNRESERVED).to_string());
    let query = Zeroizing::new(format!(
        "Action=CallWithBearerToken&X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host&X-Amz-Security-Token={}",
        *encode(&credential),
        now.iso8601_basic(),
        *encode(session_token)
    ));
    let signature = signature::sign(
        secret_access_key.expose(),
        scope,
        now,
        &canonical_request(&canonical::query(&query)),
    );
    let signature = hex::encode(signature.as_ref());
    let url = Zeroizing::new(format!(
        "{HOST_AND_PATH}{}&X-Amz-Signature={signature}{VERSION}",
        *query
    ));
    Secret::new(format!("{PREFIX}{}", *Zeroizing::new(STANDARD.encode(url.as_bytes()))).into_bytes())
}

fn canonical_request(canonical_query: &str) -> String {
    CanonicalRequest {
        method: "POST",
        uri: "/",
        query: canonical_query,
        headers: "host:bedrock.amazonaws.com\n",
        signed_headers: "host",
        payload_hash: EMPTY_PAYLOAD,
    }
    .text()
}
