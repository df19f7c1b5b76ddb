//! Ways in for those who test the parsers with hostile input, below the operations.
//!
//! Nothing here is another path: each function calls what an operation calls. Hidden from the documentation, as it is no
//! interface to build on.

use std::collections::BTreeMap;
use std::ops::Range;

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use moho_terms::Entropy;
use s3s::xml::{Deserialize, Deserializer, Serialize, Serializer};
use s3s::{Body, dto};

use crate::call::Trailers;
use crate::checksum::Checks;
use crate::{entity_tags, query, sealing, service};

/// Pairs of names and values.
type Pairs = Vec<(String, String)>;

/// What is made of a request's method and target, before s3s reads them; `None` if they are refused, or are none.
#[must_use]
pub fn target(method: &str, target: &str) -> Option<[bool; 3]> {
    let request = Request::builder().method(method).uri(target);
    let request = request.body(Body::empty()).ok()?;
    query::check(&request).ok()?;
    Some([
        query::brings_document(request.method(), request.uri()),
        query::makes_bucket(&request),
        query::updates_encryption(&request),
    ])
}

/// The entity tags of a condition.
#[must_use]
pub fn entity_tags(header: &str) -> Option<Vec<String>> {
    entity_tags::named(header)
}

/// The bytes that are copied of a source with so many.
#[must_use]
pub fn source_range(header: &str, size: u64) -> Option<Range<u64>> {
    service::source_range(header, size).ok()
}

/// The pairs of an encryption context.
#[must_use]
pub fn encryption_context(header: &str) -> Option<BTreeMap<String, String>> {
    sealing::pairs(header).ok()
}

/// The checksums of bytes, by algorithm, if they are what the headers say; `None` if not, or the headers say what cannot be.
#[must_use]
pub fn checksums(said: &[(&str, &str)], bytes: &[u8]) -> Option<Pairs> {
    let mut headers = HeaderMap::new();
    for (name, value) in said {
        let name: HeaderName = name.parse().ok()?;
        headers.insert(name, HeaderValue::from_str(value).ok()?);
    }
    let mut checks = Checks::of(&headers, Trailers::new(), None).ok()?;
    checks.update(bytes);
    let sums = checks.finish().ok()?;
    Some(sums.into_iter().map(|sum| (sum.algorithm, sum.value)).collect())
}

/// A lifecycle as it is told once it is set; `None` if the document is none that is taken.
#[must_use]
pub fn lifecycle(document: &[u8], entropy: &dyn Entropy) -> Option<Vec<u8>> {
    let mut reader = Deserializer::new(document);
    let asked = dto::BucketLifecycleConfiguration::deserialize(&mut reader).ok()?;
    reader.expect_eof().ok()?;
    let told = dto::BucketLifecycleConfiguration {
        rules: service::lifecycle_told_again(&asked.rules, entropy).ok()?,
    };
    let mut written = Vec::new();
    told.serialize(&mut Serializer::new(&mut written)).ok()?;
    Some(written)
}

/// The tags that a document makes a bucket with.
#[must_use]
pub fn tags_of_bucket(document: &[u8]) -> Option<Pairs> {
    query::tags_of_bucket(document).ok()
}

/// The key under which a document has an object sealed, and whether as a bucket key.
#[must_use]
pub fn new_key(document: &[u8]) -> Option<(String, bool)> {
    service::new_key(document).ok()
}
