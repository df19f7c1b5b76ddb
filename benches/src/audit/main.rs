//! What it takes to be on the record: entries that are waited for until they are on the disk, what that adds to a request, and
//! proofs in logs of any length.

mod durable;
mod proofs;

use anyhow::Result;
use clap::{Parser, Subcommand};
use moho_benches::print;

/// Measures the journal.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Entries of many callers at a time, each waited for until it is on the disk.
    Entries {
        /// Callers at a time.
        #[arg(long, default_value_t = 256)]
        callers: u32,
        /// Entries of each.
        #[arg(long, default_value_t = 400)]
        count: u32,
    },
    /// What waiting adds to a request that does something meanwhile, and what one wait of the disk takes.
    Added {
        /// Requests, one after the other.
        #[arg(long, default_value_t = 1000)]
        count: u32,
    },
    /// Proofs in a log of so many entries.
    Proofs {
        /// How many.
        #[arg(long)]
        entries: u64,
    },
}

fn main() -> Result<()> {
    match Options::parse().what {
        What::Entries { callers, count } => print(&durable::entries(callers, count)?),
        What::Added { count } => print(&durable::added(count)?),
        What::Proofs { entries } => print(&proofs::measure(entries)?),
    }
}
