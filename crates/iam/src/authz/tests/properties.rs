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

fn any_levels(kind: PolicyKind) -> impl Strategy<Value = Vec<Vec<Arc<PolicyDocument>>>> {
    proptest::collection::vec(proptest::collection::vec(any_document(kind), 0..2), 0..2)
}

/// Grants of some operations on one of the keys to somebody.
fn any_grant() -> impl Strategy<Value = Grant> {
    let grantees = prop_oneof![
        Just("arn:aws:iam::123456789012:root"),
        Just("arn:aws:iam::123456789012:role/R"),
        Just("arn:aws:sts::123456789012:assumed-role/R/me"),
        Just("arn:aws:iam::123456789012:role/S"),
    ];
    let operations =
        proptest::sample::subsequence(vec![GrantOperation::Decrypt, GrantOperation::Encrypt], 0..=2);
    (
        prop_oneof![Just(OWN_KEY), Just(FOREIGN_KEY)],
        grantees,
        operations,
    )
        .prop_map(|(key, grantee, operations)| Grant {
            operations: operations.into_iter().collect(),
            ..grant(key, grantee)
        })
}

fn any_policies() -> impl Strategy<Value = Given> {
    let everybody = || Just(of_resource(PolicyKind::ResourceControl, "Allow", r#""*""#));
    (
        proptest::collection::vec(any_document(PolicyKind::Identity), 0..3),
        maybe(PolicyKind::Key),
        maybe(PolicyKind::Boundary),
        any_levels(PolicyKind::ServiceControl),
        proptest::collection::vec(proptest::collection::vec(everybody(), 0..2), 0..2),
        maybe(PolicyKind::Endpoint),
        proptest::collection::vec(any_document(PolicyKind::Identity), 0..2),
        proptest::collection::vec(any_grant(), 0..2),
    )
        .prop_map(
            |(
                identity,
                resource,
                boundary,
                service_control,
                resource_control,
                endpoint,
                session_managed,
                grants,
            )| {
                Given {
                    grants,
                    identity,
                    resource,
                    boundary,
                    service_control,
                    resource_control,
                    endpoint,
                    session_managed,
                    ..Given::default()
                }
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
        with_principal in any_statement("Deny", true),
    ) {
        let deny = |kind| document(kind, &statement);
        let to_somebody = |kind| document(kind, &with_principal);
        let mut denied = vec![policies.clone(); 7];
        denied[0].identity.push(deny(PolicyKind::Identity));
        for level in &mut denied[1].service_control {
            level.push(deny(PolicyKind::ServiceControl));
        }
        for level in &mut denied[2].resource_control {
            level.push(of_resource(PolicyKind::ResourceControl, "Deny", r#""*""#));
        }
        let both = |document: &Option<Arc<PolicyDocument>>, other: Arc<PolicyDocument>| {
            Some(document.as_ref().map_or_else(|| Arc::clone(&other), |document| Arc::new(document.followed_by(&other))))
        };
        denied[3].boundary = both(&policies.boundary, deny(PolicyKind::Boundary));
        denied[4].resource = both(&policies.resource, to_somebody(PolicyKind::Key));
        denied[5].endpoint = both(&policies.endpoint, to_somebody(PolicyKind::Endpoint));
        denied[6].session_managed.push(deny(PolicyKind::Identity));
        for denied in denied {
            prop_assert!(allowed(&policies, None, request) || !allowed(&denied, None, request));
        }
    }

    /// Without one of its statements that allow, no policy allows more. Policies that narrow keep at least one statement,
    /// as none at all would not be that policy.
    #[test]
    fn taking_an_allow_away_never_allows_more(
        statements in proptest::collection::vec(any_statement("Allow", true), 2..5),
        which in any::<proptest::sample::Index>(), policies in any_policies(), request in any_request(),
    ) {
        let mut fewer = statements.clone();
        fewer.remove(which.index(fewer.len()));
        let without = |list: &[String]| -> Vec<String> {
            list.iter().map(|text| {
                let (before, _) = text.split_once(r#","Principal""#).unwrap();
                format!("{before}}}")
            }).collect()
        };
        let given = |layer: usize, list: &[String]| {
            let (named, plain) = (list.join(","), without(list).join(","));
            let mut given = policies.clone();
            match layer {
                0 => given.identity = vec![document(PolicyKind::Identity, &plain)],
                1 => given.resource = Some(document(PolicyKind::Key, &named)),
                2 => given.boundary = Some(document(PolicyKind::Boundary, &plain)),
                3 => given.service_control = vec![vec![document(PolicyKind::ServiceControl, &plain)]],
                4 => given.endpoint = Some(document(PolicyKind::Endpoint, &named)),
                _ => given.session_managed = vec![document(PolicyKind::Identity, &plain)],
            }
            allowed(&given, None, request)
        };
        for layer in 0..6 {
            prop_assert!(given(layer, &statements) || !given(layer, &fewer), "layer {}", layer);
        }
    }

    #[test]
    fn a_session_policy_never_widens(
        policies in any_policies(), request in any_request(), narrowing in any_document(PolicyKind::Session),
    ) {
        // Session policies count together, so one widens what others of the same session leave.
        let free = Given { session_managed: vec![], ..policies.clone() };
        prop_assert!(allowed(&free, None, request) || !allowed(&free, Some(&narrowing), request));
        prop_assert!(allowed(&free, None, request) || !allowed(&policies, Some(&narrowing), request));
    }

    #[test]
    fn boundary_endpoint_and_guard_policies_never_widen(policies in any_policies(), request in any_request()) {
        for free in [
            Given { boundary: None, ..policies.clone() },
            Given { endpoint: None, ..policies.clone() },
            Given { service_control: vec![], ..policies.clone() },
            Given { resource_control: vec![], ..policies.clone() },
            Given { session_managed: vec![], ..policies.clone() },
        ] {
            prop_assert!(allowed(&free, None, request) || !allowed(&policies, None, request));
        }
    }

    #[test]
    fn taking_grants_away_never_allows_more(policies in any_policies(), request in any_request()) {
        let only_resource = Given { identity: vec![], ..policies.clone() };
        let none = Given { resource: None, grants: vec![], ..only_resource.clone() };
        prop_assert!(!allowed(&none, None, request), "nothing grants, so nothing is allowed");
        let has_deny = policies.identity.iter().any(|document| document.as_str().contains("Deny"));
        prop_assert!(has_deny || allowed(&policies, None, request) || !allowed(&only_resource, None, request));
    }

    #[test]
    fn a_grant_allows_what_its_principal_may_then_do_and_nothing_else(
        policies in any_policies(), request in any_request(), grant in any_grant(),
    ) {
        let mut granted = policies.clone();
        granted.grants.push(grant.clone());
        let (before, after) = (allowed(&policies, None, request), allowed(&granted, None, request));
        prop_assert!(after || !before, "a grant takes nothing away");
        let of_this = grant.key.as_str() == request.1
            && GrantOperation::of_action(request.0).is_some_and(|operation| grant.operations.contains(&operation));
        let to_caller = !grant.grantee.as_str().ends_with("role/S");
        prop_assert!(before || !after || (of_this && to_caller), "{grant:?} is not about {request:?}");
        let denied = |given: &Given| {
            let response = decided(&session("R", None), request.0, request.1, given);
            matches!(response.decision, Decision::Deny(Reason::ExplicitDeny(_)))
        };
        prop_assert_eq!(denied(&policies), denied(&granted), "a deny stays one");
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
