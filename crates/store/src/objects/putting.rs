//! Putting objects at once.

use moho_iam::action::s3;
use moho_iam::authz::Permit;
use moho_terms::{Arn, Timestamp};

use super::error::Found;
use super::rows::{ContentRow, SealedRow, SegmentRow, VersionRow};
use super::within::{Within, id_of, incomplete, new_body, random_etag, time_by};
use super::{
    AskedLock, Bucket, Moment, NewObject, ObjectEncryption, ObjectError, ObjectLock, Objects, Retention,
    Segment, Stored, WriteCondition, existing, object_of, tags,
};

/// Most bytes of an object.
pub(super) const LARGEST: u64 = 5 << 40;
const DAY: u64 = 86_400;

impl Objects<'_> {
    /// Puts the object that the permit names, with what was written as its bytes, if the condition holds.
    ///
    /// # Errors
    /// [`ObjectError`]; then nothing has changed, and the segment is gone.
    pub fn put(
        &self,
        permit: &Permit<s3::PutObject>,
        new: NewObject,
        (segment, condition): (Segment, &WriteCondition),
        at: Moment<'_>,
    ) -> Result<Stored, ObjectError> {
        let file = segment.file();
        let put = self.put_segment(permit, new, (segment, condition), at);
        self.or_discard(put, file.as_slice(), at.now)
    }

    /// Whether an object could be put as things are, so that nobody sends bytes in vain.
    ///
    /// # Errors
    /// [`ObjectError`] as of [`Self::put`], as far as it does not depend on the bytes.
    pub fn check_put(
        &self,
        permit: &Permit<s3::PutObject>,
        (tags, lock): (&[(String, String)], &AskedLock),
        condition: &WriteCondition,
        at: Moment<'_>,
    ) -> Result<(), ObjectError> {
        let (bucket, key) = object_of(permit)?;
        tags::write_object(tags)?;
        let lock = asked(lock.clone(), permit.resource())?;
        self.look(|rows| {
            let bucket = existing(rows, &bucket)?;
            let now = at.now.max(rows.latest_time()?);
            check_lock(&bucket, lock, now)?;
            let within = Within {
                rows,
                bucket: &bucket,
                key: &key,
            };
            let head = within.head()?;
            within.check(head.as_ref(), condition)?;
            within.check_replaced(head.as_ref(), now)
        })
    }

    fn put_segment(
        &self,
        permit: &Permit<s3::PutObject>,
        new: NewObject,
        (segment, condition): (Segment, &WriteCondition),
        at: Moment<'_>,
    ) -> Result<Stored, ObjectError> {
        let (bucket, key) = object_of(permit)?;
        if !new.encryption.is_for((&bucket.name, &key)) {
            return Err(ObjectError::OtherPermit);
        }
        let sealed = sealed_row(new, permit.resource())?;
        let etag = random_etag(at.entropy)?;
        self.change(|rows| {
            let bucket = existing(rows, &bucket)?;
            let within = Within::of(rows, &bucket, &key);
            let head = within.head()?;
            within.check(head.as_ref(), condition)?;
            let now = time_by(rows, at.now)?;
            let body = new_body(at, now)?;
            let content = ContentRow {
                body: body.clone(),
                size: segment.plain_length,
                etag,
                parts: None,
                sealed: SealedRow {
                    lock: lock_by(&bucket, sealed.lock, now)?,
                    ..sealed
                },
            };
            let segment = SegmentRow {
                part: 1,
                segment,
                etag: String::new(),
                modified_at: now,
                metadata: None,
            };
            rows.set_segment(&body, &segment)?;
            let version = within.add(head, Some(content), now, at)?;
            Ok(stored(&bucket, version)?)
        })
    }
}

/// What replies tell of an object that was put.
pub(super) fn stored(bucket: &Bucket, version: VersionRow) -> Result<Stored, ObjectError> {
    let version_id = bucket.tells_versions().then(|| id_of(&version));
    let modified_at = version.modified_at;
    let content = version
        .content
        .ok_or_else(|| incomplete("an object that was put has no content"))?;
    Ok(Stored {
        version_id,
        etag: content.etag,
        modified_at,
        size: content.size,
    })
}

/// What is kept of something sealed, as far as it can be said without the bucket.
pub(super) fn sealed_row(new: NewObject, of: &Arn) -> Result<SealedRow, ObjectError> {
    Ok(SealedRow {
        key: new.encryption.key().clone(),
        encryption: encryption_row(&new.encryption)?,
        metadata: new.metadata.0,
        tags: tags::write_object(&new.tags)?,
        lock: asked(new.lock, of)?,
    })
}

/// Under what something is sealed, as it is kept beside its key.
pub(super) fn encryption_row(encryption: &ObjectEncryption) -> Result<String, ObjectError> {
    serde_json::to_string(&encryption.kept())
        .map_err(|_unwritable| incomplete("an encryption context cannot be written"))
}

/// The lock that was asked for, by who may ask for that of this object.
fn asked(lock: AskedLock, of: &Arn) -> Result<ObjectLock, ObjectError> {
    let held = lock.legal_hold.iter().map(|(_, arn)| arn);
    let others = lock.retention.iter().map(|(_, arn)| arn).chain(held);
    if others.into_iter().any(|arn| arn != of) {
        return Err(ObjectError::OtherPermit);
    }
    Ok(ObjectLock {
        retention: lock.retention.map(|(retention, _)| retention),
        legal_hold: lock.legal_hold.map(|(hold, _)| hold),
    })
}

/// The lock of a new version: as asked for, or else as the bucket has it.
pub(super) fn lock_by(bucket: &Bucket, asked: ObjectLock, now: Timestamp) -> Found<ObjectLock> {
    check_lock(bucket, asked, now)?;
    let by_default = bucket.settings.default_retention.filter(|_| bucket.object_lock);
    let by_default = by_default.map(|default| Retention {
        mode: default.mode,
        until: now.plus_seconds(default.period.days().saturating_mul(DAY)),
    });
    Ok(ObjectLock {
        retention: asked.retention.or(by_default),
        legal_hold: asked.legal_hold,
    })
}

/// Refuses a lock that cannot be.
pub(super) fn check_lock(bucket: &Bucket, asked: ObjectLock, now: Timestamp) -> Result<(), ObjectError> {
    let wanted = asked.legal_hold.is_some() || asked.retention.is_some();
    if wanted && !bucket.object_lock {
        return Err(ObjectError::InvalidRequest(
            "Bucket is missing Object Lock Configuration",
        ));
    }
    if asked.retention.is_some_and(|retention| retention.until <= now) {
        return Err(ObjectError::InvalidArgument(
            "The retain until date must be in the future!",
        ));
    }
    Ok(())
}
