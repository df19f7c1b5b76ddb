//! On what a benchmark ran: without it, a figure says nothing.

use serde::Serialize;

/// The machine, as far as it matters to a figure.
#[derive(Serialize)]
pub(super) struct Machine {
    processor: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    load: String,
}

impl Machine {
    /// Reads it from the kernel; what it does not say is left empty.
    pub(super) fn read() -> Self {
        let load = text("/proc/loadavg");
        Self {
            processor: value("/proc/cpuinfo", "model name"),
            cores: cores(),
            memory_gib: value("/proc/meminfo", "MemTotal")
                .split_whitespace()
                .next()
                .and_then(|kib| kib.parse::<u64>().ok())
                .unwrap_or(0)
                .checked_shr(20)
                .unwrap_or(0),
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: load.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
        }
    }
}

/// How many cores this process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn value(path: &str, key: &str) -> String {
    text(path)
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key).then(|| value.trim().to_owned())
        })
        .unwrap_or_default()
}
