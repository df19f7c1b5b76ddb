//! What a caller may not see looks as if it were not there, whatever policies of its own side ask about it.

use super::keys::{asks, request};
use super::*;
use crate::action::{s3, sts};
use crate::authn::Authenticated;

const FOREIGN_ROLE: &str = "arn:aws:iam::210987654321:role/T";
const OWN_ROLE: &str = "arn:aws:iam::123456789012:role/T";

/// What there is under the name of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Absent,
    /// Trusts somebody else.
    OfOthers,
    /// Trusts the caller's account under a condition that the caller does not fulfil.
    Conditional,
    /// Denies the caller.
    Denying,
    /// Trusts the caller.
    Open,
}

impl Role {
    fn trust(self) -> Option<Arc<PolicyDocument>> {
        let trusting = |effect: &str, principal: &str, condition: &str| {
            let text = format!(
                r#"{{"Effect":"{effect}","Action":"sts:AssumeRole","Principal":{{"AWS":"{principal}"}}{condition}}}"#
            );
            Some(document(PolicyKind::Trust, &text))
        };
        let secret = r#","Condition":{"StringEquals":{"sts:ExternalId":"secret"}}"#;
        match self {
            Self::Absent => None,
            Self::OfOthers => trusting("Allow", "111111111111", ""),
            Self::Conditional => trusting("Allow", OWN, secret),
            Self::Denying => trusting("Deny", OWN, ""),
            Self::Open => trusting("Allow", OWN, ""),
        }
    }

    /// Everything about it in a decision, beside policies that ask for its tag or for where its account is.
    fn policies(self, given: &Given, owner: &'static str) -> Policies {
        let given = Given {
            resource: self.trust(),
            owner: Some(owner),
            managed_by: Some("111111111111"),
            ..given.clone()
        };
        let mut policies = given.policies();
        if self != Self::Absent {
            let mut facts = ResourceFacts::clone(&policies.resource_facts);
            facts.tags = [("x".to_owned(), "1".to_owned())].into();
            policies.resource_facts = Arc::new(facts);
        }
        policies
    }
}

const TAGGED: &str = r#"{"StringEquals":{"aws:ResourceTag/x":"1"}}"#;
const UNTAGGED: &str = r#"{"Null":{"aws:ResourceTag/x":"true"}}"#;
const IN_ORGANISATION: &str = r#"{"Null":{"aws:ResourceOrgID":"false"}}"#;

