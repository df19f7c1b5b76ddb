//! What a policy document may and may not be.

use proptest::prelude::*;

use super::*;

fn parse(kind: PolicyKind, statement: &str) -> Result<PolicyDocument, PolicyError> {
    PolicyDocument::parse(
        kind,
        &format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#),
    )
}

const ALLOW: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;

#[test]
fn built_in_policies_are_valid() {
    for text in [builtin::ADMINISTRATOR, builtin::DEVELOPER] {
        PolicyDocument::parse(PolicyKind::Identity, text).unwrap();
    }
    PolicyDocument::parse(PolicyKind::Session, builtin::BOOTSTRAP).unwrap();
}

#[test]
fn a_document_prints_as_it_was_written() {
    let text = format!(r#" {{"Version":"2012-10-17","Id":"x","Statement":[{ALLOW}]}} "#);
    let document = PolicyDocument::parse(PolicyKind::Identity, &text).unwrap();
    assert_eq!(document.as_str(), text);
    assert_eq!(document.kind(), PolicyKind::Identity);
}

#[test]
fn what_is_not_a_policy_is_refused() {
    for statement in [
        "[]",
        "{}",
        "null",
        "7",
        r#"{"Effect":"allow","Action":"*","Resource":"*"}"#,
        r#"{"Effect":"Allow","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"*"}"#,
        r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":"bucket"}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Extra":1}"#,
        r#"{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":true,"a":false}}}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":true},"Bool":{"b":false}}}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Nope":{"a":"b"}}}"#,
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":{"b":"c"}}}}"#,
        r#"{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}"#,
        r#"[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Deny","Action":"*","Resource":"*"}]"#,
    ] {
        assert!(parse(PolicyKind::Identity, statement).is_err(), "{statement}");
    }
    for document in [
        "",
        "[]",
        "{}",
        r#"{"Statement":[]}"#,
        r#"{"Version":"2008-10-17","Statement":[]}"#,
    ] {
        assert!(
            PolicyDocument::parse(PolicyKind::Identity, document).is_err(),
            "{document}"
        );
    }
    for document in [
        r#"["2012-10-17",null,{"Effect":"Allow","Action":"*","Resource":"*"}]"#,
        r#"["2012-10-17",null,[[null,"Allow","*",null,"*",null,null,null,null]]]"#,
        r#"{"Statement":[[null,"Allow","*",null,"*",null,null,null,null]]}"#,
        r#"{"Statement":[null,"Allow","*",null,"*",null,null,null,null]}"#,
        r#"{"Statement":[{"Effect":{"Allow":null},"Action":"*","Resource":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":[]}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":[]}}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":[["a",true]]}}]}"#,
    ] {
        assert!(
            PolicyDocument::parse(PolicyKind::Identity, document).is_err(),
            "{document}"
        );
    }
    let trailing = format!(r#"{{"Version":"2012-10-17","Statement":{ALLOW}}} {{}}"#);
    assert!(PolicyDocument::parse(PolicyKind::Identity, &trailing).is_err());
}

#[test]
fn a_condition_key_stands_once_whatever_its_case() {
    let conditions = |conditions: &str| {
        parse(
            PolicyKind::Identity,
            &format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{{{conditions}}}}}"#),
        )
    };
    for twice in [
        r#""StringEquals":{"aws:a":"1","AWS:A":"2"}"#,
        r#""StringEquals":{"aws:PrincipalTag/team":"1","aws:PrincipalTag/Team":"1"}"#,
        r#""Bool":{"aws:b":"true"},"Null":{"aws:a":"true","Aws:a":"true"}"#,
    ] {
        assert!(
            matches!(conditions(twice), Err(PolicyError::Grammar(_))),
            "{twice}"
        );
    }
    let other_operators = r#""StringEquals":{"aws:a":"1"},"StringNotEquals":{"AWS:A":"2","aws:b":"1"}"#;
    assert!(conditions(other_operators).is_ok());
}

