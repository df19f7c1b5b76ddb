//! What is said to who is denied.

use super::*;

#[test]
fn denials_are_worded_as_awss() {
    let say = |action: &str, resource: &str, reason| {
        let (principal, context) = (session("R", None), Context::new());
        let request = AccessRequest {
            principal: &principal,
            action,
            resource: &resource.parse().unwrap(),
            context: &context,
            endpoint: None,
        };
        denial::message(&request, reason)
    };
    let user = "User: arn:aws:sts::123456789012:assumed-role/R/me is not authorized to perform:";
    let role = "arn:aws:iam::123456789012:role/S";
    for (layer, denies, allows) in [
        (
            Layer::Identity,
            "an explicit deny in an identity-based policy",
            "no identity-based policy",
        ),
        (
            Layer::Resource,
            "an explicit deny in a resource-based policy",
            "no resource-based policy",
        ),
        (
            Layer::Boundary,
            "an explicit deny in a permissions boundary",
            "no permissions boundary",
        ),
        (
            Layer::Session,
            "an explicit deny in a session policy",
            "no session policy",
        ),
        (
            Layer::ServiceControl,
            "an explicit deny in a service control policy",
            "no service control policy",
        ),
        (
            Layer::ResourceControl,
            "an explicit deny in a resource control policy",
            "no resource control policy",
        ),
        (
            Layer::Endpoint,
            "an explicit deny in a VPC endpoint policy",
            "no VPC endpoint policy",
        ),
        (
            Layer::Trust,
            "an explicit deny in the role trust policy",
            "no role trust policy",
        ),
    ] {
        let what = format!("{user} sts:AssumeRole on resource: {role}");
        let starts = |said: String, sentence: String| {
            assert!(
                said.starts_with(&format!("{sentence}. ")) && said.ends_with('.'),
                "{said}"
            );
        };
        starts(
            say("sts:AssumeRole", role, Reason::ExplicitDeny(layer)),
            format!("{what} with {denies}"),
        );
        starts(
            say("sts:AssumeRole", role, Reason::NotAllowed(layer)),
            format!("{what} because {allows} allows the sts:AssumeRole action"),
        );
    }
}

#[test]
fn denials_say_what_to_do_next() {
    let next = |reason| {
        let (principal, context) = (session("R", None), Context::new());
        let request = AccessRequest {
            principal: &principal,
            action: "bedrock:InvokeModel",
            resource: &"arn:aws:bedrock:r::foundation-model/m".parse().unwrap(),
            context: &context,
            endpoint: None,
        };
        denial::message(&request, reason)
    };
    for (reason, step) in [
        (
            Reason::NotAllowed(Layer::Identity),
            "An administrator of the account can allow it there.",
        ),
        (
            Reason::ExplicitDeny(Layer::Boundary),
            "An administrator of the account would have to take that deny out.",
        ),
        (
            Reason::NotAllowed(Layer::Session),
            "Take on the role again with a session policy that allows it, or with none.",
        ),
        (
            Reason::NotAllowed(Layer::Trust),
            "An administrator of the account would have to let this principal take on the role, in the role's trust policy.",
        ),
        (
            Reason::ExplicitDeny(Layer::ServiceControl),
            "An administrator of the organisation would have to take that deny out.",
        ),
        (
            Reason::NotAllowed(Layer::Endpoint),
            "Call by another endpoint, or have this one's policy changed.",
        ),
    ] {
        let said = next(reason);
        assert!(said.ends_with(&format!(". {step}")), "{said}");
    }
    assert_eq!(
        next(Reason::ModelAccess),
        "You don't have access to the model with the specified model ID. bedrock:InvokeModel on \
         arn:aws:bedrock:r::foundation-model/m takes the account's agreement to the model, besides a policy. Accept it: `aws \
         bedrock list-foundation-model-agreement-offers --model-id m`, and its offerToken to `aws bedrock \
         create-foundation-model-agreement` (bedrock:CreateFoundationModelAgreement)."
    );
}
