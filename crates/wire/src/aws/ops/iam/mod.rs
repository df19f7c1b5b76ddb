//! Requests and replies of `iam`, by subject.

pub mod account;
pub mod credentials;
pub mod groups;
pub mod instance_profiles;
pub mod policies;
pub mod providers;
pub mod role_policies;
pub mod roles;
pub mod shapes;
pub mod simulation;
pub mod user_policies;
pub mod users;

use crate::Failure;
use crate::aws::declare::Operations as _;
use crate::aws::document::Members;

/// A parsed request.
pub enum Request {
    /// Roles: themselves, their trust, boundaries and tags; roles of services.
    Roles(roles::Request),
    /// Policies of roles: inline and attached.
    RolePolicies(role_policies::Request),
    /// Managed policies and their versions.
    Policies(policies::Request),
    /// Instance profiles.
    InstanceProfiles(instance_profiles::Request),
    /// What would be decided, and what policies ask about.
    Simulation(simulation::Request),
    /// An account seen as a whole, and when what was used.
    Account(account::Request),
    /// Users: themselves, boundaries, tags; the account's alias.
    Users(users::Request),
    /// Policies of users: inline and attached.
    UserPolicies(user_policies::Request),
    /// Groups, who is in them, and their policies.
    Groups(groups::Request),
    /// Long-lived credentials: access keys and service-specific ones.
    Credentials(credentials::Request),
    /// Identity providers: OpenID Connect and SAML.
    Providers(providers::Request),
}

impl Request {
    /// AWS's name of the operation.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Roles(request) => request.name(),
            Self::RolePolicies(request) => request.name(),
            Self::Policies(request) => request.name(),
            Self::InstanceProfiles(request) => request.name(),
            Self::Simulation(request) => request.name(),
            Self::Account(request) => request.name(),
            Self::Users(request) => request.name(),
            Self::UserPolicies(request) => request.name(),
            Self::Groups(request) => request.name(),
            Self::Credentials(request) => request.name(),
            Self::Providers(request) => request.name(),
        }
    }

    pub(crate) fn read(operation: &str, members: &mut Members) -> Result<Self, Failure> {
        if roles::Request::NAMES.contains(&operation) {
            return roles::Request::read(operation, members).map(Self::Roles);
        }
        if role_policies::Request::NAMES.contains(&operation) {
            return role_policies::Request::read(operation, members).map(Self::RolePolicies);
        }
        if policies::Request::NAMES.contains(&operation) {
            return policies::Request::read(operation, members).map(Self::Policies);
        }
        if instance_profiles::Request::NAMES.contains(&operation) {
            return instance_profiles::Request::read(operation, members).map(Self::InstanceProfiles);
        }
        if simulation::Request::NAMES.contains(&operation) {
            return simulation::Request::read(operation, members).map(Self::Simulation);
        }
        if account::Request::NAMES.contains(&operation) {
            return account::Request::read(operation, members).map(Self::Account);
        }
        if users::Request::NAMES.contains(&operation) {
            return users::Request::read(operation, members).map(Self::Users);
        }
        if user_policies::Request::NAMES.contains(&operation) {
            return user_policies::Request::read(operation, members).map(Self::UserPolicies);
        }
        if groups::Request::NAMES.contains(&operation) {
            return groups::Request::read(operation, members).map(Self::Groups);
        }
        if credentials::Request::NAMES.contains(&operation) {
            return credentials::Request::read(operation, members).map(Self::Credentials);
        }
        if providers::Request::NAMES.contains(&operation) {
            return providers::Request::read(operation, members).map(Self::Providers);
        }
        Err(Failure::Internal)
    }
}
