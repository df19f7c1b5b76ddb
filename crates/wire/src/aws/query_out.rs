//! AWS query protocol and EC2's dialect of it, out: a [`Document`] to XML, as the model says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{Content, ContentBytes, RequestId, Timestamp};
use quick_xml::escape::escape;
use zeroize::Zeroizing;

use super::document::Document;
use super::model::{Kind, ServiceModel, Shape, ShapeRef, TimestampFormat};
use crate::failure::printable;
use crate::{Failure, Reply};

/// Writes the whole reply of `operation`.
///
/// # Errors
/// [`Failure::Internal`] if the document is not what the model says.
pub(super) fn reply(
    model: &ServiceModel,
    operation: &str,
    document: &Document,
    request: &RequestId,
) -> Result<Reply, Failure> {
    let output = model
        .operations
        .get(operation)
        .ok_or(Failure::Internal)?
        .output
        .as_ref();
    let mut xml = Xml {
        model,
        out: Zeroizing::new(Vec::with_capacity(4096)),
    };
    let namespace = escape(&*model.metadata.xml_namespace);
    xml.put(&format!("<{operation}Response xmlns=\"{namespace}\">"));
    if model.metadata.protocol == "ec2" {
        xml.put(&format!("<requestId>{request}</requestId>"));
        if let Some(output) = output {
            let shape = xml.shape(&output.shape)?;
            xml.structure(shape, document)?;
        }
        xml.put(&format!("</{operation}Response>"));
        return Ok(xml.finish());
    }
    if let Some(output) = output {
        let wrapper = output
            .result_wrapper
            .clone()
            .unwrap_or_else(|| format!("{operation}Result"));
        let shape = xml.shape(&output.shape)?;
        xml.element(&wrapper, |xml| xml.structure(shape, document))?;
    }
    xml.put(&format!(
        "<ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></{operation}Response>"
    ));
    Ok(xml.finish())
}

struct Xml<'a> {
    model: &'a ServiceModel,
    out: Zeroizing<Vec<u8>>,
}

impl<'a> Xml<'a> {
    fn shape(&self, name: &str) -> Result<&'a Shape, Failure> {
        self.model.shapes.get(name).ok_or(Failure::Internal)
    }

    /// Appends, wiping the old buffer if it has to move: replies hold credentials.
    fn put(&mut self, text: &str) {
        let needed = self.out.len().saturating_add(text.len());
        if needed > self.out.capacity() {
            let mut grown = Zeroizing::new(Vec::with_capacity(needed.saturating_mul(2)));
            grown.extend_from_slice(&self.out);
            self.out = grown;
        }
        self.out.extend_from_slice(text.as_bytes());
    }

    fn finish(mut self) -> Reply {
        Reply {
            status: 200,
            content_type: "text/xml",
            headers: Vec::new(),
            body: ContentBytes::new(std::mem::take(&mut *self.out)),
            elements: None,
        }
    }

    fn element(
        &mut self,
        name: &str,
        inside: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.put(&format!("<{name}>"));
        inside(self)?;
        self.put(&format!("</{name}>"));
        Ok(())
    }

    fn structure(&mut self, shape: &Shape, document: &Document) -> Result<(), Failure> {
        let Document::Structure(values) = document else {
            return Err(Failure::Internal);
        };
        let known = values
            .iter()
            .all(|(name, _)| shape.members.iter().any(|(member, _)| member == name));
        let whole = shape
            .required
            .iter()
            .all(|name| values.iter().any(|(value, _)| value == name));
        if !known || !whole {
            return Err(Failure::Internal);
        }
        for (name, member) in shape.members.iter() {
            if let Some((_, value)) = values.iter().find(|(value, _)| value == name) {
                self.value(member.location_name.as_deref().unwrap_or(name), member, value)?;
            }
        }
        Ok(())
    }

    fn value(&mut self, name: &str, used: &ShapeRef, document: &Document) -> Result<(), Failure> {
        let shape = self.shape(&used.shape)?;
        let flattened = used.flattened || shape.flattened;
        match (shape.kind, document) {
            (Kind::Structure, _) => self.element(name, |xml| xml.structure(shape, document)),
            (Kind::List, Document::List(items)) => {
                let item = shape.member.as_ref().ok_or(Failure::Internal)?;
                if flattened {
                    return items.iter().try_for_each(|value| self.value(name, item, value));
                }
                let inner = item.location_name.as_deref().unwrap_or("member");
                self.element(name, |xml| {
                    items.iter().try_for_each(|value| xml.value(inner, item, value))
                })
            }
            (Kind::Map, Document::Map(entries)) if flattened => entries
                .iter()
                .try_for_each(|entry| self.element(name, |xml| xml.entry(shape, entry))),
            (Kind::Map, Document::Map(entries)) => self.element(name, |xml| {
                entries
                    .iter()
                    .try_for_each(|entry| xml.element("entry", |xml| xml.entry(shape, entry)))
            }),
            _ => self.element(name, |xml| xml.scalar(shape, used, document)),
        }
    }

    fn entry(&mut self, shape: &Shape, (key, value): &(Content, Document)) -> Result<(), Failure> {
        let (key_ref, value_ref) = shape
            .key
            .as_ref()
            .zip(shape.value.as_ref())
            .ok_or(Failure::Internal)?;
        let key_name = key_ref.location_name.as_deref().unwrap_or("key");
        self.element(key_name, |xml| {
            xml.text(key.expose());
            Ok(())
        })?;
        self.value(
            value_ref.location_name.as_deref().unwrap_or("value"),
            value_ref,
            value,
        )
    }

    fn text(&mut self, text: &str) {
        self.put(&escape(printable(text).as_str()));
    }

    fn scalar(&mut self, shape: &Shape, used: &ShapeRef, document: &Document) -> Result<(), Failure> {
        match (shape.kind, document) {
            (Kind::String, Document::Text(text)) if !shape.sensitive => self.text(text),
            (Kind::String, Document::Sensitive(secret)) => {
                let text = std::str::from_utf8(secret.expose()).map_err(|_unsuitable| Failure::Internal)?;
                // Our secrets are base64: nothing in them is escaped, so that no copy is made.
                self.put(&escape(text));
            }
            (Kind::Integer | Kind::Long, Document::Integer(value)) => self.put(&value.to_string()),
            (Kind::Float | Kind::Double, Document::Float(value)) => self.put(&float(*value)),
            (Kind::Boolean, Document::Boolean(value)) => self.put(if *value { "true" } else { "false" }),
            (Kind::Timestamp, Document::Timestamp(time)) => {
                let format = used
                    .timestamp_format
                    .or(shape.timestamp_format)
                    .unwrap_or(TimestampFormat::Iso8601);
                self.put(&timestamp(format, *time));
            }
            (Kind::Blob, Document::Blob(bytes)) => self.put(&STANDARD.encode(bytes.expose())),
            _ => return Err(Failure::Internal),
        }
        Ok(())
    }
}

/// AWS's names for what is no number.
pub(super) fn float(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 {
            "Infinity".to_owned()
        } else {
            "-Infinity".to_owned()
        };
    }
    value.to_string()
}

pub(super) fn timestamp(format: TimestampFormat, time: Timestamp) -> String {
    match format {
        TimestampFormat::Iso8601 => time.to_string(),
        TimestampFormat::Rfc822 => time.http_date(),
        TimestampFormat::UnixTimestamp => time.unix_seconds().to_string(),
    }
}
