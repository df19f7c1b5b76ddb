//! What keys cost: data keys made and opened in this process, with permit and journal, and over the wire.
//!
//! `inner` takes requests through decision, journal and key in this process; `wire` asks a server over TLS, each request
//! signed. The credentials for that come on standard input, since a command line can be read by every user of the machine.

mod inner;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use moho_benches::print;

/// Measures keys.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Data keys, in this process, on one core.
    Inner {
        /// How many of each.
        #[arg(long, default_value_t = 200_000)]
        count: u32,
    },
    /// Requests to a server.
    Wire(Wire),
}

/// Which server, and how much of it is asked.
#[derive(clap::Args)]
pub(crate) struct Wire {
    /// Where it listens.
    #[arg(long)]
    address: SocketAddr,
    /// The certificate authority to trust.
    #[arg(long)]
    authority: PathBuf,
    /// How many connections at once.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// How many requests of each kind.
    #[arg(long, default_value_t = 20_000)]
    requests: usize,
}

fn main() -> Result<()> {
    match Options::parse().what {
        What::Inner { count } => print(&inner::measure(count)?),
        What::Wire(wire) => print(&wire::measure(&wire)?),
    }
}
