//! The evaluator's laws, rule by rule, by random policies, and as a table of who may do what.
#![expect(clippy::too_many_lines, reason = "tables of cases")]

mod denials;
mod properties;
mod table;

use std::fmt::Write;

use moho_terms::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::action;
use crate::policy::{PolicyDocument, PolicyKind, builtin};
use crate::session::{Narrowing, RoleRef, RoleSession, Terms};
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
    let key = "ASIAEXAMPLEEXAMPLE22".parse().unwrap();
    let terms = Terms {
        narrowing: Narrowing::new(session_policy.cloned(), vec![]).unwrap(),
        ..Terms::new(Some(key), now, Some(now.plus_seconds(3600)))
    };
    let role = RoleRef {
        path: "/".to_owned(),
        name: role.parse().unwrap(),
        id: format!("AROA{role:A<17}"),
    };
    RoleSession::of_role(OWN.parse().unwrap(), role, "me".parse().unwrap(), terms).unwrap()
}

fn bootstrap() -> RoleSession {
    let policy = PolicyDocument::parse(PolicyKind::Session, builtin::BOOTSTRAP).unwrap();
    RoleSession::bootstrap(OWN.parse().unwrap(), policy, Timestamp::from_unix_seconds(0)).unwrap()
}

/// A principal that exists, with these policies of its own.
fn holder(identity: Vec<Arc<PolicyDocument>>) -> PrincipalPolicies {
    PrincipalPolicies {
        identity: identity.into_iter().map(attached).collect(),
        facts: PrincipalFacts {
            exists: true,
            ..PrincipalFacts::default()
        },
        ..PrincipalPolicies::default()
    }
}

fn attached(document: Arc<PolicyDocument>) -> Attached {
    Attached::new("test", document)
}

fn levels(levels: Vec<Vec<Arc<PolicyDocument>>>) -> Vec<Vec<Attached>> {
    let attach = |level: Vec<_>| level.into_iter().map(attached).collect();
    levels.into_iter().map(attach).collect()
}

/// Every layer of a test.
#[derive(Clone, Debug, Default)]
struct Given {
    identity: Vec<Arc<PolicyDocument>>,
    resource: Option<Arc<PolicyDocument>>,
    boundary: Option<Arc<PolicyDocument>>,
    service_control: Vec<Vec<Arc<PolicyDocument>>>,
    resource_control: Vec<Vec<Arc<PolicyDocument>>>,
    endpoint: Option<Arc<PolicyDocument>>,
    model_agreement: ModelAgreement,
}

impl Given {
    fn policies(&self) -> Policies {
        Policies {
            principal: Arc::new(PrincipalPolicies {
                boundary: self.boundary.clone().map(attached),
                service_control: levels(self.service_control.clone()),
                ..holder(self.identity.clone())
            }),
            resource: self.resource.clone().map(attached),
            resource_control: Arc::new(levels(self.resource_control.clone())),
            resource_facts: Arc::default(),
            model_agreement: self.model_agreement,
        }
    }

    fn endpoint(&self) -> Option<EndpointFacts> {
        Some(EndpointFacts {
            id: "vpce-1".to_owned(),
            vpc: "vpc-1".to_owned(),
            account: OWN.parse().unwrap(),
            policy: attached(self.endpoint.clone()?),
        })
    }
}

fn decide(principal: &RoleSession, action: &str, resource: &str, given: &Given) -> Response {
    let context = Context::new().with("aws:PrincipalAccount", principal.account().as_str());
    evaluate(
        &AccessRequest {
            principal,
            action,
            resource: &resource.parse().unwrap(),
            context: &context,
            endpoint: given.endpoint().as_ref(),
        },
        &given.policies(),
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
            &Given::default(),
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
    let base = Given {
        identity: vec![allow(Identity, "*")],
        ..Given::default()
    };
    let anyone = || of_resource(Endpoint, "Deny", r#""*""#);
    for (expected, policies) in [
        (
            "explicit-deny/identity",
            Given {
                identity: vec![allow(Identity, "*"), deny(Identity, "s3:*")],
                ..base.clone()
            },
        ),
        (
            "explicit-deny/boundary",
            Given {
                boundary: Some(deny(Boundary, "s3:*")),
                ..base.clone()
            },
        ),
        (
            "explicit-deny/service-control",
            Given {
                service_control: vec![vec![deny(ServiceControl, "*")]],
                ..base.clone()
            },
        ),
        (
            "explicit-deny/resource-control",
            Given {
                resource_control: vec![vec![of_resource(ResourceControl, "Deny", r#""*""#)]],
                ..base.clone()
            },
        ),
        (
            "explicit-deny/endpoint",
            Given {
                endpoint: Some(anyone()),
                ..base.clone()
            },
        ),
        (
            "explicit-deny/resource",
            Given {
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
    let base = Given {
        identity: vec![allow(Identity, "*")],
        ..Given::default()
    };
    let other = |kind| Some(allow(kind, "kms:*"));
    let nobody = of_resource(Endpoint, "Allow", &aws(FOREIGN));
    for (expected, policies) in [
        (
            "not-allowed/boundary",
            Given {
                boundary: other(Boundary),
                ..base.clone()
            },
        ),
        (
            "not-allowed/endpoint",
            Given {
                endpoint: Some(nobody),
                ..base.clone()
            },
        ),
        (
            "not-allowed/service-control",
            Given {
                service_control: vec![vec![]],
                ..base.clone()
            },
        ),
        (
            "not-allowed/service-control",
            Given {
                service_control: vec![
                    vec![allow(ServiceControl, "*")],
                    vec![allow(ServiceControl, "kms:*")],
                ],
                ..base.clone()
            },
        ),
        (
            "allow",
            Given {
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
            Given {
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
        let policies = Given {
            identity: if identity {
                vec![allow(Identity, "kms:*")]
            } else {
                vec![]
            },
            resource: principal.map(|principal| of_resource(Key, "Allow", &aws(principal))),
            ..Given::default()
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
        let policies = Given {
            identity: vec![allow(PolicyKind::Identity, "*")],
            resource: Some(statement(principal)),
            ..Given::default()
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
    let identity = |statement: &str| Given {
        identity: vec![document(PolicyKind::Identity, statement)],
        ..Given::default()
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
