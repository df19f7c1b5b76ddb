//! What is S3's: not a path, as buckets and keys may have any, but the service that a request is signed for.

use moho_terms::BucketName;

use super::signed::{parameter, signed_for};
use super::{RequestHead, RouteRefused};
use crate::Failure;
use crate::bedrock::{AgentOperation, ControlOperation};

/// The most bytes of a body: an object of 5 GiB, and the lines between its chunks.
pub(super) const LIMIT: usize = (5 << 30) + (256 << 20);

/// What a path of S3 addresses, by how many labels it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressed {
    /// `/`: all buckets.
    Service,
    /// `/bucket`
    Bucket,
    /// `/bucket/key`
    Object,
}

/// What a request addresses, if it is signed for S3.
pub(super) fn addressed(head: &RequestHead<'_>) -> Option<Addressed> {
    (signed_for(head).as_deref() == Some("s3"))
        .then(|| of(head))
        .flatten()
}

/// What a request addresses that nothing proves the sender of, if it bears S3's marks and is nobody else's: it is refused as
/// S3 refuses it. A path alone is no such mark, as others have paths of two labels, too.
pub(super) fn unsigned(head: &RequestHead<'_>, refused: &RouteRefused) -> Option<Addressed> {
    let nobodys = matches!(refused.failure, Failure::NoSuchPath)
        && head.authorization.is_none()
        && signed_for(head).is_none()
        && !is_anothers(head.raw_path);
    (nobodys && has_marks(head)).then(|| of(head)).flatten()
}

/// Whether a path begins as those of another API.
fn is_anothers(raw_path: &str) -> bool {
    let path = raw_path.strip_prefix('/').unwrap_or(raw_path);
    let (first, _) = path.split_once('/').unwrap_or((path, ""));
    matches!(first, "v1" | "openai" | "model" | "foundation-models")
        || ControlOperation::begins(first)
        || AgentOperation::begins(first)
}

/// Whether a request is as only S3's clients make them.
fn has_marks(head: &RequestHead<'_>) -> bool {
    let is_host = |label: &str| label.eq_ignore_ascii_case("s3");
    let mut labels = head.host.split('.');
    head.of_aws
        || labels.next().is_some_and(is_host)
        || labels.next().is_some_and(is_host)
        || MARKS.iter().any(|name| parameter(head.raw_query, name).is_some())
}

/// Parameters that only S3 has.
const MARKS: &[&str] = &[
    "acl",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "legal-hold",
    "lifecycle",
    "list-type",
    "location",
    "logging",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
    "x-id",
];

/// The bucket that a host names, as clients do that address buckets by hosts: `BUCKET.s3.…`. Its name has no dots, as no
/// certificate for `*.s3.…` would be for it.
#[must_use]
pub fn bucket_of_host(host: &str) -> Option<BucketName> {
    let mut labels = host.splitn(3, '.');
    let (bucket, service, rest) = (labels.next()?, labels.next()?, labels.next()?);
    if !service.eq_ignore_ascii_case("s3") || rest.is_empty() {
        return None;
    }
    bucket.to_ascii_lowercase().parse().ok()
}

/// What a request addresses that is nothing else's, if it is signed in a way that only S3 ever was.
pub(super) fn signed_otherwise(head: &RequestHead<'_>) -> Option<Addressed> {
    is_signed_otherwise(head).then(|| of(head)).flatten()
}

fn of(head: &RequestHead<'_>) -> Option<Addressed> {
    let path = head.raw_path.strip_prefix('/')?;
    if bucket_of_host(head.host).is_some() {
        return Some(if path.is_empty() {
            Addressed::Bucket
        } else {
            Addressed::Object
        });
    }
    Some(match path.split_once('/') {
        None if path.is_empty() => Addressed::Service,
        None | Some((_, "")) => Addressed::Bucket,
        Some(_) => Addressed::Object,
    })
}

