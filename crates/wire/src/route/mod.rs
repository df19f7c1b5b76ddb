//! Which API is this? Decided on the raw path, before the body is read.

mod objects;
mod openai;
mod services;
mod signed;

use moho_terms::ResponseId;
use percent_encoding::percent_decode_str;

use crate::aws::ops::sts::{AssumeRoleWithWebIdentity, Request};
use crate::aws::{JsonService, QueryService};
use crate::bedrock::{AgentOperation, Called, ControlOperation, ModelIdentifier, Operation};
use crate::call::Noted;
use crate::openai::audit::ListRecords;
use crate::openai::chat::CreateChat;
use crate::openai::conversations::{self, ConversationRoute};
use crate::openai::fields::unsupported;
use crate::openai::guardrail;
use crate::openai::keys::ListKeys;
use crate::openai::responses::{CreateResponse, ListInputItems, PromptedResponse};
use crate::openai::restore::AcceptRestore;
use crate::openai::usage::GetUsage;
use crate::query::Query;
use crate::{Command, ErrorShape, Failure};
use openai::{label, openai_target};
use services::{aws_target, bedrock_target, no_such_path};
use signed::parameter;
pub(crate) use signed::parameter as parameter_of;

pub use objects::{Addressed, bucket_of_host};
pub use signed::signing_name;

/// The most bytes of an inference request. Text only, so this is far beyond any context length.
const INFERENCE_LIMIT: usize = 8 << 20;
/// The most bytes of an AWS control plane's request: policies are its largest values.
const QUERY_LIMIT: usize = 256 << 10;
/// The most bytes of a batch of log events: 1 MiB of text, of which an escape may make six times as much.
const EVENTS_LIMIT: usize = 8 << 20;
/// The most bytes of a request of Bedrock's control plane: 200 tags are its largest.
const CONTROL_LIMIT: usize = 128 << 10;
/// The most bytes of a prompt: one of AWS's has at most 200000 characters.
const PROMPT_LIMIT: usize = 1 << 20;
/// The most bytes of a request that may come without credentials: an identity provider's token has at most 20000.
const UNSIGNED_LIMIT: usize = 64 << 10;
/// The most bytes of a request that needs no body.
const BODILESS_LIMIT: usize = 16 << 10;

/// What routing needs of a request's head.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    /// The method as sent.
    pub method: &'a str,
    /// The path as sent, not decoded.
    pub raw_path: &'a str,
    /// The query as sent, without `?`; empty if there is none.
    pub raw_query: &'a str,
    /// The `Content-Type` as sent.
    pub content_type: Option<&'a str>,
    /// The `Authorization` header as sent: a credential scope in it chooses the AWS service.
    pub authorization: Option<&'a str>,
    /// The host that is asked for, with its port if it has one.
    pub host: &'a str,
    /// Whether it has headers as only AWS's clients send them: `x-amz-…` or `amz-sdk-…`.
    pub of_aws: bool,
}

/// Under which prefix an OpenAI route was called; it decides signing name and IAM action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// `/v1`, as on Bedrock's Mantle endpoint: actions `bedrock-mantle:…`.
    Mantle,
    /// `/openai/v1`, as on Bedrock's runtime endpoint: actions `bedrock:…`.
    Runtime,
}

/// The API a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `POST /responses`
    CreateResponse(Prefix),
    /// `GET /responses/{id}`
    GetResponse(Prefix, ResponseId),
    /// `DELETE /responses/{id}`
    DeleteResponse(Prefix, ResponseId),
    /// `GET /responses/{id}/input_items`
    ListInputItems(Prefix, ResponseId),
    /// Conversations, and all that is kept
    Conversations(Prefix, ConversationRoute),
    /// `POST /chat/completions`
    CreateChat(Prefix),
    /// `GET /models`
    ListModels(Prefix),
    /// `GET /models/{id}`
    GetModel(Prefix, ModelIdentifier),
    /// `GET /organization/usage/completions`, under `/v1`
    GetUsage,
    /// `GET /keys`, under `/v1`
    ListKeys,
    /// `GET /keys/{key}`, under `/v1`
    GetKey(String),
    /// `GET /audit/records`, under `/v1`
    ListRecords,
    /// `GET /restore`, under `/v1`
    GetRestore,
    /// `POST /restore/accept`, under `/v1`
    AcceptRestore,
    /// `POST /` with a form, or `GET /` with the form in the query, to this AWS query service: the form's `Action` names
    /// the operation.
    Query(QueryService),
    /// `POST /` with a JSON object to this AWS service: the header `X-Amz-Target` names the operation.
    Json(JsonService),
    /// One of Bedrock's operations.
    Bedrock(Operation),
    /// Any path, signed for S3: method, query and headers name the operation.
    S3(Addressed),
}

