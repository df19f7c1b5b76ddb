//! `moho root rotate`: another root, while everything goes on.

use std::ops::ControlFlow;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use moho_kms::{RootRotation, RootRotationError, RootRotationStep, RootRotationWish};
use moho_store::Store;

use super::protect::note;
use super::{harden, open, root_config, unopened};
use crate::cli::{Exit, Failure, say, surroundings, typed};
use crate::config;
use crate::system::SystemEntropy;

/// After so many keys it says how far it is.
const SAID: usize = 1000;
/// How long it waits before it goes through the keys again, because others changed some: as long as a process may take to
/// see what others do.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) fn command() -> Command {
    Command::new("rotate")
        .about("Puts all keys under a new root, while moho serves")
        .long_about(
            "Makes a new root, puts every key of every account under it, and takes the old root out of the file. Keys, what they \
             sealed, and sessions stay as they are; a moho that serves goes on, and sees the new root by itself. If it is stopped \
             anywhere, even by `kill -9`, call it again: it goes on from there.\n\nWhen somebody may have got hold of the root key \
             file or its passphrase: protect it anew first, restart moho, rotate with --end-sessions, restart moho again. \
             Backups of the store from before a rotation need the root key file from before it.",
        )
        .after_help("Examples:\n  moho root rotate --data /var/lib/moho\n  moho root rotate --end-sessions --config /etc/moho/moho.toml")
        .args([
            Arg::new("end-sessions")
                .long("end-sessions")
                .action(ArgAction::SetTrue)
                .help("End all sessions, too, and whatever else is only derived: from the next start of each moho on"),
            Arg::new("give-up-damaged")
                .long("give-up-damaged")
                .action(ArgAction::SetTrue)
                .help("Go on without keys that are damaged; without it, the old root stays until they are whole again"),
        ])
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = root_config(matches)?;
    let store = config::store(&typed(matches)?, &surroundings())?.join("store");
    harden()?;
    if !store.is_dir() {
        let nothing = anyhow::anyhow!(
            "there is no store at {}: name moho's data directory with --data, or the store's with --store-dir",
            store.display()
        );
        return Err(Failure::new(Exit::InTheWay, nothing));
    }
    let root = open(&config)?;
    let entropy = SystemEntropy::default();
    let store =
        Store::open(&store, (&root, &entropy)).map_err(|error| Failure::new(Exit::InTheWay, error))?;
    let wish = RootRotationWish {
        new_seed: matches.get_flag("end-sessions"),
        give_up_damaged: matches.get_flag("give-up-damaged"),
    };
    let keys = RootRotation::new(&root, &store, &entropy)
        .run(wish, &mut watch)
        .map_err(failed)?;
    say(&format!(
        "{keys} keys are under the new root, {}; the old one has left {}",
        root.ring().current().name(),
        config.file.display()
    ))?;
    if wish.new_seed {
        note("Restart every moho on this store: from then on no session of before is taken.")?;
    }
    note("Back up the root key file now.")
}

fn watch(step: RootRotationStep) -> ControlFlow<()> {
    let said = match step {
        RootRotationStep::Begun { resumed: false } => note("The new root is in the file."),
        RootRotationStep::Begun { resumed: true } => {
            note("An earlier rotation had not ended: this one ends it.")
        }
        RootRotationStep::Rewrapped { keys } if keys % SAID == 0 => note(&format!("{keys} keys …")),
        RootRotationStep::Rewrapped { .. } | RootRotationStep::Ended => Ok(()),
        RootRotationStep::Again => {
            std::thread::sleep(PAUSE);
            Ok(())
        }
    };
    // Nobody has to listen.
    drop(said);
    ControlFlow::Continue(())
}

fn failed(error: RootRotationError) -> Failure {
    let exit = if matches!(error, RootRotationError::Damaged(_)) {
        Exit::Damaged
    } else {
        Exit::Failed
    };
    if let RootRotationError::Root(error) = error {
        return unopened(error.into());
    }
    Failure::new(exit, error)
}
