//! What is S3's: not a path, as buckets and keys may have any, but the service that a request is signed for.

use super::RequestHead;
use super::signed::{parameter, signed_for};

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
        .then(|| of_path(head.raw_path))
        .flatten()
}

/// What a request addresses that is nothing else's, if it is signed in a way that only S3 ever was.
pub(super) fn signed_otherwise(head: &RequestHead<'_>) -> Option<Addressed> {
    is_signed_otherwise(head)
        .then(|| of_path(head.raw_path))
        .flatten()
}

fn of_path(raw_path: &str) -> Option<Addressed> {
    let path = raw_path.strip_prefix('/')?;
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
