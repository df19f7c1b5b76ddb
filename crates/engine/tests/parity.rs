//! Our arithmetic beside transformers' on the demo model: the bar that every kernel must clear.
//!
//! The reference is `tests/reference/parity.bin` (made by `make_parity.py` beside it, which describes the format): at
//! each position the 64 most likely tokens with their log-probabilities, and the log-mass of all others as one bin.
//! The divergence is taken over these 65 bins.

#![expect(
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a measurement shows its figures, and the test data is made with narrowing casts"
)]

use std::error::Error;
use std::path::{Path, PathBuf};

use moho_engine::ActivationPath;
use moho_engine::eval::Evaluator;
use serde::Deserialize;

type Outcome<T> = Result<T, Box<dyn Error>>;

const MAGIC: &[u8] = b"mohopar1";

#[derive(Deserialize)]
struct Header {
    model_sha256: String,
    top: usize,
    steps_per_nat: f64,
    prompts: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Prompt {
    name: String,
    tokens: Vec<u32>,
    first: usize,
}

struct Reference {
    model_sha256: String,
    prompts: Vec<(Prompt, Vec<Position>)>,
}

/// What the reference says after one token. The probabilities sum to one.
struct Position {
    tokens: Vec<usize>,
    probabilities: Vec<f64>,
    tail: f64,
}

#[derive(Default)]
struct Tally {
    positions: usize,
    divergence: f64,
    worst: f64,
    same_top: usize,
    /// Of the positions whose most likely token differs: the largest margin by which the reference preferred its own.
    widest_miss: f64,
}

fn split(bytes: &[u8], at: usize) -> Outcome<(&[u8], &[u8])> {
    bytes
        .split_at_checked(at)
        .ok_or_else(|| "the reference is cut off".into())
}

fn numbers(bytes: &[u8]) -> Vec<u16> {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect()
}

impl Reference {
    fn read(path: &Path) -> Outcome<Self> {
        let bytes = std::fs::read(path)?;
        let (magic, rest) = split(&bytes, MAGIC.len())?;
        if magic != MAGIC {
            return Err("this is no reference".into());
        }
        let (length, rest) = split(rest, 4)?;
        let length = usize::try_from(u32::from_le_bytes(length.try_into()?))?;
        let (header, mut rest) = split(rest, length)?;
        let header: Header = serde_json::from_slice(header)?;
        let mut prompts = Vec::new();
        for prompt in header.prompts {
            let mut positions = Vec::new();
            for _ in prompt.first..prompt.tokens.len() {
                let (record, after) = split(rest, 2 * (2 * header.top + 1))?;
                positions.push(Position::from_record(record, header.top, header.steps_per_nat)?);
                rest = after;
            }
            prompts.push((prompt, positions));
        }
        if !rest.is_empty() {
            return Err("the reference holds more than its header says".into());
        }
        Ok(Self {
            model_sha256: header.model_sha256,
            prompts,
        })
    }
}

impl Position {
    fn from_record(record: &[u8], top: usize, steps_per_nat: f64) -> Outcome<Self> {
        let (tokens, masses) = split(record, 2 * top)?;
        let mut masses: Vec<f64> = numbers(masses)
            .into_iter()
            .map(|q| (-f64::from(q) / steps_per_nat).exp())
            .collect();
        let whole: f64 = masses.iter().sum();
        if (whole - 1.0).abs() > 1e-3 {
            return Err(format!("the reference's probabilities sum to {whole}").into());
        }
        masses.iter_mut().for_each(|mass| *mass /= whole);
        let tail = masses.pop().ok_or("a record without a tail")?;
        Ok(Self {
            tokens: numbers(tokens).into_iter().map(usize::from).collect(),
            probabilities: masses,
            tail,
        })
    }

    /// By how much the most likely token's log-probability exceeds the next one's.
    fn margin(&self) -> f64 {
        match self.probabilities.as_slice() {
            [first, second, ..] => (first / second).ln(),
            _ => f64::INFINITY,
        }
    }

