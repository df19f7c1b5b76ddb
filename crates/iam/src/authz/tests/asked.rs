//! Only what some policy asks about is looked up for a key's use, and all of that is.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::keys::{asks_with, request};
use super::*;
use crate::action::kms;
use crate::authn::Authenticated;
use crate::session::Session;

/// In which kind of policy a condition stands.
#[derive(Debug, Clone, Copy)]
enum At {
    Identity,
    Boundary,
    ServiceControl,
    ResourceControl,
    Endpoint,
    Key,
    Session,
    SessionManaged,
}

const EVERYWHERE: [At; 8] = [
    At::Identity,
    At::Boundary,
    At::ServiceControl,
    At::ResourceControl,
    At::Endpoint,
    At::Key,
    At::Session,
    At::SessionManaged,
];

/// What every request below has.
const TOLD: &[(&str, &str)] = &[
    ("aws:PrincipalAccount", OWN),
    ("aws:PrincipalArn", "arn:aws:iam::123456789012:role/R"),
    ("aws:PrincipalType", "AssumedRole"),
    ("aws:PrincipalTag/Team", "rocks"),
    ("aws:PrincipalOrgID", "o-example1234"),
    ("aws:PrincipalOrgPaths", "o-example1234/r-ab12/ou-ab12-11111111/"),
    ("aws:PrincipalIsAWSService", "false"),
    ("aws:ViaAWSService", "true"),
    ("aws:userid", "AROARAAAAAAAAAAAAAAAA:me"),
    ("aws:TokenIssueTime", "2026-11-22T02:00:00Z"),
    ("aws:MultiFactorAuthPresent", "false"),
    ("aws:CurrentTime", "2026-11-22T02:00:00Z"),
    ("aws:EpochTime", "1795312800"),
    ("aws:VpcSourceIp", "192.0.2.7"),
    ("aws:SourceVpce", "vpce-1"),
    ("aws:SourceVpc", "vpc-1"),
    ("aws:VpceAccount", OWN),
    ("aws:SecureTransport", "true"),
    ("aws:UserAgent", "aws-cli/2"),
    ("aws:RequestedRegion", "r"),
    ("aws:ResourceAccount", OWN),
    ("aws:ResourceTag/Level", "deep"),
    ("aws:ResourceOrgID", "o-example1234"),
    ("aws:ResourceOrgPaths", "o-example1234/r-ab12/ou-ab12-11111111/"),
    ("kms:CallerAccount", OWN),
    ("kms:KeySpec", "SYMMETRIC_DEFAULT"),
    ("kms:ViaService", "bedrock.r.amazonaws.com"),
    ("kms:EncryptionContext:tenant", "one"),
    ("kms:EncryptionContextKeys", "Tenant"),
];

