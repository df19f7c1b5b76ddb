//! The machine and the user: limits, swap, kernel, and who may look into the process.

use super::finding::Finding;
use super::scene::{Scene, System};

const LIMITS: &str = "limits";
const SWAP: &str = "swap";
const USER: &str = "user";
const KERNEL: &str = "kernel";
/// The oldest kernel that can keep keys out of child processes (`MADV_WIPEONFORK`).
const OLDEST: (u32, u32) = (4, 14);
/// Keys rest in locked pages, one each.
const LOCKED: u64 = 1 << 20;
/// Bits that a kernel wants to have gathered before it gives randomness.
const ENOUGH_ENTROPY: u64 = 128;

/// Looks at the machine.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let system = &scene.system;
    let mut findings: Vec<Finding> = [
        kernel(system),
        swap(system),
        user(system),
        entropy(system),
        tracing_allowed(system),
    ]
    .into_iter()
    .flatten()
    .collect();
    findings.extend(limits(scene));
    findings
}

fn kernel(system: &System) -> Option<Finding> {
    let release = system.proc("sys/kernel/osrelease")?;
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|part| part.parse().ok());
    let version: (u32, u32) = (numbers.next()?, numbers.next()?);
    Some(if version < OLDEST {
        Finding::fault(KERNEL, format!("Linux {release} is too old"))
            .why("it cannot keep keys out of child processes, and moho does not start without that")
            .cure(format!("use Linux {}.{} or later", OLDEST.0, OLDEST.1))
    } else {
        Finding::fine(KERNEL, format!("Linux {release}"))
    })
}

fn swap(system: &System) -> Option<Finding> {
    let areas = system.proc("swaps")?;
    let names: Vec<&str> = areas
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    Some(if names.is_empty() {
        Finding::fine(SWAP, "there is none")
    } else {
        Finding::warning(SWAP, format!("this machine swaps to {}", names.join(", ")))
            .why("prompts and answers in memory may be written there in the clear; only keys are locked")
            .cure("`swapoff -a`, MemorySwapMax=0 in the service (the example unit has it), or encrypted swap with a random key")
    })
}

fn user(system: &System) -> Option<Finding> {
    (system.user == 0).then(|| {
        Finding::warning(USER, "this is root")
            .why("moho needs no privilege, and a fault in it would have them all")
            .cure("run it as a user of its own, as deploy/systemd/moho.service does")
    })
}

fn entropy(system: &System) -> Option<Finding> {
    let gathered: u64 = system.proc("sys/kernel/random/entropy_avail")?.parse().ok()?;
    (gathered < ENOUGH_ENTROPY).then(|| {
        Finding::warning(
            "entropy",
            format!("the kernel has gathered {gathered} bits of randomness only"),
        )
        .why("moho waits at its start until there is enough")
        .cure("give a virtual machine a virtio-rng device")
    })
}

/// Whether programs of the same user may look into each other. moho shuts itself off; its clients may not.
fn tracing_allowed(system: &System) -> Option<Finding> {
    let scope = system.proc("sys/kernel/yama/ptrace_scope")?;
    (scope == "0").then(|| {
        Finding::note(
            "ptrace",
            "programs of one user may look into each other (kernel.yama.ptrace_scope is 0)",
        )
        .why("moho shuts itself off from that, but programs that hold its credentials may not")
        .cure("`sysctl kernel.yama.ptrace_scope=1`")
    })
}

/// The limits of the moho that runs, or of this shell, which one started here would have.
fn limits(scene: &Scene<'_>) -> Vec<Finding> {
    let process = scene.running.and_then(|running| running.process);
    let own = || scene.system.proc("self/limits");
    let (text, whose) = match process.and_then(|process| scene.system.proc(&format!("{process}/limits"))) {
        Some(text) => (Some(text), "the running moho"),
        None => (own(), "a moho started here"),
    };
    let Some(text) = text else { return Vec::new() };
    let mut findings = Vec::new();
    if let Some(bytes) = soft(&text, "Max locked memory").filter(|bytes| *bytes < LOCKED) {
        findings.push(
            Finding::warning(LIMITS, format!("{whose} may lock {} KiB of memory", bytes / 1024))
                .why("keys that cannot be locked may be written to swap")
                .cure("`ulimit -l 8192`, or LimitMEMLOCK=8M in the service"),
        );
    }
    // moho raises its own limit as far as it may.
    let asked = scene.config.limits.connections;
    let files = hard(&text, "Max open files").and_then(|files| usize::try_from(files).ok());
    if let Some(files) = files.filter(|files| scene.config.limits.within(*files).connections < asked) {
        let held = scene.config.limits.within(files).connections;
        findings.push(
            Finding::warning(
                LIMITS,
                format!("{whose} may open {files} files, which is enough for {held} connections and not for {asked}"),
            )
            .why("connections beyond that take the places of idle ones, or are closed")
            .cure("`ulimit -Hn`, LimitNOFILE in the service, or a lower --max-connections (`limits.connections`)"),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::fine(LIMITS, format!("{whose} may lock and open enough")));
    }
    findings
}

