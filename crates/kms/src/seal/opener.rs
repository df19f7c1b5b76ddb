//! Opening a sealed object chunk by chunk, in any order, each where it is.

use std::ops::Range;

use super::stream::Layout;
use super::{COMMITMENT, ObjectKeys, SealedError};

/// A sealed object whose head is proven: it is committed to the key and the context that it was opened under. Its chunks
/// are proven one by one.
pub struct Opener {
    keys: ObjectKeys,
    head: u64,
    layout: Layout,
}

impl Opener {
    /// Of an object of `sealed_length` bytes, whose head has so many and is committed to these keys.
    pub(super) fn new(keys: ObjectKeys, head: usize, sealed_length: u64) -> Result<Self, SealedError> {
        let head = head as u64;
        let body = sealed_length.checked_sub(head).ok_or(SealedError::Truncated)?;
        Ok(Self {
            keys,
            head,
            layout: Layout::of(body)?,
        })
    }

    /// Bytes of plaintext, if every chunk opens.
    #[must_use]
    pub fn plain_length(&self) -> u64 {
        self.layout.plain_length()
    }

    /// What the head is committed to. Who remembers it knows whether this is the same object.
    #[must_use]
    pub fn commitment(&self) -> [u8; COMMITMENT] {
        self.keys.commitment
    }

    /// The number of the last chunk. Chunks are counted from 0, and there is always one.
    #[must_use]
    pub fn last_chunk(&self) -> u32 {
        self.layout.last()
    }

    /// Where the chunk of this number is in the sealed object; nowhere if there are not so many.
    #[must_use]
    pub fn chunk_span(&self, number: u32) -> Option<Range<u64>> {
        let (_, span) = self.layout.chunk(number)?;
        Some(self.head.checked_add(span.start)?..self.head.checked_add(span.end)?)
    }

    /// Opens the chunk of this number where it is, and takes its tag off.
    ///
    /// # Errors
    /// [`SealedError::Chunk`] if these are not the bytes of that chunk of this object: then nothing is left of them.
    pub fn open_chunk(&self, number: u32, sealed: &mut Vec<u8>) -> Result<(), SealedError> {
        let known = self.layout.chunk(number);
        let fits = known.filter(|(_, span)| span.end - span.start == sealed.len() as u64);
        let Some((place, _)) = fits else {
            sealed.clear();
            return Err(SealedError::Chunk(number));
        };
        self.keys.open_chunk(place, sealed)
    }
}
