//! `moho restore`: a backup in the place of a store. What may be an earlier state than was known needs two who agree: whoever
//! operates moho, here, and afterwards a customer, before anything is served.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use moho_audit::FileJournal;
use moho_iam::authz::{Entry, Journal};
use moho_store::backup::{
    CheckedBackup, RestoreInto, StagedRestore, WhatIsKnown, restore_journal, stage_backup, staging_of,
    what_is_known,
};
use moho_store::{Restoration, Store, restoration_arn};
use moho_terms::{Clock, RequestId, Timestamp};

use super::backup::{JOURNAL, Place, checked, failed, given, in_the_way, told};
use super::counting::Counting;
use super::{Exit, Failure, say};
use crate::bucket_segments::place::NewPlace;
use crate::startup::log_keys;
use crate::system::{SystemClock, SystemEntropy};

pub(super) fn command(config: &dyn Fn() -> Arg) -> Command {
    Command::new("restore")
        .about("Puts a backup in the place of the store, with nobody on it")
        .long_about(
            "Checks every byte of a backup, tells what state it is of, and puts it in the place of the store. No moho may use the \
             store meanwhile. A store that is there makes way with --replace: it is set aside under another name, never \
             deleted.\n\nWhoever puts an earlier state back may bring back what was deleted, permissions that were taken away \
             and keys that were destroyed. So it is told what is known to be lost, and it takes consent twice: the operator's here \
             (--accept-rollback, or an answer at the terminal), and a customer's afterwards: moho starts, but serves nothing until \
             a principal of the management account that may `moho:AcceptRestore` has accepted it. Both are in the journal. Only a \
             backup of the very state that was known last needs neither.\n\nThe bytes of objects are put where the settings \
             say that objects rest: in files of the store, or in a new folder of the bucket (`objects.url`), so that a store that makes way \
             keeps its own.\n\nThe root key has to be the one of the backup's time; \
             the journal that is there stays, and is never rolled back.",
        )
        .after_help("Examples:\n  moho restore /srv/backups/moho --replace --config /etc/moho/moho.toml\n  moho restore /srv/backups/moho/20261123T101500Z --accept-rollback")
        .args([
            Arg::new("backup")
                .value_name("BACKUP")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The backup, or a folder of them: then its newest"),
            Arg::new("replace")
                .long("replace")
                .action(ArgAction::SetTrue)
                .help("Set a store that is there aside"),
            Arg::new("accept-rollback")
                .long("accept-rollback")
                .action(ArgAction::SetTrue)
                .help("Consent to what may be an earlier state than was known, as the operator"),
        ])
        .args(given(config))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let place = Place::of(matches)?;
    let backup = matches.get_one::<PathBuf>("backup").cloned().unwrap_or_default();
    let mut counting = Counting::new();
    // Whoever serves from here has it.
    let lock = moho_os::lock_file_exclusive(&place.data.join("lock"));
    let _lock = match lock {
        Err(error) if place.data.is_dir() => return Err(Failure::new(Exit::InTheWay, error)),
        other => other.ok(),
    };
    let checked = checked(&backup, &place.key, &mut counting)?;
    check_root(&place, &checked)?;
    let known = what_is_known(&place.store, &checked, &place.root);
    say(&format!("to be restored: {}", told(checked.head())))?;
    let earlier = is_told(&checked, &known)?;
    if earlier && !matches.get_flag("accept-rollback") && !consents()? {
        return Err(Failure::new(
            Exit::Refused,
            anyhow::anyhow!("nothing was changed: --accept-rollback is the consent to an earlier state"),
        ));
    }
    let staging = staging_of(&place.store);
    let elsewhere = place.settling(&staging).make(&SystemEntropy::default());
    let elsewhere = elsewhere.map_err(in_the_way)?;
    let into = RestoreInto {
        store: &place.store,
        segments: elsewhere.as_ref().map(NewPlace::segments),
        replace: matches.get_flag("replace"),
        now: SystemClock.now(),
    };
    let staged = stage_backup(&checked, &into, &mut |progress| counting.show(progress)).map_err(failed)?;
    counting.end();
    if let Some(elsewhere) = &elsewhere {
        elsewhere.remember(staged.path()).map_err(in_the_way)?;
    }
    let restoration = restoration(&checked, &known)?;
    let waiting = earlier.then_some(&restoration);
    staged
        .accept((&place.root, &SystemEntropy::default()), waiting)
        .map_err(failed)?;
    record(&place, (&checked, &staged), &restoration.id)?;
    let restored = staged.put_in_place().map_err(failed)?;
    if let Some(aside) = &restored.set_aside {
        say(&format!("the store that was there is {} now", aside.display()))?;
    }
    say(&format!("restored: {}", place.store.display()))?;
    if earlier {
        say(&format!(
            "nothing is served until a customer accepts restore {}: POST /v1/restore/accept (docs/operations.md)",
            restoration.id
        ))?;
    }
    Ok(())
}

