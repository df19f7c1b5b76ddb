//! What the kernel counts of a process: CPU time and memory, read from `/proc`.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// CPU time of a running process, user and system, in all its threads.
pub(crate) fn cpu_time(process: u32) -> Result<Duration> {
    sum_of_ticks(&stat(&process.to_string())?, &[14, 15])
}

/// CPU time that this process and its ended children have used.
pub(crate) fn own_cpu_time() -> Result<Duration> {
    sum_of_ticks(&stat("self")?, &[14, 15, 16, 17])
}

/// The most memory that a running process has held, in bytes.
pub(crate) fn peak_memory(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .context("no VmHWM in the process status")?;
    Ok(kib
        .parse::<u64>()
        .context("VmHWM is no number")?
        .saturating_mul(1024))
}

fn stat(process: &str) -> Result<String> {
    let path = format!("/proc/{process}/stat");
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}

/// Fields are counted from 1, as proc(5) does; the second, a name in parentheses, may hold spaces.
fn sum_of_ticks(stat: &str, fields: &[usize]) -> Result<Duration> {
    let (_, rest) = stat
        .rsplit_once(')')
        .context("no name in the process statistics")?;
    let values: Vec<&str> = rest.split_whitespace().collect();
    let mut ticks: u64 = 0;
    for field in fields {
        let value = field
            .checked_sub(3)
            .and_then(|index| values.get(index))
            .context("statistics cut short")?;
        ticks = ticks.saturating_add(value.parse::<u64>().context("statistics hold no number")?);
    }
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Ok(Duration::from_millis(
        ticks.saturating_mul(1000).checked_div(per_second).unwrap_or(0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 200 300 40 50 20 0";
        let per_second = rustix::param::clock_ticks_per_second();
        let millis = |ticks: u64| Duration::from_millis(ticks * 1000 / per_second);
        assert_eq!(sum_of_ticks(stat, &[14, 15]).unwrap(), millis(500));
        assert_eq!(sum_of_ticks(stat, &[14, 15, 16, 17]).unwrap(), millis(590));
    }

    #[test]
    fn this_process_has_used_memory_and_time() {
        assert!(peak_memory(std::process::id()).unwrap() > 0);
        assert!(own_cpu_time().is_ok());
    }
}
