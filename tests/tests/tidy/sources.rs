//! What each Rust file must be: opened by its reason, small, without `unsafe` outside the rooms made for it.

use anyhow::Result;
use moho_tests::{Checkout, TextFile};

use super::verdict;

/// More product lines than this fail.
const TOO_LONG: usize = 800;
/// More product lines than this are reported.
const LONG: usize = 500;

/// The only places with `unsafe`.
const UNSAFE_ROOMS: [&str; 2] = ["crates/os/", "crates/engine/src/device/"];

#[test]
fn every_file_says_why_it_exists() -> Result<()> {
    let checkout = Checkout::read()?;
    let offences: Vec<String> = checkout
        .rust()
        .filter(|file| !file.is_test() && !file.text.starts_with("//! "))
        .map(|file| file.path.clone())
        .collect();
    verdict("the first line is no `//! …`", &offences)
}

#[test]
fn files_stay_small() -> Result<()> {
    let checkout = Checkout::read()?;
    let mut offences = Vec::new();
    for file in checkout.rust().filter(|file| !file.is_test()) {
        let lines = file.product_lines().len();
        if lines > TOO_LONG {
            offences.push(format!("{}: {lines}", file.path));
        } else if lines > LONG {
            println!("long: {} has {lines} product lines", file.path);
        }
    }
    verdict("more than 800 product lines", &offences)
}

#[test]
fn unsafe_stays_in_its_rooms() -> Result<()> {
    let checkout = Checkout::read()?;
    let mut offences = Vec::new();
    for file in checkout.rust() {
        if UNSAFE_ROOMS.iter().any(|room| file.path.starts_with(room)) {
            continue;
        }
        let lines = file.text.lines().enumerate().filter(|(_, line)| has_unsafe(line));
        offences.extend(lines.map(|(number, _)| format!("{}:{}", file.path, number.saturating_add(1))));
    }
    verdict("`unsafe` outside its rooms", &offences)
}

#[test]
fn libraries_forbid_unsafe() -> Result<()> {
    let checkout = Checkout::read()?;
    let offences: Vec<String> = checkout
        .rust()
        .filter(|file| file.path.ends_with("/src/lib.rs"))
        .filter(|file| {
            !["crates/os/", "crates/engine/"]
                .iter()
                .any(|room| file.path.starts_with(room))
        })
        .filter(|file| !file.text.contains("#![forbid(unsafe_code)]"))
        .map(|file| file.path.clone())
        .collect();
    verdict("without `#![forbid(unsafe_code)]`", &offences)
}

#[test]
fn telemetry_cannot_name_a_tenants_words() -> Result<()> {
    let checkout = Checkout::read()?;
    let (mut offences, mut files) = (Vec::new(), 0_u32);
    for file in checkout
        .rust()
        .filter(|file| file.path.starts_with("crates/server/src/telemetry/"))
    {
        files = files.saturating_add(1);
        for (number, line) in file.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let sealed = [
                "Content",
                "ContentBytes",
                "Secret",
                "expose",
                "EventKind",
                "StartSequence",
                "Prompt",
            ];
            let words = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            offences.extend(
                words
                    .filter(|word| sealed.contains(word))
                    .map(|word| format!("{}:{}: {word}", file.path, number.saturating_add(1))),
            );
        }
    }
    anyhow::ensure!(files > 10, "found only {files} files of telemetry");
    verdict("sealed text in telemetry", &offences)
}

/// No verdict: the list is for the reader, who asks of each whether the text may go where it goes.
#[test]
fn who_reads_sealed_text_is_listed() -> Result<()> {
    let checkout = Checkout::read()?;
    let mut total: usize = 0;
    for file in checkout
        .rust()
        .filter(|file| file.path.starts_with("crates/") && !file.is_test())
    {
        let count = reads(file);
        if count > 0 {
            println!("expose: {count:3} in {}", file.path);
        }
        total = total.saturating_add(count);
    }
    println!("expose: {total} in all");
    Ok(())
}

fn reads(file: &TextFile) -> usize {
    file.product_lines()
        .iter()
        .map(|line| line.matches(concat!(".expose", "(")).count())
        .sum()
}

/// The keyword, not the word in a name, a string or a comment.
fn has_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let word = concat!("un", "safe");
    code.match_indices(word).any(|(at, _)| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code.get(at.saturating_add(word.len())..).unwrap_or_default();
        let own_word = !before.is_some_and(|letter| letter.is_alphanumeric() || "_`\"".contains(letter));
        own_word && (after.starts_with(' ') || after.starts_with('{') || after.starts_with('('))
    })
}

#[test]
fn the_detectors_see_what_they_look_for() {
    let block = concat!("    let x = un", "safe { y() };");
    let function = concat!("pub un", "safe fn z() {}");
    let attribute = concat!("#[un", "safe(no_mangle)]");
    assert!(has_unsafe(block) && has_unsafe(function) && has_unsafe(attribute));
    assert!(!has_unsafe("#![forbid(unsafe_code)]"));
    assert!(!has_unsafe("// an unsafe thing"));
    let text = concat!(
        "fn a() { b.expose",
        "() }\n#[cfg(test)]\nmod tests {\n    c.expose",
        "();\n}\n"
    );
    let file = TextFile {
        path: "crates/x/src/lib.rs".to_owned(),
        text: text.to_owned(),
    };
    assert_eq!(reads(&file), 1);
}
