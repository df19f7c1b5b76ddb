//! What the doctor looks at: the settings, the time, what the system tells in its files, and a moho that runs already.
//!
//! Everything here only looks. The folders of the system's files are arguments, so that a test can show the doctor a
//! machine that is ill.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use moho_terms::Timestamp;

use crate::config::Config;

/// The most that is read of one of the system's small files.
const SMALL: usize = 1 << 20;

/// What there is to be looked at.
pub(super) struct Scene<'a> {
    pub(super) config: &'a Config,
    pub(super) now: Timestamp,
    pub(super) system: System,
    /// The process that has the data directory, if one has.
    pub(super) running: Option<Running>,
}

/// A moho that runs on the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Running {
    /// Its process; `None` if it cannot be seen from here, as in another container.
    pub(super) process: Option<u32>,
}

impl Running {
    /// Who it is, for people.
    pub(super) fn name(self) -> String {
        match self.process {
            Some(process) => format!("the moho that runs on this data directory (process {process})"),
            None => "the moho that runs on this data directory".to_owned(),
        }
    }
}

/// The system's own files.
#[derive(Debug, Clone)]
pub(super) struct System {
    /// `/proc`.
    pub(super) proc: PathBuf,
    /// `/sys`.
    pub(super) sys: PathBuf,
    /// `/run`.
    pub(super) run: PathBuf,
    /// The user that the doctor runs as, for whom it answers.
    pub(super) user: u32,
}

impl System {
    /// This machine's.
    pub(super) fn here() -> Self {
        Self {
            proc: PathBuf::from("/proc"),
            sys: PathBuf::from("/sys"),
            run: PathBuf::from("/run"),
            user: moho_os::own_user(),
        }
    }

    /// A small file under `/proc`, without the blanks at its ends; `None` if it is absent or closed to us.
    pub(super) fn proc(&self, name: &str) -> Option<String> {
        small(&self.proc.join(name))
    }

    /// A number in `/proc/meminfo`, in bytes.
    pub(super) fn memory(&self, name: &str) -> Option<u64> {
        let text = self.proc("meminfo")?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        kibibytes.checked_mul(1024)
    }

    /// The name of a process.
    pub(super) fn process_name(&self, process: u32) -> Option<String> {
        self.proc(&format!("{process}/comm"))
    }

    /// The process that holds the lock of a data directory. The lock itself is not touched: a moho that is just
    /// starting must not find it taken.
    pub(super) fn running(&self, data: &Path) -> Option<Running> {
        let lock = fs::metadata(data.join("lock")).ok()?;
        let locks = self.proc("locks")?;
        locks.lines().find_map(|line| {
            // `1: FLOCK  ADVISORY  WRITE 812 fe:00:1234 0 EOF`
            let words: Vec<&str> = line.split_whitespace().collect();
            let &[_, "FLOCK", _, "WRITE", process, place, ..] = words.as_slice() else {
                return None;
            };
            let (device, inode) = place.rsplit_once(':')?;
            let process = process.parse().ok().filter(|process| *process > 0);
            let same = inode.parse() == Ok(lock.ino())
                && (device == named(lock.dev())
                    || process.is_some_and(|process| self.has_open(process, &lock)));
            same.then_some(Running { process })
        })
    }

    /// Whether a process has a file open, as far as this user may see. Some filesystems give files another device than
    /// the one that the kernel names in its table of locks.
    fn has_open(&self, process: u32, file: &fs::Metadata) -> bool {
        let files = fs::read_dir(self.proc.join(format!("{process}/fd")));
        files.into_iter().flatten().flatten().any(|open| {
            fs::metadata(open.path()).is_ok_and(|open| (open.dev(), open.ino()) == (file.dev(), file.ino()))
        })
    }
}

/// A device as the kernel prints it, `major:minor`.
fn named(device: u64) -> String {
    let major = (device >> 8 & 0xfff) | (device >> 32 & !0xfff);
    let minor = (device & 0xff) | (device >> 12 & 0xffff_ff00);
    format!("{major:02x}:{minor:02x}")
}

/// A small file, without the blanks at its ends.
pub(super) fn small(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    fs::File::open(path)
        .ok()?
        .take(SMALL as u64)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Bytes as people say them.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => {
            let tenths = (bytes / (unit / 10).max(1)).min(u64::MAX - 1);
            if tenths >= 100 {
                format!("{} {name}", bytes / unit)
            } else {
                format!("{}.{} {name}", tenths / 10, tenths % 10)
            }
        }
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A system whose files a test writes.
    pub(in super::super) fn drawn(folder: &Path, files: &[(&str, &str)]) -> System {
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        System {
            proc: folder.join("proc"),
            sys: folder.join("sys"),
            run: folder.join("run"),
            user: moho_os::own_user(),
        }
    }

    #[test]
    fn a_lock_that_is_held_names_its_process_and_stays_held() {
        let data = tempfile::tempdir().unwrap();
        let system = System::here();
        assert_eq!(system.running(data.path()), None);
        let lock = moho_os::lock_file_exclusive(&data.path().join("lock")).unwrap();
        let running = system.running(data.path()).unwrap();
        assert_eq!(running.process, Some(std::process::id()));
        assert!(moho_os::lock_file_exclusive(&data.path().join("lock")).is_err());
        drop(lock);
        assert_eq!(system.running(data.path()), None);
    }

    #[test]
    fn a_lock_on_another_device_is_another_lock() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("lock"), "").unwrap();
        let lock = fs::metadata(data.path().join("lock")).unwrap();
        let told = |device: &str| {
            let folder = tempfile::tempdir().unwrap();
            let line = format!("1: FLOCK  ADVISORY  WRITE 812 {device}:{} 0 EOF\n", lock.ino());
            drawn(folder.path(), &[("proc/locks", &line)]).running(data.path())
        };
        assert_eq!(told(&named(lock.dev())), Some(Running { process: Some(812) }));
        assert_eq!(told(&named(lock.dev() ^ 1)), None);
        assert_eq!(named(0xfe00), "fe:00");
        assert_eq!(named(0x0010_0803), "08:103");
    }

    #[test]
    fn sizes_are_said_as_people_say_them() {
        let said = [0, 1023, 1536, 256 << 20, 5 << 30, u64::MAX].map(size);
        assert_eq!(
            said,
            [
                "0 bytes",
                "1023 bytes",
                "1.5 KiB",
                "256 MiB",
                "5.0 GiB",
                "17179869183 GiB"
            ]
        );
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let system = drawn(
            folder.path(),
            &[("proc/meminfo", "MemTotal: 100 kB\nMemAvailable:  8 kB\n")],
        );
        assert_eq!(system.memory("MemAvailable"), Some(8192));
        assert_eq!(system.memory("SwapTotal"), None);
    }
}
