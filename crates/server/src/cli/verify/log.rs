//! `moho verify log`: a journal held to what it has said, by whoever has its files and its key.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use moho_attest::log::{NoteKey, SignatureKind, Trust};
use moho_audit::{HeldLog, KeptCheckpoint, LogFault, hold, hold_range};
use moho_store::backup::Progress;
use serde::Serialize;

use super::super::counting::Counting;
use super::super::{Exit, Failure, say};
use super::usage;

pub(super) fn command() -> Command {
    let several = |id: &'static str, value: &'static str, help: &'static str| {
        Arg::new(id)
            .long(id)
            .value_name(value)
            .action(ArgAction::Append)
            .help(help)
    };
    Command::new("log")
        .about("Checks that a journal is what its checkpoints were signed over")
        .long_about(
            "Checks every record of a journal, its chain of digests, and that the Merkle tree over them is the one that the last \
             checkpoint was signed over; with --against also that it continues checkpoints that somebody kept before: a journal that \
             was rolled back, forked or altered in between does not. Nothing is changed, nothing is asked of any server, and it may \
             run beside a moho that serves, or on a copy of its journal's folder.\n\nThe key is the one that `/v1/log/key` tells: ask \
             for it once, and keep it where whoever operates moho cannot change it. It ends with 0 if all fits, with 1 and the reason \
             if anything does not, and with 2 if it was asked wrongly.",
        )
        .arg(
            Arg::new("folder")
                .value_name("FOLDER")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The journal's folder: `journal` in moho's data directory"),
        )
        .arg(several("key", "KEY", "The log's key, NAME+ID+KEY, or a file with it").required(true))
        .arg(several("against", "FILE", "A checkpoint that was kept before").value_parser(value_parser!(PathBuf)))
        .arg(several("witness", "KEY", "The key of a witness, or a file with it"))
        .arg(
            Arg::new("witnesses-needed")
                .long("witnesses-needed")
                .value_name("N")
                .value_parser(value_parser!(usize))
                .help("How many witnesses must have cosigned the last checkpoint [default: all that are named]"),
        )
        .arg(
            Arg::new("records")
                .long("records")
                .value_name("FIRST-LAST")
                .value_parser(range)
                .help("Checks these records alone, by proofs from the hashes beside them"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Says it as JSON"),
        )
}

fn range(text: &str) -> Result<(u64, u64), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| {
        text.parse()
            .map_err(|error| format!("{error}: name two numbers, such as 100-200"))
    };
    Ok((number(first)?, number(last)?))
}

pub(super) fn run(asked: &ArgMatches) -> Result<(), Failure> {
    let Some(folder) = asked.get_one::<PathBuf>("folder") else {
        return Ok(());
    };
    let trust = trust(asked)?;
    let earlier = asked
        .get_many::<PathBuf>("against")
        .into_iter()
        .flatten()
        .map(|path| kept(path));
    let earlier = earlier.collect::<Result<Vec<_>, _>>()?;
    let held = match asked.get_one::<(u64, u64)>("records") {
        Some(range) => hold_range(folder, &trust, &earlier, *range),
        None => {
            let mut counting = Counting::new();
            let held = hold(folder, &trust, &earlier, &mut |done, all| {
                counting.show(Progress {
                    step: "files of the journal",
                    done: done as u64,
                    total: all as u64,
                    bytes: 0,
                });
            });
            counting.end();
            held
        }
    };
    told(held, asked.get_flag("json"))
}

/// Whom to believe: the log of the first key, and the witnesses that are named.
fn trust(asked: &ArgMatches) -> Result<Trust, Failure> {
    let keys = |id: &str, kind: SignatureKind| {
        let named = asked.get_many::<String>(id).into_iter().flatten();
        named.map(|text| key(text, kind)).collect::<Result<Vec<_>, _>>()
    };
    let log = keys("key", SignatureKind::Ed25519)?;
    let witnesses = keys("witness", SignatureKind::Cosignature)?;
    let origin = log.first().map(|key| key.name().clone());
    let origin = origin.ok_or_else(|| usage(anyhow::anyhow!("name the log's key with --key")))?;
    let needed = asked.get_one("witnesses-needed").copied();
    Ok(Trust {
        origin,
        log,
        needed: needed.unwrap_or(witnesses.len()),
        witnesses,
    })
}

/// A key by itself, or in a file.
fn key(text: &str, kind: SignatureKind) -> Result<NoteKey, Failure> {
    let read = match text.parse::<NoteKey>() {
        Ok(key) => Ok(key),
        Err(error) => match std::fs::read_to_string(text) {
            Ok(file) => file.trim().parse(),
            Err(_absent) => Err(error),
        },
    };
    let key = read.map_err(|error| usage(anyhow::Error::new(error).context(format!("{text} is no key"))))?;
    if key.kind() != kind {
        return Err(usage(anyhow::anyhow!(
            "{text} is a key of another kind: logs have kind 1, witnesses 4"
        )));
    }
    Ok(key)
}

fn kept(path: &Path) -> Result<KeptCheckpoint, Failure> {
    let name = path.display().to_string();
    let note = std::fs::read(path);
    let note =
        note.map_err(|error| usage(anyhow::Error::new(error).context(format!("cannot read {name}"))))?;
    Ok(KeptCheckpoint { name, note })
}

/// As JSON.
#[derive(Serialize)]
struct Told<'a> {
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<(u64, u64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unpublished: Option<u64>,
    witnesses: Vec<&'a str>,
}

fn told(held: Result<HeldLog, LogFault>, json: bool) -> Result<(), Failure> {
    let found = match &held {
        Ok(held) => {
            let checkpoint = held.signed.checkpoint();
            Told {
                accepted: true,
                reason: None,
                origin: Some(checkpoint.origin.as_str()),
                size: Some(checkpoint.size),
                root: Some(checkpoint.root.to_base64()),
                records: held.records,
                unpublished: Some(held.unpublished),
                witnesses: held
                    .signed
                    .cosignatures()
                    .iter()
                    .map(|one| one.witness().as_str())
                    .collect(),
            }
        }
        Err(fault) => Told {
            accepted: false,
            reason: Some(crate::road::chain(fault)),
            origin: None,
            size: None,
            root: None,
            records: None,
            unpublished: None,
            witnesses: Vec::new(),
        },
    };
    if json {
        say(&serde_json::to_string(&found).map_err(|error| Failure::new(Exit::Failed, error))?)?;
    } else if let (Some(origin), Some(size), Some(root)) = (found.origin, found.size, &found.root) {
        let (first, last) = found.records.unwrap_or_default();
        say(&format!(
            "accepted: records {first} to {last} of {origin}; {size} are signed, their root is {root}"
        ))?;
        if !found.witnesses.is_empty() {
            say(&format!("cosigned by {}", found.witnesses.join(", ")))?;
        }
    }
    held.map(drop).map_err(|fault| Failure::new(Exit::Failed, fault))
}
