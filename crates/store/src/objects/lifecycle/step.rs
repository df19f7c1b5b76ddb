//! One step of expiring: some keys or uploads of one bucket are looked at, and what is due goes.
//!
//! Who has it done begins with no progress, and hands each step what the one before came to, until there is nothing more.
//! Nothing is lost if it ends in between: the next round begins again. What is locked stays.

use moho_terms::Timestamp;

use super::super::error::Found;
use super::super::rows::{From, ObjectRows, VersionRow};
use super::super::within::{Within, is_locked, time_by};
use super::super::{Bucket, DocumentKind, Moment, ObjectError, Objects, tags};
use super::rules::{About, Lifecycle};

/// Versions of one key that are looked at together.
const VERSIONS: usize = 100;

/// How far a round has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    bucket: String,
    /// The keys of the bucket are done up to here.
    key: String,
    /// The uploads are what is being looked at.
    uploads: bool,
}

/// What a step did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expired {
    /// Keys and uploads looked at.
    pub looked_at: usize,
    /// Versions that are gone for good.
    pub deleted: usize,
    /// Delete markers that took the place of a current version.
    pub markers: usize,
    /// Uploads aborted.
    pub aborted: usize,
    /// Where the next step begins; `None` if the round is done.
    pub next: Option<Progress>,
}

impl Objects<'_> {
    /// Does one step: looks at no more than `limit` keys or uploads of one bucket.
    ///
    /// # Errors
    /// [`ObjectError::Store`]; then nothing of this step was done.
    pub fn expire(
        &self,
        progress: Option<&Progress>,
        limit: usize,
        at: Moment<'_>,
    ) -> Result<Expired, ObjectError> {
        let found = self.look(|rows| next_bucket(rows, progress))?;
        let Some((bucket, lifecycle, begin)) = found else {
            return Ok(Expired::default());
        };
        self.change(|rows| {
            // It may have been deleted, or made anew, since it was looked for.
            let same = rows.bucket(bucket.name.as_str())?;
            let Some(bucket) = same.filter(|same| same.id == bucket.id) else {
                return Ok(Expired {
                    next: Some(after_bucket(&bucket)),
                    ..Expired::default()
                });
            };
            let step = Step {
                rows,
                bucket: &bucket,
                lifecycle: &lifecycle,
                at,
                now: time_by(rows, at.now)?,
                due: at.now,
            };
            if begin.uploads {
                step.uploads(&begin, limit)
            } else {
                step.keys(&begin, limit)
            }
        })
    }
}

/// The bucket that a step is about, with its rules: the next one that has some.
fn next_bucket(
    rows: &dyn ObjectRows,
    progress: Option<&Progress>,
) -> Found<Option<(Bucket, Lifecycle, Progress)>> {
    let mut after = String::new();
    if let Some(progress) = progress {
        if let Some(bucket) = rows.bucket(&progress.bucket)?
            && let Some(kept) = rows.document(bucket.id, DocumentKind::Lifecycle)?
            && (progress.uploads || !progress.key.is_empty())
        {
            return Ok(Some((bucket, super::read(&kept)?, progress.clone())));
        }
        after.clone_from(&progress.bucket);
    }
    while let Some(bucket) = rows.every_bucket(&after)? {
        if let Some(kept) = rows.document(bucket.id, DocumentKind::Lifecycle)? {
            let begin = Progress {
                bucket: bucket.name.as_str().to_owned(),
                key: String::new(),
                uploads: false,
            };
            return Ok(Some((bucket, super::read(&kept)?, begin)));
        }
        after = bucket.name.as_str().to_owned();
    }
    Ok(None)
}

/// Behind all of a bucket.
fn after_bucket(bucket: &Bucket) -> Progress {
    Progress {
        bucket: bucket.name.as_str().to_owned(),
        key: String::new(),
        uploads: false,
    }
}

struct Step<'a> {
    rows: &'a dyn ObjectRows,
    bucket: &'a Bucket,
    lifecycle: &'a Lifecycle,
    at: Moment<'a>,
    /// When what is done here is done.
    now: Timestamp,
    /// By when something is due: the clock's time, and not the latest that was ever told. A clock that was wrong for a moment
    /// must not have everything deleted.
    due: Timestamp,
}

/// What goes of one key.
#[derive(Default)]
struct Gone {
    deleted: usize,
    markers: usize,
}

