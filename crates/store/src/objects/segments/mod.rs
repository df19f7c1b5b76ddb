//! Segments: the bytes of objects, each segment one sealed object (docs/sealing.md) that is written once and read in any
//! order.
//!
//! What is small is given back sealed, to rest in the row of what it belongs to; everything else rests in a place of its own
//! ([`Segments`]), which is a file here. A segment's id follows from its commitment, so that whoever remembers the commitment
//! takes no other segment for it. Memory is one chunk for each writer and reader, whatever the length.

mod local;
mod reader;
mod resting;
mod sums;
mod writer;

pub use local::LocalSegments;
pub use reader::SegmentReader;
pub use resting::{IncomingSegment, PresentSegment, RestingSegment, Segments};
pub(crate) use sums::{Layout, are_for, fits};
pub use writer::SegmentWriter;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_kms::{EncryptionContext, Kms, Sealer};

use crate::Store;
use crate::backup::deleting;
use crate::error::StoreError;

/// Plaintext that rests beside its metadata, at most.
const INLINE: usize = 64 << 10;
/// Bytes of an id.
const ID: usize = 16;

/// Text that is no segment's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a segment id is 32 lower-case hexadecimal digits")]
pub struct SegmentIdError;

/// What a segment is called: the first half of its commitment, in 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId([u8; ID]);

impl SegmentId {
    /// The id of the segment that has this commitment.
    #[must_use]
    pub fn of(commitment: &[u8; 32]) -> Self {
        let (half, _) = commitment.split_first_chunk().unwrap_or((&[0; ID], &[]));
        Self(*half)
    }

    /// Where its file is below the folder of objects.
    #[must_use]
    pub(crate) fn file(self) -> String {
        format!("{:02x}/{self}", self.folder())
    }

    /// Which of 256 folders it is in.
    fn folder(self) -> u8 {
        let [first, ..] = self.0;
        first
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SegmentId {
    type Err = SegmentIdError;

    fn from_str(text: &str) -> Result<Self, SegmentIdError> {
        let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 2 * ID || !lower {
            return Err(SegmentIdError);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_no_number| SegmentIdError)?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// A segment as whoever it belongs to remembers it. The commitment binds it to its bytes, wherever they rest.
pub struct Segment {
    /// Bytes of plaintext.
    pub plain_length: u64,
    /// Bytes of the sealed object.
    pub sealed_length: u64,
    /// What its head is committed to.
    pub commitment: [u8; 32],
    /// Sums of its sealed bytes, one for each chunk, for whoever goes through segments without opening them.
    pub sums: Vec<u8>,
    /// The sealed object itself, if it is small enough to rest with what is remembered; else it rests in [`Segments`].
    pub inline: Option<Vec<u8>>,
}

impl Segment {
    /// What it is called.
    #[must_use]
    pub fn id(&self) -> SegmentId {
        SegmentId::of(&self.commitment)
    }

    /// The file that it rests in, if it is not inline.
    #[must_use]
    pub fn file(&self) -> Option<SegmentId> {
        self.inline.is_none().then(|| self.id())
    }
}

impl Store {
    /// The same, with the segments that are not inline in another place than this directory.
    #[must_use]
    pub fn with_segments(mut self, segments: Arc<dyn Segments>) -> Self {
        self.segments = segments;
        self
    }

    /// Begins a segment. What is written is kept when it is finished, and only then.
    #[must_use]
    pub fn segment_writer(&self, sealer: Sealer) -> SegmentWriter {
        SegmentWriter::new(Arc::clone(&self.segments), sealer)
    }

    /// Opens a segment under the key and the context that the permit is for. Nothing but its head is read yet.
    ///
    /// # Errors
    /// [`StoreError::SegmentAbsent`] or [`StoreError::SegmentDamaged`] if it is not what is remembered of it,
    /// [`StoreError::Kms`] if the key cannot be used or is another one.
    pub fn segment_reader(
        &self,
        segment: Segment,
        kms: &Kms,
        permit: &Permit<kms::Decrypt>,
        context: &EncryptionContext,
    ) -> Result<SegmentReader, StoreError> {
        SegmentReader::open(&*self.segments, segment, |head, length| {
            kms.opener(permit, context, head, length)
        })
    }

    /// Deletes the bytes of a segment that is not inline. There may be none: deleting it again does no harm.
    ///
    /// # Errors
    /// [`StoreError::BackingUp`] while a backup may copy it; [`StoreError`]; then it may still be there.
    pub fn delete_segment(&self, id: SegmentId) -> Result<(), StoreError> {
        let path = self.database.path();
        let Some(_deleting) = deleting(path.parent().unwrap_or(path))? else {
            return Err(StoreError::BackingUp);
        };
        self.segments.delete(id)
    }

    /// Whether any segment rests in a place of its own, or is still to be deleted there: then this store needs that place.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn needs_its_segments(&self) -> Result<bool, StoreError> {
        let any = "SELECT EXISTS (SELECT 1 FROM object_segment WHERE segment_id IS NOT NULL)
            OR EXISTS (SELECT 1 FROM segment_garbage)";
        self.database
            .read(|connection| connection.query_row(any, [], |row| row.get(0)))
    }

    /// Every segment that rests in a place of its own, in no order. One that is being kept meanwhile may be missing, and one
    /// that was just kept may belong to what is not remembered yet: see [`PresentSegment::kept_at`].
    pub fn segments_present(
        &self,
    ) -> Box<dyn Iterator<Item = Result<PresentSegment, StoreError>> + Send + '_> {
        self.segments.present()
    }
}
