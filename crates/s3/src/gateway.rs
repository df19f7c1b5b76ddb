//! The one way in: a request of a known caller goes in, S3's answer comes out.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, RANGE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use moho_iam::authz::Authorizer;
use moho_kms::Kms;
use moho_store::Store;
use moho_terms::{Clock, Entropy, Region};
use s3s::dto::Range;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::validation::NameValidation;
use s3s::{Body, S3Error};

use crate::call::S3Call;
use crate::checksum::{Algorithm, Checks};
use crate::failure::{self, Told};
use crate::service::{Caller, Operations};
use crate::spelling::Spelling;
use crate::{document, query};

/// What the gateway acts with.
#[derive(Clone)]
pub struct Backing {
    /// Where buckets and objects are kept.
    pub store: Arc<Store>,
    /// The keys that they are sealed under.
    pub kms: Arc<Kms>,
    /// Who decides what a caller may.
    pub authorizer: Arc<Authorizer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for ids.
    pub entropy: Arc<dyn Entropy>,
    /// Where all of it is.
    pub region: Region,
}

/// S3. Each operation asks for its permits under S3's own actions, resources and condition keys, and does what it does
/// with them only.
pub struct S3Gateway {
    service: S3Service,
    operations: Operations,
}

impl S3Gateway {
    /// A gateway over what is kept.
    #[must_use]
    pub fn new(backing: Backing) -> Self {
        let operations = Operations::new(Arc::new(backing));
        let mut builder = S3ServiceBuilder::new(operations.clone());
        builder.set_validation(BucketNames);
        Self {
            service: builder.build(),
            operations,
        }
    }

    /// What is done in turn.
    #[cfg(test)]
    pub(crate) fn work(&self) -> &crate::turns::LongWork {
        self.operations.work()
    }

    /// Answers one request. What cannot be answered any more, since its reply has begun, is broken off: the reply's body
    /// then ends in an error. To `HEAD` nothing but a head is answered.
    pub async fn answer(&self, call: S3Call) -> Response<Body> {
        let told = Told::of(&call.request, &call.facts.request_id);
        let notes = call.notes.clone();
        let is_head = call.request.method() == Method::HEAD;
        let spelling = Spelling::of(&call.request);
        let answered = match prepared(call).await {
            Ok(request) if query::updates_encryption(&request) => {
                let done = self.operations.update_encryption(request).await;
                done.map_or_else(failure::response, Some)
            }
            Ok(request) => self.service.call(request).await.ok(),
            Err(refused) => failure::response(refused),
        };
        let answered = answered.unwrap_or_else(failure::internal);
        notes.noted().error_code = failure::code(&answered);
        told.complete(spelling.correct(answered), is_head)
    }
}

/// The request as s3s reads it. A document is read and checked here: s3s looks at no checksum.
async fn prepared(call: S3Call) -> Result<Request<Body>, S3Error> {
    let S3Call {
        caller,
        facts,
        proof,
        mut request,
        trailers,
        notes,
    } = call;
    query::check(&request)?;
    let unreadable = |range: &HeaderValue| {
        let range = range.to_str().ok();
        range.is_none_or(|range| Range::parse(range).is_err())
    };
    // What is no range, or several, asks for all.
    if request.headers().get(RANGE).is_some_and(unreadable) {
        request.headers_mut().remove(RANGE);
    }
    let conditions = query::conditions(&mut request)?;
    let mut tags = Vec::new();
    if let Some(bounds) = document::bounds(request.method(), request.uri()) {
        let body = std::mem::take(request.body_mut());
        let bytes = document::read(body, announced(&request), bounds).await?;
        let mut checks = Checks::of(&said_of_document(&request), trailers.clone(), None)?;
        checks.update(&bytes);
        checks.finish()?;
        if query::makes_bucket(&request) {
            tags = query::tags_of_bucket(&bytes)?;
        }
        *request.body_mut() = Body::from(bytes);
    }
    request.extensions_mut().insert(Caller {
        caller,
        facts: Arc::new(facts),
        proof,
        trailers,
        tags_of_bucket: tags.into(),
        conditions: Arc::new(conditions),
        notes,
    });
    Ok(request)
}

/// How long a request says that its body is.
fn announced(request: &Request<Body>) -> Option<usize> {
    let length = request.headers().get(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// The most bytes of a document that a request with this head may bring; `None` if it brings none. It is known before any of
/// it is read, and so is the memory that it takes: as much again for what is made of it.
#[must_use]
pub fn largest_document(method: &Method, uri: &Uri) -> Option<usize> {
    document::bounds(method, uri).map(|bounds| bounds.length)
}

/// What headers say of a document. In completing an upload they say what the whole object's checksum is to be.
fn said_of_document(request: &Request<Body>) -> HeaderMap {
    let mut said = request.headers().clone();
    if query::completes_upload(request.method(), request.uri()) {
        for algorithm in Algorithm::ALL {
            said.remove(algorithm.header());
        }
    }
    said
}

/// Which names of buckets can be asked for at all.
struct BucketNames;

impl NameValidation for BucketNames {
    fn validate_bucket_name(&self, name: &str) -> bool {
        query::is_bucket_name(name)
    }
}
