//! What a request asks for, as far as s3s does not tell it apart: subresources of another method, or of a later S3, must not
//! become requests for the bucket or object itself. `DELETE /bucket?acl` deletes nothing.

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, Method, Request, StatusCode};
use moho_terms::BucketName;
use percent_encoding::percent_decode_str;
use s3s::dto::{BucketInfo, LocationInfo, Tag};
use s3s::xml::{DeError, Deserializer};
use s3s::{Body, S3Error, S3ErrorCode};

use crate::service::Conditions;
use crate::{entity_tags, failure, told};

/// Subresources of buckets, with the methods that they have here or at s3s, which answers what nobody implements.
const OF_BUCKETS: &[(&str, &[Method])] = &[
    ("accelerate", &[Method::GET, Method::PUT]),
    ("acl", &[Method::GET, Method::PUT]),
    ("analytics", &[Method::GET, Method::PUT, Method::DELETE]),
    ("cors", &[Method::GET, Method::PUT, Method::DELETE]),
    ("delete", &[Method::POST]),
    ("encryption", &[Method::GET, Method::PUT, Method::DELETE]),
    ("intelligent-tiering", &[Method::GET, Method::PUT, Method::DELETE]),
    ("inventory", &[Method::GET, Method::PUT, Method::DELETE]),
    ("lifecycle", &[Method::GET, Method::PUT, Method::DELETE]),
    ("location", &[Method::GET]),
    ("logging", &[Method::GET, Method::PUT]),
    ("metadataTable", &[Method::GET, Method::POST, Method::DELETE]),
    ("metrics", &[Method::GET, Method::PUT, Method::DELETE]),
    ("notification", &[Method::GET, Method::PUT]),
    ("object-lock", &[Method::GET, Method::PUT]),
    ("ownershipControls", &[Method::GET, Method::PUT, Method::DELETE]),
    ("policy", &[Method::GET, Method::PUT, Method::DELETE]),
    ("policyStatus", &[Method::GET]),
    ("publicAccessBlock", &[Method::GET, Method::PUT, Method::DELETE]),
    ("replication", &[Method::GET, Method::PUT, Method::DELETE]),
    ("requestPayment", &[Method::GET, Method::PUT]),
    ("session", &[Method::GET]),
    ("tagging", &[Method::GET, Method::PUT, Method::DELETE]),
    ("uploads", &[Method::GET]),
    ("versioning", &[Method::GET, Method::PUT]),
    ("versions", &[Method::GET]),
    ("website", &[Method::GET, Method::PUT, Method::DELETE]),
];

/// The same of objects.
const OF_OBJECTS: &[(&str, &[Method])] = &[
    ("acl", &[Method::GET, Method::PUT]),
    ("attributes", &[Method::GET]),
    ("encryption", &[Method::PUT]),
    ("legal-hold", &[Method::GET, Method::PUT]),
    ("restore", &[Method::POST]),
    ("retention", &[Method::GET, Method::PUT]),
    ("select", &[Method::POST]),
    ("tagging", &[Method::GET, Method::PUT, Method::DELETE]),
    ("torrent", &[Method::GET]),
    ("uploads", &[Method::POST]),
];

/// What else a query may say without a value.
const PARAMETERS: &[&str] = &[
    "bucket-region",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "id",
    "key-marker",
    "list-type",
    "marker",
    "max-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "partNumber",
    "prefix",
    "select-type",
    "start-after",
    "upload-id-marker",
    "uploadId",
    "version-id-marker",
    "versionId",
];

/// Whether a bucket can be called so.
pub(crate) fn is_bucket_name(name: &str) -> bool {
    name.parse::<BucketName>().is_ok()
}

/// Takes the entity tags from a request to read: it may name several.
pub(crate) fn conditions(request: &mut Request<Body>) -> Result<Conditions, S3Error> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(Conditions::default());
    }
    let headers = request.headers_mut();
    Ok(Conditions {
        if_match: taken(headers, &IF_MATCH)?,
        if_none_match: taken(headers, &IF_NONE_MATCH)?,
    })
}

/// What cannot be compared is refused: who says it relies on it.
fn taken(headers: &mut HeaderMap, name: &HeaderName) -> Result<Option<Vec<String>>, S3Error> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    let lines = headers.get_all(name).iter().map(|line| line.to_str().ok());
    let lines: Option<Vec<&str>> = lines.collect();
    let tags = lines.and_then(|lines| entity_tags::named(&lines.join(",")));
    let tags = tags
        .ok_or_else(|| failure::invalid_argument(&format!("The value of the header {name} is not valid.")))?;
    headers.remove(name);
    Ok(Some(tags))
}

/// Whether a request brings a document, and not an object's bytes.
pub(crate) fn brings_document(method: &Method, uri: &http::Uri) -> bool {
    let path = percent_decode_str(uri.path()).decode_utf8_lossy();
    let given = names(uri);
    let of_object = OF_OBJECTS
        .iter()
        .any(|(name, _)| given.iter().any(|given| given == name));
    match *method {
        Method::POST => true,
        Method::PUT => object_in(&path).is_none() || of_object,
        _ => false,
    }
}

/// Whether a request is one for `CompleteMultipartUpload`.
pub(crate) fn completes_upload(method: &Method, uri: &http::Uri) -> bool {
    method == Method::POST && names(uri).iter().any(|name| name == "uploadId")
}

/// Whether a request is one for `DeleteObjects`.
pub(crate) fn deletes_several(method: &Method, uri: &http::Uri) -> bool {
    let path = percent_decode_str(uri.path()).decode_utf8_lossy();
    method == Method::POST && object_in(&path).is_none() && names(uri).iter().any(|name| name == "delete")
}

