//! The engine beside llama.cpp: same file, same threads, same tokens, one process each and one after the other.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::machine::cores;
use super::report::{Better, Report, What};
use crate::cargo::{self, Binary};
use crate::places::Places;
use crate::python::Environment;
use crate::terminal::Step;
use crate::{demo_model, process};

const OURS: Binary = Binary {
    package: "moho-benches",
    name: "bench-engine",
};
const PEERS: &str = "benches/peers/requirements.txt";
const PEER: &str = "benches/peers/llama.py";
const PEER_NAME: &str = "llama.cpp (llama-cpp-python 0.3.36)";

/// What either program prints.
#[derive(Deserialize)]
struct Throughput {
    prefill: f64,
    decode: f64,
    together: f64,
    memory: f64,
    load_seconds: f64,
}

/// One figure of both, and what it is called.
type Figure = (What, fn(&Throughput) -> f64);

/// Runs the pairs.
pub(super) fn measure(places: &Places, pairs: u32) -> Result<Report> {
    let ours = cargo::build(places, OURS)?;
    let model = demo_model::bring(places)?;
    let list = places.checkout().join(PEERS);
    let requirements = std::fs::read_to_string(&list).context("cannot read the peers' requirements")?;
    let peers = Environment::open(places, "peers", &requirements)?;
    let peer = places.checkout().join(PEER);
    let step = Step::count("bench", u64::from(pairs));
    let mut found = Vec::new();
    for pair in 0..pairs {
        let run_ours = || {
            let mut command = Command::new(&ours);
            throughput(arguments(&mut command, &model, pair).arg("throughput"))
        };
        let run_peer = || throughput(arguments(peers.command("python").arg(&peer), &model, pair));
        // Whoever comes second finds the machine warmer: take turns.
        found.push(if pair % 2 == 0 {
            let ours = run_ours()?;
            (ours, run_peer()?)
        } else {
            let peer = run_peer()?;
            (run_ours()?, peer)
        });
        step.at(u64::from(pair).saturating_add(1));
    }
    step.done("measured the engine");
    let mut report = Report::new("engine", pairs);
    for (what, of) in figures() {
        let values: Vec<(f64, f64)> = found.iter().map(|(ours, peer)| (of(ours), of(peer))).collect();
        report.compare(&what, PEER_NAME, &values)?;
    }
    Ok(report)
}

fn figures() -> [Figure; 5] {
    let more = |what| What {
        what,
        unit: "tokens/s",
        better: Better::More,
        bar: None,
    };
    let less = |what, unit| What {
        what,
        unit,
        better: Better::Less,
        bar: None,
    };
    [
        (more("decode, 128 tokens alone"), |side| side.decode),
        (more("decode, 64 tokens of 8 sequences together"), |side| {
            side.together
        }),
        (more("prefill, 512 tokens"), |side| side.prefill),
        (less("memory for the model, at its peak", "MiB"), |side| {
            side.memory / 1_048_576.0
        }),
        (less("load", "s"), |side| side.load_seconds),
    ]
}

fn arguments<'a>(command: &'a mut Command, model: &Path, seed: u32) -> &'a mut Command {
    command
        .arg("--model")
        .arg(model)
        .args(["--threads", &cores().to_string(), "--seed", &seed.to_string()])
}

fn throughput(command: &mut Command) -> Result<Throughput> {
    let name = process::name(command);
    let printed = process::capture(command)?;
    serde_json::from_str(&printed).with_context(|| format!("{name} printed no figures"))
}
