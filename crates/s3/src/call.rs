//! One request as it comes here: its caller is known, its signature was checked, its body is plain.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::HeaderMap;
use moho_iam::authn::Authenticated;
use moho_iam::authz::RequestFacts;
use moho_terms::{Arn, BucketName, Timestamp, VersionId};
use s3s::Body;

/// A request to S3 after its caller has proved who it is. Headers and query are as they were sent, except that what proved
/// the caller is not among them: no `Authorization`, no `X-Amz-Signature` and the like. The body is what was meant to be
/// stored: without the framing of `aws-chunked`, whose trailing headers come in [`trailers`](Self::trailers).
pub struct S3Call {
    /// Who sends it.
    pub caller: Arc<Authenticated>,
    /// What else is known about it.
    pub facts: RequestFacts,
    /// How the caller proved who it is: policies ask about it.
    pub proof: Proof,
    /// The request. Its path is still percent-encoded, as sent; with `Host` or an authority.
    pub request: http::Request<Body>,
    /// The headers that follow the body, once it was read.
    pub trailers: Trailers,
    /// A place for what is to be written down of it beside what the reply says.
    pub notes: Notes,
}

/// How a signature came, as far as policies ask.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// Whether it was in the query: a presigned URL.
    pub presigned: bool,
    /// When it was made.
    pub signed_at: Option<Timestamp>,
    /// What it says about the body: a hash, `UNSIGNED-PAYLOAD` or a `STREAMING-…` form.
    pub content_sha256: Option<String>,
    /// `1.2` or `1.3`; `None` without TLS.
    pub tls_version: Option<&'static str>,
}

/// A place for the headers that follow a body. Whoever takes the body apart puts them there, once they are verified and
/// before the body ends.
#[derive(Debug, Clone, Default)]
pub struct Trailers(Arc<OnceLock<HeaderMap>>);

impl Trailers {
    /// A place in which nothing is yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts them there. The first ones stay.
    pub fn put(&self, headers: HeaderMap) {
        let _first = self.0.get_or_init(|| headers);
    }

    /// A header among them, if they have come.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get()?.get(name)?.to_str().ok()
    }
}

/// A place for what is to be written down of a call and that its reply does not say, or not everybody. It is filled until
/// the reply's body has ended.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<Noted>>);

/// What was noted of a call.
#[derive(Debug, Clone, Default)]
pub struct Noted {
    /// The error's code, which a reply to `HEAD` does not say.
    pub error_code: Option<String>,
    /// What is not as it was written, and so was not read.
    pub damage: Option<String>,
    /// What came of each object of a batch of deletions.
    pub deleted: Vec<DeletionNote>,
    /// Buckets that something was allowed on, or on what is in them.
    pub allowed_on: BTreeSet<BucketName>,
}

/// What came of one object of a batch of deletions.
#[derive(Debug, Clone)]
pub struct DeletionNote {
    /// The object's key, as it was named.
    pub key: String,
    /// The version, as it was named.
    pub named_version: Option<String>,
    /// The version that was deleted, or the delete marker that was made.
    pub version_id: Option<VersionId>,
    /// Whether it is a delete marker that was made or deleted.
    pub delete_marker: bool,
    /// Why it was refused.
    pub error_code: Option<String>,
    /// The status that it would have had alone.
    pub status: u16,
}

impl Notes {
    /// A place in which nothing is yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was noted so far.
    #[must_use]
    pub fn so_far(&self) -> Noted {
        self.noted().clone()
    }

    /// Notes that something was allowed on this.
    pub(crate) fn allowed_on(&self, resource: &Arn) {
        let named = resource.as_str().strip_prefix("arn:aws:s3:::");
        let bucket = named.and_then(|named| named.split('/').next()?.parse().ok());
        self.noted().allowed_on.extend(bucket);
    }

    pub(crate) fn noted(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
