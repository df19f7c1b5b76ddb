//! One step of expiring: so many rows of one bucket are looked at, and what is due of them goes.
//!
//! Who has it done begins with no progress, and hands each step what the one before came to, until there is nothing more.
//! Nothing is lost if it ends in between: the next round begins again. What is locked stays.

use moho_terms::{AccountId, BucketName, ObjectKey, Timestamp, UploadId, VersionId};

use super::super::error::Found;
use super::super::rows::{From, ObjectRows, UploadRow, VersionRow};
use super::super::within::{Within, id_of, time_by};
use super::super::{DocumentKind, Moment, ObjectError, Objects};
use super::looking::{Due, Judging, Looked, Place, Unread, What, look};
use crate::NotWrittenDown;

/// How far a round has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub(super) bucket: String,
    pub(super) place: Place,
}

/// What a step did.
#[derive(Debug, Default)]
pub struct Expired {
    /// Versions and uploads looked at.
    pub looked_at: usize,
    /// Versions that are gone for good.
    pub deleted: usize,
    /// Delete markers that took the place of a current version.
    pub markers: usize,
    /// Uploads aborted.
    pub aborted: usize,
    /// What was passed over.
    pub damaged: Vec<Damaged>,
    /// Where the next step begins; `None` if the round is done.
    pub next: Option<Progress>,
}

/// What is not as it was written, or cannot be read: nothing of it expires, and everything else does.
#[derive(Debug)]
pub struct Damaged {
    /// In which bucket.
    pub bucket: BucketName,
    /// Which object; `None` if it is the bucket.
    pub key: Option<ObjectKey>,
    /// How that was seen.
    pub error: ObjectError,
}

/// What a lifecycle does to one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleAction {
    /// What.
    pub kind: LifecycleActionKind,
    /// In which bucket.
    pub bucket: BucketName,
    /// Whose that is.
    pub owner: AccountId,
    /// To which object.
    pub key: ObjectKey,
    /// The version that goes, or the delete marker that is made; `None` in a bucket that never had versions.
    pub version_id: Option<VersionId>,
    /// The upload that goes.
    pub upload_id: Option<UploadId>,
}

/// What a lifecycle does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifecycleActionKind {
    /// A version, or a delete marker with nothing left under it, goes for good.
    Delete,
    /// A delete marker takes the place of a current version.
    MakeDeleteMarker,
    /// An upload is aborted.
    AbortUpload,
}

/// Writes down what is about to be done. What it does not take is not done.
pub type WriteActions<'a> = &'a mut dyn FnMut(&[LifecycleAction]) -> Result<(), NotWrittenDown>;

