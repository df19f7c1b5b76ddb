//! Decisions beside a plain reading of the same policies, and what a request costs from its signature to the journal.

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
    name: "bench-policy",
};
const ASKED: &str = "what is asked for";
const PLAIN: &str = "the same policies read plainly";
/// Decisions a second on one core, over 50 statements.
const PER_SECOND: f64 = 1e6;
/// The 99th of 100 decisions, in microseconds.
const DECISION: f64 = 5.0;
/// CPU of half of all requests, in microseconds.
const ROAD: f64 = 40.0;

/// What the program prints of decisions.
#[derive(Deserialize)]
struct Decisions {
    statements: u32,
    per_second: f64,
    plain_per_second: f64,
    p50_microseconds: f64,
    p99_microseconds: f64,
}

/// What it prints of requests.
#[derive(Deserialize)]
struct Road {
    known_p50: f64,
    known_p99: f64,
    new_p50: f64,
}

/// Runs the pairs.
pub(super) fn measure(places: &Places, pairs: u32) -> Result<Report> {
    let program = cargo::build(places, PROGRAM)?;
    let step = Step::count("bench", u64::from(pairs));
    let mut decisions: Vec<Decisions> = Vec::new();
    let mut roads: Vec<Road> = Vec::new();
    for pair in 0..pairs {
        decisions.push(run(&program, "decisions")?);
        roads.push(run(&program, "road")?);
        step.at(u64::from(pair).saturating_add(1));
    }
    step.done("measured decisions");
    report(pairs, &decisions, &roads)
}

fn run<T: DeserializeOwned>(program: &Path, what: &str) -> Result<T> {
    let printed = process::capture(Command::new(program).arg(what))?;
    serde_json::from_str(&printed).context("no figures were printed")
}

fn report(pairs: u32, decisions: &[Decisions], roads: &[Road]) -> Result<Report> {
    let what = |what, unit, better, bar| What {
        what,
        unit,
        better,
        bar,
    };
    let less = |words, bar| what(words, "µs", Better::Less, bar);
    let mut report = Report::new("policy", pairs);
    let sides: Vec<_> = decisions.iter().map(|d| (d.per_second, PER_SECOND)).collect();
    let row = what(
        "decisions over 50 statements, one core",
        "1/s",
        Better::More,
        Some(1.0),
    );
    report.compare(&row, ASKED, &sides)?;
    let sides: Vec<_> = decisions.iter().map(|d| (d.p99_microseconds, DECISION)).collect();
    report.compare(&less("one decision, p99", Some(1.0)), ASKED, &sides)?;
    let sides: Vec<_> = roads.iter().map(|road| (road.known_p50, ROAD)).collect();
    let row = less("SigV4 to journal, CPU, p50", Some(1.0));
    report.compare(&row, ASKED, &sides)?;
    let sides: Vec<_> = decisions
        .iter()
        .map(|d| (d.per_second, d.plain_per_second))
        .collect();
    let row = what("decisions, beside a plain reading", "1/s", Better::More, None);
    report.compare(&row, PLAIN, &sides)?;
    let all = |of: fn(&Decisions) -> f64| decisions.iter().map(of).collect::<Vec<_>>();
    report.tell(&less("one decision, p50", None), &all(|d| d.p50_microseconds))?;
    let statements = what("statements", "", Better::More, None);
    report.tell(&statements, &all(|d| f64::from(d.statements)))?;
    let all = |of: fn(&Road) -> f64| roads.iter().map(of).collect::<Vec<_>>();
    report.tell(
        &less("SigV4 to journal, CPU, p99", None),
        &all(|road| road.known_p99),
    )?;
    let row = less("SigV4 to journal, new session, CPU, p50", None);
    report.tell(&row, &all(|road| road.new_p50))?;
    Ok(report)
}
