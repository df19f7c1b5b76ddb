//! The body of a sealed object: chunks that open only in their own place (the STREAM construction).

use moho_terms::ContentBytes;
use zeroize::Zeroizing;

use super::{ObjectKeys, SealedError};
use crate::crypto::{NONCE, TAG};
use crate::error::KmsError;

/// log2 of the chunk size.
pub(super) const CHUNK_BITS: u8 = 20;
/// Bytes of a nonce that are the same in the whole object.
pub(super) const PREFIX: usize = 7;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Bytes that `plain` bytes are when sealed; `None` if there cannot be so many.
pub(super) fn sealed_length(plain: usize) -> Option<usize> {
    plain.div_ceil(CHUNK).max(1).checked_mul(TAG)?.checked_add(plain)
}

/// Appends the chunks of `plain` to `out`. No bytes at all are one empty chunk.
pub(super) fn seal(keys: &ObjectKeys, plain: &[u8], out: &mut Vec<u8>) -> Result<(), KmsError> {
    let mut rest = plain;
    let mut number = 0_u32;
    loop {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK));
        keys.cipher
            .encrypt(nonce(&keys.prefix, number, after.is_empty()), b"", chunk, out)?;
        if after.is_empty() {
            return Ok(());
        }
        rest = after;
        number = number.checked_add(1).ok_or(SealedError::TooLarge)?;
    }
}

/// Opens all chunks; nothing is handed out unless every one is in its place, and the last one is the last.
pub(super) fn open(keys: &ObjectKeys, body: &[u8]) -> Result<ContentBytes, SealedError> {
    let mut plain = Zeroizing::new(Vec::with_capacity(body.len()));
    let mut rest = body;
    let mut number = 0_u32;
    loop {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK + TAG));
        if chunk.len() < TAG {
            return Err(SealedError::Truncated);
        }
        // An empty chunk after a full one would be a second way to write the same object.
        let empty_tail = chunk.len() == TAG && number > 0;
        let opened = keys.cipher.decrypt(
            nonce(&keys.prefix, number, after.is_empty()),
            b"",
            chunk,
            &mut plain,
        );
        if opened.is_none() || empty_tail {
            return Err(SealedError::Chunk(number));
        }
        if after.is_empty() {
            return Ok(ContentBytes::new(std::mem::take(&mut *plain)));
        }
        rest = after;
        number = number.checked_add(1).ok_or(SealedError::TooLarge)?;
    }
}

fn nonce(prefix: &[u8; PREFIX], number: u32, last: bool) -> [u8; NONCE] {
    let [a, b, c, d, e, f, g] = *prefix;
    let [n0, n1, n2, n3] = number.to_be_bytes();
    [a, b, c, d, e, f, g, n0, n1, n2, n3, u8::from(last)]
}
