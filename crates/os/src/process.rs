//! The process as a whole: how much machine it has, what it has used, and that nobody looks into it.

use std::num::NonZeroUsize;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::time::ClockId;

/// A protection of the process could not be switched on; starting without it would break the promise.
#[derive(Debug, thiserror::Error)]
#[error("the kernel refused to {step}")]
pub struct HardenError {
    step: &'static str,
    source: rustix::io::Errno,
}

/// Shuts the process off: no core dumps, no debugger or `/proc/<pid>/mem` by the same user, no privileges gained
/// through set-user-id programs, and new files readable by this user alone. Call it first thing in `main`, before the
/// first thread.
///
/// # Errors
/// [`HardenError`] names the step the kernel refused.
pub fn harden_process() -> Result<(), HardenError> {
    close_process()?;
    let failed = |step| move |source| HardenError { step, source };
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(Resource::Core, none).map_err(failed("limit core dumps to nothing"))?;
    rustix::thread::set_no_new_privs(true).map_err(failed("renounce new privileges"))?;
    // The previous mask is of no interest: only this one is wanted from here on.
    let _previous: Mode = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    Ok(())
}

/// The part of [`harden_process`] that no program begun from here inherits: no core dumps, no debugger and no
/// `/proc/<pid>/mem` by the same user. For a process that starts others which are not its own, such as a browser.
///
/// # Errors
/// [`HardenError`] if the kernel refused.
pub fn close_process() -> Result<(), HardenError> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|source| HardenError {
        step: "forbid core dumps",
        source,
    })
}

/// Raises the limit on open files as far as the system allows without privileges, and says how many that is. Call it
/// before the first connection; the soft limit is low for programs that use `select`, which this one does not.
#[must_use]
pub fn raise_open_files() -> usize {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if rustix::process::setrlimit(Resource::Nofile, raised).is_ok() {
        limit = raised;
    }
    // `None` is no limit.
    limit
        .current
        .map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
}

/// How many threads can run at once, as CPU affinity and control groups allow; at least one.
#[must_use]
pub fn available_cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// CPU time this process has used, in user and system mode, over all its threads.
#[must_use]
pub fn process_cpu_time() -> Duration {
    let used = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
    // INVARIANT: the kernel never reports negative CPU time.
    Duration::new(
        u64::try_from(used.tv_sec).unwrap_or(0),
        u32::try_from(used.tv_nsec).unwrap_or(0),
    )
}

/// The user this process runs as.
#[must_use]
pub fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hardened_process_leaves_no_core_and_no_readable_file() {
        harden_process().unwrap();
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"))
            .unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        assert!(status.contains("Umask:\t0077"), "{status}");
        assert_eq!(
            rustix::process::dumpable_behavior().unwrap(),
            DumpableBehavior::NotDumpable
        );
    }

    #[test]
    fn the_limit_on_open_files_becomes_the_highest() {
        let before = rustix::process::getrlimit(Resource::Nofile);
        let low = Rlimit {
            current: Some(64),
            maximum: before.maximum,
        };
        rustix::process::setrlimit(Resource::Nofile, low).unwrap();
        let most = raise_open_files();
        assert_eq!(
            before
                .maximum
                .map_or(usize::MAX, |most| usize::try_from(most).unwrap()),
            most
        );
        assert_eq!(
            rustix::process::getrlimit(Resource::Nofile).current,
            before.maximum
        );
    }

    #[test]
    fn work_uses_cpu_time() {
        let before = process_cpu_time();
        let mut sum = 0_u64;
        while process_cpu_time() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(process_cpu_time() > before);
        assert!(available_cores().get() >= 1);
    }
}
