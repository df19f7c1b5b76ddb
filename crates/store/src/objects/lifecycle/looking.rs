//! What is due: found by reading alone, so many rows at a time, so that nobody who writes waits for it.
//!
//! A key may have more versions than that, and an upload more parts: a look ends within them, and says where the next goes on.

use moho_terms::{BucketName, ObjectKey, Timestamp, VersionId};

use super::super::error::Found;
use super::super::rows::{From, Head, ObjectRows, UploadRow, VersionRow};
use super::super::within::{Within, is_locked};
use super::super::{Bucket, DocumentKind, ObjectError, tags};
use super::Progress;
use super::rules::{About, Lifecycle};
use crate::database::Stopped;

/// Keys that are read together.
const KEYS: usize = 100;
/// Versions of one key that are read together.
const VERSIONS: usize = 100;

/// Where in a bucket a look begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// After this key.
    Keys(String),
    /// Among the versions of this key.
    Versions(ObjectKey, Inside),
    /// Its keys are done: at these uploads.
    Uploads(From),
    /// All of it is done.
    Done,
}

/// How far the versions of one key were looked at, the newest first, and what that says of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inside {
    after: Option<VersionId>,
    /// When the last one was put: since then the next is not current.
    since: Option<Timestamp>,
    /// How many stay of those that are not current.
    newer: u32,
    /// Whether anything stays but the newest.
    stays: bool,
}

/// Something that is due, or was when it was looked at.
pub(super) struct Due {
    pub(super) key: ObjectKey,
    pub(super) what: What,
}

/// What of a key is due.
pub(super) enum What {
    /// Its current version.
    Current,
    /// A version that is current no more: since when, and with so many newer ones.
    Noncurrent(VersionId, (Timestamp, u32)),
    /// Its delete marker, under which nothing is left then.
    Marker,
    /// So many parts of an upload that has more than one step can remove.
    Parts(UploadRow, usize),
    /// An upload, with its parts.
    Upload(UploadRow),
}

/// What a look has found.
pub(super) struct Looked {
    pub(super) bucket: Bucket,
    pub(super) lifecycle: Lifecycle,
    pub(super) due: Vec<Due>,
    /// Versions and uploads that were looked at.
    pub(super) looked_at: usize,
    /// Where the next look begins.
    pub(super) next: Place,
}

/// Something that cannot be read: all of a bucket, or one of its keys.
pub(super) struct Unread {
    pub(super) bucket: BucketName,
    pub(super) key: Option<ObjectKey>,
    pub(super) why: Stopped<ObjectError>,
}

/// Looks at rows of one bucket with rules, at most `limit` of them, and only as far as what is due has no more than that.
pub(super) fn look(
    rows: &dyn ObjectRows,
    progress: Option<&Progress>,
    (limit, due): (usize, Timestamp),
) -> Found<(Option<Looked>, Vec<Unread>)> {
    let mut unread = Vec::new();
    let Some((bucket, lifecycle, begin)) = next_bucket(rows, progress, &mut unread)? else {
        return Ok((None, unread));
    };
    let mut looking = Looking {
        rows,
        judging: Judging {
            bucket: &bucket,
            lifecycle: &lifecycle,
            due,
        },
        limit: limit.max(1),
        looked_at: 0,
        removes: 0,
        found: Vec::new(),
        unread,
    };
    let next = match begin {
        Place::Keys(after) => looking.keys(after),
        Place::Versions(key, inside) => match looking.key_if_readable(&key, inside) {
            Some(inside) => Place::Versions(key, inside),
            None => looking.keys(key.as_str().to_owned()),
        },
        Place::Uploads(from) => looking.uploads(from),
        Place::Done => Place::Done,
    };
    let (due, looked_at, unread) = (looking.found, looking.looked_at, looking.unread);
    let looked = Looked {
        bucket,
        lifecycle,
        due,
        looked_at,
        next,
    };
    Ok((Some(looked), unread))
}

/// The bucket that a step is about, with its rules: the next one that has some.
fn next_bucket(
    rows: &dyn ObjectRows,
    progress: Option<&Progress>,
    unread: &mut Vec<Unread>,
) -> Found<Option<(Bucket, Lifecycle, Place)>> {
    let mut after = String::new();
    if let Some(progress) = progress {
        if progress.place != Place::Done
            && let Some(bucket) = rows.bucket(&progress.bucket)?
            && let Some(lifecycle) = rules(rows, &bucket, unread)
        {
            return Ok(Some((bucket, lifecycle, progress.place.clone())));
        }
        after.clone_from(&progress.bucket);
    }
    while let Some(bucket) = rows.every_bucket(&after)? {
        if let Some(lifecycle) = rules(rows, &bucket, unread) {
            return Ok(Some((bucket, lifecycle, Place::Keys(String::new()))));
        }
        after = bucket.name.as_str().to_owned();
    }
    Ok(None)
}

