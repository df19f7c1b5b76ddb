//! Log events whose time has come, and those of streams and groups that were deleted. What goes is in the journal before.

use std::time::Duration;

use moho_iam::authz::EventKind;
use moho_store::NotWrittenDown;
use moho_store::logs::{LogExpiry, group_arn};

use super::Ground;
use super::runner::{Job, StepError, Stepped, Waiting};

/// Blocks that go in one step: requests wait no longer than for these.
const BLOCKS: usize = 200;

/// Deletes them.
pub(super) struct LogEventsJob(pub(super) Ground);

impl Job for LogEventsJob {
    const NAME: &'static str = "log-events";
    const PAUSE: Duration = Duration::from_secs(60);

    fn step(&mut self, _waiting: &Waiting<'_>) -> Result<Stepped, StepError> {
        let ground = &self.0;
        let swept = ground
            .store
            .sweep_logs(ground.clock.now(), BLOCKS, &mut |expiry| {
                write_down(ground, expiry)
            })?;
        Ok(Stepped {
            done: swept.blocks,
            findings: 0,
            more: swept.more,
        })
    }
}

/// Writes down what is about to be deleted.
fn write_down(ground: &Ground, expiry: &LogExpiry) -> Result<(), NotWrittenDown> {
    let name = if expiry.expired {
        "RetentionExpiration:LogEvents"
    } else {
        "Deletion:LogEvents"
    };
    let named = group_arn(ground.region.as_str(), expiry.account.as_str(), &expiry.group);
    let named = named.map_err(NotWrittenDown::new)?;
    let whose = ("logs.amazonaws.com", Some(expiry.account));
    ground.write_down((EventKind::ServiceEvent, name), whose, |event| {
        event.subject.resource = Some(named);
    })
}
