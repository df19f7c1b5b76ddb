//! What went wrong below, in the words of the wire: the one place where errors of the crates become refusals.
//!
//! Causes that only an operator can mend go to the log, without content; the client learns that it was not at fault.

use moho_engine::{Failure as EngineFailure, PromptFault, Refusal as EngineRefusal};
use moho_iam::authn::AuthnError;
use moho_iam::authz::{Reason, Refusal};
use moho_iam::oidc::TokenError;
use moho_store::StoreError;
use moho_terms::ModelId;
use moho_wire::{ErrorShape, Failure};

pub(super) use super::key_failure::from_key_use;
use crate::endpoints::EndpointError;
use crate::net::RimError;

/// Seconds after which what is full is worth another try.
pub(super) const RETRY_AFTER: u64 = 1;

pub(super) fn from_rim(error: RimError, shape: ErrorShape) -> Failure {
    let invalid = |message: String| Failure::Invalid {
        message,
        param: None,
        code: None,
    };
    match error {
        RimError::BodyTooLarge { limit } => Failure::PayloadTooLarge {
            limit: u64::try_from(limit).unwrap_or(u64::MAX),
        },
        RimError::BodyTooSlow { .. } => Failure::RequestTimeout,
        RimError::BodyBroken
        | RimError::NoSingleHost
        | RimError::ExpectationFailed
        | RimError::ContentEncoding => invalid(mended(error)),
        // Not `Overloaded`, which blames the engine.
        RimError::Busy | RimError::Full | RimError::Stopping => Failure::Service {
            code: match shape {
                ErrorShape::OpenAi => "server_overloaded",
                ErrorShape::Query { .. } | ErrorShape::S3 => "ServiceUnavailable",
                ErrorShape::Ec2 => "Unavailable",
                ErrorShape::AwsJson | ErrorShape::RestJson => "ServiceUnavailableException",
            },
            message: mended(error),
            status: error.status().as_u16(),
        },
        RimError::TooMany | RimError::Unproven => Failure::Throttled {
            retry_after: RETRY_AFTER,
        },
        RimError::Internal => Failure::Internal,
    }
}

/// A refusal of the rim's, with what to do about it.
pub(super) fn mended(error: RimError) -> String {
    let cure = match error {
        RimError::BodyBroken => ": send all of it, framed as its head says",
        RimError::NoSingleHost => ": send one `Host` header, the same as in the URL",
        RimError::ExpectationFailed => ": leave that header out",
        RimError::Busy | RimError::Full | RimError::TooMany | RimError::Unproven => {
            ": try again in a second (`retry-after`)"
        }
        RimError::Stopping => ": try again in a second (`retry-after`), or elsewhere",
        // These say it themselves, or in their protocol's own words.
        RimError::ContentEncoding
        | RimError::BodyTooLarge { .. }
        | RimError::BodyTooSlow { .. }
        | RimError::Internal => "",
    };
    format!("{error}{cure}")
}

pub(super) fn from_authn(error: &AuthnError) -> Failure {
    match error {
        AuthnError::Missing => Failure::MissingAuthentication,
        AuthnError::Malformed(message) | AuthnError::Unsupported(message) => {
            Failure::MalformedAuthentication((*message).to_owned())
        }
        AuthnError::HeaderNotSigned => Failure::MalformedAuthentication(format!("{error}.")),
        AuthnError::Payload(error) => Failure::Service {
            code: error.code(),
            message: error.to_string(),
            status: error.status(),
        },
        AuthnError::UnknownKey => Failure::UnknownCredentials,
        AuthnError::WrongScope(_) | AuthnError::WrongService(_) => Failure::WrongScope(error.to_string()),
        AuthnError::WrongRegion { asked, served } => Failure::WrongRegion {
            asked: asked.clone(),
            served: served.clone(),
        },
        AuthnError::BadSignature => Failure::BadSignature,
        AuthnError::WebIdentity(error) => from_token(error),
        AuthnError::Expired { at } => Failure::ExpiredCredentials { ended: *at },
        AuthnError::Skewed { .. } => Failure::Skewed(error.to_string()),
        AuthnError::Unavailable(_) => unavailable(error),
    }
}