    /// KL(reference ‖ ours) over the bins.
    fn divergence(&self, ours: &[f32]) -> Outcome<f64> {
        let mut rest: Vec<f64> = ours.iter().copied().map(f64::from).map(f64::exp).collect();
        let mut sum = 0.0;
        for (token, p) in self.tokens.iter().zip(&self.probabilities) {
            let q = std::mem::take(rest.get_mut(*token).ok_or("a token past the vocabulary")?);
            sum += p * (p / q).ln();
        }
        let whole: f64 = ours.iter().copied().map(f64::from).map(f64::exp).sum();
        if (whole - 1.0).abs() > 1e-3 {
            return Err(format!("our probabilities sum to {whole}").into());
        }
        if self.tail > 0.0 {
            sum += self.tail * (self.tail / rest.iter().sum::<f64>()).ln();
        }
        Ok(sum)
    }
}

impl Tally {
    fn take(&mut self, reference: &Position, ours: &[f32]) -> Outcome<()> {
        let divergence = reference.divergence(ours)?;
        self.positions += 1;
        self.divergence += divergence;
        self.worst = self.worst.max(divergence);
        let top = ours
            .iter()
            .enumerate()
            .max_by(|one, other| one.1.total_cmp(other.1))
            .map(|(token, _)| token);
        if top == reference.tokens.first().copied() {
            self.same_top += 1;
        } else {
            self.widest_miss = self.widest_miss.max(reference.margin());
        }
        Ok(())
    }

    fn mean(&self) -> f64 {
        self.divergence / self.positions as f64
    }

    fn same_top_share(&self) -> f64 {
        self.same_top as f64 / self.positions as f64
    }
}

fn reference() -> Outcome<Reference> {
    Reference::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference/parity.bin"))
}

fn model() -> Outcome<PathBuf> {
    let path = std::env::var_os("MOHO_TEST_MODEL").ok_or("MOHO_TEST_MODEL names no model")?;
    Ok(path.into())
}

fn measure(path: ActivationPath) -> Outcome<Tally> {
    let threads = std::thread::available_parallelism()?.get();
    let mut evaluator = Evaluator::open(&model()?, path, threads)?;
    let mut tally = Tally::default();
    for (prompt, positions) in &reference()?.prompts {
        let rows = evaluator.log_probabilities(&prompt.tokens)?;
        if rows.len() != prompt.tokens.len() {
            return Err("not one row per token".into());
        }
        let mut own = Tally::default();
        for (position, row) in positions.iter().zip(rows.iter().skip(prompt.first)) {
            own.take(position, row)?;
            tally.take(position, row)?;
        }
        println!(
            "{:>18}: mean KL {:.2e}, worst {:.2e}, same top {}/{}",
            prompt.name,
            own.mean(),
            own.worst,
            own.same_top,
            own.positions
        );
    }
    println!(
        "{} positions: mean KL {:.2e}, worst {:.2e}, same top {:.2} %, widest miss {:.3}",
        tally.positions,
        tally.mean(),
        tally.worst,
        100.0 * tally.same_top_share(),
        tally.widest_miss
    );
    Ok(tally)
}

#[test]
fn the_reference_is_wide_enough() {
    let reference = reference().unwrap();
    assert!(reference.prompts.len() >= 20);
    for (prompt, positions) in &reference.prompts {
        assert!(positions.len() >= 50, "{}", prompt.name);
    }
    assert!(
        reference
            .prompts
            .iter()
            .any(|(prompt, _)| prompt.tokens.len() > 512)
    );
}

#[test]
fn the_divergence_sees_a_small_change() {
    let reference = reference().unwrap();
    let (_, positions) = &reference.prompts[0];
    let mut ours = vec![0.0_f32; 49_152];
    for position in positions {
        let others = (ours.len() - position.tokens.len()) as f64;
        ours.fill((position.tail / others).ln() as f32);
        for (token, p) in position.tokens.iter().zip(&position.probabilities) {
            ours[*token] = p.ln() as f32;
        }
        assert!(position.divergence(&ours).unwrap().abs() < 1e-6);
        // A tenth of the most likely token's probability goes to the second.
        let moved = position.probabilities[0] * 0.1;
        ours[position.tokens[0]] = (position.probabilities[0] - moved).ln() as f32;
        ours[position.tokens[1]] = (position.probabilities[1] + moved).ln() as f32;
        let bar = position.probabilities[0] * 1e-3;
        assert!(position.divergence(&ours).unwrap() > bar);
    }
}

#[test]
#[ignore = "needs the demo model"]
fn the_model_is_the_one_of_the_reference() {
    let bytes = std::fs::read(model().unwrap()).unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, reference().unwrap().model_sha256);
}

#[test]
#[ignore = "needs the demo model"]
fn the_f32_path_is_the_reference() {
    let tally = measure(ActivationPath::F32).unwrap();
    assert!(tally.mean() <= 1e-3, "mean KL {}", tally.mean());
    assert!(
        tally.same_top_share() >= 0.995,
        "same top {}",
        tally.same_top_share()
    );
}

#[test]
#[ignore = "needs the demo model"]
fn the_int8_path_stays_close_to_the_reference() {
    let tally = measure(ActivationPath::Int8).unwrap();
    assert!(tally.mean() <= 5e-3, "mean KL {}", tally.mean());
    assert!(
        tally.widest_miss < 0.1,
        "another top where the reference's margin was {}",
        tally.widest_miss
    );
}