/// The rules of a bucket, if it has some that can be read.
fn rules(rows: &dyn ObjectRows, bucket: &Bucket, unread: &mut Vec<Unread>) -> Option<Lifecycle> {
    let kept = rows.document(bucket.id, DocumentKind::Lifecycle);
    let read = kept.and_then(|kept| Ok(kept.map(|kept| super::read(&kept)).transpose()?));
    read.unwrap_or_else(|why| {
        let (bucket, key) = (bucket.name.clone(), None);
        unread.push(Unread { bucket, key, why });
        None
    })
}

struct Looking<'a> {
    rows: &'a dyn ObjectRows,
    judging: Judging<'a>,
    limit: usize,
    looked_at: usize,
    /// Rows that go with what was found.
    removes: usize,
    found: Vec<Due>,
    unread: Vec<Unread>,
}

impl Looking<'_> {
    /// What cannot be read keeps nothing else.
    fn pass_over(&mut self, key: Option<&ObjectKey>, why: Stopped<ObjectError>) {
        self.looked_at = self.looked_at.saturating_add(1);
        self.unread.push(Unread {
            bucket: self.judging.bucket.name.clone(),
            key: key.cloned(),
            why,
        });
    }

    fn is_full(&self) -> bool {
        self.looked_at >= self.limit || self.removes >= self.limit
    }

    fn find(&mut self, key: &ObjectKey, what: What, removes: usize) {
        self.removes = self.removes.saturating_add(removes);
        self.found.push(Due {
            key: key.clone(),
            what,
        });
    }

    /// Looks at the keys after one of them, and says where to go on.
    fn keys(&mut self, mut after: String) -> Place {
        loop {
            let from = From::AfterKey(after.clone());
            let keys = self.rows.keys(self.judging.bucket.id, &from, KEYS);
            let keys = keys.unwrap_or_else(|why| {
                self.pass_over(None, why);
                Vec::new()
            });
            if keys.is_empty() {
                return Place::Uploads(From::AfterKey(String::new()));
            }
            for key in keys {
                if self.is_full() {
                    return Place::Keys(after);
                }
                if let Some(inside) = self.key_if_readable(&key, Inside::default()) {
                    return Place::Versions(key, inside);
                }
                after = key.as_str().to_owned();
            }
        }
    }

    fn key_if_readable(&mut self, key: &ObjectKey, inside: Inside) -> Option<Inside> {
        self.key(key, inside).unwrap_or_else(|why| {
            self.pass_over(Some(key), why);
            None
        })
    }

    /// Looks at the versions of a key, and says where among them to go on if there are too many for now.
    fn key(&mut self, key: &ObjectKey, mut inside: Inside) -> Found<Option<Inside>> {
        let within = Within {
            rows: self.rows,
            bucket: self.judging.bucket,
            key,
        };
        let Some(head) = within.head()? else {
            self.looked_at = self.looked_at.saturating_add(1);
            return Ok(None);
        };
        if inside.after.is_none()
            && let Some(current) = self.judging.ends(&within, &head)?
        {
            self.find(key, What::Current, weight(&current));
        }
        loop {
            let most = VERSIONS.min(self.limit.saturating_sub(self.looked_at));
            let page = self.rows.versions(within.at(), inside.after.as_ref(), most)?;
            let is_last = page.len() < most;
            for row in page {
                self.version(&within, row, &mut inside)?;
                if self.is_full() {
                    return Ok(Some(inside));
                }
            }
            if is_last {
                break;
            }
        }
        if head.is_marker && !inside.stays {
            let marker = within.in_place(&head.current)?;
            if self.judging.drops_marker(key, &marker) {
                self.find(key, What::Marker, 1);
            }
        }
        Ok(None)
    }

    /// The newest are looked at first: each ceased to be current when the one before it was put.
    fn version(&mut self, within: &Within<'_>, row: VersionRow, inside: &mut Inside) -> Found<()> {
        self.looked_at = self.looked_at.saturating_add(1);
        if let Some(since) = inside.since {
            let since = (since, inside.newer);
            if self.judging.drops(within.key, &row, since)? {
                // What a list says was compared with nothing.
                let row = within.in_place(&row.place)?;
                self.find(
                    within.key,
                    What::Noncurrent(row.place.clone(), since),
                    weight(&row),
                );
            } else {
                inside.stays = true;
                inside.newer = inside.newer.saturating_add(u32::from(row.content.is_some()));
            }
        }
        inside.since = Some(row.modified_at);
        inside.after = Some(row.place);
        Ok(())
    }

    /// Looks at the uploads from here on, and says where to go on.
    fn uploads(&mut self, mut from: From) -> Place {
        loop {
            let most = self.limit.saturating_sub(self.looked_at);
            if self.is_full() {
                return Place::Uploads(from);
            }
            let uploads = self.rows.uploads(self.judging.bucket.id, &from, most);
            let uploads = uploads.unwrap_or_else(|why| {
                self.pass_over(None, why);
                Vec::new()
            });
            if uploads.is_empty() {
                return Place::Done;
            }
            for upload in uploads {
                if self.is_full() {
                    return Place::Uploads(from);
                }
                let key = upload.key.clone();
                let after = From::Within(key.as_str().to_owned(), upload.upload_id.as_str().to_owned());
                match self.upload(upload) {
                    Ok(true) => {}
                    Ok(false) => return Place::Uploads(from),
                    Err(why) => self.pass_over(Some(&key), why),
                }
                from = after;
            }
        }
    }

    /// Looks at an upload; `false` if more of it is due than one step can remove.
    fn upload(&mut self, upload: UploadRow) -> Found<bool> {
        self.looked_at = self.looked_at.saturating_add(1);
        if !self.judging.aborts(&upload) {
            return Ok(true);
        }
        let room = self.limit.saturating_sub(self.removes);
        let parts = self.rows.parts(&upload.upload_id, 0, room.saturating_add(1))?;
        let (key, parts) = (upload.key.clone(), parts.len());
        if parts > room {
            self.find(&key, What::Parts(upload, room), room);
            return Ok(false);
        }
        self.find(&key, What::Upload(upload), parts.saturating_add(1));
        Ok(true)
    }
}

