//! Private Python environments in the user's cache, made once for one list of pinned requirements.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::places::Places;
use crate::process;
use crate::terminal::Step;

/// The stamp is written last, so that an environment cut off half-way is made again.
const STAMP: &str = "moho-requirements.txt";

/// A Python environment that holds exactly what its requirements say.
pub(crate) struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// Opens the environment called `name`, making it anew unless it was made for these requirements.
    pub(crate) fn open(places: &Places, name: &str, requirements: &str) -> Result<Self> {
        let folder = places.cache("python")?.join(name);
        let lock = std::fs::File::create(folder.with_extension("lock")).context("cannot make a lock file")?;
        lock.lock()
            .context("cannot take the lock of a Python environment")?;
        let environment = Self { folder };
        if !environment.serves(requirements) {
            environment.make(name, requirements)?;
        }
        Ok(environment)
    }

    /// A program of this environment, ready to run.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs().join(program));
        command
            .env("VIRTUAL_ENV", &self.folder)
            .env_remove("PYTHONHOME")
            .env_remove("PYTHONPATH");
        command
    }

    /// The folder of this environment's programs.
    pub(crate) fn programs(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// A link to an interpreter that has since been removed does not count.
    fn serves(&self, requirements: &str) -> bool {
        self.programs().join("python").exists()
            && std::fs::read_to_string(self.folder.join(STAMP)).is_ok_and(|stamp| stamp == requirements)
    }

    fn make(&self, name: &str, requirements: &str) -> Result<()> {
        let step = Step::spinner("python");
        step.now(&format!("environment {name}"));
        process::capture(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&self.folder),
        )?;
        let list = self.folder.join("requirements.in");
        write(&list, requirements)?;
        if !requirements.trim().is_empty() {
            let mut pip = self.command("python");
            pip.args([
                "-m",
                "pip",
                "install",
                "--no-input",
                "--progress-bar",
                "off",
                "-r",
            ])
            .arg(&list);
            process::watch(&mut pip, |line| step.now(line.trim()))?;
        }
        write(&self.folder.join(STAMP), requirements)?;
        step.done(&format!("made the environment {name}"));
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
