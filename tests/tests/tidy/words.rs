//! Words: names that fit everything hide everything, and nobody's machine belongs in a repository.

use anyhow::Result;
use moho_tests::{Checkout, TextFile};

use super::verdict;

/// Names that say nothing about what is in a file or a module.
const EMPTY_NAMES: [&str; 9] = [
    "util", "utils", "common", "helper", "helpers", "manager", "data", "info", "misc",
];

/// Text that only makes sense on the machine where it was written; spelled so that this list is no hit itself.
const MACHINE_PATHS: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/home/", "runner"),
];

/// A package registry on the local machine is somebody's private set-up.
const REGISTRY_PATHS: [&str; 4] = ["/simple", "/index", "/npm", "/api/v1/crates"];

#[test]
fn names_say_what_is_inside() -> Result<()> {
    let checkout = Checkout::read()?;
    let mut offences = Vec::new();
    for file in checkout.rust() {
        let parts = file.path.trim_end_matches(".rs").split('/');
        offences.extend(
            parts
                .filter(|part| EMPTY_NAMES.contains(part))
                .map(|part| format!("{}: {part}", file.path)),
        );
        offences.extend(
            modules(file)
                .filter(|name| EMPTY_NAMES.contains(name))
                .map(|name| format!("{}: mod {name}", file.path)),
        );
    }
    verdict("names that fit everything", &offences)
}

#[test]
fn no_machine_leaves_its_traces() -> Result<()> {
    let checkout = Checkout::read()?;
    let mut offences = Vec::new();
    for file in checkout.files() {
        for (number, line) in file.text.lines().enumerate() {
            if is_trace(line) {
                offences.push(format!("{}:{}", file.path, number.saturating_add(1)));
            }
        }
    }
    verdict("paths or registries of one machine", &offences)
}

#[test]
fn text_ends_its_lines_plainly() -> Result<()> {
    let checkout = Checkout::read()?;
    let ours = |file: &&TextFile| {
        [".rs", ".md", ".toml", ".py"]
            .iter()
            .any(|ending| file.path.ends_with(ending))
    };
    let offences: Vec<String> = checkout
        .files()
        .iter()
        .filter(ours)
        .filter(|file| file.text.contains('\r') || file.text.lines().any(|line| line.ends_with([' ', '\t'])))
        .map(|file| file.path.clone())
        .collect();
    verdict("blanks at the end of a line, or carriage returns", &offences)
}

#[test]
fn the_detectors_see_what_they_look_for() {
    assert!(is_trace(concat!("see /wo", "rk/x")));
    assert!(is_trace(concat!("http://local", "host:8080/simple")));
    assert!(!is_trace("https://localhost:8443/v1"));
    assert!(!is_trace("framework/x and network/y"));
    let file = TextFile {
        path: "x.rs".to_owned(),
        text: "pub(crate) mod util;\nmod fine;\n".to_owned(),
    };
    assert_eq!(modules(&file).collect::<Vec<_>>(), ["util", "fine"]);
}

fn modules(file: &TextFile) -> impl Iterator<Item = &str> {
    file.text.lines().filter_map(|line| {
        let (before, name) = line.trim().split_once("mod ")?;
        let declares = before.is_empty() || before.starts_with("pub");
        declares.then(|| name.trim_end_matches([';', '{', ' ']))
    })
}

fn is_trace(line: &str) -> bool {
    let path = MACHINE_PATHS.iter().any(|path| {
        line.match_indices(path).any(|(at, _)| {
            !line
                .get(..at)
                .and_then(|text| text.chars().next_back())
                .is_some_and(char::is_alphanumeric)
        })
    });
    let local = ["localhost:", "127.0.0.1:"].iter().any(|host| {
        line.split(host).skip(1).any(|rest| {
            let path = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
            path.len() < rest.len() && REGISTRY_PATHS.iter().any(|registry| path.starts_with(registry))
        })
    });
    path || local
}
