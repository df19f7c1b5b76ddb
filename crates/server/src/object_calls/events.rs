//! A call as events of the journal.

use std::sync::atomic::Ordering;

use http::Method;
use moho_iam::authn::Authenticated;
use moho_iam::authz::{
    Delivery, Event, EventAnswer, EventIdentity, EventKind, EventOrigin, EventSource, EventSubject,
    RequestFacts,
};
use moho_s3::DeletionNote;
use moho_terms::{AccountId, BucketName, ObjectKey, Timestamp};
use percent_encoding::percent_decode_str;

use super::names::category;
use super::replied::named_version;
use super::{Observed, copy_source, locked, parameter};

/// S3, as CloudTrail names it.
const SOURCE: &str = "s3.amazonaws.com";

/// Who is told of a call: whoever made it, and whoever has a bucket that it is about.
fn told_of(event: &Event, owners: [Option<AccountId>; 2]) -> Vec<AccountId> {
    let mut told: Vec<AccountId> = event.identity.account.into_iter().collect();
    for owner in owners.into_iter().flatten() {
        if !told.contains(&owner) {
            told.push(owner);
        }
    }
    told
}

impl Observed {
    /// The event of the call, after those of each object of a batch of deletions.
    pub(super) fn events(&self, delivery: Delivery) -> Vec<Event> {
        let (head, noted) = (&self.head, self.notes.so_far());
        let replied = locked(&self.replied);
        let replied = replied.as_ref();
        let called = (EventKind::DataEvent, self.names.operation);
        let (id, identity) = (head.request_id.clone(), self.identity.clone());
        let mut event = Event::new(called, id, identity, head.received);
        event.category = Some(category(self.names.operation, self.raw_key.is_some()));
        event.read_only = matches!(head.method, Method::GET | Method::HEAD);
        event.source = Some(SOURCE);
        event.origin = Some(self.origin.clone());
        event.recipients = told_of(&event, [self.owner, self.source_owner]);
        event.subject = self.subject();
        event.subject.allowed_on = noted.allowed_on.into_iter().collect();
        let own = |account: Option<AccountId>| account.is_some() && account == event.identity.account;
        let source = event.subject.copy_source.as_ref().map(|source| &source.bucket);
        let of_others = |bucket: &BucketName| {
            let is_own_source = Some(bucket) == source && own(self.source_owner);
            let is_own = Some(bucket) == self.bucket.as_ref() && own(self.owner);
            !(is_own || is_own_source)
        };
        event.subject.allowed_on.retain(of_others);
        event.sealing = replied.and_then(|replied| replied.sealing.clone());
        let unsaid = || *locked(&self.failed);
        event.answer = Some(EventAnswer {
            status: replied.map(|replied| replied.status),
            error_code: match replied {
                Some(replied) => replied.error.clone(),
                None => unsaid().map(str::to_owned),
            },
            bytes_in: self.received.load(Ordering::Relaxed),
            bytes_out: self.sent.load(Ordering::Relaxed),
            delivery,
        });
        event.damage = noted.damage;
        if let Some(replied) = replied {
            let subject = &mut event.subject;
            subject.version_id = replied.version_id.clone();
            subject.delete_marker = replied.delete_marker;
            subject.upload_id = subject.upload_id.take().or_else(|| replied.upload_id.clone());
            if let Some(source) = &mut subject.copy_source {
                source.version_id = source
                    .version_id
                    .take()
                    .or_else(|| replied.source_version_id.clone());
            }
        }
        if self.names.operation == "DeleteObjects" {
            event.subject.keys = Some(noted.deleted.len() as u64);
        }
        let mut events: Vec<Event> = noted.deleted.iter().map(|note| part_of(&event, note)).collect();
        events.push(event);
        events
    }

