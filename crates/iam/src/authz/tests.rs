//! The evaluator's laws, rule by rule, by random policies, and as a table of who may do what.
#![expect(clippy::too_many_lines, reason = "tables of cases")]

use std::fmt::Write;

use moho_terms::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::action;
use crate::policy::{PolicyDocument, PolicyKind, builtin};
use crate::session::{RoleSession, Terms};
use std::sync::Arc;

const OWN: &str = "123456789012";
const FOREIGN: &str = "210987654321";

fn document(kind: PolicyKind, statements: &str) -> Arc<PolicyDocument> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    Arc::new(PolicyDocument::parse(kind, &text).unwrap())
}

fn allow(kind: PolicyKind, action: &str) -> Arc<PolicyDocument> {
    document(
        kind,
        &format!(r#"{{"Sid":"A","Effect":"Allow","Action":"{action}","Resource":"*"}}"#),
    )
}

fn deny(kind: PolicyKind, action: &str) -> Arc<PolicyDocument> {
    document(
        kind,
        &format!(r#"{{"Sid":"D","Effect":"Deny","Action":"{action}","Resource":"*"}}"#),
    )
}

/// A resource's policy with one statement for one principal.
fn of_resource(kind: PolicyKind, effect: &str, principal: &str) -> Arc<PolicyDocument> {
    let resource = if kind == PolicyKind::Trust {
        ""
    } else {
        r#","Resource":"*""#
    };
    document(
        kind,
        &format!(r#"{{"Effect":"{effect}","Action":"*","Principal":{principal}{resource}}}"#),
    )
}

fn aws(principal: &str) -> String {
    format!(r#"{{"AWS":"{principal}"}}"#)
}

fn session(role: &str, session_policy: Option<&PolicyDocument>) -> RoleSession {
    let now = Timestamp::from_unix_seconds(1_795_312_800);
    let terms = Terms {
        access_key_id: "ASIAEXAMPLEEXAMPLE22".parse().unwrap(),
        issued_at: now,
        expires_at: now.plus_seconds(3600),
        session_policy: session_policy.cloned(),
        chained: false,
    };
    RoleSession::of_role(
        OWN.parse().unwrap(),
        role.parse().unwrap(),
        "me".parse().unwrap(),
        terms,
    )
    .unwrap()
}

fn bootstrap() -> RoleSession {
    let policy = PolicyDocument::parse(PolicyKind::Session, builtin::BOOTSTRAP).unwrap();
    RoleSession::bootstrap(OWN.parse().unwrap(), policy, Timestamp::from_unix_seconds(0)).unwrap()
}

fn decide(principal: &RoleSession, action: &str, resource: &str, policies: &Policies) -> Response {
    let context = Context::new().with("aws:PrincipalAccount", principal.account().as_str());
    evaluate(
        &AccessRequest {
            principal,
            action,
            resource: &resource.parse().unwrap(),
            context: &context,
        },
        policies,
    )
}

fn reason(response: &Response) -> &'static str {
    match response.decision {
        Decision::Allow => "allow",
        Decision::Deny(reason) => denial::code(reason),
    }
}

const BUCKET: &str = "arn:aws:s3:::bucket";
const OWN_KEY: &str = "arn:aws:kms:r:123456789012:key/1";
const FOREIGN_KEY: &str = "arn:aws:kms:r:210987654321:key/1";

#[test]
fn nothing_is_allowed_by_default() {
    for action in action::ALL {
        let decision = reason(&decide(
            &session("Nobody", None),
            action,
            BUCKET,
            &Policies::default(),
        ));
        assert_eq!(
            decision == "allow",
            *action == "sts:GetCallerIdentity",
            "{action}"
        );
    }
}

#[test]
fn an_explicit_deny_wins_in_every_layer() {
    use PolicyKind::{Boundary, Endpoint, Identity, Resource, ResourceControl, ServiceControl, Session};
    let base = Policies {
        identity: vec![allow(Identity, "*")],
        ..Policies::default()
    };
    let anyone = || of_resource(Endpoint, "Deny", r#""*""#);
    for (expected, policies) in [
        (
            "explicit-deny/identity",
            Policies {
                identity: vec![allow(Identity, "*"), deny(Identity, "s3:*")],
                ..base.clone()
            },
        ),
        (
            "explicit-deny/boundary",
            Policies {
                boundary: Some(deny(Boundary, "s3:*")),
                ..base.clone()
            },
        ),
        (
            "explicit-deny/service-control",
            Policies {
                service_control: vec![vec![deny(ServiceControl, "*")]],
                ..base.clone()
            },
        ),
        (
            "explicit-deny/resource-control",
            Policies {
                resource_control: vec![vec![of_resource(ResourceControl, "Deny", r#""*""#)]],
                ..base.clone()
            },
        ),
        (
            "explicit-deny/endpoint",
            Policies {
                endpoint: Some(anyone()),
                ..base.clone()
            },
        ),
        (
            "explicit-deny/resource",
            Policies {
                resource: Some(of_resource(Resource, "Deny", &aws(OWN))),
                ..base.clone()
            },
        ),
    ] {
        let response = decide(&session("R", None), "s3:GetObject", BUCKET, &policies);
        assert_eq!(reason(&response), expected);
        assert!(
            response
                .diagnostics
                .determining
                .iter()
                .all(|statement| statement.effect == crate::policy::Effect::Deny)
        );
        assert!(!response.diagnostics.determining.is_empty());
    }
    let narrowed = session("R", Some(&deny(Session, "s3:*")));
    assert_eq!(
        reason(&decide(&narrowed, "s3:GetObject", BUCKET, &base)),
        "explicit-deny/session"
    );
}

#[test]
fn what_narrows_must_allow_too() {
    use PolicyKind::{Boundary, Endpoint, Identity, ResourceControl, ServiceControl, Session};
    let base = Policies {
        identity: vec![allow(Identity, "*")],
        ..Policies::default()
    };
    let other = |kind| Some(allow(kind, "kms:*"));
    let nobody = of_resource(Endpoint, "Allow", &aws(FOREIGN));
    for (expected, policies) in [
        (
            "not-allowed/boundary",
            Policies {
                boundary: other(Boundary),
                ..base.clone()
            },
        ),
        (
            "not-allowed/endpoint",
            Policies {
                endpoint: Some(nobody),
                ..base.clone()
            },
        ),
        (
            "not-allowed/service-control",
            Policies {
                service_control: vec![vec![]],
                ..base.clone()
            },
        ),
        (
            "not-allowed/service-control",
            Policies {
                service_control: vec![
                    vec![allow(ServiceControl, "*")],
                    vec![allow(ServiceControl, "kms:*")],
                ],
                ..base.clone()
            },
        ),
        (
            "allow",
            Policies {
                service_control: vec![vec![
                    allow(ServiceControl, "kms:*"),
                    allow(ServiceControl, "s3:*"),
                ]],
                resource_control: vec![vec![of_resource(ResourceControl, "Allow", r#""*""#)]],
                ..base.clone()
            },
        ),
        (
            "not-allowed/resource-control",
            Policies {
                resource_control: vec![vec![]],
                ..base.clone()
            },
        ),
    ] {
        assert_eq!(
            reason(&decide(&session("R", None), "s3:GetObject", BUCKET, &policies)),
            expected
        );
    }
    let narrowed = session("R", other(Session).as_deref());
    assert_eq!(
        reason(&decide(&narrowed, "s3:GetObject", BUCKET, &base)),
        "not-allowed/session"
    );
    assert_eq!(
        reason(&decide(&session("R", None), "s3:GetObject", BUCKET, &base)),
        "allow"
    );
}

#[test]
fn a_key_is_used_only_by_whom_its_policy_names() {
    use PolicyKind::{Identity, Key};
    let decision = |resource: &str, principal: Option<&str>, identity: bool| {
        let policies = Policies {
            identity: if identity {
                vec![allow(Identity, "kms:*")]
            } else {
                vec![]
            },
            resource: principal.map(|principal| of_resource(Key, "Allow", &aws(principal))),
            ..Policies::default()
        };
        reason(&decide(&session("R", None), "kms:Decrypt", resource, &policies))
    };
    let role = "arn:aws:iam::123456789012:role/R";
    let this_session = "arn:aws:sts::123456789012:assumed-role/R/me";
    for (resource, principal, identity, expected) in [
        (OWN_KEY, None, true, "not-allowed/resource"),
        (OWN_KEY, Some(OWN), false, "not-allowed/identity"),
        (OWN_KEY, Some(OWN), true, "allow"),
        (OWN_KEY, Some("arn:aws:iam::123456789012:root"), true, "allow"),
        (OWN_KEY, Some(role), false, "allow"),
        (OWN_KEY, Some(this_session), false, "allow"),
        (OWN_KEY, Some("*"), false, "allow"),
        (
            OWN_KEY,
            Some("arn:aws:iam::123456789012:role/S"),
            true,
            "not-allowed/resource",
        ),
        (OWN_KEY, Some(FOREIGN), true, "not-allowed/resource"),
        (FOREIGN_KEY, Some(role), false, "not-allowed/identity"),
        (FOREIGN_KEY, Some(role), true, "allow"),
        (FOREIGN_KEY, Some(OWN), true, "allow"),
        (FOREIGN_KEY, None, true, "not-allowed/resource"),
    ] {
        assert_eq!(
            decision(resource, principal, identity),
            expected,
            "{resource} {principal:?} {identity}"
        );
    }
}

#[test]
fn all_but_named_principals_are_denied() {
    let statement = |principal: &str| {
        document(
            PolicyKind::Resource,
            &format!(
                r#"{{"Effect":"Deny","Action":"*","Resource":"*","NotPrincipal":{}}}"#,
                aws(principal)
            ),
        )
    };
    for (principal, expected) in [
        ("arn:aws:iam::123456789012:role/R", "allow"),
        ("arn:aws:iam::123456789012:role/S", "explicit-deny/resource"),
        (OWN, "explicit-deny/resource"),
    ] {
        let policies = Policies {
            identity: vec![allow(PolicyKind::Identity, "*")],
            resource: Some(statement(principal)),
            ..Policies::default()
        };
        assert_eq!(
            reason(&decide(&session("R", None), "s3:GetObject", BUCKET, &policies)),
            expected,
            "{principal}"
        );
    }
}

#[test]
fn conditions_and_exceptions_count() {
    let identity = |statement: &str| Policies {
        identity: vec![document(PolicyKind::Identity, statement)],
        ..Policies::default()
    };
    for (statement, expected) in [
        (
            r#"{"Effect":"Allow","NotAction":"s3:*","Resource":"*"}"#,
            "not-allowed/identity",
        ),
        (
            r#"{"Effect":"Allow","NotAction":"kms:*","Resource":"*"}"#,
            "allow",
        ),
        (
            r#"{"Effect":"Allow","Action":"S3:getobject","NotResource":"arn:aws:s3:::other"}"#,
            "allow",
        ),
        (
            r#"{"Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:::b*"}"#,
            "not-allowed/identity",
        ),
        (
            r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":"123456789012"}}}"#,
            "allow",
        ),
        (
            r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true}}}"#,
            "not-allowed/identity",
        ),
    ] {
        assert_eq!(
            reason(&decide(
                &session("R", None),
                "s3:GetObject",
                BUCKET,
                &identity(statement)
            )),
            expected,
            "{statement}"
        );
    }
}

#[test]
fn denials_are_worded_as_awss() {
    let say = |action: &str, resource: &str, reason| {
        let (principal, context) = (session("R", None), Context::new());
        let request = AccessRequest {
            principal: &principal,
            action,
            resource: &resource.parse().unwrap(),
            context: &context,
        };
        denial::message(&request, reason)
    };
    let user = "User: arn:aws:sts::123456789012:assumed-role/R/me is not authorized to perform:";
    let role = "arn:aws:iam::123456789012:role/S";
    for (layer, denies, allows) in [
        (
            Layer::Identity,
            "an explicit deny in an identity-based policy",
            "no identity-based policy",
        ),
        (
            Layer::Resource,
            "an explicit deny in a resource-based policy",
            "no resource-based policy",
        ),
        (
            Layer::Boundary,
            "an explicit deny in a permissions boundary",
            "no permissions boundary",
        ),
        (
            Layer::Session,
            "an explicit deny in a session policy",
            "no session policy",
        ),
        (
            Layer::ServiceControl,
            "an explicit deny in a service control policy",
            "no service control policy",
        ),
        (
            Layer::ResourceControl,
            "an explicit deny in a resource control policy",
            "no resource control policy",
        ),
        (
            Layer::Endpoint,
            "an explicit deny in a VPC endpoint policy",
            "no VPC endpoint policy",
        ),
        (
            Layer::Trust,
            "an explicit deny in the role trust policy",
            "no role trust policy",
        ),
    ] {
        let what = format!("{user} sts:AssumeRole on resource: {role}");
        let starts = |said: String, sentence: String| {
            assert!(
                said.starts_with(&format!("{sentence}. ")) && said.ends_with('.'),
                "{said}"
            );
        };
        starts(
            say("sts:AssumeRole", role, Reason::ExplicitDeny(layer)),
            format!("{what} with {denies}"),
        );
        starts(
            say("sts:AssumeRole", role, Reason::NotAllowed(layer)),
            format!("{what} because {allows} allows the sts:AssumeRole action"),
        );
    }
}

#[test]
fn denials_say_what_to_do_next() {
    let next = |reason| {
        let (principal, context) = (session("R", None), Context::new());
        let request = AccessRequest {
            principal: &principal,
            action: "bedrock:InvokeModel",
            resource: &"arn:aws:bedrock:r::foundation-model/m".parse().unwrap(),
            context: &context,
        };
        denial::message(&request, reason)
    };
    for (reason, step) in [
        (
            Reason::NotAllowed(Layer::Identity),
            "An administrator of the account can allow it there.",
        ),
        (
            Reason::ExplicitDeny(Layer::Boundary),
            "An administrator of the account would have to take that deny out.",
        ),
        (
            Reason::NotAllowed(Layer::Session),
            "Take on the role again with a session policy that allows it, or with none.",
        ),
        (
            Reason::NotAllowed(Layer::Trust),
            "An administrator of the account would have to let this principal take on the role, in the role's trust policy.",
        ),
        (
            Reason::ExplicitDeny(Layer::ServiceControl),
            "An administrator of the organisation would have to take that deny out.",
        ),
        (
            Reason::NotAllowed(Layer::Endpoint),
            "Call by another endpoint, or have this one's policy changed.",
        ),
    ] {
        let said = next(reason);
        assert!(said.ends_with(&format!(". {step}")), "{said}");
    }
    assert_eq!(
        next(Reason::ModelAccess),
        "You don't have access to the model with the specified model ID. bedrock:InvokeModel on \
         arn:aws:bedrock:r::foundation-model/m takes the account's agreement to the model, besides a policy. AWS's operation \
         for that, CreateFoundationModelAgreement, is not served yet: the operator grants it by starting moho with \
         --bootstrap-grant m."
    );
}

/// What each role may do on each kind of resource, as `testdata/decisions.txt` says it should be.
#[test]
fn who_may_do_what_is_as_written_down() {
    let mut table = String::from("# action | resource | Admin | Developer | Nobody | bootstrap\n");
    for action in action::ALL {
        let resources = resources_for(action);
        assert!(
            !resources.is_empty(),
            "`{action}` has no row: say in resources_for what it is done on"
        );
        for (name, resource) in resources {
            write!(table, "{action} | {name}").unwrap();
            for role in ["Admin", "Developer", "Nobody", "bootstrap"] {
                let principal = if role == "bootstrap" {
                    bootstrap()
                } else {
                    session(role, None)
                };
                let decision = decide(
                    &principal,
                    action,
                    &resource,
                    &policies_for(role, action, &resource),
                );
                write!(table, " | {}", reason(&decision)).unwrap();
            }
            table.push('\n');
        }
    }
    let expected = include_str!("../../testdata/decisions.txt");
    assert!(
        table == expected,
        "the decisions have changed; they are now:\n{table}"
    );
}

fn resources_for(action: &str) -> Vec<(&'static str, String)> {
    let both = |service: &str, region: &str, resource: &str| {
        let arn = |account: &str| format!("arn:aws:{service}:{region}:{account}:{resource}");
        vec![("own", arn(OWN)), ("foreign", arn(FOREIGN))]
    };
    let model = |name: &str| format!("arn:aws:bedrock:r::foundation-model/{name}");
    match action.split_once(':').unwrap() {
        (service, "CallWithBearerToken") => both(service, "r", "*"),
        ("bedrock-mantle", "GetInference" | "DeleteInference") => {
            both("bedrock-mantle", "r", "response/resp_1")
        }
        ("bedrock-mantle", "ListModels") => both("bedrock-mantle", "r", "project/default"),
        ("bedrock", "ListFoundationModels") => both("bedrock", "r", "*"),
        ("bedrock" | "bedrock-mantle", _) => {
            vec![
                ("agreed model", model("agreed")),
                ("model without agreement", model("other")),
            ]
        }
        ("kms", "CreateKey") => both("kms", "r", "*"),
        ("kms", _) => both("kms", "r", "key/1"),
        ("sts", _) => both("iam", "", "role/Admin"),
        ("iam", _) => both("iam", "", "oidc-provider/idp.example.com"),
        _ => vec![],
    }
}

/// The policies as a new account has them: trust and key policies name the account they are in.
fn policies_for(role: &str, action: &str, resource: &str) -> Policies {
    let identity = |text| {
        vec![Arc::new(
            PolicyDocument::parse(PolicyKind::Identity, text).unwrap(),
        )]
    };
    let owner = if resource.contains(FOREIGN) { FOREIGN } else { OWN };
    let root = aws(&format!("arn:aws:iam::{owner}:root"));
    Policies {
        identity: match role {
            "Admin" => identity(builtin::ADMINISTRATOR),
            "Developer" => identity(builtin::DEVELOPER),
            _ => vec![],
        },
        resource: match action {
            "sts:AssumeRole" => Some(of_resource(PolicyKind::Trust, "Allow", &root)),
            _ if resource.contains(":key/") => Some(of_resource(PolicyKind::Key, "Allow", &root)),
            _ => None,
        },
        model_agreement: match resource.split_once("foundation-model/") {
            Some((_, "agreed")) => ModelAgreement::Accepted,
            Some(_) => ModelAgreement::Missing,
            None => ModelAgreement::NotAModel,
        },
        ..Policies::default()
    }
}

fn any_statement(effect: &'static str, principal: bool) -> impl Strategy<Value = String> {
    let actions = prop_oneof![
        Just("*"),
        Just("s3:*"),
        Just("s3:GetObject"),
        Just("kms:*"),
        Just("kms:Decrypt")
    ];
    let resources = prop_oneof![
        Just("*"),
        Just(BUCKET),
        Just(OWN_KEY),
        Just("arn:aws:kms:*:210987654321:*")
    ];
    let principals = prop_oneof![
        Just("*"),
        Just(OWN),
        Just(FOREIGN),
        Just("arn:aws:iam::123456789012:role/R")
    ];
    (actions, resources, principals, any::<bool>()).prop_map(move |(action, resource, who, but)| {
        let but = if but { "Not" } else { "" };
        let principal = if principal {
            format!(r#","Principal":{}"#, aws(who))
        } else {
            String::new()
        };
        format!(r#"{{"Effect":"{effect}","{but}Action":"{action}","Resource":"{resource}"{principal}}}"#)
    })
}

fn any_document(kind: PolicyKind) -> impl Strategy<Value = Arc<PolicyDocument>> {
    let principal = matches!(
        kind,
        PolicyKind::Key | PolicyKind::Endpoint | PolicyKind::Resource
    );
    let statement =
        prop_oneof![3 => any_statement("Allow", principal), 1 => any_statement("Deny", principal)];
    proptest::collection::vec(statement, 1..4).prop_map(move |list| document(kind, &list.join(",")))
}

fn maybe(kind: PolicyKind) -> impl Strategy<Value = Option<Arc<PolicyDocument>>> {
    proptest::option::of(any_document(kind))
}

fn any_policies() -> impl Strategy<Value = Policies> {
    (
        proptest::collection::vec(any_document(PolicyKind::Identity), 0..3),
        maybe(PolicyKind::Key),
        maybe(PolicyKind::Boundary),
        proptest::collection::vec(
            proptest::collection::vec(any_document(PolicyKind::ServiceControl), 0..2),
            0..2,
        ),
        maybe(PolicyKind::Endpoint),
    )
        .prop_map(
            |(identity, resource, boundary, service_control, endpoint)| Policies {
                identity,
                resource,
                boundary,
                service_control,
                endpoint,
                ..Policies::default()
            },
        )
}

fn any_request() -> impl Strategy<Value = (&'static str, &'static str)> {
    let actions = prop_oneof![
        Just("s3:GetObject"),
        Just("s3:PutObject"),
        Just("kms:Decrypt"),
        Just("kms:Encrypt")
    ];
    (
        actions,
        prop_oneof![Just(BUCKET), Just(OWN_KEY), Just(FOREIGN_KEY)],
    )
}

fn allowed(
    policies: &Policies,
    session_policy: Option<&PolicyDocument>,
    (action, resource): (&str, &str),
) -> bool {
    decide(&session("R", session_policy), action, resource, policies).decision == Decision::Allow
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn adding_a_deny_never_allows_more(
        policies in any_policies(), request in any_request(), statement in any_statement("Deny", false),
    ) {
        let mut denied = policies.clone();
        denied.identity.push(document(PolicyKind::Identity, &statement));
        prop_assert!(allowed(&policies, None, request) || !allowed(&denied, None, request));
        let mut denied = policies.clone();
        for level in &mut denied.service_control {
            level.push(document(PolicyKind::ServiceControl, &statement));
        }
        prop_assert!(allowed(&policies, None, request) || !allowed(&denied, None, request));
    }

    #[test]
    fn a_session_policy_never_widens(
        policies in any_policies(), request in any_request(), narrowing in any_document(PolicyKind::Session),
    ) {
        prop_assert!(allowed(&policies, None, request) || !allowed(&policies, Some(&narrowing), request));
    }

    #[test]
    fn boundary_endpoint_and_guard_policies_never_widen(policies in any_policies(), request in any_request()) {
        let free = Policies { boundary: None, endpoint: None, service_control: vec![], ..policies.clone() };
        prop_assert!(allowed(&free, None, request) || !allowed(&policies, None, request));
    }

    #[test]
    fn taking_grants_away_never_allows_more(policies in any_policies(), request in any_request()) {
        let only_resource = Policies { identity: vec![], ..policies.clone() };
        let none = Policies { resource: None, ..only_resource.clone() };
        prop_assert!(!allowed(&none, None, request), "nothing grants, so nothing is allowed");
        let has_deny = policies.identity.iter().any(|document| document.as_str().contains("Deny"));
        prop_assert!(has_deny || allowed(&policies, None, request) || !allowed(&only_resource, None, request));
    }

    #[test]
    fn a_decision_is_explained(policies in any_policies(), request in any_request()) {
        let response = decide(&session("R", None), request.0, request.1, &policies);
        let effects: Vec<_> = response.diagnostics.determining.iter().map(|statement| statement.effect).collect();
        match response.decision {
            Decision::Allow => prop_assert!(!effects.is_empty() && !effects.contains(&crate::policy::Effect::Deny)),
            Decision::Deny(Reason::ExplicitDeny(_)) => prop_assert!(!effects.is_empty() && !effects.contains(&crate::policy::Effect::Allow)),
            Decision::Deny(_) => prop_assert!(effects.is_empty()),
        }
    }
}
