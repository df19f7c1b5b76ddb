//! The evaluator: a pure function from a request and every policy that bears on it to a decision and its reasons.
//!
//! The order is IAM's: an explicit deny anywhere wins; then every guard (organisation, endpoint) must allow; then the
//! identity's and the resource's policies must allow between them; then the boundary and the session policy must too.
//! What no policy of a layer allows, that layer does not allow.

use std::sync::Arc;

use super::decision::{
    AccessRequest, Decision, Diagnostics, Layer, ModelAgreement, Policies, Reason, Response, Statement,
};
use crate::action::{self, Action};
use crate::policy::{Effect, Named, PolicyDocument};
use crate::session::Principal;

/// Decides. An explicit deny anywhere wins; nothing is allowed unless something allows it; boundary, session policy,
/// guard policies and endpoint policy can only narrow. The session policy is the request's principal's own.
#[must_use]
pub fn evaluate(request: &AccessRequest<'_>, policies: &Policies) -> Response {
    let mut evaluation = Evaluation {
        request,
        denied: None,
        diagnostics: Diagnostics::default(),
    };
    // AWS: nobody needs permission to ask who they are, and nobody can be denied it.
    if request.action == action::sts::GetCallerIdentity::NAME {
        return Response {
            decision: Decision::Allow,
            diagnostics: evaluation.diagnostics,
        };
    }
    let verdicts = evaluation.verdicts(policies);
    if let Some(layer) = evaluation.denied {
        evaluation
            .diagnostics
            .determining
            .retain(|statement| statement.effect == Effect::Deny);
        return evaluation.respond(Decision::Deny(Reason::ExplicitDeny(layer)));
    }
    let refused = verdicts.refused_by(request).map(Reason::NotAllowed);
    let no_model =
        action::INFERENCE.contains(&request.action) && policies.model_agreement != ModelAgreement::Accepted;
    match refused.or_else(|| no_model.then_some(Reason::ModelAccess)) {
        Some(reason) => {
            evaluation.diagnostics.determining.clear();
            evaluation.respond(Decision::Deny(reason))
        }
        None => evaluation.respond(Decision::Allow),
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
    fn refused_by(&self, request: &AccessRequest<'_>) -> Option<Layer> {
        let missing = |allowed: bool, layer: Layer| (!allowed).then_some(layer);
        missing(self.resource_control, Layer::ResourceControl)
            .or_else(|| missing(self.service_control, Layer::ServiceControl))
            .or_else(|| missing(self.endpoint, Layer::Endpoint))
            .or_else(|| self.not_granted(request))
            .or_else(|| missing(self.boundary, Layer::Boundary))
            .or_else(|| missing(self.session, Layer::Session))
    }

    /// The layer that should have granted the request and did not.
    fn not_granted(&self, request: &AccessRequest<'_>) -> Option<Layer> {
        let owner = request.resource.account();
        let same_account = matches!(owner, "" | "aws") || owner == request.principal.account().as_str();
        let resource_must_allow = !same_account || resource_decides(request.action);
        let identity_must_allow = !same_account || self.resource != Named::Directly;
        if resource_must_allow && self.resource == Named::Not {
            Some(resource_layer(request.action))
        } else if identity_must_allow && !self.identity {
            Some(Layer::Identity)
        } else {
            None
        }
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
struct Evaluation<'a> {
    request: &'a AccessRequest<'a>,
    /// The first layer with a statement that denies.
    denied: Option<Layer>,
    diagnostics: Diagnostics,
}

impl Evaluation<'_> {
    fn verdicts(&mut self, policies: &Policies) -> Verdicts {
        let session = self.request.principal;
        let service_control = self.every_level(Layer::ServiceControl, &policies.service_control);
        let resource_control = self.every_level(Layer::ResourceControl, &policies.resource_control);
        let endpoint = self.unless_absent(Layer::Endpoint, policies.endpoint.as_deref());
        let resource = self.any(resource_layer(self.request.action), policies.resource.as_deref());
        // The bootstrap principal has no role: what narrows its session is also all it is given.
        let identity = match session.principal() {
            Principal::Bootstrap => self.any(Layer::Identity, session.session_policy()),
            Principal::AssumedRole { .. }
            | Principal::User(_)
            | Principal::FederatedUser { .. }
            | Principal::WebIdentity(_) => {
                self.any(Layer::Identity, policies.identity.iter().map(Arc::as_ref))
            }
        };
        Verdicts {
            service_control,
            resource_control,
            endpoint,
            identity: identity != Named::Not,
            resource,
            boundary: self.unless_absent(Layer::Boundary, policies.boundary.as_deref()),
            session: self.unless_absent(Layer::Session, session.session_policy()),
        }
    }

    fn every_level(&mut self, layer: Layer, levels: &[Vec<Arc<PolicyDocument>>]) -> bool {
        let mut every = true;
        for level in levels {
            every &= self.any(layer, level.iter().map(Arc::as_ref)) != Named::Not;
        }
        every
    }

    fn unless_absent(&mut self, layer: Layer, document: Option<&PolicyDocument>) -> bool {
        document.is_none() || self.any(layer, document) != Named::Not
    }

    /// How the documents of one layer allow the request; a statement that denies is remembered.
    fn any<'d>(&mut self, layer: Layer, documents: impl IntoIterator<Item = &'d PolicyDocument>) -> Named {
        let mut allowed = Named::Not;
        for statement in documents.into_iter().flat_map(PolicyDocument::statements) {
            let named = statement.applies(self.request);
            if named == Named::Not {
                continue;
            }
            match statement.effect() {
                Effect::Allow => allowed = allowed.max(named),
                Effect::Deny => self.denied = self.denied.or(Some(layer)),
            }
            self.diagnostics.determining.push(Statement {
                layer,
                sid: statement.sid().map(str::to_owned),
                effect: statement.effect(),
            });
        }
        allowed
    }

    fn respond(self, decision: Decision) -> Response {
        Response {
            decision,
            diagnostics: self.diagnostics,
        }
    }
}
