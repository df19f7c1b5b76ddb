//! What holds for any policies and any request.

use super::*;

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

fn any_policies() -> impl Strategy<Value = Given> {
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
            |(identity, resource, boundary, service_control, endpoint)| Given {
                identity,
                resource,
                boundary,
                service_control,
                endpoint,
                ..Given::default()
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
    policies: &Given,
    session_policy: Option<&PolicyDocument>,
    (action, resource): (&str, &str),
) -> bool {
    decided(&session("R", session_policy), action, resource, policies).decision == Decision::Allow
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
        let free = Given { boundary: None, endpoint: None, service_control: vec![], ..policies.clone() };
        prop_assert!(allowed(&free, None, request) || !allowed(&policies, None, request));
    }

    #[test]
    fn taking_grants_away_never_allows_more(policies in any_policies(), request in any_request()) {
        let only_resource = Given { identity: vec![], ..policies.clone() };
        let none = Given { resource: None, ..only_resource.clone() };
        prop_assert!(!allowed(&none, None, request), "nothing grants, so nothing is allowed");
        let has_deny = policies.identity.iter().any(|document| document.as_str().contains("Deny"));
        prop_assert!(has_deny || allowed(&policies, None, request) || !allowed(&only_resource, None, request));
    }

    #[test]
    fn a_decision_is_explained(policies in any_policies(), request in any_request()) {
        let response = decided(&session("R", None), request.0, request.1, &policies);
        let effects: Vec<_> = response.diagnostics.determining.iter().map(|statement| statement.effect).collect();
        match response.decision {
            Decision::Allow => prop_assert!(!effects.is_empty() && !effects.contains(&crate::policy::Effect::Deny)),
            Decision::Deny(Reason::ExplicitDeny(_)) => prop_assert!(!effects.is_empty() && !effects.contains(&crate::policy::Effect::Allow)),
            Decision::Deny(_) => prop_assert!(effects.is_empty()),
        }
    }
}
