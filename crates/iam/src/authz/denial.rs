//! A refusal in AWS's words, as clients and people look for them; what to do about it follows.

use super::decision::{AccessRequest, Decision, Layer, Reason, Response, Statement};
use super::detail::{
    DenialContext, DenialDetail, DeniedBy, DeniedPrincipal, DetailCondition, DetailValue, Items,
};
use super::evaluate::Verdict;
use super::journal::ToldDenial;
use crate::policy::Effect;

const NO_MODEL_ACCESS: &str = "You don't have access to the model with the specified model ID.";

/// What a model's ARN has before its name.
const MODEL: &str = "foundation-model/";

/// The message the caller gets.
pub(super) fn message(request: &AccessRequest<'_>, reason: Reason) -> String {
    let because = match reason {
        Reason::ModelAccess => return no_model_access(request),
        // As if it had never had a policy: whether a role was deleted is nobody's to learn.
        Reason::PrincipalGone => return message(request, Reason::NotAllowed(Layer::Identity)),
        Reason::ExplicitDeny(Layer::Trust) => "with an explicit deny in the role trust policy".to_owned(),
        Reason::ExplicitDeny(layer) => format!("with an explicit deny in {} {}", article(layer), kind(layer)),
        Reason::NotAllowed(layer) => {
            format!("because no {} allows the {} action", kind(layer), request.action)
        }
    };
    format!(
        "User: {} is not authorized to perform: {} on resource: {} {because}. {}",
        request.principal.principal_arn(),
        request.action,
        request.resource,
        next(reason)
    )
}

/// Most keys of a context, values of a key and characters of a value that a detail has.
const KEYS: usize = 64;
const VALUES: usize = 8;
const CHARACTERS: usize = 256;

/// All of it, for who may know.
pub(super) fn detail(request: &AccessRequest<'_>, response: &Response) -> DenialDetail {
    let reason = match response.decision {
        Decision::Allow => "allowed",
        Decision::Deny(reason) => code(reason),
    };
    let value = |value: &str| DetailValue {
        value: value.chars().take(CHARACTERS).collect(),
    };
    let mut conditions: Vec<_> = request.context.beginning_with("").collect();
    conditions.sort_by(|(key, _), (other, _)| key.cmp(other));
    let denying = response.diagnostics.determining.iter();
    DenialDetail {
        allowed: false,
        explicit_deny: matches!(response.decision, Decision::Deny(Reason::ExplicitDeny(_))),
        matched_statements: Items {
            items: denying
                .filter(|statement| statement.effect == Effect::Deny)
                .take(KEYS)
                .map(|statement| DeniedBy {
                    statement_id: statement.sid.clone().unwrap_or_default(),
                    effect: "DENY".to_owned(),
                    source_policy_id: statement.source.to_string(),
                    source_policy_type: kind(statement.layer).to_owned(),
                    position: statement.position,
                })
                .collect(),
        },
        failures: Items {
            items: vec![value(reason)],
        },
        context: DenialContext {
            principal: DeniedPrincipal {
                id: request.principal.user_id().to_owned(),
                arn: request.principal.principal_arn().to_string(),
            },
            action: request.action.to_owned(),
            resource: request.resource.to_string(),
            conditions: Items {
                items: conditions
                    .into_iter()
                    .take(KEYS)
                    .map(|(key, values)| DetailCondition {
                        key,
                        values: Items {
                            items: values.iter().take(VALUES).map(|text| value(text)).collect(),
                        },
                    })
                    .collect(),
            },
        },
    }
}

/// Who may grant the model, and how: the account's agreement, which no policy replaces.
fn no_model_access(request: &AccessRequest<'_>) -> String {
    let resource = request.resource.to_string();
    let model = resource.split_once(MODEL).map_or("ID", |(_, model)| model);
    format!(
        "{NO_MODEL_ACCESS} {} on {resource} takes the account's agreement to the model, besides a policy. Accept it: `aws \
         bedrock list-foundation-model-agreement-offers --model-id {model}`, and its offerToken to `aws bedrock \
         create-foundation-model-agreement` (bedrock:CreateFoundationModelAgreement).",
        request.action
    )
}

/// What can be done about a refusal, and by whom.
fn next(reason: Reason) -> &'static str {
    match reason {
        Reason::ExplicitDeny(Layer::Session) | Reason::NotAllowed(Layer::Session) => {
            "Take on the role again with a session policy that allows it, or with none."
        }
        Reason::ExplicitDeny(Layer::Endpoint) | Reason::NotAllowed(Layer::Endpoint) => {
            "Call by another endpoint, or have this one's policy changed."
        }
        Reason::ExplicitDeny(Layer::ServiceControl | Layer::ResourceControl) => {
            "An administrator of the organisation would have to take that deny out."
        }
        Reason::NotAllowed(Layer::ServiceControl | Layer::ResourceControl) => {
            "An administrator of the organisation would have to allow it."
        }
        Reason::ExplicitDeny(Layer::Trust) | Reason::NotAllowed(Layer::Trust) => {
            "An administrator of the account would have to let this principal take on the role, in the role's trust policy."
        }
        Reason::ExplicitDeny(_) => "An administrator of the account would have to take that deny out.",
        Reason::NotAllowed(_) => "An administrator of the account can allow it there.",
        Reason::ModelAccess | Reason::PrincipalGone => "",
    }
}

/// Why something was denied, for whoever may know of nothing but what `verdict` was by.
pub(super) fn as_told(verdict: &Verdict<'_>) -> ToldDenial {
    let (reason, statement) = match verdict.decision {
        Decision::Deny(reason) => (reason, verdict.statement()),
        Decision::Allow => (Reason::NotAllowed(Layer::Resource), None),
    };
    ToldDenial {
        reason: code(reason),
        policy: statement.as_ref().map(|statement| statement.source.to_string()),
        statement: statement.as_ref().map(Statement::name),
    }
}

/// A short stable code for the journal.
pub(super) fn code(reason: Reason) -> &'static str {
    match reason {
        Reason::ModelAccess => "model-access",
        Reason::PrincipalGone => "principal-gone",
        Reason::ExplicitDeny(layer) => match layer {
            Layer::Identity => "explicit-deny/identity",
            Layer::Resource => "explicit-deny/resource",
            Layer::Trust => "explicit-deny/trust",
            Layer::Boundary => "explicit-deny/boundary",
            Layer::Session => "explicit-deny/session",
            Layer::ServiceControl => "explicit-deny/service-control",
            Layer::ResourceControl => "explicit-deny/resource-control",
            Layer::Endpoint => "explicit-deny/endpoint",
        },
        Reason::NotAllowed(layer) => match layer {
            Layer::Identity => "not-allowed/identity",
            Layer::Resource => "not-allowed/resource",
            Layer::Trust => "not-allowed/trust",
            Layer::Boundary => "not-allowed/boundary",
            Layer::Session => "not-allowed/session",
            Layer::ServiceControl => "not-allowed/service-control",
            Layer::ResourceControl => "not-allowed/resource-control",
            Layer::Endpoint => "not-allowed/endpoint",
        },
    }
}

fn kind(layer: Layer) -> &'static str {
    match layer {
        Layer::Identity => "identity-based policy",
        Layer::Resource => "resource-based policy",
        Layer::Trust => "role trust policy",
        Layer::Boundary => "permissions boundary",
        Layer::Session => "session policy",
        Layer::ServiceControl => "service control policy",
        Layer::ResourceControl => "resource control policy",
        Layer::Endpoint => "VPC endpoint policy",
    }
}

fn article(layer: Layer) -> &'static str {
    if layer == Layer::Identity { "an" } else { "a" }
}
