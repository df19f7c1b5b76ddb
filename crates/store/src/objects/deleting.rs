//! Deleting objects, and versions of them.

use moho_terms::{Timestamp, VersionId};

use super::deciding::Decided;
use super::error::Found;
use super::rows::Head;
use super::within::{Within, id_of, time_by};
use super::{
    DeletePermit, Deleted, Deletion, Meant, Moment, ObjectError, Objects, Versioning, existing, object_of,
};
use moho_terms::{Arn, ObjectKey};

/// What of which object is to be deleted.
struct Doomed<'a> {
    bucket: Meant,
    key: ObjectKey,
    version: Option<&'a VersionId>,
    decided: Decided,
}

impl<'a> DeletePermit<'a> {
    fn doomed(self) -> Result<Doomed<'a>, ObjectError> {
        let ((bucket, key), version, decided) = match self {
            Self::Current(permit) => (object_of(permit)?, None, Decided::by(permit)),
            Self::Version(permit, version) => (object_of(permit)?, Some(version), Decided::by(permit)),
        };
        Ok(Doomed {
            bucket,
            key,
            version,
            decided,
        })
    }

    fn resource(self) -> &'a Arn {
        match self {
            Self::Current(permit) => permit.resource(),
            Self::Version(permit, _) => permit.resource(),
        }
    }
}

impl Objects<'_> {
    /// Deletes what the permit names. What is not there is deleted already.
    ///
    /// # Errors
    /// [`ObjectError::Locked`], [`ObjectError::PreconditionFailed`], [`ObjectError::DecidedByOtherTags`]; then nothing has changed.
    pub fn delete(
        &self,
        permit: DeletePermit<'_>,
        deletion: Deletion<'_>,
        at: Moment<'_>,
    ) -> Result<Deleted, ObjectError> {
        let meant = permit.doomed()?;
        let bypass = bypasses(permit, &deletion)?;
        self.change(|rows| {
            let bucket = existing(rows, &meant.bucket)?;
            let within = Within::of(rows, &bucket, &meant.key);
            let now = time_by(rows, at.now)?;
            within.delete(&meant, (deletion.if_match, bypass), now, at)
        })
    }

    /// Deletes several, each for itself, and waits for the disk once.
    ///
    /// # Errors
    /// [`ObjectError::Store`] if none is deleted because the disk or the database failed.
    pub fn delete_all(
        &self,
        deletions: &[(DeletePermit<'_>, Deletion<'_>)],
        at: Moment<'_>,
    ) -> Result<Vec<Result<Deleted, ObjectError>>, ObjectError> {
        use crate::database::Stopped;
        self.change(|rows| {
            let now = time_by(rows, at.now)?;
            let one = |(permit, deletion): &(DeletePermit<'_>, Deletion<'_>)| {
                let meant = permit.doomed()?;
                let bypass = bypasses(*permit, deletion)?;
                let bucket = existing(rows, &meant.bucket)?;
                let within = Within::of(rows, &bucket, &meant.key);
                within.delete(&meant, (deletion.if_match, bypass), now, at)
            };
            // Each refuses before it changes anything; whatever else fails takes all of them back.
            let each = deletions.iter().map(|deletion| match one(deletion) {
                Ok(deleted) => Ok(Ok(deleted)),
                Err(Stopped::Refused(refused)) if refused.is_callers() => Ok(Err(refused)),
                Err(failed) => Err(failed),
            });
            each.collect()
        })
    }
}

/// Whether governance is bypassed, which takes leave for that very object.
fn bypasses(permit: DeletePermit<'_>, deletion: &Deletion<'_>) -> Result<bool, ObjectError> {
    match deletion.bypass {
        None => Ok(false),
        Some(bypass) if bypass.resource() == permit.resource() => Ok(true),
        Some(_) => Err(ObjectError::OtherPermit),
    }
}

impl ObjectError {
    /// Whether it is about what was asked for, and not about what is kept.
    fn is_callers(&self) -> bool {
        !matches!(self, Self::Store(_) | Self::Kms(_))
    }
}

impl Within<'_> {
    fn delete(
        &self,
        meant: &Doomed<'_>,
        (if_match, bypass): (Option<&str>, bool),
        now: Timestamp,
        at: Moment<'_>,
    ) -> Found<Deleted> {
        let head = self.head()?;
        if let Some(etag) = if_match {
            self.check_deletion(head.as_ref(), etag)?;
        }
        self.check_decided(head.as_ref(), meant)?;
        match meant.version {
            Some(id) => self.delete_version(head, id, (now, bypass), at),
            None => self.delete_current(head, now, at),
        }
    }

    /// What is deleted has to be what was decided about.
    fn check_decided(&self, head: Option<&Head>, meant: &Doomed<'_>) -> Found<()> {
        if !meant.decided.has_read() {
            return Ok(());
        }
        let found = match (meant.version, head) {
            (Some(id), head) => self.version(head, id)?,
            (None, Some(head)) => Some(self.in_place(&head.current)?),
            (None, None) => None,
        };
        Ok(meant.decided.check(found.as_ref())?)
    }

    /// Conditions are about the current version, whichever is deleted.
    fn check_deletion(&self, head: Option<&Head>, etag: &str) -> Found<()> {
        let current = head.map(|head| self.in_place(&head.current)).transpose()?;
        let content = match current {
            None => return Err(ObjectError::NoSuchKey.into()),
            Some(current) => current.content,
        };
        if content.is_some_and(|content| etag == "*" || content.etag == etag) {
            Ok(())
        } else {
            Err(ObjectError::PreconditionFailed("If-Match").into())
        }
    }

    fn delete_version(
        &self,
        head: Option<Head>,
        id: &VersionId,
        (now, bypass): (Timestamp, bool),
        at: Moment<'_>,
    ) -> Found<Deleted> {
        let tells = self.bucket.tells_versions();
        let found = self.version(head.as_ref(), id)?;
        let delete_marker = found.as_ref().is_some_and(|row| row.content.is_none());
        if let (Some(head), Some(row)) = (head, found) {
            self.check_unlocked(&row, now, bypass)?;
            self.remove(head, &row, at.now)?;
        }
        Ok(Deleted {
            version_id: tells.then(|| id.clone()),
            delete_marker,
        })
    }

    /// Where versions are kept, a delete marker becomes the current one.
    pub(super) fn delete_current(
        &self,
        head: Option<Head>,
        now: Timestamp,
        at: Moment<'_>,
    ) -> Found<Deleted> {
        if self.bucket.versioning == Versioning::Never {
            if let Some(head) = head {
                let row = self.in_place(&head.current)?;
                self.check_unlocked(&row, now, false)?;
                self.remove(head, &row, at.now)?;
            }
            return Ok(Deleted {
                version_id: None,
                delete_marker: false,
            });
        }
        let marker = self.add(head, None, now, at)?;
        Ok(Deleted {
            version_id: Some(id_of(&marker)),
            delete_marker: true,
        })
    }
}
