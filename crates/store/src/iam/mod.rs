//! Roles and policies, as IAM has them.
//!
//! Each method takes the permit for what it does; the permit's resource says which role or policy of which account. What a
//! method returns is committed. Refusals carry AWS's code and sentence ([`IamError`]).

mod attached;
mod entities;
mod error;
mod linked;
mod managed;
mod names;
mod profiles;
mod roles;
pub(crate) mod sources;
mod tags;
mod trust;
mod users;
mod versions;

pub use attached::AttachedPolicy;
pub use entities::{EntityFilter, EntityKind, PolicyEntity};
pub use error::{IamCode, IamError};
pub use managed::{ManagedPolicy, NewPolicy, PolicyFilter, PolicyVersion, TaggedPolicy};
pub use names::{IdKind, Listed, Page, unique_id};
pub use profiles::InstanceProfile;
pub use roles::{ChangesRole, NewRole, Role, RoleChange, TaggedRole};
pub use tags::Tag;