/// The root key has to have the root that the backup's keys are under.
fn check_root(place: &Place, checked: &CheckedBackup) -> Result<(), Failure> {
    let ring = place.root.ring();
    let named = &checked.head().root_key;
    let has = ring.current().name() == *named || ring.previous().iter().any(|root| root.name() == *named);
    if has {
        return Ok(());
    }
    Err(Failure::new(
        Exit::InTheWay,
        anyhow::anyhow!(
            "the backup's keys are under the root {named}, which this root key file has no more: use the one from before the rotation"
        ),
    ))
}

/// Tells what is known of the state that was, and whether this may be an earlier one.
fn is_told(checked: &CheckedBackup, known: &WhatIsKnown) -> Result<bool, Failure> {
    let epoch = checked.head().epoch;
    match known.epoch {
        Some(last) if last == epoch && known.same_root => {
            say("this is the state that was known last: nothing is lost")?;
            return Ok(false);
        }
        Some(last) if last > epoch => say(&format!(
            "ROLLBACK: the store has seen {last} changes, the backup {epoch}: {} later ones are lost",
            last.saturating_sub(epoch)
        ))?,
        Some(last) => say(&format!(
            "ROLLBACK possible: the store that is there has seen {last} changes and is not the one of the backup, which has seen {epoch}"
        ))?,
        None => say(
            "ROLLBACK possible: nothing here knows what the last state was, so later changes than the backup's may be lost",
        )?,
    }
    for (what, now, then) in &known.counts {
        if now != then {
            say(&format!("  {what}: {then} in the backup, {now} now"))?;
        }
    }
    Ok(true)
}

fn consents() -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    let ask = write!(
        std::io::stderr().lock(),
        "Put this state back? Type `rollback` to consent: "
    );
    ask.map_err(|error| Failure::new(Exit::Failed, error))?;
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(line.trim() == "rollback")
}

/// What is written down in what is to be the store.
fn restoration(checked: &CheckedBackup, known: &WhatIsKnown) -> Result<Restoration, Failure> {
    let id =
        RequestId::random(&SystemEntropy::default()).map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(Restoration {
        id: id.to_string(),
        restored_at: SystemClock.now(),
        made_at: Timestamp::from_unix_micros(checked.head().made_at),
        epoch: checked.head().epoch,
        known_epoch: known.epoch,
        accepted: None,
    })
}

/// Opens what is to be the store, which nobody else does.
fn open_staged(place: &Place, staged: &StagedRestore) -> Result<Store, moho_store::StoreError> {
    Store::open(staged.path(), (&place.root, &SystemEntropy::default()))
}

/// Appends the restoration to the journal before it takes place: to the one that is there, or the backup's where there is none.
fn record(
    place: &Place,
    (checked, staged): (&CheckedBackup, &StagedRestore),
    id: &str,
) -> Result<(), Failure> {
    let refused = |error: anyhow::Error| Failure::new(Exit::InTheWay, error);
    let folder = place.data.join(JOURNAL);
    let none = moho_audit::whole_parts(&folder).is_ok_and(|parts| parts.is_empty());
    if none {
        restore_journal(checked, &folder).map_err(failed)?;
        if moho_audit::begin_log_of_restored(&folder).map_err(|error| refused(error.into()))? {
            say(
                "the checkpoint of the journal that was there is missing: the backup's begins a new log, with all its records",
            )?;
        }
    }
    let store = open_staged(place, staged).map_err(|error| refused(error.into()))?;
    let keys = log_keys(&store, &SystemEntropy::default()).map_err(|error| refused(error.into()))?;
    if moho_audit::begin_log_anew(&folder, &keys).map_err(|error| refused(error.into()))? {
        say(
            "the journal was published under a key of another store: it begins a new log, with all its records",
        )?;
    }
    let (journal, _) = FileJournal::open(&folder, &keys).map_err(|error| refused(error.into()))?;
    let first = store.bootstrapped().map_err(|error| refused(error.into()))?;
    let Some(first) = first else {
        // Nothing was ever begun in it: there is nobody whose it is.
        return Ok(());
    };
    let named = restoration_arn(first.region.as_str(), first.account.as_str(), id);
    let named = named.map_err(|error| refused(error.into()))?;
    let request = RequestId::random(&SystemEntropy::default()).map_err(|error| refused(error.into()))?;
    let entry = Entry::of_installation(request, ("moho:Restore", "operator"), named, SystemClock.now());
    journal.record(&entry).map_err(|error| refused(error.into()))?;
    Ok(())
}
