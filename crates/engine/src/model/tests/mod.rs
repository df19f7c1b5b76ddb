//! Steps of tiny models, beside a plain reading of the architecture and beside each other.

mod refused;

use std::io::Write;

use super::{ActivationPath, Llama, LoadOptions, ModelError, Step, StepError, StepRow};
use crate::gguf::Gguf;
use crate::kv::{BlockTable, KvPool};
use crate::tiny::{Container, Numbers, Sizes, TINY, TensorEntry, llama, weights};

fn load(container: &Container, path: ActivationPath) -> Result<Llama, ModelError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&container.to_bytes()).unwrap();
    Llama::load(
        &Gguf::read(file)?,
        LoadOptions { path, threads: 2 },
        &mut |_, _| (),
    )
}

/// A model and the sequences that it works on.
struct Bench {
    model: Llama,
    pool: KvPool,
    tables: Vec<BlockTable>,
}

impl Bench {
    fn new(container: &Container, path: ActivationPath, sequences: usize, tokens: usize) -> Self {
        let model = load(container, path).unwrap();
        let mut pool = KvPool::new(model.config(), 64).unwrap();
        let mut tables: Vec<_> = (0..sequences).map(|_| BlockTable::new()).collect();
        // Block by block in turns, so that no sequence's blocks are neighbours.
        for reserved in (16..=tokens.next_multiple_of(16)).step_by(16) {
            tables
                .iter_mut()
                .for_each(|table| assert!(table.reserve(&mut pool, reserved)));
        }
        Self { model, pool, tables }
    }

    /// Runs tokens of some sequences, and returns the logits after each.
    fn step(&mut self, chunks: &[(usize, &[u32])]) -> Result<Vec<Vec<f32>>, StepError> {
        let mut rows = Vec::new();
        for (slot, tokens) in chunks {
            let first = self.tables[*slot].tokens();
            let row = |(index, token): (usize, &u32)| StepRow {
                token: *token,
                slot: *slot,
                position: first + index,
                wants_logits: true,
            };
            rows.extend(tokens.iter().enumerate().map(row));
        }
        let logits = self.rows(&rows)?;
        for (slot, tokens) in chunks {
            self.tables[*slot].advance(tokens.len());
        }
        Ok(logits)
    }

    fn rows(&mut self, rows: &[StepRow]) -> Result<Vec<Vec<f32>>, StepError> {
        let mut logits = vec![1.0; 3];
        let tables: Vec<&BlockTable> = self.tables.iter().collect();
        self.model.forward(&mut Step {
            rows,
            tables: &tables,
            pool: &mut self.pool,
            logits: &mut logits,
        })?;
        Ok(logits
            .chunks(self.model.config().vocabulary)
            .map(<[f32]>::to_vec)
            .collect())
    }
}

fn tokens(count: usize, seed: u64) -> Vec<u32> {
    let mut numbers = Numbers(seed);
    (0..count)
        .map(|_| u32::try_from(numbers.bits() % 300).unwrap())
        .collect()
}

fn assert_close(ours: &[Vec<f32>], wanted: &[Vec<f32>], tolerance: f32) {
    assert_eq!(ours.len(), wanted.len());
    for (position, (ours, wanted)) in ours.iter().zip(wanted).enumerate() {
        let size = wanted.iter().fold(0.0_f32, |size, logit| size.max(logit.abs()));
        for (a, b) in ours.iter().zip(wanted) {
            assert!(
                (a - b).abs() <= tolerance * size,
                "{a} instead of {b} at {position}"
            );
        }
    }
}

/// The architecture as its paper tells it, in f64, from F32 tensors.
struct Plain<'a> {
    container: &'a Container,
    sizes: Sizes,
}

fn products(matrix: &[f64], vector: &[f64]) -> Vec<f64> {
    matrix
        .chunks(vector.len())
        .map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
        .collect()
}

