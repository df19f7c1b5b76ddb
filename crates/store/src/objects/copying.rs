//! Copying an object's bytes: opened and sealed again, a chunk at a time.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_kms::{EncryptionContext, Kms};

use super::putting::LARGEST;
use super::{ObjectEncryption, ObjectError, ObjectVersion, Objects, Piece, Segment, SegmentWriter};

/// Leave to use the keys of both sides.
#[derive(Clone, Copy)]
pub struct Copying<'a> {
    /// The keys.
    pub kms: &'a Kms,
    /// For the source's key, under its context.
    pub open: &'a Permit<kms::Decrypt>,
    /// For the copy's key, under its context.
    pub seal: &'a Permit<kms::GenerateDataKey>,
    /// Under what the copy is to be sealed.
    pub encryption: &'a ObjectEncryption,
    /// Becomes true when nobody waits for it any more: then it ends.
    pub left: &'a AtomicBool,
}

impl Objects<'_> {
    /// Copies a range of a version's bytes to a new segment, which is to be [put](Self::put) or added to an upload
    /// ([`put_part`](Self::put_part)). Memory is a chunk for each side, whatever the length.
    ///
    /// # Errors
    /// [`ObjectError::InvalidRange`], or the source does not open, or the copy cannot be written;
    /// [`ObjectError::Abandoned`].
    pub fn copy(
        &self,
        source: &ObjectVersion,
        range: Range<u64>,
        copying: Copying<'_>,
    ) -> Result<Segment, ObjectError> {
        if range.end.saturating_sub(range.start) > LARGEST {
            return Err(ObjectError::EntityTooLarge);
        }
        let content = source.content.as_ref().ok_or(ObjectError::NoSuchKey)?;
        if copying.open.resource() != content.encryption.key()
            || copying.seal.resource() != copying.encryption.key()
        {
            return Err(ObjectError::OtherPermit);
        }
        let sealer = copying.kms.sealer(copying.seal, copying.encryption.context())?;
        let mut writer = self.store.segment_writer(sealer);
        let opened_under = content.encryption.context();
        for piece in self.pieces(source, None, range)? {
            self.pour(piece, (copying, opened_under), &mut writer)?;
        }
        Ok(writer.finish()?)
    }

    /// Writes a piece of what is sealed under a context.
    pub(super) fn pour(
        &self,
        piece: Piece,
        (copying, opened_under): (Copying<'_>, &EncryptionContext),
        writer: &mut SegmentWriter,
    ) -> Result<(), ObjectError> {
        let (kms, open) = (copying.kms, copying.open);
        let mut reader = self
            .store
            .segment_reader(piece.segment, kms, open, opened_under)?;
        let mut at = piece.range.start;
        while at < piece.range.end {
            if copying.left.load(Ordering::Relaxed) {
                return Err(ObjectError::Abandoned);
            }
            let bytes = reader.read_range(at..piece.range.end)?;
            if bytes.is_empty() {
                return Err(super::within::incomplete("a segment ends before its end"));
            }
            writer.write(bytes)?;
            at = at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
        Ok(())
    }
}
