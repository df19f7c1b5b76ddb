//! Files that nobody needs any more: noted in the change that made them so, and deleted after it.
//!
//! A file that was written for an object that was then refused goes at once. What ended in between noted nothing: its file is
//! found by comparing what is there with what is remembered.

use moho_terms::Timestamp;

use super::{ObjectError, Objects, PresentSegment, SegmentId};
use crate::StoreError;

/// Seconds that a file stays after it was noted: whoever is reading it goes on.
const GRACE: u64 = 600;
/// Seconds after which a file that nobody remembers will not be remembered any more.
const ORPHANED: u64 = 86_400;

/// Files that are compared at once with what is remembered.
const TOGETHER: usize = 500;

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Swept {
    /// Files deleted.
    pub deleted: usize,
    /// Whether there may be more to do.
    pub more: bool,
    /// Files that could not be deleted, and why: they are tried again after all others.
    pub failed: Vec<(SegmentId, StoreError)>,
}

/// What came of looking for files that nobody remembers.
#[derive(Debug, Default)]
pub struct Orphans {
    /// Files noted.
    pub noted: usize,
    /// What could not be looked at: a folder, or a file in it.
    pub unread: Vec<StoreError>,
}

impl Objects<'_> {
    /// Deletes files that nobody needs any more, at most `limit` of them, those that have waited longest first.
    ///
    /// # Errors
    /// [`ObjectError::Store`]; what was not deleted is tried again next time.
    pub fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, ObjectError> {
        let until = Timestamp::from_unix_seconds(now.unix_seconds().saturating_sub(GRACE));
        self.sweep_until(until, limit)
    }

    pub(crate) fn sweep_until(&self, until: Timestamp, limit: usize) -> Result<Swept, ObjectError> {
        // What was noted while the clock was ahead waits for nothing: that time may be far away.
        let ahead = until.plus_seconds(GRACE.saturating_mul(2));
        let held = self.store.held.all();
        let more = limit.saturating_add(held.len());
        let mut garbage = self.look(|rows| rows.garbage((until, ahead), limit))?;
        if garbage.iter().any(|segment| held.contains(segment)) {
            // What is being read must not keep the rest waiting.
            garbage = self.look(|rows| rows.garbage((until, ahead), more))?;
            garbage.retain(|segment| !held.contains(segment));
            garbage.truncate(limit);
        }
        if garbage.is_empty() {
            return Ok(Swept::default());
        }
        // From here on no row can come to name one of them: what an object has meanwhile is not taken.
        let garbage = self.change(|rows| {
            let mut taken = Vec::with_capacity(garbage.len());
            for segment in garbage {
                if rows.take_garbage(segment)? {
                    taken.push(segment);
                }
            }
            Ok(taken)
        })?;
        let (mut deleted, mut failed) = (Vec::new(), Vec::new());
        for segment in &garbage {
            match self.store.delete_segment(*segment) {
                Ok(()) => deleted.push(*segment),
                // What a backup is being made of stays until that is done.
                Err(StoreError::BackingUp) => break,
                // One that the disk does not give up keeps no other.
                Err(error) => failed.push((*segment, error)),
            }
        }
        let done = deleted.len().saturating_add(failed.len());
        if done > 0 {
            let now = until.plus_seconds(GRACE);
            self.change(|rows| {
                deleted.iter().try_for_each(|one| rows.forget_garbage(*one))?;
                let mut failed = failed.iter();
                failed.try_for_each(|(one, _)| rows.put_off_garbage(*one, now))
            })?;
        }
        Ok(Swept {
            deleted: deleted.len(),
            more: done == limit,
            failed,
        })
    }

    /// Deletes files that were written for what was then refused; one that a backup is being made of when that is done.
    /// Whatever has one of them keeps it.
    ///
    /// # Errors
    /// [`ObjectError::Store`]; then they are garbage, or found to be nobody's later.
    pub fn discard(&self, files: &[SegmentId], now: Timestamp) -> Result<(), ObjectError> {
        let nobodys = self.change(|rows| {
            let mut noted = Vec::new();
            for file in files {
                if rows.note_orphan(*file, now)? {
                    noted.push(*file);
                }
            }
            Ok(noted)
        })?;
        for file in &nobodys {
            match self.store.delete_segment(*file) {
                Ok(()) => {}
                Err(StoreError::BackingUp) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.change(|rows| nobodys.iter().try_for_each(|file| rows.forget_garbage(*file)))
    }

    /// What came of a change that was to remember these files, which go if it was refused.
    pub(super) fn or_discard<T>(
        &self,
        done: Result<T, ObjectError>,
        files: &[SegmentId],
        now: Timestamp,
    ) -> Result<T, ObjectError> {
        if done.is_err() && !files.is_empty() {
            // What went wrong first is told; should this fail, too, they are found later.
            drop(self.discard(files, now));
        }
        done
    }

    /// Notes files that were written long ago and that no object has, and says how many: such as of one that was being put
    /// when its process ended. It looks at every file, so once a day is often enough, and only as long as `go_on` says so.
    ///
    /// # Errors
    /// [`ObjectError::Store`].
    pub fn note_orphans(&self, now: Timestamp, go_on: &dyn Fn() -> bool) -> Result<Orphans, ObjectError> {
        let until = Timestamp::from_unix_seconds(now.unix_seconds().saturating_sub(ORPHANED));
        self.note_orphans_until(until, now, go_on)
    }

    pub(crate) fn note_orphans_until(
        &self,
        until: Timestamp,
        now: Timestamp,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Orphans, ObjectError> {
        let mut orphans = Orphans::default();
        let old = |file: &Result<PresentSegment, StoreError>| match file {
            Ok(file) => file.kept_at <= until,
            Err(_) => true,
        };
        let files = self.store.segments_present().take_while(|_| go_on());
        let mut files = files.filter(old);
        loop {
            let (mut some, unread) = (Vec::with_capacity(TOGETHER), orphans.unread.len());
            for file in files.by_ref().take(TOGETHER) {
                match file {
                    Ok(file) => some.push(file),
                    Err(error) => orphans.unread.push(error),
                }
            }
            if some.is_empty() && orphans.unread.len() == unread {
                return Ok(orphans);
            }
            orphans.noted = orphans.noted.saturating_add(self.change(|rows| {
                some.iter().try_fold(0_usize, |sum, file| {
                    let is_orphan = rows.note_orphan(file.id, now)?;
                    Ok(sum.saturating_add(usize::from(is_orphan)))
                })
            })?);
        }
    }
}
