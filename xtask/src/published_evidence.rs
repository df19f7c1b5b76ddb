//! Real evidence that crates publish among their tests: brought once, checked, and kept in the user's cache.
//!
//! cargo brings the crates, of which nothing is built; each file is held to its digest before it gets its name.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::cargo::cargo;
use crate::places::Places;
use crate::process;
use crate::terminal::Step;

/// One file of a crate, and what it is called here.
struct Published {
    package: &'static str,
    version: &'static str,
    file: &'static str,
    name: &'static str,
    sha256: &'static str,
}

const PUBLISHED: &[Published] = &[Published {
    package: "nitro_attest",
    version: "0.2.0",
    file: "tests/fixtures/attestation.cose",
    name: "nitro_attest-0.2.0.cose",
    sha256: "19b71700ef369a55ad201e09843c7cfcbaecd2a07917e77cafa42fb227d582b7",
}];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// Gives the folder that `MOHO_ATTEST_VECTORS` is to name.
pub(crate) fn bring(places: &Places) -> Result<PathBuf> {
    let folder = places.cache("attest-vectors")?;
    let there = |one: &Published| {
        let path = folder.join(one.name);
        path.is_file() && process::sha256(&path).is_ok_and(|found| found == one.sha256)
    };
    if PUBLISHED.iter().all(there) {
        return Ok(folder);
    }
    let step = Step::spinner("evidence");
    step.now("what crates publish");
    let scratch = tempfile::tempdir_in(&folder).context("cannot make a scratch folder")?;
    for package in packages(places, scratch.path())? {
        for one in PUBLISHED.iter().filter(|one| one.package == package.name) {
            let root = package.manifest_path.parent().context("a crate has a folder")?;
            let file = root.join(one.file);
            let found = process::sha256(&file)?;
            ensure!(
                found == one.sha256,
                "{} has digest {found}, not the pinned {}",
                one.name,
                one.sha256
            );
            let copied = scratch.path().join(one.name);
            std::fs::copy(&file, &copied).with_context(|| format!("cannot copy {}", one.name))?;
            std::fs::rename(&copied, folder.join(one.name))
                .with_context(|| format!("cannot keep {}", one.name))?;
        }
    }
    ensure!(
        PUBLISHED.iter().all(there),
        "a crate does not have its evidence any more"
    );
    step.done("brought");
    Ok(folder)
}

/// Has cargo fetch the crates, as the dependencies of a package that is never built.
fn packages(places: &Places, scratch: &Path) -> Result<Vec<Package>> {
    let mut manifest = String::from(
        "[workspace]\n[package]\nname = \"published-evidence\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n\
         [dependencies]\n",
    );
    for one in PUBLISHED {
        writeln!(manifest, "{} = \"={}\"", one.package, one.version)?;
    }
    std::fs::write(scratch.join("Cargo.toml"), manifest).context("cannot write a manifest")?;
    std::fs::write(scratch.join("lib.rs"), "").context("cannot write a manifest")?;
    let mut command = cargo(places, &["metadata", "--format-version", "1", "--quiet"]);
    command.current_dir(scratch);
    let metadata: Metadata =
        serde_json::from_str(&process::capture(&mut command)?).context("cargo's metadata cannot be read")?;
    Ok(metadata.packages)
}
