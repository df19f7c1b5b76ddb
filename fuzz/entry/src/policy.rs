//! Policy documents: what is taken prints as it was written, and no document takes a decision long or by panic.

use std::sync::Arc;

use moho_iam::authz::{AccessRequest, Context, Decision, Policies, evaluate};
use moho_iam::bootstrap::{Attestation, Door, IdentityProvider};
use moho_iam::policy::{PolicyDocument, PolicyKind, builtin};
use moho_terms::{AccountId, Arn, Timestamp};

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

/// The text as a document of every kind.
pub fn policy(data: &[u8]) {
    let text = super::text(data);
    for kind in KINDS {
        match PolicyDocument::parse(kind, &text) {
            Ok(document) => {
                assert_eq!(document.as_str(), text, "a document prints as it was written");
                assert_eq!(document.kind(), kind);
                decides(&Arc::new(document));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
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
        };
        narrows(&request, document);
    }
}

fn names() -> Option<(AccountId, Arn)> {
    let account = "123456789012".parse().ok()?;
    Some((account, "arn:aws:iam::123456789012:role/Admin".parse().ok()?))
}

fn narrows(request: &AccessRequest<'_>, document: &Arc<PolicyDocument>) {
    let Some(open) = everything() else { return };
    let mut with = open.clone();
    match document.kind() {
        PolicyKind::Identity => with.identity = vec![Arc::clone(document)],
        PolicyKind::Boundary | PolicyKind::Session => with.boundary = Some(Arc::clone(document)),
        PolicyKind::ServiceControl => with.service_control = vec![vec![Arc::clone(document)]],
        PolicyKind::ResourceControl => with.resource_control = vec![vec![Arc::clone(document)]],
        PolicyKind::Endpoint => with.endpoint = Some(Arc::clone(document)),
        PolicyKind::Resource | PolicyKind::Trust | PolicyKind::Key => {
            with.resource = Some(Arc::clone(document));
        }
    }
    let (alone, together) = (evaluate(request, &open), evaluate(request, &with));
    assert_eq!(
        evaluate(request, &with),
        together,
        "a decision is a function of its input"
    );
    let narrowing = matches!(
        document.kind(),
        PolicyKind::Boundary
            | PolicyKind::Session
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
    Some(Policies {
        identity: vec![Arc::new(identity)],
        resource: Some(Arc::new(PolicyDocument::parse(PolicyKind::Trust, TRUST).ok()?)),
        ..Policies::default()
    })
}