fn norm(vector: &[f64], weights: &[f64]) -> Vec<f64> {
    let mean = vector.iter().map(|x| x * x).sum::<f64>() / vector.len() as f64;
    vector
        .iter()
        .zip(weights)
        .map(|(x, w)| x / (mean + 1e-5).sqrt() * w)
        .collect()
}

fn rotated(mut vector: Vec<f64>, size: usize, position: usize) -> Vec<f64> {
    for head in vector.chunks_mut(size) {
        for (pair, two) in head.chunks_mut(2).enumerate() {
            let angle = position as f64 / 100_000_f64.powf((2 * pair) as f64 / size as f64);
            let (a, b) = (two[0], two[1]);
            two[0] = a * angle.cos() - b * angle.sin();
            two[1] = a * angle.sin() + b * angle.cos();
        }
    }
    vector
}

fn add(vector: &mut [f64], change: &[f64]) {
    vector.iter_mut().zip(change).for_each(|(x, change)| *x += change);
}

impl Plain<'_> {
    fn tensor(&self, name: &str) -> Option<Vec<f64>> {
        let tensor = self.container.tensors.iter().find(|tensor| tensor.name == name)?;
        Some(
            tensor
                .bytes
                .chunks(4)
                .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
                .collect(),
        )
    }

    fn attention(&self, query: &[f64], keys: &[Vec<f64>], values: &[Vec<f64>]) -> Vec<f64> {
        let size = self.sizes.width / self.sizes.heads;
        let mut mixed = Vec::new();
        for (head, query) in query.chunks(size).enumerate() {
            let at = head / (self.sizes.heads / self.sizes.pairs) * size;
            let score = |key: &Vec<f64>| {
                let dot: f64 = query.iter().zip(&key[at..]).map(|(a, b)| a * b).sum();
                (dot / (size as f64).sqrt()).exp()
            };
            let scores: Vec<f64> = keys.iter().map(score).collect();
            let whole: f64 = scores.iter().sum();
            let mean = |d| scores.iter().zip(values).map(|(s, v)| s * v[at + d]).sum::<f64>() / whole;
            mixed.extend((0..size).map(mean));
        }
        mixed
    }

    fn layer(&self, layer: usize, stream: &mut [Vec<f64>]) {
        let part = |name: &str| self.tensor(&format!("blk.{layer}.{name}.weight")).unwrap();
        let size = self.sizes.width / self.sizes.heads;
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (position, vector) in stream.iter_mut().enumerate() {
            let input = norm(vector, &part("attn_norm"));
            let query = rotated(products(&part("attn_q"), &input), size, position);
            keys.push(rotated(products(&part("attn_k"), &input), size, position));
            values.push(products(&part("attn_v"), &input));
            add(
                vector,
                &products(&part("attn_output"), &self.attention(&query, &keys, &values)),
            );
            let input = norm(vector, &part("ffn_norm"));
            let gates = products(&part("ffn_gate"), &input);
            let ups = products(&part("ffn_up"), &input);
            let hidden: Vec<f64> = gates
                .iter()
                .zip(ups)
                .map(|(g, u)| g / (1.0 + (-g).exp()) * u)
                .collect();
            add(vector, &products(&part("ffn_down"), &hidden));
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "compared with a tolerance")]
    fn logits(&self, tokens: &[u32]) -> Vec<Vec<f32>> {
        let embedding = self.tensor("token_embd.weight").unwrap();
        let vector =
            |token: &u32| embedding[*token as usize * self.sizes.width..][..self.sizes.width].to_vec();
        let mut stream: Vec<Vec<f64>> = tokens.iter().map(vector).collect();
        (0..self.sizes.layers).for_each(|layer| self.layer(layer, &mut stream));
        let weights = self.tensor("output_norm.weight").unwrap();
        let head = self.tensor("output.weight").unwrap_or(embedding);
        let logits = |vector: &Vec<f64>| {
            products(&head, &norm(vector, &weights))
                .iter()
                .map(|x| *x as f32)
                .collect()
        };
        stream.iter().map(logits).collect()
    }
}

