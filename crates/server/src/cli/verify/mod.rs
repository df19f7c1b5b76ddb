//! `moho verify`: what moho or a platform has proven, checked by whoever has the proof.

mod evidence;
mod log;

use clap::{ArgMatches, Command};

use super::{Exit, Failure};

pub(super) fn command() -> Command {
    Command::new("verify")
        .about("Checks what moho has proven, without moho")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(evidence::command())
        .subcommand(log::command())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("evidence", asked)) => evidence::run(asked),
        Some(("log", asked)) => log::run(asked),
        Some(_) | None => Ok(()),
    }
}

fn usage(error: anyhow::Error) -> Failure {
    Failure::new(Exit::Usage, error)
}
