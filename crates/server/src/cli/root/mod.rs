//! `moho root`: looks after the root key, under which all keys are.

mod protect;
mod rotate;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use moho_kms::{Quorum, RootFile, RootKey, RootKeyError, RootKind};

use super::{Exit, Failure, say, surroundings, typed};
use crate::config::{self, RootConfig, Typed};
use crate::root_key::{self, NoRootKey};
use crate::system::SystemEntropy;

pub(super) fn command(config: &dyn Fn() -> Arg) -> Command {
    let given = || {
        let of_root = |arg: &Arg| {
            arg.get_id() == "data" || arg.get_id() == "store" || arg.get_id().as_str().starts_with("root.")
        };
        Typed::args().into_iter().filter(of_root).chain([config()])
    };
    Command::new("root")
        .about("Looks after the root key, under which all keys are")
        .long_about(
            "Looks after the root key, under which all keys of all accounts are: without it, nothing in the data directory \
             opens. It lies in a file (`root.key` in the data directory, or in that of --store-dir), which says of itself what protects it:\n\n  \
             development  nothing but the file's permissions; what `moho serve` makes when it finds none\n  passphrase   a \
             passphrase (Argon2id), which `moho serve` reads from --root-passphrase-file or asks for\n  shares       so many of \
             the shares that a key was split into (Shamir), which `moho serve` reads or asks for\n\nPassphrases and shares come \
             from files or the terminal, never from arguments or variables. Back up the file whenever one of these commands \
             has changed it, apart from the backups of the store.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            Command::new("show")
                .about("Says what protects the root key, and whether a rotation has ended")
                .long_about(
                    "Says what protects the root key. If its passphrase or shares are given as files, or nothing protects it, it \
                     also names the roots in it: the current one, and those that a rotation has not done with. It changes \
                     nothing, asks for nothing, and may run beside a moho that serves.",
                )
                .args(given()),
            rotate::command().args(given()),
            protect::protect_command().args(given()),
            protect::split_command().args(given()),
            protect::recover_command().args(given()),
        ])
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("show", asked)) => show(&root_config(asked)?),
        Some(("rotate", asked)) => rotate::run(asked),
        Some(("protect", asked)) => protect::protect(asked),
        Some(("split", asked)) => protect::split(asked),
        Some(("recover", asked)) => protect::recover(asked),
        Some(_) | None => Ok(()),
    }
}

fn root_config(matches: &ArgMatches) -> Result<RootConfig, Failure> {
    Ok(config::root(&typed(matches)?, &surroundings())?)
}

/// Before a secret comes into this process.
pub(super) fn harden() -> Result<(), Failure> {
    moho_os::harden_process().map_err(|error| Failure::new(Exit::InTheWay, error))
}

pub(super) fn open(config: &RootConfig) -> Result<RootKey, Failure> {
    root_key::open(config, &SystemEntropy::default()).map_err(unopened)
}

/// A file that was altered ends as a journal does that was.
fn unopened(error: NoRootKey) -> Failure {
    let damaged = matches!(
        error,
        NoRootKey::Root(RootKeyError::Damaged | RootKeyError::CutShort | RootKeyError::NotRootKey)
    );
    Failure::new(if damaged { Exit::Damaged } else { Exit::InTheWay }, error)
}

fn show(config: &RootConfig) -> Result<(), Failure> {
    harden()?;
    let file = RootFile::read(&config.file).map_err(|error| unopened(error.into()))?;
    say(&format!("file:       {}", config.file.display()))?;
    say(&format!("protection: {}", protection(&file)))?;
    let given = match file.kind() {
        RootKind::Development => true,
        RootKind::Passphrase => config.passphrase.is_some(),
        RootKind::Shares => !config.shares.is_empty(),
    };
    if !given {
        return say("roots:      not looked at, as neither passphrase nor shares are given in files");
    }
    let ring = open(config)?.ring();
    say(&format!("root:       {}", ring.current().name()))?;
    for root in ring.previous() {
        say(&format!(
            "before:     {} (keys may still be under it: `moho root rotate` ends that)",
            root.name()
        ))?;
    }
    Ok(())
}

/// What protects a file, in words.
pub(in crate::cli) fn protection(file: &RootFile) -> String {
    match (file.kind(), file.cost(), file.quorum()) {
        (RootKind::Passphrase, Some(cost), _) => format!(
            "passphrase (Argon2id, {} MiB, {} passes)",
            cost.mebibytes(),
            cost.passes()
        ),
        (RootKind::Shares, _, Some(quorum)) => {
            format!("shares, {} of {}", quorum.threshold(), quorum.count())
        }
        (RootKind::Development, ..) => {
            "development: in the clear, for whoever can read the file or a copy of it".to_owned()
        }
        (kind, ..) => kind.as_str().to_owned(),
    }
}

/// What the file is to be protected by from now on.
fn new_protection() -> [Arg; 4] {
    [
        Arg::new("passphrase")
            .long("passphrase")
            .action(ArgAction::SetTrue)
            .help("Put it under a passphrase, which is asked for twice at the terminal"),
        Arg::new("passphrase-file")
            .long("passphrase-file")
            .value_name("FILE")
            .value_parser(value_parser!(std::path::PathBuf))
            .help("Put it under the passphrase in this file, which others cannot read"),
        Arg::new("shares")
            .long("shares")
            .value_name("M/N")
            .value_parser(value_parser!(Quorum))
            .help("Put it under a new key in N shares, which are printed, and any M of which open it: 3/5"),
        Arg::new("development")
            .long("development")
            .action(ArgAction::SetTrue)
            .help("Leave it in the clear: for development only"),
    ]
}

fn new_protection_group() -> ArgGroup {
    ArgGroup::new("protection")
        .args(["passphrase", "passphrase-file", "shares", "development"])
        .required(true)
}
