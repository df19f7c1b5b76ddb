//! Requests and replies of `organizations`, by subject.

pub mod organization;
pub mod policies;
pub mod shapes;

use crate::Failure;
use crate::aws::declare::Operations as _;
use crate::aws::document::Members;

/// A parsed request.
pub enum Request {
    /// The organisation, its accounts and its units.
    Organization(organization::Request),
    /// Policies of the organisation, and what they are attached to.
    Policies(policies::Request),
}

impl Request {
    /// AWS's name of the operation.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Organization(request) => request.name(),
            Self::Policies(request) => request.name(),
        }
    }

    pub(crate) fn read(operation: &str, members: &mut Members) -> Result<Self, Failure> {
        if organization::Request::NAMES.contains(&operation) {
            return organization::Request::read(operation, members).map(Self::Organization);
        }
        if policies::Request::NAMES.contains(&operation) {
            return policies::Request::read(operation, members).map(Self::Policies);
        }
        Err(Failure::Internal)
    }
}
