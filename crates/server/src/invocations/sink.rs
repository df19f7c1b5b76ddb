//! Where log groups are.

use std::error::Error;

use moho_terms::{AccountId, Arn, ContentBytes, Timestamp};

/// The stream that records are put to, as Bedrock names it.
pub(super) const STREAM: &str = "aws/bedrock/modelinvocations";

/// One event of a log stream.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "whoever keeps log groups reads it, and nobody does yet")
)]
pub(crate) struct LogEvent {
    /// A name of its own, which is the same if it is put again: who has it already may leave it out.
    pub(crate) id: String,
    /// When it happened.
    pub(crate) time: Timestamp,
    /// What it says.
    pub(crate) message: ContentBytes,
}

/// Why events were not taken; they are put again. No content.
pub(crate) type LogSinkError = Box<dyn Error + Send + Sync>;

/// Keeps events of log groups. Calls block.
pub(crate) trait LogSink: Send + Sync {
    /// The key that a group's events are sealed under; `None` if the account has no such group.
    fn key(&self, account: AccountId, group: &str) -> Result<Option<Arn>, LogSinkError>;

    /// Puts events to a stream, which is made if it is not there. When this returns, they are on the disk.
    fn put(
        &self,
        account: AccountId,
        group: &str,
        stream: &str,
        events: Vec<LogEvent>,
    ) -> Result<(), LogSinkError>;
}

/// There are no log groups.
pub(crate) struct NoLogGroups;

impl LogSink for NoLogGroups {
    fn key(&self, _account: AccountId, _group: &str) -> Result<Option<Arn>, LogSinkError> {
        Ok(None)
    }

    fn put(
        &self,
        _account: AccountId,
        _group: &str,
        _stream: &str,
        _events: Vec<LogEvent>,
    ) -> Result<(), LogSinkError> {
        Err("there are no log groups".into())
    }
}
