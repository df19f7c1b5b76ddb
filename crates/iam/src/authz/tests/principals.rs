//! Who is who: how policies of resources name callers, and who is bound by what.

use super::*;

/// How a resource's policy with this principal names a caller, seen by what else it takes: `itself` nothing, `whole` no
/// deny of the boundary's silence, `account` the identity's policies, `not` is not enough.
fn named(caller: &Session, principal: &str) -> &'static str {
    let decision = |identity: bool, boundary: bool| {
        let given = Given {
            identity: if identity {
                vec![allow(PolicyKind::Identity, "kms:*")]
            } else {
                vec![]
            },
            boundary: Some(allow(
                PolicyKind::Boundary,
                if boundary { "kms:*" } else { "s3:*" },
            )),
            resource: Some(of_resource(PolicyKind::Key, "Allow", principal)),
            ..Given::default()
        };
        reason(&decided(caller, "kms:Decrypt", OWN_KEY, &given)) == "allow"
    };
    match (
        decision(false, false),
        decision(false, true),
        decision(true, true),
    ) {
        (true, true, true) => "itself",
        (false, true, true) => "whole",
        (false, false, true) => "account",
        _ => "not",
    }
}

#[test]
fn callers_are_named_as_aws_names_them() {
    let id = "AROARAAAAAAAAAAAAAAAA";
    let policy = allow(PolicyKind::Session, "kms:*");
    let federated = federated_user(Some(&policy));
    for (caller, principal, expected) in [
        (&session("R", None), r#""*""#, "whole"),
        (&session("R", None), r#"{"AWS":"*"}"#, "whole"),
        (
            &session("R", None),
            r#"{"AWS":["*","arn:aws:sts::123456789012:assumed-role/R/me"]}"#,
            "itself",
        ),
        (&user(), r#""*""#, "whole"),
        (&user_session(), r#""*""#, "whole"),
        (&federated, r#""*""#, "whole"),
        (&session("R", None), r#"{"AWS":"123456789012"}"#, "account"),
        (
            &session("R", None),
            r#"{"AWS":"arn:aws:iam::123456789012:root"}"#,
            "account",
        ),
        (
            &session("R", None),
            r#"{"AWS":"arn:aws:iam::123456789012:role/R"}"#,
            "whole",
        ),
        (
            &session("R", None),
            r#"{"AWS":"arn:aws:iam::123456789012:role/r"}"#,
            "not",
        ),
        (
            &session("R", None),
            r#"{"AWS":"arn:aws:iam::123456789012:role/p/R"}"#,
            "not",
        ),
        (
            &session("R", None),
            r#"{"AWS":"arn:aws:sts::123456789012:assumed-role/R/me"}"#,
            "itself",
        ),
        (
            &session("R", None),
            r#"{"AWS":"arn:aws:sts::123456789012:assumed-role/R/you"}"#,
            "not",
        ),
        (&session("R", None), &format!(r#"{{"AWS":"{id}"}}"#), "whole"),
        (&session("R", None), r#"{"AWS":"AROAEXAMPLEEXAMPLE234"}"#, "not"),
        (&session("R", None), r#"{"AWS":"210987654321"}"#, "not"),
        (&session("R", None), r#"{"Service":"ec2.amazonaws.com"}"#, "not"),
        (
            &session("R", None),
            &format!(r#"{{"Federated":"{PROVIDER}"}}"#),
            "not",
        ),
        (
            &federated_session("R"),
            &format!(r#"{{"Federated":"{PROVIDER}"}}"#),
            "whole",
        ),
        (
            &federated_session("R"),
            r#"{"Federated":"accounts.google.com"}"#,
            "not",
        ),
        (
            &user(),
            r#"{"AWS":"arn:aws:iam::123456789012:user/team/ann"}"#,
            "itself",
        ),
        (&user(), r#"{"AWS":"arn:aws:iam::123456789012:user/ann"}"#, "not"),
        (&user(), r#"{"AWS":"AIDAEXAMPLEEXAMPLE234"}"#, "itself"),
        (
            &user_session(),
            r#"{"AWS":"arn:aws:iam::123456789012:user/team/ann"}"#,
            "itself",
        ),
        (
            &federated,
            r#"{"AWS":"arn:aws:iam::123456789012:user/team/ann"}"#,
            "whole",
        ),
        (
            &federated,
            r#"{"AWS":"arn:aws:sts::123456789012:federated-user/bob"}"#,
            "itself",
        ),
    ] {
        assert_eq!(
            named(caller, principal),
            expected,
            "{} {principal}",
            caller.principal_arn()
        );
    }
}

#[test]
fn anybody_in_a_resources_policy_widens_no_session() {
    let elsewhere = allow(PolicyKind::Session, "ec2:*");
    let here = allow(PolicyKind::Session, "kms:*");
    let given = Given {
        identity: vec![allow(PolicyKind::Identity, "*")],
        resource: Some(of_resource(PolicyKind::Key, "Allow", r#""*""#)),
        ..Given::default()
    };
    for (caller, expected) in [
        (session("R", None), "allow"),
        (session("R", Some(&here)), "allow"),
        (session("R", Some(&elsewhere)), "not-allowed/session"),
        (federated_user(Some(&here)), "allow"),
        (federated_user(None), "not-allowed/session"),
        (bootstrap_with(&elsewhere), "not-allowed/session"),
    ] {
        let found = decided(&caller, "kms:Decrypt", OWN_KEY, &given);
        assert_eq!(reason(&found), expected, "{}", caller.principal_arn());
    }
}

#[test]
fn a_session_that_is_bound_is_of_one_role_whoever_has_its_name() {
    let me = "arn:aws:sts::123456789012:assumed-role/R/me";
    let reason_if_of = |effect: &str, element: &str, id: &str| {
        let statement = format!(
            r#"{{"Effect":"{effect}","Action":"*","Resource":"*","{element}":{{"AWS":["{me}","123456789012",
                "arn:aws:iam::123456789012:role/R"]}}}}"#
        );
        let bound = PolicyDocument::clone(&document(PolicyKind::Key, &statement))
            .with_sessions_bound(|arn| (arn.as_str() == me).then(|| id.to_owned()));
        let given = Given {
            identity: vec![allow(PolicyKind::Identity, "*")],
            boundary: Some(allow(PolicyKind::Boundary, "s3:*")),
            resource: Some(Arc::new(bound)),
            ..Given::default()
        };
        reason(&decided(&session("R", None), "kms:Decrypt", OWN_KEY, &given))
    };
    let (its, another) = ("AROARAAAAAAAAAAAAAAAA", "AROARBBBBBBBBBBBBBBBB");
    // Directly named, it needs no leave of the boundary.
    assert_eq!(reason_if_of("Allow", "Principal", its), "allow");
    assert_eq!(
        reason_if_of("Allow", "Principal", another),
        "not-allowed/boundary"
    );
    assert_eq!(
        reason_if_of("Deny", "NotPrincipal", another),
        "explicit-deny/resource"
    );
    assert_ne!(
        reason_if_of("Deny", "NotPrincipal", its),
        "explicit-deny/resource"
    );
}

#[test]
fn all_but_listed_principals_are_denied() {
    let (role, me) = (
        "arn:aws:iam::123456789012:role/R",
        "arn:aws:sts::123456789012:assumed-role/R/me",
    );
    let ann = "arn:aws:iam::123456789012:user/team/ann";
    let denied = |caller: &Session, list: &[&str]| {
        let list: Vec<String> = list.iter().map(|arn| format!("\"{arn}\"")).collect();
        let statement = format!(
            r#"{{"Effect":"Deny","Action":"*","Resource":"*","NotPrincipal":{{"AWS":[{}]}}}}"#,
            list.join(",")
        );
        let given = Given {
            identity: vec![allow(PolicyKind::Identity, "*")],
            resource: Some(document(PolicyKind::Resource, &statement)),
            ..Given::default()
        };
        reason(&decided(caller, "s3:GetObject", BUCKET, &given)) == "explicit-deny/resource"
    };
    let robe = session("R", None);
    assert!(!denied(&robe, &[me, role, OWN]));
    assert!(!denied(&robe, &["*"]));
    // AWS looks at the account first, then at the role, then at the session: each must be listed.
    for list in [
        &[me, role][..],
        &[me, OWN],
        &[role, OWN],
        &[OWN],
        &[role],
        &[FOREIGN],
    ] {
        assert!(denied(&robe, list), "{list:?}");
    }
    assert!(!denied(&user(), &[ann, "arn:aws:iam::123456789012:root"]));
    assert!(denied(&user(), &[ann]));
    assert!(denied(&user(), &[OWN]));
}

#[test]
fn who_is_gone_may_only_ask_who_it_was() {
    let given = Given {
        gone: true,
        identity: vec![allow(PolicyKind::Identity, "*")],
        resource: Some(of_resource(PolicyKind::Resource, "Allow", r#""*""#)),
        ..Given::default()
    };
    for caller in [session("R", None), user(), user_session(), federated_user(None)] {
        for action in action::ALL {
            let expected = if *action == "sts:GetCallerIdentity" {
                "allow"
            } else {
                "principal-gone"
            };
            assert_eq!(
                reason(&decided(&caller, action, OWN_KEY, &given)),
                expected,
                "{action}"
            );
        }
    }
    let gone = decided(&session("R", None), "s3:GetObject", BUCKET, &given);
    assert!(gone.diagnostics.determining.is_empty());
}

#[test]
fn guards_do_not_bind_the_managing_account() {
    let guarded = |managed_by, owner| Given {
        managed_by: Some(managed_by),
        owner: Some(owner),
        identity: vec![allow(PolicyKind::Identity, "*")],
        resource: Some(of_resource(PolicyKind::Resource, "Allow", r#""*""#)),
        service_control: vec![vec![deny(PolicyKind::ServiceControl, "s3:*")]],
        resource_control: vec![vec![of_resource(PolicyKind::ResourceControl, "Allow", r#""*""#)]],
        ..Given::default()
    };
    let by_principal = |given: &Given| reason(&decided(&session("R", None), "s3:GetObject", BUCKET, given));
    assert_eq!(by_principal(&guarded(OWN, OWN)), "allow");
    assert_eq!(
        by_principal(&guarded(FOREIGN, OWN)),
        "explicit-deny/service-control"
    );
    let by_resource = |managed_by, owner| {
        let given = Given {
            service_control: vec![],
            resource_control: vec![vec![of_resource(PolicyKind::ResourceControl, "Deny", r#""*""#)]],
            ..guarded(managed_by, owner)
        };
        by_principal(&given)
    };
    assert_eq!(by_resource(OWN, OWN), "allow");
    assert_eq!(by_resource(FOREIGN, FOREIGN), "allow");
    assert_eq!(by_resource(FOREIGN, OWN), "explicit-deny/resource-control");
    assert_eq!(by_resource(OWN, FOREIGN), "explicit-deny/resource-control");
}

#[test]
fn managed_session_policies_count_beside_the_inline_one() {
    let inline = allow(PolicyKind::Session, "kms:*");
    let given = |managed: &[&str]| Given {
        identity: vec![allow(PolicyKind::Identity, "*")],
        session_managed: managed
            .iter()
            .map(|action| allow(PolicyKind::Identity, action))
            .collect(),
        ..Given::default()
    };
    for (session_policy, managed, expected) in [
        (None, &[][..], "allow"),
        (None, &["s3:Get*"], "allow"),
        (None, &["ec2:*"], "not-allowed/session"),
        (None, &["ec2:*", "s3:*"], "allow"),
        (Some(inline.as_ref()), &[], "not-allowed/session"),
        (Some(&inline), &["s3:*"], "allow"),
        (Some(&inline), &["ec2:*"], "not-allowed/session"),
    ] {
        let caller = session("R", session_policy);
        let found = decided(&caller, "s3:GetObject", BUCKET, &given(managed));
        assert_eq!(reason(&found), expected, "{managed:?}");
    }
}

#[test]
fn temporary_credentials_of_users_administer_no_identities() {
    let given = Given {
        identity: vec![allow(PolicyKind::Identity, "*")],
        resource: Some(of_resource(PolicyKind::Trust, "Allow", &aws(OWN))),
        ..Given::default()
    };
    let role = "arn:aws:iam::123456789012:role/T";
    let everything = allow(PolicyKind::Session, "*");
    let federated = federated_user(Some(&everything));
    for (action, by_key, by_session, federated_may) in [
        ("sts:AssumeRole", true, true, false),
        ("sts:GetCallerIdentity", true, true, true),
        ("sts:GetFederationToken", true, false, false),
        ("iam:GetRole", true, false, false),
        ("bedrock:ListFoundationModels", true, true, true),
    ] {
        let resource = if action.starts_with("bedrock") {
            BUCKET
        } else {
            role
        };
        for (caller, may) in [
            (user(), by_key),
            (user_session(), by_session),
            (federated.clone(), federated_may),
        ] {
            let decision = decided(&caller, action, resource, &given).decision;
            assert_eq!(
                decision == Decision::Allow,
                may,
                "{action} {}",
                caller.principal_arn()
            );
        }
    }
}

#[test]
fn an_endpoint_lets_nobody_through_whom_its_policy_does_not() {
    let given = |effect| Given {
        identity: vec![allow(PolicyKind::Identity, "*")],
        endpoint: Some(of_resource(PolicyKind::Endpoint, effect, &aws(OWN))),
        ..Given::default()
    };
    let asks =
        |caller: &Session, effect| reason(&decided(caller, "sts:GetCallerIdentity", BUCKET, &given(effect)));
    assert_eq!(asks(&session("R", None), "Allow"), "allow");
    assert_eq!(asks(&session("R", None), "Deny"), "explicit-deny/endpoint");
    assert_eq!(asks(&web_identity(), "Allow"), "not-allowed/endpoint");
    let open = Given {
        endpoint: Some(of_resource(PolicyKind::Endpoint, "Allow", r#""*""#)),
        ..Given::default()
    };
    let anybody = decided(&web_identity(), "sts:GetCallerIdentity", BUCKET, &open);
    assert_eq!(reason(&anybody), "allow");
}

#[test]
fn a_service_has_what_a_resource_allows_it_by_its_name() {
    let service = own_service();
    let by_name = r#"{"Service":"logging.s3.amazonaws.com"}"#;
    for (principal, expected) in [
        (by_name, "itself"),
        (
            r#"{"Service":["ec2.amazonaws.com","logging.s3.amazonaws.com"]}"#,
            "itself",
        ),
        (r#"{"Service":"ec2.amazonaws.com"}"#, "not"),
        (r#""*""#, "not"),
        (r#"{"AWS":"*"}"#, "not"),
        (r#"{"AWS":"123456789012"}"#, "not"),
        (
            r#"{"AWS":"arn:aws:iam::123456789012:service/logging.s3.amazonaws.com"}"#,
            "not",
        ),
    ] {
        assert_eq!(named(&service, principal), expected, "{principal}");
    }
    for other in [session("R", None), user(), bootstrap(), web_identity()] {
        assert_eq!(named(&other, by_name), "not", "nobody else is a service");
    }
    let statements = r#"{"Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},"Action":"kms:Decrypt","Resource":"*"},
        {"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}"#;
    let given = Given {
        resource: Some(document(PolicyKind::Key, statements)),
        ..Given::default()
    };
    let denied = decided(&service, "kms:Decrypt", OWN_KEY, &given);
    assert_eq!(
        reason(&denied),
        "explicit-deny/resource",
        "what is denied to all is denied to services"
    );
}
