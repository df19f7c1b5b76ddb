//! Records as readers of Bedrock's log expect them, and every route decided.

use proptest::prelude::*;

use super::*;
use crate::bedrock::{AgentOperation, ControlOperation};
use crate::{Prefix, RequestHead};

/// Every case of the client test that sends a call and looks for its record.
const CASES: &str = include_str!("../../../../tests/clients/invocation_operations.txt");

fn facts<'a>(
    identity: &'a moho_terms::Arn,
    region: &'a moho_terms::Region,
    request: &'a moho_terms::RequestId,
) -> InvocationFacts<'a> {
    InvocationFacts {
        time: moho_terms::Timestamp::from_unix_seconds(1_700_000_000),
        account: "123456789012".parse().unwrap(),
        identity,
        region,
        request,
        operation: "Converse",
        model: "m",
        tokens: InvocationTokens {
            input: Some(7),
            cached: Some(2),
            output: Some(3),
        },
        failure: None,
    }
}

fn kept(failure: Option<(&str, u16)>, metadata: Option<&[u8]>, bodies: (&[u8], &[u8])) -> ContentBytes {
    let identity = "arn:aws:sts::123456789012:assumed-role/R/me".parse().unwrap();
    let region = "moho-local-1".parse().unwrap();
    let request = "00112233-4455-4677-8899-aabbccddeeff".parse().unwrap();
    let facts = InvocationFacts {
        failure,
        ..facts(&identity, &region, &request)
    };
    let metadata = metadata.map(|metadata| ContentBytes::new(metadata.to_vec()));
    KeptInvocation::written(&facts, metadata.as_ref(), bodies)
}

fn text(bytes: &ContentBytes) -> &str {
    std::str::from_utf8(bytes.expose()).unwrap()
}

