//! The data directory: whose it is, who may look into it, and whether there is room.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::finding::{Finding, chain};
use super::scene::{Scene, size};
use crate::door;

const DATA: &str = "data";
const DISK: &str = "disk";
/// What is written to see whether the disk takes it.
static PROBE: [u8; 64 << 10] = [0; 64 << 10];
/// With less than this, the next requests fail.
const FULL: u64 = 16 << 20;
/// With less than this, somebody should make room.
const TIGHT: u64 = 1 << 30;
const FEW_FILES: u64 = 1000;

/// Looks at the data directory, and that of the store if it is another, and the disk under them.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let data = &scene.config.data;
    let mut findings = Vec::new();
    if let Some(running) = scene.running {
        findings.push(Finding::fine(
            DATA,
            format!("{} is in use by {}", data.display(), running.name()),
        ));
    }
    findings.extend(
        door::check_path(data)
            .err()
            .map(|error| Finding::fault(DATA, chain(&error)).why("moho cannot start")),
    );
    findings.extend(directory(scene, data));
    if scene.config.store != *data {
        findings.extend(directory(scene, &scene.config.store));
    }
    findings
}

fn directory(scene: &Scene<'_>, data: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    match fs::metadata(data) {
        Ok(about) if !about.is_dir() => {
            findings.push(
                Finding::fault(DATA, format!("{} is no directory", data.display()))
                    .why("moho cannot start")
                    .cure("choose another with --data (`data`)"),
            );
            return findings;
        }
        Ok(about) => findings.extend(own(scene, data, &about)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            findings.push(Finding::fine(
                DATA,
                format!("{} will be made when moho starts", data.display()),
            ));
        }
        Err(error) => {
            findings.push(unreachable(data, &error));
            return findings;
        }
    }
    if let Some(directory) = data.ancestors().find(|folder| folder.is_dir()) {
        findings.extend(room(directory));
    }
    findings
}

fn unreachable(data: &Path, error: &io::Error) -> Finding {
    Finding::fault(DATA, format!("{} cannot be reached: {error}", data.display()))
        .why("moho cannot start")
        .cure("let moho's user pass every directory above it, or choose another with --data (`data`)")
}

/// Owner and permissions of the directory and what lies in it.
fn own(scene: &Scene<'_>, data: &Path, about: &fs::Metadata) -> Vec<Finding> {
    let user = scene.system.user;
    if about.uid() != user {
        let what = format!(
            "{} belongs to user {}, and this is user {user}",
            data.display(),
            about.uid()
        );
        let found = if user == 0 {
            Finding::note(DATA, what)
                .why("root may do what moho's own user may not, so the doctor sees less than it should")
        } else {
            Finding::fault(DATA, what).why("moho cannot keep keys and responses there")
        };
        return vec![found.cure(format!("run moho and its doctor as user {}", about.uid()))];
    }
    let mut findings = Vec::new();
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        findings.push(
            Finding::warning(DATA, format!("{} has mode {mode:03o}", data.display()))
                .why("other users of this machine can see what lies in it")
                .cure("`chmod 700` it"),
        );
    }
    let strangers: Vec<String> = fs::read_dir(data)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.metadata().is_ok_and(|about| about.uid() != user))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    if !strangers.is_empty() {
        findings.push(
            Finding::fault(
                DATA,
                format!(
                    "in {}, {} belongs to another user",
                    data.display(),
                    strangers.join(", ")
                ),
            )
            .why("moho cannot use it; somebody may have run it as root once")
            .cure(format!("`chown -R {user} {}` as root", data.display())),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::fine(
            DATA,
            format!("{} is private to this user", data.display()),
        ));
    }
    findings
}

/// Room on the disk, and whether it takes a file.
fn room(directory: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    match moho_os::try_writing(directory, &PROBE) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(error) => {
            let cure = unwritable(error.kind());
            findings.push(
                Finding::fault(DISK, format!("{} takes no file: {error}", directory.display()))
                    .why("neither the journal nor responses can be written, and without the journal every request is refused")
                    .cure(cure),
            );
        }
    }
    match moho_os::room(directory) {
        Ok(room) => findings.extend(tight(directory, room)),
        Err(error) => findings.push(
            Finding::warning(
                DISK,
                format!(
                    "the room on the disk of {} cannot be told: {error}",
                    directory.display()
                ),
            )
            .why("moho fails when it is full")
            .cure("see `df`"),
        ),
    }
    if findings.is_empty() {
        let free = moho_os::room(directory).map_or_else(|_error| "room".to_owned(), |room| size(room.bytes));
        findings.push(Finding::fine(
            DISK,
            format!("{free} free for {}", directory.display()),
        ));
    }
    findings
}

