//! IAM's operations: which action each takes, and on what.

mod providers;

use moho_wire::Failure;
use moho_wire::aws::ops::iam::Request;

use super::{Trip, unserved};
use crate::net::Outbound;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    match request {
        Request::Providers(request) => providers::dispatch(trip, request).await,
        Request::Roles(_)
        | Request::RolePolicies(_)
        | Request::Policies(_)
        | Request::InstanceProfiles(_)
        | Request::Simulation(_)
        | Request::Account(_)
        | Request::Users(_)
        | Request::UserPolicies(_)
        | Request::Groups(_)
        | Request::Credentials(_) => Err(unserved(request.name())),
    }
}
