//! This process as the system sees it, by the names that every Prometheus client gives.

use std::fs;

use moho_terms::Timestamp;

use super::page::{Kind, Page, seconds};

/// What the system says of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    /// Microseconds of processor time, user's and system's.
    cpu_micros: u64,
    /// Microseconds between the machine's start and the process's.
    start_micros: u64,
    resident_bytes: u64,
    virtual_bytes: u64,
    threads: u64,
}

/// When this process began, in microseconds since 1970. Asked once, as two answers would differ a little.
pub(super) fn start(now: Timestamp) -> Option<u64> {
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let up = u64::try_from(up.tv_sec).ok()?.saturating_mul(1_000_000);
    let lives = up.saturating_sub(Process::read()?.start_micros);
    Some(now.unix_micros().saturating_sub(lives))
}

/// Writes what can be read; what cannot is left out.
pub(super) fn write(page: &mut Page, start: Option<u64>) {
    if let Some(start) = start {
        page.single(
            "process_start_time_seconds",
            Kind::Gauge,
            "When the process began, in seconds since 1970.",
            seconds(start),
        );
    }
    if let Some(process) = Process::read() {
        page.single(
            "process_cpu_seconds_total",
            Kind::Counter,
            "Processor time, user's and system's.",
            seconds(process.cpu_micros),
        );
        for (name, help, value) in [
            (
                "process_resident_memory_bytes",
                "Memory that is in use.",
                process.resident_bytes.to_string(),
            ),
            (
                "process_virtual_memory_bytes",
                "Addresses that are in use.",
                process.virtual_bytes.to_string(),
            ),
            (
                "process_threads",
                "Threads of the process.",
                process.threads.to_string(),
            ),
        ] {
            page.single(name, Kind::Gauge, help, value);
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them reads this directory.
        let open = open.count().saturating_sub(1);
        page.single("process_open_fds", Kind::Gauge, "Open files and sockets.", open);
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if let Some(most) = limit.current {
        page.single(
            "process_max_fds",
            Kind::Gauge,
            "Files and sockets that may be open.",
            most,
        );
    }
}

impl Process {
    fn read() -> Option<Self> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        let page = u64::try_from(rustix::param::page_size()).ok()?;
        Self::of(&text, rustix::param::clock_ticks_per_second(), page)
    }

    /// From the file's text, the clock ticks of a second and the bytes of a page.
    fn of(text: &str, ticks: u64, page: u64) -> Option<Self> {
        // The program's name comes before, and may hold anything.
        let (_name, fields) = text.rsplit_once(')')?;
        let fields: Vec<u64> = fields
            .split_whitespace()
            // The state, a letter, comes first, and some fields can be negative.
            .map(|field| field.parse().unwrap_or_default())
            .collect();
        // proc(5) counts from 1, and the first here is its third.
        let field = |number: usize| fields.get(number.checked_sub(3)?).copied();
        let micros = |count: u64| count.saturating_mul(1_000_000).checked_div(ticks);
        Some(Self {
            cpu_micros: micros(field(14)?.saturating_add(field(15)?))?,
            start_micros: micros(field(22)?)?,
            resident_bytes: field(24)?.saturating_mul(page),
            virtual_bytes: field(23)?,
            threads: field(20)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use moho_terms::Clock;

    use super::*;
    use crate::system::SystemClock;

    #[test]
    fn the_system_is_understood() {
        let own =
            "7 (a) b)) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 1000 8192 3 18446744073709551615";
        let process = Process::of(own, 100, 4096).unwrap();
        let expected = Process {
            cpu_micros: 3_000_000,
            start_micros: 10_000_000,
            resident_bytes: 12_288,
            virtual_bytes: 8192,
            threads: 9,
        };
        assert_eq!(process, expected);
        assert!(Process::of("7 (a) S 1", 100, 4096).is_none());
        let real = Process::read().unwrap();
        assert!(real.resident_bytes > 1 << 20 && real.threads > 0);
        let now = SystemClock.now();
        let age = now.unix_micros() - start(now).unwrap();
        assert!(age < 3_600_000_000, "{age}");
    }
}
