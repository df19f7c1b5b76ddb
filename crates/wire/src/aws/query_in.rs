//! AWS query protocol and EC2's dialect of it, in: a form to a [`Document`], as the model says.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{Content, ContentBytes, Secret, Timestamp};

use super::document::Document;
use super::model::{Kind, ServiceModel, Shape, ShapeRef, TimestampFormat};
use crate::Failure;
use crate::query::Query;

/// Structures and lists inside each other.
const MAX_DEPTH: u32 = 64;

/// Reads the members of a request. Names that are not in the model are ignored, as AWS does.
pub(super) fn read(model: &ServiceModel, shape: &str, form: &Query) -> Result<Document, Failure> {
    let reader = Reader {
        model,
        form,
        ec2: model.metadata.protocol == "ec2",
    };
    let shape = reader.shape(shape)?;
    reader.structure(shape, "", MAX_DEPTH)
}

struct Reader<'a> {
    model: &'a ServiceModel,
    form: &'a Query,
    /// Lists are always flat, and names begin with a capital.
    ec2: bool,
}

impl<'a> Reader<'a> {
    fn shape(&self, name: &str) -> Result<&'a Shape, Failure> {
        self.model.shapes.get(name).ok_or(Failure::Internal)
    }

    /// Whether anything is sent at `key` or below.
    fn sent(&self, key: &str) -> bool {
        self.form.get(key).is_some() || self.form.has_prefix(&format!("{key}."))
    }

    fn structure(&self, shape: &Shape, prefix: &str, depth: u32) -> Result<Document, Failure> {
        let mut members = Vec::new();
        for (name, member) in shape.members.iter() {
            let key = format!("{prefix}{}", self.name(member, name));
            if let Some(value) = self.value(member, &key, depth)? {
                members.push((name.to_owned(), value));
            }
        }
        Ok(Document::Structure(members))
    }

    /// What a member is called in a form.
    fn name<'m>(&self, member: &'m ShapeRef, name: &'m str) -> Cow<'m, str> {
        let name = member.location_name.as_deref().unwrap_or(name);
        match &member.query_name {
            Some(query_name) if self.ec2 => Cow::Borrowed(query_name),
            None if self.ec2 => Cow::Owned(capitalised(name)),
            Some(_) | None => Cow::Borrowed(name),
        }
    }

    fn value(&self, used: &ShapeRef, key: &str, depth: u32) -> Result<Option<Document>, Failure> {
        if !self.sent(key) {
            return Ok(None);
        }
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| malformed("is nested too deeply"))?;
        let shape = self.shape(&used.shape)?;
        let flattened = self.ec2 || used.flattened || shape.flattened;
        match shape.kind {
            Kind::Structure => self.structure(shape, &format!("{key}."), depth).map(Some),
            Kind::List => self.list(shape, key, flattened, depth).map(Some),
            Kind::Map => self.map(shape, key, flattened, depth).map(Some),
            Kind::String
            | Kind::Integer
            | Kind::Long
            | Kind::Float
            | Kind::Double
            | Kind::Boolean
            | Kind::Timestamp
            | Kind::Blob => self
                .form
                .get(key)
                .map(|text| scalar(shape, used, text))
                .transpose(),
        }
    }

    fn list(&self, shape: &Shape, key: &str, flattened: bool, depth: u32) -> Result<Document, Failure> {
        let item = shape.member.as_ref().ok_or(Failure::Internal)?;
        let base = match (flattened, &item.location_name) {
            (true, _) => key.to_owned(),
            (false, Some(name)) => format!("{key}.{name}"),
            (false, None) => format!("{key}.member"),
        };
        let mut items = Vec::new();
        while let Some(value) = self.value(item, &format!("{base}.{}", items.len() + 1), depth)? {
            items.push(value);
        }
        Ok(Document::List(items))
    }

    fn map(&self, shape: &Shape, key: &str, flattened: bool, depth: u32) -> Result<Document, Failure> {
        let (key_ref, value_ref) = shape
            .key
            .as_ref()
            .zip(shape.value.as_ref())
            .ok_or(Failure::Internal)?;
        let base = if flattened {
            key.to_owned()
        } else {
            format!("{key}.entry")
        };
        let key_name = key_ref.location_name.as_deref().unwrap_or("key");
        let value_name = value_ref.location_name.as_deref().unwrap_or("value");
        let mut entries: Vec<(Content, Document)> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        loop {
            let entry = format!("{base}.{}", entries.len() + 1);
            let Some(name) = self.form.get(&format!("{entry}.{key_name}")) else {
                break;
            };
            let value = self.value(value_ref, &format!("{entry}.{value_name}"), depth)?;
            let value = value.ok_or_else(|| malformed("has a map entry without a value"))?;
            if !seen.insert(name) {
                return Err(malformed("has a map with one key twice"));
            }
            entries.push((Content::new(name.to_owned()), value));
        }
        Ok(Document::Map(entries))
    }
}

