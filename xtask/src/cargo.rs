//! Building with cargo: one profile, one target folder, one progress bar.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::places::Places;
use crate::process;
use crate::terminal::Step;

/// A binary of the workspace.
#[derive(Clone, Copy)]
pub(crate) struct Binary {
    /// The package that holds it.
    pub(crate) package: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
}

/// The one binary: `moho`.
pub(crate) const MOHO: Binary = Binary {
    package: "moho-server",
    name: "moho",
};

/// The crowd of clients that puts a server under load.
pub(crate) const LOAD: Binary = Binary {
    package: "moho-benches",
    name: "soak-load",
};

/// The clients that fill a bucket.
pub(crate) const FILLER: Binary = Binary {
    package: "moho-benches",
    name: "soak-objects",
};

/// What everything is built for, as `.cargo/config.toml` says.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A line of cargo's JSON messages, as far as it is of use here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    fresh: bool,
    #[serde(default)]
    executable: Option<PathBuf>,
    #[serde(default)]
    target: Target,
}

#[derive(Deserialize, Default)]
struct Target {
    #[serde(default)]
    name: String,
}

/// A cargo command in the checkout with its target folder.
pub(crate) fn cargo(places: &Places, arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(places.checkout())
        .env("CARGO_TARGET_DIR", places.target());
    clean(&mut command);
    command
}

/// What `cargo run` told us about xtask itself is not for the programs that we start.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

/// Builds one binary and gives its path. When nothing changed, cargo sees so itself.
pub(crate) fn build(places: &Places, binary: Binary) -> Result<PathBuf> {
    let mut command = cargo(places, &["build", "--release", "--locked", "--quiet"]);
    command.args(["--message-format", "json-render-diagnostics"]);
    // Always the server's package too: alone, another package would build other features of the same dependencies.
    command.args([
        "--package",
        MOHO.package,
        "--package",
        binary.package,
        "--bin",
        binary.name,
    ]);
    let mut built = BTreeSet::new();
    let mut executable = None;
    let mut step: Option<Step> = None;
    process::watch(&mut command, |line| {
        let Ok(message) = serde_json::from_str::<Message>(line) else {
            return;
        };
        if message.reason != "compiler-artifact" {
            return;
        }
        if message.target.name == binary.name && message.executable.is_some() {
            executable = message.executable;
        }
        if !message.fresh && step.is_none() {
            step = Some(Step::count("build", packages_in(places, binary)));
        }
        built.insert(message.package_id);
        if let Some(step) = &step {
            step.at(u64::try_from(built.len()).unwrap_or(u64::MAX));
            step.now(&message.target.name);
        }
    })?;
    if let Some(step) = step {
        step.done(&format!("built {}", binary.name));
    }
    executable.with_context(|| format!("cargo named no executable for {}", binary.name))
}

/// How many packages the binary is made of; only for the bar, so nought if cargo cannot tell.
fn packages_in(places: &Places, binary: Binary) -> u64 {
    let mut tree = cargo(
        places,
        &[
            "tree", "--locked", "--quiet", "--prefix", "none", "--edges", "no-dev",
        ],
    );
    tree.args(["--format", "{p}", "--package", binary.package]);
    let printed = process::capture(&mut tree).unwrap_or_default();
    let packages: BTreeSet<&str> = printed
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    u64::try_from(packages.len()).unwrap_or(0)
}

/// Where `cargo install` puts a tool of a pinned version.
pub(crate) fn tool(places: &Places, name: &str, version: &str) -> Result<PathBuf> {
    let root = places.cache("tools")?.join(format!("{name}-{version}"));
    let program = root.join("bin").join(name);
    if !program.is_file() {
        install(places, name, version, &root)?;
    }
    Ok(program)
}

/// Installs a tool outside the checkout's own cargo settings, in a target folder that is thrown away.
fn install(places: &Places, name: &str, version: &str, root: &Path) -> Result<()> {
    let folder = places.cache("tools")?;
    let scratch = tempfile::tempdir_in(&folder).context("cannot make a scratch folder")?;
    let step = Step::spinner("install");
    step.now(&format!("{name} {version}: some minutes, once"));
    let mut command = cargo(
        places,
        &[
            "install",
            "--locked",
            "--quiet",
            name,
            "--version",
            version,
            "--root",
        ],
    );
    command
        .arg(root)
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", scratch.path());
    process::watch(&mut command, |_| ())?;
    step.done(&format!("installed {name} {version}"));
    Ok(())
}
