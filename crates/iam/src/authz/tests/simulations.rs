//! What would be decided is what is decided, and simulations point at the statements.

use super::*;

const TEXT: &str = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::b/${aws:username}/*\"},\n    {\"Effect\":\"Deny\",\"Action\":\"s3:Put*\",\"Resource\":\"*\",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"false\"}}}\n  ]\n}";

fn policy(kind: PolicyKind, text: &str) -> Attached {
    Attached::new(
        "arn:aws:iam::123456789012:policy/p",
        Arc::new(PolicyDocument::parse(kind, text).unwrap()),
    )
}

fn simulation<'a>(identity: &'a [Attached], context: &'a Context) -> Simulation<'a> {
    Simulation {
        identity,
        boundary: None,
        service_control: &[],
        guards_of: GuardsOf::Organisation,
        asks: None,
        resource_owner: None,
        context,
    }
}

#[test]
fn decisions_point_at_their_statements() {
    let identity = [policy(PolicyKind::Identity, TEXT)];
    let context = Context::new()
        .with("aws:username", "ann")
        .with("aws:SecureTransport", "false");
    let tried = simulation(&identity, &context);
    let allowed = simulate(&tried, "s3:GetObject", "arn:aws:s3:::b/ann/x");
    assert_eq!(allowed.decision.as_str(), "allowed");
    let place = |line, column| TextPosition { line, column };
    let expected = MatchedStatement {
        source: PolicySourceId::new("arn:aws:iam::123456789012:policy/p"),
        start: place(4, 5),
        end: place(4, 85),
    };
    assert_eq!(allowed.matched, [expected]);
    assert!(allowed.missing_context.is_empty());
    assert_eq!(
        (allowed.allowed_by_organisation, allowed.allowed_by_boundary),
        (None, None)
    );
    let denied = simulate(&tried, "s3:PutObject", "arn:aws:s3:::b/ann/x");
    assert_eq!(denied.decision.as_str(), "explicitDeny");
    assert_eq!(denied.matched[0].start, place(5, 5));
    let other = simulate(&tried, "s3:GetObject", "arn:aws:s3:::b/bob/x");
    assert_eq!(
        (other.decision.as_str(), other.matched.len()),
        ("implicitDeny", 0)
    );
    assert_eq!(
        simulate(&tried, "s3:GetObject", "*").decision,
        SimulatedDecision::ImplicitDeny
    );
}

#[test]
fn what_nobody_gave_is_told() {
    let identity = [policy(PolicyKind::Identity, TEXT)];
    let context = Context::new().with("AWS:username", "ann");
    let tried = simulate(&simulation(&identity, &context), "s3:GetObject", "*");
    assert_eq!(tried.missing_context, ["aws:SecureTransport"]);
    let keys = crate::policy::context_keys(&identity[0].document);
    assert_eq!(keys, ["aws:SecureTransport", "aws:username"]);
}

#[test]
fn guards_are_told_apart() {
    let identity = [policy(
        PolicyKind::Identity,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
    )];
    let context = Context::new();
    let boundary = attached(allow(PolicyKind::Boundary, "kms:*"));
    let guards = levels(vec![
        vec![allow(PolicyKind::ServiceControl, "*")],
        vec![
            allow(PolicyKind::ServiceControl, "*"),
            deny(PolicyKind::ServiceControl, "ec2:*"),
        ],
    ]);
    let tried = Simulation {
        boundary: Some(&boundary),
        service_control: &guards,
        ..simulation(&identity, &context)
    };
    for (action, decision, organisation, boundary) in [
        ("kms:Decrypt", "allowed", true, true),
        ("s3:GetObject", "implicitDeny", true, false),
        ("ec2:RunInstances", "explicitDeny", false, false),
    ] {
        let found = simulate(&tried, action, "*");
        assert_eq!(found.decision.as_str(), decision, "{action}");
        assert_eq!(found.allowed_by_organisation, Some(organisation), "{action}");
        assert_eq!(found.allowed_by_boundary, Some(boundary), "{action}");
    }
}

#[test]
fn a_resources_policy_counts_for_its_caller() {
    let context = Context::new();
    let principal = r#"{"AWS":"arn:aws:iam::123456789012:role/team/R"}"#;
    let of_key = attached(of_resource(PolicyKind::Key, "Allow", principal));
    let decision = |caller: Option<&str>, key: &str| {
        let caller = caller.map(|arn| SimulatedCaller::new(arn.parse().unwrap()).unwrap());
        let resource = Some(&of_key);
        let tried = Simulation {
            asks: caller.as_ref().map(|caller| SimulatedAsking {
                caller,
                resource,
                grants: None,
            }),
            ..simulation(&[], &context)
        };
        simulate(&tried, "kms:Decrypt", key).decision
    };
    let role = "arn:aws:iam::123456789012:role/team/R";
    assert_eq!(decision(Some(role), OWN_KEY), SimulatedDecision::Allowed);
    assert_eq!(decision(Some(role), FOREIGN_KEY), SimulatedDecision::ImplicitDeny);
    assert_eq!(decision(None, OWN_KEY), SimulatedDecision::ImplicitDeny);
    let other = "arn:aws:sts::123456789012:assumed-role/R/me";
    assert_eq!(decision(Some(other), OWN_KEY), SimulatedDecision::ImplicitDeny);
}

#[test]
fn only_users_roles_and_their_sessions_ask() {
    for (arn, asks) in [
        ("arn:aws:iam::123456789012:user/ann", true),
        ("arn:aws:iam::123456789012:role/team/R", true),
        ("arn:aws:sts::123456789012:assumed-role/R/me", true),
        ("arn:aws:iam::123456789012:root", false),
        ("arn:aws:iam::123456789012:group/all", false),
        ("arn:aws:sts::123456789012:assumed-role/R", false),
        ("arn:aws:s3:::b/user/ann", false),
    ] {
        assert_eq!(
            SimulatedCaller::new(arn.parse().unwrap()).is_some(),
            asks,
            "{arn}"
        );
    }
}

#[test]
fn what_the_organisations_policies_say_is_not_told() {
    let identity = [policy(PolicyKind::Identity, TEXT)];
    let guard = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
        {"Effect":"Deny","Action":"s3:Put*","Resource":"*","Condition":{"Null":{"aws:PrincipalTag/secret":"true"}}}]}"#;
    let guard = PolicyDocument::parse(PolicyKind::ServiceControl, guard).unwrap();
    let guards = [vec![Attached::new("p-examplepolicyid", Arc::new(guard))]];
    let context = Context::new()
        .with("aws:username", "ann")
        .with("aws:SecureTransport", "true");
    let tried = |action, guards_of| {
        let simulation = Simulation {
            service_control: &guards,
            guards_of,
            ..simulation(&identity, &context)
        };
        simulate(&simulation, action, "arn:aws:s3:::b/ann/x")
    };
    let own = PolicySourceId::new("arn:aws:iam::123456789012:policy/p");
    let allowed = tried("s3:GetObject", GuardsOf::Organisation);
    assert_eq!(allowed.decision, SimulatedDecision::Allowed);
    assert_eq!(allowed.allowed_by_organisation, Some(true));
    assert_eq!(
        allowed
            .matched
            .iter()
            .map(|matched| &matched.source)
            .collect::<Vec<_>>(),
        [&own]
    );
    let denied = tried("s3:PutObject", GuardsOf::Organisation);
    assert_eq!(denied.decision, SimulatedDecision::ExplicitDeny);
    assert_eq!(denied.allowed_by_organisation, Some(false));
    assert!(denied.matched.is_empty() && denied.missing_context.is_empty());
    let brought = tried("s3:PutObject", GuardsOf::Request);
    assert_eq!(brought.missing_context, ["aws:PrincipalTag/secret"]);
    assert!(brought.matched.is_empty());
}

proptest! {
    #[test]
    fn a_simulation_decides_as_the_evaluator(
        actions in proptest::collection::vec("\\*|s3:\\*|s3:Get\\*|kms:Decrypt", 1..3),
        denied in proptest::option::of("s3:GetObject|kms:\\*"),
        boundary in proptest::option::of("\\*|s3:\\*"),
        action in "s3:GetObject|kms:Decrypt",
    ) {
        let mut identity: Vec<_> = actions.iter().map(|action| allow(PolicyKind::Identity, action)).collect();
        identity.extend(denied.map(|action| deny(PolicyKind::Identity, &action)));
        let boundary = boundary.map(|action| allow(PolicyKind::Boundary, &action));
        let given = Given { identity, boundary, ..Given::default() };
        let policies = given.policies();
        let context = Context::new();
        let tried = Simulation { boundary: policies.principal.boundary.as_ref(), ..simulation(&policies.principal.identity, &context) };
        let really = decided(&session("R", None), &action, BUCKET, &given).decision;
        let expected = match really {
            Decision::Allow => "allowed",
            Decision::Deny(Reason::ExplicitDeny(_)) => "explicitDeny",
            Decision::Deny(_) => "implicitDeny",
        };
        prop_assert_eq!(simulate(&tried, &action, BUCKET).decision.as_str(), expected);
    }
}
