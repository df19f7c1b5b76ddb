//! The calls that this process' journal has.

use std::sync::Arc;

use moho_audit::FileJournal;
use moho_iam::authz::Position;
use moho_terms::Timestamp;

use super::{CallEvent, CallEvents, CallPage, Unreadable};
use crate::api_calls::Recording;

/// Reads them from the journal's file, as far as a checkpoint was published.
pub(crate) struct JournalCalls {
    pub(crate) journal: Arc<FileJournal>,
    pub(crate) recording: Arc<Recording>,
}

impl CallEvents for JournalCalls {
    fn after(&self, position: u64) -> Result<CallPage, Unreadable> {
        let past = self.journal.log().calls(Position(position))?;
        let mut events = Vec::new();
        for call in &past.calls {
            // Beside a restored store, a journal has records of another one's.
            let Some(records) = call.records(&self.recording.seal) else {
                tracing::warn!(
                    position = call.position,
                    "the record of a call in the journal is of another store: no trail delivers it"
                );
                continue;
            };
            events.extend(records.into_iter().map(|(account, record)| CallEvent {
                position: call.position,
                account,
                record,
            }));
        }
        Ok(CallPage {
            events,
            end: past.until,
        })
    }

    fn journal(&self) -> String {
        self.journal.log().trust().origin.as_str().to_owned()
    }

    fn since(&self, time: Timestamp) -> Result<u64, Unreadable> {
        Ok(self.journal.log().since(time)?.0)
    }

    fn written_after(&self, position: u64) -> Result<Option<Timestamp>, Unreadable> {
        Ok(self.journal.log().written_after(Position(position))?)
    }

    fn durable_end(&self) -> u64 {
        self.journal.log().checkpoint().checkpoint.size
    }
}
