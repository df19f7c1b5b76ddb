//! The evaluator: a pure function from a request and every policy that bears on it to a decision and its reasons.
//!
//! The order is IAM's: an explicit deny anywhere wins; then every guard (organisation, endpoint) must allow; then the
//! identity's and the resource's policies must allow between them; then the boundary and the session policies must too,
//! unless the resource's policy names the session itself. A key's grants count as its policy does, where that is not enough. What no policy of a layer allows, that layer does not allow.
//! What a key that is held to measurements protects is for measured code alone: only those statements of its policy allow it
//! that name measurements, and no grant does.
//! What a request costs here is a few look-ups in the index of each document, and no memory but for patterns with many
//! variables and for federated users.

use std::sync::Arc;

use super::attached::{Attached, Policies, PolicySourceId};
use super::decision::{
    AccessRequest, Decision, Diagnostics, Layer, ModelAgreement, Reason, Response, Statement,
};
use super::grant::{Grant, Grants};
use super::question::{Caller, CallerKind, Question, Unknown};
use super::verdicts::{Verdicts, resource_layer};
use crate::action::{self, Action};
use crate::policy::{self, ActionName, Effect, Named, Place, PolicyDocument};

/// The name of the inline session policy in diagnostics.
const SESSION: &str = "session";

/// Decides, and tells every statement that decided. An explicit deny anywhere wins; nothing is allowed unless something
/// allows it; boundary, session policies, guard policies and endpoint policy can only narrow. The inline session policy is
/// that of the request's principal.
#[must_use]
pub fn evaluate(request: &AccessRequest<'_>, policies: &Policies) -> Response {
    let mut matched = Vec::new();
    let question = question(request, policies);
    let verdict = Layers::of(request, policies, &question).decide(&question, Some(&mut matched));
    let statements = determining(verdict.decision, &matched).map(Matched::told);
    Response {
        decision: verdict.decision,
        diagnostics: Diagnostics {
            determining: statements.chain(verdict.grants.iter().map(of_grant)).collect(),
        },
    }
}

/// Decides as [`evaluate`] does, and tells one statement that decided: the first that denies, or that grants.
#[must_use]
pub fn decide<'a>(request: &AccessRequest<'a>, policies: &'a Policies) -> Verdict<'a> {
    let question = question(request, policies);
    Layers::of(request, policies, &question).decide(&question, None)
}

/// A decision with one statement that made it.
#[derive(Clone)]
pub struct Verdict<'a> {
    /// Whether.
    pub decision: Decision,
    by: Option<Matched<'a>>,
    grants: Vec<Arc<Grant>>,
}

impl Verdict<'_> {
    /// The first statement that denies, or that grants; `None` if none did. A grant counts as a statement of its own.
    #[must_use]
    pub fn statement(&self) -> Option<Statement> {
        let by_grant = self.grants.first().map(of_grant);
        by_grant.or_else(|| self.by.map(|matched| matched.told()))
    }

    /// The grants that it rests on: empty if the policies alone decided so. All that allow it, if what is allowed is to
    /// make a grant; else one.
    #[must_use]
    pub fn grants(&self) -> &[Arc<Grant>] {
        &self.grants
    }

    /// The same, to keep.
    #[must_use]
    pub fn into_grants(self) -> Vec<Arc<Grant>> {
        self.grants
    }
}

/// A grant as a statement that allowed something: it stands in `grant/ID`.
pub(super) fn of_grant(grant: &Arc<Grant>) -> Statement {
    Statement {
        layer: Layer::Resource,
        source: PolicySourceId::new(format!("grant/{}", grant.id)),
        position: 1,
        sid: grant.name.clone(),
        effect: Effect::Allow,
    }
}

fn question<'a>(request: &AccessRequest<'a>, policies: &Policies) -> Question<'a> {
    let owner = request.resource.account().parse().ok();
    Question {
        caller: Some(Caller::of(request.principal)),
        action: ActionName::new(request.action),
        resource: request.resource.as_str(),
        owner: owner.or(policies.resource_facts.account),
        context: request.context,
        unknown: Unknown::Absent,
    }
}

/// The statements that made a decision, in the order of their layers and documents.
pub(super) fn determining<'m, 'a>(
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
#[derive(Clone, Copy)]
pub(super) struct Matched<'a> {
    pub(super) layer: Layer,
    source: Option<&'a PolicySourceId>,
    pub(super) document: &'a PolicyDocument,
    /// Counted from 0.
    pub(super) position: usize,
    pub(super) statement: &'a policy::Statement,
}

impl Matched<'_> {
    pub(super) fn source(&self) -> PolicySourceId {
        self.source
            .cloned()
            .unwrap_or_else(|| PolicySourceId::new(SESSION))
    }

    pub(super) fn told(&self) -> Statement {
        Statement {
            layer: self.layer,
            source: self.source(),
            position: self.position.saturating_add(1),
            sid: self.statement.sid().map(str::to_owned),
            effect: self.statement.effect(),
        }
    }
}