fn capitalised(name: &str) -> String {
    let mut rest = name.chars();
    let first = rest.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(rest).collect()
}

/// A value that is written as plain text.
pub(super) fn scalar(shape: &Shape, used: &ShapeRef, text: &str) -> Result<Document, Failure> {
    match shape.kind {
        Kind::Integer => text
            .parse::<i32>()
            .map(|v| Document::Integer(v.into()))
            .map_err(|_unsuitable| expected("an integer")),
        Kind::Long => text
            .parse()
            .map(Document::Integer)
            .map_err(|_unsuitable| expected("an integer")),
        Kind::Float | Kind::Double => text
            .parse()
            .map(Document::Float)
            .map_err(|_unsuitable| expected("a number")),
        Kind::Boolean => match text {
            "true" => Ok(Document::Boolean(true)),
            "false" => Ok(Document::Boolean(false)),
            _ => Err(expected("true or false")),
        },
        Kind::Timestamp => {
            let format = used
                .timestamp_format
                .or(shape.timestamp_format)
                .unwrap_or(TimestampFormat::Iso8601);
            timestamp(format, text)
                .map(Document::Timestamp)
                .ok_or_else(|| expected("a moment"))
        }
        Kind::Blob => match STANDARD.decode(text) {
            Ok(bytes) => Ok(Document::Blob(ContentBytes::new(bytes))),
            Err(_) => Err(expected("base64")),
        },
        Kind::String if shape.sensitive => Ok(Document::Sensitive(Secret::new(text.as_bytes().to_vec()))),
        Kind::String => Ok(Document::Text(text.to_owned())),
        Kind::Structure | Kind::List | Kind::Map => Err(Failure::Internal),
    }
}

/// Whole seconds in UTC: `2015-01-25T08:00:00Z` with or without a fraction, or seconds since 1970.
pub(super) fn timestamp(format: TimestampFormat, text: &str) -> Option<Timestamp> {
    match format {
        TimestampFormat::UnixTimestamp => text.parse().ok().map(Timestamp::from_unix_seconds),
        TimestampFormat::Iso8601 => {
            let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
            let (seconds, fraction) = time.split_once('.').unwrap_or((time, "0"));
            let plain =
                fraction.bytes().all(|b| b.is_ascii_digit()) && date.len() == 10 && seconds.len() == 8;
            let basic = format!("{}T{}Z", date.replace('-', ""), seconds.replace(':', ""));
            plain
                .then(|| Timestamp::parse_iso8601_basic(&basic).ok())
                .flatten()
        }
        // No request member of the operations served has it.
        TimestampFormat::Rfc822 => None,
    }
}

fn expected(what: &str) -> Failure {
    malformed(&format!("has a member that is not {what}"))
}

fn malformed(why: &str) -> Failure {
    Failure::Invalid {
        message: format!("The request {why}."),
        param: None,
        code: None,
    }
}
