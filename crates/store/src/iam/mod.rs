//! Roles and policies, as IAM has them.
//!
//! Each method takes the permit for what it does; the permit's resource says which role or policy of which account. What a
//! method returns is committed. Refusals carry AWS's code and sentence ([`IamError`]).

mod access_jobs;
mod account;
mod attachable;
pub(crate) mod attached;
pub(crate) mod bound;
mod entities;
pub(crate) mod error;
mod last_access;
mod linked;
pub(crate) mod managed;
pub(crate) mod names;
mod narrowing;
mod principals;
mod profiles;
mod roles;
pub(crate) mod tags;
pub(crate) mod trust;
mod users;
mod versions;

pub use access_jobs::{AccessJob, AskedAbout};
pub use account::{AccountCounts, IdentityDetails, PolicyDetails, RoleDetails, quotas};
pub use attached::AttachedPolicy;
pub(crate) use bound::grantee_id;
pub use entities::{EntityFilter, EntityKind, PolicyEntity};
pub use error::{IamCode, IamError};
pub use last_access::{Access, LastAccess, TellsLastUse};
pub use managed::{ManagedPolicy, NewPolicy, PolicyFilter, PolicyVersion, TaggedPolicy};
pub use names::{IdKind, Listed, Page, unique_id};
pub use narrowing::MakesSession;
pub use principals::Examines;
pub use profiles::InstanceProfile;
pub use roles::{ChangesRole, NewRole, Role, RoleChange, TaggedRole};
pub use tags::Tag;