/// A policy that allows everything, or denies something, where a condition holds.
fn turning_on(condition: &str, kind: PolicyKind, denies: bool) -> Arc<PolicyDocument> {
    let principal = if kind == PolicyKind::Endpoint {
        r#","Principal":"*""#
    } else {
        ""
    };
    let all = format!(r#""Action":"*","Resource":"*"{principal}"#);
    document(
        kind,
        &if denies {
            format!(r#"{{"Effect":"Allow",{all}}},{{"Effect":"Deny",{all},"Condition":{condition}}}"#)
        } else {
            format!(r#"{{"Effect":"Allow",{all},"Condition":{condition}}}"#)
        },
    )
}

/// The caller's side with such a policy in one of its layers.
fn sides(condition: &str) -> Vec<Given> {
    let base = Given {
        identity: vec![allow(PolicyKind::Identity, "*")],
        ..Given::default()
    };
    let mut sides = Vec::new();
    for denies in [true, false] {
        let turning = |kind| turning_on(condition, kind, denies);
        sides.extend([
            Given {
                identity: vec![turning(PolicyKind::Identity)],
                ..base.clone()
            },
            Given {
                boundary: Some(turning(PolicyKind::Boundary)),
                ..base.clone()
            },
            Given {
                service_control: vec![vec![turning(PolicyKind::ServiceControl)]],
                ..base.clone()
            },
            Given {
                endpoint: Some(turning(PolicyKind::Endpoint)),
                ..base.clone()
            },
        ]);
    }
    sides
}

/// What the caller is told, and what is written down.
fn assuming(arn: &str, owner: &'static str, role: Role, given: &Given) -> (Result<(), String>, &'static str) {
    let caller = Authenticated::through_the_door(session("R", None));
    let request = RequestFacts {
        endpoint: given.endpoint().map(Arc::new),
        ..request()
    };
    let (told, entries) = asks::<sts::AssumeRole>(role.policies(given, owner), &caller, &request, arn);
    let told = told.map(|_permit| ()).map_err(|refusal| match refusal {
        Refusal::AccessDenied {
            message,
            reason,
            detail,
        } => {
            assert_eq!(detail.failures.items[0].value, denial::code(reason));
            format!("{message} {}", detail.to_json())
        }
        Refusal::JournalUnavailable(_) | Refusal::PolicyUnavailable(_) => panic!("{refusal}"),
    });
    (told, entries.last().unwrap().reason)
}

#[test]
fn who_is_denied_a_role_is_told_what_it_would_be_if_there_were_none() {
    for (arn, owner) in [(FOREIGN_ROLE, FOREIGN), (OWN_ROLE, OWN)] {
        for condition in [TAGGED, UNTAGGED, IN_ORGANISATION] {
            for given in sides(condition) {
                let (absent, _) = assuming(arn, owner, Role::Absent, &given);
                assert!(absent.is_err());
                for role in [Role::OfOthers, Role::Conditional, Role::Denying] {
                    let (told, _) = assuming(arn, owner, role, &given);
                    assert_eq!(told, absent, "{arn} {role:?} {given:?}");
                }
                if let (Err(told), _) = assuming(arn, owner, Role::Open, &given) {
                    assert_eq!(Err(told), absent, "{arn} {given:?}");
                }
            }
        }
    }
}

#[test]
fn what_another_accounts_role_is_counts_only_for_whom_it_trusts() {
    for condition in [TAGGED, UNTAGGED, IN_ORGANISATION] {
        for given in sides(condition) {
            let decided = |role| assuming(FOREIGN_ROLE, FOREIGN, role, &given).1;
            assert_eq!(decided(Role::OfOthers), decided(Role::Absent), "{given:?}");
        }
    }
    let open = |condition, denies| {
        let given = Given {
            endpoint: Some(turning_on(condition, PolicyKind::Endpoint, denies)),
            identity: vec![allow(PolicyKind::Identity, "*")],
            ..Given::default()
        };
        assuming(FOREIGN_ROLE, FOREIGN, Role::Open, &given).1
    };
    assert_eq!(open(TAGGED, false), "allowed");
    assert_eq!(open(TAGGED, true), "explicit-deny/endpoint");
    assert_eq!(open(UNTAGGED, false), "not-allowed/endpoint");
    assert_eq!(open(IN_ORGANISATION, false), "allowed");
}

#[test]
fn what_is_of_the_callers_own_account_is_told_as_it_is() {
    let caller = Authenticated::through_the_door(session("R", None));
    let mut policies = Role::OfOthers.policies(
        &Given {
            identity: vec![turning_on(TAGGED, PolicyKind::Identity, true)],
            ..Given::default()
        },
        OWN,
    );
    policies.resource = None;
    let (refused, _) = asks::<action::iam::PassRole>(policies, &caller, &request(), OWN_ROLE);
    let Err(Refusal::AccessDenied { reason, detail, .. }) = refused else {
        panic!("allowed")
    };
    assert_eq!(reason, Reason::ExplicitDeny(Layer::Identity));
    assert!(detail.to_json().contains("ResourceTag/x") || detail.to_json().contains("resourcetag/x"));
}

#[test]
fn a_denial_by_anothers_bucket_is_written_down_with_what_the_caller_may_know() {
    let caller = Authenticated::through_the_door(session("R", None));
    let theirs = r#"{"Sid":"Theirs","Effect":"Deny","Action":"s3:*","Resource":"*","Principal":"*"}"#;
    let asked = |owner, resource, identity: &str| {
        let given = Given {
            identity: vec![allow(PolicyKind::Identity, identity)],
            resource,
            owner,
            ..Given::default()
        };
        let (told, entries) =
            asks::<s3::GetObject>(given.policies(), &caller, &request(), "arn:aws:s3:::b/k");
        (told.is_ok(), entries.last().unwrap().clone())
    };
    let denying = Some(document(PolicyKind::Resource, theirs));
    for identity in ["s3:*", "kms:*"] {
        let (_, foreign) = asked(Some(FOREIGN), denying.clone(), identity);
        let told = foreign.told.unwrap();
        assert_eq!(
            (foreign.reason, foreign.statement.as_deref()),
            ("explicit-deny/resource", Some("Theirs"))
        );
        // As it is of a bucket with a policy that says nothing of the caller, and of none.
        let (_, silent) = asked(Some(FOREIGN), None, identity);
        assert_eq!(silent.told, Some(told.clone()));
        assert!(
            told.reason.starts_with("not-allowed/") && told.statement.is_none(),
            "{told:?}"
        );
        if let (false, absent) = asked(None, None, identity) {
            assert_eq!((absent.reason, absent.told), (told.reason, None));
        }
    }
    let (_, own) = asked(Some(OWN), denying, "s3:*");
    assert_eq!((own.statement.as_deref(), own.told), (Some("Theirs"), None));
}
