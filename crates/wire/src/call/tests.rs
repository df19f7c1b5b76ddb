//! Every operation has its name, and nothing that is content is told.

use std::collections::BTreeSet;

use super::*;
use crate::route::{RequestHead, route};

fn routed(method: &str, path: &str, signed_for: &str) -> Route {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAQQQQQQQQQQQQQQQQ/20261123/us-east-1/{signed_for}/aws4_request, SignedHeaders=host, Signature=00"
    );
    let head = RequestHead {
        method,
        raw_path: path,
        raw_query: "",
        content_type: Some(match signed_for {
            "kms" => "application/x-amz-json-1.1",
            "iam" => "application/x-www-form-urlencoded",
            _ => "application/json",
        }),
        authorization: Some(&authorization),
        host: "localhost",
        of_aws: true,
    };
    route(&head)
        .unwrap_or_else(|refused| panic!("{method} {path}: {}", refused.failure.sentence(refused.shape)))
}

fn no_headers(_name: &str) -> Vec<&'static [u8]> {
    Vec::new()
}

fn told_of(route: &Route, headers: &Headers<'_>, body: &[u8]) -> (ApiCall, String) {
    let call = route.call(headers, body).unwrap();
    let told = route.asked(headers, body).parameters;
    let told = told.map(|told| String::from_utf8(told.expose().to_vec()).unwrap());
    (call, told.unwrap_or_default())
}

#[test]
fn each_operation_is_there_once_and_those_that_change_something_are_known() {
    let all = ApiCall::all();
    assert!(all.len() > 250, "{}", all.len());
    let names: BTreeSet<_> = all.iter().map(|call| (call.source, call.name)).collect();
    assert_eq!(names.len(), all.len());
    for line in include_str!("../../models/operations.txt").lines() {
        let Some((service, name)) = line.split_once(' ').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let source = match service {
            "bedrock-agent" | "bedrock-runtime" => "bedrock.amazonaws.com".to_owned(),
            _ => format!("{service}.amazonaws.com"),
        };
        assert!(names.contains(&(source.as_str(), name)), "{line}");
    }
    let changes = |source, name| {
        !all.iter()
            .find(|call| (call.source, call.name) == (source, name))
            .unwrap()
            .read_only
    };
    assert!(changes("kms.amazonaws.com", "CreateKey"));
    assert!(changes("iam.amazonaws.com", "PutRolePolicy"));
    assert!(changes("bedrock-mantle.amazonaws.com", "DeleteContent"));
    assert!(!changes("kms.amazonaws.com", "Decrypt"));
    assert!(!changes("sts.amazonaws.com", "AssumeRole"));
    assert!(!changes("bedrock.amazonaws.com", "InvokeModel"));
    // Nothing that makes or deletes something looks as if it changed nothing.
    let mutating = [
        "Create", "Delete", "Put", "Update", "Attach", "Detach", "Add", "Remove", "Tag", "Untag",
    ];
    for call in all
        .iter()
        .filter(|call| mutating.iter().any(|begins| call.name.starts_with(begins)))
    {
        assert!(!call.read_only || call.name == "CreateInference", "{call:?}");
    }
}

#[test]
fn a_request_is_called_by_what_it_asks() {
    let json = routed("POST", "/", "kms");
    let target: &Headers<'_> = &|name| match name {
        "x-amz-target" => vec![b"TrentService.CreateKey"],
        _ => Vec::new(),
    };
    let (call, told) = told_of(
        &json,
        target,
        br#"{"Description":"a key","Tags":[{"TagKey":"k","TagValue":"v"}]}"#,
    );
    assert_eq!(
        (call.source, call.name, call.read_only),
        ("kms.amazonaws.com", "CreateKey", false)
    );
    assert_eq!(
        told,
        r#"{"description":"a key","tags":[{"tagKey":"k","tagValue":"v"}]}"#
    );
    let unknown: &Headers<'_> = &|_| vec![b"TrentService.Nothing"];
    assert!(json.call(unknown, b"{}").is_none());
    assert!(json.call(&no_headers, b"{}").is_none());

    let query = routed("POST", "/", "iam");
    let (call, told) = told_of(
        &query,
        &no_headers,
        b"Action=GetRole&Version=2010-05-08&RoleName=Reader",
    );
    assert_eq!(
        (call.source, call.name, call.read_only),
        ("iam.amazonaws.com", "GetRole", true)
    );
    assert_eq!(told, r#"{"roleName":"Reader"}"#);
    assert!(query.call(&no_headers, b"Action=Nothing").is_none());
}

#[test]
fn what_is_secret_or_said_is_not_told() {
    let target: &Headers<'_> = &|name| match name {
        "x-amz-target" => vec![b"TrentService.Encrypt"],
        _ => Vec::new(),
    };
    let (call, told) = told_of(
        &routed("POST", "/", "kms"),
        target,
        br#"{"KeyId":"alias/a","Plaintext":"c2VjcmV0","EncryptionContext":{"a":"b"}}"#,
    );
    assert_eq!((call.name, call.read_only), ("Encrypt", true));
    assert_eq!(
        told,
        r#"{"keyId":"alias/a","plaintext":"HIDDEN_DUE_TO_SECURITY_REASONS","encryptionContext":{"a":"b"}}"#
    );

    let body = br#"{"system":[{"text":"SECRET"}],"messages":[{"role":"user","content":[{"text":"SECRET"}]}],
        "inferenceConfig":{"maxTokens":7,"stopSequences":["SECRET"]},"requestMetadata":{"SECRET":"SECRET"},
        "additionalModelRequestFields":{"SECRET":1}}"#;
    let (call, told) = told_of(&routed("POST", "/model/m/converse", "bedrock"), &no_headers, body);
    assert_eq!((call.source, call.name), ("bedrock.amazonaws.com", "Converse"));
    assert!(!told.contains("SECRET"), "{told}");
    assert!(
        told.contains(r#""modelId":"m""#) && told.contains(r#""maxTokens":7"#),
        "{told}"
    );

    let body =
        br#"{"name":"SECRET","description":"SECRET","variants":[{"name":"SECRET","templateType":"TEXT",
        "templateConfiguration":{"text":{"text":"SECRET"}}}]}"#;
    let (call, told) = told_of(&routed("POST", "/prompts/", "bedrock"), &no_headers, body);
    assert_eq!((call.name, call.read_only), ("CreatePrompt", false));
    assert!(!told.contains("SECRET"), "{told}");

    let body =
        br#"{"model":"m","messages":[{"role":"user","content":"SECRET"}],"stream":true,"stop":"SECRET"}"#;
    let (call, told) = told_of(
        &routed("POST", "/v1/chat/completions", "bedrock-mantle"),
        &no_headers,
        body,
    );
    assert_eq!(
        (call.source, call.name),
        ("bedrock-mantle.amazonaws.com", "CreateInference")
    );
    assert_eq!(told, r#"{"modelId":"m","stream":true}"#);
}
