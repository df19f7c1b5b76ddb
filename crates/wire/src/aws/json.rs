//! The services that speak AWS JSON 1.1: every operation is a `POST /` whose `X-Amz-Target` names it, and whose body is
//! one JSON object.
//!
//! They are control planes: what their strings say are names, ids and policies, which may be shown, but for what the
//! model calls sensitive. The service is that of the signature, so that routing needs no header that is not signed.

use moho_terms::ContentBytes;

use super::document::Document;
use super::model::{self, ServiceModel};
use super::rest_in::{self, Strings};
use super::{field_list, name, ops, rest_out, validate};
use crate::call::{self, Noted};
use crate::route::Headers;
use crate::{Command, Failure, Reply};

/// The content type of requests and replies.
pub(crate) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// A service of the JSON 1.1 protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonService {
    /// AWS Organizations.
    Organizations,
    /// Key Management Service.
    Kms,
    /// CloudWatch Logs.
    Logs,
    /// CloudTrail.
    CloudTrail,
}

impl JsonService {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Organizations, Self::Kms, Self::Logs, Self::CloudTrail];

    /// The service a request is signed for.
    #[must_use]
    pub fn from_signing_name(name: &str) -> Option<Self> {
        // So none can be forgotten there and be served.
        Self::ALL
            .into_iter()
            .find(|service| service.signing_name() == name)
    }

    /// The name it is signed for, which is also botocore's.
    #[must_use]
    pub fn signing_name(self) -> &'static str {
        match self {
            Self::Organizations => "organizations",
            Self::Kms => "kms",
            Self::Logs => "logs",
            Self::CloudTrail => "cloudtrail",
        }
    }

    /// The service as CloudTrail names it.
    pub(crate) fn event_source(self) -> &'static str {
        match self {
            Self::Organizations => "organizations.amazonaws.com",
            Self::Kms => "kms.amazonaws.com",
            Self::Logs => "logs.amazonaws.com",
            Self::CloudTrail => "cloudtrail.amazonaws.com",
        }
    }

    /// Its operations.
    pub(crate) fn operations(self) -> impl Iterator<Item = &'static str> {
        let model = self.model().ok();
        model
            .into_iter()
            .flat_map(|model| model.operations.keys())
            .map(String::as_str)
    }

    /// The operation that a request names, if it is one.
    pub(crate) fn operation_of(self, headers: &Headers<'_>) -> Option<&'static str> {
        let model = self.model().ok()?;
        let (name, _) = model.operations.get_key_value(&target(model, headers)?)?;
        Some(name)
    }

    /// The service's model.
    pub(crate) fn model(self) -> Result<&'static ServiceModel, Failure> {
        let model = match self {
            Self::Organizations => &*model::ORGANIZATIONS,
            Self::Kms => &*model::KMS,
            Self::Logs => &*model::LOGS,
            Self::CloudTrail => &*model::CLOUDTRAIL,
        };
        model.as_ref().map_err(|_unsuitable| Failure::Internal)
    }

    /// The content type of its requests and replies.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Organizations | Self::Kms | Self::Logs | Self::CloudTrail => CONTENT_TYPE,
        }
    }

    /// Reads and validates a request.
    ///
    /// # Errors
    /// [`Failure::UnknownOperation`]; [`Failure::Invalid`] if it is not what the protocol says, an error of the service's
    /// own if the model or the field list says no.
    pub(crate) fn command(
        self,
        headers: &Headers<'_>,
        body: &[u8],
        noted: &mut Noted,
    ) -> Result<Command, Failure> {
        let (operation, input) = self.request(headers, body, noted).map_err(|failure| {
            if let Failure::Validation(sentence) = &failure {
                return self.refused(sentence);
            }
            failure
        })?;
        ops::json_command(self, operation, input)
    }

    /// What its strings are: events, filter patterns and tokens of `logs` are a tenant's.
    fn strings(self) -> Strings {
        match self {
            Self::Organizations | Self::Kms | Self::CloudTrail => Strings::Plain,
            Self::Logs => Strings::TextsOfTenants,
        }
    }

    /// How the service says that a request breaks its model's constraints.
    fn refused(self, sentence: &str) -> Failure {
        match self {
            Self::Organizations => organizations_refuses(sentence),
            // Whatever is wrong with a request has this one code.
            Self::Logs => Failure::Service {
                code: "InvalidParameterException",
                message: sentence.to_owned(),
                status: 400,
            },
            Self::Kms | Self::CloudTrail => Failure::Validation(sentence.to_owned()),
        }
    }

    fn request(
        self,
        headers: &Headers<'_>,
        body: &[u8],
        noted: &mut Noted,
    ) -> Result<(&'static str, Document), Failure> {
        let model = self.model()?;
        let (operation, input) = read(model, headers, (body, self.strings()))?;
        *noted = call::told(&input);
        let shape = model.operations.get(operation).and_then(|o| o.input.as_ref());
        validate::validate(model, shape.map(|input| input.shape.as_str()), &input)?;
        let called = field_list::Called {
            service: self.signing_name(),
            operation,
            model,
        };
        field_list::refuse_unserved(&called, shape, &input)?;
        Ok((operation, input))
    }

    /// The reply of `operation`.
    ///
    /// # Errors
    /// [`Failure::Internal`] if the document is not what the model says.
    pub(super) fn reply(self, operation: &str, document: Document) -> Result<Reply, Failure> {
        reply(self.model()?, operation, document)
    }
}

