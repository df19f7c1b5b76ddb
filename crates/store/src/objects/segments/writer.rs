//! Writing a segment: plaintext comes in pieces of any length, and leaves sealed, a chunk at a time.

use std::sync::Arc;

use moho_kms::Sealer;
use zeroize::Zeroizing;

use super::resting::{IncomingSegment, Segments};
use super::sums::Summing;
use super::{INLINE, Segment, SegmentId};
use crate::error::StoreError;

/// A segment that is being written. Dropped before it is finished, or failed, nothing of it stays.
pub struct SegmentWriter {
    place: Arc<dyn Segments>,
    sealer: Sealer,
    /// The plaintext of the chunk that is not full yet, sealed where it is.
    chunk: Zeroizing<Vec<u8>>,
    written: Written,
    plain_length: u64,
    sealed_length: u64,
    sums: Summing,
}

/// What has become of the chunks before.
enum Written {
    /// There are none.
    Nothing,
    /// They are on their way.
    Incoming(Box<dyn IncomingSegment>),
    /// One of them could not be written.
    Failed,
}

impl SegmentWriter {
    pub(super) fn new(place: Arc<dyn Segments>, sealer: Sealer) -> Self {
        Self {
            place,
            sealer,
            chunk: Zeroizing::new(Vec::new()),
            written: Written::Nothing,
            plain_length: 0,
            sealed_length: 0,
            sums: Summing::default(),
        }
    }

    /// Bytes of plaintext so far.
    #[must_use]
    pub fn plain_length(&self) -> u64 {
        self.plain_length
    }

    /// Takes the next bytes of the plaintext.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing stays of the segment, and nothing more can be done with it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            // A full chunk waits until it is known that it is not the last one.
            if self.chunk.len() >= Sealer::CHUNK {
                self.seal(false)?;
            }
            let room = Sealer::CHUNK.saturating_sub(self.chunk.len());
            let (now, after) = rest.split_at(rest.len().min(room));
            self.make_room(now.len());
            self.chunk.extend_from_slice(now);
            self.plain_length = self.plain_length.saturating_add(now.len() as u64);
            rest = after;
        }
        Ok(())
    }

    /// Seals the end and keeps the segment. When this returns, no loss of power takes it away, but for one that is given back
    /// inline, which is its row's.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing stays of it.
    pub fn finish(mut self) -> Result<Segment, StoreError> {
        let commitment = self.sealer.commitment();
        if matches!(self.written, Written::Nothing) && self.chunk.len() <= INLINE {
            self.sealer.seal_chunk(&mut self.chunk, true)?;
            self.sums.add(self.sealer.head(), &self.chunk);
            let inline = [self.sealer.head(), &self.chunk].concat();
            return Ok(Segment {
                plain_length: self.plain_length,
                sealed_length: inline.len() as u64,
                commitment,
                sums: self.sums.finish(),
                inline: Some(inline),
            });
        }
        self.seal(true)?;
        match std::mem::replace(&mut self.written, Written::Failed) {
            Written::Incoming(incoming) => incoming.keep()?,
            Written::Nothing | Written::Failed => return Err(StoreError::SegmentUnfinished),
        }
        Ok(Segment {
            plain_length: self.plain_length,
            sealed_length: self.sealed_length,
            commitment,
            sums: self.sums.finish(),
            inline: None,
        })
    }

    /// Seals what there is of the chunk and sends it on.
    fn seal(&mut self, last: bool) -> Result<(), StoreError> {
        let mut incoming = match std::mem::replace(&mut self.written, Written::Failed) {
            Written::Failed => return Err(StoreError::SegmentUnfinished),
            Written::Incoming(incoming) => incoming,
            Written::Nothing => {
                let mut incoming = self.place.begin(SegmentId::of(&self.sealer.commitment()))?;
                incoming.append(self.sealer.head())?;
                self.sealed_length = self.sealer.head().len() as u64;
                incoming
            }
        };
        self.sealer.seal_chunk(&mut self.chunk, last)?;
        self.sums.add(self.sealer.head(), &self.chunk);
        incoming.append(&self.chunk)?;
        self.sealed_length = self.sealed_length.saturating_add(self.chunk.len() as u64);
        self.chunk.clear();
        self.written = Written::Incoming(incoming);
        Ok(())
    }

    /// Makes room for so many bytes and a tag. Plaintext that has to move leaves nothing behind.
    fn make_room(&mut self, more: usize) {
        let needed = self.chunk.len().saturating_add(more).saturating_add(Sealer::TAG);
        if needed <= self.chunk.capacity() {
            return;
        }
        let small = INLINE.saturating_add(Sealer::TAG);
        let full = Sealer::CHUNK.saturating_add(Sealer::TAG);
        let room = if needed <= small { small } else { full };
        let mut larger = Zeroizing::new(Vec::with_capacity(room.max(needed)));
        larger.extend_from_slice(&self.chunk);
        self.chunk = larger;
    }
}