#[test]
fn a_record_is_as_bedrock_writes_it() {
    let bodies: (&[u8], &[u8]) = (b"{\r\n \"a\": \"b\\n\"\n}", br#"{"c":1}"#);
    let kept = kept(None, Some(br#"{"team":"x"}"#), bodies);
    let read = KeptInvocation::read(&kept).unwrap();
    assert_eq!(read.request, "00112233-4455-4677-8899-aabbccddeeff");
    let delivered = read.delivered(Body::Here, Body::Here);
    assert_eq!(
        text(&delivered),
        concat!(
            r#"{"schemaType":"ModelInvocationLog","schemaVersion":"1.0","timestamp":"2023-11-14T22:13:20Z","#,
            r#""accountId":"123456789012","identity":{"arn":"arn:aws:sts::123456789012:assumed-role/R/me"},"#,
            r#""region":"moho-local-1","requestId":"00112233-4455-4677-8899-aabbccddeeff","operation":"Converse","modelId":"m","#,
            r#""input":{"inputContentType":"application/json","inputTokenCount":7,"cacheReadInputTokenCount":2,"#,
            r#""cacheWriteInputTokenCount":0,"inputBodyJson":{   "a": "b\n" }},"#,
            r#""output":{"outputContentType":"application/json","outputTokenCount":3,"outputBodyJson":{"c":1}},"#,
            r#""requestMetadata":{"team":"x"}}"#,
        )
    );
    let elsewhere = read.delivered(Body::At("s3://b/in"), Body::At("s3://b/out"));
    assert!(text(&elsewhere).contains(r#","inputBodyS3Path":"s3://b/in"}"#));
    assert!(text(&elsewhere).contains(r#","outputBodyS3Path":"s3://b/out"}"#));
    assert!(!text(&elsewhere).contains("BodyJson"));
    let nowhere = read.delivered(Body::LeftOut, Body::Here);
    assert!(
        text(&nowhere).contains(r#","inputBodyOmittedBytes":16},"output""#),
        "{}",
        text(&nowhere)
    );
    assert!(text(&nowhere).contains(r#","outputBodyJson":{"c":1}}"#));
}

#[test]
fn a_failed_call_says_why_and_a_body_that_is_not_logged_is_not_there() {
    let kept = kept(Some(("ThrottlingException", 429)), None, (b"", b""));
    let delivered = KeptInvocation::read(&kept)
        .unwrap()
        .delivered(Body::Here, Body::Here);
    assert!(text(&delivered).ends_with(r#","errorCode":"ThrottlingException","status":"429"}"#));
    assert!(!text(&delivered).contains("Body"), "{}", text(&delivered));
}

proptest! {
    #[test]
    fn whatever_a_body_is_its_record_is_one_line_of_json(input: Vec<u8>, output in ".*") {
        let output = format!("{{\n\"o\":{}\n}}", serde_json::to_string(&output).unwrap());
        let kept = kept(None, None, (&input, output.as_bytes()));
        let read = KeptInvocation::read(&kept).unwrap();
        let delivered = read.delivered(Body::Here, Body::Here);
        prop_assert!(!delivered.expose().contains(&b'\n'));
        prop_assert!(json::parse(delivered.expose()).is_ok());
        prop_assert_eq!(read.output.len(), output.len());
    }

    #[test]
    fn whatever_is_streamed_becomes_an_array(pieces: Vec<Vec<u8>>) {
        let mut events = StreamedEvents::new(1 << 20);
        for piece in pieces {
            prop_assert!(events.frames(&ContentBytes::new(piece)).is_ok());
        }
        prop_assert!(json::parse(events.finish().expose()).is_ok());
    }
}

#[test]
fn events_are_what_was_said_without_what_is_around_it() {
    let mut openai = StreamedEvents::new(1000);
    for lines in [
        "event: a\ndata: {\"x\":1}\n\n",
        ": keep-alive\n\n",
        "data: {\"y\":2}\n\ndata: [DONE]\n\n",
    ] {
        openai
            .lines(&ContentBytes::new(lines.as_bytes().to_vec()))
            .unwrap();
    }
    assert_eq!(text(&openai.finish()), r#"[{"x":1},{"y":2}]"#);

    let payload = |json: &str| ContentBytes::new(json.as_bytes().to_vec());
    let event = crate::bedrock::frame_of_event;
    let mut bedrock = StreamedEvents::new(1000);
    assert!(bedrock.is_empty());
    let delta = event(
        "contentBlockDelta",
        payload(r#"{"delta":{"text":"hi"},"p":"abc"}"#),
    )
    .unwrap();
    let chunk = event("chunk", payload(r#"{"bytes":"eyJhIjoxfQ==","p":"abc"}"#)).unwrap();
    let both = [delta.expose(), chunk.expose()].concat();
    bedrock.frames(&ContentBytes::new(both)).unwrap();
    assert!(!bedrock.is_empty());
    assert_eq!(
        text(&bedrock.finish()),
        r#"[{"contentBlockDelta":{"delta":{"text":"hi"}}},{"a":1}]"#
    );
}

#[test]
fn no_more_is_gathered_than_was_said() {
    let mut events = StreamedEvents::new(90);
    let line = ContentBytes::new(b"data: {\"x\":\"0123456789012345678901234567890123456789\"}\n\n".to_vec());
    assert_eq!(events.lines(&line), Ok(()));
    assert_eq!(events.lines(&line), Err(TooLarge));
}

#[test]
fn metadata_are_taken_from_where_the_operation_has_them() {
    let body = br#"{"requestMetadata":{"a":"b"},"messages":[]}"#;
    let headers: &Headers<'_> = &|name| match name {
        "x-amzn-bedrock-request-metadata" => vec![br#"{"c":"d"}"#.as_slice()],
        _ => Vec::new(),
    };
    let found = |operation| {
        let found = request_metadata(&Target::Bedrock(operation), headers, body);
        found.map(|metadata| text(&metadata).to_owned())
    };
    assert_eq!(found(Operation::Converse).as_deref(), Some(r#"{"a":"b"}"#));
    assert_eq!(found(Operation::ConverseStream).as_deref(), Some(r#"{"a":"b"}"#));
    assert_eq!(found(Operation::InvokeModel).as_deref(), Some(r#"{"c":"d"}"#));
    assert_eq!(found(Operation::CountTokens), None);
    assert_eq!(
        request_metadata(&Target::CreateChat(Prefix::Mantle), headers, body).map(|found| found.len()),
        None
    );
}

/// Routes but those of `GET` and `DELETE` that call no model, or generate nothing. Whoever adds a route decides here, or it is
/// logged.
const NOT_LOGGED: [&str; 9] = [
    "POST /v1/conversations",
    "POST /openai/v1/conversations",
    "POST /v1/conversations/{conversation}",
    "POST /openai/v1/conversations/{conversation}",
    "POST /v1/conversations/{conversation}/items",
    "POST /openai/v1/conversations/{conversation}/items",
    "POST /v1/data_retention",
    "POST /v1/restore/accept",
    "POST /model/m/count-tokens",
];

/// The routes that there are, by asking the router for each path that it knows, with what the log calls them; and those that it
/// does not log.
fn routes() -> (Vec<String>, Vec<String>) {
    let openai = include_str!("../../../../tests/clients/openai_routes.txt");
    let openai = openai.lines().filter(|line| !line.starts_with('#'));
    let runtime = include_str!("../../models/operations.txt").lines();
    let runtime = runtime
        .filter_map(|line| line.strip_prefix("bedrock-runtime "))
        .map(|name| {
            let path = match name {
                "Converse" => "converse",
                "ConverseStream" => "converse-stream",
                "InvokeModel" => "invoke",
                "InvokeModelWithResponseStream" => "invoke-with-response-stream",
                "CountTokens" => "count-tokens",
                other => panic!("{other} has no path here: say what the log calls it"),
            };
            format!("POST /model/m/{path}")
        });
    let all = openai.map(str::to_owned).chain(runtime);
    let (mut logged, mut others) = (Vec::new(), Vec::new());
    for line in all {
        let (method, pattern) = line.split_once(' ').unwrap();
        let path = pattern
            .replace("{id}", &format!("resp_{}", "0".repeat(48)))
            .replace("{conversation}", &format!("conv_{}", "0".repeat(48)))
            .replace("{item}", &format!("msg_{}", "0".repeat(48)))
            .replace("{model}", "m")
            .replace("{key}", "k");
        let head = RequestHead {
            method,
            raw_path: &path,
            raw_query: "",
            content_type: Some("application/json"),
            authorization: None,
            host: "localhost",
            of_aws: false,
        };
        let found = crate::route(&head).unwrap();
        match logged_operation(found.target()) {
            Some(operation) => logged.push(format!("{method} {path} {operation}")),
            None if matches!(method, "GET" | "DELETE") => {}
            None => others.push(line),
        }
    }
    (logged, others)
}

#[test]
fn every_route_of_inference_has_a_case_that_looks_for_its_record() {
    let cases: Vec<&str> = CASES.lines().filter(|line| !line.starts_with('#')).collect();
    let (logged, others) = routes();
    assert_eq!(
        cases, logged,
        "tests/clients/test_invocation_logging.py has to try each of these"
    );
    assert_eq!(others, NOT_LOGGED, "say of each route whether it calls a model");
    let others = ControlOperation::all().map(Operation::Control);
    for operation in others.chain(AgentOperation::all().map(Operation::Agent)) {
        assert_eq!(logged_operation(&Target::Bedrock(operation)), None);
    }
}
