//! AWS rest-json, out: a [`Document`] to status, headers and body, as the model says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moho_terms::ContentBytes;

use super::document::Document;
use super::model::{Kind, Location, ServiceModel, Shape, ShapeRef, TimestampFormat};
use super::query_out;
use crate::json::Writer;
use crate::{Failure, Reply};

/// The headers that replies have beside `Content-Type`, as they are sent.
const HEADERS: [&str; 3] = [
    "x-amzn-bedrock-content-type",
    "x-amzn-bedrock-performanceconfig-latency",
    "x-amzn-bedrock-service-tier",
];

/// Writes the whole reply of `operation`. A payload that is an event stream is left out: its frames come later.
///
/// # Errors
/// [`Failure::Internal`] if the document is not what the model says.
pub(super) fn reply(model: &ServiceModel, operation: &str, document: Document) -> Result<Reply, Failure> {
    let operation = model.operations.get(operation).ok_or(Failure::Internal)?;
    let output = operation.output.as_ref().ok_or(Failure::Internal)?;
    let printer = Printer { model };
    let shape = printer.shape(&output.shape)?;
    let Document::Structure(mut members) = document else {
        return Err(Failure::Internal);
    };
    let mut reply = Reply::json(ContentBytes::new(Vec::new()));
    reply.status = operation.http.response_code;
    for (name, used) in shape.members.iter() {
        let Some(location) = used.location else { continue };
        let Some(at) = members.iter().position(|(member, _)| member == name) else {
            continue;
        };
        let (_, value) = members.swap_remove(at);
        let (Location::Header, Document::Text(value)) = (location, value) else {
            return Err(Failure::Internal);
        };
        let name = used.location_name.as_deref().unwrap_or(name);
        if name.eq_ignore_ascii_case("content-type") && value == reply.content_type {
            continue;
        }
        let known = HEADERS.into_iter().find(|known| known.eq_ignore_ascii_case(name));
        reply.headers.push((known.ok_or(Failure::Internal)?, value));
    }
    reply.body = printer.body(shape, members)?;
    Ok(reply)
}

/// Writes one structure as JSON: the payload of an event.
///
/// # Errors
/// [`Failure::Internal`] if the document is not what the model says.
pub(super) fn structure(
    model: &ServiceModel,
    shape: &str,
    document: Document,
) -> Result<ContentBytes, Failure> {
    let printer = Printer { model };
    let Document::Structure(members) = document else {
        return Err(Failure::Internal);
    };
    let mut w = Writer::new();
    printer.structure(&mut w, printer.shape(shape)?, &members)?;
    Ok(w.finish())
}

struct Printer<'a> {
    model: &'a ServiceModel,
}

