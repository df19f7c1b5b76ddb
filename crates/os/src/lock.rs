//! Locks on files: among processes, and gone with the process that holds them, however it ends.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// A lock could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process holds it.
    #[error("`{}` is locked: another moho is running on this directory; stop it first", .0.display())]
    Held(PathBuf),
    /// The disk or the kernel failed.
    #[error("`{}` could not be locked", .path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A lock on a file, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing the file would not do while a process that is just being started has a copy of it. Should it fail,
        // the end of the process unlocks.
        let _unlocked: io::Result<()> = self.file.unlock();
    }
}

/// Locks `path`, creating it if absent, without waiting.
///
/// # Errors
/// [`LockError::Held`] if another process has the lock.
pub fn lock_file_exclusive(path: &Path) -> Result<FileLock, LockError> {
    let file = open_lock(path)?;
    match file.try_lock() {
        Ok(()) => Ok(FileLock { file }),
        Err(std::fs::TryLockError::WouldBlock) => Err(LockError::Held(path.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(not_locked(path)(source)),
    }
}

/// Locks `path`, creating it if absent, without waiting, together with whoever else locks it so: nobody has it exclusively
/// meanwhile.
///
/// # Errors
/// [`LockError::Held`] if another process has it exclusively.
pub fn try_lock_file_shared(path: &Path) -> Result<FileLock, LockError> {
    let file = open_lock(path)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(FileLock { file }),
        Err(std::fs::TryLockError::WouldBlock) => Err(LockError::Held(path.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(not_locked(path)(source)),
    }
}

/// Locks `path`, creating it if absent, once nobody else has it locked.
///
/// # Errors
/// [`LockError::Io`] if the disk or the kernel fails.
pub fn lock_file_in_turn(path: &Path) -> Result<FileLock, LockError> {
    let file = open_lock(path)?;
    file.lock().map_err(not_locked(path))?;
    Ok(FileLock { file })
}

/// Locks `path`, creating it if absent, together with all others that lock it so, once nobody has it for itself.
///
/// # Errors
/// [`LockError::Io`] if the disk or the kernel fails.
pub fn lock_file_shared(path: &Path) -> Result<FileLock, LockError> {
    let file = open_lock(path)?;
    file.lock_shared().map_err(not_locked(path))?;
    Ok(FileLock { file })
}

fn open_lock(path: &Path) -> Result<File, LockError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR);
    opened
        .map(File::from)
        .map_err(|errno| not_locked(path)(errno.into()))
}

fn not_locked(path: &Path) -> impl FnOnce(io::Error) -> LockError {
    let path = path.to_owned();
    move |source| LockError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_for_a_lock_gets_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = lock_file_in_turn(&path).unwrap();
        assert!(matches!(lock_file_exclusive(&path), Err(LockError::Held(_))));
        let waiting = std::thread::spawn(move || lock_file_in_turn(&path).map(drop));
        drop(held);
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn a_shared_lock_is_shared_and_keeps_others_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let (one, two) = (lock_file_shared(&path).unwrap(), lock_file_shared(&path).unwrap());
        drop(one);
        assert!(matches!(lock_file_exclusive(&path), Err(LockError::Held(_))));
        drop(two);
        lock_file_exclusive(&path).unwrap();
    }

    #[test]
    fn a_lock_is_held_once_and_freed_on_drop() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let lock = lock_file_exclusive(&path).unwrap();
        assert!(matches!(lock_file_exclusive(&path), Err(LockError::Held(_))));
        drop(lock);
        lock_file_exclusive(&path).unwrap();
    }

    #[test]
    fn a_shared_lock_is_held_by_many_and_by_nobody_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let first = try_lock_file_shared(&path).unwrap();
        let second = try_lock_file_shared(&path).unwrap();
        drop(first);
        assert!(matches!(lock_file_exclusive(&path), Err(LockError::Held(_))));
        drop(second);
        let _alone = lock_file_exclusive(&path).unwrap();
        assert!(matches!(try_lock_file_shared(&path), Err(LockError::Held(_))));
    }
}
