//! Signatures that hang on each other: each chunk's covers the one before it, and the first that of the head.

use aws_lc_rs::{constant_time, digest, hmac};
use moho_terms::Timestamp;

use super::super::signature::{Scope, TERMINATOR};
use super::{EMPTY_SHA256, PayloadError};
use moho_terms::hex;

/// What a chunk's signature says it is.
const CHUNK: &str = "AWS4-HMAC-SHA256-PAYLOAD";
/// What the signature of the headers after the chunks says it is.
const TRAILER: &str = "AWS4-HMAC-SHA256-TRAILER";

/// The signatures so far.
pub(in super::super) struct Chain {
    key: hmac::Key,
    /// When, and for what, all of them are made.
    scope: String,
    previous: [u8; 32],
}

impl Chain {
    /// Begins with the head's signature.
    pub(in super::super) fn new(
        key: hmac::Key,
        (scope, signed_at): (Scope<'_>, Timestamp),
        seed: [u8; 32],
    ) -> Self {
        let Scope {
            date,
            region,
            service,
        } = scope;
        Self {
            key,
            scope: format!(
                "{}\n{date}/{region}/{service}/{TERMINATOR}",
                signed_at.iso8601_basic()
            ),
            previous: seed,
        }
    }

    /// Checks the signature of a chunk.
    pub(super) fn chunk(&mut self, data: &[u8; 32], signature: &[u8; 32]) -> Result<(), PayloadError> {
        let text = format!(
            "{CHUNK}\n{}\n{}\n{EMPTY_SHA256}\n{}",
            self.scope,
            hex::encode(&self.previous),
            hex::encode(data)
        );
        self.check(&text, signature)
    }

    /// Checks the signature of the headers after the last chunk, each `name:value` on a line.
    pub(super) fn trailers(&mut self, lines: &str, signature: &[u8; 32]) -> Result<(), PayloadError> {
        let digest = digest::digest(&digest::SHA256, lines.as_bytes());
        let text = format!(
            "{TRAILER}\n{}\n{}\n{}",
            self.scope,
            hex::encode(&self.previous),
            hex::encode(digest.as_ref())
        );
        self.check(&text, signature)
    }

    fn check(&mut self, text: &str, signature: &[u8; 32]) -> Result<(), PayloadError> {
        let expected = hmac::sign(&self.key, text.as_bytes());
        match constant_time::verify_slices_are_equal(expected.as_ref(), signature) {
            Ok(()) => {
                self.previous = *signature;
                Ok(())
            }
            Err(_unequal) => Err(PayloadError::ChunkSignature),
        }
    }
}
