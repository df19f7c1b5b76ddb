//! The fast gate: what needs no model and no client, run as one list so that every complaint is seen at once.

use std::process::Command;

use anyhow::{Result, bail};

use crate::cargo::{self, cargo};
use crate::places::Places;
use crate::process;
use crate::stopwatch::Stopwatch;
use crate::terminal;

/// Links to private items are fine: private items are documented too.
const DOCUMENTATION: &str = "-D warnings -A rustdoc::private_intra_doc_links";

const CARGO_DENY: &str = "0.20.2";

/// Runs every check, even after one has failed.
pub(crate) fn run() -> Result<()> {
    gate(&Places::find()?)
}

/// Runs every check in a known place.
pub(crate) fn gate(places: &Places) -> Result<()> {
    let mut lints = cargo(
        places,
        &["clippy", "--release", "--locked", "--workspace", "--all-targets"],
    );
    lints.args(["--", "-D", "warnings"]);
    // The whole workspace with one test picked out: another choice of packages would build other features anew.
    let tidy = [
        "test",
        "--release",
        "--locked",
        "--quiet",
        "--workspace",
        "--test",
        "tidy",
    ];
    let mut documents = cargo(
        places,
        &["doc", "--release", "--locked", "--workspace", "--no-deps"],
    );
    documents
        .arg("--document-private-items")
        .env("RUSTDOCFLAGS", DOCUMENTATION);
    let mut parts = Parts::new();
    parts.run("format", &mut cargo(places, &["fmt", "--all", "--check"]));
    parts.run("lints", &mut lints);
    parts.run("tidy", &mut cargo(places, &tidy));
    parts.run("documentation", &mut documents);
    parts.run("dependencies", &mut dependencies(places)?);
    parts.verdict()
}

/// Not the advisories: their database is a git repository, which a machine that reaches only package registries
/// cannot fetch. Run `cargo deny check advisories` where it can.
fn dependencies(places: &Places) -> Result<Command> {
    let program = cargo::tool(places, "cargo-deny", CARGO_DENY)?;
    let mut command = Command::new(program);
    command.args([
        "--locked",
        "--log-level",
        "error",
        "check",
        "--hide-inclusion-graph",
    ]);
    command
        .args(["bans", "licenses", "sources"])
        .current_dir(places.checkout());
    cargo::clean(&mut command);
    Ok(command)
}

/// Parts of a run, each with its time and outcome.
pub(crate) struct Parts {
    lines: Vec<String>,
    failed: Vec<String>,
}

impl Parts {
    /// No part yet.
    pub(crate) fn new() -> Self {
        Self {
            lines: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Runs one part by a program.
    pub(crate) fn run(&mut self, name: &str, command: &mut Command) {
        self.take(name, || process::run(command));
    }

    /// Runs one part.
    pub(crate) fn take(&mut self, name: &str, part: impl FnOnce() -> Result<()>) {
        terminal::note(&format!("==> {name}"));
        let since = Stopwatch::start();
        let outcome = part();
        let took = terminal::duration(since.elapsed());
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        self.lines.push(format!("{name:<24} {word:<7} {took}"));
        if let Err(error) = outcome {
            terminal::note(&format!("{name}: {error:#}"));
            self.failed.push(name.to_owned());
        }
    }

    /// Prints the table and fails if any part has.
    pub(crate) fn verdict(self) -> Result<()> {
        for line in &self.lines {
            terminal::note(line);
        }
        if self.failed.is_empty() {
            return Ok(());
        }
        bail!("failed: {}", self.failed.join(", "))
    }
}
