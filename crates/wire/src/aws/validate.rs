//! Constraints of the model, refused in the very words AWS uses.

use std::collections::BTreeSet;

use moho_terms::Content;

use super::document::Document;
use super::model::{Kind, ServiceModel, Shape};
use super::path::lower_first;
use crate::Failure;

/// Errors told about one request. There may be millions: nobody reads on, and a reply must not outgrow its request.
const MAX_ERRORS: usize = 10;

/// The longest value, in characters, that a refusal repeats; nor does it repeat what is no name ([`Shape::is_text`]).
const LONGEST_SHOWN: usize = 128;

/// Checks a request against its shape; `None` is an operation without a request.
///
/// # Errors
/// [`Failure::Validation`] with AWS's sentence about the first [`MAX_ERRORS`] things that are wrong.
pub(super) fn validate(model: &ServiceModel, shape: Option<&str>, input: &Document) -> Result<(), Failure> {
    match shape {
        Some(shape) => validate_at(model, shape, input, ""),
        None => Ok(()),
    }
}

/// Checks what was found at `path`.
///
/// # Errors
/// [`Failure::Validation`] with AWS's sentence about the first [`MAX_ERRORS`] things that are wrong.
pub(super) fn validate_at(
    model: &ServiceModel,
    shape: &str,
    input: &Document,
    path: &str,
) -> Result<(), Failure> {
    let mut validator = Validator {
        model,
        errors: Vec::new(),
    };
    validator.value(shape, input, path)?;
    let errors = validator.errors;
    match errors.len() {
        0 => Ok(()),
        1 => Err(Failure::Validation(format!(
            "1 validation error detected: {}",
            errors.join("; ")
        ))),
        count => Err(Failure::Validation(format!(
            "{count} validation errors detected: {}",
            errors.join("; ")
        ))),
    }
}

struct Validator<'a> {
    model: &'a ServiceModel,
    errors: Vec<String>,
}

