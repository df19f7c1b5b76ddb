//! Reading a segment: any range of it, of which only those chunks are read that it is in, and nothing is given out that
//! is not proven.

use std::ops::Range;

use moho_kms::{KmsError, Opener, SealedError, Sealer};
use zeroize::Zeroizing;

use super::resting::{RestingSegment, Segments};
use super::{Segment, SegmentId};
use crate::error::StoreError;

/// A segment whose head is proven to be the one that is remembered.
pub struct SegmentReader {
    id: SegmentId,
    opener: Opener,
    resting: Box<dyn RestingSegment>,
    /// One chunk, opened where it is.
    chunk: Zeroizing<Vec<u8>>,
    /// Which one that is.
    opened: Option<u32>,
}

impl SegmentReader {
    /// Opens a segment's head with what `opener` makes of it.
    pub(super) fn open(
        place: &dyn Segments,
        segment: Segment,
        opener: impl FnOnce(&[u8], u64) -> Result<Opener, KmsError>,
    ) -> Result<Self, StoreError> {
        let id = segment.id();
        let mut resting = match segment.inline {
            Some(sealed) => Box::new(Inline(sealed)),
            None => place.open(id)?,
        };
        let mut head = [0; Sealer::HEAD_MAX];
        let read = resting.read(0, &mut head)?;
        let head = head.get(..read).unwrap_or_default();
        let opener = opener(head, segment.sealed_length).map_err(|error| of_segment(id, error))?;
        let damaged = |source| Err(StoreError::SegmentDamaged { segment: id, source });
        if opener.commitment() != segment.commitment {
            return damaged(SealedError::NotCommitted);
        }
        if opener.plain_length() != segment.plain_length {
            return damaged(SealedError::Truncated);
        }
        if let Some(chunk) = first_amiss(&opener, segment.sealed_length, resting.length()) {
            return Err(StoreError::ChunkDamaged { segment: id, chunk });
        }
        Ok(Self {
            id,
            opener,
            resting,
            chunk: Zeroizing::new(Vec::new()),
            opened: None,
        })
    }

    /// What it is called.
    #[must_use]
    pub fn id(&self) -> SegmentId {
        self.id
    }

    /// Bytes of plaintext, if every chunk opens.
    #[must_use]
    pub fn plain_length(&self) -> u64 {
        self.opener.plain_length()
    }

    /// Reads the beginning of a range of the plaintext: at least one byte, and at most as many as are in one chunk (1 MiB).
    /// Who wants more asks again for what is behind them. Nothing is given of a range that is empty or behind the end.
    ///
    /// # Errors
    /// [`StoreError::ChunkDamaged`] if the chunk with these bytes is not the one that was written.
    pub fn read_range(&mut self, range: Range<u64>) -> Result<&[u8], StoreError> {
        let end = range.end.min(self.plain_length());
        if range.start >= end {
            return Ok(&[]);
        }
        let size = Sealer::CHUNK as u64;
        let number = u32::try_from(range.start / size).map_err(|_more| self.damaged(u32::MAX))?;
        self.open_chunk(number)?;
        let base = u64::from(number) * size;
        let within = |at: u64| usize::try_from(at.saturating_sub(base).min(size)).unwrap_or(usize::MAX);
        let asked = within(range.start)..within(end);
        self.chunk.get(asked).ok_or_else(|| self.damaged(number))
    }

    /// Whether the chunk with this byte of the plaintext is in memory, so that reading it waits for nothing.
    #[must_use]
    pub fn is_open_at(&self, at: u64) -> bool {
        let number = u32::try_from(at / Sealer::CHUNK as u64).ok();
        number.is_some_and(|number| self.opened == Some(number))
    }

    /// Gives back the memory of the chunk that was read last. It is read again if somebody asks for it.
    pub fn forget(&mut self) {
        self.opened = None;
        self.chunk = Zeroizing::new(Vec::new());
    }

    /// Reads every chunk and gives nothing out: whether all of it is as it was written.
    ///
    /// # Errors
    /// [`StoreError::ChunkDamaged`] of the first that is not.
    pub fn check(&mut self) -> Result<(), StoreError> {
        (0..=self.opener.last_chunk()).try_for_each(|number| self.open_chunk(number))
    }

    /// Brings a chunk into memory, unless it is the one that is there.
    fn open_chunk(&mut self, number: u32) -> Result<(), StoreError> {
        if self.opened == Some(number) {
            return Ok(());
        }
        self.opened = None;
        let damaged = StoreError::ChunkDamaged {
            segment: self.id,
            chunk: number,
        };
        let Some(span) = self.opener.chunk_span(number) else {
            return Err(damaged);
        };
        let length = usize::try_from(span.end - span.start).unwrap_or(usize::MAX);
        if length > self.chunk.capacity() {
            self.chunk = Zeroizing::new(Vec::with_capacity(length));
        }
        self.chunk.resize(length, 0);
        let read = self.resting.read(span.start, &mut self.chunk)?;
        if read < length || self.opener.open_chunk(number, &mut self.chunk).is_err() {
            return Err(damaged);
        }
        self.opened = Some(number);
        Ok(())
    }

    fn damaged(&self, chunk: u32) -> StoreError {
        StoreError::ChunkDamaged {
            segment: self.id,
            chunk,
        }
    }
}

/// The first chunk that cannot be right where `found` bytes are and not `expected` ones.
fn first_amiss(opener: &Opener, expected: u64, found: u64) -> Option<u32> {
    if found > expected {
        return Some(opener.last_chunk().saturating_add(1));
    }
    let whole = |number: &u32| opener.chunk_span(*number).is_some_and(|span| span.end <= found);
    (found < expected).then(|| (0..=opener.last_chunk()).find(|n| !whole(n)).unwrap_or(0))
}

/// What is wrong with the bytes is this segment's; all else is the key's.
fn of_segment(segment: SegmentId, error: KmsError) -> StoreError {
    if let KmsError::Sealed(source) = &error
        && !matches!(source, SealedError::OtherKey(_))
    {
        let source = source.clone();
        return StoreError::SegmentDamaged { segment, source };
    }
    StoreError::Kms(error)
}

/// A segment that rests with what is remembered of it.
struct Inline(Vec<u8>);

impl RestingSegment for Inline {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&mut self, from: u64, into: &mut [u8]) -> Result<usize, StoreError> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let rest = self.0.get(from..).unwrap_or_default();
        let (found, _) = rest.split_at(rest.len().min(into.len()));
        for (byte, value) in into.iter_mut().zip(found) {
            *byte = *value;
        }
        Ok(found.len())
    }
}
