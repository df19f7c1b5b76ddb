//! Files of segments that nobody needs any more.

use std::time::Duration;

use moho_store::StoreError;
use moho_store::objects::ObjectError;

use super::Ground;
use super::runner::{Job, StepError, Stepped, Waiting};
use crate::road::chain;

/// Files in one step.
const FILES: usize = 256;

/// Deletes those that were noted, once nobody can be reading them any more.
pub(super) struct Garbage(pub(super) Ground);

impl Job for Garbage {
    const NAME: &'static str = "garbage";
    const PAUSE: Duration = Duration::from_secs(60);

    fn step(&mut self, _waiting: &Waiting<'_>) -> Result<Stepped, StepError> {
        match self.0.store.objects().sweep(self.0.clock.now(), FILES) {
            Ok(swept) => {
                for (segment, error) in &swept.failed {
                    tracing::error!(%segment, error = %chain(error), "a file that nobody needs cannot be deleted: it is tried again");
                }
                Ok(Stepped {
                    done: swept.deleted as u64,
                    findings: swept.failed.len() as u64,
                    more: swept.more,
                })
            }
            // They wait until the backup has ended.
            Err(ObjectError::Store(StoreError::BackingUp)) => Ok(Stepped::default()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Notes those that were written for nothing, such as when a process was killed.
pub(super) struct Orphans(pub(super) Ground);

impl Job for Orphans {
    const NAME: &'static str = "orphans";
    const PAUSE: Duration = Duration::from_secs(86_400);

    fn step(&mut self, waiting: &Waiting<'_>) -> Result<Stepped, StepError> {
        let objects = self.0.store.objects();
        let orphans = objects.note_orphans(self.0.clock.now(), &|| !waiting.is_over())?;
        for error in &orphans.unread {
            tracing::error!(error = %chain(error), "some files cannot be looked at: whether somebody needs them is not known");
        }
        Ok(Stepped {
            done: orphans.noted as u64,
            findings: orphans.unread.len() as u64,
            more: false,
        })
    }
}
