//! Who calls, and what may they do.
//!
//! `iam` is the only maker of the two proofs every request needs: [`authn::Authenticated`] (somebody's signature was
//! checked) and [`authz::Permit`] (a decision allowed it *and was journaled*). It is pure: no I/O, no clock, no
//! randomness of its own, so that the same bytes always give the same decision.
#![forbid(unsafe_code)]

pub mod action;
pub mod authn;
pub mod authz;
pub mod bootstrap;
pub mod managed;
pub mod oidc;
pub mod organisation;
mod own_services;
pub mod policy;
pub mod saml;
mod session;
mod verified;

pub use own_services::{NotInRole, OwnService, OwnServices};
pub use session::{
    Narrowing, NarrowingError, NarrowingRequest, PolicyRef, Principal, RoleFacts, RoleRef, Session,
    SessionTags, TagError, UserRef, WebIdentity,
};
pub use verified::Verified;
