//! The body of a sealed object: chunks that open only in their own place (the STREAM construction).

use std::ops::Range;

use moho_terms::ContentBytes;
use zeroize::Zeroizing;

use super::{ObjectKeys, SealedError};
use crate::crypto::{NONCE, TAG};
use crate::error::KmsError;

/// log2 of the chunk size.
pub(super) const CHUNK_BITS: u8 = 20;
/// Bytes of a nonce that are the same in the whole object.
pub(super) const PREFIX: usize = 7;
/// Plaintext of a chunk, at most.
pub(super) const CHUNK: usize = 1 << CHUNK_BITS;
/// A full chunk, sealed.
const SEALED_CHUNK: u64 = (CHUNK + TAG) as u64;

/// Bytes that `plain` bytes are when sealed; `None` if there cannot be so many.
pub(super) fn sealed_length(plain: usize) -> Option<usize> {
    plain.div_ceil(CHUNK).max(1).checked_mul(TAG)?.checked_add(plain)
}

/// A chunk's number, and whether it is the last one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) number: u32,
    pub(super) last: bool,
}

impl Place {
    fn nonce(self, prefix: &[u8; PREFIX]) -> [u8; NONCE] {
        let [a, b, c, d, e, f, g] = *prefix;
        let [n0, n1, n2, n3] = self.number.to_be_bytes();
        [a, b, c, d, e, f, g, n0, n1, n2, n3, u8::from(self.last)]
    }
}

/// Where the chunks of a body are. All of it follows from the body's length.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    body: u64,
    last: u32,
}

impl Layout {
    pub(super) fn of(body: u64) -> Result<Self, SealedError> {
        let full = body.checked_sub(1).ok_or(SealedError::Truncated)? / SEALED_CHUNK;
        let last = u32::try_from(full).map_err(|_more| SealedError::TooLarge)?;
        let tail = body - full * SEALED_CHUNK;
        let tag = TAG as u64;
        if tail < tag {
            return Err(SealedError::Truncated);
        }
        // An empty chunk after a full one would be a second way to write the same object.
        if tail == tag && last > 0 {
            return Err(SealedError::Chunk(last));
        }
        Ok(Self { body, last })
    }

    /// The last chunk's number.
    pub(super) fn last(self) -> u32 {
        self.last
    }

    pub(super) fn plain_length(self) -> u64 {
        self.body - (u64::from(self.last) + 1) * TAG as u64
    }

    /// Where a chunk is in the body, if there is one of this number.
    pub(super) fn chunk(self, number: u32) -> Option<(Place, Range<u64>)> {
        let last = number == self.last;
        let from = u64::from(number) * SEALED_CHUNK;
        let to = if last { self.body } else { from + SEALED_CHUNK };
        (number <= self.last).then_some((Place { number, last }, from..to))
    }
}

impl ObjectKeys {
    /// Seals a chunk where it is, and gives its tag.
    pub(super) fn seal_chunk(&self, place: Place, chunk: &mut [u8]) -> Result<[u8; TAG], KmsError> {
        self.cipher
            .encrypt_in_place(place.nonce(&self.prefix), b"", chunk)
    }

    /// Opens a chunk where it is, and takes its tag off; nothing is left of one that is not authentic.
    pub(super) fn open_chunk(&self, place: Place, chunk: &mut Vec<u8>) -> Result<(), SealedError> {
        self.cipher
            .decrypt_in_place(place.nonce(&self.prefix), b"", chunk)
            .ok_or(SealedError::Chunk(place.number))
    }
}

/// Appends the chunks of `plain` to `out`. No bytes at all are one empty chunk.
pub(super) fn seal(keys: &ObjectKeys, plain: &[u8], out: &mut Vec<u8>) -> Result<(), KmsError> {
    let mut rest = plain;
    let mut number = 0_u32;
    loop {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK));
        let last = after.is_empty();
        let nonce = Place { number, last }.nonce(&keys.prefix);
        keys.cipher.encrypt(nonce, b"", chunk, out)?;
        if last {
            return Ok(());
        }
        rest = after;
        number = number.checked_add(1).ok_or(SealedError::TooLarge)?;
    }
}

/// Opens all chunks; nothing is handed out unless every one is in its place, and the last one is the last.
pub(super) fn open(keys: &ObjectKeys, body: &[u8]) -> Result<ContentBytes, SealedError> {
    let layout = Layout::of(body.len() as u64)?;
    let mut plain = Zeroizing::new(Vec::with_capacity(body.len()));
    let mut rest = body;
    for number in 0..=layout.last() {
        let bad = SealedError::Chunk(number);
        let (place, span) = layout.chunk(number).ok_or_else(|| bad.clone())?;
        let length = usize::try_from(span.end - span.start).map_err(|_longer| SealedError::TooLarge)?;
        let (chunk, after) = rest.split_at_checked(length).ok_or_else(|| bad.clone())?;
        let nonce = place.nonce(&keys.prefix);
        keys.cipher.decrypt(nonce, b"", chunk, &mut plain).ok_or(bad)?;
        rest = after;
    }
    Ok(ContentBytes::new(std::mem::take(&mut *plain)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_that_no_body_has_have_no_layout() {
        let chunk = SEALED_CHUNK;
        for (body, why) in [
            (0, SealedError::Truncated),
            (15, SealedError::Truncated),
            (chunk + 15, SealedError::Truncated),
            (chunk + 16, SealedError::Chunk(1)),
            (7 * chunk + 16, SealedError::Chunk(7)),
            (u64::MAX, SealedError::TooLarge),
            ((1 << 32) * chunk + 17, SealedError::TooLarge),
        ] {
            assert_eq!(Layout::of(body).err(), Some(why), "{body}");
        }
        assert_eq!(Layout::of((1 << 32) * chunk).unwrap().last(), u32::MAX);
    }

    proptest! {
        #[test]
        fn chunks_cover_the_body(plain in 0_usize..20 << 20, whole in 0_usize..20, exact: bool) {
            let plain = if exact { whole << CHUNK_BITS } else { plain };
            let body = sealed_length(plain).unwrap() as u64;
            let layout = Layout::of(body).unwrap();
            prop_assert_eq!(layout.plain_length(), plain as u64);
            let mut end = 0;
            for number in 0..=layout.last() {
                let (place, span) = layout.chunk(number).unwrap();
                prop_assert_eq!(place, Place { number, last: number == layout.last() });
                prop_assert_eq!(span.start, end);
                end = span.end;
            }
            prop_assert_eq!(end, body);
            prop_assert!(layout.chunk(layout.last() + 1).is_none());
        }
    }
}
