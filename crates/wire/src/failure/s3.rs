//! Failures as S3 words them: codes of its own, in a document of its own.

use moho_terms::{ContentBytes, RequestId};
use quick_xml::escape::escape;

use super::aws::printable;
use super::{Failure, Told};
use crate::Reply;

impl Failure {
    /// S3's codes and statuses.
    pub(super) fn told_s3(&self) -> Told {
        let (status, code) = match self {
            Self::MissingAuthentication | Self::AccessDenied(_) => (403, "AccessDenied"),
            Self::MalformedAuthentication(_) | Self::WrongScope(_) | Self::WrongRegion { .. } => {
                (400, "AuthorizationHeaderMalformed")
            }
            Self::UnknownCredentials => (403, "InvalidAccessKeyId"),
            Self::BadSignature => (403, "SignatureDoesNotMatch"),
            Self::ExpiredCredentials { .. } => (400, "ExpiredToken"),
            Self::Skewed(_) => (403, "RequestTimeTooSkewed"),
            Self::Invalid { .. } => (400, "InvalidRequest"),
            Self::Validation(_) | Self::ContextLengthExceeded { .. } => (400, "InvalidArgument"),
            Self::NoSuchPath | Self::UnknownOperation { .. } | Self::UnknownService(_) => {
                (501, "NotImplemented")
            }
            Self::MethodNotAllowed(_) => (405, "MethodNotAllowed"),
            Self::ModelNotFound(_) | Self::ResponseNotFound(_) | Self::PreviousResponseNotFound(_) => {
                (404, "NoSuchKey")
            }
            Self::PayloadTooLarge { .. } => (400, "EntityTooLarge"),
            // S3's clients try a 400 of this code again, and nobody else's.
            Self::RequestTimeout => (400, "RequestTimeout"),
            Self::Throttled { .. } | Self::Quota(_) | Self::Overloaded { .. } => (503, "SlowDown"),
            Self::Unavailable | Self::Restored => (503, "ServiceUnavailable"),
            Self::Internal => (500, "InternalError"),
            Self::Service { code, status, .. } => (*status, *code),
            Self::ServiceReason { code, .. } => (400, *code),
        };
        Told { status, code }
    }

    /// The reply in S3's words, which name the path that was asked for; `""` names none.
    #[must_use]
    pub fn s3_reply(&self, request: &RequestId, resource: &str) -> Reply {
        let told = self.told_s3();
        let message = printable(&self.aws_message());
        let mut headers = vec![
            ("x-amz-request-id", request.to_string()),
            ("x-amz-id-2", request.to_string()),
        ];
        let mut region = String::new();
        // By these, clients find the region that they should have signed for.
        if let Self::WrongRegion { served, .. } = self {
            region = format!("<Region>{}</Region>", escape(served.as_str()));
            headers.push(("x-amz-bucket-region", served.to_string()));
        }
        if let Self::Throttled { retry_after } | Self::Overloaded { retry_after } = self {
            headers.push(("retry-after", retry_after.to_string()));
        }
        let resource = match resource {
            "" => String::new(),
            path => format!("<Resource>{}</Resource>", escape(printable(path).as_str())),
        };
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>{region}{resource}\
             <RequestId>{request}</RequestId><HostId>{request}</HostId></Error>",
            escape(told.code),
            escape(message.as_str()),
        );
        Reply {
            status: told.status,
            content_type: "application/xml",
            headers,
            body: ContentBytes::new(body.into_bytes()),
            elements: None,
        }
    }
}
