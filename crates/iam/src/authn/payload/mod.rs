//! Bodies whose proof comes with them: S3's requests are signed by their heads, which say what the body will be.
//!
//! A head that was authenticated gives a [`Payload`], and that a [`PayloadCheck`], through which the body passes piece by
//! piece. Of signed chunks nothing passes before its signature was found right; of every other body all but the last byte
//! may pass, and that only with the end, when everything was found as the head says. So whoever waits for all bytes of a
//! body has none that was not signed, and nothing that was not whole.

mod chain;
mod check;
mod chunked;
mod error;

use std::borrow::Cow;
use std::fmt;

use moho_terms::Timestamp;

pub use check::{PayloadCheck, Trailers};
pub use chunked::LARGEST_CHUNK;
pub use error::PayloadError;

pub(super) use chain::Chain;

use super::header::single;
use super::{AuthnError, HttpHead};
use moho_terms::hex;

/// The header that says what the body is.
const DECLARED: &str = "x-amz-content-sha256";
/// A body that nobody signed.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// The same in chunks, with headers after it.
const UNSIGNED_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
/// Chunks, each signed.
const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
/// The same, with signed headers after them.
const SIGNED_TRAILER: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
/// SHA-256 of nothing.
pub(super) const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// The most headers that may come after a body.
const MAX_TRAILERS: usize = 8;

/// What a body is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The bytes with this digest.
    Hashed([u8; 32]),
    /// Any bytes.
    Unsigned,
    /// Chunks of any bytes, and headers after them.
    UnsignedChunks,
    /// Chunks that are signed, and headers after them or none.
    SignedChunks,
}

/// What a head says of its body: nothing of it is proven but that whoever signed the head said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) form: Form,
    /// As it stands in the canonical request.
    pub(super) hash: Cow<'static, str>,
    /// How long the body is without its chunks; `None` if it is in none.
    pub(super) decoded_length: Option<u64>,
    /// The names of the headers after it.
    pub(super) trailers: Vec<String>,
}

/// What the body of an authenticated request will be. Made by
/// [`Authenticator::authenticate_head`](super::Authenticator::authenticate_head) only.
pub struct Payload {
    form: Form,
    decoded_length: Option<u64>,
    trailers: Vec<String>,
    signed_at: Timestamp,
    chain: Chain,
}

impl Declared {
    /// What the body will be, as the head was found to be signed.
    pub(super) fn proven(self, signed_at: Timestamp, chain: Chain) -> Payload {
        Payload {
            form: self.form,
            decoded_length: self.decoded_length,
            trailers: self.trailers,
            signed_at,
            chain,
        }
    }
}

impl Payload {
    /// How long the body is without its chunks; `None` if it does not come in chunks.
    #[must_use]
    pub fn decoded_length(&self) -> Option<u64> {
        self.decoded_length
    }

    /// When the head was signed, as it says.
    #[must_use]
    pub fn signed_at(&self) -> Timestamp {
        self.signed_at
    }

    /// Whether headers follow the body.
    #[must_use]
    pub fn has_trailers(&self) -> bool {
        !self.trailers.is_empty()
    }

    /// What the body has to pass.
    #[must_use]
    pub fn check(self) -> PayloadCheck {
        PayloadCheck::new(self)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").finish_non_exhaustive()
    }
}

/// A body in chunks that no head said: for those who test with hostile input.
pub(super) fn chunks_of(
    form: Form,
    (decoded_length, trailers): (u64, &[&str]),
    (signed_at, chain): (Timestamp, Chain),
) -> Payload {
    let declared = Declared {
        form,
        hash: Cow::Borrowed(""),
        decoded_length: Some(decoded_length),
        trailers: trailers.iter().map(|name| (*name).to_owned()).collect(),
    };
    declared.proven(signed_at, chain)
}

