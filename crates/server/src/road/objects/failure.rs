//! What went wrong before the gateway, by S3's codes.

use moho_iam::authn::{AuthnError, is_presigned};
use moho_wire::{ErrorShape, Failure};

use crate::net::{Head, RimError};
use crate::road::failure;

/// A proof that failed. S3 tells more cases apart than AWS's other services.
pub(in crate::road) fn from_authn(head: &Head, error: &AuthnError) -> Failure {
    let presigned = is_presigned(&head.raw_query);
    let service = |code, status, message: &str| Failure::Service {
        code,
        message: message.to_owned(),
        status,
    };
    match error {
        AuthnError::Unsupported(_) => service(
            "InvalidRequest",
            400,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        ),
        AuthnError::HeaderNotSigned => service("AccessDenied", 403, &error.to_string()),
        AuthnError::Malformed(message) if presigned => {
            service("AuthorizationQueryParametersError", 400, message)
        }
        AuthnError::Skewed { signed, now, .. } if presigned && signed <= now => {
            service("AccessDenied", 403, "Request has expired")
        }
        AuthnError::UnknownKey if brings_token(head) => service(
            "InvalidToken",
            400,
            "The provided token is malformed or otherwise invalid. Get new credentials with `moho login`, or AssumeRole.",
        ),
        AuthnError::Malformed(_)
        | AuthnError::Skewed { .. }
        | AuthnError::UnknownKey
        | AuthnError::Missing
        | AuthnError::Payload(_)
        | AuthnError::WrongScope(_)
        | AuthnError::WrongService(_)
        | AuthnError::WrongRegion { .. }
        | AuthnError::BadSignature
        | AuthnError::WebIdentity(_)
        | AuthnError::Expired { .. }
        | AuthnError::Unavailable(_) => failure::from_authn(error),
    }
}

/// A refusal of the rim's.
pub(in crate::road) fn from_rim(error: RimError) -> Failure {
    let service = |code, status| Failure::Service {
        code,
        message: failure::mended(error),
        status,
    };
    match error {
        RimError::BodyBroken => service("IncompleteBody", 400),
        RimError::BodyTooLarge { .. } => service("EntityTooLarge", 400),
        RimError::BodyTooSlow { .. } => service("RequestTimeout", 400),
        RimError::Busy | RimError::Full | RimError::TooMany | RimError::Unproven => service("SlowDown", 503),
        RimError::Stopping
        | RimError::NoSingleHost
        | RimError::ExpectationFailed
        | RimError::ContentEncoding
        | RimError::Internal => failure::from_rim(error, ErrorShape::S3),
    }
}

/// Whether a request brings a session token.
fn brings_token(head: &Head) -> bool {
    let in_query = || {
        let pairs = head.raw_query.split('&');
        pairs
            .filter_map(|pair| pair.split_once('='))
            .any(|(name, _)| name == "X-Amz-Security-Token")
    };
    head.headers.contains_key("x-amz-security-token") || in_query()
}
