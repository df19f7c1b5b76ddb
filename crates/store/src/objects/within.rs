//! One object within a transaction: its head, its versions, and what becomes of them.

use moho_terms::{Entropy, ObjectKey, Timestamp, UploadId, VersionId};

use super::error::Found;
use super::rows::{At, ContentRow, Difference, Head, ObjectRows, Sealed, SealedRow, VersionRow};
use super::sealing::KeptEncryption;
use super::{
    Bucket, ListedVersion, Moment, ObjectContent, ObjectEncryption, ObjectError, ObjectLock, ObjectVersion,
    RetentionMode, SealedMetadata, StorageClass, Versioning, WriteCondition, tags,
};
use crate::StoreError;
use crate::database::integer;

/// How far the time that is kept may be behind the latest that was told, unless a lock depends on it.
const BEHIND: u64 = 1_000_000;

pub(super) struct Within<'a> {
    pub(super) rows: &'a dyn ObjectRows,
    pub(super) bucket: &'a Bucket,
    pub(super) key: &'a ObjectKey,
}

/// The time by which locks are judged: the clock's, or the latest that was told before.
pub(super) fn time_by(rows: &dyn ObjectRows, told: Timestamp) -> Found<Timestamp> {
    let latest = rows.latest_time()?;
    if told.unix_micros() > latest.unix_micros().saturating_add(BEHIND) {
        rows.set_latest_time(told)?;
    }
    Ok(told.max(latest))
}

/// 32 hexadecimal digits that say nothing of what they are for.
pub(super) fn random_etag(entropy: &dyn Entropy) -> Result<String, ObjectError> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What is kept cannot be what was written.
pub(super) fn incomplete(what: &'static str) -> ObjectError {
    ObjectError::Store(StoreError::Incomplete(what))
}

impl<'a> Within<'a> {
    pub(super) fn of(rows: &'a dyn ObjectRows, bucket: &'a Bucket, key: &'a ObjectKey) -> Self {
        Self { rows, bucket, key }
    }