/// Whether a request is one for `CreateBucket`.
pub(crate) fn makes_bucket(request: &Request<Body>) -> bool {
    let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
    let given = names(request.uri());
    let of_bucket = OF_BUCKETS
        .iter()
        .any(|(name, _)| given.iter().any(|given| given == name));
    request.method() == Method::PUT && object_in(&path).is_none() && !of_bucket
}

/// Whether a request is one for `UpdateObjectEncryption`, which s3s would take for `PutObject`.
pub(crate) fn updates_encryption(request: &Request<Body>) -> bool {
    let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
    let names = names(request.uri());
    request.method() == Method::PUT
        && object_in(&path).is_some()
        && names.iter().any(|name| name == "encryption")
}

/// Whether an object's attributes are asked for.
pub(crate) fn asks_for_attributes(uri: &http::Uri) -> bool {
    names(uri).iter().any(|name| name == "attributes")
}

/// The tags that a bucket is to be made with.
pub(crate) fn tags_of_bucket(document: &[u8]) -> Result<Vec<(String, String)>, S3Error> {
    let mut tags: Vec<Tag> = Vec::new();
    if document.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Deserializer::new(document);
    let read = reader.named_element("CreateBucketConfiguration", |reader| {
        reader.for_each_element(|reader, name| {
            match name {
                b"Tags" => tags = reader.list_content("Tag")?,
                b"LocationConstraint" => drop(reader.content::<String>()?),
                b"Location" => drop(reader.content::<LocationInfo>()?),
                b"Bucket" => drop(reader.content::<BucketInfo>()?),
                _ => return Err(DeError::UnexpectedTagName),
            }
            Ok(())
        })
    });
    read.map_err(|_malformed| failure::malformed_xml())?;
    Ok(told::tags_read(&tags))
}

/// The bucket and the key, percent-encoded, of a path that names an object.
pub(crate) fn object_in(path: &str) -> Option<(&str, &str)> {
    let (bucket, key) = path.strip_prefix('/')?.split_once('/')?;
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}

/// Refuses what s3s would take for something else.
pub(crate) fn check(request: &Request<Body>) -> Result<(), S3Error> {
    let path = request.uri().path();
    if !is_encoded(path) {
        return Err(failure::error(
            "InvalidURI",
            StatusCode::BAD_REQUEST,
            "Couldn't parse the specified URI.",
        ));
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let subresources = match decoded.strip_prefix('/') {
        None | Some("") => &[][..],
        Some(_) if object_in(&decoded).is_some() => OF_OBJECTS,
        Some(_) => OF_BUCKETS,
    };
    let given = names(request.uri());
    let has = |name: &str| given.iter().any(|given| given == name);
    if request.method() == Method::POST && is_form(request) {
        return Err(S3Error::with_message(
            S3ErrorCode::NotImplemented,
            "Uploads by HTML forms are not implemented. Use a presigned URL.",
        ));
    }
    check_subresources(request, subresources, &given)?;
    let in_parts = has("uploadId") || has("partNumber");
    if *request.method() == Method::PUT && in_parts && !(has("uploadId") && has("partNumber")) {
        return Err(S3Error::with_message(
            S3ErrorCode::InvalidArgument,
            "This operation does not accept a query-string.",
        ));
    }
    Ok(())
}

/// Whether a path says a byte wherever it begins to say one.
fn is_encoded(path: &str) -> bool {
    let mut encoded = path.split('%').skip(1);
    encoded.all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

fn check_subresources(
    request: &Request<Body>,
    known: &[(&str, &[Method])],
    given: &[String],
) -> Result<(), S3Error> {
    let mut named = known
        .iter()
        .filter(|(name, _)| given.iter().any(|given| given == name));
    let first = named.next();
    if let (Some((first, _)), Some((second, _))) = (first, named.next()) {
        let message = format!("Conflicting query string parameters: {first}, {second}");
        return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
    }
    match first {
        Some((_, methods)) if !methods.contains(request.method()) => Err(S3Error::with_message(
            S3ErrorCode::MethodNotAllowed,
            "The specified method is not allowed against this resource.",
        )),
        Some(_) => Ok(()),
        None if without_value(request.uri())
            .iter()
            .any(|name| !PARAMETERS.contains(&name.as_str())) =>
        {
            Err(S3Error::with_message(
                S3ErrorCode::NotImplemented,
                "A parameter you provided implies functionality that is not implemented.",
            ))
        }
        None => Ok(()),
    }
}

fn is_form(request: &Request<Body>) -> bool {
    let content_type = request.headers().get(http::header::CONTENT_TYPE);
    let content_type = content_type.map_or(&[][..], http::HeaderValue::as_bytes);
    let form = b"multipart/form-data";
    content_type
        .get(..form.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(form))
}

/// The names of a query's parameters.
fn names(uri: &http::Uri) -> Vec<String> {
    parameters(uri).map(|(name, _)| name).collect()
}

/// Of those without a value.
fn without_value(uri: &http::Uri) -> Vec<String> {
    parameters(uri)
        .filter(|(_, value)| value.is_empty())
        .map(|(name, _)| name)
        .collect()
}

fn parameters(uri: &http::Uri) -> impl Iterator<Item = (String, &str)> {
    let pairs = uri.query().unwrap_or("").split('&');
    pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = name.replace('+', " ");
        (percent_decode_str(&name).decode_utf8_lossy().into_owned(), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_encoded_is_none() {
        for path in ["/", "/a/b", "/a%20b", "/%00%fF", "/%2525"] {
            assert!(is_encoded(path), "{path}");
        }
        for path in ["/%", "/a%2", "/%zz", "/%%20", "/%2g", "/%\u{e4}"] {
            assert!(!is_encoded(path), "{path}");
        }
    }
}
