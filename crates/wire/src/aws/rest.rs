//! The services that speak rest-json.

use moho_terms::ContentBytes;

use super::document::{Document, Members};
use super::model::{self, ServiceModel};
pub(crate) use super::rest_in::RestRequest;
use super::rest_in::Strings;
use super::{field_list, rest_in, rest_out, validate};
use crate::call::{self, Noted};
use crate::{Failure, Reply};

/// A service of the rest-json protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestService {
    /// Bedrock's control plane.
    Bedrock,
    /// Bedrock's prompts.
    BedrockAgent,
    /// Bedrock's runtime.
    BedrockRuntime,
}

impl RestService {
    /// Its name at botocore.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bedrock => "bedrock",
            Self::BedrockAgent => "bedrock-agent",
            Self::BedrockRuntime => "bedrock-runtime",
        }
    }

    /// The service's model.
    pub(crate) fn model(self) -> Result<&'static ServiceModel, Failure> {
        let model = match self {
            Self::Bedrock => &*model::BEDROCK,
            Self::BedrockAgent => &*model::BEDROCK_AGENT,
            Self::BedrockRuntime => &*model::BEDROCK_RUNTIME,
        };
        model.as_ref().map_err(|_unsuitable| Failure::Internal)
    }

    /// What the strings of its requests are: those of the runtime and the agent are prompts.
    fn strings(self) -> Strings {
        match self {
            Self::Bedrock => Strings::Plain,
            Self::BedrockAgent | Self::BedrockRuntime => Strings::OfTenants,
        }
    }

    /// Reads and validates a request of `operation`.
    ///
    /// # Errors
    /// [`Failure::Invalid`] if it is not what the protocol says, [`Failure::Validation`] if the model or the field list
    /// says no.
    pub(crate) fn request(
        self,
        operation: &str,
        request: &RestRequest<'_, '_>,
        noted: &mut Noted,
    ) -> Result<Members, Failure> {
        let model = self.model()?;
        let shape = model
            .operations
            .get(operation)
            .and_then(|operation| operation.input.as_ref())
            .ok_or(Failure::Internal)?;
        let input = rest_in::read(model, &shape.shape, request, self.strings())?;
        *noted = call::told(&input);
        validate::validate(model, Some(&shape.shape), &input)?;
        let called = field_list::Called {
            service: self.name(),
            operation,
            model,
        };
        field_list::refuse_unserved(&called, Some(shape), &input)?;
        Members::of(input)
    }

    /// One structure of the service as JSON, to be kept.
    ///
    /// # Errors
    /// [`Failure::Internal`] if the document is not what the model says.
    pub(crate) fn written(self, shape: &str, document: Document) -> Result<ContentBytes, Failure> {
        rest_out::structure(self.model()?, shape, document)
    }

    /// One structure of the service that was kept as JSON.
    ///
    /// # Errors
    /// [`Failure::Invalid`] if it is none.
    pub(crate) fn kept(self, shape: &str, json: &[u8]) -> Result<Members, Failure> {
        Members::of(rest_in::read_object(self.model()?, shape, json, self.strings())?)
    }

    /// Checks JSON that a header holds, as the member `member` of `operation` would be.
    ///
    /// # Errors
    /// [`Failure::Invalid`] if it is not what the protocol says, [`Failure::Validation`] if the model says no.
    pub(crate) fn check(self, operation: &str, member: &str, json: &str) -> Result<(), Failure> {
        let model = self.model()?;
        let input = model.operations.get(operation).and_then(|o| o.input.as_ref());
        let shape = model
            .shapes
            .get(&input.ok_or(Failure::Internal)?.shape)
            .ok_or(Failure::Internal)?;
        let used = shape.members.iter().find(|(name, _)| *name == member);
        let (_, used) = used.ok_or(Failure::Internal)?;
        match rest_in::read_json(model, used, json.as_bytes(), member)? {
            Some(document) => validate::validate_at(model, &used.shape, &document, member),
            None => Ok(()),
        }
    }

    /// The whole reply of `operation`, but for the frames of an event stream.
    ///
    /// # Errors
    /// [`Failure::Internal`] if the document is not what the model says.
    pub(crate) fn reply(self, operation: &str, document: Document) -> Result<Reply, Failure> {
        rest_out::reply(self.model()?, operation, document)
    }

    /// The payload of the event `name` in the event stream of shape `stream`.
    ///
    /// # Errors
    /// [`Failure::Internal`] if the document is not what the model says.
    pub(crate) fn event(self, stream: &str, name: &str, document: Document) -> Result<ContentBytes, Failure> {
        let model = self.model()?;
        let stream = model.shapes.get(stream).ok_or(Failure::Internal)?;
        let mut members = stream.members.iter();
        let (_, event) = members
            .find(|(member, _)| *member == name)
            .ok_or(Failure::Internal)?;
        rest_out::structure(model, &event.shape, document)
    }
}
