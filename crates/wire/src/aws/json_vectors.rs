//! AWS's JSON 1.1 vectors for clients, run backwards: target and body → operation and parameters, result → body.

use super::json;
use super::model::{ServiceModel, ShapeRef};
use super::rest_in::Strings;
use super::vectors::{alike, document, items, same, suites, text};
use crate::json::{Writer, parse};

const VECTORS: &[u8] = include_bytes!("../../vectors/json-1-1.json");

/// A service model of one suite with one operation, which has this input or output.
fn model(suite: &crate::json::Json, operation: &str, side: &str, shape: Option<&str>) -> ServiceModel {
    let mut w = Writer::new();
    w.object(|w| {
        w.fixed(
            "metadata",
            r#"{"apiVersion":"2020-01-08","targetPrefix":"JsonProtocol"}"#,
        );
        w.key("operations").object(|w| {
            w.key(operation).object(|w| {
                if let Some(shape) = shape {
                    w.key(side).object(|w| w.text("shape", shape));
                }
            });
        });
        w.key("shapes").json(suite.get("shapes").unwrap());
    });
    ServiceModel::read(std::str::from_utf8(w.finish().expose()).unwrap()).unwrap()
}

#[test]
fn requests_are_read_as_botocore_writes_them() {
    let mut count = 0;
    for suite in suites(VECTORS, "input") {
        for case in items(&suite, "cases") {
            let id = text(case, "id").unwrap();
            let target = text(case, "target").unwrap();
            let operation = target.strip_prefix("JsonProtocol.").unwrap();
            let model = model(&suite, operation, "input", text(case, "input"));
            let header = |name: &str| match name {
                "x-amz-target" => vec![target.as_bytes()],
                _ => Vec::new(),
            };
            let body = text(case, "body").unwrap().as_bytes();
            let (read, input) =
                json::read(&model, &header, (body, Strings::Plain)).unwrap_or_else(|e| panic!("{id}: {e:?}"));
            assert_eq!(read, operation, "{id}");
            assert!(same(&input, case.get("params").unwrap()), "{id}");
            count += 1;
        }
    }
    assert_eq!(count, 49);
}

#[test]
fn replies_are_written_as_botocore_reads_them() {
    let mut count = 0;
    for suite in suites(VECTORS, "output") {
        for case in items(&suite, "cases") {
            let id = text(case, "id").unwrap();
            let Some(output) = text(case, "output") else {
                let model = model(&suite, "Op", "output", None);
                let nothing = super::document::Document::Structure(Vec::new());
                assert!(
                    json::reply(&model, "Op", nothing)
                        .unwrap()
                        .body
                        .expose()
                        .is_empty(),
                    "{id}"
                );
                continue;
            };
            let model = model(&suite, "Op", "output", Some(output));
            let used = ShapeRef {
                query_name: None,
                shape: output.to_owned(),
                location_name: None,
                location: None,
                flattened: false,
                timestamp_format: None,
            };
            let result = document(&model, &used, case.get("result").unwrap());
            let reply = json::reply(&model, "Op", result).unwrap_or_else(|e| panic!("{id}: {e:?}"));
            let ours = parse(reply.body.expose()).unwrap();
            let theirs = parse(text(case, "body").unwrap().as_bytes()).unwrap();
            assert!(alike(&ours, &theirs), "{id}");
            count += 1;
        }
    }
    assert_eq!(count, 37);
}