/// How many rows go with a version: its own, and its parts.
fn weight(version: &VersionRow) -> usize {
    let parts = version.content.as_ref().and_then(|content| content.parts);
    usize::try_from(parts.unwrap_or(1))
        .unwrap_or(usize::MAX)
        .saturating_add(1)
}

/// What the rules of a bucket say of what is in it.
#[derive(Clone, Copy)]
pub(super) struct Judging<'a> {
    pub(super) bucket: &'a Bucket,
    pub(super) lifecycle: &'a Lifecycle,
    /// By when something is due: the clock's time, and not the latest that was ever told. A clock that was wrong for a moment
    /// must not have everything deleted.
    pub(super) due: Timestamp,
}

impl Judging<'_> {
    /// The current version, if its time has come. One that would be lost with that stays as long as it is locked.
    pub(super) fn ends(&self, within: &Within<'_>, head: &Head) -> Found<Option<VersionRow>> {
        if head.is_marker {
            return Ok(None);
        }
        let current = within.in_place(&head.current)?;
        let Some(content) = &current.content else {
            return Ok(None);
        };
        let tags = tags::read(content.sealed.tags.as_deref())?;
        let key = within.key.as_str();
        let end = self
            .lifecycle
            .expires(key, (content.size, &tags), current.modified_at);
        let loses = !self.bucket.tells_versions() || current.is_null;
        let kept = loses && is_locked(content.sealed.lock, self.due, false);
        let ends = end.is_some_and(|end| end.at <= self.due) && !kept;
        Ok(ends.then_some(current))
    }

    /// Whether a version goes that is not current, since when, and with so many newer ones.
    pub(super) fn drops(&self, key: &ObjectKey, row: &VersionRow, since: (Timestamp, u32)) -> Found<bool> {
        let content = row.content.as_ref();
        let tags = tags::read(content.and_then(|content| content.sealed.tags.as_deref()))?;
        let about = About {
            key: key.as_str(),
            size: content.map_or(0, |content| content.size),
            tags: &tags,
        };
        let locked = content.is_some_and(|content| is_locked(content.sealed.lock, self.due, false));
        Ok(!locked && self.lifecycle.drops(&about, since, self.due))
    }

    /// Whether a delete marker goes that nothing is left under.
    pub(super) fn drops_marker(&self, key: &ObjectKey, marker: &VersionRow) -> bool {
        self.lifecycle
            .drops_marker(key.as_str(), marker.modified_at, self.due)
    }

    /// Whether an upload is aborted.
    pub(super) fn aborts(&self, upload: &UploadRow) -> bool {
        self.lifecycle
            .aborts(upload.key.as_str(), upload.initiated_at, self.due)
    }
}
