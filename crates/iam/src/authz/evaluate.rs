//! The evaluator: a pure function from a request and every policy that bears on it to a decision and its reasons.
//!
//! The order is IAM's: an explicit deny anywhere wins; then every guard (organisation, endpoint) must allow; then the
//! identity's and the resource's policies must allow between them; then the boundary and the session policies must too,
//! unless the resource's policy names the session itself. What no policy of a layer allows, that layer does not allow.

use super::attached::{Attached, Policies, PolicySourceId};
use super::decision::{
    AccessRequest, Decision, Diagnostics, Layer, ModelAgreement, Reason, Response, Statement,
};
use super::question::{Caller, CallerKind, Question};
use super::simulate::{MatchedStatement, Simulated, SimulatedDecision, Simulation};
use crate::action::{self, Action};
use crate::policy::{self, Effect, Named, PolicyDocument};

/// The name of the inline session policy in diagnostics.
const SESSION: &str = "session";

/// Decides. An explicit deny anywhere wins; nothing is allowed unless something allows it; boundary, session policy,
/// guard policies and endpoint policy can only narrow. The session policy is the request's principal's own.
#[must_use]
pub fn evaluate(request: &AccessRequest<'_>, policies: &Policies) -> Response {
    let mut matched = Vec::new();
    let layers = Layers::of(request, policies);
    let question = question(request, policies);
    let decision = layers.decide(&question, &mut matched);
    let determining = determining(decision, &matched).map(Matched::told).collect();
    Response {
        decision,
        diagnostics: Diagnostics { determining },
    }
}

fn question<'a>(request: &AccessRequest<'a>, policies: &Policies) -> Question<'a> {
    let owner = request.resource.account().parse().ok();
    Question {
        caller: Some(Caller::of(request.principal)),
        action: request.action,
        resource: request.resource.as_str(),
        owner: owner.or(policies.resource_facts.account),
        context: request.context,
    }
}

/// The statements that made a decision.
fn determining<'m, 'a>(
    decision: Decision,
    matched: &'m [Matched<'a>],
) -> impl Iterator<Item = &'m Matched<'a>> {
    let wanted = match decision {
        Decision::Allow => Some(Effect::Allow),
        Decision::Deny(Reason::ExplicitDeny(_)) => Some(Effect::Deny),
        Decision::Deny(Reason::NotAllowed(_) | Reason::ModelAccess | Reason::PrincipalGone) => None,
    };
    matched
        .iter()
        .filter(move |matched| Some(matched.statement.effect()) == wanted)
}

/// A statement that applies.
struct Matched<'a> {
    layer: Layer,
    source: Option<&'a PolicySourceId>,
    document: &'a PolicyDocument,
    position: usize,
    statement: &'a policy::Statement,
}

impl Matched<'_> {
    fn source(&self) -> PolicySourceId {
        self.source
            .cloned()
            .unwrap_or_else(|| PolicySourceId::new(SESSION))
    }

    fn told(&self) -> Statement {
        Statement {
            layer: self.layer,
            source: self.source(),
            position: self.position.saturating_add(1),
            sid: self.statement.sid().map(str::to_owned),
            effect: self.statement.effect(),
        }
    }
}

/// Every policy, by what it is for.
struct Layers<'a> {
    exists: bool,
    service_control: &'a [Vec<Attached>],
    resource_control: &'a [Vec<Attached>],
    endpoint: Option<&'a Attached>,
    resource: Option<&'a Attached>,
    identity: &'a [Attached],
    boundary: Option<&'a Attached>,
    session: Option<&'a PolicyDocument>,
    session_managed: &'a [Attached],
    model_agreement: ModelAgreement,
}

impl<'a> Layers<'a> {
    fn of(request: &AccessRequest<'a>, policies: &'a Policies) -> Self {
        let principal = &policies.principal;
        Self {
            exists: principal.facts.exists || Caller::of(request.principal).kind == CallerKind::Bootstrap,
            service_control: &principal.service_control,
            resource_control: &policies.resource_control,
            endpoint: request.endpoint.map(|endpoint| &endpoint.policy),
            resource: policies.resource.as_ref(),
            identity: &principal.identity,
            boundary: principal.boundary.as_ref(),
            session: request.principal.session_policy(),
            session_managed: &principal.session_managed,
            model_agreement: policies.model_agreement,
        }
    }

