//! Delivers what trails select.

use std::time::Duration;

use super::runner::{Job, StepError, Stepped, Waiting};
use crate::trails::TrailDelivery;

pub(super) struct TrailJob(pub(super) TrailDelivery);

impl Job for TrailJob {
    const NAME: &'static str = "trails";
    const PAUSE: Duration = Duration::from_secs(1);

    fn step(&mut self, waiting: &Waiting<'_>) -> Result<Stepped, StepError> {
        let delivered = self.0.step(&|| waiting.is_over())?;
        Ok(Stepped {
            done: delivered.done,
            findings: delivered.failed,
            more: delivered.more,
        })
    }
}
