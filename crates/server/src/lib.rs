//! The one binary's library: the rim (sockets, disk, clock, settings) around the request road.
//!
//! Everything that touches the outside world is here, and nothing below imports it. The rim reads bytes within limits
//! and hands them to one [`net::Road`]; what a request means is decided there.
#![forbid(unsafe_code)]

pub mod config;
pub mod engine_link;
mod handlers;
pub mod net;
mod road;
mod startup;
pub mod system;
