//! Logs of a tenant: what CloudWatch Logs promises about events and about finding them.
//!
//! [`pattern`] is the language of filter patterns. [`batch`] says which events of a batch are taken, [`search`] finds events in
//! what the store keeps, with bounded work for each request, and [`delivery`]
//! puts events of moho's own services. Nothing of it reads a file, a socket or a clock: time, keys and
//! the store are passed in.
#![forbid(unsafe_code)]

pub mod batch;
pub mod delivery;
pub mod pattern;
pub mod retention;
pub mod search;
