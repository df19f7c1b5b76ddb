//! One request as it comes here: its caller is known, its signature was checked, its body is plain.

use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use moho_iam::authn::Authenticated;
use moho_iam::authz::RequestFacts;
use moho_terms::Timestamp;
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

/// What became of one of several keys that a request names to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchKey {
    /// The key.
    pub key: String,
    /// The version that the request names.
    pub version_id: Option<String>,
    /// The code and the status of the error, if it was not deleted.
    pub refused: Option<(String, u16)>,
}

/// All of them: beside a reply, which tells only some of it if it is asked to be quiet.
#[derive(Debug, Clone)]
pub struct Batch(pub Arc<[BatchKey]>);

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
