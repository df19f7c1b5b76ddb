//! What must not compile, compiled: each case in `compile_fail/` says which error it ends in.
//!
//! No second build of the tree: the cases see the libraries that cargo has just built for these tests. The first lines
//! of a case are `//! fails: <code> <words of the message>`, one for each error; there may be no other. `controls.rs`
//! must compile with the same libraries, so that a broken harness cannot pass for a broken case.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use moho_tests::{Checkout, TextFile};
use serde::Deserialize;

const CASES: &str = "tests/compile_fail/";
const CONTROL: &str = "tests/compile_fail/controls.rs";
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// The libraries that the cases import.
const LIBRARIES: [&str; 5] = ["moho_terms", "moho_iam", "moho_kms", "moho_store", "serde"];

/// How many combinations of several builds of these libraries are tried before giving up.
const COMBINATIONS: usize = 64;

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    #[serde(default)]
    code: Option<Code>,
    #[serde(default)]
    rendered: Option<String>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

/// What a case says about itself.
#[derive(Debug, PartialEq)]
struct Claim<'a> {
    code: &'a str,
    words: &'a str,
}

/// The compiler with one build of each library.
struct Compiler {
    folders: Vec<PathBuf>,
    libraries: BTreeMap<&'static str, PathBuf>,
}

#[test]
fn every_case_fails_as_it_says() -> Result<()> {
    let checkout = Checkout::read()?;
    let control = checkout.file(CONTROL).context("there is no control case")?;
    let compiler = Compiler::that_compiles(&checkout, control)?;
    let cases: Vec<&TextFile> = checkout
        .rust()
        .filter(|file| file.path.starts_with(CASES) && file.path != CONTROL)
        .collect();
    ensure!(cases.len() >= 10, "found only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        if let Err(error) = fails_as_claimed(&compiler, &checkout, case) {
            wrong.push(format!("{}: {error:#}", case.path));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn claims_are_read_from_the_head() -> Result<()> {
    let file = |text: &str| TextFile {
        path: "x.rs".to_owned(),
        text: text.to_owned(),
    };
    let two = file("//! fails: E0277 `Content` doesn't\n//! fails: E0061 too few\n\n//! fails: E1 later\n");
    let expected = [
        Claim {
            code: "E0277",
            words: "`Content` doesn't",
        },
        Claim {
            code: "E0061",
            words: "too few",
        },
    ];
    assert_eq!(claims(&two)?, expected);
    for bad in [
        "",
        "//! fails: E0277\n",
        "//! fails: 277 words\n",
        "//! compiles: x\n",
    ] {
        ensure!(claims(&file(bad)).is_err(), "{bad:?} was taken for a claim");
    }
    Ok(())
}

/// Exactly the stated errors, each once, in the stated words.
fn fails_as_claimed(compiler: &Compiler, checkout: &Checkout, case: &TextFile) -> Result<()> {
    let claims = claims(case)?;
    let mut errors = compiler.errors_in(&checkout.root().join(&case.path))?;
    ensure!(!errors.is_empty(), "it compiles");
    // The compiler's last word ("aborting due to …") has no code.
    errors.retain(|error| error.code.is_some());
    let told: String = errors
        .iter()
        .filter_map(|error| error.rendered.as_deref())
        .collect();
    ensure!(
        errors.len() == claims.len(),
        "{} errors for {} claims:\n{told}",
        errors.len(),
        claims.len()
    );
    for claim in claims {
        let place = errors.iter().position(|error| error.bears_out(&claim));
        let place = place.with_context(|| format!("no error is {claim:?}:\n{told}"))?;
        errors.swap_remove(place);
    }
    Ok(())
}

impl Diagnostic {
    fn bears_out(&self, claim: &Claim<'_>) -> bool {
        self.code.as_ref().is_some_and(|code| code.code == claim.code)
            && self
                .rendered
                .as_deref()
                .is_some_and(|text| text.contains(claim.words))
    }
}

/// The claims at the head of a case: at least one.
fn claims(case: &TextFile) -> Result<Vec<Claim<'_>>> {
    let head = case
        .text
        .lines()
        .map_while(|line| line.strip_prefix("//! fails: "));
    let claims: Vec<Claim<'_>> = head
        .map(|claim| {
            let (code, words) = claim.split_once(' ').context("a claim is a code and words")?;
            ensure!(
                code.starts_with('E') && !words.trim().is_empty(),
                "a claim is a code and words"
            );
            Ok(Claim { code, words })
        })
        .collect::<Result<_>>()?;
    ensure!(
        !claims.is_empty(),
        "the first line is no `//! fails: <code> <words>`"
    );
    Ok(claims)
}

impl Compiler {
    /// The newest build of each library, or, where several lie about, the first set that fits together.
    fn that_compiles(checkout: &Checkout, control: &TextFile) -> Result<Self> {
        let folders = dependency_folders()?;
        let builds = LIBRARIES
            .iter()
            .map(|library| Ok((*library, builds(&folders, library)?)));
        let builds: Vec<(&'static str, Vec<PathBuf>)> = builds.collect::<Result<_>>()?;
        let mut last = String::new();
        for number in 0..COMBINATIONS {
            let Some(libraries) = combination(&builds, number) else {
                break;
            };
            let compiler = Self {
                folders: folders.clone(),
                libraries,
            };
            let errors = compiler.errors_in(&checkout.root().join(&control.path))?;
            if errors.is_empty() {
                return Ok(compiler);
            }
            if number == 0 {
                last = errors.into_iter().filter_map(|error| error.rendered).collect();
            }
        }
        bail!("{} must compile, but:\n{last}", control.path)
    }

    fn errors_in(&self, case: &Path) -> Result<Vec<Diagnostic>> {
        let out = tempfile::tempdir().context("cannot make a folder for the output")?;
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
        let mut command = Command::new(rustc);
        command.args([
            "--edition",
            "2024",
            "--crate-type",
            "lib",
            "--emit",
            "metadata",
            "--target",
            TRIPLE,
        ]);
        command
            .args(["--error-format", "json", "--cap-lints", "allow", "--out-dir"])
            .arg(out.path());
        for folder in &self.folders {
            command.arg("-L").arg(format!("dependency={}", folder.display()));
        }
        for (name, library) in &self.libraries {
            command
                .arg("--extern")
                .arg(format!("{name}={}", library.display()));
        }
        let output = command.arg(case).output().context("cannot start rustc")?;
        let said = String::from_utf8(output.stderr).context("rustc said something that is not UTF-8")?;
        let mut errors = Vec::new();
        for line in said.lines() {
            let diagnostic: Diagnostic =
                serde_json::from_str(line).with_context(|| format!("rustc said: {line}"))?;
            if diagnostic.level.starts_with("error") {
                errors.push(diagnostic);
            }
        }
        ensure!(
            output.status.success() == errors.is_empty(),
            "rustc ended with {}",
            output.status
        );
        Ok(errors)
    }
}

/// Where cargo put this test, which is where its libraries are, and where it put what runs in the compiler.
fn dependency_folders() -> Result<Vec<PathBuf>> {
    let test = std::env::current_exe().context("this test does not know where it is")?;
    let libraries = test
        .parent()
        .context("this test lies in no folder")?
        .to_path_buf();
    // target/<triple>/release/deps and, for procedural macros, target/release/deps.
    let profile = libraries.parent().context("no profile folder")?;
    let target = profile.ancestors().nth(2).context("no target folder")?;
    let macros = target
        .join(profile.file_name().context("no profile name")?)
        .join("deps");
    Ok(vec![libraries, macros])
}

/// All builds of one library, newest first.
fn builds(folders: &[PathBuf], library: &str) -> Result<Vec<PathBuf>> {
    let folder = folders.first().context("no folder of libraries")?;
    let start = format!("lib{library}-");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).context("cannot list the libraries")? {
        let entry = entry.context("cannot list the libraries")?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&start) && name.ends_with(".rlib") {
            let changed = entry
                .metadata()
                .and_then(|found| found.modified())
                .context("no age of a library")?;
            found.push((changed, entry.path()));
        }
    }
    ensure!(!found.is_empty(), "no build of {library} in {}", folder.display());
    found.sort_by(|one, other| other.cmp(one));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// The `number`th way to choose one build of each library; the newest of all come first.
fn combination(
    builds: &[(&'static str, Vec<PathBuf>)],
    mut number: usize,
) -> Option<BTreeMap<&'static str, PathBuf>> {
    let mut chosen = BTreeMap::new();
    for (library, paths) in builds {
        let index = number.checked_rem(paths.len())?;
        number = number.checked_div(paths.len())?;
        chosen.insert(*library, paths.get(index)?.clone());
    }
    (number == 0).then_some(chosen)
}
