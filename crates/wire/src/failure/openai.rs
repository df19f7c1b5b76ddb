//! Failures as OpenAI words them: `{"error":{"message","type","param","code"}}`.

use super::{Failure, Told};
use crate::Reply;
use crate::json::Writer;

impl Failure {
    pub(super) fn told_openai(&self) -> Told {
        let (status, code) = match self {
            Self::MissingAuthentication
            | Self::MalformedAuthentication(_)
            | Self::UnknownCredentials
            | Self::BadSignature
            | Self::ExpiredCredentials { .. }
            | Self::WrongScope(_)
            | Self::WrongRegion { .. }
            | Self::Skewed(_) => (401, "invalid_api_key"),
            Self::AccessDenied(_) => (403, "access_denied"),
            Self::Invalid { code, .. } => (400, code.unwrap_or("invalid_request")),
            Self::Validation(_) => (400, "invalid_value"),
            Self::NoSuchPath => (404, "unknown_url"),
            Self::UnknownOperation { .. } | Self::UnknownService(_) => (404, "unknown_operation"),
            Self::MethodNotAllowed(_) => (405, "method_not_supported"),
            Self::ModelNotFound(_) => (404, "model_not_found"),
            Self::ResponseNotFound(_) => (404, "response_not_found"),
            Self::PreviousResponseNotFound(_) => (400, "previous_response_not_found"),
            Self::ContextLengthExceeded { .. } => (400, "context_length_exceeded"),
            Self::PayloadTooLarge { .. } => (413, "payload_too_large"),
            Self::RequestTimeout => (408, "request_timeout"),
            Self::Throttled { .. } | Self::Quota(_) => (429, "rate_limit_exceeded"),
            Self::Overloaded { .. } => (503, "server_overloaded"),
            Self::Unavailable | Self::Restored => (503, "service_unavailable"),
            Self::Internal => (500, "server_error"),
            Self::Service { code, status, .. } => (*status, *code),
            Self::ServiceReason { code, .. } => (400, *code),
        };
        Told { status, code }
    }

    /// OpenAI's `type` of the error.
    fn openai_type(&self) -> &'static str {
        if let Self::Quota(quota) = self {
            return quota.kind();
        }
        match self.told_openai().status {
            403 => "permission_denied_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        }
    }

    /// OpenAI's code, which most of what is invalid has none of.
    fn openai_code(&self) -> Option<&'static str> {
        if let Self::Invalid { code, .. } = self {
            return *code;
        }
        Some(self.told_openai().code)
    }

    /// The field to blame.
    fn openai_param(&self) -> Option<&str> {
        match self {
            Self::Invalid { param, .. } => param.as_deref(),
            Self::ModelNotFound(_) => Some("model"),
            Self::PreviousResponseNotFound(_) => Some("previous_response_id"),
            Self::ContextLengthExceeded { .. } => Some("input"),
            Self::MissingAuthentication
            | Self::MalformedAuthentication(_)
            | Self::UnknownCredentials
            | Self::BadSignature
            | Self::ExpiredCredentials { .. }
            | Self::WrongScope(_)
            | Self::WrongRegion { .. }
            | Self::Skewed(_)
            | Self::AccessDenied(_)
            | Self::Validation(_)
            | Self::NoSuchPath
            | Self::MethodNotAllowed(_)
            | Self::UnknownOperation { .. }
            | Self::UnknownService(_)
            | Self::ResponseNotFound(_)
            | Self::PayloadTooLarge { .. }
            | Self::RequestTimeout
            | Self::Throttled { .. }
            | Self::Quota(_)
            | Self::Overloaded { .. }
            | Self::Unavailable
            | Self::Restored
            | Self::Internal
            | Self::Service { .. }
            | Self::ServiceReason { .. } => None,
        }
    }

    /// The `code` inside the `error` of a failed response object, which has a closed list.
    pub(crate) fn response_error_code(&self) -> &'static str {
        match self.told_openai().status {
            429 => "rate_limit_exceeded",
            500.. | 408 => "server_error",
            _ => "invalid_prompt",
        }
    }

    /// The members of OpenAI's flat error event.
    pub(crate) fn write_openai_fields(&self, w: &mut Writer) {
        w.text_or_null("code", self.openai_code());
        w.text("message", &self.message());
        w.text_or_null("param", self.openai_param());
    }

    /// The members of OpenAI's error object.
    pub(crate) fn write_openai_error(&self, w: &mut Writer) {
        w.text("message", &self.message());
        w.text("type", self.openai_type());
        w.text_or_null("param", self.openai_param());
        w.text_or_null("code", self.openai_code());
    }

    pub(super) fn openai_reply(&self) -> Reply {
        let mut w = Writer::new();
        w.object(|w| w.key("error").object(|w| self.write_openai_error(w)));
        Reply {
            status: self.told_openai().status,
            ..Reply::json(w.finish())
        }
    }
}