/// What to do about a disk that takes no file.
fn unwritable(kind: io::ErrorKind) -> &'static str {
    if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        "make room, or choose another disk with --data (`data`)"
    } else if kind == io::ErrorKind::ReadOnlyFilesystem {
        "mount it for writing, or choose another with --data (`data`)"
    } else if kind == io::ErrorKind::PermissionDenied {
        "let moho's user write there, or choose another with --data (`data`)"
    } else {
        "look into the system's log (`dmesg`) for what is wrong with the disk"
    }
}

fn tight(directory: &Path, room: moho_os::Room) -> Vec<Finding> {
    let make = "make room: the journal is not pruned, and responses are kept until they are deleted";
    let mut findings = Vec::new();
    let what = format!("{} free on the disk of {}", size(room.bytes), directory.display());
    if room.bytes < FULL {
        findings.push(Finding::fault(DISK, what).why("requests will fail").cure(make));
    } else if room.bytes < TIGHT {
        findings.push(
            Finding::warning(DISK, what)
                .why("when it is full, requests fail")
                .cure(make),
        );
    }
    if let Some(files) = room.files.filter(|files| *files < FEW_FILES) {
        findings.push(
            Finding::warning(
                DISK,
                format!(
                    "room for {files} more files only on the disk of {}",
                    directory.display()
                ),
            )
            .why("when there are no inodes left, requests fail, whatever `df` says")
            .cure("see `df -i`, and delete files"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::finding::Level;
    use super::super::scene::Running;
    use super::super::tests::{config, scene};
    use super::*;

    fn checked(data: &Path) -> Vec<Finding> {
        let config = config(&[("data", data.to_str().unwrap())]);
        check(&scene(&config))
    }

    fn worst(findings: &[Finding]) -> &Finding {
        findings.iter().max_by_key(|found| found.level).unwrap()
    }

    fn private() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        folder
    }

    #[test]
    fn a_private_directory_is_fine_and_stays_as_it_is() {
        let folder = private();
        assert!(worst(&checked(folder.path())).level <= Level::Warning);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let absent = folder.path().join("a/b");
        assert!(checked(&absent)[0].what.contains("will be made"));
        assert!(!absent.exists());
    }

    #[test]
    fn what_others_may_see_or_own_is_told() {
        let folder = private();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let findings = checked(folder.path());
        assert!(
            findings.iter().any(|found| found.cure.contains("chmod 700")),
            "{findings:?}"
        );
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_a_fault() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(worst(&checked(file.path())).what.contains("no directory"));
        let below = file.path().join("data");
        assert_eq!(worst(&checked(&below)).level, Level::Fault);
    }

    #[test]
    fn a_directory_of_another_user_is_told() {
        let folder = private();
        let config = config(&[("data", folder.path().to_str().unwrap())]);
        let mut scene = scene(&config);
        let owner = fs::metadata(folder.path()).unwrap().uid();
        scene.system.user = owner + 1;
        let found = check(&scene);
        assert_eq!(found[0].level, Level::Fault);
        assert!(found[0].cure.contains(&format!("as user {owner}")));
    }

    #[test]
    fn a_running_server_is_no_fault() {
        let folder = private();
        let config = config(&[("data", folder.path().to_str().unwrap())]);
        let mut scene = scene(&config);
        scene.running = Some(Running { process: Some(7) });
        let findings = check(&scene);
        assert!(findings[0].level == Level::Fine && findings[0].what.contains("process 7"));
    }

    #[test]
    fn little_room_is_told() {
        let told = |bytes, files| tight(Path::new("/x"), moho_os::Room { bytes, files });
        assert!(told(TIGHT, Some(FEW_FILES)).is_empty() && told(TIGHT, None).is_empty());
        assert_eq!(told(TIGHT - 1, None)[0].level, Level::Warning);
        assert_eq!(told(FULL - 1, None)[0].level, Level::Fault);
        assert!(told(TIGHT, Some(3))[0].cure.contains("df -i"));
    }

    /// A disk that is really full, where the test may make one.
    #[test]
    fn a_full_disk_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let mount = |arguments: &[&str]| Command::new("mount").args(arguments).arg(folder.path()).output();
        let made = mount(&["-t", "tmpfs", "-o", "size=64k,mode=0700", "moho-test"]);
        if !made.is_ok_and(|made| made.status.success()) {
            // Only root may mount; tests/clients/test_doctor.py says so aloud.
            return;
        }
        let filled = fs::write(folder.path().join("filler"), [0; 64 << 10]);
        let findings = checked(folder.path());
        let read_only = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(folder.path())
            .status();
        let when_read_only = checked(folder.path());
        Command::new("umount").arg(folder.path()).status().unwrap();
        filled.unwrap();
        assert!(read_only.unwrap().success());
        let full = findings
            .iter()
            .find(|found| found.what.contains("takes no file"))
            .unwrap();
        assert!(
            full.level == Level::Fault && full.cure.contains("make room"),
            "{full:?}"
        );
        let closed = when_read_only
            .iter()
            .find(|found| found.what.contains("takes no file"))
            .unwrap();
        assert!(closed.cure.contains("mount it for writing"), "{closed:?}");
    }
}