#[test]
fn logits_are_those_of_the_architecture() {
    let tokens = tokens(50, 1);
    for separate_head in [false, true] {
        let mut container = llama(TINY, 0, 4);
        if separate_head {
            let bytes = weights(0, 64 * 300, 0.2, &mut Numbers(9));
            let name = "output.weight".to_owned();
            container.tensors.push(TensorEntry {
                name,
                shape: vec![64, 300],
                kind: 0,
                bytes,
                offset: None,
            });
        }
        let logits = Bench::new(&container, ActivationPath::Int8, 1, 50)
            .step(&[(0, &tokens)])
            .unwrap();
        let plain = Plain {
            container: &container,
            sizes: TINY,
        };
        assert_close(&logits, &plain.logits(&tokens), 2e-3);
    }
}

#[test]
fn rounded_activations_stay_close_to_exact_ones() {
    let tokens = tokens(40, 2);
    for kind in [0, 1, 2, 3, 8, 30] {
        let container = llama(TINY, kind, 5);
        let exact = Bench::new(&container, ActivationPath::F32, 1, 40)
            .step(&[(0, &tokens)])
            .unwrap();
        let fast = Bench::new(&container, ActivationPath::Int8, 1, 40)
            .step(&[(0, &tokens)])
            .unwrap();
        assert_close(&fast, &exact, 2e-3);
    }
}

#[test]
fn chunks_and_company_do_not_change_a_sequence() {
    let container = llama(TINY, 3, 6);
    let (first, second) = (tokens(60, 3), tokens(45, 4));
    let mut alone = Bench::new(&container, ActivationPath::Int8, 1, 60);
    let wanted_first = alone.step(&[(0, &first)]).unwrap();
    let mut alone = Bench::new(&container, ActivationPath::Int8, 1, 60);
    let wanted_second = alone.step(&[(0, &second)]).unwrap();

    let mut bench = Bench::new(&container, ActivationPath::Int8, 2, 60);
    let mut ours_first = bench.step(&[(0, &first[..17])]).unwrap();
    let mut both = bench.step(&[(1, &second[..30]), (0, &first[17..18])]).unwrap();
    ours_first.extend(both.split_off(30));
    let mut ours_second = both;
    for index in 0..15 {
        let mut both = bench
            .step(&[
                (0, &first[18 + index..19 + index]),
                (1, &second[30 + index..31 + index]),
            ])
            .unwrap();
        ours_second.extend(both.pop());
        ours_first.append(&mut both);
    }
    ours_first.extend(bench.step(&[(0, &first[33..])]).unwrap());
    assert_close(&ours_first, &wanted_first, 1e-4);
    assert_close(&ours_second, &wanted_second, 1e-4);
}

#[test]
fn only_rows_that_ask_get_logits() {
    let tokens = tokens(20, 8);
    let mut bench = Bench::new(&llama(TINY, 8, 7), ActivationPath::Int8, 1, 20);
    let row = |(position, token): (usize, &u32)| StepRow {
        token: *token,
        slot: 0,
        position,
        wants_logits: true,
    };
    let mut rows: Vec<_> = tokens.iter().enumerate().map(row).collect();
    let all = bench.rows(&rows).unwrap();
    rows.iter_mut()
        .for_each(|row| row.wants_logits = matches!(row.position, 4 | 19));
    let some = bench.rows(&rows).unwrap();
    assert_close(&some, &[all[4].clone(), all[19].clone()], 1e-5);
    // Computed again, and not in order.
    bench.tables[0].advance(20);
    let again: Vec<_> = [7, 2, 3]
        .iter()
        .map(|position| StepRow {
            wants_logits: true,
            ..rows[*position]
        })
        .collect();
    assert_close(
        &bench.rows(&again).unwrap(),
        &[all[7].clone(), all[2].clone(), all[3].clone()],
        1e-5,
    );
    rows.iter_mut().for_each(|row| row.wants_logits = false);
    assert!(bench.rows(&rows).unwrap().is_empty());
    assert!(bench.rows(&[]).unwrap().is_empty());
}