impl Step<'_> {
    fn keys(&self, begin: &Progress, limit: usize) -> Found<Expired> {
        let keys = self
            .rows
            .keys(self.bucket.id, &From::AfterKey(begin.key.clone()), limit)?;
        let mut done = Expired {
            looked_at: keys.len(),
            ..Expired::default()
        };
        for key in &keys {
            let within = Within {
                rows: self.rows,
                bucket: self.bucket,
                key,
            };
            let gone = self.key(&within)?;
            done.deleted = done.deleted.saturating_add(gone.deleted);
            done.markers = done.markers.saturating_add(gone.markers);
        }
        let last = keys.last().filter(|_| keys.len() >= limit);
        done.next = Some(Progress {
            bucket: begin.bucket.clone(),
            key: last.map_or_else(String::new, |last| last.as_str().to_owned()),
            uploads: last.is_none(),
        });
        Ok(done)
    }

    fn uploads(&self, begin: &Progress, limit: usize) -> Found<Expired> {
        let from = From::AfterKey(begin.key.clone());
        let uploads = self.rows.uploads(self.bucket.id, &from, limit)?;
        let mut done = Expired {
            looked_at: uploads.len(),
            ..Expired::default()
        };
        for upload in &uploads {
            let key = upload.key.as_str();
            if self.lifecycle.aborts(key, upload.initiated_at, self.due) {
                let within = Within {
                    rows: self.rows,
                    bucket: self.bucket,
                    key: &upload.key,
                };
                within.abort(upload, self.now)?;
                done.aborted = done.aborted.saturating_add(1);
            }
        }
        let last = uploads.last().filter(|_| uploads.len() >= limit);
        done.next = Some(last.map_or_else(
            || after_bucket(self.bucket),
            |last| Progress {
                bucket: begin.bucket.clone(),
                key: last.key.as_str().to_owned(),
                uploads: true,
            },
        ));
        Ok(done)
    }

    fn key(&self, within: &Within<'_>) -> Found<Gone> {
        let mut gone = Gone::default();
        self.current(within, &mut gone)?;
        self.noncurrent(within, &mut gone)?;
        self.marker(within, &mut gone)?;
        Ok(gone)
    }

    /// A current version that is due is deleted as by a request that names no version.
    fn current(&self, within: &Within<'_>, gone: &mut Gone) -> Found<()> {
        let Some(head) = within.head()?.filter(|head| !head.is_marker) else {
            return Ok(());
        };
        let current = within.in_place(&head.current)?;
        let Some(content) = &current.content else {
            return Ok(());
        };
        let tags = tags::read(content.sealed.tags.as_deref())?;
        let key = within.key.as_str();
        let end = self
            .lifecycle
            .expires(key, (content.size, &tags), current.modified_at);
        let loses = !self.bucket.tells_versions() || current.is_null;
        let kept = loses && is_locked(content.sealed.lock, self.due, false);
        if end.is_none_or(|end| end.at > self.due) || kept {
            return Ok(());
        }
        let deleted = within.delete_current(Some(head), self.now, self.at)?;
        if deleted.delete_marker {
            gone.markers = gone.markers.saturating_add(1);
        } else {
            gone.deleted = gone.deleted.saturating_add(1);
        }
        Ok(())
    }

    /// The newest are looked at first: each ceased to be current when the one before it was put.
    fn noncurrent(&self, within: &Within<'_>, gone: &mut Gone) -> Found<()> {
        let (mut after, mut since, mut newer) = (None, None, 0_u32);
        loop {
            let page = within.rows.versions(within.at(), after.as_ref(), VERSIONS)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.place.clone());
            for row in page {
                if let Some(since) = since {
                    if self.is_due(within, &row, (since, newer))? {
                        if let Some(head) = within.head()? {
                            within.remove(head, &row, self.now)?;
                            gone.deleted = gone.deleted.saturating_add(1);
                        }
                    } else if row.content.is_some() {
                        newer = newer.saturating_add(1);
                    }
                }
                since = Some(row.modified_at);
            }
        }
    }

    fn is_due(&self, within: &Within<'_>, row: &VersionRow, since: (Timestamp, u32)) -> Found<bool> {
        let content = row.content.as_ref();
        let tags = tags::read(content.and_then(|content| content.sealed.tags.as_deref()))?;
        let about = About {
            key: within.key.as_str(),
            size: content.map_or(0, |content| content.size),
            tags: &tags,
        };
        let locked = content.is_some_and(|content| is_locked(content.sealed.lock, self.due, false));
        Ok(!locked && self.lifecycle.drops(&about, since, self.due))
    }

    /// A delete marker that nothing is left under.
    fn marker(&self, within: &Within<'_>, gone: &mut Gone) -> Found<()> {
        let Some(head) = within.head()?.filter(|head| head.is_marker) else {
            return Ok(());
        };
        let two = within.rows.versions(within.at(), None, 2)?;
        let [only] = two.as_slice() else { return Ok(()) };
        if self
            .lifecycle
            .drops_marker(within.key.as_str(), only.modified_at, self.due)
        {
            within.remove(head, only, self.now)?;
            gone.deleted = gone.deleted.saturating_add(1);
        }
        Ok(())
    }
}