/// The headers of a request: all values of a name, which is in lower case, as sent.
pub type Headers<'a> = dyn Fn(&str) -> Vec<&'a [u8]> + 'a;

/// A request that has an address here.
pub struct Route {
    target: Target,
    raw_query: String,
    /// The one label of a Bedrock path that names a model, as sent; empty if there is none.
    raw_label: String,
}

/// A request that has none: why, and in which protocol to say so.
#[derive(Debug)]
pub struct RouteRefused {
    /// Why.
    pub failure: Failure,
    /// The protocol the client seems to speak.
    pub shape: ErrorShape,
}

/// Finds the API for a request.
///
/// # Errors
/// [`RouteRefused`] for a path, method or service that is not served.
pub fn route(head: &RequestHead<'_>) -> Result<Route, RouteRefused> {
    let objects = |addressed| Route {
        target: Target::S3(addressed),
        raw_query: head.raw_query.to_owned(),
        raw_label: String::new(),
    };
    match objects::addressed(head) {
        Some(addressed) => Ok(objects(addressed)),
        None => route_of_path(head).or_else(|refused| {
            let found = objects::signed_otherwise(head).or_else(|| objects::unsigned(head, &refused));
            found.map(objects).ok_or(refused)
        }),
    }
}

/// Finds the API for a request that is not signed for S3.
fn route_of_path(head: &RequestHead<'_>) -> Result<Route, RouteRefused> {
    // No other path than one that begins so is one: what else there is would be understood by others as they like.
    let path = head
        .raw_path
        .strip_prefix('/')
        .ok_or_else(|| no_such_path(head))?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let labels: Vec<&str> = path.split('/').collect();
    let openai = |rest: &[&str], prefix| {
        openai_target(head.method, rest, prefix).map_err(|failure| RouteRefused {
            failure,
            shape: ErrorShape::OpenAi,
        })
    };
    let mut raw_label = "";
    let target = match labels.as_slice() {
        [""] => aws_target(head)?,
        ["v1", rest @ ..] => openai(rest, Prefix::Mantle)?,
        ["openai", "v1", rest @ ..] => openai(rest, Prefix::Runtime)?,
        ["model" | "foundation-models", ..] => {
            let (operation, label) =
                bedrock_target(head.method, &labels).map_err(|failure| RouteRefused {
                    failure,
                    shape: ErrorShape::RestJson,
                })?;
            raw_label = label;
            Target::Bedrock(operation)
        }
        [first, ..] if ControlOperation::begins(first) => {
            let found = ControlOperation::find(head.method, &labels);
            let (operation, label) = found.ok_or(RouteRefused {
                failure: Failure::NoSuchPath,
                shape: ErrorShape::RestJson,
            })?;
            raw_label = label;
            Target::Bedrock(Operation::Control(operation))
        }
        [first, ..] if AgentOperation::begins(first) => {
            let found = AgentOperation::find(head.method, &labels);
            let (operation, label) = found.ok_or(RouteRefused {
                failure: Failure::NoSuchPath,
                shape: ErrorShape::RestJson,
            })?;
            raw_label = label;
            Target::Bedrock(Operation::Agent(operation))
        }
        _ => return Err(no_such_path(head)),
    };
    Ok(Route {
        target,
        raw_query: head.raw_query.to_owned(),
        raw_label: raw_label.to_owned(),
    })
}

/// What STS calls the operation that needs no credentials.
const WEB_IDENTITY: &str = "AssumeRoleWithWebIdentity";

/// Whether the form, in the body or in the query, is for that operation: as much as has to be known of a stranger's.
fn asks_for_web_identity(raw_query: &str, body: &[u8]) -> bool {
    let form = match (std::str::from_utf8(body), body) {
        (_, []) => raw_query,
        (Ok(form), _) => form,
        (Err(_), _) => return false,
    };
    parameter(form, "Action").is_some_and(|action| action == WEB_IDENTITY)
}

/// A family of APIs: one protocol of errors, one set of signing names.
enum Family {
    OpenAi(Prefix),
    Query(QueryService),
    Json(JsonService),
    Bedrock,
    S3,
}

