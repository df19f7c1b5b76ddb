//! What an access log calls a request: `REST.PUT.OBJECT` and the like, by its method, what it is about and its query.

use http::Method;

/// A request's address in S3, as far as access logs tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addressed {
    pub(super) bucket: String,
    /// As it was sent: percent-encoded.
    pub(super) raw_key: Option<String>,
}

impl Addressed {
    /// `None` of a request that names no bucket.
    pub(super) fn of(raw_path: &str) -> Option<Self> {
        let path = raw_path.strip_prefix('/')?;
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return None;
        }
        Some(Self {
            bucket: bucket.to_owned(),
            raw_key: (!key.is_empty()).then(|| key.to_owned()),
        })
    }
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
    }
}