impl Objects<'_> {
    /// Does one step: looks at no more than `limit` rows of one bucket, and removes about as many: a version goes with all of its
    /// parts, an upload after them. Nothing is written unless something is due. What is damaged is passed over, and told.
    /// What it does is handed to `write_down` before it is kept.
    ///
    /// # Errors
    /// [`ObjectError::Store`]; then nothing of this step was done.
    pub fn expire(
        &self,
        progress: Option<&Progress>,
        limit: usize,
        at: Moment<'_>,
        write_down: WriteActions<'_>,
    ) -> Result<Expired, ObjectError> {
        let (looked, unread) = self.look(|rows| look(rows, progress, (limit, at.now)))?;
        let mut damaged = self.damaged(unread)?;
        let Some(mut looked) = looked else {
            return Ok(Expired {
                damaged,
                ..Expired::default()
            });
        };
        let gone = self.remove_all(&mut looked, &mut damaged, (at, write_down))?;
        Ok(Expired {
            looked_at: looked.looked_at,
            deleted: gone.deleted,
            markers: gone.markers,
            aborted: gone.aborted,
            damaged,
            next: Some(Progress {
                bucket: looked.bucket.name.as_str().to_owned(),
                place: looked.next,
            }),
        })
    }

    /// What could not be read, unless it is not for its own sake.
    fn damaged(&self, unread: Vec<Unread>) -> Result<Vec<Damaged>, ObjectError> {
        let damaged = unread.into_iter().map(|one| {
            let error = self.told(one.why);
            let (bucket, key) = (one.bucket, one.key);
            if is_damage(&error) {
                Ok(Damaged { bucket, key, error })
            } else {
                Err(error)
            }
        });
        damaged.collect()
    }

    /// Removes what was found to be due in one transaction, or, if something of it is damaged, each in one of its own.
    fn remove_all(
        &self,
        looked: &mut Looked,
        damaged: &mut Vec<Damaged>,
        (at, write_down): (Moment<'_>, WriteActions<'_>),
    ) -> Result<Gone, ObjectError> {
        let mut gone = Gone::default();
        if looked.due.is_empty() {
            return Ok(gone);
        }
        match self.carry_out(looked, &looked.due, (at, &mut *write_down)) {
            Ok(all) => return Ok(all),
            Err(error) if is_damage(&error) => {}
            Err(error) => return Err(error),
        }
        for one in &looked.due {
            match self.carry_out(looked, std::slice::from_ref(one), (at, &mut *write_down)) {
                Ok(some) => gone.add(&some),
                Err(error) if is_damage(&error) => {
                    if let What::Parts(upload, _) = &one.what {
                        // Looked at again, it would be in the way of all others.
                        let (key, id) = (upload.key.as_str(), upload.upload_id.as_str());
                        looked.next = Place::Uploads(From::Within(key.to_owned(), id.to_owned()));
                    }
                    damaged.push(Damaged {
                        bucket: looked.bucket.name.clone(),
                        key: Some(one.key.clone()),
                        error,
                    });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(gone)
    }

    /// Removes what was found to be due, as far as it still is.
    fn carry_out(
        &self,
        looked: &Looked,
        due: &[Due],
        (at, write_down): (Moment<'_>, WriteActions<'_>),
    ) -> Result<Gone, ObjectError> {
        self.change_alone(|rows| {
            let mut gone = Gone::default();
            // It may have been deleted, or made anew, or have other rules since it was looked at.
            let same = rows.bucket(looked.bucket.name.as_str())?;
            let Some(bucket) = same.filter(|same| same.id == looked.bucket.id) else {
                return Ok(gone);
            };
            let Some(kept) = rows.document(bucket.id, DocumentKind::Lifecycle)? else {
                return Ok(gone);
            };
            let lifecycle = super::read(&kept)?;
            if lifecycle != looked.lifecycle {
                return Ok(gone);
            }
            let step = Step {
                rows,
                judging: Judging {
                    bucket: &bucket,
                    lifecycle: &lifecycle,
                    due: at.now,
                },
                at,
                now: time_by(rows, at.now)?,
            };
            for one in due {
                step.remove(one, &mut gone)?;
            }
            if !gone.actions.is_empty() {
                write_down(&gone.actions).map_err(|error| ObjectError::Store(error.into()))?;
            }
            Ok(gone)
        })
    }
}

/// What went.
#[derive(Default)]
struct Gone {
    deleted: usize,
    markers: usize,
    aborted: usize,
    actions: Vec<LifecycleAction>,
}

impl Gone {
    fn add(&mut self, other: &Self) {
        self.deleted = self.deleted.saturating_add(other.deleted);
        self.markers = self.markers.saturating_add(other.markers);
        self.aborted = self.aborted.saturating_add(other.aborted);
    }
}

/// Whether something that is kept is not as it was written, or cannot be read.
fn is_damage(error: &ObjectError) -> bool {
    matches!(error, ObjectError::Store(error) if error.is_damage())
}

struct Step<'a> {
    rows: &'a dyn ObjectRows,
    judging: Judging<'a>,
    at: Moment<'a>,
    /// When what is done here is done.
    now: Timestamp,
}

impl Step<'_> {
    /// Notes what is done, to be written down.
    fn note(
        &self,
        (kind, within): (LifecycleActionKind, &Within<'_>),
        version_id: Option<VersionId>,
        gone: &mut Gone,
    ) {
        gone.actions.push(LifecycleAction {
            kind,
            bucket: self.judging.bucket.name.clone(),
            owner: self.judging.bucket.owner,
            key: within.key.clone(),
            version_id,
            upload_id: None,
        });
    }

    /// A version as it is told of.
    fn told(&self, version: &VersionRow) -> Option<VersionId> {
        self.judging.bucket.tells_versions().then(|| id_of(version))
    }

    fn remove(&self, due: &Due, gone: &mut Gone) -> Found<()> {
        let within = Within {
            rows: self.rows,
            bucket: self.judging.bucket,
            key: &due.key,
        };
        match &due.what {
            What::Current => self.current(&within, gone),
            What::Noncurrent(place, since) => self.noncurrent(&within, (place, *since), gone),
            What::Marker => self.marker(&within, gone),
            What::Parts(upload, parts) => self.parts(&within, (upload, *parts)),
            What::Upload(upload) => self.upload(&within, upload, gone),
        }
    }

    /// A current version that is due is deleted as by a request that names no version.
    fn current(&self, within: &Within<'_>, gone: &mut Gone) -> Found<()> {
        let Some(head) = within.head()? else { return Ok(()) };
        if self.judging.ends(within, &head)?.is_none() {
            return Ok(());
        }
        let deleted = within.delete_current(Some(head), self.now, self.at)?;
        if deleted.delete_marker {
            gone.markers = gone.markers.saturating_add(1);
            self.note(
                (LifecycleActionKind::MakeDeleteMarker, within),
                deleted.version_id,
                gone,
            );
            self.marker(within, gone)
        } else {
            gone.deleted = gone.deleted.saturating_add(1);
            self.note((LifecycleActionKind::Delete, within), deleted.version_id, gone);
            Ok(())
        }
    }

    /// A version that is due, unless it was locked or became current meanwhile.
    fn noncurrent(
        &self,
        within: &Within<'_>,
        (place, since): (&VersionId, (Timestamp, u32)),
        gone: &mut Gone,
    ) -> Found<()> {
        let (head, row) = (within.head()?, self.rows.version(within.at(), place)?);
        let (Some(head), Some(row)) = (head, row) else {
            return Ok(());
        };
        if head.current != row.place && self.judging.drops(within.key, &row, since)? {
            within.remove(head, &row, self.at.now)?;
            gone.deleted = gone.deleted.saturating_add(1);
            self.note((LifecycleActionKind::Delete, within), self.told(&row), gone);
        }
        Ok(())
    }

    /// A delete marker that nothing is left under.
    fn marker(&self, within: &Within<'_>, gone: &mut Gone) -> Found<()> {
        let Some(head) = within.head()?.filter(|head| head.is_marker) else {
            return Ok(());
        };
        let two = within.rows.versions(within.at(), None, 2)?;
        let [only] = two.as_slice() else { return Ok(()) };
        if self.judging.drops_marker(within.key, only) {
            within.remove(head, only, self.at.now)?;
            gone.deleted = gone.deleted.saturating_add(1);
            self.note((LifecycleActionKind::Delete, within), self.told(only), gone);
        }
        Ok(())
    }

    /// The first parts of an upload that is due and has too many to go at once.
    fn parts(&self, within: &Within<'_>, (upload, parts): (&UploadRow, usize)) -> Found<()> {
        let Some(upload) = self.rows.upload(within.at(), &upload.upload_id)? else {
            return Ok(());
        };
        for part in self.rows.parts(&upload.upload_id, 0, parts)? {
            within.drop_part(&upload, &part, self.at.now)?;
        }
        Ok(())
    }

    fn upload(&self, within: &Within<'_>, upload: &UploadRow, gone: &mut Gone) -> Found<()> {
        if let Some(upload) = self.rows.upload(within.at(), &upload.upload_id)? {
            within.abort(&upload, self.at.now)?;
            gone.aborted = gone.aborted.saturating_add(1);
            self.note((LifecycleActionKind::AbortUpload, within), None, gone);
            if let Some(action) = gone.actions.last_mut() {
                action.upload_id = Some(upload.upload_id);
            }
        }
        Ok(())
    }
}
