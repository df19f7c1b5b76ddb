//! What the server holds, second by second, and whether it is more and more.
//!
//! The first third is for warming up. After it, the last third is compared with the middle one, each by its median: a
//! leak grows from one to the other, noise does not.

use anyhow::{Context as _, Result, ensure};

use crate::tally::Course;

/// What a leak-free server may still differ by: memory that the allocator keeps in other places than before.
const MEMORY_SHARE: u64 = 5;
const MEMORY: u64 = 8 << 20;
/// Connections that happen to be open.
const FILES: u64 = 32;
/// The runtime starts threads for what waits for the disk, and ends them when there is less of it.
const THREADS: u64 = 8;

/// Looks at one process.
pub(crate) struct Watch {
    process: u32,
    seen: Seen,
}

/// A number for each second.
#[derive(Default, Clone)]
pub(crate) struct Seen {
    resident: Vec<u64>,
    files: Vec<u64>,
    threads: Vec<u64>,
}

impl Watch {
    pub(crate) fn new(process: u32) -> Self {
        Self {
            process,
            seen: Seen::default(),
        }
    }

    /// Looks once.
    ///
    /// # Errors
    /// When the process is gone.
    pub(crate) fn look(&mut self) -> Result<()> {
        let place = format!("/proc/{}", self.process);
        let status =
            std::fs::read_to_string(format!("{place}/status")).context("the server's process is gone")?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
                .with_context(|| format!("no {name} in the process status"))
        };
        let files = std::fs::read_dir(format!("{place}/fd"))
            .context("the server's files cannot be counted")?
            .count();
        self.seen.resident.push(number("VmRSS:")?.saturating_mul(1024));
        self.seen.threads.push(number("Threads:")?);
        self.seen.files.push(u64::try_from(files)?);
        Ok(())
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.clone()
    }
}

impl Seen {
    pub(crate) fn resident_mib(&self) -> Course {
        let mib: Vec<u64> = self.resident.iter().map(|bytes| bytes >> 20).collect();
        course(&mib)
    }

    pub(crate) fn files(&self) -> Course {
        course(&self.files)
    }

    pub(crate) fn threads(&self) -> Course {
        course(&self.threads)
    }

    /// # Errors
    /// When the server holds more at the end than in the middle.
    pub(crate) fn verdict(&self) -> Result<()> {
        let [_, middle, last] = thirds(&self.resident);
        let bound = middle
            .saturating_add(middle.saturating_mul(MEMORY_SHARE) / 100)
            .saturating_add(MEMORY);
        ensure!(
            last <= bound,
            "memory grows: {} MiB in the last third, {} MiB in the middle one",
            last >> 20,
            middle >> 20
        );
        for (what, numbers, more) in [
            ("open files grow", &self.files, FILES),
            ("threads grow", &self.threads, THREADS),
        ] {
            let [_, middle, last] = thirds(numbers);
            ensure!(
                last <= middle.saturating_add(more),
                "{what}: {last} in the last third, {middle} in the middle one"
            );
        }
        Ok(())
    }
}

fn course(numbers: &[u64]) -> Course {
    let [_, middle_third, last_third] = thirds(numbers);
    Course {
        start: numbers.first().copied().unwrap_or_default(),
        middle_third,
        last_third,
        most: numbers.iter().copied().max().unwrap_or_default(),
        end: numbers.last().copied().unwrap_or_default(),
    }
}

/// The medians of the three thirds.
fn thirds(numbers: &[u64]) -> [u64; 3] {
    let third = numbers.len() / 3;
    let (first, rest) = numbers.split_at_checked(third).unwrap_or((numbers, &[]));
    let (middle, last) = rest.split_at_checked(third).unwrap_or((rest, &[]));
    [first, middle, last].map(median)
}

fn median(numbers: &[u64]) -> u64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(resident: impl Fn(u64) -> u64) -> Seen {
        Seen {
            resident: (0..60).map(|second| resident(second) << 20).collect(),
            files: vec![40; 60],
            threads: vec![10; 60],
        }
    }

    #[test]
    fn what_grows_at_the_start_only_is_no_leak() {
        assert!(seen(|second| 200 + second.min(20) * 10).verdict().is_ok());
        assert!(
            seen(|second| if second % 7 == 0 { 900 } else { 200 })
                .verdict()
                .is_ok()
        );
    }

    #[test]
    fn a_leak_is_seen() {
        let error = seen(|second| 200 + second * 2).verdict().unwrap_err();
        assert!(error.to_string().starts_with("memory grows"), "{error}");
        let mut open = seen(|_| 200);
        open.files = (0..60).map(|second| 40 + second * 2).collect();
        assert!(open.verdict().is_err());
        let mut many = seen(|_| 200);
        many.threads = (0..60).collect();
        assert!(many.verdict().is_err());
    }

    #[test]
    fn this_process_can_be_looked_at() {
        let mut watch = Watch::new(std::process::id());
        watch.look().unwrap();
        let seen = watch.seen();
        assert!(seen.resident[0] > 0 && seen.files[0] > 0 && seen.threads[0] > 0);
    }
}
