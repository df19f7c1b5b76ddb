//! Ways in for those who test the readers of credentials with hostile input: what stands before a secret is needed.
//!
//! Nothing here is another path: each function calls what authenticating calls, and proves nothing. Hidden from the
//! documentation, as it is no interface to build on.

use moho_terms::{Region, Timestamp};

use super::bearer::BearerKey;
use super::payload::{self, Chain, Form};
use super::signature::{Scope, SigningKeys};
use super::{AuthnError, HttpHead, PayloadCheck, Proof, SigningName, canonical, long_lived, token};

/// The path as it is signed.
#[must_use]
pub fn canonical_path(raw_path: &str, service: SigningName) -> String {
    canonical::uri(raw_path, service)
}

/// The query as it is signed.
#[must_use]
pub fn canonical_query(raw_query: &str) -> String {
    canonical::query(raw_query)
}

/// The text whose digest the request's signature would have to be of, whoever sent it.
///
/// # Errors
/// [`AuthnError`], as authenticating would give before it looks for a secret.
pub fn canonical_request(
    head: &HttpHead<'_>,
    rules: (&Region, &[SigningName]),
    now: Timestamp,
) -> Result<String, AuthnError> {
    let claim = match &Proof::of(head)? {
        Proof::BearerKey(key) => {
            let key = BearerKey::parse(key)?;
            return Ok(key.present(rules.0)?.canonical_request.into_owned());
        }
        Proof::Header(authorization) => authorization.claim(head)?,
        Proof::Query(presigned) => {
            let (presented, _) = presigned.claim()?.present(head, rules, now)?;
            return Ok(presented.canonical_request.into_owned());
        }
    };
    let (presented, _) = claim.present(head, rules, now)?;
    Ok(presented.canonical_request.into_owned())
}

/// What the inside of a session token says, written down again; `None` if it is the inside of none.
#[must_use]
pub fn token_contents(plain: &[u8]) -> Option<Vec<u8>> {
    let opened = token::opened(serde_json::from_slice(plain).ok()?)?;
    token::contents(&opened.session, &opened.secret_access_key).map(|contents| contents.to_vec())
}

/// Id and secret of a long-term bearer key; `None` if it is none.
#[must_use]
pub fn long_term_key(key: &str) -> Option<(String, String)> {
    long_lived::parse(key).map(|(id, secret)| (id, secret.as_str().to_owned()))
}

/// What a body in chunks has to pass, as if a head had been proven that says so: nobody has the key of signed ones.
#[must_use]
pub fn chunked_body(
    signed: bool,
    decoded_length: u64,
    trailers: &[&str],
    signed_at: Timestamp,
) -> PayloadCheck {
    let scope = Scope {
        date: "20261122",
        region: "moho-local-1",
        service: "s3",
    };
    let chain = Chain::new(SigningKeys::foreign_key(), (scope, signed_at), [0; 32]);
    let form = if signed {
        Form::SignedChunks
    } else {
        Form::UnsignedChunks
    };
    payload::chunks_of(form, (decoded_length, trailers), (signed_at, chain)).check()
}