impl Target {
    fn family(&self) -> Family {
        match self {
            Self::CreateResponse(prefix)
            | Self::GetResponse(prefix, _)
            | Self::DeleteResponse(prefix, _)
            | Self::ListInputItems(prefix, _)
            | Self::Conversations(prefix, _)
            | Self::CreateChat(prefix)
            | Self::ListModels(prefix)
            | Self::GetModel(prefix, _) => Family::OpenAi(*prefix),
            Self::GetUsage
            | Self::ListKeys
            | Self::GetKey(_)
            | Self::ListRecords
            | Self::GetRestore
            | Self::AcceptRestore => Family::OpenAi(Prefix::Mantle),
            Self::Query(service) => Family::Query(*service),
            Self::Json(service) => Family::Json(*service),
            Self::Bedrock(_) => Family::Bedrock,
            Self::S3(_) => Family::S3,
        }
    }

    /// The prefix of an OpenAI route; `None` for an AWS service.
    #[must_use]
    pub fn prefix(&self) -> Option<Prefix> {
        match self.family() {
            Family::OpenAi(prefix) => Some(prefix),
            Family::Query(_) | Family::Json(_) | Family::Bedrock | Family::S3 => None,
        }
    }
}

impl Route {
    /// The API.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The protocol of this API's errors.
    #[must_use]
    pub fn error_shape(&self) -> ErrorShape {
        match self.target.family() {
            Family::OpenAi(_) => ErrorShape::OpenAi,
            Family::Query(service) => service.error_shape(),
            Family::Json(_) => ErrorShape::AwsJson,
            Family::Bedrock => ErrorShape::RestJson,
            Family::S3 => ErrorShape::S3,
        }
    }

