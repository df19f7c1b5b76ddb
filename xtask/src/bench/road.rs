//! What the whole road (TLS, authentication, policy, journal, codec) adds to the engine called directly.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::machine::cores;
use super::report::{Better, Report, What, median, percentile};
use crate::cargo::{self, Binary};
use crate::places::Places;
use crate::served::{Served, Setup};
use crate::stopwatch::Stopwatch;
use crate::terminal::Step;
use crate::{demo_model, proc, process};

const ENGINE: Binary = Binary {
    package: "moho-benches",
    name: "bench-engine",
};
const CLIENT: Binary = Binary {
    package: "moho-benches",
    name: "bench-road",
};
const PEER_NAME: &str = "the engine called directly";
const QUESTION: &str = "Name one rock.";
/// Requests on each side of each pair: enough for a 99th percentile that is not the maximum.
const REQUESTS: u32 = 200;

/// What either program prints.
#[derive(Deserialize)]
struct Latency {
    milliseconds: Vec<f64>,
    #[serde(default)]
    cpu_seconds: f64,
}

/// The programs and files of one run.
struct Bench {
    moho: PathBuf,
    engine: PathBuf,
    client: PathBuf,
    model: PathBuf,
    data: tempfile::TempDir,
    listen: SocketAddr,
}

/// One pair: the road's side and the engine's.
struct Pair {
    road: Latency,
    direct: Latency,
}

/// Runs the pairs.
pub(super) fn measure(places: &Places, pairs: u32) -> Result<Report> {
    let bench = Bench {
        moho: cargo::build(places, cargo::MOHO)?,
        engine: cargo::build(places, ENGINE)?,
        client: cargo::build(places, CLIENT)?,
        model: demo_model::bring(places)?,
        data: tempfile::tempdir().context("cannot make a folder")?,
        listen: free_address()?,
    };
    let mut served = Served::start(&bench.setup())?;
    let _health = served.wait_until_ready()?;
    let key = served.credentials("Developer")?.bearer_token;
    let step = Step::count("bench", u64::from(pairs));
    let mut found = Vec::new();
    for pair in 0..pairs {
        found.push(if pair % 2 == 0 {
            let road = bench.road(&served, &key)?;
            Pair {
                road,
                direct: bench.direct()?,
            }
        } else {
            let direct = bench.direct()?;
            Pair {
                road: bench.road(&served, &key)?,
                direct,
            }
        });
        step.at(u64::from(pair).saturating_add(1));
    }
    let memory = proc::peak_memory(served.process())?;
    served.end()?;
    let starts = (0..pairs)
        .map(|_| bench.time_to_first_token(&key))
        .collect::<Result<Vec<_>>>()?;
    step.done("measured the road");
    report(pairs, &found, &starts, memory)
}

fn report(pairs: u32, found: &[Pair], starts: &[f64], memory: u64) -> Result<Report> {
    let less = |what, unit| What {
        what,
        unit,
        better: Better::Less,
        bar: None,
    };
    let sides = |of: fn(&Latency) -> Result<f64>| {
        found
            .iter()
            .map(|pair| Ok((of(&pair.road)?, of(&pair.direct)?)))
            .collect::<Result<Vec<_>>>()
    };
    let (p50, p99) = (sides(middle)?, sides(worst)?);
    let cpu = sides(|side| Ok(side.cpu_seconds * 1e3 / f64::from(REQUESTS)))?;
    let added = |pairs: &[(f64, f64)]| {
        pairs
            .iter()
            .map(|(road, direct)| road - direct)
            .collect::<Vec<_>>()
    };
    let mut report = Report::new("road", pairs);
    report.compare(&less("request of one token, p50", "ms"), PEER_NAME, &p50)?;
    report.compare(&less("request of one token, p99", "ms"), PEER_NAME, &p99)?;
    report.compare(&less("CPU of one request", "ms"), PEER_NAME, &cpu)?;
    report.tell(&less("added by the road, p50", "ms"), &added(&p50))?;
    report.tell(&less("added by the road, p99", "ms"), &added(&p99))?;
    report.tell(&less("CPU added by the road", "ms"), &added(&cpu))?;
    report.tell(&less("from `moho serve` to the first token", "ms"), starts)?;
    // A u64 of bytes is exact in an f64 up to 8 PiB.
    #[expect(clippy::cast_precision_loss, reason = "no machine has 8 PiB")]
    let memory = memory as f64 / 1_048_576.0;
    report.tell(&less("peak memory of the server", "MiB"), &[memory])?;
    Ok(report)
}

