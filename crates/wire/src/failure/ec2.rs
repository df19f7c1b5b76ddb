//! Failures as EC2 words them: codes of its own, in an envelope of its own.

use moho_terms::{ContentBytes, RequestId};
use quick_xml::escape::escape;

use super::aws::printable;
use super::{Failure, Told};
use crate::Reply;

impl Failure {
    /// EC2's codes and statuses.
    pub(super) fn told_ec2(&self) -> Told {
        let (status, code) = match self {
            Self::MissingAuthentication => (403, "MissingAuthenticationToken"),
            Self::MalformedAuthentication(_) => (400, "IncompleteSignature"),
            Self::UnknownCredentials
            | Self::BadSignature
            | Self::Skewed(_)
            | Self::WrongScope(_)
            | Self::WrongRegion { .. } => (401, "AuthFailure"),
            Self::ExpiredCredentials { .. } => (400, "RequestExpired"),
            Self::AccessDenied(_) => (403, "UnauthorizedOperation"),
            Self::Invalid { .. } => (400, "InvalidParameterValue"),
            Self::Validation(_) => (400, "InvalidParameter"),
            Self::ContextLengthExceeded { .. } => (400, "InvalidParameter"),
            Self::NoSuchPath => (404, "InvalidAction"),
            Self::MethodNotAllowed(_) => (405, "InvalidAction"),
            Self::UnknownOperation { operation, .. } if operation.is_empty() => (400, "MissingAction"),
            Self::UnknownOperation { .. } | Self::UnknownService(_) => (400, "InvalidAction"),
            Self::ModelNotFound(_) | Self::ResponseNotFound(_) | Self::PreviousResponseNotFound(_) => {
                (404, "InvalidParameter")
            }
            Self::PayloadTooLarge { .. } => (413, "RequestEntityTooLarge"),
            Self::RequestTimeout => (408, "RequestTimeout"),
            Self::Throttled { .. } | Self::Quota(_) => (503, "RequestLimitExceeded"),
            Self::Overloaded { .. } | Self::Unavailable | Self::Restored => (503, "Unavailable"),
            Self::Internal => (500, "InternalError"),
            Self::Service { code, status, .. } => (*status, *code),
            Self::ServiceReason { code, .. } => (400, *code),
        };
        Told { status, code }
    }

    pub(super) fn ec2_reply(&self, request: &RequestId) -> Reply {
        let told = self.told_ec2();
        let message = printable(&self.aws_message());
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors>\
             <RequestID>{request}</RequestID></Response>",
            escape(told.code),
            escape(message.as_str()),
        );
        Reply {
            status: told.status,
            content_type: "text/xml;charset=UTF-8",
            headers: Vec::new(),
            body: ContentBytes::new(body.into_bytes()),
            elements: None,
        }
    }
}
