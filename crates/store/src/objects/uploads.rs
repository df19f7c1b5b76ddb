//! Uploads in parts: begun, collected, and made an object or aborted.

use moho_iam::action::{Action, s3};
use moho_iam::authz::Permit;
use moho_terms::{Timestamp, UploadId};

use super::error::Found;
use super::putting::{LARGEST, check_lock, lock_by, sealed_row, stored};
use super::reading::listed_parts;
use super::rows::{ContentRow, Difference, PartRow, Sealed, SealedRow, SegmentRow, UploadRow, VersionRow};
use super::within::{Within, random_etag, time_by};
use super::{
    Bucket, Completion, ListedPart, Moment, NewObject, NewPart, ObjectError, ObjectVersion, Objects,
    SealedMetadata, StorageClass, Stored, Upload, existing, object_of,
};
use crate::database::integer;

/// Most parts of an upload.
const MOST: u16 = 10_000;
/// Fewest bytes of each part but the last.
const SMALLEST: u64 = 5 << 20;
/// Most bytes of a part.
const LARGEST_PART: u64 = 5 << 30;
/// Parts that are read at once.
const PAGE: usize = 1000;
/// Versions among which an upload is looked for that was completed before.
const RECENT: usize = 16;

impl Objects<'_> {
    /// Begins an upload of the object that the permit names.
    ///
    /// # Errors
    /// [`ObjectError`] as of [`Self::put`].
    pub fn create_upload(
        &self,
        permit: &Permit<s3::PutObject>,
        new: NewObject,
        at: Moment<'_>,
    ) -> Result<UploadId, ObjectError> {
        let (bucket, key) = object_of(permit)?;
        if !new.encryption.is_for((&bucket.name, &key)) {
            return Err(ObjectError::OtherPermit);
        }
        let sealed = sealed_row(new, permit.resource())?;
        let initiator = permit.session().principal_arn().clone();
        self.change(|rows| {
            let bucket = existing(rows, &bucket)?;
            let now = time_by(rows, at.now)?;
            check_lock(&bucket, sealed.lock, now)?;
            let upload = UploadRow {
                key,
                upload_id: UploadId::made_at(now.unix_micros(), at.entropy)?,
                initiated_at: now,
                initiator,
                sealed,
            };
            rows.add_upload(bucket.id, &upload)?;
            Ok(upload.upload_id)
        })
    }

    /// Finds an upload of the object that the permit names.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchUpload`].
    pub fn upload<A: Action>(&self, permit: &Permit<A>, upload: &UploadId) -> Result<Upload, ObjectError> {
        let (bucket, key) = object_of(permit)?;
        self.look(|rows| {
            let bucket = existing(rows, &bucket)?;
            let within = Within::of(rows, &bucket, &key);
            let row = within.upload(upload)?;
            Ok(within.told_upload(row)?)
        })
    }

    /// Adds a part to an upload, in place of the one of its number if there is one.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchUpload`], [`ObjectError::InvalidArgument`] for a number that no part has; then the segment is gone.
    pub fn put_part(
        &self,
        permit: &Permit<s3::PutObject>,
        new: NewPart<'_>,
        at: Moment<'_>,
    ) -> Result<ListedPart, ObjectError> {
        let file = new.segment.file();
        let put = self.put_part_segment(permit, new, at);
        self.or_discard(put, file.as_slice(), at.now)
    }

    fn put_part_segment(
        &self,
        permit: &Permit<s3::PutObject>,
        new: NewPart<'_>,
        at: Moment<'_>,
    ) -> Result<ListedPart, ObjectError> {
        let (bucket, key) = object_of(permit)?;
        if !(1..=MOST).contains(&new.number) {
            return Err(ObjectError::InvalidArgument(
                "Part number must be an integer between 1 and 10000, inclusive",
            ));
        }
        if new.segment.plain_length > LARGEST_PART {
            return Err(ObjectError::EntityTooLarge);
        }
        let etag = random_etag(at.entropy)?;
        self.change(|rows| {
            let bucket = existing(rows, &bucket)?;
            let within = Within::of(rows, &bucket, &key);
            let upload = within.upload(new.upload)?;
            let now = time_by(rows, at.now)?;
            let before = rows.parts(new.upload, new.number.saturating_sub(1), 1)?.pop();
            if let Some(before) = before.filter(|before| before.part == new.number) {
                within.drop_part(&upload, &before, at.now)?;
            }
            let size = new.segment.plain_length;
            let row = SegmentRow {
                part: new.number,
                segment: new.segment,
                etag,
                modified_at: now,
                metadata: Some(new.metadata.0),
            };
            rows.set_segment(new.upload, &row)?;
            within.count_parts(&upload, 1, size)?;
            Ok(ListedPart {
                number: row.part,
                etag: row.etag,
                size,
                modified_at: now,
                metadata: SealedMetadata(row.metadata.unwrap_or_default()),
            })
        })
    }

    /// The parts of an upload after one of them, and whether there are more.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchUpload`].
    pub fn list_parts<A: ReadsParts>(
        &self,
        permit: &Permit<A>,
        upload: &UploadId,
        after: u16,
        limit: usize,
    ) -> Result<(Vec<ListedPart>, bool), ObjectError> {
        let (bucket, key) = object_of(permit)?;
        self.look(|rows| {
            let bucket = existing(rows, &bucket)?;
            let within = Within::of(rows, &bucket, &key);
            let upload = within.upload(upload)?;
            let found = rows.parts(&upload.upload_id, after, limit.saturating_add(1))?;
            Ok(listed_parts(found, limit))
        })
    }

    /// Makes parts of an upload the object, in their order, and drops the others. Their bytes stay where they are. Done again
    /// with the same parts, it is done already.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchUpload`], [`ObjectError::InvalidPart`], [`ObjectError::InvalidPartOrder`],
    /// [`ObjectError::EntityTooSmall`], [`ObjectError::PreconditionFailed`], …; then the upload goes on.
    pub fn complete(
        &self,
        permit: &Permit<s3::PutObject>,
        completion: &Completion<'_>,
        at: Moment<'_>,
    ) -> Result<Stored, ObjectError> {
        let (bucket, key) = object_of(permit)?;
        check_order(completion.parts)?;
        let etag = format!("{}-{}", random_etag(at.entropy)?, completion.parts.len());
        self.change(|rows| {
            let bucket = existing(rows, &bucket)?;
            let within = Within::of(rows, &bucket, &key);
            let Some(upload) = rows.upload(within.at(), completion.upload)? else {
                let done = within.completed_before((completion.upload, completion.parts))?;
                return Ok(stored(&bucket, done.ok_or(ObjectError::NoSuchUpload)?)?);
            };
            let head = within.head()?;
            within.check(head.as_ref(), &completion.condition)?;
            let (chosen, others) = within.choose((completion.upload, completion.parts))?;
            let size = total(&chosen, completion.size)?;
            let now = time_by(rows, at.now)?;
            for other in &others {
                within.drop_part(&upload, other, at.now)?;
            }
            let parts = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
            within.count_parts(&upload, -i64::from(parts), size)?;
            rows.remove_upload(within.at(), completion.upload)?;
            let content = ContentRow {
                body: completion.upload.clone(),
                size,
                etag,
                parts: Some(parts),
                sealed: SealedRow {
                    lock: lock_of(&bucket, &upload, now)?,
                    metadata: completion.metadata.0.clone(),
                    ..upload.sealed
                },
            };
            let version = within.add(head, Some(content), now, at)?;
            Ok(stored(&bucket, version)?)
        })
    }

    /// The version that an upload became when it was completed with these parts, for who asks for that again and has to be
    /// told the same.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchUpload`] if there is none, or it is long ago.
    pub fn completed(
        &self,
        permit: &Permit<s3::PutObject>,
        upload: &UploadId,
        parts: &[(u16, String)],
    ) -> Result<ObjectVersion, ObjectError> {
        let (bucket, key) = object_of(permit)?;
        check_order(parts)?;
        self.look(|rows| {
            let bucket = existing(rows, &bucket)?;
            let within = Within::of(rows, &bucket, &key);
            let done = within.completed_before((upload, parts))?;
            let done = done.ok_or(ObjectError::NoSuchUpload)?;
            let head = within.head()?.ok_or(ObjectError::NoSuchUpload)?;
            within.told(&head, done)
        })
    }

    /// Ends an upload, and drops its parts.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchUpload`].
    pub fn abort(
        &self,
        permit: &Permit<s3::AbortMultipartUpload>,
        upload: &UploadId,
        at: Moment<'_>,
    ) -> Result<(), ObjectError> {
        let (bucket, key) = object_of(permit)?;
        self.change(|rows| {
            let bucket = existing(rows, &bucket)?;
            let within = Within::of(rows, &bucket, &key);
            let upload = within.upload(upload)?;
            within.abort(&upload, at.now)
        })
    }
}

