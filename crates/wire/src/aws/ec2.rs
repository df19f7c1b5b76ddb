//! EC2's own words for what is wrong with a request: it names one parameter, as the form does.

use super::document::Document;
use super::model::{Kind, ServiceModel};
use crate::Failure;

/// Checks a request against its shape; `None` is an operation without a request.
///
/// # Errors
/// [`Failure::Service`] with EC2's code about the first thing that is wrong.
pub(super) fn validate(model: &ServiceModel, shape: Option<&str>, input: &Document) -> Result<(), Failure> {
    match shape {
        Some(shape) => value(model, shape, (input, "")),
        None => Ok(()),
    }
}

fn value(model: &ServiceModel, shape: &str, (document, name): (&Document, &str)) -> Result<(), Failure> {
    let shape = model.shapes.get(shape).ok_or(Failure::Internal)?;
    match document {
        Document::Structure(members) => {
            let missing = shape
                .required
                .iter()
                .find(|required| !members.iter().any(|(member, _)| member == *required));
            if let Some(missing) = missing {
                return Err(refused(
                    "MissingParameter",
                    format!("The request must contain the parameter {missing}"),
                ));
            }
            members.iter().try_for_each(|(name, inner)| {
                let found = shape.members.iter().find(|(member, _)| member == name);
                let (_, used) = found.ok_or(Failure::Internal)?;
                value(model, &used.shape, (inner, name))
            })
        }
        Document::List(items) => {
            let item = shape.member.as_ref().ok_or(Failure::Internal)?;
            items
                .iter()
                .try_for_each(|inner| value(model, &item.shape, (inner, name)))
        }
        Document::Text(text) if shape.kind == Kind::String => {
            let known = shape.words.is_empty() || shape.words.iter().any(|word| word == text);
            if known {
                Ok(())
            } else {
                Err(refused(
                    "InvalidParameterValue",
                    format!("Value ({}) for parameter {name} is invalid.", shown(text)),
                ))
            }
        }
        Document::Text(_)
        | Document::Words(_)
        | Document::Sensitive(_)
        | Document::Integer(_)
        | Document::Float(_)
        | Document::Boolean(_)
        | Document::Timestamp(_)
        | Document::Blob(_)
        | Document::Map(_)
        | Document::Json(_) => Ok(()),
    }
}

/// A value as it is repeated: its beginning.
fn shown(text: &str) -> String {
    const MOST: usize = 64;
    let mut shown: String = text.chars().take(MOST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn refused(code: &'static str, message: String) -> Failure {
    Failure::Service {
        code,
        message,
        status: 400,
    }
}