/// A policy for that place which denies some uses of keys, and allows everything else.
fn denying(at: At, further: &str) -> Arc<PolicyDocument> {
    let (kind, principal) = match at {
        At::Identity | At::SessionManaged => (PolicyKind::Identity, ""),
        At::Boundary => (PolicyKind::Boundary, ""),
        At::ServiceControl => (PolicyKind::ServiceControl, ""),
        At::Session => (PolicyKind::Session, ""),
        At::ResourceControl => (PolicyKind::ResourceControl, r#","Principal":"*""#),
        At::Endpoint => (PolicyKind::Endpoint, r#","Principal":"*""#),
        At::Key => (PolicyKind::Key, r#","Principal":"*""#),
    };
    let all = format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*"{principal}}}"#);
    let one = format!(r#"{{"Effect":"Deny","Action":"kms:*"{principal},{further}}}"#);
    document(kind, &format!("{all},{one}"))
}

/// The context of decrypting something; `None` if that is denied with this policy among others.
fn decrypting(at: At, policy: Arc<PolicyDocument>) -> Option<Context> {
    let (caller, given) = with(at, policy);
    permitted(caller, &given)
}

/// Who may do everything but for this policy.
fn with(at: At, policy: Arc<PolicyDocument>) -> (Session, Given) {
    let mut given = Given {
        managed_by: Some(FOREIGN),
        identity: vec![allow(PolicyKind::Identity, "*")],
        resource: Some(of_resource(PolicyKind::Key, "Allow", r#""*""#)),
        endpoint: Some(of_resource(PolicyKind::Endpoint, "Allow", r#""*""#)),
        ..Given::default()
    };
    let mut inline = None;
    match at {
        At::Identity => given.identity.push(policy),
        At::Boundary => given.boundary = Some(policy),
        At::ServiceControl => given.service_control = vec![vec![policy]],
        At::ResourceControl => given.resource_control = vec![vec![policy]],
        At::Endpoint => given.endpoint = Some(policy),
        At::Key => given.resource = Some(policy),
        At::Session => inline = Some(policy),
        At::SessionManaged => given.session_managed.push(policy),
    }
    (session("R", inline.as_deref()), given)
}

fn permitted(caller: Session, given: &Given) -> Option<Context> {
    let pairs = [("Tenant".to_owned(), "one".to_owned())].into();
    let asked = Context::new()
        .with_encryption_context(Arc::new(pairs))
        .with("kms:ViaService", "bedrock.r.amazonaws.com");
    let permit = decided_with(caller, given, &asked);
    permit.ok().map(|permit| permit.context().clone())
}

fn decided_with(caller: Session, given: &Given, asked: &Context) -> Result<Permit<kms::Decrypt>, Refusal> {
    let mut policies = given.policies_of_tagged();
    let of_key = Context::new().with("kms:KeySpec", "SYMMETRIC_DEFAULT");
    policies.resource_conditions = Some(Arc::new(of_key));
    let request = RequestFacts {
        endpoint: given.endpoint().map(Arc::new),
        ..request()
    };
    let caller = Authenticated::through_the_door(caller);
    let (permit, _) = asks_with::<kms::Decrypt>(policies, &caller, &request, (OWN_KEY, asked));
    permit
}

#[test]
fn what_costs_something_is_found_out_once_and_only_if_any_policy_asks() {
    let tag = |value: &str| {
        format!(r#""Resource":"*","Condition":{{"StringEquals":{{"S3:existingObjectTag/Class":"{value}"}}}}"#)
    };
    let cases = [
        (tag("secret"), 1, true),
        (tag("open"), 1, false),
        (
            r#""Resource":"*","Condition":{"StringEquals":{"aws:PrincipalType":"${s3:ExistingObjectTag/Class}"}}"#
                .to_owned(),
            1,
            false,
        ),
        (
            r#""Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTagged":"secret"}}"#.to_owned(),
            0,
            false,
        ),
    ];
    for at in EVERYWHERE {
        for (further, times, denied) in &cases {
            let counted = Arc::new(AtomicUsize::new(0));
            let counting = Arc::clone(&counted);
            let asked = Context::new().with_if_asked("s3:ExistingObjectTag/", move || {
                counting.fetch_add(1, Ordering::Relaxed);
                Ok(vec![("class".to_owned(), "secret".to_owned())])
            });
            for _again in 0..2 {
                let (caller, given) = with(at, denying(at, further));
                let refused = decided_with(caller, &given, &asked.clone()).is_err();
                assert_eq!(refused, *denied, "{further} in {at:?}");
            }
            assert_eq!(counted.load(Ordering::Relaxed), *times, "{further} in {at:?}");
            let failing = Context::new().with_if_asked("s3:ExistingObjectTag/", || {
                Err(PolicyUnavailable::new("the disk is gone"))
            });
            let (caller, given) = with(at, denying(at, further));
            let failed = decided_with(caller, &given, &failing);
            let fails = matches!(failed, Err(Refusal::PolicyUnavailable(_)));
            assert_eq!(fails, *times > 0, "{further} in {at:?}");
        }
    }
}

#[test]
fn every_key_that_a_policy_of_any_kind_asks_about_counts() {
    for at in EVERYWHERE {
        for (key, value) in TOLD {
            let when = |value: &str| {
                let condition =
                    format!(r#""Resource":"*","Condition":{{"StringEquals":{{"{key}":"{value}"}}}}"#);
                decrypting(at, denying(at, &condition))
            };
            assert!(when(value).is_none(), "{key} in {at:?}");
            assert!(when("another").is_some(), "{key} in {at:?}");
        }
    }
}

#[test]
fn every_key_that_a_variable_asks_about_counts() {
    for at in EVERYWHERE {
        for further in [
            r#""Resource":"arn:aws:kms:*:${aws:PrincipalAccount}:key/*""#,
            r#""Resource":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":"${KMS:callerAccount}"}}"#,
            r#""Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::${aws:VpceAccount}:role/*"}}"#,
        ] {
            assert!(
                decrypting(at, denying(at, further)).is_none(),
                "{further} in {at:?}"
            );
        }
    }
}

#[test]
fn what_nobody_asks_about_is_not_told_of_a_keys_use_and_cannot_be_made_up() {
    let given = Given {
        identity: vec![allow(PolicyKind::Identity, "*")],
        resource: Some(of_resource(PolicyKind::Key, "Allow", r#""*""#)),
        ..Given::default()
    };
    let context = permitted(session("R", None), &given).unwrap();
    for key in [
        "aws:PrincipalArn",
        "aws:CurrentTime",
        "aws:PrincipalTag/Team",
        "kms:CallerAccount",
    ] {
        assert_eq!(context.get(key), None, "{key}");
    }
    assert_eq!(context.get("kms:KeySpec").unwrap(), ["SYMMETRIC_DEFAULT"]);
    assert_eq!(context.get("kms:EncryptionContext:TENANT").unwrap(), ["one"]);

    let made_up = Context::new().with("aws:PrincipalArn", "arn:aws:iam::123456789012:role/S");
    let caller = Authenticated::through_the_door(session("R", None));
    let (permit, _) = asks_with::<kms::Decrypt>(given.policies(), &caller, &request(), (OWN_KEY, &made_up));
    assert_eq!(permit.unwrap().context().get("aws:PrincipalArn"), None);
}

#[test]
fn who_is_denied_a_keys_use_is_told_all_of_the_request() {
    let caller = Authenticated::through_the_door(session("R", None));
    let given = Given::default();
    let (refused, _) =
        asks_with::<kms::Decrypt>(given.policies(), &caller, &request(), (OWN_KEY, &Context::new()));
    let Err(Refusal::AccessDenied { detail, .. }) = refused else {
        panic!("allowed")
    };
    let told = |name: &str| {
        detail
            .context
            .conditions
            .items
            .iter()
            .any(|item| item.key.eq_ignore_ascii_case(name))
    };
    assert!(told("aws:PrincipalArn") && told("aws:SourceIp") && told("kms:CallerAccount"));
}
