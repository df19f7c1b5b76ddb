//! The calls that this process' journal has.

use std::sync::Arc;

use moho_audit::FileJournal;
use moho_iam::authz::Position;

use super::{CallEvent, CallEvents, CallPage, Unreadable};
use crate::api_calls::Recording;

/// Reads them from the journal's file, as far as a checkpoint was published.
pub(crate) struct JournalCalls {
    pub(crate) journal: Arc<FileJournal>,
    pub(crate) recording: Arc<Recording>,
}

/// A call that cannot be told of.
#[derive(Debug, thiserror::Error)]
#[error("the record of the call at position {0} of the journal cannot be opened")]
struct Sealed(u64);

impl CallEvents for JournalCalls {
    fn after(&self, position: u64) -> Result<CallPage, Unreadable> {
        let past = self.journal.log().calls(Position(position))?;
        let mut events = Vec::new();
        for call in &past.calls {
            let records = call.records(&self.recording.seal).ok_or(Sealed(call.position))?;
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

    fn durable_end(&self) -> u64 {
        self.journal.log().checkpoint().checkpoint.size
    }
}
