//! What buckets' lifecycles say is due: versions that expire, delete markers, uploads that nobody goes on with. Each is in the
//! journal before it is gone.

use std::time::Duration;

use moho_iam::authz::{EventKind, EventSubject};
use moho_store::NotWrittenDown;
use moho_store::objects::Moment;
use moho_store::objects::lifecycle::{LifecycleAction, LifecycleActionKind, Progress};

use super::Ground;
use super::runner::{Job, StepError, Stepped, Waiting};
use crate::road::chain;

/// Rows that one step looks at, and about as many that it removes: requests wait no longer than for these.
const ROWS: usize = 1000;

/// Goes through the buckets that have rules.
pub(super) struct LifecycleJob {
    ground: Ground,
    progress: Option<Progress>,
}

impl LifecycleJob {
    pub(super) fn new(ground: Ground) -> Self {
        Self {
            ground,
            progress: None,
        }
    }
}

impl Job for LifecycleJob {
    const NAME: &'static str = "lifecycle";
    // At midnight UTC a day is over: what expires with it goes within the hour.
    const PAUSE: Duration = Duration::from_secs(3600);

    fn step(&mut self, _waiting: &Waiting<'_>) -> Result<Stepped, StepError> {
        // The rules of a backup may have been others since.
        if self
            .ground
            .restored
            .grace()?
            .is_some_and(|until| self.ground.clock.now() < until)
        {
            return Ok(Stepped::default());
        }
        let at = Moment {
            now: self.ground.clock.now(),
            entropy: &*self.ground.entropy,
        };
        let expired =
            self.ground
                .store
                .objects()
                .expire(self.progress.as_ref(), ROWS, at, &mut |actions| {
                    let mut actions = actions.iter();
                    actions.try_for_each(|action| write_down(&self.ground, action))
                })?;
        let done = expired
            .deleted
            .saturating_add(expired.markers)
            .saturating_add(expired.aborted);
        for damaged in &expired.damaged {
            // Keys are their owners' words: the journal and the doctor have them, a log has not.
            tracing::error!(
                bucket = %damaged.bucket,
                whole_bucket = damaged.key.is_none(),
                error = %chain(&damaged.error),
                "what is damaged does not expire: run `moho doctor --scrub`"
            );
        }
        self.progress = expired.next;
        Ok(Stepped {
            done: done as u64,
            findings: expired.damaged.len() as u64,
            more: self.progress.is_some(),
        })
    }
}

/// Writes down what is about to be done to one thing, by the names of S3's notifications.
fn write_down(ground: &Ground, action: &LifecycleAction) -> Result<(), NotWrittenDown> {
    let (name, is_marker) = match action.kind {
        LifecycleActionKind::Delete => ("LifecycleExpiration:Delete", false),
        LifecycleActionKind::MakeDeleteMarker => ("LifecycleExpiration:DeleteMarkerCreated", true),
        LifecycleActionKind::AbortUpload => ("LifecycleExpiration:AbortMultipartUpload", false),
    };
    let whose = ("s3.amazonaws.com", Some(action.owner));
    ground.write_down((EventKind::ServiceEvent, name), whose, |event| {
        event.subject = EventSubject {
            bucket: Some(action.bucket.clone()),
            bucket_account: Some(action.owner),
            key: Some(action.key.clone()),
            version_id: action.version_id.clone(),
            delete_marker: is_marker,
            upload_id: action.upload_id.clone(),
            ..EventSubject::default()
        };
    })
}
