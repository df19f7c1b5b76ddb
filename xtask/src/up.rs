//! From a fresh checkout to a served, answering model in one command.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::places::Places;

use crate::{cargo, demo_model, packages};

/// What `cargo xtask up` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Ends after the first answer instead of serving on.
    #[arg(long)]
    once: bool,
    /// Where moho keeps its state.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where moho listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
}

/// Brings everything up.
pub(crate) fn run(options: &Options) -> Result<()> {
    let _ = options;
    let places = Places::find()?;
    packages::bring()?;
    let _moho = cargo::build(&places, cargo::MOHO)?;
    let _model = demo_model::bring(&places)?;
    Ok(())
}
