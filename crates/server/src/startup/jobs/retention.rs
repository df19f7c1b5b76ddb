//! Content whose time has come: stored responses and conversations. Each is in the journal before it is gone.

use std::time::Duration;

use moho_iam::authz::EventKind;
use moho_store::{Expired, Expiry, KeptKind, NotWrittenDown};
use moho_terms::Arn;

use super::Ground;
use super::runner::{Job, StepError, Stepped, Waiting};

/// Rows that one transaction deletes: requests wait no longer than for these.
const ROWS: usize = 1000;

/// How often it is tried in a step to empty the log of what was deleted, whoever had it deleted, and how long in between.
const TRIES: usize = 10;
const MOMENT: Duration = Duration::from_millis(50);

/// Deletes it.
pub(super) struct RetentionJob(pub(super) Ground);

impl Job for RetentionJob {
    const NAME: &'static str = "retention";
    const PAUSE: Duration = Duration::from_secs(60);

    fn step(&mut self, waiting: &Waiting<'_>) -> Result<Stepped, StepError> {
        let Expired {
            responses,
            conversations,
            more,
            damaged,
        } = self.0.store.expire_due(self.0.clock.now(), ROWS, &mut |due| {
            due.iter().try_for_each(|expiry| write_down(&self.0, expiry))
        })?;
        let done = responses.saturating_add(conversations);
        if done > 0 {
            tracing::info!(
                responses,
                conversations,
                "content was deleted, as its time had come"
            );
        }
        for (content, why) in &damaged {
            tracing::error!(kind = ?content.kind, id = %content.id, why, "what is damaged cannot be deleted, though its time has come");
        }
        // What is served reads only for moments: between two of them it can be done.
        for _try in 0..TRIES {
            if self.0.store.empty_log_if_owed() || !waiting.wait(MOMENT) {
                break;
            }
        }
        Ok(Stepped {
            done: done as u64,
            findings: damaged.len() as u64,
            more,
        })
    }
}

/// Writes down what is about to be deleted.
fn write_down(ground: &Ground, expiry: &Expiry) -> Result<(), NotWrittenDown> {
    let (name, kind) = match expiry.kind {
        KeptKind::Response => ("RetentionExpiration:Response", "response"),
        KeptKind::Conversation => ("RetentionExpiration:Conversation", "conversation"),
        KeptKind::Prompt => ("RetentionExpiration:Prompt", "prompt"),
    };
    let id = format!("{kind}/{}", expiry.id);
    let named = Arn::of(
        "bedrock-mantle",
        ground.region.as_str(),
        expiry.account.as_str(),
        &id,
    );
    let named = named.map_err(NotWrittenDown::new)?;
    let whose = ("bedrock-mantle.amazonaws.com", Some(expiry.account));
    ground.write_down((EventKind::ServiceEvent, name), whose, |event| {
        event.subject.resource = Some(named);
    })
}
