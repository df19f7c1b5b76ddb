//! `cargo xtask aws-model`: the AWS service models that `wire` interprets, trimmed from an installed botocore.
//!
//! The models are committed, so that a build needs no Python. This makes them again, or with `--check` proves that
//! they are what the pinned botocore says: nobody has to trust an edit by hand.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::places::Places;
use crate::process;
use crate::python::Environment;

/// The one version the models are made from.
const BOTOCORE: &str = "botocore==1.44.5\n";
const SCRIPT: &str = include_str!("aws_model.py");
const MODELS: &str = "crates/wire/models";
/// Which operations are wanted, and what happens to their members: written by hand.
const BY_HAND: [&str; 2] = ["operations.txt", "fields.tsv"];

/// What to do with the models.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only compare the committed models with what would be made.
    #[arg(long)]
    check: bool,
}

/// Makes the models, or compares them.
pub(crate) fn run(options: &Options) -> Result<()> {
    let places = Places::find()?;
    let models = places.checkout().join(MODELS);
    let python = Environment::open(&places, "aws-model", BOTOCORE)?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let script = folder.path().join("aws_model.py");
    std::fs::write(&script, SCRIPT).context("cannot write the script")?;
    let made = folder.path().join("models");
    std::fs::create_dir(&made).context("cannot make a folder")?;
    let mut command = python.command("python");
    command
        .arg("-I")
        .arg(&script)
        .arg(models.join("operations.txt"))
        .arg(&made);
    process::capture(&mut command)?;
    if options.check {
        compare(&models, &made)
    } else {
        copy(&models, &made)
    }
}

fn names(folder: &Path) -> Result<Vec<OsString>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.file_name())).collect()
}

fn copy(models: &Path, made: &Path) -> Result<()> {
    for name in names(made)? {
        let model = models.join(&name);
        std::fs::copy(made.join(&name), &model)
            .with_context(|| format!("cannot write {}", model.display()))?;
    }
    Ok(())
}

/// Every made file is committed as made, and nothing is there that nobody made.
fn compare(models: &Path, made: &Path) -> Result<()> {
    let expected = names(made)?;
    for name in &expected {
        let model = models.join(name);
        let committed = std::fs::read(&model).with_context(|| format!("no {}", model.display()))?;
        ensure!(
            committed == std::fs::read(made.join(name))?,
            "{} is not what {} says: run `cargo xtask aws-model`",
            model.display(),
            BOTOCORE.trim()
        );
    }
    for name in names(models)? {
        let known = BY_HAND.iter().any(|by_hand| name == *by_hand) || expected.contains(&name);
        ensure!(known, "{} is nobody's", models.join(&name).display());
    }
    Ok(())
}