#[test]
fn actions_of_one_service_are_told_from_others() {
    for (actions, only) in [
        (r#""Action":"sts:AssumeRole""#, true),
        (r#""Action":["STS:*","sts:Tag*ion"]"#, true),
        (r#""NotAction":"sts:TagSession""#, true),
        (r#""Action":"*""#, false),
        (r#""Action":["sts:AssumeRole","iam:GetRole"]"#, false),
        (r#""NotAction":"iam:*""#, false),
    ] {
        let statement = format!(r#"{{"Effect":"Deny","Principal":"*",{actions}}}"#);
        let document = parse(PolicyKind::Trust, &statement).unwrap();
        assert_eq!(document.names_only_actions_of("sts"), only, "{actions}");
    }
}

#[test]
fn principals_stand_where_they_belong() {
    let trust = |principal: &str| {
        parse(
            PolicyKind::Trust,
            &format!(r#"{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{principal}}}"#),
        )
    };
    for principal in [
        r#""*""#,
        r#"{"AWS":"123456789012"}"#,
        r#"{"AWS":["arn:aws:iam::123456789012:root","arn:aws:iam::123456789012:role/x"]}"#,
        r#"{"Federated":"arn:aws:iam::123456789012:oidc-provider/x","Service":"x.amazonaws.com"}"#,
    ] {
        assert!(trust(principal).is_ok(), "{principal}");
    }
    for principal in [
        r#""me""#,
        "{}",
        r#"{"AWS":[]}"#,
        r#"{"AWS":"arn:aws:iam::123456789012:role/*"}"#,
        r#"{"AWS":"arn:aws:s3:::bucket"}"#,
        r#"{"Everybody":"x"}"#,
        r#"{"Service":"*"}"#,
        r#"{"AWS":"*","AWS":"*"}"#,
    ] {
        assert!(trust(principal).is_err(), "{principal}");
    }
    assert!(
        parse(
            PolicyKind::Trust,
            r#"{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}"#
        )
        .is_err()
    );
    assert!(
        parse(
            PolicyKind::Key,
            r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#
        )
        .is_err()
    );
    assert!(
        parse(
            PolicyKind::Key,
            r#"{"Effect":"Allow","Action":"*","Resource":"*","NotPrincipal":"*"}"#
        )
        .is_err()
    );
    assert!(
        parse(
            PolicyKind::Key,
            r#"{"Effect":"Deny","Action":"*","Resource":"*","NotPrincipal":{"AWS":"123456789012"}}"#
        )
        .is_ok()
    );
    let named = r#"{"Effect":"Deny","Action":"*","Resource":"*","Principal":{"AWS":"123456789012"}}"#;
    assert!(parse(PolicyKind::ResourceControl, named).is_err());
}

#[test]
fn sizes_are_limited_without_white_space() {
    let padded = format!(
        r#"{{"Version":"2012-10-17",{}"Statement":{ALLOW}}}"#,
        " ".repeat(7000)
    );
    assert!(PolicyDocument::parse(PolicyKind::Identity, &padded).is_ok());
    assert_eq!(
        PolicyDocument::parse(PolicyKind::Session, &padded),
        Err(PolicyError::TooLong { limit: 2048 })
    );
    let long = parse(PolicyKind::Identity, &format!("[{}]", vec![ALLOW; 200].join(",")));
    assert_eq!(long, Err(PolicyError::TooLong { limit: 6144 }));
    let endless = " ".repeat(200_000);
    assert!(matches!(
        PolicyDocument::parse(PolicyKind::Key, &endless),
        Err(PolicyError::TooLong { .. })
    ));
}

#[test]
fn white_space_is_limited_for_each_kind() {
    let padded = |length: usize| {
        let rest = format!(r#""Statement":{ALLOW}}}"#);
        format!("{{{}{rest}", " ".repeat(length - rest.len() - 1))
    };
    for (kind, limit) in [
        (PolicyKind::Identity, 6144),
        (PolicyKind::Inline, 10_240),
        (PolicyKind::Boundary, 6144),
        (PolicyKind::ServiceControl, 10_240),
    ] {
        assert!(
            PolicyDocument::parse(kind, &padded(4 * limit)).is_ok(),
            "{kind:?}"
        );
        assert_eq!(
            PolicyDocument::parse(kind, &padded(4 * limit + 1)),
            Err(PolicyError::TooLong { limit })
        );
    }
}

#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
    assert!(matches!(
        parse(PolicyKind::Key, &deep),
        Err(PolicyError::Syntax { .. })
    ));
}

#[test]
fn an_error_says_where() {
    let error = PolicyDocument::parse(PolicyKind::Identity, "{\n  \"Version\": 7}").unwrap_err();
    assert!(matches!(&error, PolicyError::Syntax { line: 2, .. }), "{error}");
    assert!(!error.to_string().contains("at line 2 column"), "{error}");
}

#[test]
fn an_error_quotes_no_long_text() {
    let long = "zanzibar".repeat(100);
    for text in [
        format!(r#"{{"Version":"2012-10-17","Statement":"{long}"}}"#),
        format!(r#"{{"Version":"2012-10-17","Statement":[],"{long}":1}}"#),
    ] {
        let error = PolicyDocument::parse(PolicyKind::Identity, &text)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("unknown element") && !error.contains("zan"),
            "{error}"
        );
    }
    let named = parse(
        PolicyKind::Identity,
        r#"{"Effect":"Allow","Acton":"*","Resource":"*"}"#,
    )
    .unwrap_err();
    assert!(named.to_string().contains("Acton"), "{named}");
    assert!(!named.to_string().contains(TOO_LONG_TO_QUOTE), "{named}");
}

proptest! {
    #[test]
    fn any_text_never_panics(text in "\\PC{0,200}") {
        drop(PolicyDocument::parse(PolicyKind::Key, &text));
    }

    #[test]
    fn almost_policies_never_panic(
        key in "Effect|Action|NotAction|Resource|Principal|NotPrincipal|Condition|Sid|X",
        value in r#""[A-Za-z*?:$\{\}]{0,12}"|\{\}|\[\]|null|1|true|\{"AWS":"[*0-9a:]{0,12}"\}|\{"Bool":\{"a":[0-9t]\}\}"#,
    ) {
        for kind in [PolicyKind::Identity, PolicyKind::Trust, PolicyKind::Key] {
            drop(parse(kind, &format!(r#"{{"Effect":"Deny","{key}":{value}}}"#)));
            drop(parse(kind, &format!(r#"{{"Effect":"Deny","Action":"*","Principal":"*","Resource":"*","{key}":{value}}}"#)));
        }
    }
}
