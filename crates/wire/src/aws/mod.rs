//! The AWS protocols, interpreted from trimmed service models.
//!
//! A request becomes a [`document::Document`] as its model says, is validated with AWS's wording, and only then a
//! typed struct; a reply goes the same way back. The models are made by `cargo xtask aws-model`.

pub(crate) mod declare;
pub(crate) mod document;
mod ec2;
pub(crate) mod field_list;
mod json;
mod model;
pub mod ops;
mod path;
mod pattern;
mod query_in;
mod query_out;
pub(crate) mod rest;
mod rest_in;
mod rest_out;
mod validate;

pub use json::JsonService;

use crate::call::{self, Noted};
use crate::query::Query;
use crate::{Command, ErrorShape, Failure};

/// An AWS service of the query protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryService {
    /// Security Token Service.
    Sts,
    /// Identity and Access Management.
    Iam,
    /// Elastic Compute Cloud, which speaks a dialect of the protocol.
    Ec2,
}

impl QueryService {
    /// The service a request is signed for.
    #[must_use]
    pub fn from_signing_name(name: &str) -> Option<Self> {
        match name {
            "sts" => Some(Self::Sts),
            "iam" => Some(Self::Iam),
            "ec2" => Some(Self::Ec2),
            _ => None,
        }
    }

    /// The name it is signed for.
    #[must_use]
    pub fn signing_name(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Ec2 => "ec2",
        }
    }

    /// How its errors look.
    #[must_use]
    pub fn error_shape(self) -> ErrorShape {
        match self {
            Self::Sts | Self::Iam => ErrorShape::Query {
                namespace: self.namespace(),
            },
            Self::Ec2 => ErrorShape::Ec2,
        }
    }

    /// The XML namespace of its replies. A test holds it against the model.
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Self::Ec2 => "http://ec2.amazonaws.com/doc/2016-11-15",
        }
    }

    /// The service as CloudTrail names it.
    pub(crate) fn event_source(self) -> &'static str {
        match self {
            Self::Sts => "sts.amazonaws.com",
            Self::Iam => "iam.amazonaws.com",
            Self::Ec2 => "ec2.amazonaws.com",
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

    /// The operation of this name, if there is one.
    pub(crate) fn operation_named(self, action: &str) -> Option<&'static str> {
        let (name, _) = self.model().ok()?.operations.get_key_value(action)?;
        Some(name)
    }

    /// The service's model.
    fn model(self) -> Result<&'static model::ServiceModel, Failure> {
        let model = match self {
            Self::Sts => &*model::STS,
            Self::Iam => &*model::IAM,
            Self::Ec2 => &*model::EC2,
        };
        model.as_ref().map_err(|_unsuitable| Failure::Internal)
    }

    /// Reads a form, which is the body, or the query where there is no body. Whatever it has, it has once.
    pub(crate) fn command(self, raw_query: &str, body: &[u8], noted: &mut Noted) -> Result<Command, Failure> {
        let form = match (Query::of_form_in_url(raw_query)?, body) {
            (query, []) => query,
            (query, _) if query.get("Action").is_some() => {
                return Err(Failure::Invalid {
                    message: "The request has a form in its query and another in its body.".to_owned(),
                    param: None,
                    code: None,
                });
            }
            (query, body) => {
                let form = Query::of_form(body)?;
                form.apart_from(&query)?;
                form
            }
        };
        let model = self.model()?;
        let action = form.get("Action").unwrap_or_default();
        let version = form.get("Version").unwrap_or(&model.metadata.api_version);
        let operation = model
            .operations
            .get(action)
            .filter(|_| version == model.metadata.api_version);
        let Some(operation) = operation else {
            return Err(Failure::UnknownOperation {
                operation: name(action),
                version: name(version),
            });
        };
        let input = match &operation.input {
            Some(input) => query_in::read(model, &input.shape, &form)?,
            None => document::Document::Structure(Vec::new()),
        };
        *noted = call::told(&input);
        let shape = operation.input.as_ref().map(|input| input.shape.as_str());
        match self {
            Self::Sts | Self::Iam => validate::validate(model, shape, &input)?,
            Self::Ec2 => ec2::validate(model, shape, &input)?,
        }
        let called = field_list::Called {
            service: self.signing_name(),
            operation: action,
            model,
        };
        field_list::refuse_unserved(&called, operation.input.as_ref(), &input)?;
        ops::command(self, action, input)
    }
}

/// Repeats the name of an operation or version; what has not the form of one is not repeated.
pub(crate) fn name(text: &str) -> String {
    let fits = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fits {
        text.to_owned()
    } else {
        "(not a name)".to_owned()
    }
}

#[cfg(test)]
mod ec2_vectors;
#[cfg(test)]
mod json_tests;
#[cfg(test)]
mod json_vectors;
#[cfg(test)]
mod rest_tests;
#[cfg(test)]
mod rest_vectors;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
