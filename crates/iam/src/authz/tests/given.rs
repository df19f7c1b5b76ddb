//! Principals and policies of tests.

use std::sync::Arc;

use moho_terms::Timestamp;

use super::super::*;
use crate::policy::{PolicyDocument, PolicyKind, builtin};
use crate::session::{Narrowing, Principal, RoleRef, Session, Terms, UserRef, WebIdentity};

pub(super) const OWN: &str = "123456789012";
pub(super) const FOREIGN: &str = "210987654321";
pub(super) const PROVIDER: &str = "arn:aws:iam::123456789012:oidc-provider/idp.example.com/t";
const KEY_OF_SESSION: &str = "ASIAEXAMPLEEXAMPLE22";

pub(super) fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_795_312_800)
}

pub(super) fn document(kind: PolicyKind, statements: &str) -> Arc<PolicyDocument> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    Arc::new(PolicyDocument::parse(kind, &text).unwrap())
}

pub(super) fn allow(kind: PolicyKind, action: &str) -> Arc<PolicyDocument> {
    document(
        kind,
        &format!(r#"{{"Sid":"A","Effect":"Allow","Action":"{action}","Resource":"*"}}"#),
    )
}

pub(super) fn deny(kind: PolicyKind, action: &str) -> Arc<PolicyDocument> {
    document(
        kind,
        &format!(r#"{{"Sid":"D","Effect":"Deny","Action":"{action}","Resource":"*"}}"#),
    )
}

/// A resource's policy with one statement for one principal.
pub(super) fn of_resource(kind: PolicyKind, effect: &str, principal: &str) -> Arc<PolicyDocument> {
    let resource = if kind == PolicyKind::Trust {
        ""
    } else {
        r#","Resource":"*""#
    };
    document(
        kind,
        &format!(r#"{{"Effect":"{effect}","Action":"*","Principal":{principal}{resource}}}"#),
    )
}

pub(super) fn aws(principal: &str) -> String {
    format!(r#"{{"AWS":"{principal}"}}"#)
}

fn terms(session_policy: Option<&PolicyDocument>) -> Terms {
    let key = KEY_OF_SESSION.parse().unwrap();
    Terms {
        narrowing: Narrowing::new(session_policy.cloned(), vec![]).unwrap(),
        ..Terms::new(Some(key), now(), Some(now().plus_seconds(3600)))
    }
}

fn made(principal: Principal, terms: Terms) -> Session {
    Session::new(OWN.parse().unwrap(), principal, terms).unwrap()
}

/// A session `me` of a role.
pub(super) fn session(role: &str, session_policy: Option<&PolicyDocument>) -> Session {
    let role = RoleRef {
        path: "/".to_owned(),
        name: role.parse().unwrap(),
        id: format!("AROA{role:A<17}").to_ascii_uppercase(),
    };
    let session_name = "me".parse().unwrap();
    made(
        Principal::AssumedRole { role, session_name },
        terms(session_policy),
    )
}

/// A session of a role that came from the provider.
pub(super) fn federated_session(role: &str) -> Session {
    let principal = session(role, None).principal().clone();
    made(
        principal,
        Terms {
            federated_provider: Some(PROVIDER.to_owned()),
            ..terms(None)
        },
    )
}

fn user_ref() -> UserRef {
    UserRef {
        path: "/team/".to_owned(),
        name: "ann".parse().unwrap(),
        id: "AIDAEXAMPLEEXAMPLE234".to_owned(),
    }
}

/// The user `/team/ann`, by its own access key.
pub(super) fn user() -> Session {
    let key = "AKIAEXAMPLEEXAMPLE22".parse().unwrap();
    made(Principal::User(user_ref()), Terms::new(Some(key), now(), None))
}

/// The same user, by credentials of `GetSessionToken`.
pub(super) fn user_session() -> Session {
    made(Principal::User(user_ref()), terms(None))
}

/// Whom that user named `bob` in `GetFederationToken`.
pub(super) fn federated_user(session_policy: Option<&PolicyDocument>) -> Session {
    let name = "bob".parse().unwrap();
    let principal = Principal::FederatedUser {
        name,
        user: user_ref(),
    };
    made(principal, terms(session_policy))
}

/// Somebody whom the provider knows.
pub(super) fn web_identity() -> Session {
    let claims = [("amr".to_owned(), vec!["pwd".to_owned(), "otp".to_owned()])];
    let web = WebIdentity {
        provider: PROVIDER.parse().unwrap(),
        issuer: "https://idp.example.com/t".to_owned(),
        subject: "s1".to_owned(),
        audience: "moho".to_owned(),
        claims: claims.into(),
    };
    let terms = Terms {
        federated_provider: Some(PROVIDER.to_owned()),
        ..Terms::new(None, now(), Some(now()))
    };
    made(Principal::WebIdentity(Box::new(web)), terms)
}

/// Whoever came through the bootstrap door, who may do what `policy` says.
pub(super) fn bootstrap_with(policy: &PolicyDocument) -> Session {
    Session::bootstrap(OWN.parse().unwrap(), policy.clone(), now()).unwrap()
}

/// A service of moho's own, on something of the own account.
pub(super) fn own_service() -> Session {
    Session::of_own_service(OWN.parse().unwrap(), crate::OwnService::S3Logging, now()).unwrap()
}

pub(super) fn bootstrap() -> Session {
    bootstrap_with(&PolicyDocument::parse(PolicyKind::Session, builtin::BOOTSTRAP).unwrap())
}

/// A grant on a key of everything there is, to one principal.
pub(super) fn grant(key: &str, grantee: &str) -> Grant {
    let number = grantee.bytes().map(u32::from).sum::<u32>();
    Grant {
        id: format!("{number:064x}"),
        key: key.parse().unwrap(),
        grantee: grantee.parse().unwrap(),
        grantee_id: None,
        retiring: None,
        retiring_id: None,
        operations: GrantOperation::ALL.iter().copied().collect(),
        constraint: None,
        name: None,
        issuing_account: OWN.parse().unwrap(),
        created_at: now(),
    }
}

pub(super) fn attached(document: Arc<PolicyDocument>) -> Attached {
    Attached::new("test", document)
}

pub(super) fn levels(levels: Vec<Vec<Arc<PolicyDocument>>>) -> Vec<Vec<Attached>> {
    let attach = |level: Vec<_>| level.into_iter().map(attached).collect();
    levels.into_iter().map(attach).collect()
}

pub(super) fn organisation(management_account: &str) -> OrganisationFacts {
    OrganisationFacts {
        id: "o-example1234".to_owned(),
        path: "o-example1234/r-ab12/ou-ab12-11111111/".to_owned(),
        management_account: management_account.parse().unwrap(),
    }
}

/// Every layer of a test.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) gone: bool,
    pub(super) service_linked: bool,
    pub(super) managed_by: Option<&'static str>,
    pub(super) identity: Vec<Arc<PolicyDocument>>,
    pub(super) resource: Option<Arc<PolicyDocument>>,
    pub(super) boundary: Option<Arc<PolicyDocument>>,
    pub(super) session_managed: Vec<Arc<PolicyDocument>>,
    pub(super) service_control: Vec<Vec<Arc<PolicyDocument>>>,
    pub(super) resource_control: Vec<Vec<Arc<PolicyDocument>>>,
    pub(super) endpoint: Option<Arc<PolicyDocument>>,
    pub(super) owner: Option<&'static str>,
    pub(super) model_agreement: ModelAgreement,
    pub(super) grants: Vec<Grant>,
}

impl Given {
    pub(super) fn policies(&self) -> Policies {
        let organisation = self.managed_by.map(organisation);
        Policies {
            principal: Arc::new(PrincipalPolicies {
                identity: self.identity.iter().cloned().map(attached).collect(),
                boundary: self.boundary.clone().map(attached),
                service_control: levels(self.service_control.clone()),
                session_managed: self.session_managed.iter().cloned().map(attached).collect(),
                facts: PrincipalFacts {
                    exists: !self.gone,
                    service_linked: self.service_linked,
                    organisation: organisation.clone(),
                    ..PrincipalFacts::default()
                },
            }),
            resource: self.resource.clone().map(attached),
            resource_control: Arc::new(levels(self.resource_control.clone())),
            resource_facts: Arc::new(ResourceFacts {
                account: self.owner.map(|owner| owner.parse().unwrap()),
                organisation,
                ..ResourceFacts::default()
            }),
            model_agreement: self.model_agreement,
            grants: (!self.grants.is_empty())
                .then(|| Arc::new(Grants::new(self.grants.iter().cloned().map(Arc::new)))),
            resource_conditions: None,
        }
    }

    /// The same, of a principal of the team `rocks` and a resource of the level `deep`.
    pub(super) fn policies_of_tagged(&self) -> Policies {
        let mut policies = self.policies();
        let mut principal = PrincipalPolicies::clone(&policies.principal);
        principal.facts.tags = [("Team".to_owned(), "rocks".to_owned())].into();
        policies.principal = Arc::new(principal);
        let mut facts = ResourceFacts::clone(&policies.resource_facts);
        facts.tags = [("Level".to_owned(), "deep".to_owned())].into();
        policies.resource_facts = Arc::new(facts);
        policies
    }

    pub(super) fn endpoint(&self) -> Option<EndpointFacts> {
        Some(EndpointFacts {
            id: "vpce-1".to_owned(),
            vpc: "vpc-1".to_owned(),
            account: OWN.parse().unwrap(),
            policy: attached(self.endpoint.clone()?),
        })
    }
}

/// The decision, which must be the same whether every statement is told or only the first.
pub(super) fn decided(principal: &Session, action: &str, resource: &str, given: &Given) -> Response {
    let context = Context::new().with("aws:PrincipalAccount", principal.account().as_str());
    let endpoint = given.endpoint();
    let request = AccessRequest {
        principal,
        action,
        resource: &resource.parse().unwrap(),
        context: &context,
        endpoint: endpoint.as_ref(),
    };
    let policies = given.policies();
    let response = evaluate(&request, &policies);
    assert_eq!(decide(&request, &policies).decision, response.decision);
    response
}

pub(super) fn reason(response: &Response) -> &'static str {
    match response.decision {
        Decision::Allow => "allow",
        Decision::Deny(reason) => denial::code(reason),
    }
}