/// Organizations has one code for whatever breaks a constraint, and tells by a reason which.
fn organizations_refuses(sentence: &str) -> Failure {
    let reasons = [
        (
            "must not be null",
            "INPUT_REQUIRED",
            "You must include a value for all required parameters.",
        ),
        (
            "enum value set",
            "INVALID_ENUM",
            "You specified an invalid value.",
        ),
        (
            "length less than",
            "MAX_LENGTH_EXCEEDED",
            "You provided a string parameter that is longer than allowed.",
        ),
        (
            "length greater than",
            "MIN_LENGTH_EXCEEDED",
            "You provided a string parameter that is shorter than allowed.",
        ),
        (
            "value less than",
            "MAX_VALUE_EXCEEDED",
            "You provided a numeric parameter that has a larger value than allowed.",
        ),
        (
            "value greater than",
            "MIN_VALUE_EXCEEDED",
            "You provided a numeric parameter that has a smaller value than allowed.",
        ),
    ];
    let found = reasons.iter().find(|(part, ..)| sentence.contains(part));
    let (_, reason, words) = found.copied().unwrap_or((
        "",
        "INVALID_PATTERN",
        "You provided a value that does not match the required pattern.",
    ));
    Failure::ServiceReason {
        code: "InvalidInputException",
        reason,
        message: format!("{words} {sentence}"),
    }
}

/// What stands behind the service's name in the header that names the operation.
fn target(model: &ServiceModel, headers: &Headers<'_>) -> Option<String> {
    let values = headers("x-amz-target");
    // Of more than one only one could be followed.
    let [target] = values.as_slice() else { return None };
    let target = std::str::from_utf8(target).ok()?;
    let asked = target.strip_prefix(model.metadata.target_prefix.as_str())?;
    asked.strip_prefix('.').map(str::to_owned)
}

/// The operation that a request names, and its members; not yet validated.
pub(super) fn read<'m>(
    model: &'m ServiceModel,
    headers: &Headers<'_>,
    (body, strings): (&[u8], Strings),
) -> Result<(&'m str, Document), Failure> {
    let asked = target(model, headers).unwrap_or_default();
    let Some((operation, shapes)) = model.operations.get_key_value(&asked) else {
        return Err(Failure::UnknownOperation {
            operation: if asked.is_empty() {
                "(not served)".to_owned()
            } else {
                name(&asked)
            },
            version: model.metadata.api_version.clone(),
        });
    };
    let input = match &shapes.input {
        Some(input) => rest_in::read_object(model, &input.shape, body, strings)?,
        None => Document::Structure(Vec::new()),
    };
    Ok((operation, input))
}

/// A whole reply. An operation that answers nothing has an empty body.
///
/// # Errors
/// [`Failure::Internal`] if the document is not what the model says.
pub(super) fn reply(model: &ServiceModel, operation: &str, document: Document) -> Result<Reply, Failure> {
    let operation = model.operations.get(operation).ok_or(Failure::Internal)?;
    let body = match &operation.output {
        Some(output) => rest_out::structure(model, &output.shape, document)?,
        None => ContentBytes::new(Vec::new()),
    };
    Ok(Reply {
        status: 200,
        content_type: CONTENT_TYPE,
        headers: Vec::new(),
        body,
        elements: None,
    })
}
