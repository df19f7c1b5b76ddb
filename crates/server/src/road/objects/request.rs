//! The request as the gateway gets it: what proved who calls is gone, and so is the packing of the body.

use std::borrow::Cow;

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use percent_encoding::percent_decode_str;

use crate::net::Head;

/// What is between us and the client only, and what proves who it is.
const STRIPPED: [HeaderName; 8] = [
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// The same of AWS's headers.
const STRIPPED_OF_AMAZON: [&str; 3] = [
    "x-amz-content-sha256",
    "x-amz-decoded-content-length",
    "x-amz-security-token",
];
/// The same in the query.
const STRIPPED_OF_QUERY: [&str; 8] = [
    "x-amz-algorithm",
    "x-amz-content-sha256",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];
/// How a body is said to be in chunks.
const CHUNKED: &str = "aws-chunked";

/// What the head says of the body: policies ask for it.
pub(super) fn declared_payload(head: &Head) -> Option<String> {
    let declared = head.headers.get("x-amz-content-sha256");
    match declared {
        Some(declared) => declared.to_str().ok().map(str::to_owned),
        None => Some("UNSIGNED-PAYLOAD".to_owned()),
    }
}

/// The path that S3 sees, whose first label is the bucket: also of a request whose host names it.
pub(crate) fn path(head: &Head) -> Cow<'_, str> {
    match moho_wire::bucket_of_host(&head.authority) {
        Some(bucket) => Cow::Owned(format!("/{bucket}{}", head.raw_path)),
        None => Cow::Borrowed(&head.raw_path),
    }
}

/// The request without its body, which has so many bytes. `None` if it is none, which a request that was taken in is not.
pub(super) fn stripped(head: &Head, length: Option<u64>) -> Option<Request<()>> {
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for (name, value) in &head.headers {
        if !STRIPPED.contains(name) && !STRIPPED_OF_AMAZON.contains(&name.as_str()) {
            headers.append(name.clone(), value.clone());
        }
    }
    unpack(&mut headers)?;
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let query = query(head, &mut headers)?;
    let path = path(head);
    let uri = match query.as_str() {
        "" => path.into_owned(),
        query => format!("{path}?{query}"),
    };
    let mut request = Request::builder()
        .method(head.method.clone())
        .uri(uri)
        .body(())
        .ok()?;
    *request.headers_mut() = headers;
    Some(request)
}

/// Leaves of `Content-Encoding` what is to be kept with the object.
fn unpack(headers: &mut HeaderMap) -> Option<()> {
    let mut kept: Vec<String> = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let encodings = value.to_str().ok()?.split(',').map(str::trim);
        let encodings = encodings.filter(|encoding| !encoding.is_empty());
        kept.extend(
            encodings
                .filter(|encoding| !encoding.eq_ignore_ascii_case(CHUNKED))
                .map(str::to_owned),
        );
    }
    headers.remove(CONTENT_ENCODING);
    if !kept.is_empty() {
        headers.insert(CONTENT_ENCODING, HeaderValue::try_from(kept.join(",")).ok()?);
    }
    Some(())
}

/// What the query asks for. Headers that a presigned URL has in its query, as some SDKs put them there, become headers:
/// else what they ask for would not be done, such as which key to seal with.
fn query(head: &Head, headers: &mut HeaderMap) -> Option<String> {
    let presigned = moho_iam::authn::is_presigned(&head.raw_query);
    let mut kept: Vec<&str> = Vec::new();
    for pair in head.raw_query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase();
        if STRIPPED_OF_QUERY.contains(&name.as_str()) {
            continue;
        }
        if presigned && name.starts_with("x-amz-") {
            let name = HeaderName::try_from(name).ok()?;
            // As it was signed, and as everything else in the query is read.
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8().ok()?;
            let value = HeaderValue::from_str(&value).ok()?;
            headers.entry(name).or_insert(value);
            continue;
        }
        kept.push(pair);
    }
    Some(kept.join("&"))
}
