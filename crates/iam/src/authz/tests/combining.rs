//! The combining algorithm on a small model, exhaustively: every layer absent, silent, allowing or denying, for every kind
//! of principal and resource, within an account and across two, against what AWS's documentation says in words.

use super::*;

/// What a layer says about the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Absent,
    Silent,
    Allow,
    Deny,
}

const SAYS: [Says; 4] = [Says::Absent, Says::Silent, Says::Allow, Says::Deny];

/// What the resource's policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Absent,
    Silent,
    /// Allows the account of the caller.
    Account,
    /// Allows the role or user that the caller's session is of.
    Whole,
    /// Allows the very session, or the user.
    Itself,
    Anybody,
    /// Allows whom the identity provider knows.
    Provider,
    Deny,
}

const OF: [Of; 8] = [
    Of::Absent,
    Of::Silent,
    Of::Account,
    Of::Whole,
    Of::Itself,
    Of::Anybody,
    Of::Provider,
    Of::Deny,
];

/// To whom there is a grant on the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Nobody,
    Another,
    /// The account of the caller.
    Account,
    /// The role or user that the caller's session is of.
    Whole,
    /// The very session, or the user.
    Itself,
}

const TO: [To; 5] = [To::Nobody, To::Another, To::Account, To::Whole, To::Itself];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    RoleSession,
    User,
    FederatedUser,
    WebIdentity,
    Bootstrap,
}

const WHO: [Who; 5] = [
    Who::RoleSession,
    Who::User,
    Who::FederatedUser,
    Who::WebIdentity,
    Who::Bootstrap,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Bucket,
    Key,
    Role,
}

const WHAT: [What; 3] = [What::Bucket, What::Key, What::Role];

/// One case of the model.
#[derive(Debug, Clone, Copy)]
struct Case {
    who: Who,
    what: What,
    within: bool,
    /// A service-linked role's.
    unbound: bool,
    identity: Says,
    resource: Of,
    grant: To,
    boundary: Says,
    session: Says,
    service_control: Says,
    resource_control: Says,
    endpoint: Says,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Allowed,
    Denied,
    NotAllowed,
}

/// The specification: what AWS documents, layer by layer, written without a look at the evaluator.
fn specified(case: &Case) -> Expected {
    let nobody_yet = case.who == Who::WebIdentity;
    // Guard policies do not bind service-linked roles; those on principals bind only who is a principal already.
    let service_control = if case.unbound || nobody_yet {
        Says::Absent
    } else {
        case.service_control
    };
    let resource_control = if case.unbound {
        Says::Absent
    } else {
        case.resource_control
    };
    // Whoever is nobody here yet has no policies at all, and the bootstrap principal has its session policy alone.
    let identity = match case.who {
        Who::WebIdentity => Says::Absent,
        Who::Bootstrap => case.session,
        Who::RoleSession | Who::User | Who::FederatedUser => case.identity,
    };
    let boundary = if nobody_yet { Says::Absent } else { case.boundary };
    let layers = [
        service_control,
        resource_control,
        case.endpoint,
        identity,
        boundary,
        case.session,
    ];
    if layers.contains(&Says::Deny) || (case.resource == Of::Deny) {
        return Expected::Denied;
    }
    let not_in_the_way = |says| says == Says::Absent || says == Says::Allow;
    let guards = [service_control, resource_control, case.endpoint];
    let guarded = guards.into_iter().all(not_in_the_way);
    // Whoever a user federated has only what session policies give it.
    let session = match (case.who, case.session) {
        (Who::FederatedUser, Says::Absent) => false,
        (_, says) => not_in_the_way(says),
    };
    let narrowed = not_in_the_way(boundary) && session;
    let by_identity = identity == Says::Allow;
    // A federated user may use no operation of STS or IAM.
    let beyond = case.who == Who::FederatedUser && case.what == What::Role;
    // What a grant says counts as the same in the key's policy would.
    let as_policy = match case.grant {
        To::Nobody | To::Another => Of::Silent,
        To::Account => Of::Account,
        To::Whole => Of::Whole,
        To::Itself => Of::Itself,
    };
    let granted = [case.resource, as_policy].into_iter().any(|of| {
        if nobody_yet {
            // Only to become a session of a role that trusts its provider, which is of the role's account.
            case.within && case.what == What::Role && of == Of::Provider
        } else if !case.within {
            let named = matches!(of, Of::Account | Of::Whole | Of::Itself | Of::Anybody);
            named && by_identity && narrowed
        } else {
            match of {
                Of::Itself => true,
                Of::Whole | Of::Anybody => narrowed,
                Of::Account => by_identity && narrowed,
                // Roles and keys are used by nobody whom their policy does not name.
                Of::Absent | Of::Silent | Of::Provider => {
                    case.what == What::Bucket && by_identity && narrowed
                }
                Of::Deny => false,
            }
        }
    });
    if guarded && granted && !beyond {
        Expected::Allowed
    } else {
        Expected::NotAllowed
    }
}

