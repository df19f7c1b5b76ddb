//! The evaluator's laws, rule by rule, by random policies, and as a table of who may do what.
#![expect(clippy::too_many_lines, reason = "tables of cases")]

mod access;
mod asked;
mod combining;
mod denials;
mod given;
mod grants;
mod hidden;
mod keys;
mod measured;
mod principals;
mod properties;
mod reference;
mod simulations;
mod table;

use std::fmt::Write;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::action;
use crate::policy::{PolicyDocument, PolicyKind, builtin};
use crate::session::Session;
use given::*;

const BUCKET: &str = "arn:aws:s3:::bucket";
const OWN_KEY: &str = "arn:aws:kms:r:123456789012:key/1";
const FOREIGN_KEY: &str = "arn:aws:kms:r:210987654321:key/1";

#[test]
fn nothing_is_allowed_by_default() {
    for action in action::ALL {
        let decision = reason(&decided(
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
        let response = decided(&session("R", None), "s3:GetObject", BUCKET, &policies);
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
        reason(&decided(&narrowed, "s3:GetObject", BUCKET, &base)),
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
            reason(&decided(&session("R", None), "s3:GetObject", BUCKET, &policies)),
            expected
        );
    }
    let narrowed = session("R", other(Session).as_deref());
    assert_eq!(
        reason(&decided(&narrowed, "s3:GetObject", BUCKET, &base)),
        "not-allowed/session"
    );
    assert_eq!(
        reason(&decided(&session("R", None), "s3:GetObject", BUCKET, &base)),
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
        reason(&decided(&session("R", None), "kms:Decrypt", resource, &policies))
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
            reason(&decided(
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
