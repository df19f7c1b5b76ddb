//! AWS rest-json, in: path, query, headers and body to a [`Document`], as the model says.
//!
//! What arrives in headers and bodies is a tenant's word, whatever it looks like: it becomes [`Document::Words`], and a
//! refusal names its place, never its value. Control planes, whose strings are names and policies, say so ([`Strings`]).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{Content, ContentBytes, Secret, Timestamp};

use super::document::Document;
use super::model::{Kind, Location, ServiceModel, Shape, ShapeRef, TimestampFormat};
use super::path::{Path, Step};
use super::query_in;
use crate::Failure;
use crate::json::{self, Json};
use crate::query::Query;
use crate::route::Headers;

/// The parts of a request that members can be in.
pub(crate) struct RestRequest<'a, 'h> {
    /// A label of the path by its name, decoded.
    pub(crate) label: &'a dyn Fn(&str) -> Option<String>,
    /// The query.
    pub(crate) query: &'a Query,
    /// The headers.
    pub(crate) headers: &'a Headers<'h>,
    /// The body.
    pub(crate) body: &'a [u8],
}

/// Reads the members of a request. Names that are not in the model are ignored, as AWS does.
pub(super) fn read(
    model: &ServiceModel,
    shape: &str,
    request: &RestRequest<'_, '_>,
    strings: Strings,
) -> Result<Document, Failure> {
    let reader = Reader { model, strings };
    let shape = reader.shape(shape)?;
    let body = reader.body(shape, request.body)?;
    let Document::Structure(mut members) = body else {
        return Err(Failure::Internal);
    };
    for (name, used) in shape.members.iter() {
        let key = used.location_name.as_deref().unwrap_or(name);
        let text = match used.location {
            None => continue,
            Some(Location::Uri) => (request.label)(key).map(Content::new),
            Some(Location::Query) if reader.shape(&used.shape)?.kind == Kind::List => {
                if let Some(list) = reader.listed(used, request.query.all(key))? {
                    members.push((name.to_owned(), list));
                }
                continue;
            }
            Some(Location::Query) => request.query.get(key).map(|text| Content::new(text.to_owned())),
            Some(Location::Header) => header(request.headers, key)?,
            // No request of the operations served has them; a test sees to it.
            Some(Location::Headers | Location::StatusCode) => return Err(Failure::Internal),
        };
        if let Some(text) = text {
            members.push((name.to_owned(), reader.written(used, text)?));
        }
    }
    Ok(Document::Structure(members))
}

/// Reads JSON that came within something else, as the shape it has to have.
pub(super) fn read_json(
    model: &ServiceModel,
    used: &ShapeRef,
    json: &[u8],
    at: &str,
) -> Result<Option<Document>, Failure> {
    let reader = Reader {
        model,
        strings: Strings::OfTenants,
    };
    reader.value(used, parsed(json)?, &Path::Top.then(Step::Member(at)))
}

/// Reads a body that is one JSON object, all of whose members are in it. A body of nothing is an object of nothing.
pub(super) fn read_object(
    model: &ServiceModel,
    shape: &str,
    body: &[u8],
    strings: Strings,
) -> Result<Document, Failure> {
    let reader = Reader { model, strings };
    let shape = reader.shape(shape)?;
    if body.is_empty() {
        return Ok(Document::Structure(Vec::new()));
    }
    reader.structure(shape, parsed(body)?, &Path::Top)
}

/// A header as text. What is not visible ASCII is refused, and so is a second value: nothing that was sent is overlooked.
fn header(headers: &Headers<'_>, name: &str) -> Result<Option<Content>, Failure> {
    let values = headers(&name.to_ascii_lowercase());
    let value = match values.as_slice() {
        [] => return Ok(None),
        [value] => *value,
        _ => {
            return Err(serialization(format!(
                "The header {name} is given more than once"
            )));
        }
    };
    let plain = value.iter().all(|b| matches!(b, b'\t' | b' '..=b'~'));
    match std::str::from_utf8(value) {
        Ok(text) if plain => Ok(Some(Content::new(text.trim().to_owned()))),
        _ => Err(serialization(format!(
            "The header {name} has characters that a header cannot have"
        ))),
    }
}

/// What the strings of a JSON body are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strings {
    /// A tenant's words, all of them.
    OfTenants,
    /// Names, ids and policies, which may be shown, but for those that the model calls sensitive.
    Plain,
    /// Names, ids and what else is short, but for texts ([`Shape::is_text`]), which are a tenant's words.
    TextsOfTenants,
}

struct Reader<'a> {
    model: &'a ServiceModel,
    strings: Strings,
}

