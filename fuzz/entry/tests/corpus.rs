//! The fuzz targets without a fuzzer: each over its committed corpus and over mutations of it.
//!
//! The mutations follow from a seed, so that a run can be had again: `MOHO_FUZZ_SEED` is the seed, `MOHO_FUZZ_FACTOR`
//! how many times the ordinary number of mutations, `MOHO_FUZZ_SECONDS` goes on for so long instead, and `MOHO_FUZZ_ONLY`
//! is the one target to run.
#![expect(clippy::panic, reason = "a test that says which input broke which target")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test, whose helpers may fail as it may"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the corpus is files, and its factor and seed are variables"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use moho_fuzz::{TARGETS, Target};

const SEED: u64 = 0x6d6f_686f;
/// The longest input that mutations make.
const LONGEST: usize = 16 << 10;

#[test]
fn every_target_holds_on_its_corpus_and_on_mutations_of_it() {
    let seed = variable("MOHO_FUZZ_SEED").unwrap_or(SEED);
    let length = variable("MOHO_FUZZ_SECONDS").map_or_else(
        || Length::Factor(variable("MOHO_FUZZ_FACTOR").unwrap_or(1)),
        |seconds| Length::Until(Instant::now() + Duration::from_secs(seconds)),
    );
    let only = std::env::var("MOHO_FUZZ_ONLY").ok();
    println!("seed {seed}");
    let chosen = |target: &&Target| only.as_deref().is_none_or(|only| only == target.name);
    std::thread::scope(|scope| {
        for target in TARGETS.iter().filter(chosen) {
            scope.spawn(move || println!("{}: {} mutations", target.name, hold(target, seed, length)));
        }
    });
}

