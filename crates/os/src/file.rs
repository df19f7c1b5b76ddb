//! Files that only this user may read, and a lock that only one process may hold.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use zeroize::Zeroizing;

/// A private file is absent, or not as private as it must be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateFileError {
    /// There is no such file.
    #[error("`{}` does not exist", .0.display())]
    Absent(PathBuf),
    /// It is a symbolic link, a directory, a pipe or a device.
    #[error("`{}` is not a regular file of its own (symbolic links are not followed)", .0.display())]
    NotRegular(PathBuf),
    /// Another user owns it.
    #[error("`{}` belongs to another user: change its owner to the one that runs moho", .0.display())]
    ForeignOwner(PathBuf),
    /// Others may read or write it.
    #[error("`{}` has mode {mode:04o}, so others can reach it: run `chmod 600` on it if you still trust it", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is shorter or longer than such a file is.
    #[error("`{}` has {found} bytes where {expected} are right: restore it from a backup", .path.display())]
    WrongSize {
        /// The file.
        path: PathBuf,
        /// Its size.
        found: u64,
        /// The only right size.
        expected: u64,
    },
    /// It is longer than such a file can be.
    #[error("`{}` has more than {most} bytes: it is not what moho wrote", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The largest right size.
        most: u64,
    },
    /// It was there already, so it was not created.
    #[error("`{}` exists already", .0.display())]
    Exists(PathBuf),
    /// The disk or the kernel failed.
    #[error("`{}` could not be read or written", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

fn io_error(path: &Path) -> impl FnOnce(rustix::io::Errno) -> PrivateFileError {
    let path = path.to_owned();
    move |errno| PrivateFileError::Io {
        path,
        source: errno.into(),
    }
}

/// Reads a file of exactly `size` bytes that is regular, owned by this process's user and closed to all others.
///
/// # Errors
/// [`PrivateFileError`]; the file is not read unless it passes every check.
pub fn read_private(path: &Path, size: usize) -> Result<Zeroizing<Vec<u8>>, PrivateFileError> {
    let mut file = open_private(path, size)?;
    let mut bytes = Zeroizing::new(vec![0; size]);
    file.read_exact(&mut bytes)
        .map_err(|source| PrivateFileError::Io {
            path: path.to_owned(),
            source,
        })?;
    Ok(bytes)
}

/// Reads a file of at most `most` bytes that is regular, owned by this process's user and closed to all others.
///
/// # Errors
/// [`PrivateFileError`]; the file is not read unless it passes every check.
pub fn read_private_within(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>, PrivateFileError> {
    read_within(path, open_closed(path)?, most)
}

fn read_within(
    path: &Path,
    (file, found): (File, u64),
    most: usize,
) -> Result<Zeroizing<Vec<u8>>, PrivateFileError> {
    if found > most as u64 {
        return Err(PrivateFileError::TooLong {
            path: path.to_owned(),
            most: most as u64,
        });
    }
    // Large enough that the buffer does not move and leave a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    file.take(most as u64)
        .read_to_end(&mut bytes)
        .map_err(|source| PrivateFileError::Io {
            path: path.to_owned(),
            source,
        })?;
    Ok(bytes)
}

/// Reads a file of at most `most` bytes that the service manager gave this process: regular, this user's or root's, and
/// closed to everybody else. What its group may do, an access list for this user shows as.
///
/// # Errors
/// [`PrivateFileError`]; the file is not read unless it passes every check.
pub fn read_given_within(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>, PrivateFileError> {
    let (file, status) = open_with_status(path)?;
    if status.st_uid != rustix::process::geteuid().as_raw() && status.st_uid != 0 {
        return Err(PrivateFileError::ForeignOwner(path.to_owned()));
    }
    closed(path, &status, 0o7137)?;
    read_within(path, (file, size(&status)), most)
}

/// Makes every check of [`read_private`] and reads nothing.
///
/// # Errors
/// [`PrivateFileError`], as [`read_private`] would give.
pub fn check_private(path: &Path, size: usize) -> Result<(), PrivateFileError> {
    open_private(path, size).map(drop)
}

/// Opens a file that passes every check.
fn open_private(path: &Path, size: usize) -> Result<File, PrivateFileError> {
    let (file, found) = open_closed(path)?;
    let expected = size as u64;
    if found != expected {
        return Err(PrivateFileError::WrongSize {
            path: path.to_owned(),
            found,
            expected,
        });
    }
    Ok(file)
}

/// Opens a regular file of this user's that is closed to all others; with its size.
fn open_closed(path: &Path) -> Result<(File, u64), PrivateFileError> {
    let (file, status) = open_with_status(path)?;
    if status.st_uid != rustix::process::geteuid().as_raw() {
        return Err(PrivateFileError::ForeignOwner(path.to_owned()));
    }
    closed(path, &status, 0o7177)?;
    Ok((file, size(&status)))
}

/// Opens a regular file for reading; with its size. Links are not followed, and nothing else is waited for.
///
/// # Errors
/// [`PrivateFileError`] if it is absent, something else, or the kernel refuses.
pub fn open_regular(path: &Path) -> Result<(File, u64), PrivateFileError> {
    let (file, status) = open_with_status(path)?;
    Ok((file, size(&status)))
}

fn open_with_status(path: &Path) -> Result<(File, Stat), PrivateFileError> {
    // NONBLOCK: a pipe in the file's place must not make the process wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(rustix::io::Errno::NOENT) => return Err(PrivateFileError::Absent(path.to_owned())),
        Err(rustix::io::Errno::LOOP) => return Err(PrivateFileError::NotRegular(path.to_owned())),
        Err(errno) => return Err(io_error(path)(errno)),
    };
    let status = rustix::fs::fstat(&file).map_err(io_error(path))?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return Err(PrivateFileError::NotRegular(path.to_owned()));
    }
    Ok((file, status))
}

