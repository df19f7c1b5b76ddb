//! What an access log calls a request: `REST.PUT.OBJECT` and the like, by its method, what it is about and its query.

use http::Method;
use percent_encoding::percent_decode_str;

/// A request's address in S3, as far as access logs tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addressed {
    pub(super) bucket: String,
    /// As it was sent: percent-encoded.
    pub(super) raw_key: Option<String>,
}

impl Addressed {
    /// `None` of a request that names no bucket. Paths are decoded before they are taken apart, as they are where requests are
    /// answered: `/%62ucket%2Fkey` names a bucket and a key.
    pub(super) fn of(raw_path: &str) -> Option<Self> {
        let path = raw_path.strip_prefix('/')?;
        let (bucket, key) = split(path);
        let bucket = percent_decode_str(bucket).decode_utf8().ok()?;
        if bucket.is_empty() {
            return None;
        }
        Some(Self {
            bucket: bucket.into_owned(),
            raw_key: (!key.is_empty()).then(|| key.to_owned()),
        })
    }

    /// What a request copies from, and which version of it, as its header or its presigned query says it.
    pub(super) fn of_source(copy_source: &str) -> Option<(Self, Option<String>)> {
        let (path, query) = copy_source.split_once('?').unwrap_or((copy_source, ""));
        let path = path.strip_prefix('/').unwrap_or(path);
        let of = Self::of(&format!("/{path}")).filter(|of| of.raw_key.is_some())?;
        Some((of, query.strip_prefix("versionId=").map(str::to_owned)))
    }
}

/// A path at its first slash, however that is written.
fn split(path: &str) -> (&str, &str) {
    let encoded = [path.find("%2F"), path.find("%2f")];
    let slash = path.find('/').map(|at| (at, 1));
    let slashes = encoded.into_iter().flatten().map(|at| (at, 3)).chain(slash);
    let (at, length) = slashes.min().unwrap_or((path.len(), 0));
    let (bucket, rest) = path.split_at_checked(at).unwrap_or((path, ""));
    (bucket, rest.get(length..).unwrap_or_default())
}

/// Subresources of objects, and what they are called.
const OF_OBJECTS: &[(&str, &str)] = &[
    ("acl", "ACL"),
    ("attributes", "OBJECT_ATTRIBUTES"),
    ("encryption", "OBJECT_ENCRYPTION"),
    ("legal-hold", "LEGAL_HOLD"),
    ("restore", "OBJECT_RESTORE"),
    ("retention", "RETENTION"),
    ("select", "SELECT_OBJECT"),
    ("tagging", "OBJECT_TAGGING"),
    ("torrent", "OBJECTTORRENT"),
];

/// The same of buckets.
const OF_BUCKETS: &[(&str, &str)] = &[
    ("acl", "ACL"),
    ("cors", "CORS"),
    ("delete", "MULTI_OBJECT_DELETE"),
    ("encryption", "ENCRYPTION"),
    ("lifecycle", "LIFECYCLE"),
    ("location", "LOCATION"),
    ("logging", "LOGGING_STATUS"),
    ("notification", "NOTIFICATION"),
    ("object-lock", "OBJECT_LOCK_CONFIGURATION"),
    ("ownershipControls", "OWNERSHIP_CONTROLS"),
    ("policy", "BUCKETPOLICY"),
    ("policyStatus", "POLICY_STATUS"),
    ("publicAccessBlock", "PUBLIC_ACCESS_BLOCK"),
    ("requestPayment", "REQUEST_PAYMENT"),
    ("tagging", "TAGGING"),
    ("uploads", "UPLOADS"),
    ("versioning", "VERSIONING"),
    ("versions", "BUCKETVERSIONS"),
    ("website", "WEBSITE"),
];

