//! Logs of a tenant: what CloudWatch Logs promises about finding events among them.
//!
//! [`pattern`] is the language of filter patterns. Nothing of it reads a file, a socket or a clock.
#![forbid(unsafe_code)]

pub mod pattern;
