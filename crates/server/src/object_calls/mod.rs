//! Calls of S3 as they are answered: who made each, what it is about, what was sent either way and what came of it.
//!
//! It is gathered here once, and becomes an event in the journal, and a line in an access log where the bucket wants one. The
//! event is written down before the reply's last byte is sent, so nobody has an answer that the journal does not know of.

mod events;
mod logged;
mod names;
mod replied;
mod told;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use moho_iam::authn::Authenticated;
use moho_iam::authz::{Delivery, EventIdentity, EventOrigin, JournalUnavailable, RequestFacts};
use moho_s3::Notes;
use moho_store::objects::AccessLogging;
use moho_terms::{AccountId, BucketName, Clock};

use self::names::{Addressed, Names};
use self::replied::Replied;
use crate::access_logs::AccessLogs;
use crate::api_calls::Recording;
use crate::net::Head;
use crate::road::chain;
use crate::startup::Platform;

pub(crate) use events::call_of_own_service;
#[cfg(test)]
pub(crate) use names::operations;

/// A call of a known caller that is being answered.
#[derive(Clone)]
pub(crate) struct ObjectCall(Arc<Observed>);

struct Observed {
    recording: Arc<Recording>,
    logs: Arc<AccessLogs>,
    clock: Arc<dyn Clock>,
    head: Arc<Head>,
    identity: EventIdentity,
    origin: EventOrigin,
    names: Names,
    raw_key: Option<String>,
    bucket: Option<BucketName>,
    /// Whose bucket that is, if it was there.
    owner: Option<AccountId>,
    /// Whose what it copies from is, if that was there.
    source_owner: Option<AccountId>,
    logging: Option<Arc<AccessLogging>>,
    /// What it copies from, if that bucket wants a line of its own.
    source: Option<Source>,
    notes: Notes,
    received: AtomicU64,
    sent: AtomicU64,
    /// The code of a failure that the gateway does not know of.
    failed: Mutex<Option<&'static str>>,
    replied: Mutex<Option<Replied>>,
    delivery: Mutex<Option<Delivery>>,
    /// How many of its events are written down.
    events_written: AtomicUsize,
    written: AtomicBool,
}

