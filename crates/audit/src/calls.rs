//! Calls that the journal has, read again: for whoever is told of them.

use moho_iam::authz::Position;
use moho_terms::{AccountId, RequestId};
use serde::Deserialize;

use crate::chain::Record as Line;
use crate::cloudtrail::Sha256;
use crate::cloudtrail::record::{Record, RecordText, UserIdentity};
use crate::error::AuditError;
use crate::log::TransparencyLog;
use crate::records;
use crate::sealed_record::{RecordSeal, Sealing};

/// The most records that are read at once: opened, each of their calls has 256 KiB at most.
const AT_ONCE: u64 = 256;

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
    /// The calls behind record `after`, as far as a checkpoint was published, at most 256 records of them. All are what
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
        let mut last: Option<Line> = None;
        for line in &lines {
            let read = Line::parse(line).map_err(|what| self.damaged(what))?;
            if let Some(before) = &last {
                let link = before.after().map_err(|what| self.damaged(what))?;
                if read.before() != link {
                    return Err(self.altered());
                }
            }
            last = Some(read);
        }
        // Each record stands for those before it, so it is enough that the last is in the tree that was signed.
        let Some(last) = last else { return Ok(lines) };
        let proven = self.inclusion(Position(after.saturating_add(count)))?;
        let is_it = proven.is_some_and(|proven| {
            last.sequence() == after.saturating_add(count) && last.digest().tree_hash() == proven.entry
        });
        if is_it { Ok(lines) } else { Err(self.altered()) }
    }

    fn altered(&self) -> AuditError {
        self.damaged("a record is not what it was when it was signed")
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

    /// CloudTrail's record as it was made, as the caller's account has it; `None` if it was not sealed with this.
    #[must_use]
    pub fn open(&self, seal: &RecordSeal) -> Option<RecordText> {
        let of = Sealing {
            id: &self.event_id,
            recipients: &self.recipients,
        };
        seal.open(of, &self.sealed)
    }

    /// CloudTrail's record for each account that is told; `None` if it was not sealed with this.
    #[must_use]
    pub fn records(&self, seal: &RecordSeal) -> Option<Vec<(AccountId, Record)>> {
        let record = Record::parse(self.open(seal)?.as_str().as_bytes()).ok()?;
        let shared = self.recipients.len() > 1;
        let of = |(place, account): (usize, &AccountId)| {
            let mut record = record.clone();
            record.recipient_account_id = Some(*account);
            if shared {
                record.shared_event_id = Some(self.event_id.to_string());
            }
            if place > 0 {
                record.event_id = id_for(&self.event_id.to_string(), *account);
                record = as_told_to_others(record, *account);
            } else if record.error_code.is_some() || is_about_anybodys(&record) {
                record = as_told_of_anybodys(record, *account);
            }
            (*account, record)
        };
        Some(self.recipients.iter().enumerate().map(of).collect())
    }
}

