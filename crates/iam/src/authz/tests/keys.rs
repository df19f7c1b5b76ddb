//! What conditions can ask about a request, and what is written down of it.

use std::sync::Mutex;

use moho_terms::{Arn, Clock, RequestId, Timestamp};

use super::*;
use crate::action::{Action, kms, sts};
use crate::authn::Authenticated;
use crate::session::Session;
use crate::verified::Verified;

/// Policies, journal and clock of one test.
#[derive(Default)]
struct World {
    policies: Policies,
    entries: Mutex<Vec<Entry>>,
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        now()
    }
}

impl PolicySource for World {
    fn policies(&self, _: &Session, _: &str, _: &Arn) -> Result<Policies, PolicyUnavailable> {
        Ok(self.policies.clone())
    }
}

impl Journal for World {
    fn record(&self, entry: &Entry) -> Result<Position, JournalUnavailable> {
        let mut entries = self.entries.lock().unwrap();
        entries.push(entry.clone());
        Ok(Position(1))
    }

    fn record_event(&self, _event: &Event) -> Result<Position, JournalUnavailable> {
        Ok(Position(1))
    }
}

pub(super) fn request() -> RequestFacts {
    let request_id: RequestId = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    RequestFacts {
        source_ip: Some("::ffff:192.0.2.7".parse().unwrap()),
        user_agent: Some("aws-cli/2".to_owned()),
        secure_transport: true,
        ..RequestFacts::new(request_id)
    }
}

pub(super) fn asks<A: Action>(
    policies: Policies,
    caller: &Authenticated,
    request: &RequestFacts,
    resource: &str,
) -> (Result<Permit<A>, Refusal>, Vec<Entry>) {
    let asked = Context::new()
        .with("aws:PrincipalAccount", "999999999999")
        .with("kms:ViaService", "bedrock.r.amazonaws.com");
    asks_with(policies, caller, request, (resource, &asked))
}

pub(super) fn authorizer(policies: Policies) -> Authorizer {
    let world = Arc::new(World {
        policies,
        entries: Mutex::default(),
    });
    Authorizer::new(world.clone(), world.clone(), world)
}

pub(super) fn asks_with<A: Action>(
    policies: Policies,
    caller: &Authenticated,
    request: &RequestFacts,
    (resource, asked): (&str, &Context),
) -> (Result<Permit<A>, Refusal>, Vec<Entry>) {
    let world = Arc::new(World {
        policies,
        entries: Mutex::default(),
    });
    let authorizer = Authorizer::new(world.clone(), world.clone(), world.clone());
    let permit = authorizer.authorize(caller, request, &resource.parse().unwrap(), asked);
    let entries = world.entries.lock().unwrap().clone();
    (permit, entries)
}

