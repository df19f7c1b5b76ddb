//! What happens to each modelled member of a request: used, refused or ignored. Nothing is dropped silently.
//!
//! Members of a request stand under its operation; members of a structure within a used member stand under the name of
//! that structure's shape.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::document::Document;
use super::model::{ServiceModel, ShapeRef};
use crate::Failure;

/// How Bedrock refuses a guardrail: none exists here, so none is ever skipped.
pub(crate) const NO_GUARDRAIL: &str =
    "The guardrail identifier or version provided in the request does not exist.";
/// How Bedrock refuses tools.
pub(crate) const NO_TOOLS: &str = "This model doesn't support tool use.";

const FIELDS: &str = include_str!("../../models/fields.tsv");

static FATES: LazyLock<BTreeMap<[&'static str; 3], Field<'static>>> =
    LazyLock::new(|| fields().map(|f| ([f.service, f.owner, f.member], f)).collect());

/// One line of the list.
pub(super) struct Field<'a> {
    /// The service as botocore calls it.
    pub(super) service: &'a str,
    /// The operation or shape.
    pub(super) owner: &'a str,
    pub(super) member: &'a str,
    /// `used`, `refused` or `ignored`.
    pub(super) fate: &'a str,
    pub(super) reason: &'a str,
}

/// All lines.
pub(super) fn fields() -> impl Iterator<Item = Field<'static>> {
    FIELDS.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap_or_default();
        Field {
            service: next(),
            owner: next(),
            member: next(),
            fate: next(),
            reason: next(),
        }
    })
}

/// What a request calls.
pub(super) struct Called<'a> {
    pub(super) service: &'a str,
    pub(super) operation: &'a str,
    pub(super) model: &'a ServiceModel,
}

/// Refuses a request with a member that is not served, by name. A member that is on no list is a fault of ours.
pub(super) fn refuse_unserved(
    called: &Called<'_>,
    shape: Option<&ShapeRef>,
    input: &Document,
) -> Result<(), Failure> {
    match shape {
        Some(used) => called.structure(called.operation, &used.shape, input),
        None => Ok(()),
    }
}

impl Called<'_> {
    fn structure(&self, owner: &str, shape: &str, document: &Document) -> Result<(), Failure> {
        let Document::Structure(values) = document else {
            return Err(Failure::Internal);
        };
        let shape = self.model.shapes.get(shape).ok_or(Failure::Internal)?;
        for (name, value) in values {
            let field = FATES
                .get(&[self.service, owner, name.as_str()])
                .ok_or(Failure::Internal)?;
            match field.fate {
                "refused" => return Err(refused(field)),
                "used" => {
                    let used = shape.members.iter().find(|(member, _)| member == name);
                    self.value(used.ok_or(Failure::Internal)?.1, value)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn value(&self, used: &ShapeRef, document: &Document) -> Result<(), Failure> {
        match document {
            Document::Structure(_) => self.structure(&used.shape, &used.shape, document),
            Document::List(items) => {
                let shape = self.model.shapes.get(&used.shape).ok_or(Failure::Internal)?;
                let item = shape.member.as_ref().ok_or(Failure::Internal)?;
                items.iter().try_for_each(|value| self.value(item, value))
            }
            Document::Map(entries) => {
                let shape = self.model.shapes.get(&used.shape).ok_or(Failure::Internal)?;
                let value_ref = shape.value.as_ref().ok_or(Failure::Internal)?;
                entries
                    .iter()
                    .try_for_each(|(_, value)| self.value(value_ref, value))
            }
            Document::Text(_)
            | Document::Words(_)
            | Document::Sensitive(_)
            | Document::Integer(_)
            | Document::Float(_)
            | Document::Boolean(_)
            | Document::Timestamp(_)
            | Document::Blob(_)
            | Document::Json(_) => Ok(()),
        }
    }
}

/// The refusal, as the service words it.
fn refused(field: &Field<'_>) -> Failure {
    let name = field.member;
    if field.service == "kms" {
        return Failure::Service {
            code: "UnsupportedOperationException",
            message: format!("The parameter {name} is not supported: {}.", field.reason),
            status: 400,
        };
    }
    Failure::Validation(match (field.service, name) {
        (
            "bedrock-runtime",
            "guardrailConfig" | "guardrailIdentifier" | "guardrailVersion" | "guardContent",
        ) => NO_GUARDRAIL.to_owned(),
        ("bedrock-runtime", "toolConfig" | "toolUse" | "toolResult") => NO_TOOLS.to_owned(),
        ("bedrock-runtime", _) => {
            format!("This model doesn't support the {name} field. Remove {name} and try again.")
        }
        _ => format!("The parameter {name} is not supported: {}", field.reason),
    })
}
