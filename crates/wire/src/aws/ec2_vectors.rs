//! AWS's protocol vectors for clients of EC2, run backwards: body → parameters, result → body.

use moho_terms::RequestId;

use super::model::ShapeRef;
use super::vectors::{document, items, model, same, suites, text, xml};
use super::{query_in, query_out};
use crate::query::Query;

const EC2: &[u8] = include_bytes!("../../vectors/ec2.json");

#[test]
fn requests_are_read_as_botocore_writes_them() {
    let mut count = 0;
    for suite in suites(EC2, "input") {
        for case in items(&suite, "cases") {
            let id = text(case, "id").unwrap();
            let Some(shape) = text(case, "input") else {
                continue;
            };
            let form = Query::of_form(text(case, "body").unwrap().as_bytes()).unwrap();
            let model = model("ec2", &suite, case);
            let read = query_in::read(&model, shape, &form).unwrap_or_else(|e| panic!("{id}: {e:?}"));
            // botocore fills in an idempotency token that the caller did not give, and does not send an empty list.
            if !["Ec2ProtocolIdempotencyTokenAutoFill", "Ec2EmptyQueryLists"].contains(&id) {
                assert!(same(&read, case.get("params").unwrap()), "{id}");
            }
            count += 1;
        }
    }
    assert_eq!(count, 24);
}

#[test]
fn replies_are_written_as_botocore_reads_them() {
    let request: RequestId = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    let mut count = 0;
    for suite in suites(EC2, "output") {
        for case in items(&suite, "cases") {
            let id = text(case, "id").unwrap();
            let model = model("ec2", &suite, case);
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
            let mut ours = xml(std::str::from_utf8(reply.body.expose()).unwrap());
            let theirs = text(case, "body").unwrap();
            let known = theirs
                .replace("requestid", request.as_str())
                .replace("requestID", "requestId")
                .replace("RequestId", "requestId");
            let theirs = xml(&known);
            // Some cases leave the request's id out.
            if !theirs.2.iter().any(|child| child.0 == "requestId") {
                ours.2.retain(|child| child.0 != "requestId");
            }
            assert_eq!(ours, theirs, "{id}");
            count += 1;
        }
    }
    assert_eq!(count, 21);
}