    /// The services a request may be signed for here, such as `bedrock-mantle`. OpenAI's own Bedrock client calls both
    /// of Bedrock's endpoints under `/openai/v1`, so each prefix takes both names. The prefix's own comes first: a bearer
    /// key is presented to that one.
    #[must_use]
    pub fn signing_names(&self) -> &'static [&'static str] {
        match self.target.family() {
            Family::OpenAi(Prefix::Mantle) => &["bedrock-mantle", "bedrock"],
            Family::OpenAi(Prefix::Runtime) => &["bedrock", "bedrock-mantle"],
            Family::Query(QueryService::Sts) => &["sts"],
            Family::Query(QueryService::Iam) => &["iam"],
            Family::Json(JsonService::Organizations) => &["organizations"],
            Family::Json(JsonService::Kms) => &["kms"],
            Family::Json(JsonService::Logs) => &["logs"],
            Family::Json(JsonService::CloudTrail) => &["cloudtrail"],
            Family::Query(QueryService::Ec2) => &["ec2"],
            Family::Bedrock => &["bedrock"],
            Family::S3 => &["s3"],
        }
    }

    /// The most bytes a body may have here.
    #[must_use]
    pub fn body_limit(&self) -> usize {
        match &self.target {
            Target::CreateResponse(_)
            | Target::CreateChat(_)
            | Target::Bedrock(
                Operation::Converse
                | Operation::ConverseStream
                | Operation::InvokeModel
                | Operation::InvokeModelWithResponseStream
                | Operation::CountTokens,
            ) => INFERENCE_LIMIT,
            Target::Conversations(_, route) if route.takes_words() => INFERENCE_LIMIT,
            Target::Json(JsonService::Logs) => EVENTS_LIMIT,
            Target::Query(_) | Target::Json(_) => QUERY_LIMIT,
            Target::GetResponse(..)
            | Target::DeleteResponse(..)
            | Target::ListInputItems(..)
            | Target::Conversations(..)
            | Target::ListModels(_)
            | Target::GetModel(..)
            | Target::GetUsage
            | Target::ListKeys
            | Target::ListRecords
            | Target::GetKey(_)
            | Target::GetRestore
            | Target::AcceptRestore
            | Target::Bedrock(Operation::ListFoundationModels | Operation::GetFoundationModel) => {
                BODILESS_LIMIT
            }
            Target::Bedrock(Operation::Control(_)) => CONTROL_LIMIT,
            Target::S3(_) => objects::LIMIT,
            Target::Bedrock(Operation::Agent(_)) => PROMPT_LIMIT,
        }
    }

    /// Whether a body is taken while it comes, as it may be far larger than what is held of a request.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        matches!(self.target, Target::S3(_))
    }

    /// The most bytes of a body that may come without credentials here, as it may bring an identity provider's token;
    /// `None` where nothing comes without credentials.
    #[must_use]
    pub fn unsigned_limit(&self) -> Option<usize> {
        let action = parameter(&self.raw_query, "Action");
        let may_be = action.is_none_or(|action| action == WEB_IDENTITY);
        (may_be && self.target == Target::Query(QueryService::Sts)).then_some(UNSIGNED_LIMIT)
    }

    /// The one request that comes without credentials; `None` if the form is any other.
    ///
    /// # Errors
    /// A [`Failure`] that says which field of it is wrong.
    pub fn unsigned_command(&self, body: &[u8]) -> Result<Option<AssumeRoleWithWebIdentity>, Failure> {
        if self.unsigned_limit().is_none() || !asks_for_web_identity(&self.raw_query, body) {
            return Ok(None);
        }
        let command = QueryService::Sts.command(&self.raw_query, body, &mut None)?;
        if let Command::Sts(Request::AssumeRoleWithWebIdentity(assume)) = command {
            Ok(Some(*assume))
        } else {
            Ok(None)
        }
    }

    /// What the request asks for.
    ///
    /// # Errors
    /// A [`Failure`] that says which field is wrong, without repeating a tenant's words.
    pub fn command(&self, headers: &Headers<'_>, body: &[u8]) -> Result<Command, Failure> {
        self.command_noting(headers, body, &mut None)
    }

    pub(crate) fn raw_query(&self) -> &str {
        &self.raw_query
    }

    /// The same, and notes what of it may be told in an audit trail.
    pub(crate) fn command_noting(
        &self,
        headers: &Headers<'_>,
        body: &[u8],
        noted: &mut Noted,
    ) -> Result<Command, Failure> {
        match &self.target {
            Target::CreateResponse(_) => create_response(headers, body),
            Target::GetResponse(_, id) => {
                if Query::of_url(&self.raw_query)?.get("stream") == Some("true") {
                    return Err(unsupported(
                        "stream",
                        "a stored response cannot be streamed again yet",
                    ));
                }
                Ok(Command::GetResponse(id.clone()))
            }
            Target::DeleteResponse(_, id) => Ok(Command::DeleteResponse(id.clone())),
            Target::ListInputItems(_, id) => {
                ListInputItems::parse(id.clone(), &self.raw_query).map(Command::ListInputItems)
            }
            Target::Conversations(_, route) => {
                conversations::Request::read(route, &self.raw_query, headers, body)
                    .map(|request| Command::Conversations(Box::new(request)))
            }
            Target::CreateChat(_) => {
                guardrail::refuse_headers(headers)?;
                CreateChat::parse(body).map(|c| Command::CreateChat(Box::new(c)))
            }
            Target::ListModels(_) => Ok(Command::ListModels),
            Target::GetModel(_, id) => Ok(Command::GetModel(id.clone())),
            Target::GetUsage => GetUsage::parse(&self.raw_query).map(|get| Command::GetUsage(Box::new(get))),
            Target::ListKeys => ListKeys::parse(&self.raw_query).map(Command::ListKeys),
            Target::GetKey(key) => Ok(Command::GetKey(key.clone())),
            Target::ListRecords => {
                ListRecords::parse(&self.raw_query).map(|list| Command::ListRecords(Box::new(list)))
            }
            Target::GetRestore => Ok(Command::GetRestore),
            Target::AcceptRestore => AcceptRestore::parse(body).map(Command::AcceptRestore),
            // These are no commands, as no request of theirs is ever held as a whole.
            Target::S3(_) => Err(Failure::NoSuchPath),
            Target::Query(service) => service.command(&self.raw_query, body, noted),
            Target::Json(service) => service.command(headers, body, noted),
            Target::Bedrock(operation) => operation.command(
                &Called {
                    label: percent_decode_str(&self.raw_label)
                        .decode_utf8_lossy()
                        .into_owned(),
                    raw_query: &self.raw_query,
                    headers,
                    body,
                },
                noted,
            ),
        }
    }
}

/// What `POST /responses` asks for.
fn create_response(headers: &Headers<'_>, body: &[u8]) -> Result<Command, Failure> {
    guardrail::refuse_headers(headers)?;
    let (key, days) = (conversations::key(headers)?, conversations::days(headers)?);
    if let Some(prompted) = PromptedResponse::parse(body)? {
        let prompted = prompted.kept_so(key, days);
        return Ok(Command::CreatePromptedResponse(Box::new(prompted)));
    }
    let create = CreateResponse::parse(body)?;
    Ok(Command::CreateResponse(Box::new(CreateResponse {
        key,
        days,
        ..create
    })))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tried;
