//! Keys that are held to measurements: who gets what they protect, and who does not, whatever else says so.

use super::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/R";
const ACCOUNT: &str = "arn:aws:iam::123456789012:root";
const RELEASING: [&str; 8] = [
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:DeriveSharedSecret",
    "kms:Decapsulate",
    "kms:Sign",
    "kms:GenerateMac",
];

fn image() -> String {
    "ab".repeat(48)
}

/// A statement of a key policy that allows everything of KMS under a condition.
fn under(principal: &str, operator: &str, key: &str, value: &str) -> String {
    format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"kms:*","Resource":"*","Condition":{{"{operator}":{{"{key}":"{value}"}}}}}}"#
    )
}

fn measured(principal: &str) -> String {
    under(
        principal,
        "StringEqualsIgnoreCase",
        "kms:RecipientAttestation:ImageSha384",
        &image(),
    )
}

/// A statement that allows everything of KMS.
fn open(principal: &str) -> String {
    format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"kms:*","Resource":"*"}}"#)
}

fn key(statements: &[String]) -> Given {
    Given {
        identity: vec![allow(PolicyKind::Identity, "*")],
        resource: Some(document(PolicyKind::Key, &statements.join(","))),
        managed_by: Some(FOREIGN),
        ..Given::default()
    }
}

/// Whether a session of the role may, with a document of this image or without any.
fn may(given: &Given, action: &str, attested: Option<&str>) -> bool {
    let mut context = Context::new().with("aws:PrincipalAccount", OWN);
    if let Some(image) = attested {
        context = context.with("kms:RecipientAttestation:ImageSha384", image);
    }
    let request = AccessRequest {
        principal: &session("R", None),
        action,
        resource: &OWN_KEY.parse().unwrap(),
        context: &context,
        endpoint: None,
    };
    let policies = given.policies();
    let decided = decide(&request, &policies).decision;
    assert_eq!(evaluate(&request, &policies).decision, decided);
    decided == Decision::Allow
}

#[test]
fn second_allow_voids_condition() {
    for (naming, other) in [
        (ROLE, ROLE),
        (ROLE, ACCOUNT),
        (ACCOUNT, ROLE),
        (ACCOUNT, ACCOUNT),
        (ROLE, "*"),
    ] {
        let given = key(&[measured(naming), open(other)]);
        for action in RELEASING {
            assert!(!may(&given, action, None), "{action}");
            assert!(!may(&given, action, Some(&"cd".repeat(48))), "{action}");
            assert!(may(&given, action, Some(&image())), "{action}");
        }
        for action in [
            "kms:Encrypt",
            "kms:DescribeKey",
            "kms:GenerateDataKeyWithoutPlaintext",
            "kms:Verify",
        ] {
            assert!(may(&given, action, None), "{action}");
        }
    }
}

#[test]
fn a_statement_without_measurements_counts_where_no_statement_has_them() {
    let given = key(&[open(ROLE)]);
    assert!(RELEASING.iter().all(|action| may(&given, action, None)));
}

#[test]
fn no_grant_gives_what_is_for_measured_code() {
    let mut given = key(&[measured("arn:aws:iam::123456789012:role/Other")]);
    given.grants = vec![grant(OWN_KEY, ROLE)];
    for action in RELEASING {
        assert!(
            !may(&given, action, None) && !may(&given, action, Some(&image())),
            "{action}"
        );
    }
    assert!(may(&given, "kms:Encrypt", None));
    given.resource = Some(document(
        PolicyKind::Key,
        &open("arn:aws:iam::123456789012:role/Other"),
    ));
    assert!(
        RELEASING.iter().all(|action| may(&given, action, None)),
        "the grant is one"
    );
}

#[test]
fn only_conditions_that_need_a_measurement_name_one() {
    let zeros = "0".repeat(96);
    for (operator, key_name, value) in [
        ("StringLike", "kms:RecipientAttestation:ImageSha384", "*"),
        (
            "StringEqualsIfExists",
            "kms:RecipientAttestation:ImageSha384",
            "ab",
        ),
        ("StringNotEquals", "kms:RecipientAttestation:ImageSha384", "ab"),
        (
            "ForAllValues:StringEquals",
            "kms:RecipientAttestation:ImageSha384",
            "ab",
        ),
        ("Null", "kms:RecipientAttestation:ImageSha384", "false"),
        ("StringEquals", "kms:RecipientAttestation:PCR0", zeros.as_str()),
        (
            "StringEquals",
            "kms:RecipientAttestation:PCR0",
            "${aws:PrincipalTag/image}",
        ),
        ("StringEquals", "kms:EncryptionContext:a", "ab"),
    ] {
        let given = key(&[under(ROLE, operator, key_name, value), open(ROLE)]);
        assert!(may(&given, "kms:Decrypt", None), "{operator} {key_name} {value}");
    }
    for (operator, key_name) in [
        ("StringEquals", "kms:RecipientAttestation:PCR8"),
        ("StringEqualsIgnoreCase", "KMS:recipientattestation:NitroTPMPCR4"),
    ] {
        let given = key(&[under(ROLE, operator, key_name, &image()), open(ROLE)]);
        assert!(!may(&given, "kms:Decrypt", None), "{operator} {key_name}");
    }
}

#[test]
fn a_denial_counts_for_measured_code_too() {
    let denied = open(ROLE).replace("Allow", "Deny");
    let given = key(&[measured(ROLE), denied]);
    assert!(!may(&given, "kms:Decrypt", Some(&image())));
}

#[test]
fn a_services_use_of_such_a_key_is_refused() {
    let service = r#"{"Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},"Action":"kms:*","Resource":"*"}"#;
    let alone = key(&[service.to_owned()]);
    assert_eq!(
        reason(&decided(&own_service(), "kms:GenerateDataKey", OWN_KEY, &alone)),
        "allow"
    );
    let held = key(&[service.to_owned(), measured(ROLE)]);
    assert_ne!(
        reason(&decided(&own_service(), "kms:GenerateDataKey", OWN_KEY, &held)),
        "allow"
    );
}
