//! Every test there is, with what it needs: the demo model, real clients in a private environment, the real binary.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::cargo::{self, cargo};
use crate::check::{self, Parts};
use crate::places::Places;
use crate::python::Environment;
use crate::{demo_model, oidc_provider, packages, process, promtool, published_evidence};

/// What `cargo xtask test` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leaves out the fast gate (`cargo xtask check`).
    #[arg(long)]
    no_check: bool,
}

/// Where the tests with real clients are.
const CLIENTS: &str = "tests/clients";

/// Whole files at a time, by a process for each core but four at most; those of soaks, which take longest, come first. A test that
/// hangs is ended in ten minutes, and says where.
const SIDE_BY_SIDE: &str =
    "--numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --timeout 600";

/// Runs every part, even after one has failed.
pub(crate) fn run(options: &Options) -> Result<()> {
    let places = Places::find()?;
    packages::bring_for_tests()?;
    let mut parts = Parts::new();
    if !options.no_check {
        parts.take("check", || check::gate(&places));
    }
    let model = demo_model::bring(&places)?;
    let mut rust = cargo(
        &places,
        &["test", "--release", "--locked", "--workspace", "--no-fail-fast"],
    );
    rust.args(["--", "--include-ignored"])
        .env("MOHO_TEST_MODEL", &model)
        .env("MOHO_ATTEST_VECTORS", published_evidence::bring(&places)?);
    parts.run("rust tests", &mut rust);
    parts.take("real clients", || clients(&places, &model, Suite::Tests));
    parts.verdict()
}

/// Which of the client tests to run.
#[derive(Clone, Copy)]
pub(crate) enum Suite {
    /// All of them, soaks at a tenth.
    Tests,
    /// One soak with its full count.
    Soak(&'static str),
}

/// Runs pytest with the real clients against the real binary.
pub(crate) fn clients(places: &Places, model: &Path, suite: Suite) -> Result<()> {
    let folder = places.checkout().join(CLIENTS);
    let list = folder.join("requirements.txt");
    let requirements =
        std::fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let environment = Environment::open(places, "clients", &requirements)?;
    let moho = cargo::build(places, cargo::MOHO)?;
    let load = cargo::build(places, cargo::LOAD)?;
    let filler = cargo::build(places, cargo::FILLER)?;
    let mut pytest = environment.command("python");
    pytest.args(["-m", "pytest", "-p", "no:cacheprovider", "--durations=10", "-ra"]);
    match suite {
        Suite::Tests => pytest.args(SIDE_BY_SIDE.split(' ')).arg(&folder),
        Suite::Soak(file) => pytest.arg(folder.join(file)).arg("-s").env("MOHO_SOAK", "full"),
    };
    pytest
        .env("MOHO_BINARY", moho)
        .env("MOHO_LOAD", load)
        .env("MOHO_FILLER", filler)
        .env("MOHO_TEST_MODEL", model)
        .env("MOHO_ATTEST_VECTORS", published_evidence::bring(places)?)
        .current_dir(places.checkout());
    let mut programs = vec![environment.programs()];
    programs.extend(promtool::bring(places)?);
    let provider = oidc_provider::bring(places)?;
    programs.push(provider.programs);
    pytest.env("MOHO_OIDC_PROVIDER", provider.modules);
    pytest.env("PATH", first_on_path(&programs)?);
    pytest.env("PYTHONDONTWRITEBYTECODE", "1");
    cargo::clean(&mut pytest);
    process::run(&mut pytest)
}

/// The search path with `folders` in front, so that the tests find the clients by their names.
fn first_on_path(folders: &[PathBuf]) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folders.iter().cloned().chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context("the search path holds a colon")
}
