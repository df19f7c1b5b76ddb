//! Requests and replies of CloudWatch Logs, by subject.

pub mod events;
pub mod groups;
pub mod rules;

use crate::Failure;
use crate::aws::declare::Operations as _;
use crate::aws::document::Members;

/// A parsed request.
pub enum Request {
    /// Log groups.
    Groups(groups::Request),
    /// Log streams and events.
    Events(events::Request),
    /// Filters and policies.
    Rules(rules::Request),
}

impl Request {
    /// AWS's name of the operation.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Groups(request) => request.name(),
            Self::Events(request) => request.name(),
            Self::Rules(request) => request.name(),
        }
    }

    pub(crate) fn read(operation: &str, members: &mut Members) -> Result<Self, Failure> {
        if groups::Request::NAMES.contains(&operation) {
            return groups::Request::read(operation, members).map(Self::Groups);
        }
        if events::Request::NAMES.contains(&operation) {
            return events::Request::read(operation, members).map(Self::Events);
        }
        if rules::Request::NAMES.contains(&operation) {
            return rules::Request::read(operation, members).map(Self::Rules);
        }
        Err(Failure::Internal)
    }
}