/// How many bytes of a body are held at most until they are checked, as `x-amz-content-sha256` is.
#[must_use]
pub fn held_of_payload(declared: Option<&str>) -> usize {
    match declared {
        Some(SIGNED | SIGNED_TRAILER) => LARGEST_CHUNK,
        Some(_) | None => 0,
    }
}

/// What the head says, in the header, or by being a URL that was signed before anybody knew the body.
pub(super) fn declared(head: &HttpHead<'_>, presigned: bool, secure: bool) -> Result<Declared, AuthnError> {
    let plain = |form, hash: Cow<'static, str>| Declared {
        form,
        hash,
        decoded_length: None,
        trailers: Vec::new(),
    };
    let declared = match single(head, DECLARED)? {
        None if presigned => plain(Form::Unsigned, UNSIGNED.into()),
        None => return Err(PayloadError::Undeclared.into()),
        Some(UNSIGNED) => plain(Form::Unsigned, UNSIGNED.into()),
        Some(UNSIGNED_TRAILER) => chunks(head, Form::UnsignedChunks, UNSIGNED_TRAILER)?,
        Some(SIGNED) => Declared {
            trailers: Vec::new(),
            ..chunks(head, Form::SignedChunks, SIGNED)?
        },
        Some(SIGNED_TRAILER) => chunks(head, Form::SignedChunks, SIGNED_TRAILER)?,
        Some(text) => match hex::decode(text) {
            Some(digest) => plain(Form::Hashed(digest), text.to_owned().into()),
            None => return Err(PayloadError::UnknownForm.into()),
        },
    };
    let declared = if presigned {
        // It was signed before anybody knew the body.
        Declared {
            hash: UNSIGNED.into(),
            ..declared
        }
    } else {
        declared
    };
    match declared.form {
        // Of no body there is nothing to be changed.
        Form::Unsigned if !secure && !has_body(head) => Ok(Declared {
            form: hex::decode(EMPTY_SHA256).map_or(Form::Unsigned, Form::Hashed),
            ..declared
        }),
        Form::Unsigned | Form::UnsignedChunks if !secure => Err(PayloadError::Insecure.into()),
        Form::SignedChunks if presigned => Err(PayloadError::UnknownForm.into()),
        Form::Unsigned | Form::UnsignedChunks | Form::SignedChunks | Form::Hashed(_) => Ok(declared),
    }
}

/// What a head says of a body in chunks.
fn chunks(head: &HttpHead<'_>, form: Form, hash: &'static str) -> Result<Declared, AuthnError> {
    let length = single(head, "x-amz-decoded-content-length")?.ok_or(PayloadError::NoLength)?;
    let decoded_length = digits(length).ok_or(PayloadError::Declared(
        "x-amz-decoded-content-length must be a number of bytes.",
    ))?;
    Ok(Declared {
        form,
        hash: hash.into(),
        decoded_length: Some(decoded_length),
        trailers: trailers(head)?,
    })
}

/// The names of the headers after the body, each once.
fn trailers(head: &HttpHead<'_>) -> Result<Vec<String>, AuthnError> {
    const BAD: PayloadError = PayloadError::Declared("x-amz-trailer must name a few headers, each once.");
    let values = head
        .headers
        .iter()
        .filter(|(name, _)| *name == "x-amz-trailer")
        .flat_map(|(_, value)| value.split(','));
    let mut names: Vec<String> = Vec::new();
    for name in values.map(str::trim).filter(|name| !name.is_empty()) {
        let name = name.to_ascii_lowercase();
        if names.len() == MAX_TRAILERS || names.contains(&name) || !check::is_name(&name) {
            return Err(BAD.into());
        }
        names.push(name);
    }
    Ok(names)
}

fn has_body(head: &HttpHead<'_>) -> bool {
    head.headers.iter().any(|(name, value)| {
        *name == "transfer-encoding" || (*name == "content-length" && value.trim() != "0")
    })
}

fn digits(text: &str) -> Option<u64> {
    let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
