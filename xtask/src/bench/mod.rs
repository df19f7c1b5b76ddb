//! Measurements beside a peer, in one run, as one JSON object.

use anyhow::Result;

/// What `cargo xtask bench` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which one.
    name: Bench,
    /// Prints only the JSON object.
    #[arg(long)]
    json: bool,
}

/// Every benchmark there is.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Bench {
    /// The engine beside llama.cpp, same file, same threads.
    Engine,
    /// What the whole road adds to the engine called directly.
    Road,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let _ = (options.name, options.json);
    Ok(())
}