/// Every policy that binds a request, by what it is for.
#[derive(Clone, Copy)]
pub(super) struct Layers<'a> {
    pub(super) exists: bool,
    pub(super) service_control: &'a [Vec<Attached>],
    pub(super) resource_control: &'a [Vec<Attached>],
    pub(super) endpoint: Option<&'a Attached>,
    pub(super) resource: Option<&'a Attached>,
    pub(super) grants: Option<&'a Grants>,
    pub(super) identity: &'a [Attached],
    pub(super) boundary: Option<&'a Attached>,
    pub(super) session: Option<&'a PolicyDocument>,
    pub(super) session_managed: &'a [Attached],
    pub(super) model_agreement: ModelAgreement,
}

impl<'a> Layers<'a> {
    /// Guard policies bind neither service-linked roles nor the account that manages the organisation.
    fn of(request: &AccessRequest<'a>, policies: &'a Policies, question: &Question<'_>) -> Self {
        let principal = &policies.principal;
        let facts = &principal.facts;
        let account = request.principal.account();
        let nobody_yet = question.kind() == Some(CallerKind::WebIdentity);
        let bootstrap = question.kind() == Some(CallerKind::Bootstrap);
        let service = question.kind() == Some(CallerKind::Service);
        let managing = facts
            .organisation
            .as_ref()
            .is_some_and(|organisation| organisation.management_account == account);
        let bound = !(managing || facts.service_linked || nobody_yet || service);
        let of_manager = policies
            .resource_facts
            .organisation
            .as_ref()
            .is_some_and(|organisation| Some(organisation.management_account) == question.owner);
        Self {
            exists: facts.exists || nobody_yet || bootstrap || service,
            service_control: if bound { &principal.service_control } else { &[] },
            resource_control: if facts.service_linked || of_manager {
                &[]
            } else {
                &policies.resource_control
            },
            endpoint: request.endpoint.map(|endpoint| &endpoint.policy),
            resource: policies.resource.as_ref(),
            grants: policies.grants.as_deref(),
            identity: if nobody_yet || service {
                &[]
            } else {
                &principal.identity
            },
            boundary: principal.boundary.as_ref().filter(|_| !(nobody_yet || service)),
            session: request.principal.session_policy(),
            session_managed: &principal.session_managed,
            model_agreement: policies.model_agreement,
        }
    }

    /// Decides. With a list, every statement that applies is added to it.
    pub(super) fn decide(
        &self,
        question: &Question<'_>,
        matched: Option<&mut Vec<Matched<'a>>>,
    ) -> Verdict<'a> {
        let mut evaluation = Evaluation::new(question, matched);
        let action = question.action.as_written();
        evaluation.measured_only = self.is_for_measured_code(action);
        // AWS: nobody needs permission to ask who they are, and no policy of theirs can deny it.
        let anybody_may = action == action::sts::GetCallerIdentity::NAME;
        if anybody_may {
            let endpoint = evaluation.unless_absent(Layer::Endpoint, self.endpoint);
            return match (evaluation.denied, endpoint) {
                (Some(denied), _) => evaluation.denied_by(denied),
                (None, false) => evaluation.refused(Reason::NotAllowed(Layer::Endpoint)),
                (None, true) => evaluation.allowed(),
            };
        }
        if !self.exists {
            return evaluation.refused(Reason::PrincipalGone);
        }
        let mut verdicts = evaluation.verdicts(self);
        if let Some(denied) = evaluation.denied {
            return evaluation.denied_by(denied);
        }
        let no_model =
            action::INFERENCE.contains(&action) && self.model_agreement != ModelAgreement::Accepted;
        let mut refused = verdicts.refused_by(question);
        let mut grants = Vec::new();
        if let Some(of_key) = self
            .grants
            .filter(|_| refused.is_some() && !evaluation.measured_only)
        {
            for (named, grant) in of_key.allow(question) {
                verdicts.granted = named;
                if verdicts.refused_by(question).is_none() {
                    refused = None;
                    grants.push(grant);
                }
            }
        }
        match refused
            .map(Reason::NotAllowed)
            .or_else(|| no_model.then_some(Reason::ModelAccess))
        {
            Some(reason) => evaluation.refused(reason),
            None => Verdict {
                grants,
                ..evaluation.allowed()
            },
        }
    }
}

impl Layers<'_> {
    /// Whether the action gives away what a key protects that is held to measurements.
    fn is_for_measured_code(&self, action: &str) -> bool {
        action::RELEASING.contains(&action)
            && self
                .resource
                .is_some_and(|policy| policy.document.holds_to_measurements())
    }
}

/// Whether every level has a policy that allows a request, and none has one that denies it.
pub(super) fn levels_allow(question: &Question<'_>, levels: &[Vec<Attached>]) -> bool {
    let mut evaluation = Evaluation::new(question, None);
    evaluation.every_level(Layer::ServiceControl, levels) && evaluation.denied.is_none()
}

