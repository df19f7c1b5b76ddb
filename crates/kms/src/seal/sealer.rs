//! Sealing an object whose end is not known yet, chunk by chunk, each where it is.

use super::stream::{CHUNK, Place};
use super::{COMMITMENT, ObjectKeys, SealedError, v2};
use crate::crypto::TAG;
use crate::error::KmsError;

/// A sealed object that is being made: its head first, then its chunks, one after the other.
pub struct Sealer {
    head: Vec<u8>,
    keys: ObjectKeys,
    /// The number of the next chunk; none behind the last one.
    next: Option<u32>,
}

impl Sealer {
    /// Bytes of the longest head.
    pub const HEAD_MAX: usize = v2::HEAD_MAX;
    /// Bytes of plaintext of every chunk but the last one, which has at most as many.
    pub const CHUNK: usize = CHUNK;
    /// Bytes that a chunk is longer when it is sealed.
    pub const TAG: usize = TAG;

    pub(super) fn new(head: Vec<u8>, keys: ObjectKeys) -> Self {
        Self {
            head,
            keys,
            next: Some(0),
        }
    }

    /// What comes before the first chunk, commitment and all.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// What binds the object to its key, its head and its context, and is no other object's.
    #[must_use]
    pub fn commitment(&self) -> [u8; COMMITMENT] {
        self.keys.commitment
    }

    /// Seals the next chunk where it is, and appends its tag. Every chunk is full but the last one; an object that has any
    /// bytes has no empty one.
    ///
    /// # Errors
    /// [`SealedError::ChunkLength`] if it may not be of this length, or the last one was sealed already: the chunk is as it
    /// was. [`SealedError::TooLarge`] if there are too many.
    pub fn seal_chunk(&mut self, chunk: &mut Vec<u8>, last: bool) -> Result<(), KmsError> {
        let number = self.next.ok_or(SealedError::ChunkLength)?;
        let fits = match chunk.len() {
            CHUNK => true,
            0 => last && number == 0,
            length => last && length < CHUNK,
        };
        if !fits {
            return Err(SealedError::ChunkLength.into());
        }
        let next = if last {
            None
        } else {
            Some(number.checked_add(1).ok_or(SealedError::TooLarge)?)
        };
        let tag = self.keys.seal_chunk(Place { number, last }, chunk)?;
        chunk.extend_from_slice(&tag);
        self.next = next;
        Ok(())
    }

    pub(super) fn into_parts(self) -> (Vec<u8>, ObjectKeys) {
        (self.head, self.keys)
    }
}
