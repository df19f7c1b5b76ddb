//! Proofs in a log of a given length, with every hash of it on the disk.

use anyhow::{Context as _, Result};
use moho_audit::{LogKeys, synthetic};
use moho_iam::authz::Position;
use moho_os::process_cpu_time;
use moho_terms::Secret;
use serde::Serialize;

/// Proofs of each kind.
const COUNT: u32 = 2000;

/// The time of a processor for one proof, and hashes in the longest.
#[derive(Serialize)]
pub(crate) struct Proofs {
    inclusion_microseconds: f64,
    consistency_microseconds: f64,
    longest: usize,
}

pub(crate) fn measure(entries: u64) -> Result<Proofs> {
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    let keys = LogKeys::new(Secret::new(vec![7; 32]), [1; 16]);
    let log = synthetic::log(folder.path(), entries, &keys)?;
    // All over the log, and the same in every run.
    let place = |number: u32| u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15) % entries;
    let mut longest = 0;
    let before = process_cpu_time();
    for number in 0..COUNT {
        let position = Position(place(number).saturating_add(1));
        let proven = log.inclusion(position)?.context("an entry is missing")?;
        longest = longest.max(proven.proof.path.len());
    }
    let between = process_cpu_time();
    for number in 0..COUNT {
        let (proof, _) = log.consistency(place(number))?.context("a tree is missing")?;
        longest = longest.max(proof.path.len());
    }
    let micros = |took: std::time::Duration| took.as_secs_f64() * 1e6 / f64::from(COUNT);
    Ok(Proofs {
        inclusion_microseconds: micros(between.saturating_sub(before)),
        consistency_microseconds: micros(process_cpu_time().saturating_sub(between)),
        longest,
    })
}
