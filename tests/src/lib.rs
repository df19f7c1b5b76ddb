//! Whole-product tests: the house rules, what must not compile, and (in `clients/`) real clients.
//!
//! The library part is what those tests share: the checkout as a list of files.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 5] = [".git", "target", "__pycache__", ".venv", "node_modules"];

/// The checkout: its root and every text file in it.
pub struct Checkout {
    root: PathBuf,
    files: Vec<TextFile>,
}

/// One text file of the checkout.
pub struct TextFile {
    /// Where it is, from the root, with `/` between the parts.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl Checkout {
    /// Reads the checkout that these tests were started in.
    ///
    /// # Errors
    /// When a folder or file cannot be read.
    pub fn read() -> Result<Self> {
        // As cargo says at run time: a target folder may be shared by several checkouts.
        let package = std::env::var_os("CARGO_MANIFEST_DIR").context("these tests are run by cargo")?;
        let root = Path::new(&package)
            .parent()
            .context("this package lies in the checkout")?
            .to_path_buf();
        let mut files = Vec::new();
        collect(&root, &root, &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { root, files })
    }

    /// The root folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every text file.
    #[must_use]
    pub fn files(&self) -> &[TextFile] {
        &self.files
    }

    /// Every Rust file.
    pub fn rust(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// The file at `path`.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The names of the folders directly under `folder`.
    #[must_use]
    pub fn folders_in(&self, folder: &str) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .files
            .iter()
            .filter_map(|file| file.path.strip_prefix(folder)?.strip_prefix('/')?.split_once('/'))
            .map(|(name, _)| name)
            .collect();
        names.dedup();
        names
    }
}

impl TextFile {
    /// Whether the whole file is test code.
    #[must_use]
    pub fn is_test(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        parts.contains(&"tests") || parts.last() == Some(&"tests.rs")
    }

    /// The lines that are part of the product: all but `#[cfg(test)]` modules.
    #[must_use]
    pub fn product_lines(&self) -> Vec<&str> {
        let mut lines = Vec::new();
        let mut waiting = false;
        let mut inside = false;
        for line in self.text.lines() {
            if inside {
                inside = line != "}";
            } else if waiting {
                waiting = line.starts_with("#[");
                inside = !waiting && line.ends_with('{');
            } else if line == "#[cfg(test)]" {
                waiting = true;
            } else {
                lines.push(line);
            }
        }
        lines
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<TextFile>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        let name = entry.file_name();
        let kind = entry
            .file_type()
            .with_context(|| format!("cannot tell what {} is", name.display()))?;
        let path = entry.path();
        if kind.is_dir() {
            if !SKIPPED.iter().any(|skipped| name == *skipped) {
                collect(root, &path, files)?;
            }
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            if let Ok(text) = String::from_utf8(bytes) {
                let path = path
                    .strip_prefix(root)
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .into_owned();
                files.push(TextFile { path, text });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_modules_are_no_product_lines() {
        let text = "//! x\nfn a() {\n}\n#[cfg(test)]\n#[path = \"y\"]\nmod t {\n    fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod tests;\nfn d() {}\n";
        let file = TextFile {
            path: "crates/x/src/lib.rs".into(),
            text: text.into(),
        };
        assert_eq!(
            file.product_lines(),
            ["//! x", "fn a() {", "}", "fn c() {}", "fn d() {}"]
        );
    }

    #[test]
    fn the_checkout_holds_this_file_and_no_built_ones() {
        let checkout = Checkout::read().unwrap();
        assert!(checkout.file("tests/src/lib.rs").is_some());
        assert!(checkout.folders_in("crates").contains(&"terms"));
        assert!(
            !checkout
                .files()
                .iter()
                .any(|file| file.path.starts_with("target/"))
        );
    }
}
