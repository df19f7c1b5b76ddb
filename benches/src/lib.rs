//! What the benchmark programs use: an installation, signatures, connections, a stopwatch, and what the kernel counts of
//! this process.
#![forbid(unsafe_code)]

pub mod house;
pub mod signing;
pub mod tls;

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Serialize;

/// A running measurement.
#[derive(Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "measuring at the rim")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// A line of this process's status that the kernel counts in KiB, in bytes.
///
/// # Errors
/// When the kernel does not say.
pub fn memory(line: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read the process status")?;
    let kib = status
        .lines()
        .find_map(|text| text.strip_prefix(line)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next())
        .with_context(|| format!("no {line} in the process status"))?;
    Ok(kib
        .parse::<u64>()
        .context("memory is no number")?
        .saturating_mul(1024))
}

/// CPU time that this process has used, in seconds, in the kernel's ticks of a hundredth.
///
/// # Errors
/// When the kernel does not say.
pub fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("cannot read the process statistics")?;
    let (_, rest) = stat
        .rsplit_once(')')
        .context("no name in the process statistics")?;
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let mut sum: u32 = 0;
    for count in ticks {
        sum = sum.saturating_add(count.context("statistics hold no number")?);
    }
    Ok(f64::from(sum) / 100.0)
}

/// Prints the one result of a benchmark program.
///
/// # Errors
/// When nobody reads it.
pub fn print(result: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(result).context("the result is no JSON")?;
    writeln!(std::io::stdout().lock(), "{text}").context("nobody reads the result")
}
