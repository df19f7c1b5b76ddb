//! `cargo xtask aws-model`: the AWS service models that `wire` interprets, trimmed from an installed botocore.
//!
//! The models are committed, so that a build needs no Python. This makes them again, or with `--check` proves that
//! they are what the pinned botocore says: nobody has to trust an edit by hand.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// The one version the models are made from.
const BOTOCORE: &str = "botocore==1.44.5";
const SCRIPT: &str = include_str!("aws_model.py");
const MODELS: &str = "crates/wire/models";
const WANTED: &str = "operations.txt";

/// What to do with the models.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only compare the committed models with what would be made.
    #[arg(long)]
    check: bool,
}

/// Makes the models in the checkout that cargo runs us in, or compares them.
///
/// # Errors
/// Python or the package index is away, or with `--check` a file differs.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let models = root.join(MODELS);
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let python = python_with_botocore(folder.path())?;
    let script = folder.path().join("aws_model.py");
    std::fs::write(&script, SCRIPT).context("cannot write the script")?;
    let made = folder.path().join("models");
    std::fs::create_dir(&made).context("cannot make a folder")?;
    run_quietly(Command::new(&python).arg("-I").arg(&script).arg(models.join(WANTED)).arg(&made))?;
    if options.check { compare(&models, &made) } else { copy(&models, &made) }
}

/// An environment of its own, so that nothing else on the machine can be read instead.
fn python_with_botocore(folder: &Path) -> Result<std::path::PathBuf> {
    let venv = folder.join("venv");
    run_quietly(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let python = venv.join("bin/python");
    run_quietly(Command::new(&python).args(["-m", "pip", "install", "--quiet", BOTOCORE]))?;
    Ok(python)
}

fn run_quietly(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!("{name} failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn copy(models: &Path, made: &Path) -> Result<()> {
    for name in names(made)? {
        std::fs::copy(made.join(&name), models.join(&name))
            .with_context(|| format!("cannot write {}", models.join(&name).display()))?;
    }
    Ok(())
}

/// Every made file is committed as made, and nothing else but the lists is there.
fn compare(models: &Path, made: &Path) -> Result<()> {
    let expected = names(made)?;
    for name in &expected {
        let here = std::fs::read(models.join(name)).with_context(|| format!("no {}", models.join(name).display()))?;
        ensure!(
            here == std::fs::read(made.join(name))?,
            "{} is not what {BOTOCORE} says: run `cargo xtask aws-model`",
            models.join(name).display()
        );
    }
    for name in names(models)? {
        let made_by_hand = name == WANTED || name == "fields.tsv";
        ensure!(made_by_hand || expected.contains(&name), "{} is nobody's", models.join(&name).display());
    }
    Ok(())
}
