//! Sealing a version again, under another key or another context: its segments, its metadata and its parts'. To its readers
//! nothing else changes.

use moho_iam::action::s3;
use moho_iam::authz::Permit;
use moho_terms::{ObjectKey, Timestamp, VersionId};

use super::deciding::Decided;
use super::error::Found;
use super::putting::encryption_row;
use super::rows::{ObjectRows, PartRow, SegmentRow, VersionRow};
use super::within::{Within, new_body, time_by};
use super::{
    Copying, Meant, Moment, ObjectContent, ObjectEncryption, ObjectError, ObjectVersion, Objects, Piece,
    SealedMetadata, SegmentId, existing, object_of,
};

/// Parts that are read at once.
const PAGE: usize = 1000;

/// The version that is to be sealed again, as it was found, by who may have that done.
#[derive(Clone, Copy)]
pub struct Resealing<'a> {
    /// Leave for it.
    pub permit: &'a Permit<s3::UpdateObjectEncryption>,
    /// The version id that the request names.
    pub named: Option<&'a VersionId>,
    /// What that is.
    pub version: &'a ObjectVersion,
}

/// All of a version, sealed again.
struct Sealed {
    segments: Vec<SegmentRow>,
    metadata: SealedMetadata,
}

impl Objects<'_> {
    /// Seals a version again, under what `copying` says. Memory is a chunk for each side, and what is remembered of each
    /// segment; readers have the one or the other all of the time.
    ///
    /// # Errors
    /// [`ObjectError::Locked`] if something keeps the version; [`ObjectError::OperationAborted`] if it was changed meanwhile;
    /// [`ObjectError::Abandoned`]; or it does not open, or cannot be written. Then nothing has changed.
    pub fn reseal(
        &self,
        resealing: Resealing<'_>,
        copying: Copying<'_>,
        at: Moment<'_>,
    ) -> Result<(), ObjectError> {
        let (bucket, key) = object_of(resealing.permit)?;
        let content = resealing.version.content.as_ref();
        let content = content.ok_or(ObjectError::NoSuchKey)?;
        let keys = (content.encryption.key(), copying.encryption.key());
        if !copying.encryption.is_for((&bucket.name, &key))
            || keys != (copying.open.resource(), copying.seal.resource())
        {
            return Err(ObjectError::OtherPermit);
        }
        self.look(|rows| {
            let now = at.now.max(rows.latest_time()?);
            resealing.found(rows, (&bucket, &key), now).map(|_| ())
        })?;
        let mut files = Vec::new();
        let done = self
            .seal_again(content, copying, &mut files)
            .and_then(|sealed| self.put_sealed(resealing, (&sealed, copying.encryption), at));
        self.or_discard(done, &files, at.now)
    }

    /// Puts what was sealed again in the place of what was there, if that is still what was found.
    fn put_sealed(
        &self,
        resealing: Resealing<'_>,
        sealed: (&Sealed, &ObjectEncryption),
        at: Moment<'_>,
    ) -> Result<(), ObjectError> {
        let (bucket, key) = object_of(resealing.permit)?;
        self.change(|rows| {
            let now = time_by(rows, at.now)?;
            let row = resealing.found(rows, (&bucket, &key), now)?;
            let bucket = existing(rows, &bucket)?;
            let within = Within::of(rows, &bucket, &key);
            within.replace_sealed(row, sealed, (at, now))
        })
    }

    /// Each segment becomes a new one, in `files` if it has one, and each part's checksums are sealed again with the metadata.
    fn seal_again(
        &self,
        content: &ObjectContent,
        copying: Copying<'_>,
        files: &mut Vec<SegmentId>,
    ) -> Result<Sealed, ObjectError> {
        let again = |sealed: &SealedMetadata| -> Result<SealedMetadata, ObjectError> {
            let opened = sealed.open(&content.encryption, (copying.kms, copying.open))?;
            SealedMetadata::seal(&opened, copying.encryption, (copying.kms, copying.seal))
        };
        let (mut segments, mut after) = (Vec::new(), 0);
        loop {
            let page = self.look(|rows| rows.parts(&content.body, after, PAGE))?;
            let Some(last) = page.last() else { break };
            after = last.part;
            for part in page {
                let metadata = part.metadata.clone().map(SealedMetadata);
                let metadata = metadata.as_ref().map(again).transpose()?;
                let segment = self.seal_part_again(content, copying, &part)?;
                files.extend(segment.file());
                segments.push(SegmentRow {
                    part: part.part,
                    segment,
                    etag: part.etag,
                    modified_at: part.modified_at,
                    metadata: metadata.map(|sealed| sealed.0),
                });
            }
        }
        let metadata = again(&content.metadata)?;
        Ok(Sealed { segments, metadata })
    }

    fn seal_part_again(
        &self,
        content: &ObjectContent,
        copying: Copying<'_>,
        part: &PartRow,
    ) -> Result<super::Segment, ObjectError> {
        let row = self.look(|rows| rows.segment(&content.body, part.part))?;
        let segment = row.ok_or(ObjectError::OperationAborted)?.segment;
        let sealer = copying.kms.sealer(copying.seal, copying.encryption.context())?;
        let mut writer = self.store.segment_writer(sealer);
        let piece = Piece {
            range: 0..segment.plain_length,
            segment,
        };
        self.pour(piece, (copying, content.encryption.context()), &mut writer)?;
        Ok(writer.finish()?)
    }
}

impl Resealing<'_> {
    /// The version as it is now, if it is the one that was found still and nothing keeps it.
    fn found(
        &self,
        rows: &dyn ObjectRows,
        (bucket, key): (&Meant, &ObjectKey),
        now: Timestamp,
    ) -> Found<VersionRow> {
        let bucket = existing(rows, bucket)?;
        let within = Within::of(rows, &bucket, key);
        let (_, row) = within.meant(self.named)?;
        Decided::by(self.permit).check(Some(&row))?;
        within.check_unlocked(&row, now, false)?;
        let body = row.content.as_ref().map(|content| &content.body);
        if body != self.version.content.as_ref().map(|content| &content.body) {
            return Err(ObjectError::OperationAborted.into());
        }
        Ok(row)
    }
}

impl Within<'_> {
    /// Puts what was sealed again in the place of what a version had, whose files are garbage then.
    fn replace_sealed(
        &self,
        mut row: VersionRow,
        (sealed, encryption): (&Sealed, &ObjectEncryption),
        (at, now): (Moment<'_>, Timestamp),
    ) -> Found<()> {
        let body = new_body(at, now)?;
        for segment in &sealed.segments {
            // What was taken for forgotten while it was waited for cannot be relied on any more.
            if segment.segment.inline.is_none() {
                let id = segment.segment.id();
                if !self.rows.note_orphan(id, at.now)? {
                    return Err(ObjectError::OperationAborted.into());
                }
                self.rows.forget_garbage(id)?;
            }
            self.rows.set_segment(&body, segment)?;
        }
        self.count(&row, -1)?;
        if let Some(content) = &mut row.content {
            self.rows.remove_body(&content.body, at.now)?;
            content.body = body;
            content.sealed.key = encryption.key().clone();
            content.sealed.encryption = encryption_row(encryption)?;
            content.sealed.metadata.clone_from(&sealed.metadata.0);
        }
        self.count(&row, 1)?;
        self.rows.replace_version(self.at(), &row)
    }
}
