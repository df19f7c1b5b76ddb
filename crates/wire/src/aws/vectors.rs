//! AWS's protocol vectors for clients, run backwards: body → parameters, result → body.

use moho_terms::{Content, ContentBytes, RequestId, Timestamp};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::document::Document;
use super::model::{Kind, ServiceModel, ShapeRef};
use super::{query_in, query_out};
use crate::json::{self, Json, Writer};
use crate::query::Query;

const QUERY: &[u8] = include_bytes!("../../vectors/query.json");

/// The suites of one side, `input` or `output`, of a file of vectors.
pub(super) fn suites(file: &[u8], side: &str) -> Vec<Json> {
    let vectors = json::parse(file).unwrap();
    let Json::Object(sides) = vectors else {
        panic!("not an object")
    };
    let (_, suites) = sides.into_iter().find(|(name, _)| name.expose() == side).unwrap();
    let Json::Array(suites) = suites else {
        panic!("not an array")
    };
    suites
}

pub(super) fn text<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    match json.get(name) {
        Some(Json::String(text)) => Some(text.expose()),
        _ => None,
    }
}

pub(super) fn items<'a>(json: &'a Json, name: &str) -> &'a [Json] {
    match json.get(name) {
        Some(Json::Array(items)) => items,
        _ => panic!("no array"),
    }
}

/// A service model of one suite and, for replies, one operation.
pub(super) fn model(protocol: &str, suite: &Json, case: &Json) -> ServiceModel {
    let mut w = Writer::new();
    w.object(|w| {
        w.key("metadata").object(|w| {
            w.text("apiVersion", "2020-01-08");
            w.text("xmlNamespace", "https://example.com/");
            w.text("protocol", protocol);
        });
        w.key("operations").object(|w| {
            w.key(text(case, "operation").unwrap()).object(|w| {
                if let Some(output) = case.get("output") {
                    w.key("output").json(output);
                }
            });
        });
        w.key("shapes").json(suite.get("shapes").unwrap());
    });
    ServiceModel::read(std::str::from_utf8(w.finish().expose()).unwrap()).unwrap()
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

/// Whether two values are the same, in whatever order their members are.
pub(super) fn alike(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Object(pairs), Json::Object(others)) => {
            let found = |(name, value): &(Content, Json)| {
                other
                    .get(name.expose())
                    .is_some_and(|expected| alike(value, expected))
            };
            pairs.len() == others.len() && pairs.iter().all(found)
        }
        (Json::Array(items), Json::Array(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(one, other)| alike(one, other))
        }
        (Json::String(text), Json::String(other)) => text.expose() == other.expose(),
        (Json::Number(text), Json::Number(other)) => number(text) == number(other),
        (Json::Bool(value), Json::Bool(other)) => value == other,
        (Json::Null, Json::Null) => true,
        _ => false,
    }
}

fn copy(json: &Json) -> Json {
    let mut w = Writer::new();
    w.json(json);
    json::parse(w.finish().expose()).unwrap()
}

pub(super) fn same(document: &Document, expected: &Json) -> bool {
    match (document, expected) {
        (Document::Structure(members), Json::Object(pairs)) => {
            let found =
                |(name, value): &(String, Document)| expected.get(name).is_some_and(|json| same(value, json));
            members.len() == pairs.len() && members.iter().all(found)
        }
        (Document::Map(entries), Json::Object(pairs)) => {
            let found = |(key, value): &(Content, Document)| {
                expected.get(key.expose()).is_some_and(|json| same(value, json))
            };
            entries.len() == pairs.len() && entries.iter().all(found)
        }
        (Document::List(items), Json::Array(expected)) => {
            items.len() == expected.len() && items.iter().zip(expected).all(|(item, json)| same(item, json))
        }
        (Document::Text(text), Json::String(expected)) => text == expected.expose(),
        (Document::Words(text), Json::String(expected)) => text.expose() == expected.expose(),
        (Document::Json(json), expected) => alike(json, expected),
        (Document::Blob(bytes), Json::String(expected)) => bytes.expose() == expected.expose().as_bytes(),
        (Document::Integer(value), Json::Number(expected)) => value.to_string() == **expected,
        (Document::Timestamp(time), Json::Number(expected)) => time.unix_seconds().to_string() == **expected,
        (Document::Float(value), Json::Number(expected)) => *value == number(expected),
        (Document::Float(value), Json::String(expected)) => {
            let expected = number(expected.expose());
            *value == expected || value.is_nan() && expected.is_nan()
        }
        (Document::Boolean(value), Json::Bool(expected)) => value == expected,
        _ => false,
    }
}

