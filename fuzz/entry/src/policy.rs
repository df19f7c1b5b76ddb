//! Policy documents: what is taken prints as it was written, and no document takes a decision long or by panic.

use std::sync::Arc;

use moho_iam::authz::{
    AccessRequest, Attached, Context, Decision, EndpointFacts, GuardsOf, Policies, PrincipalPolicies,
    Simulation, evaluate, simulate,
};
use moho_iam::bootstrap::{Attestation, Door, IdentityProvider};
use moho_iam::policy::{PolicyDocument, PolicyKind, builtin, exchange_principals};
use moho_terms::{AccountId, Arn, BucketName, Timestamp};

const KINDS: [PolicyKind; 9] = [
    PolicyKind::Identity,
    PolicyKind::Session,
    PolicyKind::Boundary,
    PolicyKind::ServiceControl,
    PolicyKind::ResourceControl,
    PolicyKind::Resource,
    PolicyKind::Trust,
    PolicyKind::Key,
    PolicyKind::Endpoint,
];

/// The text as a document of every kind, and as a bucket's.
pub fn policy(data: &[u8]) {
    let text = super::text(data);
    let same = exchange_principals(&text, |_, _| None);
    assert_eq!(same, text, "no principal was exchanged");
    of_a_bucket(&text);
    for kind in KINDS {
        match PolicyDocument::parse(kind, &text) {
            Ok(document) => {
                assert_eq!(document.as_str(), text, "a document prints as it was written");
                assert_eq!(document.kind(), kind);
                let document = Arc::new(document);
                simulates(&document);
                decides(&document);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// A bucket's policy is one of a resource, which S3 takes more narrowly. Whoever denies only lets nobody in.
fn of_a_bucket(text: &str) {
    let Ok(bucket) = "fuzz".parse::<BucketName>() else {
        return;
    };
    match PolicyDocument::parse_of_bucket(&bucket, text) {
        Ok(document) => {
            assert_eq!(document.as_str(), text, "a document prints as it was written");
            assert!(PolicyDocument::parse(PolicyKind::Resource, text).is_ok());
            assert!(!document.is_public() || text.contains("Allow"));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A request that is decided with the document and without it: one that can only narrow never widens.
fn decides(document: &Arc<PolicyDocument>) {
    let Some((account, role)) = names() else { return };
    let door = Door::open(Attestation::Development, IdentityProvider::None);
    let caller = door.and_then(|door| door.admit(1, 1, account, Timestamp::from_unix_seconds(super::NOW)));
    let Ok(caller) = caller else { return };
    let mut context = Context::new();
    context.set("aws:SourceIp", vec!["192.0.2.1".to_owned()]);
    context.set("aws:TagKeys", vec!["a".to_owned(), "b".to_owned()]);
    for action in ["sts:AssumeRole", "kms:Decrypt", "bedrock:InvokeModel"] {
        let request = AccessRequest {
            principal: caller.session(),
            action,
            resource: &role,
            context: &context,
            endpoint: None,
        };
        narrows(&request, document);
    }
}

/// Whatever the document says, a simulation with it ends, and points into its text.
fn simulates(document: &Arc<PolicyDocument>) {
    let identity = [Attached::new("fuzz", Arc::clone(document))];
    let context = Context::new();
    let simulation = Simulation {
        identity: &identity,
        boundary: None,
        service_control: &[],
        guards_of: GuardsOf::Request,
        asks: None,
        resource_owner: None,
        context: &context,
    };
    let lines = u32::try_from(document.as_str().lines().count()).unwrap_or(u32::MAX);
    for matched in simulate(&simulation, "bedrock:InvokeModel", "*").matched {
        assert!(matched.start < matched.end && matched.end.line <= lines.max(1));
    }
    for key in document.context_keys() {
        assert!(!key.is_empty() && document.as_str().contains(key.as_str()));
    }
}

fn names() -> Option<(AccountId, Arn)> {
    let account = "123456789012".parse().ok()?;
    Some((account, "arn:aws:iam::123456789012:role/Admin".parse().ok()?))
}

fn narrows(request: &AccessRequest<'_>, document: &Arc<PolicyDocument>) {
    let Some((open, owner)) = everything().zip(names().map(|(account, _)| account)) else {
        return;
    };
    let attached = || Attached::new("fuzz", Arc::clone(document));
    let mut principal = PrincipalPolicies::clone(&open.principal);
    let mut with = open.clone();
    let mut endpoint = None;
    match document.kind() {
        PolicyKind::Identity | PolicyKind::Inline => principal.identity = vec![attached()],
        PolicyKind::Boundary => principal.boundary = Some(attached()),
        PolicyKind::Session => principal.session_managed = vec![attached()],
        PolicyKind::ServiceControl => principal.service_control = vec![vec![attached()]],
        PolicyKind::ResourceControl => with.resource_control = Arc::new(vec![vec![attached()]]),
        PolicyKind::Endpoint => {
            endpoint = Some(EndpointFacts {
                id: "vpce-1".to_owned(),
                vpc: "vpc-1".to_owned(),
                account: owner,
                policy: attached(),
            });
        }
        PolicyKind::Resource | PolicyKind::Trust | PolicyKind::Key => with.resource = Some(attached()),
    }
    with.principal = Arc::new(principal);
    let narrowed = AccessRequest {
        endpoint: endpoint.as_ref(),
        ..*request
    };
    let (alone, together) = (evaluate(request, &open), evaluate(&narrowed, &with));
    assert_eq!(
        evaluate(&narrowed, &with),
        together,
        "a decision is a function of its input"
    );
    // Managed session policies narrow together with the inline one, which whoever came through the door has already.
    let narrowing = matches!(
        document.kind(),
        PolicyKind::Boundary
            | PolicyKind::ServiceControl
            | PolicyKind::ResourceControl
            | PolicyKind::Endpoint
    );
    if narrowing && alone.decision != Decision::Allow {
        assert!(
            together.decision != Decision::Allow,
            "what can only narrow never widens"
        );
    }
}

/// Policies that allow what the caller's own session leaves it.
fn everything() -> Option<Policies> {
    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}"#;
    let identity = PolicyDocument::parse(PolicyKind::Identity, builtin::ADMINISTRATOR).ok()?;
    let trust = PolicyDocument::parse(PolicyKind::Trust, TRUST).ok()?;
    let principal = PrincipalPolicies {
        identity: vec![Attached::new("administrator", Arc::new(identity))],
        ..PrincipalPolicies::default()
    };
    Some(Policies {
        principal: Arc::new(principal),
        resource: Some(Attached::new("trust", Arc::new(trust))),
        ..Policies::default()
    })
}