/// What STS says of an identity provider's token that proves nothing.
fn from_token(error: &TokenError) -> Failure {
    let (code, status) = match error {
        // Alike, as the audience is looked at only where the account has such a provider.
        TokenError::NoProvider | TokenError::Audience => {
            return Failure::AccessDenied(TokenError::NoProvider.to_string());
        }
        // What is wrong with it has been told in other words.
        TokenError::Request => ("ValidationError", 400),
        TokenError::Expired { .. } => ("ExpiredTokenException", 400),
        TokenError::Unreachable => ("IDPCommunicationError", 400),
        TokenError::NotYet(_) => ("IDPRejectedClaim", 403),
        TokenError::UnknownIssuer
        | TokenError::Malformed(_)
        | TokenError::Algorithm
        | TokenError::NoKey
        | TokenError::Signature
        | TokenError::Claim(_)
        | TokenError::Issuer => ("InvalidIdentityToken", 400),
    };
    Failure::Service {
        code,
        message: error.to_string(),
        status,
    }
}

pub(super) fn from_refusal(refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::AccessDenied { message, .. } => Failure::AccessDenied(message.clone()),
        Refusal::JournalUnavailable(_) | Refusal::PolicyUnavailable(_) => unavailable(refusal),
    }
}

/// A refusal to let a model be asked. Only who could ask it, had the account agreed to use it, learns that it is not
/// served.
pub(super) fn from_model_refusal(refusal: &Refusal, model: &ModelId, served: bool) -> Failure {
    match refusal {
        Refusal::AccessDenied {
            reason: Reason::ModelAccess,
            ..
        } if !served => Failure::ModelNotFound(Some(model.clone())),
        Refusal::AccessDenied { .. } | Refusal::JournalUnavailable(_) | Refusal::PolicyUnavailable(_) => {
            from_refusal(refusal)
        }
    }
}

pub(crate) fn from_engine_refusal(refusal: &EngineRefusal, model: &ModelId) -> Failure {
    let invalid = |param: &str| Failure::Invalid {
        message: refusal.to_string(),
        param: Some(param.to_owned()),
        code: None,
    };
    match refusal {
        EngineRefusal::UnknownModel => Failure::ModelNotFound(Some(model.clone())),
        EngineRefusal::ContextOverflow { prompt_tokens, limit } => Failure::ContextLengthExceeded {
            limit: u64::from(*limit),
            prompt_tokens: Some(u64::from(*prompt_tokens)),
        },
        EngineRefusal::Overloaded => Failure::Overloaded {
            retry_after: RETRY_AFTER,
        },
        EngineRefusal::InvalidSchema(reason) => Failure::Invalid {
            message: schema_refused(reason),
            param: Some("text.format.schema".to_owned()),
            code: None,
        },
        EngineRefusal::InvalidPrompt(fault) => Failure::Invalid {
            message: format!("{refusal}: {}", prompt_cure(*fault)),
            param: Some("input".to_owned()),
            code: None,
        },
        EngineRefusal::TooManyTogether { .. } => invalid("n"),
        EngineRefusal::InvalidStop => invalid("stop"),
        EngineRefusal::InvalidBias => invalid("logit_bias"),
        EngineRefusal::InvalidLogprobs => invalid("top_logprobs"),
        EngineRefusal::DuplicateSequence => internal(refusal),
    }
}

/// What to do about a prompt that the engine does not take.
fn prompt_cure(fault: PromptFault) -> &'static str {
    match fault {
        PromptFault::Empty => "give it at least one word",
        PromptFault::TooLong => "shorten it, or begin a new conversation",
        PromptFault::UnknownToken | PromptFault::Unreadable => "send it as plain text",
        PromptFault::NoTemplate => "ask for a model that was made for conversations",
        PromptFault::Template => "put a system turn first, and let user and assistant take turns",
    }
}

/// What is wrong with a schema, if the engine says so itself. The library that compiles schemas quotes them: its texts
/// are the tenant's words.
fn schema_refused(reason: &str) -> String {
    const TOLD: [&str; 5] = [
        "it is longer than 65536 bytes",
        "it is nested deeper than 64 levels",
        "it is not JSON",
        "it is not a JSON object",
        "it cannot be compiled",
    ];
    let told = TOLD.iter().find(|told| **told == reason);
    let detail = told.map(|told| format!(": {told}")).unwrap_or_default();
    format!("the JSON schema cannot be enforced{detail}")
}

