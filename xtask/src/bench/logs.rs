//! Log events found among a million, beside `grep -F` over the same lines in a plain file, in one run.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::report::{Better, Report, What};
use crate::cargo::{self, Binary};
use crate::places::Places;
use crate::process;
use crate::terminal::Step;

const PROGRAM: Binary = Binary {
    package: "moho-benches",
    name: "bench-logs",
};
const ASKED: &str = "what is asked for";
const GREP: &str = "grep -F over a plain file";
/// Seconds that a search may take.
const SEARCH: f64 = 1.0;

/// What the program prints: seconds and bytes.
#[derive(Deserialize)]
struct Found {
    put: f64,
    sealed_bytes: f64,
    plain_bytes: f64,
    rare: f64,
    rare_grep: f64,
    frequent_page: f64,
    frequent_all: f64,
    frequent_grep: f64,
    json: f64,
    json_grep: f64,
}

/// Runs the pairs.
pub(super) fn measure(places: &Places, pairs: u32) -> Result<Report> {
    let program = cargo::build(places, PROGRAM)?;
    let step = Step::count("bench", u64::from(pairs));
    let mut found = Vec::new();
    for pair in 0..pairs {
        found.push(run(&program)?);
        step.at(u64::from(pair).saturating_add(1));
    }
    step.done("measured searches");
    report(pairs, &found)
}

fn run(program: &Path) -> Result<Found> {
    let printed = process::capture(&mut Command::new(program))?;
    serde_json::from_str(&printed).context("no figures were printed")
}

fn report(pairs: u32, found: &[Found]) -> Result<Report> {
    let less = |what, unit, bar| What {
        what,
        unit,
        better: Better::Less,
        bar,
    };
    let mut report = Report::new("logs", pairs);
    let all = |of: fn(&Found) -> f64| found.iter().map(of).collect::<Vec<_>>();
    let sides = |of: fn(&Found) -> (f64, f64)| found.iter().map(of).collect::<Vec<_>>();
    let row = less("a rare term among a million events", "s", Some(1.0));
    report.compare(&row, ASKED, &sides(|f| (f.rare, SEARCH)))?;
    let row = less("a frequent term, first page of 10,000", "s", Some(1.0));
    report.compare(&row, ASKED, &sides(|f| (f.frequent_page, SEARCH)))?;
    let row = less("properties of JSON, rare", "s", Some(1.0));
    report.compare(&row, ASKED, &sides(|f| (f.json, SEARCH)))?;
    let row = less("a rare term, beside grep", "s", None);
    report.compare(&row, GREP, &sides(|f| (f.rare, f.rare_grep)))?;
    let row = less("a frequent term, all 100,000, beside grep", "s", None);
    report.compare(&row, GREP, &sides(|f| (f.frequent_all, f.frequent_grep)))?;
    let row = less("properties of JSON, beside grep for their text", "s", None);
    report.compare(&row, GREP, &sides(|f| (f.json, f.json_grep)))?;
    report.tell(
        &less("putting them in batches of 5,000", "s", None),
        &all(|f| f.put),
    )?;
    let row = less("bytes kept, beside those of the lines", "B", None);
    report.compare(&row, "the lines", &sides(|f| (f.sealed_bytes, f.plain_bytes)))?;
    Ok(report)
}