fn everything() -> Given {
    Given {
        identity: vec![allow(PolicyKind::Identity, "*")],
        resource: Some(of_resource(PolicyKind::Key, "Allow", r#""*""#)),
        managed_by: Some(FOREIGN),
        ..Given::default()
    }
}

/// The context of a request, if a policy asks about every key of `expected`; that says what they are.
fn describes(caller: Session, request: &RequestFacts, mut policies: Policies, expected: &[(&str, &str)]) {
    let asked: Vec<String> = expected
        .iter()
        .map(|(key, _)| format!(r#""{key}":"no such value""#))
        .collect();
    let asking = format!(
        r#"{{"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{{"StringEquals":{{{}}}}}}}"#,
        asked.join(",")
    );
    let mut principal = PrincipalPolicies::clone(&policies.principal);
    principal
        .identity
        .push(attached(document(PolicyKind::Identity, &asking)));
    policies.principal = Arc::new(principal);
    has(&context_of(caller, request, policies), expected);
}

fn context_of(caller: Session, request: &RequestFacts, policies: Policies) -> Context {
    let caller = Authenticated::through_the_door(caller);
    let (permit, _) = asks::<kms::Decrypt>(policies, &caller, request, OWN_KEY);
    permit.unwrap().context().clone()
}

fn has(context: &Context, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        let found = context.get(key).map(<[String]>::to_vec);
        let wanted = (!value.is_empty()).then(|| vec![(*value).to_owned()]);
        assert_eq!(found, wanted, "{key}");
    }
}

#[test]
fn a_session_of_a_role_is_described() {
    describes(
        federated_session("R"),
        &request(),
        everything().policies_of_tagged(),
        &[
            ("aws:PrincipalAccount", OWN),
            ("aws:PrincipalArn", "arn:aws:iam::123456789012:role/R"),
            ("aws:PrincipalType", "AssumedRole"),
            ("aws:PrincipalTag/team", "rocks"),
            ("aws:PrincipalOrgID", "o-example1234"),
            ("aws:PrincipalOrgPaths", "o-example1234/r-ab12/ou-ab12-11111111/"),
            ("aws:PrincipalIsAWSService", "false"),
            ("aws:ViaAWSService", "true"),
            ("aws:userid", "AROARAAAAAAAAAAAAAAAA:me"),
            ("aws:username", ""),
            ("aws:FederatedProvider", PROVIDER),
            ("aws:SourceIdentity", ""),
            ("aws:TokenIssueTime", "2026-11-22T02:00:00Z"),
            ("aws:MultiFactorAuthPresent", "false"),
            ("aws:MultiFactorAuthAge", ""),
            ("aws:CurrentTime", "2026-11-22T02:00:00Z"),
            ("aws:EpochTime", "1795312800"),
            ("aws:SourceIp", "192.0.2.7"),
            ("aws:VpcSourceIp", ""),
            ("aws:SourceVpce", ""),
            ("aws:SecureTransport", "true"),
            ("aws:UserAgent", "aws-cli/2"),
            ("aws:RequestedRegion", "r"),
            ("aws:ResourceAccount", OWN),
            ("aws:ResourceOrgID", "o-example1234"),
            ("aws:ResourceTag/level", "deep"),
            ("kms:CallerAccount", OWN),
            ("kms:ViaService", "bedrock.r.amazonaws.com"),
            ("bedrock:BearerTokenType", ""),
        ],
    );
}

#[test]
fn a_user_is_described() {
    describes(
        user(),
        &request(),
        everything().policies(),
        &[
            ("aws:PrincipalArn", "arn:aws:iam::123456789012:user/team/ann"),
            ("aws:PrincipalType", "User"),
            ("aws:username", "ann"),
            ("aws:userid", "AIDAEXAMPLEEXAMPLE234"),
            ("aws:TokenIssueTime", ""),
            ("aws:MultiFactorAuthPresent", ""),
        ],
    );
}

#[test]
fn a_request_by_an_endpoint_has_no_public_address() {
    let mut given = everything();
    given.endpoint = Some(of_resource(PolicyKind::Endpoint, "Allow", r#""*""#));
    let request = RequestFacts {
        endpoint: given.endpoint().map(Arc::new),
        user_agent: Some("\u{e9}".repeat(3000)),
        ..request()
    };
    given.identity.push(document(
        PolicyKind::Identity,
        r#"{"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:UserAgent":""}}}"#,
    ));
    let context = context_of(session("R", None), &request, given.policies());
    assert_eq!(context.get("aws:UserAgent").unwrap()[0].len(), 2048);
    describes(
        session("R", None),
        &request,
        given.policies(),
        &[
            ("aws:SourceIp", ""),
            ("aws:VpcSourceIp", "192.0.2.7"),
            ("aws:SourceVpce", "vpce-1"),
            ("aws:SourceVpc", "vpc-1"),
            ("aws:VpceAccount", OWN),
        ],
    );
}

#[test]
fn a_web_identity_is_described_by_its_claims_alone() {
    let principal = web_identity().principal().clone();
    let crate::session::Principal::WebIdentity(web) = principal else {
        panic!("{principal:?}")
    };
    let caller = Authenticated::by_web_identity(Verified::assertion(*web), now()).unwrap();
    let trusting = |subject: &str| Given {
        resource: Some(document(
            PolicyKind::Trust,
            &format!(
                r#"{{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{{"Federated":"{PROVIDER}"}},
                    "Condition":{{"StringEquals":{{"idp.example.com/t:aud":"moho","idp.example.com/t:sub":"{subject}"}},
                    "ForAnyValue:StringEquals":{{"idp.example.com/t:amr":"otp"}}}}}}"#
            ),
        )),
        gone: true,
        ..Given::default()
    };
    let role = "arn:aws:iam::123456789012:role/T";
    let ask = |subject| {
        asks::<sts::AssumeRoleWithWebIdentity>(trusting(subject).policies(), &caller, &request(), role).0
    };
    let permit = ask("s1").unwrap();
    has(
        permit.context(),
        &[
            ("aws:FederatedProvider", PROVIDER),
            ("aws:PrincipalArn", ""),
            ("aws:PrincipalAccount", ""),
            ("aws:ResourceAccount", "123456789012"),
            ("aws:TokenIssueTime", ""),
            ("idp.example.com/t:sub", "s1"),
        ],
    );
    assert!(matches!(
        ask("s2"),
        Err(Refusal::AccessDenied {
            reason: Reason::NotAllowed(Layer::Trust),
            ..
        })
    ));
    let (other, _) = asks::<sts::AssumeRole>(trusting("s1").policies(), &caller, &request(), role);
    assert!(other.is_err(), "it is nobody yet");
}

#[test]
fn the_journal_names_the_statement_that_decided_and_the_caller_does_not_learn_it() {
    let caller = Authenticated::through_the_door(session("R", None));
    let mut given = everything();
    let local = RequestFacts {
        peer_uid: Some(1000),
        client_certificate_sha256: Some([0xab; 32]),
        ..request()
    };
    let (_, entries) = asks::<kms::Decrypt>(given.policies(), &caller, &local, OWN_KEY);
    let allowed = entries.last().unwrap();
    assert_eq!(allowed.peer_uid, Some(1000));
    assert_eq!(allowed.client_certificate_sha256, Some("ab".repeat(32)));
    assert_eq!(allowed.policy.as_deref(), Some("test"));
    assert_eq!(allowed.statement.as_deref(), Some("#1"));
    assert_eq!(allowed.via_service.as_deref(), Some("bedrock.r.amazonaws.com"));
    given.service_control = vec![vec![deny(PolicyKind::ServiceControl, "kms:Decrypt")]];
    let (refused, entries) = asks::<kms::Decrypt>(given.policies(), &caller, &request(), OWN_KEY);
    let denied = entries.last().unwrap();
    assert_eq!(
        (
            denied.policy.as_deref(),
            denied.statement.as_deref(),
            denied.reason
        ),
        (Some("test"), Some("D"), "explicit-deny/service-control")
    );
    assert!(denied.via_service.is_some());
    let (_, entries) = asks::<sts::AssumeRole>(
        given.policies(),
        &caller,
        &request(),
        "arn:aws:iam::123456789012:role/T",
    );
    assert_eq!(
        entries.last().unwrap().via_service,
        None,
        "only keys are used for somebody"
    );
    let Err(Refusal::AccessDenied { message, detail, .. }) = refused else {
        panic!("allowed")
    };
    assert!(
        !message.contains("test") && !message.contains("\"D\""),
        "{message}"
    );
    assert!(
        message.contains("with an explicit deny in a service control policy"),
        "{message}"
    );
    assert!(detail.explicit_deny && !detail.allowed);
    let statement = &detail.matched_statements.items[0];
    assert_eq!(
        (
            statement.statement_id.as_str(),
            statement.source_policy_id.as_str(),
            statement.position
        ),
        ("D", "test", 1)
    );
    assert_eq!(detail.context.action, "kms:Decrypt");
    assert_eq!(detail.context.resource, OWN_KEY);
    assert_eq!(DenialDetail::from_json(&detail.to_json()).unwrap(), *detail);
    assert!(
        detail
            .to_json()
            .starts_with(r#"{"allowed":false,"explicitDeny":true,"matchedStatements":{"items":[{"#)
    );
    assert!(DenialDetail::from_json("{}").is_err());
}

#[test]
fn a_detail_is_bounded() {
    let caller = session("R", None);
    let mut context = Context::new();
    for number in 0..500 {
        context.set(
            &format!("aws:RequestTag/{number}"),
            vec!["\u{1f600}".repeat(1000); 50],
        );
    }
    let resource = OWN_KEY.parse().unwrap();
    let request = AccessRequest {
        principal: &caller,
        action: "kms:Decrypt",
        resource: &resource,
        context: &context,
        endpoint: None,
    };
    let response = evaluate(&request, &Given::default().policies());
    assert!(denial::detail(&request, &response).to_json().len() < 1 << 20);
}
