//! Which crate may import which: the walls between the rooms, and which outside crates each room may hold.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use moho_tests::Checkout;

use super::verdict;

/// Every crate, planned ones too, with what it may import. Arrows only point to earlier rows.
const CRATES: [(&str, &[&str]); 17] = [
    ("terms", &[]),
    ("os", &[]),
    ("attest", &["terms"]),
    ("iam", &["terms"]),
    ("wire", &["terms"]),
    ("guard", &["terms"]),
    ("tpm", &["terms"]),
    ("audit", &["attest", "iam", "os", "terms"]),
    ("kms", &["attest", "iam", "os", "tpm", "terms"]),
    ("engine", &["os", "terms"]),
    ("store", &["kms", "iam", "os", "terms"]),
    ("s3", &["store", "kms", "iam", "terms"]),
    ("watch", &["store", "kms", "audit", "iam", "terms"]),
    ("tune", &["engine", "store", "guard", "iam", "terms"]),
    ("client", &["attest", "wire", "terms"]),
    ("image", &["attest", "tpm", "terms"]),
    (
        "server",
        &[
            "terms", "os", "attest", "iam", "wire", "guard", "tpm", "audit", "kms", "engine", "store", "s3",
            "watch", "tune", "client", "image",
        ],
    ),
];

/// Outside crates that open sockets, run tasks or keep a database, each with the only crates that may import it.
const HOMES: [(&str, &[&str]); 13] = [
    ("axum", &["server"]),
    ("h2", &["server"]),
    ("http", &["server", "client", "s3"]),
    ("hyper", &["server", "client"]),
    ("hyper-util", &["server", "client"]),
    ("object_store", &["server"]),
    ("reqwest", &[]),
    ("rusqlite", &["store"]),
    ("rustls", &["server", "client"]),
    ("sqlx", &[]),
    ("tokio", &["server", "client", "s3"]),
    ("tokio-postgres", &["store"]),
    ("tokio-rustls", &["server", "client"]),
];

/// Crates that must stay free of input and output, with the words that would be some.
const PURE: [&str; 5] = ["terms", "attest", "iam", "wire", "guard"];
const IMPURE: [&str; 8] = [
    "std::fs",
    "std::process",
    "std::thread",
    "std::env",
    "TcpStream",
    "UdpSocket",
    "UnixStream",
    "async fn",
];

#[test]
fn every_crate_is_in_the_table() -> Result<()> {
    let checkout = Checkout::read()?;
    let strangers: Vec<String> = checkout
        .folders_in("crates")
        .into_iter()
        .filter(|folder| !CRATES.iter().any(|(name, _)| name == folder))
        .map(|folder| format!("crates/{folder} has no row in the table of crates"))
        .collect();
    verdict("the table of crates", &strangers)
}

#[test]
fn the_table_only_points_down() -> Result<()> {
    let mut above = BTreeSet::new();
    let mut offences = Vec::new();
    for (name, may) in CRATES {
        offences.extend(
            may.iter()
                .filter(|lower| !above.contains(*lower))
                .map(|lower| format!("{name} → {lower}")),
        );
        above.insert(name);
    }
    verdict("arrows that point up", &offences)
}

#[test]
fn manifests_follow_the_arrows() -> Result<()> {
    let checkout = Checkout::read()?;
    let mut offences = Vec::new();
    for (name, may) in CRATES {
        for dependency in dependencies(&checkout, name)? {
            let allowed = match dependency.strip_prefix("moho-") {
                Some(ours) => may.contains(&ours),
                None => HOMES
                    .iter()
                    .all(|(outside, homes)| *outside != dependency || homes.contains(&name)),
            };
            if !allowed {
                offences.push(format!("crates/{name}/Cargo.toml: {dependency}"));
            }
        }
    }
    verdict("dependencies against the arrows", &offences)
}

#[test]
fn sources_follow_the_arrows() -> Result<()> {
    let checkout = Checkout::read()?;
    let mut offences = Vec::new();
    for (name, may) in CRATES {
        let folder = format!("crates/{name}/");
        for file in checkout.rust().filter(|file| file.path.starts_with(&folder)) {
            for (number, line) in file.text.lines().enumerate() {
                offences.extend(
                    ours_in(line)
                        .filter(|ours| *ours != name && !may.contains(ours))
                        .map(|ours| format!("{}:{}: moho_{ours}", file.path, number.saturating_add(1))),
                );
            }
        }
    }
    verdict("imports against the arrows", &offences)
}

#[test]
fn pure_crates_do_no_input_or_output() -> Result<()> {
    let checkout = Checkout::read()?;
    let mut offences = Vec::new();
    for file in checkout.rust().filter(|file| !file.is_test()) {
        if !PURE
            .iter()
            .any(|pure| file.path.starts_with(&format!("crates/{pure}/")))
        {
            continue;
        }
        for line in file.product_lines().into_iter().filter(|line| !is_comment(line)) {
            offences.extend(
                IMPURE
                    .iter()
                    .filter(|word| line.contains(*word))
                    .map(|word| format!("{}: {word}", file.path)),
            );
        }
    }
    verdict("input or output in a pure crate", &offences)
}

#[test]
fn the_detectors_see_what_they_look_for() {
    let found: Vec<&str> = ours_in("use moho_kms::Kms; // and moho_iam").collect();
    assert_eq!(found, ["kms", "iam"]);
    assert!(ours_in("use serde::Serialize;").next().is_none());
    assert!(
        ours_in("(\"moho_access\", \"\nmoho_build_info\")")
            .next()
            .is_none()
    );
    assert!(is_comment("    /// std::fs"));
}

/// The names after `moho_` in a line, but for those that begin a text or are longer than a crate's: a metric's.
fn ours_in(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("moho_").filter_map(|(at, prefix)| {
        let (before, found) = line.split_at_checked(at)?;
        let rest = found.strip_prefix(prefix)?;
        let end = rest
            .find(|letter: char| !letter.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end)?;
        (!before.ends_with('"') && !after.starts_with('_')).then_some(name)
    })
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// What the manifest of a crate names, for building and for its tests; nothing if the crate is only planned.
fn dependencies(checkout: &Checkout, name: &str) -> Result<Vec<String>> {
    let path = format!("crates/{name}/Cargo.toml");
    let Some(file) = checkout.file(&path) else {
        return Ok(Vec::new());
    };
    let manifest: toml::Table = file.text.parse().with_context(|| format!("{path} is no TOML"))?;
    let mut names = Vec::new();
    for (key, table) in &manifest {
        if key == "target" {
            anyhow::bail!("{path}: dependencies by target hide from this test");
        }
        if let (true, Some(table)) = (key.ends_with("dependencies"), table.as_table()) {
            names.extend(table.keys().cloned());
        }
    }
    Ok(names)
}
