//! What a request for S3 is called, by its method, what it is about and its query: `PutObject` in the journal,
//! `REST.PUT.OBJECT` in access logs.

use http::Method;
use moho_iam::authz::EventCategory;
use percent_encoding::percent_decode_str;

/// A request's address in S3.
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

/// What a request is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// The operation, as S3's API has it; `Unknown` of what is none.
    pub(super) operation: &'static str,
    /// In access logs.
    pub(super) logged: String,
}

type Verbs = &'static [(Method, &'static str)];

/// Subresources of objects, what access logs call them, and the operations by their methods.
const OF_OBJECTS: &[(&str, &str, Verbs)] = &[
    (
        "acl",
        "ACL",
        &[(Method::GET, "GetObjectAcl"), (Method::PUT, "PutObjectAcl")],
    ),
    (
        "attributes",
        "OBJECT_ATTRIBUTES",
        &[(Method::GET, "GetObjectAttributes")],
    ),
    (
        "encryption",
        "OBJECT_ENCRYPTION",
        &[(Method::PUT, "UpdateObjectEncryption")],
    ),
    (
        "legal-hold",
        "LEGAL_HOLD",
        &[
            (Method::GET, "GetObjectLegalHold"),
            (Method::PUT, "PutObjectLegalHold"),
        ],
    ),
    ("restore", "OBJECT_RESTORE", &[(Method::POST, "RestoreObject")]),
    (
        "retention",
        "RETENTION",
        &[
            (Method::GET, "GetObjectRetention"),
            (Method::PUT, "PutObjectRetention"),
        ],
    ),
    (
        "select",
        "SELECT_OBJECT",
        &[(Method::POST, "SelectObjectContent")],
    ),
    (
        "tagging",
        "OBJECT_TAGGING",
        &[
            (Method::GET, "GetObjectTagging"),
            (Method::PUT, "PutObjectTagging"),
            (Method::DELETE, "DeleteObjectTagging"),
        ],
    ),
    ("torrent", "OBJECTTORRENT", &[(Method::GET, "GetObjectTorrent")]),
];

/// The same of buckets.
const OF_BUCKETS: &[(&str, &str, Verbs)] = &[
    (
        "acl",
        "ACL",
        &[(Method::GET, "GetBucketAcl"), (Method::PUT, "PutBucketAcl")],
    ),
    (
        "cors",
        "CORS",
        &[
            (Method::GET, "GetBucketCors"),
            (Method::PUT, "PutBucketCors"),
            (Method::DELETE, "DeleteBucketCors"),
        ],
    ),
    (
        "delete",
        "MULTI_OBJECT_DELETE",
        &[(Method::POST, "DeleteObjects")],
    ),
    (
        "encryption",
        "ENCRYPTION",
        &[
            (Method::GET, "GetBucketEncryption"),
            (Method::PUT, "PutBucketEncryption"),
            (Method::DELETE, "DeleteBucketEncryption"),
        ],
    ),
    (
        "lifecycle",
        "LIFECYCLE",
        &[
            (Method::GET, "GetBucketLifecycleConfiguration"),
            (Method::PUT, "PutBucketLifecycleConfiguration"),
            (Method::DELETE, "DeleteBucketLifecycle"),
        ],
    ),
    ("location", "LOCATION", &[(Method::GET, "GetBucketLocation")]),
    (
        "logging",
        "LOGGING_STATUS",
        &[
            (Method::GET, "GetBucketLogging"),
            (Method::PUT, "PutBucketLogging"),
        ],
    ),
    (
        "notification",
        "NOTIFICATION",
        &[
            (Method::GET, "GetBucketNotificationConfiguration"),
            (Method::PUT, "PutBucketNotificationConfiguration"),
        ],
    ),
    (
        "object-lock",
        "OBJECT_LOCK_CONFIGURATION",
        &[
            (Method::GET, "GetObjectLockConfiguration"),
            (Method::PUT, "PutObjectLockConfiguration"),
        ],
    ),
    (
        "ownershipControls",
        "OWNERSHIP_CONTROLS",
        &[
            (Method::GET, "GetBucketOwnershipControls"),
            (Method::PUT, "PutBucketOwnershipControls"),
            (Method::DELETE, "DeleteBucketOwnershipControls"),
        ],
    ),
    (
        "policy",
        "BUCKETPOLICY",
        &[
            (Method::GET, "GetBucketPolicy"),
            (Method::PUT, "PutBucketPolicy"),
            (Method::DELETE, "DeleteBucketPolicy"),
        ],
    ),
    (
        "policyStatus",
        "POLICY_STATUS",
        &[(Method::GET, "GetBucketPolicyStatus")],
    ),
    (
        "publicAccessBlock",
        "PUBLIC_ACCESS_BLOCK",
        &[
            (Method::GET, "GetPublicAccessBlock"),
            (Method::PUT, "PutPublicAccessBlock"),
            (Method::DELETE, "DeletePublicAccessBlock"),
        ],
    ),
    ("requestPayment", "REQUEST_PAYMENT", &[]),
    (
        "tagging",
        "TAGGING",
        &[
            (Method::GET, "GetBucketTagging"),
            (Method::PUT, "PutBucketTagging"),
            (Method::DELETE, "DeleteBucketTagging"),
        ],
    ),
    ("uploads", "UPLOADS", &[(Method::GET, "ListMultipartUploads")]),
    (
        "versioning",
        "VERSIONING",
        &[
            (Method::GET, "GetBucketVersioning"),
            (Method::PUT, "PutBucketVersioning"),
        ],
    ),
    (
        "versions",
        "BUCKETVERSIONS",
        &[(Method::GET, "ListObjectVersions")],
    ),
    ("website", "WEBSITE", &[]),
];

