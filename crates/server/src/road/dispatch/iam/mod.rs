//! IAM's operations: which action each takes, and on what.

mod named;
mod policies;
mod providers;
mod roles;

use moho_wire::Failure;
use moho_wire::aws::ops::iam::Request;

use super::{Trip, unserved};
use crate::net::Outbound;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    match request {
        Request::Providers(request) => providers::dispatch(trip, request).await,
        Request::Roles(request) => roles::dispatch(trip, request).await,
        Request::RolePolicies(request) => roles::policies(trip, request).await,
        Request::Policies(request) => policies::dispatch(trip, request).await,
        Request::InstanceProfiles(request) => roles::instance_profiles(trip, request).await,
        Request::Simulation(_)
        | Request::Account(_)
        | Request::Users(_)
        | Request::UserPolicies(_)
        | Request::Groups(_)
        | Request::Credentials(_) => Err(unserved(request.name())),
    }
}
