//! Every operator, on keys that are there, absent, or have several values.

use super::*;
use proptest::prelude::*;

fn holds(operator: &str, policy: &[&str], request: Option<&[&str]>) -> bool {
    let values: Vec<String> = policy.iter().map(|v| (*v).to_owned()).collect();
    let condition = Condition::parse(operator, "aws:Key", &values, true).unwrap();
    let mut context = Context::new().with("aws:other", "here");
    if let Some(request) = request {
        context.set("AWS:KEY", request.iter().map(|v| (*v).to_owned()).collect());
    }
    condition.holds(&context)
}

/// Every operator but `Null`.
const OPERATORS: [&str; 26] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
];

#[test]
fn each_operator_holds_and_does_not() {
    for (operator, policy, yes, no) in [
        ("StringEquals", "ab", "ab", "aB"),
        ("StringEquals", "a*", "a*", "ab"),
        ("StringNotEquals", "ab", "aB", "ab"),
        ("StringEqualsIgnoreCase", "ab", "AB", "ac"),
        ("StringNotEqualsIgnoreCase", "ab", "ac", "AB"),
        ("StringLike", "a*", "ab", "ba"),
        ("StringNotLike", "a*", "ba", "ab"),
        ("StringEquals", "${aws:other}", "here", "there"),
        (
            "ArnLike",
            "arn:aws:iam::*:role/*",
            "arn:aws:iam::123456789012:role/x",
            "arn:aws:iam:x:y:123456789012:role/x",
        ),
        (
            "ArnEquals",
            "arn:aws:iam::1:role/${aws:other}",
            "arn:aws:iam::1:role/here",
            "arn:aws:iam::1:role/there",
        ),
        (
            "ArnNotLike",
            "arn:aws:iam::1:role/x",
            "arn:aws:iam::2:role/x",
            "arn:aws:iam::1:role/x",
        ),
        (
            "ArnEquals",
            "arn:aws:iam::1:role/x",
            "arn:aws:iam::1:role/x",
            "arn:aws:iam::1:role/y",
        ),
        ("ArnLike", "*", "arn:aws:iam::1:role/x", "no arn"),
        ("Bool", "true", "TRUE", "false"),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", "QmluYXJ6"),
        ("BinaryEquals", "YQ==", "YQ", "!"),
        ("NumericEquals", "5", "5.0", "6"),
        ("NumericNotEquals", "5", "6", "5"),
        ("NumericLessThan", "5", "4", "5"),
        ("NumericLessThanEquals", "5", "5", "6"),
        ("NumericGreaterThan", "5", "6", "5"),
        ("NumericGreaterThanEquals", "5", "5", "4"),
        ("DateEquals", "2026-11-22", "1795305600", "2026-11-22T00:00:01Z"),
        (
            "DateNotEquals",
            "2026-11-22",
            "2026-11-22T00:00:01Z",
            "2026-11-22T00:00:00Z",
        ),
        (
            "DateLessThan",
            "2026-11-22T00:00:00Z",
            "2026-11-21T23:59:59Z",
            "2026-11-22T00:00:00Z",
        ),
        ("DateLessThanEquals", "2026-11-22", "2026-11-22", "2026-11-23"),
        ("DateGreaterThan", "2026-11-22", "2026-11-23", "2026-11-22"),
        ("DateGreaterThanEquals", "2026-11-22", "2026-11-22", "2026-11-21"),
        ("IpAddress", "10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
        ("IpAddress", "10.0.0.0/8", "::ffff:10.1.2.3", "::1"),
        ("IpAddress", "0.0.0.0/0", "9.9.9.9", "2001:db8::1"),
        ("IpAddress", "::/0", "2001:db8::1", "not an address"),
        ("NotIpAddress", "2001:db8::/32", "2001:db9::1", "2001:db8::1"),
    ] {
        assert!(
            holds(operator, &[policy], Some(&[yes])),
            "{operator} {policy} {yes}"
        );
        assert!(
            !holds(operator, &[policy], Some(&[no])),
            "{operator} {policy} {no}"
        );
    }
}

#[test]
fn an_absent_key_fails_what_is_positive_only() {
    let value = |operator: &str| match operator {
        "Bool" => "true",
        "BinaryEquals" => "YQ==",
        operator if operator.starts_with("Arn") => "arn:aws:iam::1:role/x",
        operator if operator.starts_with("Date") => "2026-11-22",
        operator if operator.contains("Ip") => "10.0.0.0/8",
        operator if operator.starts_with("Numeric") => "1",
        _ => "a",
    };
    for operator in OPERATORS {
        let (holds_for, negated) = (
            |o: &str| holds(o, &[value(operator)], None),
            operator.contains("Not"),
        );
        assert_eq!(holds_for(operator), negated, "{operator}");
        assert!(holds_for(&format!("{operator}IfExists")), "{operator}");
        assert!(holds_for(&format!("ForAllValues:{operator}")), "{operator}");
        assert!(!holds_for(&format!("ForAnyValue:{operator}")), "{operator}");
        assert!(
            holds_for(&format!("ForAnyValue:{operator}IfExists")),
            "{operator}"
        );
    }
    assert!(!holds("StringEquals", &["a"], None));
    assert!(holds("StringNotEquals", &["a"], None));
    assert!(holds("StringEqualsIfExists", &["a"], None));
    assert!(!holds("StringEqualsIfExists", &["a"], Some(&["b"])));
    assert!(holds("Null", &["true"], None));
    assert!(!holds("Null", &["false"], None));
    assert!(holds("Null", &["false"], Some(&["x"])));
    assert!(holds("ForAllValues:StringEquals", &["a"], None));
    assert!(!holds("ForAnyValue:StringEquals", &["a"], None));
    assert!(!holds("ForAnyValue:StringNotEquals", &["a"], None));
}

#[test]
fn several_values_count_as_the_operator_says() {
    assert!(holds("StringEquals", &["a", "b"], Some(&["b"])));
    assert!(!holds("StringNotEquals", &["a", "b"], Some(&["b"])));
    assert!(holds("ForAllValues:StringEquals", &["a", "b"], Some(&["a", "b"])));
    assert!(!holds(
        "ForAllValues:StringEquals",
        &["a", "b"],
        Some(&["a", "c"])
    ));
    assert!(holds("ForAnyValue:StringEquals", &["a", "b"], Some(&["a", "c"])));
    assert!(holds("ForAnyValue:StringNotEquals", &["a"], Some(&["a", "c"])));
    assert!(!holds("ForAllValues:StringNotEquals", &["a"], Some(&["a", "c"])));
}

#[test]
fn what_cannot_be_evaluated_is_refused() {
    for (operator, value) in [
        ("StringEqual", "a"),
        ("stringequals", "a"),
        ("ForSomeValues:StringEquals", "a"),
        ("BinaryEquals", "a b"),
        ("BinaryNotEquals", "YQ=="),
        ("BoolNotEquals", "true"),
        ("StringEqualsifexists", "a"),
        ("ForAllValues:ForAnyValue:StringEquals", "a"),
        ("StringEqualsIfExistsIfExists", "a"),
        ("ForAnyValue:Null", "true"),
        ("StringEquals", "a\u{202e}b"),
        ("StringEquals", "a\u{200b}b"),
        ("StringEquals", "a\u{0}b"),
        ("NullIfExists", "true"),
        ("Bool", "yes"),
        ("NumericEquals", "NaN"),
        ("DateEquals", "tomorrow"),
        ("DateEquals", "20261122T000000Z"),
        ("IpAddress", "10.0.0.0/33"),
        ("IpAddress", "10.0.0"),
        ("ArnLike", "role/x"),
        ("StringLike", "${open"),
    ] {
        assert!(
            Condition::parse(operator, "aws:k", &[value.to_owned()], true).is_err(),
            "{operator} {value}"
        );
    }
    assert!(Condition::parse("StringEquals", "", &[], true).is_err());
}

/// Keys that no request has had yet are as good as others: they are absent.
#[test]
fn every_key_of_every_service_can_be_asked_about() {
    for key in [
        "aws:MultiFactorAuthAge",
        "aws:CalledVia",
        "aws:CalledViaFirst",
        "aws:Referer",
        "aws:SourceArn",
        "aws:SourceOrgPaths",
        "aws:PrincipalServiceNamesList",
        "aws:PrincipalTag/cost center",
        "aws:RequestTag/\u{4f60}",
        "bedrock:GuardrailIdentifier",
        "bedrock:ServiceTier",
        "bedrock:InferenceProfileArn",
        "bedrock:PromptRouterArn",
        "kms:EncryptionContext:a key/with=signs",
        "kms:EncryptionContextKeys",
        "kms:ViaService",
        "kms:GrantOperations",
        "kms:GrantConstraintType",
        "kms:RecipientAttestation:PCR4",
        "kms:RecipientAttestation:ImageSha384",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "s3:ExistingObjectTag/x",
        "sts:ExternalId",
        "sts:TransitiveTagKeys",
        "idp.example.com/tenant:sub",
    ] {
        for (operator, absent) in [
            ("StringEquals", false),
            ("StringNotEquals", true),
            ("StringEqualsIfExists", true),
        ] {
            let values = ["v".to_owned()];
            let condition = Condition::parse(operator, key, &values, true).unwrap();
            assert_eq!(condition.holds(&Context::new()), absent, "{operator} {key}");
            let here = Context::new().with(&key.to_ascii_uppercase(), "v");
            assert_eq!(
                condition.holds(&here),
                operator != "StringNotEquals",
                "{operator} {key}"
            );
        }
    }
    for key in ["", "a*", "a?", "a\u{200b}", "a\nb", "a\"b"] {
        assert!(
            Condition::parse("StringEquals", key, &[], true).is_err(),
            "{key:?}"
        );
    }
}

#[test]
fn a_variable_has_one_value_or_none() {
    let condition =
        |value: &str| Condition::parse("StringEquals", "aws:Key", &[value.to_owned()], true).unwrap();
    let mut context = Context::new().with("aws:Key", "a").with("aws:one", "a");
    context.set("aws:many", vec!["a".to_owned(), "b".to_owned()]);
    assert!(condition("${aws:ONE}").holds(&context));
    assert!(!condition("${aws:many}").holds(&context));
    assert!(condition("${aws:many, 'a'}").holds(&context));
    assert!(!condition("${aws:none}").holds(&context));
    let old = Condition::parse("StringEquals", "aws:Key", &["${aws:one}".to_owned()], false).unwrap();
    assert!(!old.holds(&context));
    assert!(old.holds(&Context::new().with("aws:Key", "${aws:one}")));
    let arn = ["${aws:role}".to_owned()];
    let same = Condition::parse("ArnEquals", "aws:Key", &arn, true).unwrap();
    let context = |role: &str| {
        let own = "arn:aws:iam::1:role/x";
        Context::new().with("aws:Key", own).with("aws:role", role)
    };
    assert!(same.holds(&context("arn:aws:iam::1:role/x")));
    assert!(!same.holds(&context("arn:aws:iam::1:role/*")));
}

proptest! {
    #[test]
    fn a_negation_is_the_opposite_when_the_key_is_there(policy in "[ab*]{0,3}", request in "[ab]{0,3}") {
        for (positive, negative) in [("StringEquals", "StringNotEquals"), ("StringLike", "StringNotLike")] {
            prop_assert_ne!(holds(positive, &[&policy], Some(&[&request])), holds(negative, &[&policy], Some(&[&request])));
        }
    }
}
