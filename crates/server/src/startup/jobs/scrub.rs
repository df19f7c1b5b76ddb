//! Reads everything that is kept, slowly, again and again: what a disk loses is found before somebody needs it.

use std::ops::ControlFlow;
use std::time::Duration;

use moho_iam::authz::EventKind;
use moho_store::{Scrub, StoreError};
use moho_terms::BucketName;

use super::Ground;
use super::runner::{Job, StepError, Stepped, Waiting};
use crate::road::chain;

/// Segments in one step.
const SEGMENTS: usize = 64;
/// Bytes that are read in a second at most.
const RATE: u64 = 8 << 20;

/// Who finds what is damaged.
const SCRUBBER: &str = "s3.amazonaws.com";

/// Goes through all segments, and on from where it was after a restart.
pub(super) struct ScrubJob {
    ground: Ground,
    place: Option<Option<String>>,
    /// The rows are compared first, in every round.
    rows: Option<Scrub>,
}

impl ScrubJob {
    pub(super) fn new(ground: Ground) -> Self {
        Self {
            ground,
            place: None,
            rows: Some(Scrub::default()),
        }
    }

    /// Compares some rows with what was written.
    fn compare(&mut self, scrub: &mut Scrub) -> Result<Stepped, StepError> {
        let before = scrub.rows();
        let found = match self.ground.store.scrub(scrub) {
            Ok(()) => 0,
            Err(error @ (StoreError::Altered(_) | StoreError::RolledBack { .. })) => {
                tracing::error!(error = %chain(&error), "what is kept is not as it was written: stop moho, and restore a backup");
                self.write_down(&[], &chain(&error));
                1
            }
            // The segments are read all the same, and the rows again in the next round.
            Err(error) => {
                tracing::error!(error = %chain(&error), "rows cannot be compared with what was written");
                1
            }
        };
        if found == 0 && !scrub.is_done() {
            self.rows = Some(scrub.clone());
        }
        Ok(Stepped {
            done: scrub.rows().saturating_sub(before),
            findings: found,
            more: true,
        })
    }

    /// Writes down what was found to be damaged, once for each object that has it.
    fn write_down(&self, objects: &[(String, String, String)], what: &str) {
        let nobody = [None];
        let each = objects.iter().map(Some);
        let each = each.chain(nobody.into_iter().filter(|_| objects.is_empty()));
        for object in each {
            let bucket: Option<BucketName> = object.and_then(|(bucket, ..)| bucket.parse().ok());
            let facts = bucket
                .as_ref()
                .and_then(|bucket| self.ground.store.bucket_facts(bucket).ok()?);
            let owner = facts.map(|facts| facts.owner);
            let found = (EventKind::Finding, "ScrubFinding");
            let written = self.ground.write_down(found, (SCRUBBER, owner), |event| {
                event.read_only = true;
                event.damage = Some(what.to_owned());
                event.subject.bucket = bucket;
                event.subject.bucket_account = owner;
                if let Some((_, key, version)) = object {
                    event.subject.key = key.parse().ok();
                    event.subject.version_id = version.parse().ok();
                }
            });
            if let Err(error) = written {
                tracing::error!(error = %chain(&error), "what was found is not in the journal");
            }
        }
    }

    fn place(&mut self) -> Result<Option<String>, StepError> {
        if let Some(place) = &self.place {
            return Ok(place.clone());
        }
        let kept = self.ground.store.job_place(Self::NAME)?;
        Ok(kept.filter(|place| !place.is_empty()))
    }
}

impl Job for ScrubJob {
    const NAME: &'static str = "scrub";
    const PAUSE: Duration = Duration::from_secs(86_400);

    fn step(&mut self, waiting: &Waiting<'_>) -> Result<Stepped, StepError> {
        if let Some(mut scrub) = self.rows.take() {
            return self.compare(&mut scrub);
        }
        let place = self.place()?;
        let mut pace = |bytes: u64| {
            let micros = bytes.saturating_mul(1_000_000).checked_div(RATE).unwrap_or(0);
            if waiting.wait(Duration::from_micros(micros)) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let done = self
            .ground
            .store
            .objects()
            .scrub(place.as_deref(), SEGMENTS, &mut pace)?;
        for finding in &done.findings {
            tracing::error!(
                body = %finding.body,
                part = finding.part,
                chunk = finding.chunk,
                "a segment is not as it was written: {}; the journal and `moho doctor --scrub` name its object", finding.what
            );
            let chunk = finding
                .chunk
                .map_or_else(String::new, |chunk| format!(", chunk {chunk}"));
            let what = format!(
                "{} (part {} of {}{chunk})",
                finding.what, finding.part, finding.body
            );
            self.write_down(&finding.objects, &what);
        }
        let next = done.next.clone();
        let kept = next.clone().unwrap_or_default();
        if place.is_some() || next.is_some() {
            self.ground
                .store
                .set_job_place(Self::NAME, &kept, self.ground.clock.now())?;
        }
        self.place = Some(next.clone());
        if next.is_none() {
            self.rows = Some(Scrub::default());
        }
        Ok(Stepped {
            done: done.segments,
            findings: done.findings.len() as u64,
            more: next.is_some(),
        })
    }
}