    fn decide(&self, question: &Question<'_>, matched: &mut Vec<Matched<'a>>) -> Decision {
        let mut evaluation = Evaluation {
            question,
            denied: None,
            matched,
        };
        if question.action == action::sts::GetCallerIdentity::NAME {
            return evaluation.passage(self.endpoint);
        }
        if !self.exists {
            return Decision::Deny(Reason::PrincipalGone);
        }
        let verdicts = evaluation.verdicts(self);
        if let Some(layer) = evaluation.denied {
            return Decision::Deny(Reason::ExplicitDeny(layer));
        }
        let refused = verdicts.refused_by(question).map(Reason::NotAllowed);
        let no_model =
            action::INFERENCE.contains(&question.action) && self.model_agreement != ModelAgreement::Accepted;
        match refused.or_else(|| no_model.then_some(Reason::ModelAccess)) {
            Some(reason) => Decision::Deny(reason),
            None => Decision::Allow,
        }
    }
}

/// What each layer allows.
struct Verdicts {
    service_control: bool,
    resource_control: bool,
    endpoint: bool,
    identity: bool,
    resource: Named,
    boundary: bool,
    session: bool,
}

impl Verdicts {
    /// The first layer that does not allow the request: guards, then who must grant it, then what narrows the caller.
    fn refused_by(&self, question: &Question<'_>) -> Option<Layer> {
        let missing = |allowed: bool, layer: Layer| (!allowed).then_some(layer);
        missing(self.resource_control, Layer::ResourceControl)
            .or_else(|| missing(self.service_control, Layer::ServiceControl))
            .or_else(|| missing(self.endpoint, Layer::Endpoint))
            .or_else(|| self.not_granted(question))
            .or_else(|| {
                // Within an account, what a resource grants a session itself needs nothing else.
                let bounded = !same_account(question) || self.resource != Named::Directly;
                bounded
                    .then(|| {
                        missing(self.boundary, Layer::Boundary)
                            .or_else(|| missing(self.session, Layer::Session))
                    })
                    .flatten()
            })
    }

    /// The layer that should have granted the request and did not.
    fn not_granted(&self, question: &Question<'_>) -> Option<Layer> {
        let same_account = same_account(question);
        let resource_must_allow = !same_account || resource_decides(question.action);
        let identity_must_allow = !same_account || self.resource < Named::AsRole;
        if resource_must_allow && self.resource == Named::Not {
            Some(resource_layer(question.action))
        } else if identity_must_allow && !self.identity {
            Some(Layer::Identity)
        } else {
            None
        }
    }
}

fn same_account(question: &Question<'_>) -> bool {
    match (question.owner, question.caller) {
        (Some(owner), Some(caller)) => owner == caller.account,
        (None, _) | (_, None) => true,
    }
}

/// Roles and keys are used only by whom their own policy names.
fn resource_decides(action: &str) -> bool {
    action == action::sts::AssumeRole::NAME
        || (action.starts_with("kms:") && action != action::kms::CreateKey::NAME)
}

fn resource_layer(action: &str) -> Layer {
    if action == action::sts::AssumeRole::NAME {
        Layer::Trust
    } else {
        Layer::Resource
    }
}

/// One evaluation on its way.
struct Evaluation<'q, 'm, 'a> {
    question: &'q Question<'q>,
    /// The first layer with a statement that denies.
    denied: Option<Layer>,
    matched: &'m mut Vec<Matched<'a>>,
}

