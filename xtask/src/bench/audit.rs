//! The journal: entries that are waited for, what that adds to a request, and proofs in logs of any length.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::report::{Better, Report, What};
use crate::cargo::{self, Binary};
use crate::places::Places;
use crate::process;
use crate::terminal::Step;

const PROGRAM: Binary = Binary {
    package: "moho-benches",
    name: "bench-audit",
};
const ASKED: &str = "what is asked for";
const SYNC: &str = "one fdatasync of as many bytes";
const SMALLER: &str = "the same in a log of 10,000";
/// Entries on the disk a second, on two cores.
const ENTRIES: f64 = 20_000.0;
/// Time of the processors for one entry, in microseconds.
const CPU: f64 = 50.0;
/// The logarithm of 10^7, in that of 10^4.
const GROWTH: f64 = 1.75;
/// A proof's time grows as its hashes do, and with how much of the log the caches hold.
const LOGS: [&str; 3] = ["10000", "1000000", "10000000"];

#[derive(Deserialize)]
struct Entries {
    per_second: f64,
    cpu_microseconds: f64,
}

#[derive(Deserialize)]
struct Added {
    added: f64,
    request: f64,
    sync: f64,
}

#[derive(Deserialize)]
struct Proofs {
    inclusion_microseconds: f64,
    consistency_microseconds: f64,
    longest: f64,
}

/// What one pair found.
struct Found {
    entries: Entries,
    added: Added,
    proofs: [Proofs; 3],
}

/// Runs the pairs.
pub(super) fn measure(places: &Places, pairs: u32) -> Result<Report> {
    let program = cargo::build(places, PROGRAM)?;
    let step = Step::count("bench", u64::from(pairs));
    let mut found = Vec::new();
    for pair in 0..pairs {
        found.push(one(&program)?);
        step.at(u64::from(pair).saturating_add(1));
    }
    step.done("measured the journal");
    report(pairs, &found)
}

fn one(program: &Path) -> Result<Found> {
    let proofs = |entries| run(program, &["proofs", "--entries", entries]);
    let [small, middle, large] = LOGS;
    Ok(Found {
        entries: run(program, &["entries"])?,
        added: run(program, &["added"])?,
        proofs: [proofs(small)?, proofs(middle)?, proofs(large)?],
    })
}

fn run<T: DeserializeOwned>(program: &Path, arguments: &[&str]) -> Result<T> {
    let printed = process::capture(Command::new(program).args(arguments))?;
    serde_json::from_str(&printed).context("no figures were printed")
}

fn report(pairs: u32, found: &[Found]) -> Result<Report> {
    let what = |what, unit, better, bar| What {
        what,
        unit,
        better,
        bar,
    };
    let less = |words, unit, bar| what(words, unit, Better::Less, bar);
    let all = |of: &dyn Fn(&Found) -> (f64, f64)| found.iter().map(of).collect::<Vec<_>>();
    let mut report = Report::new("audit", pairs);
    let row = what("entries on the disk, 256 callers", "1/s", Better::More, Some(1.0));
    report.compare(&row, ASKED, &all(&|one| (one.entries.per_second, ENTRIES)))?;
    let row = less("time of the processors for an entry", "us", Some(1.0));
    report.compare(&row, ASKED, &all(&|one| (one.entries.cpu_microseconds, CPU)))?;
    let row = less("what waiting adds to a request for a data key", "us", Some(1.0));
    report.compare(&row, SYNC, &all(&|one| (one.added.added, one.added.sync)))?;
    let alone: Vec<f64> = found.iter().map(|one| one.added.request).collect();
    report.tell(&less("that request without waiting", "us", None), &alone)?;
    let names = [
        ("an entry proven among 10^6", "a smaller log proven among 10^6"),
        ("an entry proven among 10^7", "a smaller log proven among 10^7"),
    ];
    for ((entry, log), place) in names.into_iter().zip(1_usize..) {
        let both = |one: &Found, of: fn(&Proofs) -> f64| {
            let [small, ..] = &one.proofs;
            (one.proofs.get(place).map_or(f64::NAN, of), of(small))
        };
        report.compare(
            &less(entry, "us", None),
            SMALLER,
            &all(&|one| both(one, |proofs| proofs.inclusion_microseconds)),
        )?;
        report.compare(
            &less(log, "us", None),
            SMALLER,
            &all(&|one| both(one, |proofs| proofs.consistency_microseconds)),
        )?;
    }
    let row = less("hashes of the longest proof among 10^7", "", Some(GROWTH));
    report.compare(
        &row,
        SMALLER,
        &all(&|one| {
            let [small, _, large] = &one.proofs;
            (large.longest, small.longest)
        }),
    )?;
    Ok(report)
}
