//! AWS's rest-json vectors for clients, run backwards: request → parameters, result → body.

use percent_encoding::percent_decode_str;

use super::model::{ServiceModel, ShapeRef};
use super::rest_in::RestRequest;
use super::vectors::{alike, document, items, same, suites, text};
use super::{rest_in, rest_out};
use crate::json::{self, Json, Writer};
use crate::query::Query;

const VECTORS: &[u8] = include_bytes!("../../vectors/rest-json.json");

/// A service model of one suite, whose only operation, `Op`, has the case's output.
fn model(suite: &Json, case: &Json) -> ServiceModel {
    let mut w = Writer::new();
    w.object(|w| {
        w.fixed("metadata", r#"{"apiVersion":"2020-01-08"}"#);
        w.key("operations").object(|w| {
            w.key("Op").object(|w| {
                if let Some(output) = text(case, "output") {
                    w.key("output").object(|w| w.text("shape", output));
                }
            });
        });
        w.key("shapes").json(suite.get("shapes").unwrap());
    });
    ServiceModel::read(std::str::from_utf8(w.finish().expose()).unwrap()).unwrap()
}

/// The labels of a path by the template it was made from.
fn labels(template: &str, path: &str) -> Vec<(String, String)> {
    let names = template.split('/');
    let values = path.split('/');
    let named = names.zip(values).filter_map(|(name, value)| {
        let name = name.strip_prefix('{')?.strip_suffix('}')?;
        let value = percent_decode_str(value).decode_utf8().unwrap();
        Some((name.to_owned(), value.into_owned()))
    });
    named.collect()
}

#[test]
fn requests_are_read_as_botocore_writes_them() {
    let mut count = 0;
    for suite in suites(VECTORS, "input") {
        for case in items(&suite, "cases") {
            let id = text(case, "id").unwrap();
            let Some(shape) = text(case, "input") else {
                continue;
            };
            let (path, query) = text(case, "uri").unwrap().split_once('?').unwrap_or_default();
            let path = if path.is_empty() {
                text(case, "uri").unwrap()
            } else {
                path
            };
            let labels = labels(text(case, "template").unwrap(), path);
            let Some(Json::Object(headers)) = case.get("headers") else {
                panic!("{id}")
            };
            let header = |name: &str| {
                let named = headers
                    .iter()
                    .filter(|(header, _)| header.expose().eq_ignore_ascii_case(name));
                let values = named.map(|(_, value)| {
                    let Json::String(value) = value else {
                        panic!("{id}")
                    };
                    value.expose().as_bytes()
                });
                values.collect()
            };
            let request = RestRequest {
                label: &|name| {
                    labels
                        .iter()
                        .find(|(label, _)| label == name)
                        .map(|(_, v)| v.clone())
                },
                query: &Query::of_url(query).unwrap(),
                headers: &header,
                body: text(case, "body").unwrap().as_bytes(),
            };
            let read = rest_in::read(&model(&suite, case), shape, &request, rest_in::Strings::OfTenants);
            let read = read.unwrap_or_else(|e| panic!("{id}: {e:?}"));
            assert!(same(&read, case.get("params").unwrap()), "{id}");
            count += 1;
        }
    }
    assert_eq!(count, 73);
}

#[test]
fn replies_are_written_as_botocore_reads_them() {
    let mut count = 0;
    for suite in suites(VECTORS, "output") {
        for case in items(&suite, "cases") {
            let id = text(case, "id").unwrap();
            let model = model(&suite, case);
            let Some(output) = text(case, "output") else {
                continue;
            };
            let used = ShapeRef {
                shape: output.to_owned(),
                location_name: None,
                query_name: None,
                location: None,
                flattened: false,
                timestamp_format: None,
            };
            let result = document(&model, &used, case.get("result").unwrap());
            let reply = rest_out::reply(&model, "Op", result).unwrap_or_else(|e| panic!("{id}: {e:?}"));
            let expected = text(case, "body").unwrap();
            let ours = std::str::from_utf8(reply.body.expose()).unwrap();
            match (json::parse(ours.as_bytes()), json::parse(expected.as_bytes())) {
                (Ok(ours), Ok(expected)) => assert!(alike(&ours, &expected), "{id}"),
                // Where AWS's example has no body, an empty object is as good.
                (Ok(Json::Object(members)), Err(_)) if members.is_empty() => {
                    assert!(expected.is_empty(), "{id}")
                }
                _ => assert_eq!(ours, expected, "{id}"),
            }
            count += 1;
        }
    }
    assert_eq!(count, 50);
}
