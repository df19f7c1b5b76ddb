//! Typed requests and replies of the AWS operations moho serves.

mod iam;
mod sts;

pub use iam::{CreateOpenIdConnectProvider, CreateOpenIdConnectProviderReply};
pub use sts::{AssumeRole, AssumeRoleReply, CallerIdentityReply};

use super::QueryService;
use super::document::{Document, Members};
use crate::{Command, Failure};

/// The command of a validated request.
pub(super) fn command(service: QueryService, operation: &str, input: Document) -> Result<Command, Failure> {
    let mut members = Members::of(input)?;
    match (service, operation) {
        (QueryService::Sts, "GetCallerIdentity") => Ok(Command::GetCallerIdentity),
        (QueryService::Sts, "AssumeRole") => {
            AssumeRole::read(&mut members).map(|request| Command::AssumeRole(Box::new(request)))
        }
        (QueryService::Iam, "CreateOpenIDConnectProvider") => CreateOpenIdConnectProvider::read(&mut members)
            .map(|request| Command::CreateOpenIdConnectProvider(Box::new(request))),
        // Every operation in a model has its line above; a test sees to it.
        _ => Err(Failure::Internal),
    }
}
