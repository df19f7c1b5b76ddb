//! Measurements beside a peer, in one run, as one JSON object.
//!
//! Never a timed test: a benchmark reports medians over interleaved pairs, always succeeds if it could measure, and
//! leaves judging a bar to who reads `holds`.

mod audit;
mod engine;
mod kms;
mod logs;
mod machine;
mod policy;
mod report;
mod road;
mod store;

use anyhow::Result;

use crate::packages;
use crate::places::Places;

/// What `cargo xtask bench` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which one.
    name: Bench,
    /// Prints only the JSON object, without the table.
    #[arg(long)]
    json: bool,
    /// How many pairs: ours, the peer's, the peer's, ours, …
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
}

/// Every benchmark there is.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Bench {
    /// Entries that are waited for until they are on the disk, what that adds to a request, and proofs.
    Audit,
    /// The engine beside llama.cpp, same file, same threads.
    Engine,
    /// Data keys made and opened, in process and over the wire.
    Kms,
    /// Log events found among a million, beside grep over the same lines.
    Logs,
    /// Decisions beside a plain reading of the same policies, and a request's way from its signature to the journal.
    Policy,
    /// What the whole road adds to the engine called directly.
    Road,
    /// Sealing beside openssl, segments beside plain files, small rows that are waited for, and memory.
    Store,
}

/// Runs the benchmark and prints what it found.
pub(crate) fn run(options: &Options) -> Result<()> {
    let places = Places::find()?;
    packages::bring()?;
    let report = match options.name {
        Bench::Audit => audit::measure(&places, options.pairs)?,
        Bench::Engine => engine::measure(&places, options.pairs)?,
        Bench::Kms => kms::measure(&places, options.pairs)?,
        Bench::Logs => logs::measure(&places, options.pairs)?,
        Bench::Policy => policy::measure(&places, options.pairs)?,
        Bench::Road => road::measure(&places, options.pairs)?,
        Bench::Store => store::measure(&places, options.pairs)?,
    };
    report.print(options.json)
}
