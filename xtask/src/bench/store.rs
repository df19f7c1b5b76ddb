//! Keeping objects: sealing beside openssl, segments beside plain files, and small objects that are waited for.

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
    name: "bench-store",
};
const ASKED: &str = "what is asked for";
const OPENSSL: &str = "openssl speed -evp aes-256-gcm";
const PLAIN: &str = "the same files with plain bytes";
const SMALL: &str = "the same for 1 MiB";
/// Objects of 1 KiB a second.
const PUTS: f64 = 1500.0;
const SEALING: f64 = 0.8;
const FILES: f64 = 0.7;
/// What is flat may be measured a little more.
const FLAT: f64 = 1.05;
const MIB: f64 = 1_048_576.0;

#[derive(Deserialize)]
struct Sealed {
    mebibytes_per_second: f64,
}

#[derive(Deserialize)]
struct Rates {
    write: f64,
    read: f64,
    again: f64,
}

#[derive(Deserialize)]
struct Segments {
    sealed: Rates,
    plain: Rates,
}

impl Segments {
    fn sides(&self, of: fn(&Rates) -> f64) -> (f64, f64) {
        (of(&self.sealed), of(&self.plain))
    }
}

#[derive(Deserialize)]
struct Puts {
    per_second: f64,
    alone_per_second: f64,
}

#[derive(Deserialize)]
struct Peak {
    bytes: f64,
}

/// What one pair found.
struct Found {
    sealing: (f64, f64),
    segments: Segments,
    puts: Puts,
    memory: (f64, f64),
}

/// Runs the pairs.
pub(super) fn measure(places: &Places, pairs: u32) -> Result<Report> {
    let program = cargo::build(places, PROGRAM)?;
    let step = Step::count("bench", u64::from(pairs));
    let mut found = Vec::new();
    for pair in 0..pairs {
        found.push(one(&program, pair % 2 == 0)?);
        step.at(u64::from(pair).saturating_add(1));
    }
    step.done("measured the store");
    report(pairs, &found)
}

/// Whoever comes second finds the machine warmer: both take turns.
fn one(program: &Path, first: bool) -> Result<Found> {
    let seal = || Ok(run::<Sealed>(program, &["seal"])?.mebibytes_per_second);
    let peak = |mebibytes| Ok(run::<Peak>(program, &["memory", "--mebibytes", mebibytes])?.bytes / MIB);
    let order: &[&str] = if first { &[] } else { &["--plain-first"] };
    Ok(Found {
        sealing: in_turn(first, seal, openssl)?,
        segments: run(program, &[&["segments"], order].concat())?,
        puts: run(program, &["puts"])?,
        memory: in_turn(first, || peak("4096"), || peak("1"))?,
    })
}

fn in_turn(
    first: bool,
    ours: impl Fn() -> Result<f64>,
    theirs: impl Fn() -> Result<f64>,
) -> Result<(f64, f64)> {
    if first {
        let ours = ours()?;
        return Ok((ours, theirs()?));
    }
    let theirs = theirs()?;
    Ok((ours()?, theirs))
}

fn run<T: DeserializeOwned>(program: &Path, arguments: &[&str]) -> Result<T> {
    let printed = process::capture(Command::new(program).args(arguments))?;
    serde_json::from_str(&printed).context("no figures were printed")
}

/// MiB for each second of one core, as openssl counts its own.
fn openssl() -> Result<f64> {
    let arguments = [
        "speed",
        "-mr",
        "-seconds",
        "2",
        "-bytes",
        "1048576",
        "-evp",
        "aes-256-gcm",
    ];
    let printed = process::capture(Command::new("openssl").args(arguments))?;
    let line = printed.lines().find(|line| line.starts_with("+F:"));
    let bytes = line.and_then(|line| line.rsplit(':').next()?.trim().parse::<f64>().ok());
    Ok(bytes.context("openssl printed no figures")? / MIB)
}

fn report(pairs: u32, found: &[Found]) -> Result<Report> {
    let what = |what, unit, better, bar| What {
        what,
        unit,
        better,
        bar,
    };
    let more = |words, unit, bar| what(words, unit, Better::More, bar);
    let all = |of: fn(&Found) -> (f64, f64)| found.iter().map(of).collect::<Vec<_>>();
    let mut report = Report::new("store", pairs);
    let row = more("sealing chunks of 1 MiB, one core", "MiB/s", Some(SEALING));
    report.compare(&row, OPENSSL, &all(|one| one.sealing))?;
    let row = more("a segment of 64 MiB to the disk", "MiB/s", Some(FILES));
    report.compare(&row, PLAIN, &all(|one| one.segments.sides(|rates| rates.write)))?;
    let row = more("a segment of 64 MiB from the disk", "MiB/s", Some(FILES));
    report.compare(&row, PLAIN, &all(|one| one.segments.sides(|rates| rates.read)))?;
    let row = more("a segment of 64 MiB from memory, one core", "MiB/s", None);
    report.compare(&row, PLAIN, &all(|one| one.segments.sides(|rates| rates.again)))?;
    let row = more("objects of 1 KiB, durable, 64 clients", "1/s", Some(1.0));
    report.compare(&row, ASKED, &all(|one| (one.puts.per_second, PUTS)))?;
    let row = what(
        "memory for a segment of 4 GiB, at its peak",
        "MiB",
        Better::Less,
        Some(FLAT),
    );
    report.compare(&row, SMALL, &all(|one| one.memory))?;
    let alone: Vec<f64> = found.iter().map(|one| one.puts.alone_per_second).collect();
    report.tell(
        &more("objects of 1 KiB, durable, one client", "1/s", None),
        &alone,
    )?;
    Ok(report)
}