impl<'a> Evaluation<'_, '_, 'a> {
    fn verdicts(&mut self, layers: &Layers<'a>) -> Verdicts {
        let service_control = self.every_level(Layer::ServiceControl, layers.service_control);
        let resource_control = self.every_level(Layer::ResourceControl, layers.resource_control);
        let endpoint = self.unless_absent(Layer::Endpoint, layers.endpoint);
        let resource = self.any(resource_layer(self.question.action), layers.resource);
        let bootstrap = self
            .question
            .caller
            .is_some_and(|caller| caller.kind == CallerKind::Bootstrap);
        // The bootstrap principal has no role: what narrows its session is also all it is given.
        let identity = if bootstrap {
            self.in_document(Layer::Identity, None, layers.session)
        } else {
            self.any(Layer::Identity, layers.identity)
        };
        let boundary = self.unless_absent(Layer::Boundary, layers.boundary);
        let narrowed = layers.session.is_some() || !layers.session_managed.is_empty();
        let inline = self.in_document(Layer::Session, None, layers.session);
        let managed = self.any(Layer::Session, layers.session_managed);
        Verdicts {
            service_control,
            resource_control,
            endpoint,
            identity: identity != Named::Not,
            resource,
            boundary,
            session: !narrowed || inline.max(managed) != Named::Not,
        }
    }

    /// AWS: nobody needs permission to ask who they are, and none of their policies denies it. But an endpoint lets only
    /// those through whom its policy does.
    fn passage(&mut self, endpoint: Option<&'a Attached>) -> Decision {
        let passes = self.unless_absent(Layer::Endpoint, endpoint);
        match self.denied {
            Some(layer) => Decision::Deny(Reason::ExplicitDeny(layer)),
            None if !passes => Decision::Deny(Reason::NotAllowed(Layer::Endpoint)),
            None => Decision::Allow,
        }
    }

    fn every_level(&mut self, layer: Layer, levels: &'a [Vec<Attached>]) -> bool {
        let mut every = true;
        for level in levels {
            every &= self.any(layer, level) != Named::Not;
        }
        every
    }

    fn unless_absent(&mut self, layer: Layer, policy: Option<&'a Attached>) -> bool {
        policy.is_none() || self.any(layer, policy) != Named::Not
    }

    /// How the policies of one layer allow the request; a statement that denies is remembered.
    fn any(&mut self, layer: Layer, policies: impl IntoIterator<Item = &'a Attached>) -> Named {
        policies.into_iter().fold(Named::Not, |allowed, policy| {
            allowed.max(self.in_document(layer, Some(&policy.source), Some(policy.document.as_ref())))
        })
    }

    fn in_document(
        &mut self,
        layer: Layer,
        source: Option<&'a PolicySourceId>,
        document: Option<&'a PolicyDocument>,
    ) -> Named {
        let mut allowed = Named::Not;
        let Some(document) = document else {
            return allowed;
        };
        for (position, statement) in document.statements().iter().enumerate() {
            let named = statement.applies(self.question);
            if named == Named::Not {
                continue;
            }
            match statement.effect() {
                Effect::Allow => allowed = allowed.max(named),
                Effect::Deny => self.denied = self.denied.or(Some(layer)),
            }
            self.matched.push(Matched {
                layer,
                source,
                document,
                position,
                statement,
            });
        }
        allowed
    }
}

/// What would be decided.
pub(super) fn simulate(simulation: &Simulation<'_>, action: &str, resource: &str) -> Simulated {
    let layers = Layers {
        exists: true,
        service_control: simulation.service_control,
        resource_control: &[],
        endpoint: None,
        resource: simulation.resource,
        identity: simulation.identity,
        boundary: simulation.boundary,
        session: None,
        session_managed: &[],
        model_agreement: ModelAgreement::Accepted,
    };
    let owner = resource.parse::<moho_terms::Arn>().ok();
    let question = Question {
        caller: None,
        action,
        resource,
        owner: owner
            .and_then(|arn| arn.account().parse().ok())
            .or(simulation.resource_owner),
        context: simulation.context,
    };
    let mut matched = Vec::new();
    let decision = layers.decide(&question, &mut matched);
    Simulated {
        decision: match decision {
            Decision::Allow => SimulatedDecision::Allowed,
            Decision::Deny(Reason::ExplicitDeny(_)) => SimulatedDecision::ExplicitDeny,
            Decision::Deny(_) => SimulatedDecision::ImplicitDeny,
        },
        matched: determining(decision, &matched)
            .map(|matched| {
                let (start, end) = matched.document.place_of(matched.position);
                MatchedStatement {
                    source: matched.source(),
                    start,
                    end,
                }
            })
            .collect(),
        missing_context: Vec::new(),
        allowed_by_organisation: None,
        allowed_by_boundary: None,
    }
}