/// The policies that a case is made of, parsed once.
struct Parsed {
    action: &'static str,
    arn: String,
    resource: Vec<(Of, Option<Arc<PolicyDocument>>)>,
    whole: &'static str,
    itself: &'static str,
}

fn saying(kind: PolicyKind, says: Says) -> Option<Arc<PolicyDocument>> {
    let principal = matches!(kind, PolicyKind::ResourceControl | PolicyKind::Endpoint);
    let principal = if principal { r#","Principal":"*""# } else { "" };
    let statement = |effect: &str, action: &str| {
        let text = format!(r#"{{"Effect":"{effect}","Action":"{action}","Resource":"*"{principal}}}"#);
        Some(document(kind, &text))
    };
    match says {
        Says::Absent => None,
        Says::Silent => statement("Allow", "ec2:*"),
        Says::Allow => statement("Allow", "*"),
        Says::Deny => statement("Deny", "*"),
    }
}

fn caller(who: Who, session_policy: Option<&PolicyDocument>) -> Session {
    match who {
        Who::RoleSession => session("R", session_policy),
        Who::User => user(),
        Who::FederatedUser => federated_user(session_policy),
        Who::WebIdentity => web_identity(),
        Who::Bootstrap => bootstrap_with(session_policy.unwrap()),
    }
}

fn parsed(what: What, who: Who, within: bool) -> Parsed {
    let owner = if within { OWN } else { FOREIGN };
    let (kind, action, arn) = match what {
        What::Bucket => (PolicyKind::Resource, "s3:GetObject", BUCKET.to_owned()),
        What::Key => (
            PolicyKind::Key,
            "kms:Decrypt",
            format!("arn:aws:kms:r:{owner}:key/1"),
        ),
        What::Role if who == Who::WebIdentity => (
            PolicyKind::Trust,
            "sts:AssumeRoleWithWebIdentity",
            format!("arn:aws:iam::{owner}:role/T"),
        ),
        What::Role => (
            PolicyKind::Trust,
            "sts:AssumeRole",
            format!("arn:aws:iam::{owner}:role/T"),
        ),
    };
    let (whole, itself) = match who {
        Who::RoleSession => (
            "arn:aws:iam::123456789012:role/R",
            "arn:aws:sts::123456789012:assumed-role/R/me",
        ),
        Who::FederatedUser => (
            "arn:aws:iam::123456789012:user/team/ann",
            "arn:aws:sts::123456789012:federated-user/bob",
        ),
        // These are of nobody else.
        Who::User => (
            "arn:aws:iam::123456789012:user/other",
            "arn:aws:iam::123456789012:user/team/ann",
        ),
        Who::WebIdentity => ("arn:aws:iam::123456789012:user/other", PROVIDER),
        Who::Bootstrap => (
            "arn:aws:iam::123456789012:user/other",
            "arn:aws:iam::123456789012:bootstrap",
        ),
    };
    let resource = OF.into_iter().map(|of| {
        let policy = match of {
            Of::Absent => None,
            Of::Silent => Some(of_resource(kind, "Allow", &aws("111111111111"))),
            Of::Account => Some(of_resource(kind, "Allow", &aws(OWN))),
            Of::Whole => Some(of_resource(kind, "Allow", &aws(whole))),
            Of::Itself => Some(of_resource(kind, "Allow", &aws(itself))),
            Of::Anybody => Some(of_resource(kind, "Allow", r#""*""#)),
            Of::Provider => Some(of_resource(
                kind,
                "Allow",
                &format!(r#"{{"Federated":"{PROVIDER}"}}"#),
            )),
            Of::Deny => Some(of_resource(kind, "Deny", r#""*""#)),
        };
        (of, policy)
    });
    Parsed {
        action,
        arn,
        resource: resource.collect(),
        whole,
        itself,
    }
}

impl Parsed {
    fn grants(&self, to: To) -> Vec<Grant> {
        let grantee = match to {
            To::Nobody => return vec![],
            To::Another => "arn:aws:iam::123456789012:role/Another",
            To::Account => "arn:aws:iam::123456789012:root",
            To::Whole => self.whole,
            To::Itself => self.itself,
        };
        vec![grant(&self.arn, grantee)]
    }
}

/// Whether a case can be at all.
fn is_possible(case: &Case) -> bool {
    let session = match case.who {
        // Users and whoever is nobody yet have no session policies; the bootstrap principal always has one.
        Who::User | Who::WebIdentity => case.session == Says::Absent,
        Who::Bootstrap => case.session != Says::Absent,
        Who::RoleSession | Who::FederatedUser => true,
    };
    // Of users and others that are of nobody else, there is no whole.
    let has_whole = matches!(case.who, Who::RoleSession | Who::FederatedUser);
    let whole = has_whole || (case.resource != Of::Whole && case.grant != To::Whole);
    // Only keys have grants.
    session && whole && (case.what == What::Key || case.grant == To::Nobody)
}

/// A case's policies, without those of the resource.
fn given(case: &Case, policies: &[Vec<Option<Arc<PolicyDocument>>>; 6]) -> Given {
    let at = |layer: usize, says: Says| policies[layer][says as usize].clone();
    let level = |policy: Option<Arc<PolicyDocument>>| policy.map(|policy| vec![policy]).into_iter().collect();
    Given {
        service_linked: case.unbound,
        identity: at(0, case.identity).into_iter().collect(),
        boundary: at(1, case.boundary),
        service_control: level(at(2, case.service_control)),
        resource_control: level(at(3, case.resource_control)),
        endpoint: at(4, case.endpoint),
        owner: Some(if case.within { OWN } else { FOREIGN }),
        ..Given::default()
    }
}

fn compare(case: &Case, parsed: &Parsed, policies: &[Vec<Option<Arc<PolicyDocument>>>; 6]) {
    let mut given = given(case, policies);
    let of = parsed.resource.iter().find(|(of, _)| *of == case.resource);
    given.resource = of.unwrap().1.clone();
    given.grants = parsed.grants(case.grant);
    let session_policy = policies[5][case.session as usize].clone();
    let caller = caller(case.who, session_policy.as_deref());
    let (context, resource) = (Context::new(), parsed.arn.parse().unwrap());
    let endpoint = given.endpoint();
    let request = AccessRequest {
        principal: &caller,
        action: parsed.action,
        resource: &resource,
        context: &context,
        endpoint: endpoint.as_ref(),
    };
    let found = match decide(&request, &given.policies()).decision {
        Decision::Allow => Expected::Allowed,
        Decision::Deny(Reason::ExplicitDeny(_)) => Expected::Denied,
        Decision::Deny(_) => Expected::NotAllowed,
    };
    assert_eq!(found, specified(case), "{case:?}");
}

/// Calls `each` with every combination of what six layers say.
fn every_layer(each: &mut impl FnMut([Says; 6])) {
    for number in 0..4_usize.pow(6) {
        let says = |layer: u32| SAYS[number / 4_usize.pow(layer) % 4];
        each([says(0), says(1), says(2), says(3), says(4), says(5)]);
    }
}

#[test]
fn every_combination_is_decided_as_specified() {
    let kinds = [
        PolicyKind::Identity,
        PolicyKind::Boundary,
        PolicyKind::ServiceControl,
        PolicyKind::ResourceControl,
        PolicyKind::Endpoint,
        PolicyKind::Session,
    ];
    let policies = kinds.map(|kind| SAYS.map(|says| saying(kind, says)).to_vec());
    let (mut cases, mut allowed) = (0_u32, 0_u32);
    for (who, what, within) in WHO.into_iter().flat_map(|who| {
        WHAT.into_iter()
            .flat_map(move |what| [(who, what, true), (who, what, false)])
    }) {
        let parsed = parsed(what, who, within);
        every_layer(&mut |[
            identity,
            boundary,
            service_control,
            resource_control,
            endpoint,
            session,
        ]| {
            let resources = OF.into_iter().flat_map(|of| TO.map(|to| (of, to)));
            for (resource, grant, unbound) in resources.flat_map(|(of, to)| [(of, to, false), (of, to, true)])
            {
                let case = Case {
                    who,
                    what,
                    within,
                    // Whoever is nobody yet is no service-linked role.
                    unbound: unbound && who != Who::WebIdentity,
                    identity,
                    resource,
                    grant,
                    boundary,
                    session,
                    service_control,
                    resource_control,
                    endpoint,
                };
                if is_possible(&case) {
                    compare(&case, &parsed, &policies);
                    cases += 1;
                    allowed += u32::from(specified(&case) == Expected::Allowed);
                }
            }
        });
    }
    assert!(cases > 1_000_000 && allowed > 20_000, "{cases} {allowed}");
}