    pub(super) fn at(&self) -> At<'_> {
        At {
            bucket: self.bucket.id,
            key: self.key.as_str(),
        }
    }

    pub(super) fn head(&self) -> Found<Option<Head>> {
        self.rows.head(self.at())
    }

    /// The version in a place that a head or a list names.
    pub(super) fn in_place(&self, place: &VersionId) -> Found<VersionRow> {
        let found = self.rows.version(self.at(), place)?;
        Ok(found.ok_or_else(|| incomplete("an object's version is missing"))?)
    }

    /// The version of an id, if there is one.
    pub(super) fn version(&self, head: Option<&Head>, id: &VersionId) -> Found<Option<VersionRow>> {
        if id.is_null() {
            let place = head.and_then(|head| head.null.as_ref());
            return place.map(|place| self.in_place(place)).transpose();
        }
        // The place of the one called `null` is not its id.
        let found = self.rows.version(self.at(), id)?;
        Ok(found.filter(|row| !row.is_null))
    }

    /// The version that is meant: of an id, or the current one.
    pub(super) fn meant(&self, id: Option<&VersionId>) -> Found<(Head, VersionRow)> {
        let head = self.head()?;
        let found = match (id, &head) {
            (Some(id), head) => self
                .version(head.as_ref(), id)?
                .ok_or(ObjectError::NoSuchVersion)?,
            (None, Some(head)) => self.in_place(&head.current)?,
            (None, None) => return Err(ObjectError::NoSuchKey.into()),
        };
        let head = head.ok_or_else(|| incomplete("an object's head is missing"))?;
        match (&found.content, id) {
            (Some(_), _) => Ok((head, found)),
            (None, Some(id)) => Err(ObjectError::VersionIsDeleteMarker {
                version_id: id.clone(),
                modified_at: found.modified_at,
            }
            .into()),
            (None, None) => Err(ObjectError::CurrentIsDeleteMarker {
                version_id: self.bucket.tells_versions().then(|| id_of(&found)),
                modified_at: found.modified_at,
            }
            .into()),
        }
    }

    /// Whether what has to hold for the object to be written does.
    pub(super) fn check(&self, head: Option<&Head>, condition: &WriteCondition) -> Found<()> {
        let there = head.filter(|head| !head.is_marker);
        match (condition, there) {
            (WriteCondition::None, _) | (WriteCondition::IfAbsent, None) => Ok(()),
            (WriteCondition::IfAbsent, Some(_)) => {
                Err(ObjectError::PreconditionFailed("If-None-Match").into())
            }
            (WriteCondition::IfMatch(_), None) => Err(ObjectError::NoSuchKey.into()),
            (WriteCondition::IfMatch(etag), Some(head)) => {
                let current = self.in_place(&head.current)?;
                let matches = etag == "*" || current.content.is_some_and(|content| content.etag == *etag);
                if matches {
                    Ok(())
                } else {
                    Err(ObjectError::PreconditionFailed("If-Match").into())
                }
            }
        }
    }

    /// Whether what is made takes the place of the version called `null`.
    fn makes_null(&self) -> bool {
        self.bucket.versioning != Versioning::Enabled
    }

    /// Refuses if what is made would take the place of what is locked.
    pub(super) fn check_replaced(&self, head: Option<&Head>, now: Timestamp) -> Found<()> {
        let null = head.and_then(|head| head.null.as_ref());
        match null.filter(|_| self.makes_null()) {
            Some(replaced) => self.check_unlocked(&self.in_place(replaced)?, now, false),
            None => Ok(()),
        }
    }

    /// Makes a version, or a delete marker, the current one. Where there are no versions, it takes the place of the one
    /// called `null`.
    pub(super) fn add(
        &self,
        head: Option<Head>,
        content: Option<ContentRow>,
        now: Timestamp,
        at: Moment<'_>,
    ) -> Found<VersionRow> {
        let is_null = self.makes_null();
        let after = head.as_ref().and_then(|head| head.current.moment());
        let moment = after
            .map_or(0, |newest| newest.saturating_add(1))
            .max(now.unix_micros());
        let mut null = head.and_then(|head| head.null);
        if let Some(replaced) = null.as_ref().filter(|_| is_null) {
            let replaced = self.in_place(replaced)?;
            self.check_unlocked(&replaced, now, false)?;
            self.take_out(&replaced, at.now)?;
            null = None;
        }
        let version = VersionRow {
            place: VersionId::made_at(moment, at.entropy)?,
            is_null,
            modified_at: now,
            content,
        };
        self.rows.add_version(self.at(), &version)?;
        self.count(&version, 1)?;
        let head = Head {
            current: version.place.clone(),
            null: if is_null {
                Some(version.place.clone())
            } else {
                null
            },
            is_marker: version.content.is_none(),
        };
        self.rows.set_head(self.at(), Some(&head))?;
        Ok(version)
    }

    /// Removes a version for good; the newest that is left becomes the current one. Its files wait from `clock`, the clock's own
    /// time: the latest that was ever told may be far away, and nobody could read on.
    pub(super) fn remove(&self, head: Head, version: &VersionRow, clock: Timestamp) -> Found<()> {
        self.take_out(version, clock)?;
        let was_null = head.null.as_ref() == Some(&version.place);
        let null = head.null.filter(|_| !was_null);
        if head.current != version.place {
            let head = Head { null, ..head };
            return if was_null {
                self.rows.set_head(self.at(), Some(&head))
            } else {
                Ok(())
            };
        }
        let newest = self.rows.versions(self.at(), None, 1)?.pop();
        let head = newest.map(|newest| Head {
            is_marker: newest.content.is_none(),
            current: newest.place,
            null,
        });
        self.rows.set_head(self.at(), head.as_ref())
    }

    fn take_out(&self, version: &VersionRow, clock: Timestamp) -> Found<()> {
        self.rows.remove_version(self.at(), &version.place)?;
        self.count(version, -1)?;
        match &version.content {
            Some(content) => self.rows.remove_body(&content.body, clock),
            None => Ok(()),
        }
    }

    pub(super) fn count(&self, version: &VersionRow, count: i64) -> Found<()> {
        let Some(content) = &version.content else {
            return Ok(());
        };
        let by = Difference {
            count,
            bytes: integer(content.size).saturating_mul(count),
        };
        let of = (self.bucket.owner, &content.sealed.key);
        self.rows.count_sealed(of, Sealed::Object, by)
    }

    /// Refuses if a version may not be deleted; who may bypass governance is bound by compliance and legal holds alone.
    pub(super) fn check_unlocked(&self, version: &VersionRow, now: Timestamp, bypass: bool) -> Found<()> {
        let lock = version.content.as_ref().map(|content| content.sealed.lock);
        if lock.is_some_and(|lock| is_locked(lock, now, bypass)) {
            return Err(ObjectError::Locked.into());
        }
        Ok(())
    }

    /// A version as it is told.
    pub(super) fn told(&self, head: &Head, row: VersionRow) -> Found<ObjectVersion> {
        let version_id = id_of(&row);
        let is_latest = head.current == row.place;
        let content = row
            .content
            .map(|content| self.told_content(content))
            .transpose()?;
        Ok(ObjectVersion {
            key: self.key.clone(),
            version_id,
            tells_version: self.bucket.tells_versions(),
            is_latest,
            modified_at: row.modified_at,
            content,
        })
    }

    fn told_content(&self, row: ContentRow) -> Found<ObjectContent> {
        Ok(ObjectContent {
            size: row.size,
            etag: row.etag,
            parts: row.parts,
            storage_class: StorageClass::Standard,
            tags: tags::read(row.sealed.tags.as_deref())?,
            lock: row.sealed.lock,
            encryption: self.encryption(&row.sealed)?,
            metadata: SealedMetadata(row.sealed.metadata),
            body: row.body,
        })
    }

    /// Under what something of the object is sealed.
    pub(super) fn encryption(&self, sealed: &SealedRow) -> Result<ObjectEncryption, ObjectError> {
        let kept: KeptEncryption<'_> = serde_json::from_str(&sealed.encryption)
            .map_err(|_unreadable| incomplete("an object's encryption is unreadable"))?;
        ObjectEncryption::again(kept, sealed.key.clone(), (&self.bucket.name, self.key))
    }
}