/// Whether nothing of `forbidden` is allowed.
fn closed(path: &Path, status: &Stat, forbidden: u32) -> Result<(), PrivateFileError> {
    let mode = status.st_mode & 0o7777;
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(PrivateFileError::Open {
        path: path.to_owned(),
        mode,
    })
}

fn size(status: &Stat) -> u64 {
    u64::try_from(status.st_size).unwrap_or(0)
}

/// Creates a file of mode 0600, whole or not at all: it is written and synced under a name of its own, then linked to
/// `path`, which must not exist; then the directory is synced. Of several processes doing so at once, one succeeds.
///
/// # Errors
/// [`PrivateFileError::Exists`] if `path` is taken, [`PrivateFileError::Io`] if the disk fails.
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<(), PrivateFileError> {
    let failed = |source| PrivateFileError::Io {
        path: path.to_owned(),
        source,
    };
    let (draft, mut file) = create_draft(path)?;
    let linked = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&draft, path));
    let removed = std::fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(PrivateFileError::Exists(path.to_owned()));
        }
        done => done.and(removed).map_err(failed)?,
    }
    sync_folder_of(path).map_err(failed)
}

/// Puts a file of mode 0600 in the place of `path`, whole or not at all, whether there was one or not: it is written and
/// synced under a name of its own, then renamed; then the directory is synced.
///
/// # Errors
/// [`PrivateFileError::Io`] if the disk fails.
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), PrivateFileError> {
    let failed = |source| PrivateFileError::Io {
        path: path.to_owned(),
        source,
    };
    let (draft, mut file) = create_draft(path)?;
    let replaced = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&draft, path));
    if let Err(error) = replaced {
        // What went wrong first is what is told.
        drop(std::fs::remove_file(&draft));
        return Err(failed(error));
    }
    sync_folder_of(path).map_err(failed)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all())
}

