//! Where things are: the checkout, the user's cache, and what lives in it.
//!
//! The cache keeps what is worth keeping between checkouts: the demo model, Python environments, tools, and in CI
//! the target folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::cargo::{TARGET, cargo};
use crate::process;

/// The folders that everything happens in.
pub(crate) struct Places {
    checkout: PathBuf,
    cache: PathBuf,
    target: PathBuf,
    data: PathBuf,
}

impl Places {
    /// Finds the places from the environment.
    pub(crate) fn find() -> Result<Self> {
        let package = absolute("CARGO_MANIFEST_DIR").context("call me as `cargo xtask`")?;
        let checkout = package
            .parent()
            .context("xtask has no parent folder")?
            .to_path_buf();
        ensure!(
            checkout.join("Cargo.lock").is_file(),
            "no checkout at {}",
            checkout.display()
        );
        let cache = user_folder("XDG_CACHE_HOME", ".cache")?;
        let data = user_folder("XDG_DATA_HOME", ".local/share")?;
        let (target, is_shared) = match absolute("CARGO_TARGET_DIR") {
            Some(target) => (target, false),
            None if in_ci() => (cache.join("target"), true),
            None => (checkout.join("target"), false),
        };
        let places = Self {
            checkout,
            cache,
            target,
            data,
        };
        if is_shared {
            places.claim_target()?;
        }
        Ok(places)
    }

    /// Takes the shared target folder over from another checkout: cargo knows the workspace's own crates by their places
    /// within a checkout and the age of their files, so that what another one built would count as this one's.
    fn claim_target(&self) -> Result<()> {
        let stamp = self.target.join("checkout");
        let own = self.checkout.as_os_str().as_encoded_bytes();
        if std::fs::read(&stamp).is_ok_and(|last| last == own) {
            return Ok(());
        }
        if self.target.is_dir() {
            // Told by the configuration alone, it cleans nothing of this target.
            let mut clean = cargo(
                self,
                &["clean", "--release", "--workspace", "--quiet", "--target"],
            );
            clean.arg(TARGET);
            process::run(&mut clean).context("what another checkout built cannot be removed")?;
        }
        std::fs::create_dir_all(&self.target)
            .and_then(|()| std::fs::write(&stamp, own))
            .with_context(|| format!("cannot write {}", stamp.display()))
    }

    /// The checkout's root.
    pub(crate) fn checkout(&self) -> &Path {
        &self.checkout
    }

    /// The folder for all that cargo builds.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Where the demonstration keeps its state unless told otherwise.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// A folder in the user's cache, made if absent.
    pub(crate) fn cache(&self, name: &str) -> Result<PathBuf> {
        let folder = self.cache.join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

/// Whether a continuous-integration run says that it is one.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}

/// moho's part of a folder that the XDG base directory specification names.
fn user_folder(variable: &str, below_home: &str) -> Result<PathBuf> {
    let folder = match absolute(variable) {
        Some(folder) => folder,
        None => absolute("HOME")
            .with_context(|| format!("neither {variable} nor HOME is set"))?
            .join(below_home),
    };
    Ok(folder.join("moho"))
}

fn absolute(name: &str) -> Option<PathBuf> {
    let value: OsString = std::env::var_os(name)?;
    let path = PathBuf::from(value);
    path.is_absolute().then_some(path)
}