/// One evaluation on its way.
struct Evaluation<'q, 'm, 'a> {
    question: &'q Question<'q>,
    place: Place,
    /// The first statement that denies.
    denied: Option<Matched<'a>>,
    /// Whether no statement of the resource's policy allows it but those that name measured code.
    measured_only: bool,
    /// The first statement of the identity's or the resource's policies that allows.
    granted: Option<Matched<'a>>,
    matched: Option<&'m mut Vec<Matched<'a>>>,
}

impl<'q, 'm, 'a> Evaluation<'q, 'm, 'a> {
    fn new(question: &'q Question<'q>, matched: Option<&'m mut Vec<Matched<'a>>>) -> Self {
        Self {
            question,
            place: question.action.place(),
            denied: None,
            measured_only: false,
            granted: None,
            matched,
        }
    }

    fn allowed(&self) -> Verdict<'a> {
        Verdict {
            decision: Decision::Allow,
            by: self.granted,
            grants: Vec::new(),
        }
    }

    fn refused(&self, reason: Reason) -> Verdict<'a> {
        Verdict {
            decision: Decision::Deny(reason),
            by: None,
            grants: Vec::new(),
        }
    }

    fn denied_by(&self, denied: Matched<'a>) -> Verdict<'a> {
        Verdict {
            decision: Decision::Deny(Reason::ExplicitDeny(denied.layer)),
            by: Some(denied),
            grants: Vec::new(),
        }
    }

    fn verdicts(&mut self, layers: &Layers<'a>) -> Verdicts {
        let service_control = self.every_level(Layer::ServiceControl, layers.service_control);
        let resource_control = self.every_level(Layer::ResourceControl, layers.resource_control);
        let endpoint = self.unless_absent(Layer::Endpoint, layers.endpoint);
        let resource = self.any(resource_layer(self.question.action.as_written()), layers.resource);
        // The bootstrap principal has no role: what narrows its session is also all it is given.
        let identity = if self.question.kind() == Some(CallerKind::Bootstrap) {
            self.in_document(Layer::Identity, None, layers.session)
        } else {
            self.any(Layer::Identity, layers.identity)
        };
        let boundary = self.unless_absent(Layer::Boundary, layers.boundary);
        let inline = self.in_document(Layer::Session, None, layers.session);
        let managed = self.any(Layer::Session, layers.session_managed);
        // A federated user has what its session policies say, so nothing without.
        let narrowed = layers.session.is_some()
            || !layers.session_managed.is_empty()
            || self.question.kind() == Some(CallerKind::FederatedUser);
        Verdicts {
            service_control,
            resource_control,
            endpoint,
            identity: identity != Named::Not,
            resource,
            granted: Named::Not,
            boundary,
            session: !narrowed || inline.max(managed) != Named::Not,
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
        let before = self.matched.as_ref().map_or(0, |matched| matched.len());
        for list in document.candidates(self.place) {
            for number in list {
                let position = usize::try_from(*number).unwrap_or(usize::MAX);
                if let Some(statement) = document.statement(position) {
                    let found = Matched {
                        layer,
                        source,
                        document,
                        position,
                        statement,
                    };
                    self.consider(&found, &mut allowed);
                }
            }
        }
        if let Some(matched) = self.matched.as_mut() {
            in_order(matched, before);
        }
        allowed
    }

    /// Whether a statement applies, and what follows from that.
    fn consider(&mut self, found: &Matched<'a>, allowed: &mut Named) {
        let effect = found.statement.effect();
        let of_resource = found.layer == Layer::Resource && effect == Effect::Allow;
        if self.measured_only && of_resource && !found.statement.names_measurements() {
            return;
        }
        // What is allowed already need not be allowed again, unless somebody wants to know.
        if *allowed == Named::Directly && effect == Effect::Allow && self.matched.is_none() {
            return;
        }
        let named = found.statement.applies(self.question);
        if named == Named::Not {
            return;
        }
        match effect {
            Effect::Allow => {
                *allowed = named.max(*allowed);
                if matches!(found.layer, Layer::Identity | Layer::Resource | Layer::Trust) {
                    self.granted.get_or_insert(*found);
                }
            }
            Effect::Deny => {
                self.denied.get_or_insert(*found);
            }
        }
        if let Some(matched) = self.matched.as_mut() {
            matched.push(*found);
        }
    }
}

/// Puts what was added last in the order of the document, each once.
fn in_order(matched: &mut Vec<Matched<'_>>, before: usize) {
    if let Some(added) = matched.get_mut(before..) {
        added.sort_by_key(|found| found.position);
    }
    let mut number = 0_usize;
    let mut last = None;
    matched.retain(|found| {
        let new = number < before || last != Some(found.position);
        if number >= before {
            last = Some(found.position);
        }
        number = number.saturating_add(1);
        new
    });
}
