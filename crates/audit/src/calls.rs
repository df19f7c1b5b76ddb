//! Calls that the journal has, read again: for whoever is told of them.

use moho_iam::authz::Position;
use moho_terms::{AccountId, RequestId};
use serde::Deserialize;

use crate::chain::Record as Line;
use crate::cloudtrail::Sha256;
use crate::cloudtrail::record::Record;
use crate::error::AuditError;
use crate::hashes::Kept;
use crate::log::TransparencyLog;
use crate::records;
use crate::sealed_record::RecordSeal;

/// The most records that are read at once.
const AT_ONCE: u64 = 1024;

/// A call, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastCall {
    /// The record's number.
    pub position: u64,
    /// The event's own id.
    pub event_id: RequestId,
    /// The accounts that are told of it; the first is the caller's, if that is one of them.
    pub recipients: Vec<AccountId>,
    /// CloudTrail's record of it, sealed.
    pub sealed: String,
}

/// Calls, and how far the journal was read for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastCalls {
    /// The calls, in the journal's order.
    pub calls: Vec<PastCall>,
    /// The last record that was looked at: whoever goes on does so behind it.
    pub until: u64,
}

#[derive(Deserialize)]
struct Said {
    sequence: u64,
    entry: SaidOfCall,
}

#[derive(Deserialize)]
struct SaidOfCall {
    event_id: Option<RequestId>,
    #[serde(default)]
    recipients: Vec<AccountId>,
    record: Option<String>,
}

impl TransparencyLog {
    /// The calls behind record `after`, as far as a checkpoint was published, at most a thousand records of them. All are what
    /// the checkpoint was signed over.
    ///
    /// # Errors
    /// [`AuditError`] if records cannot be read, or are not those of the tree.
    pub fn calls(&self, Position(after): Position) -> Result<PastCalls, AuditError> {
        let lines = self.records(Position(after), AT_ONCE)?;
        let until = after.saturating_add(lines.len() as u64);
        let mut calls = Vec::new();
        for line in &lines {
            let said: Said = serde_json::from_slice(line)
                .map_err(|_unknown| self.damaged("a record cannot be understood"))?;
            calls.extend(PastCall::said(said));
        }
        Ok(PastCalls { calls, until })
    }

    /// The records behind record `after`, as far as a checkpoint was published, at most `limit` of them, each with its line
    /// break. All are what the checkpoint was signed over.
    ///
    /// # Errors
    /// [`AuditError`] if they cannot be read, or are not those of the tree.
    pub fn records(&self, Position(after): Position, limit: u64) -> Result<Vec<Vec<u8>>, AuditError> {
        let end = self.checkpoint().checkpoint.size;
        let count = end.saturating_sub(after).min(limit);
        if count == 0 {
            return Ok(Vec::new());
        }
        let lines = records::read(self.directory(), self.offsets(), after, count)?;
        for (index, line) in (after..).zip(&lines) {
            let read = Line::parse(line).map_err(|what| self.damaged(what))?;
            let digest = self.files().read(Kept::Digests, index, 1)?;
            if read.digest().bytes().as_slice() != digest || read.sequence() != index.saturating_add(1) {
                return Err(self.damaged("a record is not what it was when it was signed"));
            }
        }
        Ok(lines)
    }
}

impl PastCall {
    /// The call that a record of the journal has; `None` if it has none, or is no record.
    #[must_use]
    pub fn read(record: &[u8]) -> Option<Self> {
        Self::said(serde_json::from_slice(record).ok()?)
    }

    fn said(said: Said) -> Option<Self> {
        Some(Self {
            position: said.sequence,
            event_id: said.entry.event_id?,
            recipients: said.entry.recipients,
            sealed: said.entry.record?,
        })
    }

    /// CloudTrail's record for each account that is told; `None` if it was not sealed with this.
    #[must_use]
    pub fn records(&self, seal: &RecordSeal) -> Option<Vec<(AccountId, Record)>> {
        let text = seal.open(&self.event_id, &self.sealed)?;
        let record = Record::parse(text.as_str().as_bytes()).ok()?;
        let shared = self.recipients.len() > 1;
        let of = |(place, account): (usize, &AccountId)| {
            let mut record = record.clone();
            record.recipient_account_id = Some(*account);
            if shared {
                record.shared_event_id = Some(self.event_id.to_string());
            }
            if place > 0 {
                record.event_id = self.id_for(*account);
            }
            (*account, record)
        };
        Some(self.recipients.iter().enumerate().map(of).collect())
    }

    /// The id of the record for another account than the first: always the same one.
    fn id_for(&self, account: AccountId) -> String {
        let digest = Sha256::of(format!("{}/{account}", self.event_id).as_bytes());
        let text = digest.to_string();
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        // RFC 9562, version 8: a UUID of one's own making.
        format!(
            "{}-{}-8{}-a{}-{}",
            part(0, 8),
            part(8, 12),
            part(13, 16),
            part(17, 20),
            part(20, 32)
        )
    }
}
