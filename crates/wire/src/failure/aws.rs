//! Failures as AWS words them, in each of its protocols.

use moho_terms::{ContentBytes, RequestId};
use quick_xml::escape::escape;

use super::{Failure, Told};
use crate::Reply;
use crate::json::Writer;

impl Failure {
    /// Codes and statuses of the query protocol, as STS and IAM have them.
    pub(super) fn told_query(&self) -> Told {
        let (status, code) = match self {
            Self::MissingAuthentication => (403, "MissingAuthenticationToken"),
            Self::MalformedAuthentication(_) => (400, "IncompleteSignature"),
            Self::UnknownCredentials => (403, "InvalidClientTokenId"),
            Self::BadSignature | Self::Skewed(_) | Self::WrongScope(_) | Self::WrongRegion { .. } => {
                (403, "SignatureDoesNotMatch")
            }
            Self::ExpiredCredentials { .. } => (403, "ExpiredToken"),
            Self::AccessDenied(_) => (403, "AccessDenied"),
            Self::Invalid { code: Some(_), .. } | Self::Validation(_) => (400, "ValidationError"),
            Self::Invalid { code: None, .. } => (400, "MalformedInput"),
            Self::NoSuchPath => (404, "UnknownOperationException"),
            Self::MethodNotAllowed(_) => (405, "UnknownOperationException"),
            Self::UnknownOperation { operation, .. } if operation.is_empty() => (400, "MissingAction"),
            Self::UnknownOperation { .. } | Self::UnknownService(_) => (400, "InvalidAction"),
            Self::ModelNotFound(_) | Self::ResponseNotFound(_) | Self::PreviousResponseNotFound(_) => {
                (404, "ResourceNotFoundException")
            }
            Self::ContextLengthExceeded { .. } => (400, "ValidationError"),
            Self::PayloadTooLarge { .. } => (413, "RequestEntityTooLarge"),
            Self::RequestTimeout => (408, "RequestTimeout"),
            Self::Throttled { .. } => (400, "Throttling"),
            Self::Quota(quota) if quota.retry_after.is_none() => (400, "LimitExceeded"),
            Self::Quota(_) => (400, "Throttling"),
            Self::Overloaded { .. } | Self::Unavailable | Self::Restored => (503, "ServiceUnavailable"),
            Self::Internal => (500, "InternalFailure"),
            Self::Service { code, status, .. } => (*status, *code),
            Self::ServiceReason { code, .. } => (400, *code),
        };
        Told { status, code }
    }

    /// Codes and statuses of the JSON protocols.
    pub(super) fn told_json(&self) -> Told {
        let (status, code) = match self {
            Self::MissingAuthentication => (400, "MissingAuthenticationTokenException"),
            Self::MalformedAuthentication(_) => (400, "IncompleteSignatureException"),
            Self::UnknownCredentials => (400, "UnrecognizedClientException"),
            Self::BadSignature | Self::Skewed(_) | Self::WrongScope(_) | Self::WrongRegion { .. } => {
                (400, "InvalidSignatureException")
            }
            Self::ExpiredCredentials { .. } => (400, "ExpiredTokenException"),
            Self::AccessDenied(_) => (400, "AccessDeniedException"),
            Self::Invalid { code: None, .. } => (400, "SerializationException"),
            Self::Invalid { code: Some(_), .. }
            | Self::Validation(_)
            | Self::ContextLengthExceeded { .. } => (400, "ValidationException"),
            Self::NoSuchPath
            | Self::MethodNotAllowed(_)
            | Self::UnknownOperation { .. }
            | Self::UnknownService(_) => (400, "UnknownOperationException"),
            Self::ModelNotFound(_) | Self::ResponseNotFound(_) | Self::PreviousResponseNotFound(_) => {
                (400, "ResourceNotFoundException")
            }
            Self::PayloadTooLarge { .. } => (413, "RequestEntityTooLargeException"),
            Self::RequestTimeout => (408, "RequestTimeoutException"),
            Self::Quota(quota) if quota.retry_after.is_none() => (400, "ServiceQuotaExceededException"),
            Self::Throttled { .. } | Self::Quota(_) => (400, "ThrottlingException"),
            Self::Overloaded { .. } | Self::Unavailable | Self::Restored => {
                (503, "ServiceUnavailableException")
            }
            Self::Internal => (500, "InternalServerException"),
            Self::Service { code, status, .. } => (*status, *code),
            Self::ServiceReason { code, .. } => (400, *code),
        };
        Told { status, code }
    }

    /// As the JSON protocols, with the statuses of REST.
    pub(super) fn told_rest(&self) -> Told {
        let told = self.told_json();
        let status = match self {
            Self::MissingAuthentication
            | Self::MalformedAuthentication(_)
            | Self::UnknownCredentials
            | Self::BadSignature
            | Self::Skewed(_)
            | Self::WrongScope(_)
            | Self::WrongRegion { .. }
            | Self::ExpiredCredentials { .. }
            | Self::AccessDenied(_) => 403,
            Self::NoSuchPath
            | Self::UnknownOperation { .. }
            | Self::UnknownService(_)
            | Self::ModelNotFound(_)
            | Self::ResponseNotFound(_)
            | Self::PreviousResponseNotFound(_) => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::Throttled { .. } => 429,
            Self::Quota(quota) if quota.retry_after.is_some() => 429,
            Self::Invalid { .. }
            | Self::Validation(_)
            | Self::ContextLengthExceeded { .. }
            | Self::PayloadTooLarge { .. }
            | Self::RequestTimeout
            | Self::Quota(_)
            | Self::Overloaded { .. }
            | Self::Unavailable
            | Self::Restored
            | Self::Internal
            | Self::Service { .. }
            | Self::ServiceReason { .. } => told.status,
        };
        Told {
            status,
            code: told.code,
        }
    }

    pub(super) fn query_reply(&self, namespace: &str, request: &RequestId) -> Reply {
        let told = self.told_query();
        let blame = if told.status < 500 { "Sender" } else { "Receiver" };
        let message = self.aws_message();
        let body = format!(
            "<ErrorResponse xmlns=\"{}\">\n  <Error>\n    <Type>{blame}</Type>\n    <Code>{}</Code>\n    \
             <Message>{}</Message>\n  </Error>\n  <RequestId>{request}</RequestId>\n</ErrorResponse>\n",
            escape(namespace),
            escape(told.code),
            escape(printable(&message).as_str()),
        );
        Reply {
            status: told.status,
            content_type: "text/xml",
            headers: Vec::new(),
            body: ContentBytes::new(body.into_bytes()),
            elements: None,
        }
    }

    pub(super) fn json_reply(&self, rest: bool) -> Reply {
        let told = if rest { self.told_rest() } else { self.told_json() };
        let mut w = Writer::new();
        w.object(|w| {
            if !rest {
                w.text("__type", told.code);
            }
            w.text("message", &self.aws_message());
            if let Self::ServiceReason { reason, .. } = self {
                w.text("Reason", reason);
            }
        });
        let (content_type, headers) = if rest {
            (
                "application/json",
                vec![("x-amzn-errortype", told.code.to_owned())],
            )
        } else {
            ("application/x-amz-json-1.1", Vec::new())
        };
        Reply {
            status: told.status,
            content_type,
            headers,
            body: w.finish(),
            elements: None,
        }
    }
}

/// XML 1.0 cannot hold most control characters, not even escaped: they become `?`.
pub(crate) fn printable(text: &str) -> String {
    let fits = |c: char| matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && c != '\u{fffe}' && c != '\u{ffff}');
    text.chars().map(|c| if fits(c) { c } else { '?' }).collect()
}
