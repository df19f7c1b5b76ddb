//! Real evidence that crates publish among their tests: brought once, checked, and kept in the user's cache.
//!
//! cargo brings the crates, of which nothing is built; each file is held to its digest before it gets its name.

use std::collections::BTreeMap;
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

const PUBLISHED: &[Published] = &[
    Published {
        package: "nitro_attest",
        version: "0.2.0",
        file: "tests/fixtures/attestation.cose",
        name: "nitro_attest-0.2.0.cose",
        sha256: "19b71700ef369a55ad201e09843c7cfcbaecd2a07917e77cafa42fb227d582b7",
    },
    dcap_qvl(
        "sample/tdx_quote",
        "dcapqvl-tdx_quote",
        "c42f9164325024bca2757bc8819b11879a0a369132ea4e2b7c85df4805ea72db",
    ),
    dcap_qvl(
        "sample/tdx_quote_collateral.json",
        "dcapqvl-tdx_quote_collateral.json",
        "b0a5f5fd620a8881b1eda45261fdf30dd930b49aff93231556645c81fcb4c0bc",
    ),
    dcap_qvl(
        "sample/tdx_quote_outdated",
        "dcapqvl-tdx_quote_outdated",
        "4c453ea417a7863ed67c215fe4735d91e26f359c760e5984a277866d8d5758e9",
    ),
    dcap_qvl(
        "sample/tdx_quote_outdated_collateral.json",
        "dcapqvl-tdx_quote_outdated_collateral.json",
        "05e91466e56352166c15a73654147c3d95d6f4ffa62bd150c3c8cbb1d75c3b15",
    ),
    dcap_qvl(
        "sample/tdx_quote_td15ex",
        "dcapqvl-tdx_quote_td15ex",
        "fd88575b046315787daac21cb3657d03d95d74760a9c5006ad689fa5c2c498f7",
    ),
    dcap_qvl(
        "sample/tdx_quote_td15ex_collateral.json",
        "dcapqvl-tdx_quote_td15ex_collateral.json",
        "29e1cb0c2dc98c2cc7f241cc142bdf9d61dee288276d33ae45d5fb2b6b5cc0b0",
    ),
    dcap_qvl(
        "sample/sgx_quote",
        "dcapqvl-sgx_quote",
        "f8b81014b6e443609746822194910f5dc1c92c322fa0584298d1e33e505ca3b5",
    ),
    dcap_qvl(
        "sample/sgx_quote_collateral.json",
        "dcapqvl-sgx_quote_collateral.json",
        "bdd694bbe50f3a2a1cfe12f9e2bd83125921107a368edcf10780a5523b8501ce",
    ),
];

/// A file of the crate that quotes of TDX are verified with.
const fn dcap_qvl(file: &'static str, name: &'static str, sha256: &'static str) -> Published {
    Published {
        package: "dcap-qvl",
        version: "0.7.1",
        file,
        name,
        sha256,
    }
}

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
    let crates: BTreeMap<&str, &str> = PUBLISHED.iter().map(|one| (one.package, one.version)).collect();
    for (package, version) in crates {
        // Without features cargo fetches fewer crates that nobody looks at.
        writeln!(
            manifest,
            "{package} = {{ version = \"={version}\", default-features = false }}"
        )?;
    }
    std::fs::write(scratch.join("Cargo.toml"), manifest).context("cannot write a manifest")?;
    std::fs::write(scratch.join("lib.rs"), "").context("cannot write a manifest")?;
    let mut command = cargo(places, &["metadata", "--format-version", "1", "--quiet"]);
    command.current_dir(scratch);
    let metadata: Metadata =
        serde_json::from_str(&process::capture(&mut command)?).context("cargo's metadata cannot be read")?;
    Ok(metadata.packages)
}
