//! What went wrong, in S3's words: the one place that knows them.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use moho_iam::authz::Refusal;
use moho_terms::RequestId;
use percent_encoding::percent_decode_str;
use s3s::{Body, S3Error, S3ErrorCode};

/// What an error tells of its request.
pub(crate) struct Told {
    request_id: String,
    bucket: Option<String>,
    key: Option<String>,
}

impl Told {
    pub(crate) fn of(request: &Request<Body>, id: &RequestId) -> Self {
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
        let path = path.strip_prefix('/').unwrap_or_default();
        let (bucket, key) = match path.split_once('/') {
            Some((bucket, key)) => (Some(bucket), Some(key)),
            None => (Some(path), None),
        };
        let kept = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        Self {
            request_id: id.to_string(),
            bucket: kept(bucket),
            key: kept(key),
        }
    }

    /// The response with what every response has, and without a body where there can be none.
    pub(crate) fn complete(&self, mut response: Response<Body>, is_head: bool) -> Response<Body> {
        let id = HeaderValue::from_str(&self.request_id);
        if let Ok(id) = id {
            response.headers_mut().insert("x-amz-id-2", id.clone());
            response.headers_mut().insert("x-amz-request-id", id);
        }
        let status = response.status();
        if is_head || status == StatusCode::NOT_MODIFIED {
            let (mut head, _) = response.into_parts();
            if status != StatusCode::OK && status != StatusCode::PARTIAL_CONTENT {
                head.headers.remove(http::header::CONTENT_LENGTH);
                head.headers.remove(http::header::CONTENT_TYPE);
            }
            return Response::from_parts(head, Body::empty());
        }
        if !(status.is_client_error() || status.is_server_error() || status.is_redirection()) {
            return response;
        }
        let (mut head, body) = response.into_parts();
        let body = match body.bytes().as_deref().map(std::str::from_utf8) {
            Some(Ok(text)) => {
                head.headers.remove(http::header::CONTENT_LENGTH);
                Body::from(Bytes::from(self.told(text)))
            }
            Some(Err(_)) | None => body,
        };
        Response::from_parts(head, body)
    }

    /// An error's document, with what S3 says beside code and message.
    fn told(&self, document: &str) -> String {
        let Some(document) = document.strip_suffix("</Error>") else {
            return document.to_owned();
        };
        let code = between(document, "<Code>", "</Code>").unwrap_or_default();
        let mut told = document.to_owned();
        if !document.contains("<Message>") {
            told.push_str(&element("Message", message(code)));
        }
        let named = match code {
            "NoSuchBucket"
            | "BucketAlreadyExists"
            | "BucketAlreadyOwnedByYou"
            | "BucketNotEmpty"
            | "NoSuchBucketPolicy"
            | "NoSuchTagSet"
            | "NoSuchLifecycleConfiguration"
            | "InvalidBucketName" => self.bucket.as_deref().map(|bucket| ("BucketName", bucket)),
            "NoSuchKey" => self.key.as_deref().map(|key| ("Key", key)),
            _ => None,
        };
        if let Some((name, value)) = named.filter(|(_, value)| is_xml(value)) {
            told.push_str(&element(name, value));
        }
        told.push_str(&element("RequestId", &self.request_id));
        told.push_str(&element("HostId", &self.request_id));
        told.push_str("</Error>");
        told
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

fn element(name: &str, value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\r' => escaped.push_str("&#13;"),
            other => escaped.push(other),
        }
    }
    format!("<{name}>{escaped}</{name}>")
}

/// Whether XML 1.0 has all of its characters.
pub(crate) fn is_xml(text: &str) -> bool {
    text.chars().all(|character| {
        matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    })
}

/// The code of the error that a response is.
pub(crate) fn code(response: &Response<Body>) -> Option<String> {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error() || status.is_redirection()) {
        return None;
    }
    let document = response.body().bytes()?;
    let code = between(std::str::from_utf8(&document).ok()?, "<Code>", "</Code>")?;
    Some(code.to_owned())
}

/// An error as a response.
pub(crate) fn response(error: S3Error) -> Option<Response<Body>> {
    error.to_http_response().ok()
}

/// What is said when nothing else can be.
pub(crate) fn internal() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// An error of S3's with its message.
pub(crate) fn error(code: &'static str, status: StatusCode, message: impl Into<String>) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
    let mut error = S3Error::with_message(code, message.into());
    error.set_status_code(status);
    error
}

/// `InvalidRequest`.
pub(crate) fn invalid_request(message: &str) -> S3Error {
    error("InvalidRequest", StatusCode::BAD_REQUEST, message)
}

/// `InvalidArgument`.
pub(crate) fn invalid_argument(message: &str) -> S3Error {
    error("InvalidArgument", StatusCode::BAD_REQUEST, message)
}

/// `MalformedXML`.
pub(crate) fn malformed_xml() -> S3Error {
    error("MalformedXML", StatusCode::BAD_REQUEST, message("MalformedXML"))
}

/// `NotImplemented`.
pub(crate) fn not_implemented(message: &str) -> S3Error {
    error("NotImplemented", StatusCode::NOT_IMPLEMENTED, message)
}

/// `AccessDenied`, and no more.
pub(crate) fn access_denied() -> S3Error {
    error("AccessDenied", StatusCode::FORBIDDEN, "Access Denied")
}

/// What never should be.
pub(crate) fn internal_error() -> S3Error {
    error(
        "InternalError",
        StatusCode::INTERNAL_SERVER_ERROR,
        message("InternalError"),
    )
}

/// A refusal.
pub(crate) fn refused(refusal: &Refusal) -> S3Error {
    match refusal {
        Refusal::AccessDenied { message, .. } => {
            error("AccessDenied", StatusCode::FORBIDDEN, message.as_str())
        }
        Refusal::JournalUnavailable(_) | Refusal::PolicyUnavailable(_) => unavailable(),
    }
}

/// Something that passes.
pub(crate) fn unavailable() -> S3Error {
    error(
        "ServiceUnavailable",
        StatusCode::SERVICE_UNAVAILABLE,
        "Service is unable to handle request.",
    )
}

/// More is asked for than is done at once.
pub(crate) fn slow_down() -> S3Error {
    error(
        "SlowDown",
        StatusCode::SERVICE_UNAVAILABLE,
        "Please reduce your request rate.",
    )
}

/// Nobody waits for it any more, so that nobody hears this.
pub(crate) fn abandoned() -> S3Error {
    error(
        "RequestTimeout",
        StatusCode::BAD_REQUEST,
        "The client went away before the request was done.",
    )
}

/// The words of an error that came without any.
fn message(code: &str) -> &'static str {
    match code {
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published schema"
        }
        "IncompleteBody" => {
            "You did not provide the number of bytes specified by the Content-Length HTTP header"
        }
        "MissingRequestBodyError" => "Request body is empty",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "MaxMessageLengthExceeded" => "Your request was too big.",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "InvalidRequest" => "Invalid Request",
        "NotImplemented" => "A header you provided implies functionality that is not implemented",
        _ => "We encountered an internal error. Please try again.",
    }
}