impl<'a> Reader<'a> {
    fn shape(&self, name: &str) -> Result<&'a Shape, Failure> {
        self.model.shapes.get(name).ok_or(Failure::Internal)
    }

    /// A member of path, query or headers.
    fn written(&self, used: &ShapeRef, text: Content) -> Result<Document, Failure> {
        let shape = self.shape(&used.shape)?;
        match (shape.kind, used.location) {
            (Kind::String, Some(Location::Header)) => Ok(Document::Words(text)),
            (Kind::List | Kind::Map | Kind::Structure, _) => Err(Failure::Internal),
            _ => query_in::scalar(shape, used, text.expose()),
        }
    }

    /// A list in the query: one value for each time that its name is given.
    fn listed(&self, used: &ShapeRef, values: Vec<Content>) -> Result<Option<Document>, Failure> {
        let item = self
            .shape(&used.shape)?
            .member
            .as_ref()
            .ok_or(Failure::Internal)?;
        let values = values.into_iter().map(|text| self.written(item, text));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        Ok((!values.is_empty()).then_some(Document::List(values)))
    }

    /// The members that are in the body: one of them is the whole body, or each is a member of its JSON.
    fn body(&self, shape: &Shape, body: &[u8]) -> Result<Document, Failure> {
        let Some(payload) = &shape.payload else {
            let in_body = shape.members.iter().any(|(_, used)| used.location.is_none());
            return if in_body && !body.is_empty() {
                self.structure(shape, parsed(body)?, &Path::Top)
            } else {
                Ok(Document::Structure(Vec::new()))
            };
        };
        let (name, used) = shape
            .members
            .iter()
            .find(|(name, _)| name == payload)
            .ok_or(Failure::Internal)?;
        if body.is_empty() {
            return Ok(Document::Structure(Vec::new()));
        }
        let inner = self.shape(&used.shape)?;
        let value = match inner.kind {
            Kind::Blob => Some(Document::Blob(ContentBytes::new(body.to_vec()))),
            Kind::String => match std::str::from_utf8(body) {
                Ok(text) => Some(Document::Words(Content::new(text.to_owned()))),
                Err(_) => return Err(serialization("The body is not valid UTF-8".to_owned())),
            },
            Kind::Structure
            | Kind::List
            | Kind::Map
            | Kind::Integer
            | Kind::Long
            | Kind::Float
            | Kind::Double
            | Kind::Boolean
            | Kind::Timestamp => self.value(used, parsed(body)?, &Path::Top.then(Step::Member(name)))?,
        };
        Ok(Document::Structure(
            value.map(|value| (name.to_owned(), value)).into_iter().collect(),
        ))
    }

    fn structure(&self, shape: &Shape, json: Json, path: &Path<'_>) -> Result<Document, Failure> {
        let Json::Object(pairs) = json else {
            return Err(mismatch(&json, "a Structure", path));
        };
        let mut members: Vec<(String, Document)> = Vec::new();
        for (key, json) in pairs {
            let known = shape.members.iter().find(|(name, used)| {
                used.location.is_none() && used.location_name.as_deref().unwrap_or(name) == key.expose()
            });
            let Some((name, used)) = known else { continue };
            let path = path.then(Step::Member(name));
            if members.iter().any(|(member, _)| member == name) {
                return Err(serialization(format!("The member at '{path}' is given twice")));
            }
            if let Some(value) = self.value(used, json, &path)? {
                members.push((name.to_owned(), value));
            }
        }
        if shape.union && members.len() != 1 {
            return Err(serialization(format!(
                "Exactly one member of the union at '{path}' must be set"
            )));
        }
        Ok(Document::Structure(members))
    }

    /// A value, unless it is null, which is as if it were not there.
    fn value(&self, used: &ShapeRef, json: Json, path: &Path<'_>) -> Result<Option<Document>, Failure> {
        if matches!(json, Json::Null) {
            return Ok(None);
        }
        let shape = self.shape(&used.shape)?;
        if shape.document {
            return Ok(Some(Document::Json(json)));
        }
        match (shape.kind, json) {
            (Kind::Structure, json) => self.structure(shape, json, path).map(Some),
            (Kind::List, Json::Array(items)) => self.list(shape, items, path).map(Some),
            (Kind::Map, Json::Object(pairs)) => self.map(shape, pairs, path).map(Some),
            (Kind::List, json) => Err(mismatch(&json, "a List", path)),
            (Kind::Map, json) => Err(mismatch(&json, "a Map", path)),
            (Kind::String, Json::String(text)) => Ok(Some(self.string(shape, text))),
            (Kind::Blob, Json::String(text)) if shape.sensitive && self.strings == Strings::Plain => {
                let bytes = STANDARD.decode(text.expose()).map(Secret::new);
                let bytes = bytes.map_err(|_other| mismatch(&Json::String(text), "a Blob", path))?;
                Ok(Some(Document::Sensitive(bytes)))
            }
            (_, json) => scalar(shape, used, &json, path).map(Some),
        }
    }

    fn string(&self, shape: &Shape, text: Content) -> Document {
        match self.strings {
            Strings::OfTenants => Document::Words(text),
            Strings::Plain | Strings::TextsOfTenants if shape.sensitive => {
                Document::Sensitive(Secret::new(text.expose().as_bytes().to_vec()))
            }
            Strings::TextsOfTenants if shape.is_text => Document::Words(text),
            Strings::Plain | Strings::TextsOfTenants => Document::Text(text.expose().to_owned()),
        }
    }

    fn list(&self, shape: &Shape, items: Vec<Json>, path: &Path<'_>) -> Result<Document, Failure> {
        let used = shape.member.as_ref().ok_or(Failure::Internal)?;
        let mut list = Vec::with_capacity(items.len());
        for (index, json) in items.into_iter().enumerate() {
            let path = path.then(Step::Item(index + 1));
            let value = self.value(used, json, &path)?;
            list.push(value.ok_or_else(|| serialization(format!("The item at '{path}' is null")))?);
        }
        Ok(Document::List(list))
    }

    fn map(&self, shape: &Shape, pairs: Vec<(Content, Json)>, path: &Path<'_>) -> Result<Document, Failure> {
        let used = shape.value.as_ref().ok_or(Failure::Internal)?;
        let mut seen = std::collections::BTreeSet::new();
        for (key, _) in &pairs {
            if !seen.insert(key.expose()) {
                return Err(serialization(format!("The map at '{path}' has one key twice")));
            }
        }
        let mut entries = Vec::with_capacity(pairs.len());
        for (index, (key, json)) in pairs.into_iter().enumerate() {
            if let Some(value) = self.value(used, json, &path.then(Step::Value(index + 1)))? {
                entries.push((key, value));
            }
        }
        Ok(Document::Map(entries))
    }
}