    /// What the request says of what it is about.
    fn subject(&self) -> EventSubject {
        let query = &self.head.raw_query;
        EventSubject {
            bucket: self.bucket.clone(),
            bucket_account: self.owner,
            key: self.raw_key.as_deref().and_then(key),
            requested_version_id: named_version(query).and_then(|version| version.parse().ok()),
            upload_id: parameter(query, "uploadId").and_then(|upload| decoded(upload)?.parse().ok()),
            part: parameter(query, "partNumber").and_then(|part| part.parse().ok()),
            copy_source: copy_source(&self.head).and_then(|source| {
                Some(EventSource {
                    account: self.source_owner,
                    ..copied(&source)?
                })
            }),
            ..EventSubject::default()
        }
    }
}

fn decoded(raw: &str) -> Option<String> {
    percent_decode_str(raw).decode_utf8().ok().map(Into::into)
}

fn key(raw: &str) -> Option<ObjectKey> {
    decoded(raw)?.parse().ok()
}

/// `bucket/key?versionId=…`, with a slash before it or without.
fn copied(source: &str) -> Option<EventSource> {
    let (path, query) = source.split_once('?').unwrap_or((source, ""));
    let path = decoded(path)?;
    let (bucket, key) = path.strip_prefix('/').unwrap_or(&path).split_once('/')?;
    Some(EventSource {
        bucket: bucket.parse().ok()?,
        key: key.parse().ok()?,
        version_id: named_version(query).and_then(|version| version.parse().ok()),
        account: None,
    })
}

/// What came of one object of a batch, as if it had been deleted alone.
fn part_of(batch: &Event, note: &DeletionNote) -> Event {
    let mut event = batch.clone();
    event.event = "DeleteObject";
    let subject = &mut event.subject;
    subject.keys = None;
    subject.part_of = Some("DeleteObjects");
    subject.key = note.key.parse().ok();
    subject.requested_version_id = note.named_version.as_ref().and_then(|named| named.parse().ok());
    subject.version_id.clone_from(&note.version_id);
    subject.delete_marker = note.delete_marker;
    if let Some(answer) = &mut event.answer {
        (answer.bytes_in, answer.bytes_out) = (0, 0);
        answer.error_code.clone_from(&note.error_code);
        // What it would have been had it been asked for alone, the error says.
        answer.status = None;
    }
    event
}

/// A call that a service of moho's own has made, or tried to, of `operation` on a bucket or an object in it.
pub(crate) fn call_of_own_service(
    caller: &Authenticated,
    facts: &RequestFacts,
    (operation, bucket, key): (&'static str, &BucketName, Option<&str>),
    (time, answer): (Timestamp, EventAnswer),
) -> Event {
    let called = (EventKind::DataEvent, operation);
    let identity = EventIdentity::of(caller);
    let mut event = Event::new(called, facts.request_id.clone(), identity, time);
    event.source = Some(SOURCE);
    event.category = Some(category(operation, key.is_some()));
    event.read_only = operation.starts_with("Get");
    event.origin = Some(EventOrigin::of(facts, (None, None), None));
    event.recipients = told_of(&event, [None, None]);
    event.subject.bucket = Some(bucket.clone());
    event.subject.key = key.and_then(|key| key.parse().ok());
    event.answer = Some(answer);
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_to_copy_from_is_read_as_it_may_be_sent() {
        let of = |source| {
            let found = copied(source)?;
            let version = found.version_id.map(|version| version.to_string());
            Some((found.bucket.to_string(), found.key.to_string(), version))
        };
        let told = |key: &str, version: Option<&str>| {
            Some(("a-bucket".to_owned(), key.to_owned(), version.map(str::to_owned)))
        };
        assert_eq!(of("a-bucket/a%20key"), told("a key", None));
        assert_eq!(of("/a-bucket/a/b?versionId=null"), told("a/b", Some("null")));
        assert_eq!(of("a-bucket/k?versionId=no version"), told("k", None));
        assert_eq!(of("a-bucket"), None);
        assert_eq!(of("No Bucket/k"), None);
    }
}
