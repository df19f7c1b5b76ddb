//! Runs one fuzz target: under cargo-fuzz where a nightly compiler is at hand, else over its corpus and mutations of it.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::cargo::{self, TARGET, cargo};
use crate::places::Places;
use crate::process;
use crate::terminal;

const CARGO_FUZZ: &str = "0.13.2";
/// libFuzzer and its sanitizer are shared with the C library, which a static binary has none of.
const FLAGS: &str = "-Ctarget-feature=-crt-static --cfg getrandom_backend=\"linux_getrandom\"";

/// What `cargo xtask fuzz` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The target: a file of `fuzz/fuzz_targets` without its ending.
    name: String,
    /// How long to go on.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Runs a target until it fails or its time is over.
pub(crate) fn run(options: &Options) -> Result<()> {
    let places = Places::find()?;
    let target = places
        .checkout()
        .join(format!("fuzz/fuzz_targets/{}.rs", options.name));
    ensure!(target.is_file(), "there is no fuzz target {}", options.name);
    if has_nightly() {
        with_coverage(&places, options)
    } else {
        terminal::note(
            "no nightly compiler: running the target on its corpus and mutations, without coverage",
        );
        plainly(&places, options)
    }
}

fn has_nightly() -> bool {
    let toolchains = process::capture(Command::new("rustup").args(["toolchain", "list"]));
    toolchains.is_ok_and(|list| list.lines().any(|line| line.starts_with("nightly")))
}

/// libFuzzer, on a copy of the corpus: what it finds is kept in the target folder, and only what broke something is worth
/// committing.
fn with_coverage(places: &Places, options: &Options) -> Result<()> {
    let program = cargo::tool(places, "cargo-fuzz", CARGO_FUZZ)?;
    let found = places.target().join("fuzz-corpus").join(&options.name);
    std::fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let mut command = Command::new(program);
    command
        .args(["run", "--target", TARGET])
        .arg(&options.name)
        .arg(&found)
        .arg(places.checkout().join("fuzz/corpus").join(&options.name))
        .args(["--", "-timeout=30", "-rss_limit_mb=4096"])
        .arg(format!("-max_total_time={}", options.seconds))
        .current_dir(places.checkout().join("fuzz"))
        .env("RUSTUP_TOOLCHAIN", "nightly")
        .env("CARGO_TARGET_DIR", places.target().join("fuzz"))
        .env("RUSTFLAGS", FLAGS);
    cargo::clean(&mut command);
    // Which toolchain `cargo run` chose for us is not the one to fuzz with.
    for chosen in ["CARGO", "RUSTC", "RUSTDOC"] {
        command.env_remove(chosen);
    }
    process::run(&mut command)
}

fn plainly(places: &Places, options: &Options) -> Result<()> {
    let mut test = cargo(
        places,
        &["test", "--release", "--locked", "--workspace", "--test", "corpus"],
    );
    test.args(["--", "--nocapture", "every_target_holds"])
        .env("MOHO_FUZZ_ONLY", &options.name)
        .env("MOHO_FUZZ_SECONDS", options.seconds.to_string());
    process::run(&mut test)
}