#[test]
fn requests_are_read_as_botocore_writes_them() {
    let mut count = 0;
    for suite in suites(QUERY, "input") {
        for case in items(&suite, "cases") {
            let id = text(case, "id").unwrap();
            let Some(shape) = text(case, "input") else {
                continue;
            };
            let form = Query::of_form(text(case, "body").unwrap().as_bytes()).unwrap();
            let document = query_in::read(&model("query", &suite, case), shape, &form)
                .unwrap_or_else(|e| panic!("{id}: {e:?}"));
            // botocore fills in an idempotency token that the caller did not give, and does not send an empty map.
            if !["QueryProtocolIdempotencyTokenAutoFill", "QueryEmptyQueryMaps"].contains(&id) {
                assert!(same(&document, case.get("params").unwrap()), "{id}");
            }
            count += 1;
        }
    }
    assert_eq!(count, 33);
}

pub(super) fn document(model: &ServiceModel, used: &ShapeRef, json: &Json) -> Document {
    let shape = model.shapes.get(&used.shape).unwrap();
    if shape.document {
        return Document::Json(copy(json));
    }
    match (shape.kind, json) {
        (Kind::Structure, Json::Object(_)) => Document::Structure(
            shape
                .members
                .iter()
                .filter_map(|(name, used)| Some((name.to_owned(), document(model, used, json.get(name)?))))
                .collect(),
        ),
        (Kind::Map, Json::Object(pairs)) => {
            let used = shape.value.as_ref().unwrap();
            let entry = |(key, value): &(Content, Json)| {
                let key = Content::new(key.expose().to_owned());
                (key, document(model, used, value))
            };
            Document::Map(pairs.iter().map(entry).collect())
        }
        (Kind::List, Json::Array(items)) => {
            let used = shape.member.as_ref().unwrap();
            Document::List(items.iter().map(|item| document(model, used, item)).collect())
        }
        (Kind::String, Json::String(text)) => Document::Text(text.expose().to_owned()),
        (Kind::Blob, Json::String(text)) => {
            Document::Blob(ContentBytes::new(text.expose().as_bytes().to_vec()))
        }
        (Kind::Integer | Kind::Long, Json::Number(text)) => Document::Integer(text.parse().unwrap()),
        (Kind::Float | Kind::Double, Json::Number(text)) => Document::Float(number(text)),
        (Kind::Float | Kind::Double, Json::String(text)) => Document::Float(number(text.expose())),
        (Kind::Boolean, Json::Bool(value)) => Document::Boolean(*value),
        (Kind::Timestamp, Json::Number(text)) => {
            Document::Timestamp(Timestamp::from_unix_seconds(text.parse().unwrap()))
        }
        _ => panic!("a result that is not what its shape says"),
    }
}

/// An element: its name, its own text and its children, which may come in any order but for those of one name.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Element(pub(super) String, pub(super) String, pub(super) Vec<Self>);

pub(super) fn xml(text: &str) -> Element {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    reader.config_mut().trim_text(true);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                let name = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
                open.push(Element(name, String::new(), Vec::new()));
            }
            Event::End(_) => {
                let mut done = open.pop().unwrap();
                done.2.sort_by(|a, b| a.0.cmp(&b.0));
                open.last_mut().unwrap().2.push(done);
            }
            Event::Text(text) => open.last_mut().unwrap().1.push_str(&text.decode().unwrap()),
            Event::Eof => return open.pop().unwrap().2.pop().unwrap(),
            Event::Empty(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {}
        }
    }
}

#[test]
fn replies_are_written_as_botocore_reads_them() {
    let request: RequestId = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    let mut count = 0;
    for suite in suites(QUERY, "output") {
        for case in items(&suite, "cases") {
            let id = text(case, "id").unwrap();
            let model = model("query", &suite, case);
            let operation = text(case, "operation").unwrap();
            let Some(output) = &model.operations[operation].output else {
                continue;
            };
            let used = ShapeRef {
                shape: output.shape.clone(),
                location_name: None,
                query_name: None,
                location: None,
                flattened: false,
                timestamp_format: None,
            };
            let result = document(&model, &used, case.get("result").unwrap());
            let reply = query_out::reply(&model, operation, &result, &request)
                .unwrap_or_else(|e| panic!("{id}: {e:?}"));
            let ours = xml(std::str::from_utf8(reply.body.expose()).unwrap());
            let mut children = ours.2.into_iter();
            let (metadata, ours) = (children.next().unwrap(), children.next().unwrap());
            let (metadata, ours) = if ours.0 == "ResponseMetadata" {
                (ours, metadata)
            } else {
                (metadata, ours)
            };
            assert_eq!(metadata.2[0].1, request.as_str(), "{id}");
            let expected = text(case, "body").filter(|body| !body.is_empty());
            if let Some(expected) = expected {
                assert_eq!(ours, xml(expected).2.remove(0), "{id}");
                count += 1;
            }
        }
    }
    assert_eq!(count, 29);
}
