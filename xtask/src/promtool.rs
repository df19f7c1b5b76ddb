//! Prometheus's own checker of what a scrape reads, from Debian's package.
//!
//! Only the program is taken out of the package: installing it would start a Prometheus on the developer's machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::places::Places;
use crate::process;
use crate::terminal::Step;

const PACKAGE: &str = "prometheus";
const PROGRAM: &str = "promtool";

/// The folder to search for the program, once it is there; `None` if the system has it.
pub(crate) fn bring(places: &Places) -> Result<Option<PathBuf>> {
    if works(Path::new(PROGRAM)) {
        return Ok(None);
    }
    let folder = places.cache("tools")?;
    let program = folder.join(PROGRAM);
    if !works(&program) {
        let step = Step::spinner("tools");
        step.now(PROGRAM);
        extract(&program)
            .with_context(|| format!("{PROGRAM} cannot be had; on Debian: sudo apt-get install {PACKAGE}"))?;
        step.done(&format!("took {PROGRAM} out of the package {PACKAGE}"));
    }
    Ok(Some(folder))
}

fn works(program: &Path) -> bool {
    process::succeeds(Command::new(program).arg("--version"))
}

fn extract(program: &Path) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    let download = || {
        let mut apt = Command::new("apt-get");
        apt.args(["download", "-qq", PACKAGE]).current_dir(folder.path());
        process::capture(&mut apt)
    };
    if download().is_err() {
        // A machine that never asked for packages has no list of them.
        process::capture(Command::new("apt-get").args(["update", "-qq"]))?;
        download()?;
    }
    let mut packages = std::fs::read_dir(folder.path())?.filter_map(|entry| Some(entry.ok()?.path()));
    let package = packages.find(|path| path.extension().is_some_and(|end| end == "deb"));
    let package = package.context("no package was downloaded")?;
    let files = folder.path().join("files");
    process::capture(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&files))?;
    put(&files.join("usr/bin").join(PROGRAM), program)
}

/// Copies a program that works to its place: whole, or not at all.
fn put(from: &Path, program: &Path) -> Result<()> {
    let folder = program.parent().context("a program is in a folder")?;
    let beside = tempfile::tempdir_in(folder).context("cannot make a folder")?;
    let copy = beside.path().join(PROGRAM);
    std::fs::copy(from, &copy).context("the package has another content")?;
    ensure!(works(&copy), "the program does not work here");
    std::fs::rename(&copy, program).context("cannot put the program in its place")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_work_takes_no_place() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(PROGRAM);
        std::fs::write(folder.path().join("broken"), "half of it").unwrap();
        assert!(put(&folder.path().join("broken"), &program).is_err());
        assert!(!program.exists());
        put(Path::new("/bin/true"), &program).unwrap();
        assert!(works(&program));
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            2,
            "nothing is left over"
        );
    }
}
