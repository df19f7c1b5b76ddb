//! Which of Bedrock's operations a path names, and what it asks for.

use super::{
    AgentOperation, ControlOperation, Converse, CountTokens, InvokeModel, ListFoundationModels,
    ModelIdentifier, PromptArn, PromptedConverse,
};
use crate::aws::declare::Operations as _;
use crate::aws::document::Members;
use crate::aws::ops;
use crate::aws::rest::{RestRequest, RestService};
use crate::call::Noted;
use crate::query::Query;
use crate::route::Headers;
use crate::{Command, Failure};

/// An operation of `bedrock-runtime`, `bedrock` or `bedrock-agent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `POST /model/{modelId}/converse`
    Converse,
    /// `POST /model/{modelId}/converse-stream`
    ConverseStream,
    /// `POST /model/{modelId}/invoke`
    InvokeModel,
    /// `POST /model/{modelId}/invoke-with-response-stream`
    InvokeModelWithResponseStream,
    /// `POST /model/{modelId}/count-tokens`
    CountTokens,
    /// `GET /foundation-models`
    ListFoundationModels,
    /// `GET /foundation-models/{modelIdentifier}`
    GetFoundationModel,
    /// Another one of `bedrock`
    Control(ControlOperation),
    /// One of `bedrock-agent`
    Agent(AgentOperation),
}

impl Operation {
    /// AWS's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Converse => "Converse",
            Self::ConverseStream => "ConverseStream",
            Self::InvokeModel => "InvokeModel",
            Self::InvokeModelWithResponseStream => "InvokeModelWithResponseStream",
            Self::CountTokens => "CountTokens",
            Self::ListFoundationModels => "ListFoundationModels",
            Self::GetFoundationModel => "GetFoundationModel",
            Self::Control(operation) => operation.name(),
            Self::Agent(operation) => operation.name(),
        }
    }
}

/// What a Bedrock path and its request say.
pub(crate) struct Called<'a, 'h> {
    /// The label that names a model, decoded; what is not UTF-8 in it is a character that no name has.
    pub(crate) label: String,
    /// The query, without `?`.
    pub(crate) raw_query: &'a str,
    /// The headers.
    pub(crate) headers: &'a Headers<'h>,
    /// The body.
    pub(crate) body: &'a [u8],
}

impl Called<'_, '_> {
    /// A body that says it is no JSON is not read as JSON. InvokeModel says so in words of its own.
    fn takes_json(&self, operation: Operation) -> Result<(), Failure> {
        let json = (self.headers)("content-type").iter().all(|kind| {
            let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
            kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
        });
        let own = matches!(
            operation,
            Operation::InvokeModel | Operation::InvokeModelWithResponseStream
        );
        if json || own || self.body.is_empty() {
            return Ok(());
        }
        Err(Failure::Service {
            code: "UnsupportedMediaTypeException",
            message: "The content type of the request is not supported. Use application/json and try again."
                .to_owned(),
            status: 415,
        })
    }
}

impl Operation {
    /// The service that has it.
    pub(super) fn service(self) -> RestService {
        match self {
            Self::Converse
            | Self::ConverseStream
            | Self::InvokeModel
            | Self::InvokeModelWithResponseStream
            | Self::CountTokens => RestService::BedrockRuntime,
            Self::ListFoundationModels | Self::GetFoundationModel | Self::Control(_) => RestService::Bedrock,
            Self::Agent(_) => RestService::BedrockAgent,
        }
    }

    /// What a request asks for.
    ///
    /// # Errors
    /// A [`Failure`] that names what is wrong, without repeating a tenant's words.
    pub(crate) fn command(self, called: &Called<'_, '_>, noted: &mut Noted) -> Result<Command, Failure> {
        called.takes_json(self)?;
        let label = &called.label;
        let mut members = self.service().request(
            self.name(),
            &RestRequest {
                label: &|_only| Some(label.clone()),
                query: &Query::of_url(called.raw_query)?,
                headers: called.headers,
                body: called.body,
            },
            noted,
        )?;
        if let Self::Control(operation) = self {
            return ops::bedrock::Request::read(operation.name(), &mut members).map(Command::BedrockControl);
        }
        if let Self::Agent(operation) = self {
            let read = ops::bedrock_agent::Request::read(operation.name(), &mut members);
            return read.map(Command::BedrockAgent);
        }
        if let (Self::Converse | Self::ConverseStream, Some(prompt)) = (self, prompt_named(label)) {
            let stream = self == Self::ConverseStream;
            let read = PromptedConverse::read(prompt, &mut members, stream);
            return read.map(|prompted| Command::ConversePrompt(Box::new(prompted)));
        }
        if self == Self::ListFoundationModels {
            return ListFoundationModels::read(&mut members).map(Command::ListFoundationModels);
        }
        let model = ModelIdentifier::parse(label)?;
        let invoke =
            |members: &mut Members, stream| InvokeModel::read(model.clone(), members, stream).map(Box::new);
        match self {
            Self::ListFoundationModels | Self::Control(_) | Self::Agent(_) => Err(Failure::Internal),
            Self::GetFoundationModel => Ok(Command::GetFoundationModel(model)),
            Self::Converse => Converse::read(model, &mut members).map(|c| Command::Converse(Box::new(c))),
            Self::ConverseStream => {
                Converse::read(model, &mut members).map(|c| Command::ConverseStream(Box::new(c)))
            }
            Self::InvokeModel => invoke(&mut members, false).map(Command::InvokeModel),
            Self::InvokeModelWithResponseStream => {
                invoke(&mut members, true).map(Command::InvokeModelWithResponseStream)
            }
            Self::CountTokens => {
                CountTokens::read(model, &mut members).map(|c| Command::CountTokens(Box::new(c)))
            }
        }
    }
}

/// The prompt that a name of a model is the ARN of.
fn prompt_named(label: &str) -> Option<PromptArn> {
    let arn = label.starts_with("arn:").then(|| label.parse().ok()).flatten();
    arn.as_ref().and_then(PromptArn::of)
}
