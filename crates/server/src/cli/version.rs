//! `moho version`: which moho this is, and what it brings to this machine.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use super::{Exit, Failure, say};

pub(super) fn command() -> Command {
    Command::new("version")
        .about("Says which moho this is, and what it can use of this machine")
        .long_about(
            "Says which moho this is: version, target, how it was linked, its cryptographic library, and which of the \
             engine's kernels this processor can run, the fastest first (that one is used).\n\n`moho --version` says the \
             version alone. There is one build, without features: two binaries of one version and target do the same.",
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print one JSON object, for programs"),
        )
}

/// What is told. Nothing of it comes from the machine that built it, so that a build can be repeated.
#[derive(Serialize)]
struct Told {
    version: &'static str,
    target: String,
    linkage: &'static str,
    profile: &'static str,
    kernels: Vec<&'static str>,
    cryptography: Cryptography,
}

#[derive(Serialize)]
struct Cryptography {
    library: &'static str,
    protocols: [&'static str; 2],
    key_exchange: Vec<&'static str>,
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let told = Told::of_this_binary();
    if matches.get_flag("json") {
        let text = serde_json::to_string_pretty(&told).map_err(|error| Failure::new(Exit::Failed, error))?;
        return say(&text);
    }
    say(&told.lines())
}

/// The version in one line.
fn line() -> String {
    format!("moho {}", env!("CARGO_PKG_VERSION"))
}

impl Told {
    fn of_this_binary() -> Self {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            linkage: if cfg!(target_feature = "crt-static") {
                "static"
            } else {
                "dynamic"
            },
            profile: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
            kernels: moho_engine::kernels(),
            cryptography: Cryptography {
                library: "aws-lc",
                protocols: ["TLSv1.3", "TLSv1.2"],
                key_exchange: provider
                    .kx_groups
                    .iter()
                    .map(|group| group.name().as_str().unwrap_or("unnamed"))
                    .collect(),
            },
        }
    }

    fn lines(&self) -> String {
        [
            line(),
            format!(
                "target        {} ({}, {})",
                self.target, self.linkage, self.profile
            ),
            format!("kernels       {}", self.kernels.join(", ")),
            format!(
                "cryptography  {}; {}; {}",
                self.cryptography.library,
                self.cryptography.protocols.join(", "),
                self.cryptography.key_exchange.join(", ")
            ),
        ]
        .join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_programs_are_told_the_same() {
        let told = Told::of_this_binary();
        let lines = told.lines();
        assert!(lines.starts_with(&format!("moho {}\n", env!("CARGO_PKG_VERSION"))));
        let json = serde_json::to_string(&told).unwrap();
        for word in told
            .kernels
            .iter()
            .copied()
            .chain(["aws-lc", "X25519MLKEM768", "portable", "static"])
        {
            assert!(
                lines.contains(word) && json.contains(&format!("\"{word}\"")),
                "{word}: {json}"
            );
        }
    }
}