/// What a request is called. `copies` is whether it names a source to copy from.
pub(super) fn named(method: &Method, on_object: bool, raw_query: &str, copies: bool) -> String {
    let has = |name: &str| {
        raw_query
            .split('&')
            .any(|pair| pair.split('=').next().is_some_and(|key| key == name))
    };
    if on_object && has("uploadId") {
        return match *method {
            Method::PUT if copies => "REST.COPY.PART".to_owned(),
            Method::PUT => "REST.PUT.PART".to_owned(),
            _ => format!("REST.{}.UPLOAD", method.as_str()),
        };
    }
    if on_object && has("uploads") {
        return format!("REST.{}.UPLOADS", method.as_str());
    }
    let subresources = if on_object { OF_OBJECTS } else { OF_BUCKETS };
    if let Some((_, name)) = subresources.iter().find(|(key, _)| has(key)) {
        return format!("REST.{}.{name}", method.as_str());
    }
    match (on_object, method) {
        (true, &Method::PUT) if copies => "REST.COPY.OBJECT".to_owned(),
        (true, _) => format!("REST.{}.OBJECT", method.as_str()),
        (false, _) => format!("REST.{}.BUCKET", method.as_str()),
    }
}

/// What is called that which a copy reads.
pub(super) fn of_source(raw_query: &str) -> &'static str {
    let is_part = raw_query.split('&').any(|pair| pair.starts_with("uploadId="));
    if is_part {
        "REST.COPY.PART_GET"
    } else {
        "REST.COPY.OBJECT_GET"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_called_as_s3_calls_them() {
        for (method, on_object, query, copies, expected) in [
            (Method::PUT, true, "", false, "REST.PUT.OBJECT"),
            (Method::GET, true, "versionId=1", false, "REST.GET.OBJECT"),
            (Method::HEAD, true, "", false, "REST.HEAD.OBJECT"),
            (Method::PUT, true, "", true, "REST.COPY.OBJECT"),
            (
                Method::PUT,
                true,
                "partNumber=1&uploadId=x",
                false,
                "REST.PUT.PART",
            ),
            (
                Method::PUT,
                true,
                "partNumber=1&uploadId=x",
                true,
                "REST.COPY.PART",
            ),
            (Method::POST, true, "uploads", false, "REST.POST.UPLOADS"),
            (Method::POST, true, "uploadId=x", false, "REST.POST.UPLOAD"),
            (Method::DELETE, true, "uploadId=x", false, "REST.DELETE.UPLOAD"),
            (Method::GET, true, "tagging", false, "REST.GET.OBJECT_TAGGING"),
            (
                Method::GET,
                false,
                "list-type=2&prefix=acl",
                false,
                "REST.GET.BUCKET",
            ),
            (
                Method::POST,
                false,
                "delete",
                false,
                "REST.POST.MULTI_OBJECT_DELETE",
            ),
            (Method::PUT, false, "policy", false, "REST.PUT.BUCKETPOLICY"),
            (
                Method::GET,
                false,
                "versions&prefix=x",
                false,
                "REST.GET.BUCKETVERSIONS",
            ),
        ] {
            assert_eq!(named(&method, on_object, query, copies), expected);
        }
    }

    #[test]
    fn a_path_names_bucket_and_key() {
        let of = |path| Addressed::of(path).map(|found| (found.bucket, found.raw_key));
        assert_eq!(of("/"), None);
        assert_eq!(of("/b"), Some(("b".to_owned(), None)));
        assert_eq!(of("/b/"), Some(("b".to_owned(), None)));
        assert_eq!(of("/b/k/%2F"), Some(("b".to_owned(), Some("k/%2F".to_owned()))));
        let bucket = |key: &str| Some(("bucket".to_owned(), Some(key.to_owned())));
        for path in ["/%62ucket/k", "/bucket%2Fk", "/%62%75cke%74%2fk"] {
            assert_eq!(of(path), bucket("k"), "{path}");
        }
        assert_eq!(of("/bucket%2F/k%2F"), bucket("/k%2F"));
        assert_eq!(of("/%ff/k"), None);
    }

    #[test]
    fn a_copy_names_its_source() {
        let of = |text| Addressed::of_source(text).map(|(of, version)| (of.bucket, of.raw_key, version));
        let source = |version: Option<&str>| {
            let version = version.map(str::to_owned);
            Some(("b".to_owned(), Some("k%20k".to_owned()), version))
        };
        assert_eq!(of("b/k%20k"), source(None));
        assert_eq!(of("/b/k%20k"), source(None));
        assert_eq!(of("%62%2Fk%20k?versionId=v1"), source(Some("v1")));
        assert_eq!(of("b"), None);
    }
}
