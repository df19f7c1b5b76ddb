//! What the beginning of a reply says of a call.

use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use moho_iam::authz::EventSealing;
use moho_terms::{UploadId, VersionId};

use super::{Observed, locked, parameter, text};

/// What is known of the reply when it begins.
pub(super) struct Replied {
    pub(super) status: u16,
    pub(super) error: Option<String>,
    pub(super) object_size: Option<u64>,
    pub(super) version_id: Option<VersionId>,
    pub(super) delete_marker: bool,
    pub(super) source_version_id: Option<VersionId>,
    /// The upload that was begun.
    pub(super) upload_id: Option<UploadId>,
    pub(super) sealing: Option<EventSealing>,
    pub(super) turn_around_micros: u64,
}

impl Replied {
    pub(super) fn of(
        call: &Observed,
        status: StatusCode,
        (headers, body): (&[(HeaderName, HeaderValue)], Option<&[u8]>),
    ) -> Self {
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| known.as_str() == name);
            found.and_then(|(_, value)| value.to_str().ok())
        };
        let version = |name: &str| header(name).and_then(|version| version.parse().ok());
        let error = (status.as_u16() >= 300).then(|| error_code(call, body)).flatten();
        let now = call.clock.now().unix_micros();
        Self {
            status: status.as_u16(),
            error,
            object_size: object_size(call, &header, status.is_success()),
            version_id: version("x-amz-version-id"),
            delete_marker: header("x-amz-delete-marker") == Some("true"),
            source_version_id: version("x-amz-copy-source-version-id"),
            upload_id: body
                .filter(|_| call.names.operation == "CreateMultipartUpload")
                .and_then(|body| element(body, "UploadId")?.parse().ok()),
            sealing: sealing(&header),
            turn_around_micros: now.saturating_sub(call.head.received.unix_micros()),
        }
    }
}

/// Why it was refused: as the road, the document or, of `HEAD`, only the gateway says it.
fn error_code(call: &Observed, body: Option<&[u8]>) -> Option<String> {
    if let Some(code) = *locked(&call.failed) {
        return Some(code.to_owned());
    }
    let told = body.and_then(|body| element(body, "Code")).map(str::to_owned);
    told.or_else(|| call.notes.so_far().error_code)
}

/// Bytes of the object that was put or read.
fn object_size<'a>(
    call: &Observed,
    replied: &dyn Fn(&str) -> Option<&'a str>,
    succeeded: bool,
) -> Option<u64> {
    call.raw_key.as_ref().filter(|_| succeeded)?;
    let sent = |name: &str| text(&call.head.headers, name)?.parse().ok();
    match call.head.method {
        Method::GET | Method::HEAD => match replied(CONTENT_RANGE.as_str()) {
            Some(range) => range.rsplit('/').next()?.parse().ok(),
            None => replied(CONTENT_LENGTH.as_str())?.parse().ok(),
        },
        Method::PUT => sent("x-amz-decoded-content-length").or_else(|| sent(CONTENT_LENGTH.as_str())),
        _ => None,
    }
}

fn sealing<'a>(header: &dyn Fn(&str) -> Option<&'a str>) -> Option<EventSealing> {
    let sse = ["AES256", "aws:kms", "aws:kms:dsse"]
        .into_iter()
        .find(|known| header("x-amz-server-side-encryption") == Some(*known))?;
    let key = header("x-amz-server-side-encryption-aws-kms-key-id");
    Some(EventSealing {
        sse,
        key: key.and_then(|key| key.parse().ok()),
    })
}

/// What an element of a short document says, which has it once.
fn element<'a>(document: &'a [u8], name: &str) -> Option<&'a str> {
    let document = str::from_utf8(document).ok()?;
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(found, _)| found)
}

/// The version that a request names, as it was sent.
pub(super) fn named_version(raw_query: &str) -> Option<&str> {
    parameter(raw_query, "versionId")
}
