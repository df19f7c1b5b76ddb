//! Requests of boto3 to a JSON service, and what is none.

use proptest::prelude::*;

use super::ops::Service;
use super::ops::kms;
use super::ops::organizations::organization::{DescribeOrganizationResponse, Request as OfOrganization};
use super::ops::organizations::shapes::Organization;
use super::ops::organizations::{Request, policies::Request as OfPolicies};
use super::*;
use moho_terms::Secret;

fn command(targets: &[&str], body: &[u8]) -> Result<Command, Failure> {
    let header = |name: &str| match name {
        "x-amz-target" => targets.iter().map(|target| target.as_bytes()).collect(),
        _ => Vec::new(),
    };
    JsonService::Organizations.command(&header, body, &mut None)
}

fn asked(operation: &str, body: &str) -> Result<Command, Failure> {
    command(
        &[&format!("AWSOrganizationsV20161128.{operation}")],
        body.as_bytes(),
    )
}

fn refused(operation: &str, body: &str) -> (&'static str, &'static str, String) {
    match asked(operation, body).err() {
        Some(Failure::ServiceReason {
            code,
            reason,
            message,
        }) => (code, reason, message),
        other => panic!("{operation} {body}: {other:?}"),
    }
}

#[test]
fn requests_of_boto3_become_commands() {
    let body = r#"{"Email": "me@example.org", "AccountName": "one", "Tags": [{"Key": "k", "Value": ""}]}"#;
    let Ok(Command::Organizations(Request::Organization(OfOrganization::CreateAccount(create)))) =
        asked("CreateAccount", body)
    else {
        panic!("another command")
    };
    assert_eq!(create.email.expose(), b"me@example.org");
    assert_eq!(create.account_name.expose(), b"one");
    let tags = create.tags.unwrap();
    assert_eq!((tags[0].key.as_str(), tags[0].value.as_str()), ("k", ""));
    let body =
        r#"{"Content": "{\"a\":1}", "Description": "", "Name": "n", "Type": "TAG_POLICY", "Unknown": [1]}"#;
    let Ok(Command::Organizations(Request::Policies(OfPolicies::CreatePolicy(create)))) =
        asked("CreatePolicy", body)
    else {
        panic!("another command")
    };
    assert_eq!(create.content, r#"{"a":1}"#);
    for body in ["{}", ""] {
        let Ok(Command::Organizations(request)) = asked("DescribeOrganization", body) else {
            panic!("another command")
        };
        assert_eq!(request.name(), "DescribeOrganization");
    }
}

#[test]
fn what_names_no_operation_is_refused_by_its_name() {
    for (targets, named) in [
        (
            &["AWSOrganizationsV20161128.LeaveOrganization"][..],
            "LeaveOrganization",
        ),
        (&["AWSOrganizationsV20161128.<script>"], "(not a name)"),
        (&["TrentService.ListAccounts"], "(not served)"),
        (&["AWSOrganizationsV20161128ListAccounts"], "(not served)"),
        (&["AWSOrganizationsV20161128."], "(not served)"),
        (&["\u{e9}"], "(not served)"),
        (&[], "(not served)"),
        (
            &[
                "AWSOrganizationsV20161128.ListAccounts",
                "AWSOrganizationsV20161128.ListAccounts",
            ],
            "(not served)",
        ),
    ] {
        let Some(Failure::UnknownOperation { operation, .. }) = command(targets, b"{}").err() else {
            panic!("{targets:?}")
        };
        assert_eq!(operation, named);
    }
}

#[test]
fn bodies_that_are_no_objects_of_their_shape_are_refused_without_repeating_them() {
    for body in [
        "zanzibar",
        "[]",
        "1",
        "null",
        r#"{"AccountId": 1}"#,
        r#"{"AccountId": ["zanzibar"]}"#,
        r#"{"AccountId": "123456789012", "AccountId": "zanzibar"}"#,
        "{\"AccountId\": \"\u{1}zanzibar\"}",
    ] {
        let Some(Failure::Invalid { message, code, .. }) = asked("DescribeAccount", body).err() else {
            panic!("{body}")
        };
        assert!(!message.contains("zanzibar") && code.is_none(), "{message}");
    }
}

#[test]
fn constraints_are_refused_with_organizations_own_reasons() {
    let code = "InvalidInputException";
    for (operation, body, reason) in [
        ("DescribeAccount", "{}", "INPUT_REQUIRED"),
        (
            "DescribeAccount",
            r#"{"AccountId": "12345678901x"}"#,
            "INVALID_PATTERN",
        ),
        ("ListPolicies", r#"{"Filter": "NO_POLICY"}"#, "INVALID_ENUM"),
        ("ListAccounts", r#"{"MaxResults": 21}"#, "MAX_VALUE_EXCEEDED"),
        ("ListAccounts", r#"{"MaxResults": 0}"#, "MIN_VALUE_EXCEEDED"),
        (
            "CreateOrganizationalUnit",
            r#"{"ParentId": "r-0123", "Name": ""}"#,
            "MIN_LENGTH_EXCEEDED",
        ),
    ] {
        let told = refused(operation, body);
        assert_eq!((told.0, told.1), (code, reason), "{}", told.2);
    }
    let long = format!(r#"{{"ParentId": "r-0123", "Name": "{}"}}"#, "x".repeat(129));
    assert_eq!(
        refused("CreateOrganizationalUnit", &long).1,
        "MAX_LENGTH_EXCEEDED"
    );
    let (.., message) = refused("DescribeAccount", r#"{"AccountId": "12345678901x"}"#);
    assert!(
        message.starts_with("You provided a value that does not match the required pattern."),
        "{message}"
    );
    let content =
        r#"{"Content": "zanzibar", "Name": "n", "Type": "SERVICE_CONTROL_POLICY", "Description": "DDD"}"#;
    let content = content.replace("DDD", &"zanzibar".repeat(65));
    let (.., message) = refused("CreatePolicy", &content);
    assert!(
        message.contains("Value at 'description'") && !message.contains("zan"),
        "{message}"
    );
    let (.., message) = refused("CreateAccount", r#"{"Email": "zanzibar", "AccountName": "n"}"#);
    assert!(
        !message.contains("zanzibar"),
        "what is sensitive is not repeated: {message}"
    );
}

#[test]
fn replies_are_json_and_what_is_sensitive_never_becomes_a_plain_string() {
    let request = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    let organization = Organization {
        id: Some("o-0123456789".to_owned()),
        master_account_email: Some(Secret::new(b"me@example.org".to_vec())),
        ..Organization::default()
    };
    let reply = DescribeOrganizationResponse {
        organization: Some(organization),
    };
    let reply = reply
        .reply(Service::Organizations, "DescribeOrganization", &request)
        .ok()
        .unwrap();
    assert_eq!(
        (reply.status, reply.content_type),
        (200, "application/x-amz-json-1.1")
    );
    assert_eq!(
        reply.body.expose(),
        br#"{"Organization":{"Id":"o-0123456789","MasterAccountEmail":"me@example.org"}}"#
    );
    let done = Service::Organizations.done("MoveAccount", &request).ok().unwrap();
    assert!(done.body.expose().is_empty());
    let plain = document::Document::Structure(vec![(
        "MasterAccountEmail".to_owned(),
        document::Document::Text("me@example.org".to_owned()),
    )]);
    let whole = document::Document::Structure(vec![("Organization".to_owned(), plain)]);
    assert!(
        JsonService::Organizations
            .reply("DescribeOrganization", whole)
            .is_err()
    );
}

fn asked_of_kms(operation: &str, body: &str) -> Result<Command, Failure> {
    let target = format!("TrentService.{operation}");
    let header = |name: &str| match name {
        "x-amz-target" => vec![target.as_bytes()],
        _ => Vec::new(),
    };
    JsonService::Kms.command(&header, body.as_bytes(), &mut None)
}

#[test]
fn requests_of_kms_have_their_bytes_as_secrets_and_their_contexts_as_maps() {
    let body = r#"{"KeyId": "alias/a", "Plaintext": "c2VjcmV0", "EncryptionContext": {"b": "2", "a": "1"}, "DryRun": true}"#;
    let Ok(Command::Kms(kms::Request::Encryption(kms::encryption::Request::Encrypt(encrypt)))) =
        asked_of_kms("Encrypt", body)
    else {
        panic!("another command")
    };
    assert_eq!(encrypt.plaintext.expose(), b"secret");
    let context = encrypt.encryption_context.unwrap();
    assert_eq!((context["a"].as_str(), context["b"].as_str()), ("1", "2"));
    assert_eq!((encrypt.dry_run, encrypt.grant_tokens), (Some(true), None));
    let body = r#"{"CiphertextBlob": "AA==", "Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": "hEQ="}}"#;
    let Ok(Command::Kms(kms::Request::Encryption(kms::encryption::Request::Decrypt(decrypt)))) =
        asked_of_kms("Decrypt", body)
    else {
        panic!("another command")
    };
    let recipient = decrypt.recipient.unwrap();
    assert_eq!(
        recipient.key_encryption_algorithm.as_deref(),
        Some("RSAES_OAEP_SHA_256")
    );
    assert_eq!(recipient.attestation_document.unwrap().expose(), b"\x84\x44");
    let reply = kms::encryption::DecryptResponse {
        plaintext: Some(Secret::new(b"secret".to_vec())),
        key_id: Some("k".to_owned()),
        ..kms::encryption::DecryptResponse::default()
    };
    let request = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    let reply = reply.reply(Service::Kms, "Decrypt", &request).ok().unwrap();
    assert_eq!(reply.body.expose(), br#"{"KeyId":"k","Plaintext":"c2VjcmV0"}"#);
    let done = Service::Kms.done("EnableKey", &request).ok().unwrap();
    assert!(done.body.expose().is_empty());
}

#[test]
fn constraints_of_kms_are_refused_in_the_words_of_aws_and_no_plaintext_is_repeated() {
    let refused = |operation: &str, body: &str| asked_of_kms(operation, body).err().unwrap();
    let null = "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null";
    assert_eq!(refused("DescribeKey", "{}"), Failure::Validation(null.to_owned()));
    let zanzibar = "emFu".repeat(1500);
    let told = refused(
        "Encrypt",
        &format!(r#"{{"KeyId": "k", "Plaintext": "{zanzibar}"}}"#),
    );
    let Failure::Validation(sentence) = &told else {
        panic!("{told:?}")
    };
    assert_eq!(
        sentence,
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less \
         than or equal to 4096"
    );
    let told = refused("Encrypt", r#"{"KeyId": "k", "Plaintext": "zanzibar!"}"#);
    assert!(
        matches!(&told, Failure::Invalid { message, code: None, .. } if !message.contains("zanzibar")),
        "{told:?}"
    );
    for (operation, body) in [
        (
            "GenerateRandom",
            r#"{"NumberOfBytes": 1, "CustomKeyStoreId": "cks-1"}"#,
        ),
        (
            "CreateGrant",
            r#"{"KeyId": "k", "Operations": ["Sign"], "GranteeServicePrincipal": "s3.amazonaws.com"}"#,
        ),
    ] {
        let told = refused(operation, body);
        assert!(
            matches!(
                told,
                Failure::Service {
                    code: "UnsupportedOperationException",
                    status: 400,
                    ..
                }
            ),
            "{told:?}"
        );
    }
}

proptest! {
    #[test]
    fn no_body_panics(
        operation in prop_oneof![Just("CreateAccount"), Just("CreatePolicy"), Just("TagResource"), Just("ListChildren")],
        body in proptest::collection::vec(prop_oneof![
            Just("{".to_owned()), Just("}".to_owned()), Just("[".to_owned()), Just("]".to_owned()), Just(",".to_owned()),
            Just("\"Tags\":".to_owned()), Just("\"Key\":".to_owned()), Just("\"Value\":".to_owned()),
            Just("\"ResourceId\":".to_owned()), Just("\"Email\":".to_owned()), "[0-9a-z\"\\\\.-]{0,6}"], 0..14),
    ) {
        drop(asked(operation, &body.concat()));
    }
}
