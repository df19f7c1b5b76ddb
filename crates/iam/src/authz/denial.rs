//! A refusal in AWS's words: clients, and people, look for them.

use super::decision::{AccessRequest, Layer, Reason};

const NO_MODEL_ACCESS: &str = "You don't have access to the model with the specified model ID.";

/// The message the caller gets.
pub(super) fn message(request: &AccessRequest<'_>, reason: Reason) -> String {
    let because = match reason {
        Reason::ModelAccess => return NO_MODEL_ACCESS.to_owned(),
        Reason::ExplicitDeny(Layer::Trust) => "with an explicit deny in the role trust policy".to_owned(),
        Reason::ExplicitDeny(layer) => format!("with an explicit deny in {} {}", article(layer), kind(layer)),
        Reason::NotAllowed(layer) => {
            format!("because no {} allows the {} action", kind(layer), request.action)
        }
    };
    format!(
        "User: {} is not authorized to perform: {} on resource: {} {because}",
        request.principal.principal_arn(),
        request.action,
        request.resource
    )
}

/// A short stable code for the journal.
pub(super) fn code(reason: Reason) -> &'static str {
    match reason {
        Reason::ModelAccess => "model-access",
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
