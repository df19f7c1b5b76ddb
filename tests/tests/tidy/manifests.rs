//! What each manifest must say.

use anyhow::{Context as _, Result};
use moho_tests::Checkout;

use super::verdict;

/// Each manifest of the workspace but its root.
fn manifests(checkout: &Checkout) -> Result<Vec<(&str, toml::Table)>> {
    let mut found = Vec::new();
    for file in checkout
        .files()
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
    {
        let table = file
            .text
            .parse()
            .with_context(|| format!("{} is no TOML", file.path))?;
        found.push((file.path.as_str(), table));
    }
    anyhow::ensure!(found.len() > 3, "found only {} manifests", found.len());
    Ok(found)
}

fn from_workspace(manifest: &toml::Table, table: &str, key: Option<&str>) -> bool {
    let value = manifest
        .get(table)
        .and_then(|table| key.map_or(Some(table), |key| table.get(key)));
    value
        .and_then(|value| value.get("workspace"))
        .and_then(toml::Value::as_bool)
        == Some(true)
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() -> Result<()> {
    let checkout = Checkout::read()?;
    let offences: Vec<String> = manifests(&checkout)?
        .iter()
        .filter(|(_, manifest)| !from_workspace(manifest, "lints", None))
        .map(|(path, _)| (*path).to_owned())
        .collect();
    verdict("without `[lints] workspace = true`", &offences)
}

#[test]
fn every_crate_has_the_licence_of_the_workspace() -> Result<()> {
    let checkout = Checkout::read()?;
    let mut offences: Vec<String> = manifests(&checkout)?
        .iter()
        .filter(|(_, manifest)| !from_workspace(manifest, "package", Some("license")))
        .map(|(path, _)| (*path).to_owned())
        .collect();
    let licence = checkout.file("LICENSE").context("there is no LICENSE")?;
    if !licence.text.contains("Apache License") {
        offences.push("LICENSE".to_owned());
    }
    let root = checkout.file("Cargo.toml").context("there is no root manifest")?;
    if !root.text.contains("license = \"Apache-2.0\"") {
        offences.push("Cargo.toml".to_owned());
    }
    verdict("not under Apache-2.0", &offences)
}

#[test]
fn no_crate_has_features() -> Result<()> {
    let checkout = Checkout::read()?;
    let offences: Vec<String> = manifests(&checkout)?
        .iter()
        .filter(|(path, manifest)| path.starts_with("crates/") && manifest.contains_key("features"))
        .map(|(path, _)| (*path).to_owned())
        .collect();
    verdict("one build is one measurement, so no `[features]`", &offences)
}

#[test]
fn names_follow_the_folders() -> Result<()> {
    let checkout = Checkout::read()?;
    let mut offences = Vec::new();
    for (path, manifest) in manifests(&checkout)? {
        let Some(folder) = path
            .strip_prefix("crates/")
            .and_then(|rest| rest.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        let name = manifest
            .get("package")
            .and_then(|package| package.get("name"))
            .and_then(toml::Value::as_str);
        if name != Some(&format!("moho-{folder}")) {
            offences.push(format!("{path}: package {name:?}"));
        }
    }
    verdict("a package is called moho-<folder>", &offences)
}