/// Whether a request has a signature of version 2, or one of version 4 for several regions, neither of which is taken.
fn is_signed_otherwise(head: &RequestHead<'_>) -> bool {
    match head.authorization {
        Some(authorization) => {
            let for_regions = authorization.starts_with("AWS4-ECDSA-P256-SHA256 ");
            authorization.starts_with("AWS ") || (for_regions && authorization.contains("/s3/aws4_request"))
        }
        None => ["AWSAccessKeyId", "Signature"]
            .iter()
            .all(|name| parameter(head.raw_query, name).is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Prefix, Target, route};
    use super::*;
    use crate::ErrorShape;

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=ASIAABCDEFGHIJKLMNOP/20261122/moho-local-1/sts/aws4_request, \
        SignedHeaders=host;x-amz-date, Signature=00";

    fn at<'a>(method: &'a str, raw_path: &'a str) -> RequestHead<'a> {
        RequestHead {
            method,
            raw_path,
            raw_query: "",
            content_type: None,
            authorization: None,
            host: "localhost:8443",
            of_aws: false,
        }
    }

    #[test]
    fn a_host_names_a_bucket() {
        let of = |host| bucket_of_host(host).map(|name| name.to_string());
        assert_eq!(of("my-bucket.s3.example.com:8443").as_deref(), Some("my-bucket"));
        assert_eq!(of("My-Bucket.S3.example.com").as_deref(), Some("my-bucket"));
        for host in [
            "s3.example.com",
            "my-bucket.s3",
            "my-bucket.s3.",
            "my-bucket.s4.example.com",
            "a.my-bucket.s3.example.com",
            "no.s3.example.com",
            "my_bucket.s3.example.com",
            "localhost:8443",
            "192.0.2.1",
        ] {
            assert_eq!(of(host), None, "{host}");
        }
        let signed = SIGNED.replace("/sts/", "/s3/");
        for (path, addressed) in [
            ("/", Addressed::Bucket),
            ("/k", Addressed::Object),
            ("/a/b", Addressed::Object),
        ] {
            let head = RequestHead {
                authorization: Some(&signed),
                host: "my-bucket.s3.example.com",
                ..at("GET", path)
            };
            assert_eq!(
                route(&head).ok().unwrap().target(),
                &Target::S3(addressed),
                "{path}"
            );
        }
    }

    #[test]
    fn what_bears_s3s_marks_without_a_proof_is_s3s_unless_it_is_anothers() {
        let marked = |head: RequestHead<'_>| match route(&head) {
            Ok(found) => found.error_shape() == ErrorShape::S3,
            Err(refused) => {
                assert_eq!(refused.shape, ErrorShape::OpenAi, "{}", head.raw_path);
                false
            }
        };
        for path in ["/my-bucket", "/my-bucket/k", "/"] {
            let of = |raw_query, host, of_aws| RequestHead {
                raw_query,
                host,
                of_aws,
                ..at("GET", path)
            };
            for head in [
                of("list-type=2", "localhost", false),
                of("prefix=x&uploads", "localhost", false),
                of("x-id=GetObject", "localhost", false),
                of("", "s3.example.com", false),
                of("", "my-bucket.s3.example.com:443", false),
                of("", "localhost", true),
            ] {
                assert!(marked(head), "{path}");
            }
            assert!(!marked(of("", "localhost", false)), "{path}");
            assert!(!marked(of("prefix=x", "news3.example.com", false)), "{path}");
            let bearer = RequestHead {
                authorization: Some("Bearer x"),
                ..of("list-type=2", "s3.example.com", true)
            };
            assert!(!marked(bearer), "{path}");
        }
        for path in ["/v1/unknown", "/openai/v2/x", "/v1"] {
            let head = RequestHead {
                raw_query: "list-type=2",
                host: "s3.example.com",
                of_aws: true,
                ..at("GET", path)
            };
            assert!(!marked(head), "{path}");
        }
    }

    #[test]
    fn what_is_signed_for_s3_is_s3s_whatever_its_path() {
        let signed = SIGNED.replace("/sts/", "/s3/");
        let presigned = "X-Amz-Credential=ASIAABCDEFGHIJKLMNOP%2F20261122%2Fmoho-local-1%2Fs3%2Faws4_request";
        let older = "AWSAccessKeyId=AKIA&Expires=1&Signature=x";
        let for_regions = "AWS4-ECDSA-P256-SHA256 Credential=ASIA/20261122/s3/aws4_request, Signature=00";
        for (path, addressed) in [
            ("/", Addressed::Service),
            ("/bucket", Addressed::Bucket),
            ("/bucket/", Addressed::Bucket),
            ("/bucket/key", Addressed::Object),
            ("/v1/responses", Addressed::Object),
            ("/model", Addressed::Bucket),
            ("/bucket//a/../%2F", Addressed::Object),
            ("//key", Addressed::Object),
        ] {
            for (authorization, raw_query) in [
                (Some(signed.as_str()), "x-id=PutObject"),
                (Some("AWS AKIAABCDEFGHIJKLMNOP:c2lnbmF0dXJl"), ""),
                (Some(for_regions), ""),
                (None, presigned),
                (None, older),
            ] {
                let head = RequestHead {
                    raw_query,
                    authorization,
                    ..at("PUT", path)
                };
                let found = route(&head).ok().unwrap();
                assert_eq!(found.target(), &Target::S3(addressed), "{path}");
                let shape = (found.error_shape(), found.signing_names());
                assert_eq!(shape, (ErrorShape::S3, &["s3"][..]));
                assert!(found.is_streamed() && found.unsigned_limit().is_none());
                assert!(found.command(&|_| Vec::new(), b"").is_err());
            }
        }
    }

    #[test]
    fn what_is_not_signed_for_s3_is_not_s3s() {
        for (authorization, raw_query) in [
            (None, ""),
            (None, "Signature=x"),
            (None, "X-Amz-Credential=a/b/s3"),
            (Some(SIGNED), ""),
            (Some("AWS AKIAABCDEFGHIJKLMNOP:c2lnbmF0dXJl"), ""),
            (Some("Bearer /s3/aws4_request"), ""),
            (
                Some("AWS4-ECDSA-P256-SHA256 Credential=ASIA/20261122/sts/aws4_request"),
                "",
            ),
        ] {
            let head = RequestHead {
                raw_query,
                authorization,
                ..at("GET", "/v1/models")
            };
            let found = route(&head).ok().unwrap();
            assert_eq!(
                found.target(),
                &Target::ListModels(Prefix::Mantle),
                "{authorization:?}"
            );
            assert!(!found.is_streamed());
        }
        let signed = SIGNED.replace("/sts/", "/s3/");
        let elsewhere = RequestHead {
            authorization: Some(&signed),
            ..at("OPTIONS", "*")
        };
        assert!(route(&elsewhere).is_err());
    }
}