fn middle(side: &Latency) -> Result<f64> {
    median(side.milliseconds.iter().copied())
}

fn worst(side: &Latency) -> Result<f64> {
    percentile(side.milliseconds.iter().copied(), 99)
}

impl Bench {
    fn setup(&self) -> Setup<'_> {
        Setup {
            moho: &self.moho,
            model: &self.model,
            data: self.data.path(),
            listen: self.listen,
        }
    }

    /// The same request by messages to an engine in a process of its own.
    fn direct(&self) -> Result<Latency> {
        let mut command = Command::new(&self.engine);
        command
            .arg("--model")
            .arg(&self.model)
            .args(["--threads", &cores().to_string(), "latency"]);
        command.args(["--requests", &REQUESTS.to_string(), "--question", QUESTION]);
        latency(&process::capture(&mut command)?)
    }

    /// The server's CPU time, not the client's.
    fn road(&self, served: &Served, key: &str) -> Result<Latency> {
        let before = proc::cpu_time(served.process())?;
        let mut command = self.client(&served.authority());
        let client = fed(
            command.args(["latency", "--requests", &REQUESTS.to_string()]),
            key,
        )?;
        let output = client.wait_with_output().context("cannot wait for the client")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "the client failed: {}",
            process::last_lines(&said, 20)
        );
        let mut found = latency(&String::from_utf8(output.stdout).context("no figures")?)?;
        found.cpu_seconds = proc::cpu_time(served.process())?
            .saturating_sub(before)
            .as_secs_f64();
        Ok(found)
    }

    /// Milliseconds from the start of a server, its state already there, to the first word of a first answer.
    fn time_to_first_token(&self, key: &str) -> Result<f64> {
        let mut command = self.client(&self.data.path().join("ca.pem"));
        let client = fed(command.arg("first-token"), key)?;
        let since = Stopwatch::start();
        let mut served = Served::start(&self.setup())?;
        let output = client.wait_with_output().context("cannot wait for the client")?;
        let took = since.elapsed().as_secs_f64() * 1e3;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "the client failed: {}",
            process::last_lines(&said, 20)
        );
        served.end()?;
        Ok(took)
    }

    fn client(&self, authority: &Path) -> Command {
        let mut command = Command::new(&self.client);
        command.args(["--address", &self.listen.to_string(), "--model", demo_model::ID]);
        command
            .args(["--question", QUESTION, "--authority"])
            .arg(authority);
        command
    }
}

/// Starts a program that reads the bearer key from standard input.
fn fed(command: &mut Command, key: &str) -> Result<Child> {
    use std::io::Write as _;
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start the client")?;
    let mut input = child.stdin.take().context("the client takes no input")?;
    input
        .write_all(key.as_bytes())
        .context("the client takes no key")?;
    Ok(child)
}

fn latency(printed: &str) -> Result<Latency> {
    let found: Latency = serde_json::from_str(printed).context("no figures were printed")?;
    let expected = usize::try_from(REQUESTS)?;
    ensure!(
        found.milliseconds.len() == expected,
        "{} requests were measured",
        found.milliseconds.len()
    );
    Ok(found)
}

/// A port that nobody uses now.
pub(super) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    listener.local_addr().context("the port has no number")
}
