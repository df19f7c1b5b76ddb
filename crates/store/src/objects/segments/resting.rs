//! Where sealed segments rest: what every such place can do. It never sees plaintext.

use moho_terms::Timestamp;

use super::SegmentId;
use crate::error::StoreError;

/// A place for sealed segments. All calls block.
pub trait Segments: Send + Sync {
    /// Begins to take a segment, of which nobody sees anything until it is kept.
    ///
    /// # Errors
    /// [`StoreError`], as the place has it.
    fn begin(&self, id: SegmentId) -> Result<Box<dyn IncomingSegment>, StoreError>;

    /// Opens a segment that was kept.
    ///
    /// # Errors
    /// [`StoreError::SegmentAbsent`] if there is none of this id.
    fn open(&self, id: SegmentId) -> Result<Box<dyn RestingSegment>, StoreError>;

    /// Deletes a segment, if there is one of this id. When it returns, it is gone for good.
    ///
    /// # Errors
    /// [`StoreError`]; then it may still be there.
    fn delete(&self, id: SegmentId) -> Result<(), StoreError>;

    /// Every segment that was kept, in no order.
    fn present(&self) -> Box<dyn Iterator<Item = Result<PresentSegment, StoreError>> + Send + '_>;
}

/// A segment that is on its way. Dropped before it is kept, nothing of it stays.
pub trait IncomingSegment: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`StoreError`]; then it cannot be kept any more.
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError>;

    /// Keeps all that was taken. When it returns, no loss of power takes it away.
    ///
    /// # Errors
    /// [`StoreError`]; then it is not kept.
    fn keep(self: Box<Self>) -> Result<(), StoreError>;
}

/// A segment that was kept.
pub trait RestingSegment: Send {
    /// How many bytes there are.
    fn length(&self) -> u64;

    /// Reads the bytes from `from` on into all of `into`, or as many as there are; and says how many.
    ///
    /// # Errors
    /// [`StoreError`], as the place has it.
    fn read(&mut self, from: u64, into: &mut [u8]) -> Result<usize, StoreError>;
}

/// What a place says of a segment that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresentSegment {
    /// What it is called.
    pub id: SegmentId,
    /// Bytes of the sealed object.
    pub sealed_length: u64,
    /// When it was written last. One that nobody remembers a day later will not be remembered any more.
    pub kept_at: Timestamp,
}