#[test]
fn every_target_has_a_corpus_and_a_file_and_no_corpus_is_without_a_target() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert!(names.is_sorted(), "in order");
    let mut folders: Vec<String> = std::fs::read_dir(root().join("corpus"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    assert_eq!(folders, names);
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for name in names {
        let file = std::fs::read_to_string(root().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(file.contains(&format!("moho_fuzz::{name}(data)")), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        assert!(corpus(name).len() >= 3, "{name}");
    }
}

#[test]
fn the_insides_of_tokens_are_taken() {
    let folder = std::fs::read_dir(root().join("corpus/credentials")).unwrap();
    let mut inside: Vec<String> = folder
        .map(|entry| entry.unwrap())
        .filter(|entry| moho_fuzz::is_token_inside(&std::fs::read(entry.path()).unwrap()))
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    inside.sort();
    assert_eq!(
        inside,
        [
            "token-inside",
            "token-inside-of-a-guest",
            "token-inside-with-policy"
        ]
    );
}

#[test]
fn the_bodies_are_taken_but_for_those_that_are_meant_to_be_refused() {
    assert_eq!(
        refused_of("json_commands", moho_fuzz::json_is_taken),
        ["deep", "refused", "text", "twice"]
    );
}

#[test]
fn what_trails_deliver_is_taken_but_for_what_is_meant_to_be_refused() {
    assert_eq!(
        refused_of("cloudtrail", moho_fuzz::is_of_cloudtrail),
        ["names", "packed", "selectors-of-both-kinds"]
    );
}

#[test]
fn the_patterns_are_taken_but_for_what_is_meant_to_be_refused() {
    assert_eq!(refused_of("log_events", moho_fuzz::is_pattern), ["not-a-pattern"]);
}

#[test]
fn the_key_material_is_taken_but_for_what_is_meant_to_be_refused() {
    assert_eq!(
        refused_of("key_material", moho_fuzz::is_key_material),
        ["another-curve", "explicit-curve", "token-expired"]
    );
}

#[test]
fn the_policies_are_taken_but_for_what_is_meant_to_be_refused() {
    assert_eq!(
        refused_of("appraisal_policy", moho_fuzz::is_appraisal_policy),
        ["pcr12"]
    );
}

#[test]
fn the_answers_are_taken_but_for_what_is_meant_to_be_refused() {
    assert_eq!(
        refused_of("attested_answer", moho_fuzz::is_attested_answer),
        ["another-nonce", "development-with-evidence"]
    );
}

#[test]
fn the_tpms_evidence_is_taken_but_for_what_is_meant_to_be_refused() {
    assert_eq!(
        refused_of("tpm_evidence", moho_fuzz::is_tpm_evidence),
        ["log-of-sha-1"]
    );
}

#[test]
fn the_prompts_can_be_rendered_but_for_those_that_are_meant_to_be_refused() {
    assert_eq!(
        refused_of("prompts", moho_fuzz::is_prompt),
        ["arn", "blank", "refused", "template"]
    );
}

#[test]
fn the_root_keys_are_taken_but_for_those_that_are_meant_to_be_refused() {
    assert_eq!(
        refused_of("root_key", moho_fuzz::is_root_key),
        ["cut", "endless", "miscopied"]
    );
}

#[test]
fn the_reports_are_genuine_but_for_those_that_are_meant_to_be_refused() {
    assert_eq!(
        refused_of("snp_report", moho_fuzz::is_snp_report),
        ["another-chip", "debug"]
    );
}

#[test]
fn the_quotes_are_genuine_but_for_those_that_are_meant_to_be_refused() {
    assert_eq!(
        refused_of("tdx_quote", moho_fuzz::is_tdx_quote),
        ["debug", "revoked"]
    );
}

/// The names of those inputs of a target that are not taken.
fn refused_of(target: &str, is_taken: fn(&[u8]) -> bool) -> Vec<String> {
    let mut refused = Vec::new();
    for entry in std::fs::read_dir(root().join("corpus").join(target)).unwrap() {
        let path = entry.unwrap().path();
        if !is_taken(&std::fs::read(&path).unwrap()) {
            refused.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    refused.sort();
    refused
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The inputs of a target, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = root().join("corpus").join(name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// How long mutations go on.
#[derive(Clone, Copy)]
enum Length {
    /// So many times the target's own number of them.
    Factor(u64),
    Until(Instant),
}

impl Length {
    fn is_over(self, target: &Target, round: u64) -> bool {
        match self {
            Self::Factor(factor) => round >= u64::from(target.rounds) * factor,
            Self::Until(end) => Instant::now() >= end,
        }
    }
}

/// How many mutations held.
fn hold(target: &Target, seed: u64, length: Length) -> u64 {
    let inputs = corpus(target.name);
    for input in &inputs {
        try_one(target, input, "in the corpus");
    }
    let mut random = Random(seed);
    let mut round = 0;
    while !length.is_over(target, round) {
        let input = mutated(&inputs, &mut random);
        try_one(target, &input, &format!("seed {seed}, round {round}"));
        round += 1;
    }
    round
}

fn try_one(target: &Target, input: &[u8], which: &str) {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
        panic!(
            "{} does not hold ({which}): {}",
            target.name,
            input.escape_ascii()
        );
    }
}

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `most`; 0 if that is 0.
    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() >> 1)
            .unwrap()
            .checked_rem(most)
            .unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        const TELLING: &[u8] = b"\0\xff\x7f\x80{}[]\"\\:;,=&%/?#@$*<>+- \n\r\t09aAzZ";
        if self.below(2) == 0 {
            TELLING[self.below(TELLING.len())]
        } else {
            self.next().to_le_bytes()[7]
        }
    }
}

/// An input with one to eight changes; one in thirty-two is random from the first byte.
fn mutated(inputs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    if random.below(32) == 0 {
        let length = random.below(256);
        return (0..length).map(|_| random.byte()).collect();
    }
    let mut input = inputs[random.below(inputs.len())].clone();
    for _change in 0..=random.below(8) {
        change(&mut input, inputs, random);
    }
    input.truncate(LONGEST);
    input
}

fn change(input: &mut Vec<u8>, inputs: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len());
    let end = at + random.below(input.len().saturating_sub(at).min(64));
    match random.below(8) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.byte(),
        2 => input.truncate(at),
        3 => drop(input.drain(at..end)),
        4 => input.insert(at, random.byte()),
        5 => {
            let piece = input[at..end].to_vec();
            for _again in 0..=random.below(8) {
                input.splice(at..at, piece.iter().copied());
            }
        }
        6 => {
            let other = &inputs[random.below(inputs.len())];
            let from = random.below(other.len());
            let to = from + random.below(other.len() - from);
            input.splice(at..end, other[from..to].iter().copied());
        }
        _ => {
            let number = [0, 1, u64::MAX, 1 << 31, 1 << 63, random.next()][random.below(6)];
            let width = [1, 2, 4, 8][random.below(4)];
            for (slot, byte) in input.iter_mut().skip(at).take(width).zip(number.to_le_bytes()) {
                *slot = byte;
            }
        }
    }
}
