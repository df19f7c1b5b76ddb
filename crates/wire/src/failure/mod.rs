//! Why a request is refused, and how each protocol words it.
//!
//! Handlers and the road name *what* went wrong once ([`Failure`]); status, code, type and shape of the body follow
//! from the protocol the client speaks ([`ErrorShape`]).

mod aws;
mod ec2;
mod openai;
mod quota;
mod s3;
mod words;

pub(crate) use aws::printable;
use moho_terms::{ModelId, Region, RequestId, ResponseId, Timestamp};

pub use quota::{QuotaExceeded, QuotaOf, QuotaPer};

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
    /// EC2's: `<Response><Errors><Error>`.
    Ec2,
    /// AWS JSON 1.0 and 1.1: `{"__type","message"}`.
    AwsJson,
    /// AWS REST-JSON: `x-amzn-errortype` and `{"message"}`.
    RestJson,
    /// S3's: `<Error>`.
    S3,
}

/// Why a request failed. Texts in it are written by moho; only [`Failure::Validation`], [`Failure::Service`] and
/// [`Failure::ServiceReason`] repeat values of a request, and only such as AWS repeats: names and ARNs, never a tenant's words.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    ExpiredCredentials {
        /// When they ended.
        ended: Timestamp,
    },
    /// Signed for another service or date: AWS's sentence.
    WrongScope(String),
    /// Signed for another region.
    WrongRegion {
        /// The region that the signature names, if it has the form of one.
        asked: Option<Region>,
        /// The region that is served here.
        served: Region,
    },
    /// Signed at a time too far from ours: AWS's sentence, which names both.
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
    /// An operation that is not served, with its API version; either is empty if it has not the form of a name.
    UnknownOperation {
        /// The operation asked for.
        operation: String,
        /// The API version asked for.
        version: String,
    },
    /// A service of AWS's that is not served, by its signing name.
    UnknownService(String),
    /// No such model, or none this caller may see; `None` if the name is none a model can have.
    ModelNotFound(Option<ModelId>),
    /// No such response, or none this caller may see; `None` if the id is none a response can have.
    ResponseNotFound(Option<ResponseId>),
    /// `previous_response_id` names no response this caller may see; `None` if no response can have that id.
    PreviousResponseNotFound(Option<ResponseId>),
    /// The prompt does not fit.
    ContextLengthExceeded {
        /// The model's context length in tokens.
        limit: u64,
        /// What the prompt has, in tokens; `None` if it is so long that it was not even counted.
        prompt_tokens: Option<u64>,
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
    /// A quota of this caller is used up.
    Quota(Box<QuotaExceeded>),
    /// The engine has no room; others are served.
    Overloaded {
        /// When to try again, in seconds.
        retry_after: u64,
    },
    /// Something the request needs (journal, key, disk) is away.
    Unavailable,
    /// An earlier state was put back, and no customer has accepted that.
    Restored,
    /// A fault of ours.
    Internal,
    /// An AWS service's own error.
    Service {
        /// The modelled error code, such as `EntityAlreadyExists`.
        code: &'static str,
        /// The sentence.
        message: String,
        /// The modelled status.
        status: u16,
    },
    /// An error of an AWS JSON service that tells its cause by a word, as Organizations' errors do. Its status is 400.
    ServiceReason {
        /// The modelled error code, such as `ConstraintViolationException`.
        code: &'static str,
        /// The modelled reason, such as `OU_DEPTH_LIMIT_EXCEEDED`.
        reason: &'static str,
        /// The sentence.
        message: String,
    },
}

/// Seconds after which something that is away is worth another try: it may be back, or another server may have taken over.
const AWAY: u64 = 5;

/// A failure as one protocol tells it.
pub(crate) struct Told {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The code a program reads.
    pub(crate) code: &'static str,
}

impl Failure {
    /// The reply in a protocol's own words.
    #[must_use]
    pub fn reply(&self, shape: ErrorShape, request: &RequestId) -> Reply {
        let mut reply = match shape {
            ErrorShape::OpenAi => self.openai_reply(),
            ErrorShape::Query { namespace } => self.query_reply(namespace, request),
            ErrorShape::Ec2 => self.ec2_reply(request),
            ErrorShape::AwsJson => self.json_reply(false),
            ErrorShape::RestJson => self.json_reply(true),
            ErrorShape::S3 => return self.s3_reply(request, ""),
        };
        if let Self::Throttled { retry_after } | Self::Overloaded { retry_after } = self {
            reply.headers.push(("retry-after", retry_after.to_string()));
        }
        if let Self::Quota(quota) = self {
            match quota.retry_seconds() {
                Some(seconds) => reply.headers.push(("retry-after", seconds.to_string())),
                // OpenAI's clients would try again whatever the status says.
                None if shape == ErrorShape::OpenAi => {
                    reply.headers.push(("x-should-retry", "false".to_owned()));
                }
                None => {}
            }
        }
        if let Self::Unavailable = self {
            reply.headers.push(("retry-after", AWAY.to_string()));
        }
        if let Self::MethodNotAllowed(methods) = self {
            reply.headers.push(("allow", (*methods).to_owned()));
        }
        reply
    }

    /// The HTTP status in a protocol.
    #[must_use]
    pub fn status(&self, shape: ErrorShape) -> u16 {
        self.told(shape).status
    }

    /// The error code the client sees, which is also what the journal records.
    #[must_use]
    pub fn code(&self, shape: ErrorShape) -> &'static str {
        self.told(shape).code
    }

    /// The sentence that the client sees.
    #[must_use]
    pub fn sentence(&self, shape: ErrorShape) -> String {
        match shape {
            ErrorShape::OpenAi => self.message(),
            ErrorShape::Query { .. }
            | ErrorShape::Ec2
            | ErrorShape::AwsJson
            | ErrorShape::RestJson
            | ErrorShape::S3 => self.aws_message(),
        }
    }

    fn told(&self, shape: ErrorShape) -> Told {
        match shape {
            ErrorShape::OpenAi => self.told_openai(),
            ErrorShape::Query { .. } => self.told_query(),
            ErrorShape::Ec2 => self.told_ec2(),
            ErrorShape::AwsJson => self.told_json(),
            ErrorShape::RestJson => self.told_rest(),
            ErrorShape::S3 => self.told_s3(),
        }
    }
}

#[cfg(test)]
mod tests;
