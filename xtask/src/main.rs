//! Everything a developer or CI does to moho, as one command line: bring it up, check it, test it, measure it.
//!
//! Automation is Rust, so that it is compiled, linted and read like the rest. It depends on none of the product's
//! crates: it drives the `moho` binary from outside, as a user would.

mod aws_model;
mod bench;
mod cargo;
mod check;
mod demo_model;
mod fuzz;
mod oidc_provider;
mod packages;
mod places;
mod proc;
mod process;
mod promtool;
mod published_evidence;
mod python;
mod question;
mod served;
mod soak;
mod stopwatch;
mod terminal;
mod test;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Automation for moho.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Invocation {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds moho, brings the demo model, serves it and asks it one question.
    Up(up::Options),
    /// Runs everything: the fast gate, the Rust tests, the real clients.
    Test(test::Options),
    /// The fast gate: format, lints, tidy, documentation, dependencies.
    Check,
    /// Runs one long test by its name, with its full count.
    Soak(soak::Options),
    /// Runs one fuzz target, for a while.
    Fuzz(fuzz::Options),
    /// Measures moho beside a peer and prints one JSON object.
    Bench(bench::Options),
    /// Makes the AWS service models anew, or compares them with what is committed.
    AwsModel(aws_model::Options),
}

fn main() -> ExitCode {
    let outcome = match Invocation::parse().task {
        Task::Up(options) => up::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Check => check::run(),
        Task::Soak(options) => soak::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::AwsModel(options) => aws_model::run(&options),
        Task::Bench(options) => bench::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::note(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
