//! IAM's operations: which action each takes, and on what.

mod account;
mod credentials;
mod groups;
mod named;
mod policies;
mod providers;
mod roles;
mod users;

use moho_wire::Failure;
use moho_wire::aws::ops::iam::Request;

use super::Trip;
use crate::net::Outbound;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    match request {
        Request::Providers(request) => providers::dispatch(trip, request).await,
        Request::Roles(request) => roles::dispatch(trip, request).await,
        Request::RolePolicies(request) => roles::policies(trip, request).await,
        Request::Policies(request) => policies::dispatch(trip, request).await,
        Request::InstanceProfiles(request) => roles::instance_profiles(trip, request).await,
        Request::Simulation(request) => account::simulation(trip, request).await,
        Request::Account(request) => account::dispatch(trip, request).await,
        Request::Users(request) => users::dispatch(trip, request).await,
        Request::UserPolicies(request) => users::policies(trip, request).await,
        Request::Groups(request) => groups::dispatch(trip, request).await,
        Request::Credentials(request) => credentials::dispatch(trip, request).await,
    }
}
