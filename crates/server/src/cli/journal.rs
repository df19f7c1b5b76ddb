//! `moho journal verify`: the chain of entries, checked from the first to the last.

use clap::{ArgMatches, Command};
use moho_audit::AuditError;

use super::{Exit, Failure, say, surroundings, typed};
use crate::config;

/// The journal's folder in the data directory.
const FOLDER: &str = "journal";

pub(super) fn command() -> Command {
    Command::new("journal")
        .about("Looks at the journal")
        .subcommand_required(true)
        .arg_required_else_help(true)
}

pub(super) fn verify_command() -> Command {
    Command::new("verify")
        .about("Checks that no entry of the journal was changed, moved or taken out")
        .long_about(
            "Checks the journal of every decision from its first entry to its last: each carries the digest of the one \
                         before, so that nothing can be changed, moved or taken out in between. It may run beside a moho that \
                         serves. It ends with 5 at the first entry that does not fit, and says which.",
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("verify", asked)) => verify(asked),
        Some(_) | None => Ok(()),
    }
}

fn verify(matches: &ArgMatches) -> Result<(), Failure> {
    let directory = config::data(&typed(matches)?, &surroundings())?.join(FOLDER);
    if !directory.is_dir() {
        let missing = anyhow::anyhow!(
            "there is no journal at {}: name moho's data directory with --data",
            directory.display()
        );
        return Err(Failure::new(Exit::InTheWay, missing));
    }
    let verified = moho_audit::verify(&directory).map_err(|error| {
        let exit = if matches!(error, AuditError::Broken { .. }) {
            Exit::Damaged
        } else {
            Exit::InTheWay
        };
        Failure::new(exit, error)
    })?;
    say(&format!(
        "whole: {} entries in {} files; the last one's digest is {}",
        verified.records, verified.segments, verified.head
    ))?;
    if verified.unfinished_bytes > 0 {
        say(&format!(
            "{} bytes of an unfinished entry follow, for which no request was answered",
            verified.unfinished_bytes
        ))?;
    }
    Ok(())
}