impl<'a> Validator<'a> {
    fn shape(&self, name: &str) -> Result<&'a Shape, Failure> {
        self.model.shapes.get(name).ok_or(Failure::Internal)
    }

    /// Whether there is enough to tell. Nothing more is looked at then.
    fn full(&self) -> bool {
        self.errors.len() >= MAX_ERRORS
    }

    fn error(&mut self, error: String) {
        if !self.full() {
            self.errors.push(error);
        }
    }

    fn refuse(&mut self, value: Option<&str>, path: &str, constraint: &str) {
        let value = value
            .filter(|value| value.chars().nth(LONGEST_SHOWN).is_none())
            .map(|value| format!(" '{value}'"))
            .unwrap_or_default();
        self.error(format!(
            "Value{value} at '{path}' failed to satisfy constraint: Member must {constraint}"
        ));
    }

    fn value(&mut self, shape: &str, document: &Document, path: &str) -> Result<(), Failure> {
        let shape = self.shape(shape)?;
        match document {
            Document::Structure(members) => self.structure(shape, members, path)?,
            Document::List(items) => {
                if !self.length(shape, items.len(), Some("[...]"), path) {
                    return Ok(());
                }
                let item = shape.member.as_ref().ok_or(Failure::Internal)?;
                for (index, value) in items.iter().enumerate() {
                    if self.full() {
                        break;
                    }
                    self.value(&item.shape, value, &format!("{path}.{}.member", index + 1))?;
                }
            }
            Document::Map(entries) => {
                if !self.length(shape, entries.len(), Some("{...}"), path) {
                    return Ok(());
                }
                self.keys(shape, entries, path)?;
                let used = shape.value.as_ref().ok_or(Failure::Internal)?;
                for (index, (_, value)) in entries.iter().enumerate() {
                    if self.full() {
                        break;
                    }
                    self.value(&used.shape, value, &format!("{path}.{}.value", index + 1))?;
                }
            }
            Document::Text(text) => self.text(shape, text, Some(text), path),
            Document::Sensitive(secret) if shape.kind == Kind::Blob => {
                self.length(shape, secret.len(), None, path);
            }
            Document::Sensitive(secret) => {
                let text = std::str::from_utf8(secret.expose()).map_err(|_unsuitable| Failure::Internal)?;
                self.text(shape, text, None, path);
            }
            Document::Integer(value) => {
                // Limits in the models are far below 2^53, where f64 is exact.
                let number: f64 = value
                    .to_string()
                    .parse()
                    .map_err(|_unsuitable| Failure::Internal)?;
                self.range(shape, number, &value.to_string(), path);
            }
            Document::Float(value) => self.range(shape, *value, &value.to_string(), path),
            Document::Blob(bytes) => {
                self.length(shape, bytes.len(), None, path);
            }
            Document::Words(words) => self.text(shape, words.expose(), None, path),
            Document::Boolean(_) | Document::Timestamp(_) | Document::Json(_) => {}
        }
        Ok(())
    }

    fn structure(
        &mut self,
        shape: &Shape,
        members: &[(String, Document)],
        path: &str,
    ) -> Result<(), Failure> {
        for (name, member) in shape.members.iter() {
            if self.full() {
                break;
            }
            let path = if path.is_empty() {
                lower_first(name)
            } else {
                format!("{path}.{}", lower_first(name))
            };
            match members.iter().find(|(sent, _)| sent == name) {
                Some((_, value)) => self.value(&member.shape, value, &path)?,
                None if shape.required.iter().any(|required| required == name) => self.error(format!(
                    "Value null at '{path}' failed to satisfy constraint: Member must not be null"
                )),
                None => {}
            }
        }
        Ok(())
    }

    /// Keys are a tenant's words: which constraints they must satisfy is told, none of them is shown.
    fn keys(&mut self, shape: &Shape, entries: &[(Content, Document)], path: &str) -> Result<(), Failure> {
        let shape = self.shape(&shape.key.as_ref().ok_or(Failure::Internal)?.shape)?;
        let broken: BTreeSet<String> = entries
            .iter()
            .flat_map(|(key, _)| broken_by(shape, key.expose()))
            .collect();
        if !broken.is_empty() {
            let list = broken.into_iter().collect::<Vec<_>>().join(", Member must ");
            self.error(format!(
                "Value at '{path}' failed to satisfy constraint: Map keys must satisfy constraint: [Member must {list}]"
            ));
        }
        Ok(())
    }

    fn text(&mut self, shape: &Shape, text: &str, shown: Option<&str>, path: &str) {
        if shape.kind != Kind::String {
            return;
        }
        let shown = shown.filter(|_| !shape.is_text);
        for constraint in broken_by(shape, text) {
            self.refuse(shown, path, &constraint);
        }
    }

    /// Whether a length is as it must be. What is in a list or map of another one is not looked at.
    fn length(&mut self, shape: &Shape, length: usize, shown: Option<&str>, path: &str) -> bool {
        let broken = too_short_or_long(shape, length);
        for constraint in &broken {
            self.refuse(shown, path, constraint);
        }
        broken.is_empty()
    }

    fn range(&mut self, shape: &Shape, number: f64, shown: &str, path: &str) {
        if let Some(min) = shape.min.filter(|min| number.is_nan() || number < *min) {
            self.refuse(
                Some(shown),
                path,
                &format!("have value greater than or equal to {min}"),
            );
        }
        if let Some(max) = shape.max.filter(|max| number > *max) {
            self.refuse(
                Some(shown),
                path,
                &format!("have value less than or equal to {max}"),
            );
        }
    }
}

/// What a string must and does not.
fn broken_by(shape: &Shape, text: &str) -> Vec<String> {
    let mut broken = too_short_or_long(shape, text.chars().count());
    if !shape.words.is_empty() && !shape.words.iter().any(|word| word == text) {
        broken.push(format!("satisfy enum value set: [{}]", shape.words.join(", ")));
    }
    if let (Some(regex), Some(pattern)) = (&shape.regex, &shape.pattern)
        && !regex.is_match(text)
    {
        broken.push(format!("satisfy regular expression pattern: {pattern}"));
    }
    broken
}

fn too_short_or_long(shape: &Shape, length: usize) -> Vec<String> {
    let length: f64 = u32::try_from(length).unwrap_or(u32::MAX).into();
    let short = shape.min.filter(|min| length < *min);
    let long = shape.max.filter(|max| length > *max);
    let short = short.map(|min| format!("have length greater than or equal to {min}"));
    let long = long.map(|max| format!("have length less than or equal to {max}"));
    short.into_iter().chain(long).collect()
}
