//! How much room a disk has, and whether it takes anything.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// What is free on the file system of a directory, for a user without privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub bytes: u64,
    /// Files; `None` where the file system does not count them.
    pub files: Option<u64>,
}

/// How much room there is for files in `directory`.
///
/// # Errors
/// What the kernel says, when it cannot tell.
pub fn room(directory: &Path) -> io::Result<Room> {
    let status = rustix::fs::statvfs(directory)?;
    Ok(Room {
        bytes: status.f_bavail.saturating_mul(status.f_frsize),
        files: (status.f_files > 0).then_some(status.f_favail),
    })
}

/// Writes `bytes` to a file in `directory` that never gets a name, and brings it to the disk. Nothing stays behind.
///
/// # Errors
/// What the kernel says: no permission, no room, a read-only or broken disk. `Unsupported` where the file system has
/// no files without a name.
pub fn try_writing(directory: &Path, bytes: &[u8]) -> io::Result<()> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(bytes)?;
    file.sync_all()
}

/// Brings everything that was written to the file system of `directory` to the disk.
///
/// # Errors
/// What the kernel says: what was written may be lost.
pub fn sync_file_system(directory: &Path) -> io::Result<()> {
    let folder = File::open(directory)?;
    rustix::fs::syncfs(&folder)?;
    // The names in it, for file systems that only promise them so.
    folder.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        assert!(room(directory.path()).unwrap().bytes > 0);
        match try_writing(directory.path(), b"1234") {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported),
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_there_has_no_room() {
        let absent = Path::new("/proc/self/absent");
        assert_eq!(room(absent).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(try_writing(absent, b"1").is_err());
    }
}
