//! What it takes to decide: policies alone, and everything from a signature to the journal.
//!
//! `decisions` asks the evaluator and, beside it, a plain reading of the same policies; `road` signs requests as a client
//! does and takes them through authentication, decision and journal over a real store, in this process.

mod plain;
mod road;
mod statements;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use moho_benches::house::House;
use moho_benches::{Stopwatch, print};
use moho_iam::authz::{AccessRequest, Decision, Policies, decide};
use moho_os::process_cpu_time;
use serde::Serialize;

use plain::Plain;
use statements::{Case, Written};

/// Measures decisions.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Decisions over 50 statements, on one core.
    Decisions {
        /// How many of ours.
        #[arg(long, default_value_t = 2_000_000)]
        count: u32,
    },
    /// Requests from their signature to the journal.
    Road {
        /// How many.
        #[arg(long, default_value_t = 5_000)]
        requests: u32,
    },
}

/// Decisions a second, and how long single ones took.
#[derive(Serialize)]
struct Decisions {
    statements: usize,
    per_second: f64,
    plain_per_second: f64,
    p50_microseconds: f64,
    p99_microseconds: f64,
}

fn main() -> Result<()> {
    match Options::parse().what {
        What::Decisions { count } => print(&decisions(count)?),
        What::Road { requests } => print(&road::measure(requests)?),
    }
}

/// The plain reading decides so many times fewer.
const FEWER: u32 = 20;

fn decisions(count: u32) -> Result<Decisions> {
    let house = House::build()?;
    let caller = house.caller()?;
    let written = Written(caller.session().account());
    let policies = written.policies()?;
    let cases = written.cases(caller.session())?;
    let requests: Vec<AccessRequest<'_>> = cases.iter().map(|case| case.request(caller.session())).collect();
    let plain = Plain::read(&policies, &written.endpoint()?)?;
    agree(&cases, &requests, &policies, &plain)?;
    let per_second = rate(count, &requests, |request| {
        decide(request, &policies).decision == Decision::Allow
    })?;
    let plain_per_second = rate(count / FEWER, &requests, |request| plain.allows(request))?;
    let mut single: Vec<f64> = Vec::new();
    for request in requests.iter().cycle().take(usize::try_from(count / FEWER)?) {
        let since = Stopwatch::start();
        let verdict = decide(request, &policies).decision;
        single.push(since.elapsed().as_secs_f64() * 1e6);
        std::hint::black_box(verdict);
    }
    single.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let rank = single.len().saturating_mul(percent) / 100;
        single.get(rank).copied().context("nothing was measured")
    };
    Ok(Decisions {
        statements: plain.len(),
        per_second,
        plain_per_second,
        p50_microseconds: at(50)?,
        p99_microseconds: at(99)?,
    })
}

/// Both sides decide as expected, or the comparison would be of different things.
fn agree(cases: &[Case], requests: &[AccessRequest<'_>], policies: &Policies, plain: &Plain) -> Result<()> {
    for (case, request) in cases.iter().zip(requests) {
        let ours = decide(request, policies).decision;
        let name = format!("{} on {}", request.action, request.resource);
        ensure!((ours == Decision::Allow) == case.allowed, "{name} is {ours:?}");
        ensure!(
            plain.allows(request) == case.allowed,
            "{name}, read plainly, is not"
        );
    }
    Ok(())
}

/// Decisions a second of one core's time.
fn rate(
    count: u32,
    requests: &[AccessRequest<'_>],
    decides: impl Fn(&AccessRequest<'_>) -> bool,
) -> Result<f64> {
    let before = process_cpu_time();
    let mut allowed = 0_u32;
    for request in requests.iter().cycle().take(usize::try_from(count)?) {
        allowed = allowed.wrapping_add(u32::from(std::hint::black_box(decides(request))));
    }
    std::hint::black_box(allowed);
    let took = process_cpu_time().saturating_sub(before);
    Ok(f64::from(count) / took.as_secs_f64())
}