/// The id of the record for another account than the first: always the same one.
pub(crate) fn id_for(event_id: &str, account: AccountId) -> String {
    let digest = Sha256::of(format!("{event_id}/{account}").as_bytes());
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

/// Whether it is about a bucket of which the caller may not know whose it is.
fn is_about_anybodys(record: &Record) -> bool {
    let mut buckets = record
        .resources
        .iter()
        .filter(|resource| resource.kind.as_deref() == Some("AWS::S3::Bucket"));
    record.event_source == "s3.amazonaws.com" && buckets.any(|bucket| bucket.account_id.is_none())
}

/// What a caller is told of such a bucket, and of what it was refused: not whose that is, nor that anybody else is told.
fn as_told_of_anybodys(mut record: Record, account: AccountId) -> Record {
    for resource in &mut record.resources {
        resource.account_id = resource.account_id.filter(|owner| *owner == account);
    }
    record.shared_event_id = None;
    record
}

/// What another account than the caller's is told of a call on what it has: which account called, as who, and nothing of what the
/// caller used beside or is.
fn as_told_to_others(record: Record, account: AccountId) -> Record {
    let caller = record.user_identity.clone();
    let user_identity = if caller.invoked_by.is_some() {
        caller
    } else {
        UserIdentity {
            kind: "AWSAccount".to_owned(),
            principal_id: caller.principal_id,
            account_id: caller.account_id,
            ..UserIdentity::default()
        }
    };
    let own = |resource: &crate::cloudtrail::record::Resource| {
        let of_arn = resource
            .arn
            .as_ref()
            .and_then(|arn| arn.split(':').nth(4)?.parse().ok());
        let owner: Option<AccountId> = resource.account_id.or(of_arn);
        owner.is_none_or(|owner| owner == account)
    };
    Record {
        resources: record
            .resources
            .iter()
            .filter(|resource| own(resource))
            .cloned()
            .collect(),
        user_identity,
        additional_event_data: None,
        service_event_details: None,
        ..record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudtrail::record::Resource;
    use crate::cloudtrail::record::tests::call;
    use moho_iam::authz::EventSubject;
    use moho_terms::Secret;

    #[test]
    fn others_are_told_which_account_called_and_of_their_own_only() {
        let seal = RecordSeal::new(&Secret::new(vec![7; 32]));
        let [own, other]: [AccountId; 2] =
            ["111111111111", "222222222222"].map(|account| account.parse().unwrap());
        let mut record = call();
        let key =
            |account: &AccountId| Resource::of(format!("arn:aws:kms:eu:{account}:key/k"), "AWS::KMS::Key");
        record.resources = vec![key(&own), key(&other)];
        let event_id: RequestId = "00112233-4455-4677-8899-aabbccddeeff".parse().unwrap();
        let recipients = vec![own, other];
        let of = Sealing {
            id: &event_id,
            recipients: &recipients,
        };
        let mut past = PastCall {
            position: 1,
            sealed: seal.seal(of, record.clone()).unwrap(),
            event_id: event_id.clone(),
            recipients,
        };
        let told = past.records(&seal).unwrap();
        let [(to_own, first), (to_other, second)] = told.as_slice() else {
            panic!()
        };
        assert_eq!((to_own, to_other), (&own, &other));
        assert_eq!(
            (&first.user_identity, first.resources.len()),
            (&record.user_identity, 2)
        );
        assert_eq!(first.event_id, record.event_id);
        assert_eq!(second.user_identity.kind, "AWSAccount");
        assert_eq!(
            second.user_identity.principal_id,
            record.user_identity.principal_id
        );
        assert_eq!(
            (&second.user_identity.arn, &second.user_identity.access_key_id),
            (&None, &None)
        );
        assert_eq!(second.resources, [key(&other)]);
        assert_ne!(second.event_id, first.event_id);
        assert_eq!(second.shared_event_id, first.shared_event_id);
        assert_eq!(past.records(&seal).unwrap(), told, "always the same");
        past.recipients.push("333333333333".parse().unwrap());
        assert_eq!(
            past.records(&seal),
            None,
            "nobody can be put to those who are told"
        );
    }

    #[test]
    fn a_caller_is_not_told_whose_a_bucket_is_that_nothing_was_allowed_on() {
        let seal = RecordSeal::new(&Secret::new(vec![7; 32]));
        let recipients: Vec<AccountId> = ["111111111111", "222222222222"]
            .map(|account| account.parse().unwrap())
            .to_vec();
        let event_id: RequestId = "00112233-4455-4677-8899-aabbccddeeff".parse().unwrap();
        let told = |allowed_on: &[&str]| {
            let subject = EventSubject {
                bucket: Some("a-bucket".parse().unwrap()),
                bucket_account: recipients.last().copied(),
                allowed_on: allowed_on.iter().map(|name| name.parse().unwrap()).collect(),
                ..EventSubject::default()
            };
            let mut record = call().on_subject(&subject);
            // A batch of deletions is answered without an error.
            (record.event_source, record.error_code) = ("s3.amazonaws.com".to_owned(), None);
            let of = Sealing {
                id: &event_id,
                recipients: &recipients,
            };
            let past = PastCall {
                position: 1,
                sealed: seal.seal(of, record).unwrap(),
                event_id: event_id.clone(),
                recipients: recipients.clone(),
            };
            serde_json::to_string(&past.records(&seal).unwrap()[0].1).unwrap()
        };
        let hidden = told(&[]);
        assert!(
            !hidden.contains("222222222222") && !hidden.contains("sharedEventID"),
            "{hidden}"
        );
        let known = told(&["a-bucket"]);
        assert!(
            known.contains("222222222222") && known.contains("sharedEventID"),
            "{known}"
        );
    }
}
