//! Keys: data keys made and opened in one process, with permit and journal, and over TLS, each request signed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::report::{Better, Report, What};
use super::road::free_address;
use crate::cargo::{self, Binary};
use crate::places::Places;
use crate::served::{Served, Setup};
use crate::terminal::Step;
use crate::{demo_model, process};

const PROGRAM: Binary = Binary {
    package: "moho-benches",
    name: "bench-kms",
};
const ASKED: &str = "what is asked for";
const LIBRARY: &str = "the library alone: 32 bytes under a fresh AES-256-GCM key";
const DESCRIBE: &str = "DescribeKey on the same connections";
/// Data keys a second, made or opened, on one core.
const INNER: f64 = 1e5;
/// The same over TLS, signed, client and server on two cores.
const WIRE: f64 = 8e3;

/// What the program prints of itself alone.
#[derive(Deserialize)]
struct Inner {
    generate: f64,
    decrypt: f64,
    permit: f64,
    library: f64,
}

/// What it prints of a server.
#[derive(Deserialize)]
struct Wire {
    generate: f64,
    decrypt: f64,
    describe: f64,
}

/// Runs the pairs.
pub(super) fn measure(places: &Places, pairs: u32) -> Result<Report> {
    let program = cargo::build(places, PROGRAM)?;
    let moho = cargo::build(places, cargo::MOHO)?;
    let model = demo_model::bring(places)?;
    let data = tempfile::tempdir().context("cannot make a folder")?;
    let setup = Setup {
        moho: &moho,
        model: &model,
        data: data.path(),
        listen: free_address()?,
    };
    let mut served = Served::start(&setup)?;
    let _health = served.wait_until_ready()?;
    let step = Step::count("bench", u64::from(pairs));
    let (mut inner, mut wire) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        inner.push(alone(&program)?);
        wire.push(over_the_wire(&program, &served, &setup)?);
        step.at(u64::from(pair).saturating_add(1));
    }
    served.end()?;
    step.done("measured keys");
    report(pairs, &inner, &wire)
}

fn alone(program: &PathBuf) -> Result<Inner> {
    let printed = process::capture(Command::new(program).arg("inner"))?;
    serde_json::from_str(&printed).context("no figures were printed")
}

fn over_the_wire(program: &Path, served: &Served, setup: &Setup<'_>) -> Result<Wire> {
    let credentials = served.credentials("Admin")?;
    let told = serde_json::json!({
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Region": credentials.region,
        "Date": process::capture(Command::new("date").args(["-u", "+%Y%m%dT%H%M%SZ"]))?.trim(),
    });
    let mut command = Command::new(program);
    command
        .args(["wire", "--address", &setup.listen.to_string(), "--authority"])
        .arg(served.authority())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start the client")?;
    let mut input = child.stdin.take().context("the client takes no input")?;
    input
        .write_all(told.to_string().as_bytes())
        .context("the client takes no credentials")?;
    drop(input);
    let output = child.wait_with_output().context("cannot wait for the client")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the client failed: {}",
        process::last_lines(&said, 20)
    );
    serde_json::from_slice(&output.stdout).context("no figures were printed")
}

fn report(pairs: u32, inner: &[Inner], wire: &[Wire]) -> Result<Report> {
    let what = |what, bar| What {
        what,
        unit: "1/s",
        better: Better::More,
        bar,
    };
    let mut report = Report::new("kms", pairs);
    let inside = |of: fn(&Inner) -> (f64, f64)| inner.iter().map(of).collect::<Vec<_>>();
    let outside = |of: fn(&Wire) -> (f64, f64)| wire.iter().map(of).collect::<Vec<_>>();
    let bar = Some(1.0);
    let row = what("GenerateDataKey with permit and journal, one core", bar);
    report.compare(&row, ASKED, &inside(|found| (found.generate, INNER)))?;
    let row = what("Decrypt with permit and journal, one core", bar);
    report.compare(&row, ASKED, &inside(|found| (found.decrypt, INNER)))?;
    let row = what("GenerateDataKey over TLS, SigV4, with its client", bar);
    report.compare(&row, ASKED, &outside(|found| (found.generate, WIRE)))?;
    let row = what("Decrypt over TLS, SigV4, with its client", bar);
    report.compare(&row, ASKED, &outside(|found| (found.decrypt, WIRE)))?;
    let row = what("GenerateDataKey, one core", None);
    report.compare(&row, LIBRARY, &inside(|found| (found.generate, found.library)))?;
    let row = what("GenerateDataKey over TLS", None);
    report.compare(&row, DESCRIBE, &outside(|found| (found.generate, found.describe)))?;
    let permits: Vec<f64> = inner.iter().map(|found| found.permit).collect();
    report.tell(&what("permit and journal alone, one core", None), &permits)?;
    Ok(report)
}