pub(crate) fn from_engine_failure(failure: EngineFailure) -> Failure {
    match failure {
        EngineFailure::EngineStopped => unavailable(&failure),
        // The schema asks for more work than a token may cost: the caller's to mend, and no use in trying again.
        EngineFailure::Grammar => Failure::Invalid {
            message: "the JSON schema costs too much to enforce: make it smaller, or less ambiguous"
                .to_owned(),
            param: Some("text.format.schema".to_owned()),
            code: None,
        },
        EngineFailure::Computation | EngineFailure::Entropy => internal(&failure),
    }
}

pub(crate) fn from_store(error: &StoreError) -> Failure {
    if let StoreError::Kms(error) = error {
        return from_key_use(error);
    }
    if matches!(error, StoreError::KeepsNothing) {
        return keeps_nothing("store", "Responses and conversations");
    }
    unavailable(error)
}

/// That an account keeps nothing.
pub(crate) fn keeps_nothing(param: &str, what: &str) -> Failure {
    Failure::Invalid {
        message: format!(
            "{what} cannot be kept: this account's data retention is 'none' (zero data retention). Send 'store': false and the \
             whole context with each request, or change the account's data retention."
        ),
        param: Some(param.to_owned()),
        code: Some("zero_data_retention"),
    }
}

pub(super) fn from_endpoints(error: &EndpointError) -> Failure {
    unavailable(error)
}

pub(super) fn unavailable(error: &(dyn std::error::Error + 'static)) -> Failure {
    tracing::error!(error = %chain(error), "a request failed, as something it needs is away");
    Failure::Unavailable
}

pub(super) fn internal(error: &(dyn std::error::Error + 'static)) -> Failure {
    tracing::error!(error = %chain(error), "a request failed by a fault of ours");
    Failure::Internal
}

/// An error with its causes, none of which hold content.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use moho_iam::authz::Layer;

    #[test]
    fn a_token_does_not_tell_which_account_has_its_provider() {
        let told = |error: TokenError| from_authn(&AuthnError::WebIdentity(error));
        let denied =
            Failure::AccessDenied("Not authorized to perform sts:AssumeRoleWithWebIdentity".to_owned());
        assert_eq!(told(TokenError::NoProvider), denied);
        assert_eq!(told(TokenError::Audience), denied);
        // Looked at before the account is.
        for error in [
            TokenError::UnknownIssuer,
            TokenError::Signature,
            TokenError::Claim("sub"),
        ] {
            assert!(
                matches!(
                    told(error),
                    Failure::Service {
                        code: "InvalidIdentityToken",
                        ..
                    }
                ),
                "{error}"
            );
        }
    }

    #[test]
    fn a_schema_is_refused_without_repeating_it() {
        let told = |reason: &str| {
            let refusal = EngineRefusal::InvalidSchema(reason.to_owned());
            let refused = from_engine_refusal(&refusal, &"m".parse().unwrap());
            let Failure::Invalid { message, param, .. } = refused else {
                panic!("{refused:?}")
            };
            (message, param)
        };
        let param = Some("text.format.schema".to_owned());
        for quoting in [
            "invalid type: zanzibar",
            "Unimplemented keys: [\"zanzibar\"]",
            "it is not JSON, but zanzibar",
        ] {
            let fixed = "the JSON schema cannot be enforced".to_owned();
            assert_eq!(told(quoting), (fixed, param.clone()));
        }
        assert_eq!(
            told("it is nested deeper than 64 levels").0,
            "the JSON schema cannot be enforced: it is nested deeper than 64 levels"
        );
    }

    #[test]
    fn only_who_may_ask_models_learns_which_are_served() {
        let model: ModelId = "m".parse().unwrap();
        let told = |reason, served| {
            let message = "no".to_owned();
            let detail = Box::default();
            let refusal = Refusal::AccessDenied {
                message,
                reason,
                detail,
            };
            from_model_refusal(&refusal, &model, served)
        };
        let denied = Failure::AccessDenied("no".to_owned());
        assert_eq!(told(Reason::ModelAccess, true), denied);
        assert_eq!(
            told(Reason::ModelAccess, false),
            Failure::ModelNotFound(Some(model.clone()))
        );
        for reason in [
            Reason::NotAllowed(Layer::Identity),
            Reason::ExplicitDeny(Layer::Session),
        ] {
            assert_eq!(told(reason, true), denied);
            assert_eq!(told(reason, false), denied);
        }
    }
}
