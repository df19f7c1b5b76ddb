//! Temporary credentials: who am I, become somebody, and learn why something was denied.
//!
//! Nothing is kept of what is issued: the session token carries the session.

mod asking;
mod assume;
mod user;
mod web_identity;

use moho_iam::action::sts;
use moho_iam::authn::{IssueError, TemporaryCredentials};
use moho_iam::authz::Permit;
use moho_terms::AccessKeyId;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::sts::{
    Credentials, DecodeAuthorizationMessage, DecodeAuthorizationMessageResponse, GetAccessKeyInfo,
    GetAccessKeyInfoResponse, GetCallerIdentityResponse,
};
use moho_wire::{Failure, Reply};

pub(crate) use asking::{Asking, narrowing};
pub(crate) use assume::assume_role;
pub(crate) use user::{Federating, get_federation_token, get_session_token};
pub(crate) use web_identity::assume_role_with_web_identity;

use super::Asked;

/// STS `GetCallerIdentity`
pub(crate) fn get_caller_identity(
    asked: &Asked,
    permit: &Permit<sts::GetCallerIdentity>,
) -> Result<Reply, Failure> {
    let session = permit.session();
    GetCallerIdentityResponse {
        user_id: Some(session.user_id().to_owned()),
        account: Some(session.account().to_string()),
        arn: Some(session.principal_arn().to_string()),
    }
    .reply(Service::Sts, "GetCallerIdentity", &asked.request)
}

/// STS `GetAccessKeyInfo`: the account stands in every key's id, so that keys that are gone have one too.
pub(crate) fn get_access_key_info(
    asked: &Asked,
    _permit: &Permit<sts::GetAccessKeyInfo>,
    get: &GetAccessKeyInfo,
) -> Result<Reply, Failure> {
    let id: Option<AccessKeyId> = get.access_key_id.parse().ok();
    let account = id
        .and_then(|id| id.account())
        .ok_or_else(|| service("ValidationError", "Invalid access key id".to_owned(), 400))?;
    GetAccessKeyInfoResponse {
        account: Some(account.to_string()),
    }
    .reply(Service::Sts, "GetAccessKeyInfo", &asked.request)
}

/// STS `DecodeAuthorizationMessage`
pub(crate) fn decode_authorization_message(
    asked: &Asked,
    permit: &Permit<sts::DecodeAuthorizationMessage>,
    decode: &DecodeAuthorizationMessage,
) -> Result<Reply, Failure> {
    let decoded = asked
        .platform
        .authenticator
        .decode_authorization_message(permit, &decode.encoded_message);
    let decoded = decoded.ok_or_else(|| {
        service(
            "InvalidAuthorizationMessageException",
            "Message is not valid".to_owned(),
            400,
        )
    })?;
    DecodeAuthorizationMessageResponse {
        decoded_message: Some(decoded),
    }
    .reply(Service::Sts, "DecodeAuthorizationMessage", &asked.request)
}

fn credentials_of(issued: TemporaryCredentials) -> Credentials {
    Credentials {
        access_key_id: Some(issued.access_key_id.to_string()),
        secret_access_key: Some(issued.secret_access_key),
        session_token: Some(issued.session_token),
        expiration: Some(issued.expires_at),
    }
}

/// An error of STS in its own words.
pub(crate) fn service(code: &'static str, message: String, status: u16) -> Failure {
    Failure::Service {
        code,
        message,
        status,
    }
}

/// Why nothing was issued, in STS's words.
pub(crate) fn from_issue(error: &IssueError) -> Failure {
    match error {
        IssueError::Duration { .. }
        | IssueError::MaxSessionDuration
        | IssueError::Chaining
        | IssueError::Bootstrap => service("ValidationError", error.to_string(), 400),
        IssueError::Tags(_) | IssueError::SourceIdentity => {
            service("InvalidParameterValue", error.to_string(), 400)
        }
        IssueError::PolicyTooLarge { .. } | IssueError::TagsTooLarge { .. } | IssueError::TokenTooLarge => {
            service("PackedPolicyTooLarge", error.to_string(), 400)
        }
        IssueError::SessionCredentials { .. } => service("AccessDenied", error.to_string(), 403),
        IssueError::Entropy(_) => Failure::Unavailable,
        IssueError::OtherPermit
        | IssueError::WithoutLeave
        | IssueError::Sealing
        | IssueError::BearerDuration
        | IssueError::Token(_)
        | IssueError::Name(_) => Failure::Internal,
    }
}