/// A value that is no structure, list, map or string.
fn scalar(shape: &Shape, used: &ShapeRef, json: &Json, path: &Path<'_>) -> Result<Document, Failure> {
    let expected = match shape.kind {
        Kind::String => "a String",
        Kind::Integer => "an Integer",
        Kind::Long => "a Long",
        Kind::Float | Kind::Double => "a Float",
        Kind::Boolean => "a Boolean",
        Kind::Timestamp => "a Timestamp",
        Kind::Blob => "a Blob",
        Kind::Structure | Kind::List | Kind::Map => return Err(Failure::Internal),
    };
    let read = match (shape.kind, json) {
        (Kind::Integer, Json::Number(text)) => text.parse::<i32>().ok().map(|v| Document::Integer(v.into())),
        (Kind::Long, Json::Number(text)) => text.parse().ok().map(Document::Integer),
        (Kind::Float | Kind::Double, Json::Number(text)) => text.parse().ok().map(Document::Float),
        (Kind::Float | Kind::Double, Json::String(text)) => not_a_number(text.expose()).map(Document::Float),
        (Kind::Boolean, Json::Bool(value)) => Some(Document::Boolean(*value)),
        (Kind::Timestamp, _) => timestamp(shape, used, json).map(Document::Timestamp),
        (Kind::Blob, Json::String(text)) => {
            let bytes = STANDARD.decode(text.expose()).ok();
            bytes.map(|bytes| Document::Blob(ContentBytes::new(bytes)))
        }
        _ => None,
    };
    read.ok_or_else(|| mismatch(json, expected, path))
}

/// The three numbers that JSON has no numbers for.
fn not_a_number(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Seconds since 1970, unless the model says otherwise.
fn timestamp(shape: &Shape, used: &ShapeRef, json: &Json) -> Option<Timestamp> {
    let format = used
        .timestamp_format
        .or(shape.timestamp_format)
        .unwrap_or(TimestampFormat::UnixTimestamp);
    match (format, json) {
        (TimestampFormat::UnixTimestamp, Json::Number(text)) => {
            query_in::timestamp(format, text.split('.').next().unwrap_or_default())
        }
        (TimestampFormat::Iso8601 | TimestampFormat::Rfc822, Json::String(text)) => {
            query_in::timestamp(format, text.expose())
        }
        _ => None,
    }
}

fn parsed(body: &[u8]) -> Result<Json, Failure> {
    json::parse(body).map_err(|error| serialization(format!("The JSON cannot be read: {error}")))
}

/// The refusal of a value of another type, as AWS words it.
fn mismatch(json: &Json, expected: &str, path: &Path<'_>) -> Failure {
    let token = match json {
        Json::Null => "NULL_VALUE",
        Json::Bool(true) => "TRUE_VALUE",
        Json::Bool(false) => "FALSE_VALUE",
        Json::Number(_) => "NUMBER_VALUE",
        Json::String(_) => "STRING_VALUE",
        Json::Array(_) => "START_ARRAY",
        Json::Object(_) => "START_OBJECT",
    };
    serialization(format!("{token} can not be converted to {expected} at '{path}'"))
}

/// A request that is not what the protocol says, which is told before it is validated.
fn serialization(message: String) -> Failure {
    Failure::Invalid {
        message,
        param: None,
        code: None,
    }
}
