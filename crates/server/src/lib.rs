//! The one binary's library: the rim (sockets, disk, clock, settings) around the request road.
//!
//! Everything that touches the outside world is here, and nothing below imports it. The rim reads bytes within limits
//! and hands them to one [`net::Road`]; what a request means is decided there.
#![forbid(unsafe_code)]

mod access_logs;
mod api_calls;
mod attested;
mod bucket_segments;
pub mod cli;
pub mod closing;
pub mod config;
pub mod door;
mod endpoint_file;
mod endpoints;
pub mod engine_link;
mod event_history;
mod federation;
mod handlers;
mod invocations;
pub mod net;
mod object_calls;
pub mod outbound;
mod own_puts;
mod quota;
mod road;
mod root_key;
mod startup;
pub mod system;
pub mod telemetry;
mod trails;
mod usage;
mod witnesses;

use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::Opened;
use crate::road::RequestRoad;
use crate::startup::Started;
use crate::telemetry::Observed;

/// The binary `moho`.
#[must_use]
pub fn run() -> ExitCode {
    cli::run(|config, _surface, progress| {
        let Started {
            platform,
            locks,
            posture,
        } = startup::open(config, progress)?;
        Ok(Opened {
            observed: Arc::new(Observed::new(Arc::clone(&platform))),
            attestation: platform.attestation,
            shown: platform.attested.shown(),
            closing: platform.closing.clone(),
            door: platform.door.watch(),
            models: platform.engine.models().to_vec(),
            lives: {
                let platform = Arc::clone(&platform);
                Box::new(move || !platform.engine.has_ended())
            },
            posture,
            locks,
            road: Arc::new(RequestRoad::new(platform)),
        })
    })
}