/// A new, empty file of mode 0600 beside `path`, with a name that no other draft has.
fn create_draft(path: &Path) -> Result<(PathBuf, File), PrivateFileError> {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // A draft left behind by a killed process of the same id keeps its name: take the next.
    for _ in 0..64 {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(
            ".{}-{}.new",
            std::process::id(),
            DRAFTS.fetch_add(1, Ordering::Relaxed)
        ));
        let draft = path.with_file_name(name);
        match rustix::fs::open(&draft, flags, Mode::RUSR | Mode::WUSR) {
            Ok(descriptor) => return Ok((draft, File::from(descriptor))),
            Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(io_error(path)(errno)),
        }
    }
    Err(io_error(path)(rustix::io::Errno::EXIST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn what_is_created_is_read_back_and_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        assert!(matches!(read_private(&path, 4), Err(PrivateFileError::Absent(_))));
        create_private(&path, b"1234").unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            0o600
        );
        assert_eq!(read_private(&path, 4).unwrap().as_slice(), b"1234");
        assert!(matches!(
            create_private(&path, b"5678"),
            Err(PrivateFileError::Exists(_))
        ));
        assert_eq!(read_private(&path, 4).unwrap().as_slice(), b"1234");
        assert_eq!(
            std::fs::read_dir(directory.path()).unwrap().count(),
            1,
            "no drafts are left"
        );
    }

    #[test]
    fn what_is_replaced_is_private_and_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("login");
        std::fs::write(&path, "open to all").unwrap();
        assert!(matches!(
            read_private_within(&path, 100),
            Err(PrivateFileError::Open { .. })
        ));
        replace_private(&path, b"1234").unwrap();
        assert_eq!(read_private_within(&path, 4).unwrap().as_slice(), b"1234");
        assert!(matches!(
            read_private_within(&path, 3),
            Err(PrivateFileError::TooLong { .. })
        ));
        assert_eq!(
            std::fs::read_dir(directory.path()).unwrap().count(),
            1,
            "no drafts are left"
        );
        let folder = directory.path().join("folder");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("file"), "").unwrap();
        assert!(replace_private(&folder, b"1234").is_err());
        assert_eq!(
            std::fs::read_dir(directory.path()).unwrap().count(),
            2,
            "no drafts are left"
        );
    }

    #[test]
    fn a_file_of_another_size_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        create_private(&path, b"1234").unwrap();
        assert!(matches!(
            read_private(&path, 3),
            Err(PrivateFileError::WrongSize {
                found: 4,
                expected: 3,
                ..
            })
        ));
        assert!(matches!(
            read_private(&path, 5),
            Err(PrivateFileError::WrongSize {
                found: 4,
                expected: 5,
                ..
            })
        ));
    }

    #[test]
    fn a_file_that_others_can_reach_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        create_private(&path, b"1234").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o700, 0o4600] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(
                matches!(read_private(&path, 4), Err(PrivateFileError::Open { .. })),
                "{mode:o}"
            );
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read_private(&path, 4).is_ok());
    }

    #[test]
    fn what_the_service_manager_gave_may_be_in_a_group_and_nobody_elses() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("given");
        create_private(&path, b"1234").unwrap();
        let read = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            read_given_within(&path, 4).map(|bytes| bytes.to_vec())
        };
        for mode in [0o400, 0o440, 0o600] {
            assert_eq!(read(mode).unwrap(), b"1234", "{mode:o}");
        }
        for mode in [0o404, 0o460, 0o602, 0o500] {
            assert!(
                matches!(read(mode), Err(PrivateFileError::Open { .. })),
                "{mode:o}"
            );
        }
    }

    #[test]
    fn links_directories_and_pipes_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("link"));
        create_private(&target, b"1234").unwrap();
        symlink(&target, &link).unwrap();
        assert!(matches!(
            read_private(&link, 4),
            Err(PrivateFileError::NotRegular(_))
        ));
        assert!(matches!(
            read_private(directory.path(), 4),
            Err(PrivateFileError::NotRegular(_))
        ));
        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(matches!(
            read_private(&pipe, 4),
            Err(PrivateFileError::NotRegular(_))
        ));
        let dangling = directory.path().join("dangling");
        symlink(directory.path().join("nowhere"), &dangling).unwrap();
        assert!(matches!(
            create_private(&dangling, b"1234"),
            Err(PrivateFileError::Exists(_))
        ));
        assert!(!directory.path().join("nowhere").exists());
    }

    #[test]
    fn of_many_creators_one_wins() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let created = std::thread::scope(|scope| {
            let creators: Vec<_> = (0_u8..8)
                .map(|n| {
                    let path = &path;
                    scope.spawn(move || create_private(path, &[n; 4]).is_ok())
                })
                .collect();
            creators
                .into_iter()
                .map(|c| c.join().unwrap())
                .filter(|won| *won)
                .count()
        });
        assert_eq!(created, 1);
        let bytes = read_private(&path, 4).unwrap();
        assert!(bytes.iter().all(|b| *b == bytes[0]));
    }
}
