//! What would be decided: `SimulateCustomPolicy` and `SimulatePrincipalPolicy`, with the evaluator that really decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use moho_terms::{AccountId, Arn};

use super::evaluate::{Layers, Matched, determining, levels_allow};
use super::grant::{Grant, Grants};
use super::question::{Caller, Question, Unknown};
use super::{Attached, Context, Decision, Layer, ModelAgreement, PolicySourceId, Reason};
use crate::policy::ActionName;

/// Who asks in a simulation: a user, a role (some session of it) or a session of a role, for whom a resource's policy counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedCaller(Arn);

impl SimulatedCaller {
    /// Whoever has this ARN; `None` if it is nobody who could ask.
    #[must_use]
    pub fn new(arn: Arn) -> Option<Self> {
        let asks = Caller::simulated(&arn).is_some();
        asks.then_some(Self(arn))
    }
}

/// Who asks, and the policy of the resource, which speaks of who asks: there is none for nobody.
#[derive(Clone, Copy)]
pub struct SimulatedAsking<'a> {
    /// Who asks.
    pub caller: &'a SimulatedCaller,
    /// The policy of the resource.
    pub resource: Option<&'a Attached>,
    /// Its grants, if it is a key that has any.
    pub grants: Option<&'a Grants>,
}

/// Whose the guard policies of a simulation are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardsOf {
    /// The request brings them, so it is told what they ask about.
    Request,
    /// The organisation has them, and whoever asks may be nobody who may read them.
    Organisation,
}

/// The policies and circumstances to try.
#[derive(Clone, Copy)]
pub struct Simulation<'a> {
    /// The policies of the principal: the role's or user's own and its groups'.
    pub identity: &'a [Attached],
    /// Its permissions boundary.
    pub boundary: Option<&'a Attached>,
    /// Guard policies of its organisation, by levels; empty without.
    pub service_control: &'a [Vec<Attached>],
    /// Whose these are.
    pub guards_of: GuardsOf,
    /// Who asks.
    pub asks: Option<SimulatedAsking<'a>>,
    /// Who owns the resource, where its ARN does not say; the caller's account if nobody says.
    pub resource_owner: Option<AccountId>,
    /// The values that conditions ask about.
    pub context: &'a Context,
}

/// What would be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimulatedDecision {
    /// Something allows it and nothing denies it.
    Allowed,
    /// A statement denies it.
    ExplicitDeny,
    /// Nothing allows it.
    ImplicitDeny,
}

impl SimulatedDecision {
    /// AWS's word: `allowed`, `explicitDeny` or `implicitDeny`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ExplicitDeny => "explicitDeny",
            Self::ImplicitDeny => "implicitDeny",
        }
    }
}

/// A place in a document's text; both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextPosition {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// A statement that applies to the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedStatement {
    /// In which policy.
    pub source: PolicySourceId,
    /// Where it begins in the document.
    pub start: TextPosition,
    /// Where it ends.
    pub end: TextPosition,
}

/// What would be decided, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// The decision.
    pub decision: SimulatedDecision,
    /// The statements that decided: those that deny, or else those that allow. Those of guard policies are not among them:
    /// of the organisation it is told only whether it allows.
    pub matched: Vec<MatchedStatement>,
    /// The grants that it rests on, if the policies alone would not allow it.
    pub grants: Vec<Arc<Grant>>,
    /// Keys that the policies ask about and the context does not have, sorted; not those of the organisation's own.
    pub missing_context: Vec<String>,
    /// Whether the organisation's policies allow it; `None` if there are none.
    pub allowed_by_organisation: Option<bool>,
    /// Whether the boundary allows it; `None` if there is none.
    pub allowed_by_boundary: Option<bool>,
}

/// Decides `action` on `resource` (an ARN, or `*` for anything) as it would be decided for the principal.
#[must_use]
pub fn simulate(simulation: &Simulation<'_>, action: &str, resource: &str) -> Simulated {
    let everything = Layers {
        exists: true,
        service_control: simulation.service_control,
        resource_control: &[],
        endpoint: None,
        resource: simulation.resource(),
        grants: simulation.asks.and_then(|asks| asks.grants),
        identity: simulation.identity,
        boundary: simulation.boundary,
        session: None,
        session_managed: &[],
        model_agreement: ModelAgreement::Accepted,
    };
    let question = simulation.question(action, resource);
    let mut matched = Vec::new();
    let verdict = everything.decide(&question, Some(&mut matched));
    let decision = verdict.decision;
    Simulated {
        decision: match decision {
            Decision::Allow => SimulatedDecision::Allowed,
            Decision::Deny(Reason::ExplicitDeny(_)) => SimulatedDecision::ExplicitDeny,
            Decision::Deny(Reason::NotAllowed(_) | Reason::ModelAccess | Reason::PrincipalGone) => {
                SimulatedDecision::ImplicitDeny
            }
        },
        matched: determining(decision, &matched)
            .filter(|matched| !matches!(matched.layer, Layer::ServiceControl | Layer::ResourceControl))
            .map(placed)
            .collect(),
        grants: verdict.into_grants(),
        missing_context: simulation.missing(),
        allowed_by_organisation: (!simulation.service_control.is_empty())
            .then(|| levels_allow(&question, simulation.service_control)),
        allowed_by_boundary: simulation
            .boundary
            .map(|boundary| levels_allow(&question, &[vec![boundary.clone()]])),
    }
}

fn placed(matched: &Matched<'_>) -> MatchedStatement {
    let (start, end) = matched.document.place_of(matched.position);
    MatchedStatement {
        source: matched.source(),
        start,
        end,
    }
}

impl<'a> Simulation<'a> {
    fn resource(&self) -> Option<&'a Attached> {
        self.asks.and_then(|asks| asks.resource)
    }

    fn question(&self, action: &'a str, resource: &'a str) -> Question<'a> {
        let arn = resource.parse::<Arn>().ok();
        let owner = arn.and_then(|arn| arn.account().parse().ok());
        Question {
            caller: self.asks.and_then(|asks| Caller::simulated(&asks.caller.0)),
            action: ActionName::new(action),
            resource,
            owner: owner.or(self.resource_owner),
            context: self.context,
            unknown: Unknown::Absent,
        }
    }

    /// Keys that a policy asks about and nobody gave, as written, sorted.
    fn missing(&self) -> Vec<String> {
        let told = self.guards_of == GuardsOf::Request;
        let levels = self.service_control.iter().flatten().filter(|_| told);
        let single = self.boundary.into_iter().chain(self.resource());
        let mut missing = BTreeMap::new();
        for policy in self.identity.iter().chain(levels).chain(single) {
            for key in policy.document.context_keys() {
                if self.context.get(key).is_none() {
                    missing
                        .entry(key.to_ascii_lowercase())
                        .or_insert_with(|| key.clone());
                }
            }
        }
        missing.into_values().collect()
    }
}