/// Operations on buckets that are about what is in them.
const ABOUT_OBJECTS: &[&str] = &[
    "DeleteObjects",
    "HeadBucket",
    "ListMultipartUploads",
    "ListObjectVersions",
    "ListObjects",
    "ListObjectsV2",
];

const UNKNOWN: &str = "Unknown";

/// Who asks for what sort of thing. `copies` is whether the request names a source to copy from.
pub(super) fn named(
    method: &Method,
    (in_bucket, on_object): (bool, bool),
    query: &str,
    copies: bool,
) -> Names {
    let has = |name: &str| {
        query
            .split('&')
            .any(|pair| pair.split('=').next().is_some_and(|key| key == name))
    };
    let verb = method.as_str();
    let names = |operation, logged| Names { operation, logged };
    if !in_bucket {
        let operation = if *method == Method::GET {
            "ListBuckets"
        } else {
            UNKNOWN
        };
        return names(operation, format!("REST.{verb}.SERVICE"));
    }
    if on_object && has("uploadId") {
        return of_upload(method, copies);
    }
    if on_object && has("uploads") {
        let operation = if *method == Method::POST {
            "CreateMultipartUpload"
        } else {
            UNKNOWN
        };
        return names(operation, format!("REST.{verb}.UPLOADS"));
    }
    let subresources = if on_object { OF_OBJECTS } else { OF_BUCKETS };
    if let Some((_, logged, verbs)) = subresources.iter().find(|(key, ..)| has(key)) {
        let known = verbs.iter().find(|(known, _)| known == method);
        return names(
            known.map_or(UNKNOWN, |(_, name)| name),
            format!("REST.{verb}.{logged}"),
        );
    }
    if on_object && copies && *method == Method::PUT {
        return names("CopyObject", "REST.COPY.OBJECT".to_owned());
    }
    let operation = match (on_object, verb) {
        (true, "GET") => "GetObject",
        (true, "HEAD") => "HeadObject",
        (true, "PUT") => "PutObject",
        (true, "DELETE") => "DeleteObject",
        (false, "GET") if has("list-type") => "ListObjectsV2",
        (false, "GET") => "ListObjects",
        (false, "HEAD") => "HeadBucket",
        (false, "PUT") => "CreateBucket",
        (false, "DELETE") => "DeleteBucket",
        (_, "POST") => "PostObject",
        _ => UNKNOWN,
    };
    let about = if on_object { "OBJECT" } else { "BUCKET" };
    names(operation, format!("REST.{verb}.{about}"))
}

