//! Why a request is refused, and how each protocol words it.
//!
//! Handlers and the road name *what* went wrong once ([`Failure`]); status, code, type and shape of the body follow
//! from the protocol the client speaks ([`ErrorShape`]).

use moho_terms::{ModelId, RequestId, ResponseId};

use crate::Reply;

/// The error protocol of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorShape {
    /// `{"error":{"message","type","param","code"}}`
    OpenAi,
    /// AWS query: `<ErrorResponse xmlns="…">`.
    Query {
        /// The service's XML namespace.
        namespace: &'static str,
    },
    /// AWS JSON 1.0 and 1.1: `{"__type","message"}`.
    AwsJson,
    /// AWS REST-JSON: `x-amzn-errortype` and `{"message"}`.
    RestJson,
}

/// Why a request failed. Texts in it are written by moho and never repeat a tenant's words.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Failure {
    /// No credentials at all.
    MissingAuthentication,
    /// Credentials that cannot be read.
    MalformedAuthentication(String),
    /// An unknown access key or a session token that is not ours.
    UnknownCredentials,
    /// The signature does not match.
    BadSignature,
    /// The credentials have expired.
    ExpiredCredentials,
    /// Signed at a time too far from ours: the sentence that says so.
    Skewed(String),
    /// Policies say no: AWS's sentence.
    AccessDenied(String),
    /// A request that cannot be understood or served, at `param` if one field is to blame.
    Invalid {
        /// What is wrong.
        message: String,
        /// The field, such as `input[0].content`.
        param: Option<String>,
        /// OpenAI's machine-readable code.
        code: Option<&'static str>,
    },
    /// AWS parameter validation: AWS's sentence.
    Validation(String),
    /// No such path.
    NoSuchPath,
    /// The path exists, the method does not: those that do.
    MethodNotAllowed(&'static str),
    /// An operation that is not served, with its API version.
    UnknownOperation {
        /// The operation asked for, if it has the form of a name.
        operation: String,
        /// The API version asked for.
        version: String,
    },
    /// No such model, or none this caller may see.
    ModelNotFound(ModelId),
    /// No such response, or none this caller may see.
    ResponseNotFound(ResponseId),
    /// `previous_response_id` names no response this caller may see.
    PreviousResponseNotFound(ResponseId),
    /// The prompt does not fit.
    ContextLengthExceeded {
        /// The model's context length in tokens.
        limit: u64,
        /// What the prompt has, in tokens.
        prompt_tokens: u64,
    },
    /// The body is larger than what is taken.
    PayloadTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The client did not send its request in time.
    RequestTimeout,
    /// Too many requests for this caller.
    Throttled {
        /// When to try again, in seconds.
        retry_after: u64,
    },
    /// The engine has no room; others are served.
    Overloaded {
        /// When to try again, in seconds.
        retry_after: u64,
    },
    /// Something the request needs (journal, key, disk) is away.
    Unavailable,
    /// A fault of ours.
    Internal,
    /// An AWS service's own error: code, sentence, status 4xx.
    Service {
        /// The modelled error code, such as `EntityAlreadyExists`.
        code: &'static str,
        /// The sentence.
        message: String,
        /// The modelled status.
        status: u16,
    },
}

impl Failure {
    /// The reply in a protocol's own words.
    #[must_use]
    pub fn reply(&self, shape: ErrorShape, request: &RequestId) -> Reply {
        let _: (ErrorShape, &RequestId) = (shape, request);
        todo!()
    }

    /// The HTTP status in a protocol.
    #[must_use]
    pub fn status(&self, shape: ErrorShape) -> u16 {
        let _: ErrorShape = shape;
        todo!()
    }

    /// The error code the client sees, which is also what the journal records.
    #[must_use]
    pub fn code(&self, shape: ErrorShape) -> &'static str {
        let _: ErrorShape = shape;
        todo!()
    }
}