#[test]
fn steps_that_cannot_be_run_are_refused() {
    let mut bench = Bench::new(&llama(TINY, 8, 7), ActivationPath::Int8, 2, 20);
    let row = |token, slot, position| StepRow {
        token,
        slot,
        position,
        wants_logits: true,
    };
    let good = row(1, 0, 0);
    for (bad, error) in [
        (row(300, 0, 1), StepError::Token { row: 1 }),
        (row(u32::MAX, 0, 1), StepError::Token { row: 1 }),
        (row(1, 2, 0), StepError::Slot { row: 1 }),
        (row(1, 1, 1), StepError::Position { row: 1 }),
        (row(1, 0, 2), StepError::Position { row: 1 }),
        (row(1, 0, usize::MAX), StepError::Position { row: 1 }),
    ] {
        assert_eq!(bench.rows(&[good, bad]), Err(error));
    }
    // Past the blocks, and past the context.
    let most: Vec<_> = (0..33).map(|position| row(1, 0, position)).collect();
    assert_eq!(bench.rows(&most), Err(StepError::Position { row: 32 }));
    let mut long = Bench::new(&llama(TINY, 8, 7), ActivationPath::Int8, 1, 272);
    let most: Vec<_> = (0..257).map(|position| row(1, 0, position)).collect();
    assert_eq!(long.rows(&most), Err(StepError::Position { row: 256 }));
    let other = llama(Sizes { layers: 1, ..TINY }, 8, 7);
    bench.pool = Bench::new(&other, ActivationPath::Int8, 1, 16).pool;
    assert_eq!(bench.rows(&[good]), Err(StepError::Pool));
}

#[test]
fn blocks_are_handed_out_once_and_wiped() {
    let mut bench = Bench::new(&llama(TINY, 8, 7), ActivationPath::Int8, 1, 40);
    assert_eq!((bench.pool.available(), bench.tables[0].capacity()), (61, 48));
    bench.step(&[(0, &tokens(40, 1))]).unwrap();
    let written = |bench: &Bench| {
        let blocks = bench.pool.head(&bench.tables[0], 40, 1, 1);
        blocks
            .iter()
            .any(|block| block.values.iter().any(|half| *half != 0))
    };
    assert!(written(&bench));
    bench.tables[0].release(&mut bench.pool);
    assert_eq!(
        (
            bench.pool.available(),
            bench.tables[0].tokens(),
            bench.tables[0].capacity()
        ),
        (64, 0, 0)
    );
    assert!(bench.tables[0].reserve(&mut bench.pool, 64 * 16));
    assert!(!written(&bench));
    let mut other = BlockTable::new();
    assert!(!other.reserve(&mut bench.pool, 1));
    bench.tables[0].release(&mut bench.pool);
    assert!(other.reserve(&mut bench.pool, 1));
    other.release(&mut bench.pool);
    assert!(KvPool::new(bench.model.config(), usize::MAX).is_none());
    assert!(KvPool::block_bytes(bench.model.config()) == 2 * 2 * 16 * 16 * 2 * 2);
}

#[test]
fn factors_divide_the_frequencies() {
    let mut container = llama(TINY, 0, 4);
    let logits = |container: &Container| {
        Bench::new(container, ActivationPath::F32, 1, 9)
            .step(&[(0, &tokens(9, 1))])
            .unwrap()
    };
    let without = logits(&container);
    let factors = |container: &mut Container, factor: f32| {
        let bytes = factor.to_le_bytes().repeat(8);
        let name = "rope_freqs.weight".to_owned();
        container.tensors.push(TensorEntry {
            name,
            shape: vec![8],
            kind: 0,
            bytes,
            offset: None,
        });
    };
    factors(&mut container, 1.0);
    assert_eq!(logits(&container), without);
    container.tensors.pop();
    factors(&mut container, 2.0);
    assert_ne!(logits(&container), without);
}