/// The limit that holds, in a table such as `/proc/self/limits`; `None` if there is none.
fn soft(table: &str, name: &str) -> Option<u64> {
    limit(table, name).next()?.parse().ok()
}

/// How far the limit may be raised.
fn hard(table: &str, name: &str) -> Option<u64> {
    limit(table, name).nth(1)?.parse().ok()
}

fn limit<'a>(table: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let line = table.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().split_whitespace()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::super::scene::Running;
    use super::super::scene::tests::drawn;
    use super::super::tests::{config, scene};
    use super::*;

    const LIMITS_TABLE: &str = "Limit                     Soft Limit           Hard Limit           Units\n\
        Max open files            100                  200                  files\n\
        Max locked memory         65536                65536                bytes\n";

    #[test]
    fn an_ill_machine_is_told_from_a_healthy_one() {
        let folder = tempfile::tempdir().unwrap();
        let ill = drawn(
            folder.path(),
            &[
                ("proc/sys/kernel/osrelease", "3.10.0-1160.el7.x86_64\n"),
                (
                    "proc/swaps",
                    "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n",
                ),
                ("proc/sys/kernel/random/entropy_avail", "12\n"),
                ("proc/sys/kernel/yama/ptrace_scope", "0\n"),
                ("proc/self/limits", LIMITS_TABLE),
            ],
        );
        let config = config(&[]);
        let mut scene = scene(&config);
        scene.system = System { user: 0, ..ill };
        let told: Vec<(&str, Level)> = check(&scene)
            .iter()
            .map(|found| (found.check, found.level))
            .collect();
        assert_eq!(
            told,
            [
                ("kernel", Level::Fault),
                ("swap", Level::Warning),
                ("user", Level::Warning),
                ("entropy", Level::Warning),
                ("ptrace", Level::Note),
                ("limits", Level::Warning),
                ("limits", Level::Warning),
            ]
        );
        let healthy = [
            ("proc/sys/kernel/osrelease", "6.1.0-13-amd64\n"),
            ("proc/swaps", "Filename Type Size Used Priority\n"),
            ("proc/sys/kernel/random/entropy_avail", "256\n"),
            ("proc/sys/kernel/yama/ptrace_scope", "1\n"),
            (
                "proc/self/limits",
                "Max open files 1024 8192 files\nMax locked memory unlimited unlimited bytes\n",
            ),
        ];
        scene.system = System {
            user: 1000,
            ..drawn(folder.path(), &healthy)
        };
        assert!(
            check(&scene).iter().all(|found| found.level == Level::Fine),
            "{:?}",
            check(&scene)
        );
    }

    #[test]
    fn the_running_server_is_looked_at_rather_than_this_shell() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&[]);
        let mut scene = scene(&config);
        scene.system = drawn(
            folder.path(),
            &[
                ("proc/self/limits", LIMITS_TABLE),
                (
                    "proc/7/limits",
                    "Max open files 1024 8192 files\nMax locked memory 8388608 8388608 bytes\n",
                ),
            ],
        );
        assert_eq!(limits(&scene).len(), 2);
        scene.running = Some(Running { process: Some(7) });
        let [found] = limits(&scene).try_into().unwrap();
        assert!(found.level == Level::Fine && found.what.contains("running"));
    }

    #[test]
    fn this_machine_is_looked_at() {
        let config = config(&[]);
        let checks: Vec<&str> = check(&scene(&config)).iter().map(|found| found.check).collect();
        for wanted in ["kernel", "limits"] {
            assert!(checks.contains(&wanted), "{checks:?}");
        }
    }
}