/// An action that is told of an upload's parts: listing them, and completing it.
pub trait ReadsParts: Action {}
impl ReadsParts for s3::ListMultipartUploadParts {}
impl ReadsParts for s3::PutObject {}

/// An upload, and parts of it: their numbers and entity tags.
type Parts<'a> = (&'a UploadId, &'a [(u16, String)]);

fn check_order(parts: &[(u16, String)]) -> Result<(), ObjectError> {
    if parts.is_empty() || parts.len() > usize::from(MOST) {
        return Err(ObjectError::MalformedDocument(
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    let numbers = parts.iter().map(|(number, _)| *number);
    if numbers
        .clone()
        .zip(numbers.skip(1))
        .any(|(one, next)| one >= next)
    {
        return Err(ObjectError::InvalidPartOrder);
    }
    Ok(())
}

/// How many bytes the parts have together, if they may be one object.
fn total(chosen: &[PartRow], expected: Option<u64>) -> Result<u64, ObjectError> {
    let (_, but_last) = chosen.split_last().ok_or(ObjectError::InvalidPart)?;
    if let Some(small) = but_last.iter().find(|part| part.plain_length < SMALLEST) {
        return Err(ObjectError::EntityTooSmall {
            part: small.part,
            size: small.plain_length,
        });
    }
    let size = chosen
        .iter()
        .fold(0_u64, |sum, part| sum.saturating_add(part.plain_length));
    if size > LARGEST {
        return Err(ObjectError::EntityTooLarge);
    }
    if expected.is_some_and(|expected| expected != size) {
        return Err(ObjectError::InvalidRequest(
            "The provided 'x-amz-mp-object-size' header does not match what was computed",
        ));
    }
    Ok(size)
}

/// What was asked for when the upload was begun holds, even if its time has come meanwhile.
fn lock_of(bucket: &Bucket, upload: &UploadRow, now: Timestamp) -> Found<super::ObjectLock> {
    let asked = upload.sealed.lock;
    if asked.retention.is_some_and(|retention| retention.until <= now) {
        return Ok(asked);
    }
    lock_by(bucket, asked, now)
}

impl Within<'_> {
    fn upload(&self, id: &UploadId) -> Found<UploadRow> {
        let found = self.rows.upload(self.at(), id)?;
        Ok(found.ok_or(ObjectError::NoSuchUpload)?)
    }

    /// An upload as it is told.
    pub(super) fn told_upload(&self, row: UploadRow) -> Result<Upload, ObjectError> {
        Ok(Upload {
            encryption: self.encryption(&row.sealed)?,
            upload_id: row.upload_id,
            key: row.key,
            initiated_at: row.initiated_at,
            initiator: row.initiator,
            storage_class: StorageClass::Standard,
            metadata: SealedMetadata(row.sealed.metadata),
        })
    }

    pub(super) fn abort(&self, upload: &UploadRow, clock: Timestamp) -> Found<()> {
        let (mut after, mut parts, mut bytes) = (0, 0_i64, 0_u64);
        loop {
            let page = self.rows.parts(&upload.upload_id, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.part;
            for part in &page {
                parts = parts.saturating_add(1);
                bytes = bytes.saturating_add(part.plain_length);
            }
        }
        self.count_parts(upload, parts.saturating_neg(), bytes)?;
        self.rows.remove_body(&upload.upload_id, clock)?;
        self.rows.remove_upload(self.at(), &upload.upload_id)
    }

    pub(super) fn drop_part(&self, upload: &UploadRow, part: &PartRow, clock: Timestamp) -> Found<()> {
        self.rows.remove_part(&upload.upload_id, part.part, clock)?;
        self.count_parts(upload, -1, part.plain_length)
    }

    /// Counts parts, of together so many bytes, that came or went.
    fn count_parts(&self, upload: &UploadRow, parts: i64, bytes: u64) -> Found<()> {
        if parts == 0 {
            return Ok(());
        }
        let by = Difference {
            count: parts,
            bytes: integer(bytes).saturating_mul(parts.signum()),
        };
        let of = (self.bucket.owner, &upload.sealed.key);
        self.rows.count_sealed(of, Sealed::Part, by)
    }

    /// The parts that a completion names, and the others.
    fn choose(&self, (upload, named): Parts<'_>) -> Found<(Vec<PartRow>, Vec<PartRow>)> {
        let (mut chosen, mut others) = (Vec::new(), Vec::new());
        let mut named = named.iter().peekable();
        let mut after = 0;
        loop {
            let page = self.rows.parts(upload, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.part;
            for mut part in page {
                part.metadata = None;
                match named.peek() {
                    Some((number, etag)) if *number == part.part => {
                        if *etag != part.etag {
                            return Err(ObjectError::InvalidPart.into());
                        }
                        named.next();
                        chosen.push(part);
                    }
                    Some((number, _)) if *number < part.part => {
                        return Err(ObjectError::InvalidPart.into());
                    }
                    Some(_) | None => others.push(part),
                }
            }
        }
        if named.next().is_some() {
            return Err(ObjectError::InvalidPart.into());
        }
        Ok((chosen, others))
    }

    /// The version that a completed upload has become, if it was of the same parts.
    fn completed_before(&self, (upload, parts): Parts<'_>) -> Found<Option<VersionRow>> {
        let recent = self.rows.versions(self.at(), None, RECENT)?;
        let found = recent.into_iter().find(|row| {
            let body = row.content.as_ref().map(|content| &content.body);
            body == Some(upload)
        });
        let Some(found) = found else { return Ok(None) };
        let (chosen, others) = self.choose((upload, parts))?;
        let same = others.is_empty() && chosen.len() == parts.len();
        Ok(Some(found).filter(|_| same))
    }
}