fn of_upload(method: &Method, copies: bool) -> Names {
    let (operation, logged) = match method.as_str() {
        "PUT" if copies => ("UploadPartCopy", "REST.COPY.PART".to_owned()),
        "PUT" => ("UploadPart", "REST.PUT.PART".to_owned()),
        other => {
            let operation = match other {
                "POST" => "CompleteMultipartUpload",
                "GET" => "ListParts",
                "DELETE" => "AbortMultipartUpload",
                _ => UNKNOWN,
            };
            (operation, format!("REST.{other}.UPLOAD"))
        }
    };
    Names { operation, logged }
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

/// What sort of thing an operation is about.
pub(super) fn category(operation: &str, on_object: bool) -> EventCategory {
    if on_object || ABOUT_OBJECTS.contains(&operation) {
        EventCategory::Data
    } else {
        EventCategory::Management
    }
}

/// All operations: their names, of what category they are, and whether they change nothing.
#[cfg(test)]
pub(crate) fn operations() -> Vec<(&'static str, EventCategory, bool)> {
    let of = |table: &'static [(&str, &str, Verbs)], on_object: bool| {
        let verbs = table.iter().flat_map(|(_, _, verbs)| verbs.iter());
        verbs.map(move |(method, name)| (method.clone(), *name, on_object))
    };
    // What has no subresource is named by method and place.
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::POST,
        Method::DELETE,
    ];
    let places = [(false, false), (true, false), (true, true)];
    let queries = [
        "",
        "uploads",
        "uploadId=x",
        "partNumber=1&uploadId=x",
        "list-type=2",
        "delete",
    ];
    let mut all: Vec<(Method, &'static str, bool)> = Vec::new();
    for method in &methods {
        for place in places {
            for query in queries {
                for copies in [false, true] {
                    all.push((
                        method.clone(),
                        named(method, place, query, copies).operation,
                        place.1,
                    ));
                }
            }
        }
    }
    all.extend(of(OF_OBJECTS, true));
    all.extend(of(OF_BUCKETS, false));
    let mut told: Vec<_> = all
        .into_iter()
        .filter(|(_, name, _)| *name != UNKNOWN)
        .map(|(method, name, on_object)| {
            let reads = matches!(method, Method::GET | Method::HEAD);
            (name, category(name, on_object), reads)
        })
        .collect();
    told.sort_unstable_by_key(|(name, category, reads)| (*name, *category == EventCategory::Data, *reads));
    told.dedup();
    told
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
            assert_eq!(named(&method, (true, on_object), query, copies).logged, expected);
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

    /// Every operation has its own request in the list by which they are all refused to who may nothing, so each is known.
    #[test]
    fn every_operation_is_known_by_its_request() {
        let served = include_str!("../../../../tests/clients/s3_operations.txt");
        let served: BTreeSet<&str> = served.lines().filter(|line| !line.starts_with('#')).collect();
        let requests = include_str!("../../../s3/testdata/requests.txt");
        let mut known = BTreeSet::new();
        for line in requests.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ');
            let (method, target) = (words.next().unwrap(), words.next().unwrap());
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let on = Addressed::of(path);
            let on_object = on.as_ref().is_some_and(|on| on.raw_key.is_some());
            let copies = line.contains("x-amz-copy-source:");
            let names = named(&method.parse().unwrap(), (on.is_some(), on_object), query, copies);
            assert!(served.contains(names.operation), "{line}: {}", names.operation);
            known.insert(names.operation);
        }
        assert_eq!(known, served);
    }

    #[test]
    fn what_is_in_a_bucket_is_told_apart_from_the_bucket() {
        for (operation, on_object, expected) in [
            ("GetObject", true, EventCategory::Data),
            ("ListObjectsV2", false, EventCategory::Data),
            ("PutBucketPolicy", false, EventCategory::Management),
            ("ListBuckets", false, EventCategory::Management),
        ] {
            assert_eq!(category(operation, on_object), expected);
        }
    }
}