impl<'a> Printer<'a> {
    fn shape(&self, name: &str) -> Result<&'a Shape, Failure> {
        self.model.shapes.get(name).ok_or(Failure::Internal)
    }

    fn body(&self, shape: &Shape, mut members: Vec<(String, Document)>) -> Result<ContentBytes, Failure> {
        let mut w = Writer::new();
        let Some(payload) = &shape.payload else {
            self.structure(&mut w, shape, &members)?;
            return Ok(w.finish());
        };
        let (_, used) = shape
            .members
            .iter()
            .find(|(name, _)| name == payload)
            .ok_or(Failure::Internal)?;
        match (members.pop(), members.is_empty()) {
            (None, _) => Ok(w.finish()),
            (Some((name, Document::Blob(bytes))), true) if name == *payload => Ok(bytes),
            // A string that is the whole body is not quoted.
            (Some((name, Document::Text(text))), true) if name == *payload => {
                Ok(ContentBytes::new(text.into_bytes()))
            }
            (Some((name, value)), true) if name == *payload => {
                self.value(&mut w, used, &value)?;
                Ok(w.finish())
            }
            (Some(_), _) => Err(Failure::Internal),
        }
    }

    fn structure(&self, w: &mut Writer, shape: &Shape, values: &[(String, Document)]) -> Result<(), Failure> {
        let in_body = |used: &ShapeRef| used.location.is_none();
        let known = values.iter().all(|(name, _)| {
            shape
                .members
                .iter()
                .any(|(member, used)| member == name && in_body(used))
        });
        let there = |name: &str| values.iter().any(|(value, _)| value == name);
        let whole = shape.members.iter().all(|(name, used)| {
            !in_body(used) || there(name) || !shape.required.iter().any(|required| required == name)
        });
        if !known || !whole || shape.union && values.len() != 1 {
            return Err(Failure::Internal);
        }
        let mut written = Ok(());
        w.object(|w| {
            written = shape.members.iter().try_for_each(|(name, used)| {
                let key = used.location_name.as_deref().unwrap_or(name);
                match values.iter().find(|(value, _)| value == name) {
                    Some((_, value)) => self.value(w.key(key), used, value),
                    None => Ok(()),
                }
            });
        });
        written
    }

    fn value(&self, w: &mut Writer, used: &ShapeRef, document: &Document) -> Result<(), Failure> {
        let shape = self.shape(&used.shape)?;
        let mut written = Ok(());
        match (shape.kind, document) {
            (_, Document::Json(json)) if shape.document => w.json(json),
            (Kind::Structure, Document::Structure(values)) => return self.structure(w, shape, values),
            (Kind::List, Document::List(items)) => {
                let item = shape.member.as_ref().ok_or(Failure::Internal)?;
                w.array(|w| written = items.iter().try_for_each(|value| self.value(w, item, value)));
            }
            (Kind::Map, Document::Map(entries)) => {
                let value_ref = shape.value.as_ref().ok_or(Failure::Internal)?;
                w.object(|w| {
                    written = entries
                        .iter()
                        .try_for_each(|(key, value)| self.value(w.key(key.expose()), value_ref, value));
                });
            }
            _ => return scalar(w, shape, used, document),
        }
        written
    }
}

fn scalar(w: &mut Writer, shape: &Shape, used: &ShapeRef, document: &Document) -> Result<(), Failure> {
    match (shape.kind, document) {
        (Kind::String, Document::Text(text)) if !shape.sensitive => w.string(text),
        (Kind::String, Document::Words(words)) => w.string(words.expose()),
        (Kind::String, Document::Sensitive(secret)) => {
            w.string(std::str::from_utf8(secret.expose()).map_err(|_unsuitable| Failure::Internal)?);
        }
        (Kind::Integer | Kind::Long, Document::Integer(value)) => w.raw(value.to_string().as_bytes()),
        (Kind::Float | Kind::Double, Document::Float(value)) if value.is_finite() => {
            w.raw(value.to_string().as_bytes());
        }
        (Kind::Float | Kind::Double, Document::Float(value)) => w.string(&query_out::float(*value)),
        (Kind::Boolean, Document::Boolean(value)) => w.raw(if *value { b"true" } else { b"false" }),
        (Kind::Timestamp, Document::Timestamp(time)) => {
            let format = used
                .timestamp_format
                .or(shape.timestamp_format)
                .unwrap_or(TimestampFormat::UnixTimestamp);
            let text = query_out::timestamp(format, *time);
            if format == TimestampFormat::UnixTimestamp {
                w.raw(text.as_bytes());
            } else {
                w.string(&text);
            }
        }
        (Kind::Blob, Document::Sensitive(secret)) => {
            let text = zeroize::Zeroizing::new(STANDARD.encode(secret.expose()));
            w.string(&text);
        }
        (Kind::Blob, Document::Blob(bytes)) => {
            // The base64 of content is content.
            let text = zeroize::Zeroizing::new(STANDARD.encode(bytes.expose()));
            w.string(&text);
        }
        _ => return Err(Failure::Internal),
    }
    Ok(())
}