/// Whether a version may not be deleted.
pub(super) fn is_locked(lock: ObjectLock, now: Timestamp, bypass: bool) -> bool {
    let retained = lock.retention.is_some_and(|retention| {
        retention.until > now && !(bypass && retention.mode == RetentionMode::Governance)
    });
    lock.is_held() || retained
}

/// What a version is called.
pub(super) fn id_of(row: &VersionRow) -> VersionId {
    if row.is_null {
        VersionId::null()
    } else {
        row.place.clone()
    }
}

/// A body's id: of what is put at once, the version's moment and randomness of its own.
pub(super) fn new_body(at: Moment<'_>, now: Timestamp) -> Result<UploadId, ObjectError> {
    Ok(UploadId::made_at(now.unix_micros(), at.entropy)?)
}

impl ListedVersion {
    /// A version as lists tell it.
    #[must_use]
    pub fn of(version: &ObjectVersion) -> Self {
        let content = version.content.as_ref();
        Self {
            key: version.key.clone(),
            version_id: version.version_id.clone(),
            is_latest: version.is_latest,
            modified_at: version.modified_at,
            delete_marker: content.is_none(),
            size: content.map_or(0, |content| content.size),
            etag: version.etag().to_owned(),
            storage_class: StorageClass::Standard,
        }
    }
}