impl ObjectCall {
    /// A call that `caller` makes.
    pub(crate) fn begin(
        platform: &Platform,
        head: &Arc<Head>,
        facts: &RequestFacts,
        caller: &Authenticated,
    ) -> Self {
        let on = Addressed::of(&crate::road::object_path(head));
        let bucket: Option<BucketName> = on.as_ref().and_then(|on| on.bucket.parse().ok());
        // What cannot be said of the bucket now, the request will hear itself.
        let of_bucket = bucket
            .as_ref()
            .and_then(|bucket| platform.store.bucket_facts(bucket).ok().flatten());
        let presigned = moho_iam::authn::is_presigned(&head.raw_query);
        let copied = copy_source(head);
        let copies = copied.is_some();
        let raw_key = on.as_ref().and_then(|on| on.raw_key.clone());
        let place = (on.is_some(), raw_key.is_some());
        let names = names::named(&head.method, place, &head.raw_query, copies);
        // Until what was restored is accepted nothing is put into it, and no log either.
        let is_served = !platform.restored.waits();
        // The header alone copies nothing.
        let copied = copied.filter(|_| names.logged.starts_with("REST.COPY."));
        let source_owner = copied
            .as_deref()
            .and_then(|copied| source_owner(platform, copied));
        let copied = copied.filter(|_| is_served);
        let source = copied.and_then(|copied| Source::of(platform, &copied));
        let signed = if presigned { "QueryString" } else { "AuthHeader" };
        Self(Arc::new(Observed {
            recording: Arc::clone(&platform.recording),
            logs: Arc::clone(&platform.access_logs),
            clock: Arc::clone(&platform.clock),
            identity: EventIdentity::of(caller),
            origin: EventOrigin::of(facts, (head.tls, head.cipher_suite), Some(signed)),
            names,
            raw_key,
            bucket,
            owner: of_bucket.as_ref().map(|facts| facts.owner),
            logging: of_bucket
                .and_then(|facts| facts.logging.clone())
                .filter(|_| is_served),
            source,
            source_owner,
            notes: Notes::new(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            failed: Mutex::default(),
            replied: Mutex::default(),
            delivery: Mutex::default(),
            events_written: AtomicUsize::new(0),
            written: AtomicBool::new(false),
            head: Arc::clone(head),
        }))
    }

    /// Where the gateway notes what its reply does not say.
    pub(crate) fn notes(&self) -> Notes {
        self.0.notes.clone()
    }

    /// More bytes of the request's body were taken.
    pub(crate) fn received(&self, bytes: usize) {
        self.0.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// More bytes of the reply's body are handed over.
    pub(crate) fn sent(&self, bytes: usize) {
        self.0.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// It failed, whatever the gateway has made of it.
    pub(crate) fn failed(&self, code: &'static str) {
        *locked(&self.0.failed) = Some(code);
    }

    /// The reply as it begins, with its body if that is all there.
    pub(crate) fn replied(
        &self,
        status: StatusCode,
        headers: &[(HeaderName, HeaderValue)],
        body: Option<&[u8]>,
    ) {
        let length = body.map_or(0, |body| body.len() as u64);
        self.0.sent.store(length, Ordering::Relaxed);
        let replied = Replied::of(&self.0, status, (headers, body));
        *locked(&self.0.replied) = Some(replied);
    }

    /// Writes down what came of it, once: before the last of the reply is sent, or when no more of it will be.
    ///
    /// # Errors
    /// [`JournalUnavailable`]: then the rest may not be sent.
    pub(crate) fn finish(&self, delivery: Delivery) -> Result<(), JournalUnavailable> {
        self.0.finish(delivery)
    }

    /// Writes down that all of it is there to be sent, and waits until that is on the disk.
    ///
    /// # Errors
    /// [`JournalUnavailable`]: then the last of it may not be sent.
    pub(crate) async fn complete(&self) -> Result<(), JournalUnavailable> {
        self.0.finish(Delivery::Complete)?;
        self.0.recording.journal.settled().await
    }
}

impl Observed {
    fn finish(&self, delivery: Delivery) -> Result<(), JournalUnavailable> {
        if self.written.load(Ordering::Acquire) {
            return Ok(());
        }
        *locked(&self.delivery) = Some(delivery);
        // What is written down already is not written again, whatever failed behind it.
        let done = self.events_written.load(Ordering::Acquire);
        for event in self.events(delivery).into_iter().skip(done) {
            let told = self.told(&event);
            self.recording.write(event, told)?;
            self.events_written.fetch_add(1, Ordering::AcqRel);
        }
        self.written.store(true, Ordering::Release);
        Ok(())
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let has_replied = locked(&self.replied).is_some();
        let unfinished = if has_replied {
            Delivery::BrokenOff
        } else {
            Delivery::Unanswered
        };
        let delivery = locked(&self.delivery).unwrap_or(unfinished);
        if let Err(error) = self.finish(delivery) {
            let request_id = &self.head.request_id;
            tracing::error!(%request_id, error = %chain(&error), "what came of a call is not in the journal");
        }
        self.log();
    }
}

/// A bucket that is copied from, and wants a line of that.
struct Source {
    bucket: BucketName,
    owner: AccountId,
    raw_key: Option<String>,
    version: Option<String>,
    logging: Arc<AccessLogging>,
}

impl Source {
    fn of(platform: &Platform, copied: &str) -> Option<Self> {
        let (of, version) = Addressed::of_source(copied)?;
        let bucket: BucketName = of.bucket.parse().ok()?;
        let facts = platform.store.bucket_facts(&bucket).ok().flatten()?;
        Some(Self {
            owner: facts.owner,
            logging: facts.logging.clone()?,
            raw_key: of.raw_key,
            bucket,
            version,
        })
    }
}

/// Whose a bucket is that is copied from.
fn source_owner(platform: &Platform, copied: &str) -> Option<AccountId> {
    let (of, _version) = Addressed::of_source(copied)?;
    let bucket: BucketName = of.bucket.parse().ok()?;
    let facts = platform.store.bucket_facts(&bucket).ok().flatten()?;
    Some(facts.owner)
}

/// What a request copies from, if it copies: presigned URLs may have that in their query.
fn copy_source(head: &Head) -> Option<String> {
    const NAME: &str = "x-amz-copy-source";
    if head.method != Method::PUT {
        return None;
    }
    let in_query = || {
        let pairs = head.raw_query.split('&').filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter(|(name, _)| name.eq_ignore_ascii_case(NAME));
        let (_, value) = values
            .next()
            .filter(|_| moho_iam::authn::is_presigned(&head.raw_query))?;
        let value = percent_encoding::percent_decode_str(value).decode_utf8().ok()?;
        Some(value.into_owned())
    };
    text(&head.headers, NAME).or_else(in_query)
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A header, if it is text.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// A parameter of a query, as it was sent.
fn parameter<'a>(raw_query: &'a str, name: &str) -> Option<&'a str> {
    raw_query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
