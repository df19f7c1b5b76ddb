//! Every instruction set beside plain Rust, and plain Rust beside the definition.

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::simd::{Isa, Kernel, LANES, Simd, widen_bfloat, widen_half};
use super::{
    Activations, HeadBlock, Heads, Matrix, Norm, Pool, Product, Span, WorkerFailed, add_and_norm, attend,
    gate, multiply, narrow, quantise, rotate,
};
use super::{Unpacked, read_vector};
use crate::gguf::TensorKind;
use crate::tiny::{Numbers, weights};

const KINDS: [(TensorKind, u32); 6] = [
    (TensorKind::F32, 0),
    (TensorKind::F16, 1),
    (TensorKind::Bf16, 30),
    (TensorKind::Q4_0, 2),
    (TensorKind::Q4_1, 3),
    (TensorKind::Q8_0, 8),
];

fn floats(count: usize, size: f32, seed: u64) -> Vec<f32> {
    let mut numbers = Numbers(seed);
    (0..count).map(|_| numbers.signed() * size).collect()
}

fn assert_close(ours: &[f32], wanted: &[f32], tolerance: f32, what: &str) {
    assert_eq!(ours.len(), wanted.len(), "{what}");
    let size = wanted.iter().fold(1e-6_f32, |size, value| size.max(value.abs()));
    for (index, (a, b)) in ours.iter().zip(wanted).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * size,
            "{what}: {a} instead of {b} at {index}"
        );
    }
}

/// A test-only reading of the format's blocks, straight from its description.
fn dequantise(kind: TensorKind, bytes: &[u8]) -> Vec<f32> {
    let half = |bytes: &[u8]| widen_half(u16::from_le_bytes(bytes.try_into().unwrap()));
    let mut values = Vec::new();
    for block in bytes.chunks(kind.block().1) {
        match kind {
            TensorKind::F32 => values.push(f32::from_le_bytes(block.try_into().unwrap())),
            TensorKind::F16 => values.push(half(block)),
            TensorKind::Bf16 => values.push(widen_bfloat(u16::from_le_bytes(block.try_into().unwrap()))),
            TensorKind::Q8_0 => values.extend(
                block[2..]
                    .iter()
                    .map(|b| f32::from(b.cast_signed()) * half(&block[..2])),
            ),
            TensorKind::Q4_0 => {
                let nibbles = block[2..]
                    .iter()
                    .map(|b| b & 15)
                    .chain(block[2..].iter().map(|b| b >> 4));
                values.extend(nibbles.map(|n| (f32::from(n) - 8.0) * half(&block[..2])));
            }
            TensorKind::Q4_1 => {
                let nibbles = block[4..]
                    .iter()
                    .map(|b| b & 15)
                    .chain(block[4..].iter().map(|b| b >> 4));
                values.extend(nibbles.map(|n| f32::from(n) * half(&block[..2]) + half(&block[2..4])));
            }
        }
    }
    values
}

fn activations(isa: Isa, width: usize, columns: usize, quantised: bool) -> Activations {
    let mut input = Activations::default();
    input.resize(width, columns, quantised);
    input
        .floats_mut()
        .copy_from_slice(&floats(width * columns, 3.0, 7));
    quantise((&mut Pool::new(1), isa), &mut input).unwrap();
    input
}

fn product(isa: Isa, threads: usize, matrix: &Matrix, input: &Activations) -> Vec<f32> {
    let mut output = vec![f32::NAN; matrix.rows() * input.columns()];
    multiply(
        &mut Pool::new(threads),
        isa,
        input,
        &mut [Product {
            matrix,
            output: &mut output,
        }],
    )
    .unwrap();
    output
}

#[test]
fn products_are_sums_of_products() {
    // Rows that fill no panel, and more columns than a tile has.
    let (rows, width) = (37, 96);
    for (kind, number) in KINDS {
        let bytes = weights(number, rows * width, 1.0, &mut Numbers(3));
        let matrix = Matrix::pack(kind, &bytes, (rows, width), false).unwrap();
        let plain = dequantise(kind, &bytes);
        for isa in Isa::all() {
            for columns in [1, 2, 3, 4, 5, 6, 7, 8, 9, 21] {
                let input = activations(isa, width, columns, matrix.is_quantised());
                let ours = product(isa, 1, &matrix, &input);
                let wanted: Vec<f32> = input
                    .floats()
                    .chunks(width)
                    .flat_map(|column| {
                        plain
                            .chunks(width)
                            .map(move |row| row.iter().zip(column).map(|(a, b)| a * b).sum())
                    })
                    .collect();
                let tolerance = if matrix.is_quantised() { 1e-4 } else { 1e-5 };
                assert_close(
                    &ours,
                    &wanted,
                    tolerance,
                    &format!("{} {} {columns}", kind.name(), isa.name()),
                );
            }
        }
    }
}

#[test]
fn instruction_sets_agree() {
    let (rows, width) = (64, 256);
    for (kind, number) in KINDS {
        let bytes = weights(number, rows * width, 1.0, &mut Numbers(5));
        let matrix = Matrix::pack(kind, &bytes, (rows, width), false).unwrap();
        let sets = Isa::all();
        let portable = *sets.last().unwrap();
        for columns in [1, 8] {
            let input = activations(portable, width, columns, matrix.is_quantised());
            let wanted = product(portable, 1, &matrix, &input);
            for isa in &sets {
                let own = activations(*isa, width, columns, matrix.is_quantised());
                assert_close(&product(*isa, 1, &matrix, &own), &wanted, 1e-5, isa.name());
            }
        }
    }
}

#[test]
fn extreme_weights_and_activations_do_not_overflow() {
    let (rows, width) = (16, 32);
    for (kind, group) in [
        (TensorKind::Q8_0, 34),
        (TensorKind::Q4_0, 18),
        (TensorKind::Q4_1, 20),
    ] {
        for fill in [0x00, 0x80, 0x7f, 0xff] {
            let mut bytes = vec![fill; rows * group];
            bytes
                .chunks_mut(group)
                .for_each(|block| block[..2].copy_from_slice(&[0x00, 0x3c]));
            let matrix = Matrix::pack(kind, &bytes, (rows, width), false).unwrap();
            let plain = dequantise(kind, &bytes);
            for isa in Isa::all() {
                for sign in [1.0, -1.0] {
                    let mut input = activations(isa, width, 1, true);
                    input.floats_mut().fill(sign * 8.0);
                    quantise((&mut Pool::new(1), isa), &mut input).unwrap();
                    let wanted: f32 = plain[..width].iter().map(|weight| weight * sign * 8.0).sum();
                    let ours = product(isa, 1, &matrix, &input);
                    if wanted.is_finite() {
                        assert_close(
                            &ours[..1],
                            &[wanted],
                            1e-4,
                            &format!("{} {} {fill:x}", kind.name(), isa.name()),
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn threads_do_not_change_a_product() {
    let (rows, width) = (1024, 64);
    let bytes = weights(3, rows * width, 1.0, &mut Numbers(11));
    let matrix = Matrix::pack(TensorKind::Q4_1, &bytes, (rows, width), false).unwrap();
    let input = activations(Isa::best(), width, 13, true);
    let alone = product(Isa::best(), 1, &matrix, &input);
    for _ in 0..20 {
        assert_eq!(product(Isa::best(), 4, &matrix, &input), alone);
    }
}

#[test]
fn rows_come_back_and_widening_keeps_them() {
    let (rows, width) = (19, 64);
    for (kind, number) in KINDS {
        let bytes = weights(number, rows * width, 1.0, &mut Numbers(2));
        let plain = dequantise(kind, &bytes);
        for widen in [false, true] {
            let matrix = Matrix::pack(kind, &bytes, (rows, width), widen).unwrap();
            for (row, wanted) in plain.chunks(width).enumerate() {
                let mut values = vec![0.0; width];
                matrix.row(row, &mut values);
                assert_eq!(values, wanted, "{} {row}", kind.name());
            }
        }
        let first = &bytes[..bytes.len() / rows];
        let mut values = vec![0.0; width];
        Matrix::pack(kind, &bytes, (rows, width), false)
            .unwrap()
            .row(0, &mut values);
        assert_eq!(read_vector(kind, first, width), Ok(values));
        assert_eq!(read_vector(kind, &first[1..], width), Err(Unpacked::Misshapen));
        assert!(Matrix::pack(kind, &bytes[1..], (rows, width), false).is_err());
        assert!(Matrix::pack(kind, &bytes, (rows, width + 1), false).is_err());
        assert!(Matrix::pack(kind, &[], (0, width), false).is_err());
    }
}

/// `f(x)` by some instructions.
struct Exp(f32);

impl Kernel for Exp {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        simd.store(simd.exp(simd.splat(self.0)))[0]
    }
}

#[test]
fn exponentials_are_exact_to_a_few_units() {
    for isa in Isa::all() {
        for step in -8_700..8_800_i16 {
            let x = f32::from(step) / 100.0;
            let (ours, wanted) = (isa.run(Exp(x)), f64::from(x).exp());
            assert!(
                (f64::from(ours) / wanted - 1.0).abs() < 3e-7,
                "{} {x}: {ours} {wanted}",
                isa.name()
            );
        }
        assert!(isa.run(Exp(f32::NEG_INFINITY)) < 2e-38);
        assert!(isa.run(Exp(-1e30)) < 2e-38);
    }
}

#[test]
fn halves_survive_the_way_there_and_back() {
    for isa in Isa::all() {
        for start in (0..=u16::MAX).step_by(LANES) {
            let bits: Vec<u16> = (start..=start + 15).collect();
            let wide: Vec<f32> = bits.iter().map(|bits| widen_half(*bits)).collect();
            let mut back = vec![0; LANES];
            narrow(isa, &wide, &mut back);
            for ((bits, wide), back) in bits.iter().zip(&wide).zip(back) {
                assert!(wide.is_nan() || *bits == back, "{} {bits:x} {back:x}", isa.name());
            }
        }
        // Ties go to even, what is too large becomes infinite.
        let mut halves = [0; LANES];
        let mut values = [
            1.0 + 1.0 / 2048.0,
            1.0 + 3.0 / 2048.0,
            65_519.0,
            65_520.0,
            -1e9,
            3e-8,
            1e-8,
        ]
        .to_vec();
        values.resize(LANES, 0.0);
        narrow(isa, &values, &mut halves);
        assert_eq!(
            halves[..7],
            [0x3c00, 0x3c02, 0x7bff, 0x7c00, 0xfc00, 0x0001, 0x0000],
            "{}",
            isa.name()
        );
    }
}

#[test]
fn columns_are_normalised_gated_and_rotated() {
    let (width, columns) = (64, 40);
    for isa in Isa::all() {
        let mut pool = Pool::new(2);
        let weights = floats(width, 1.0, 1);
        let norm = Norm {
            weights: &weights,
            epsilon: 1e-5,
        };
        let (before, mut change) = (floats(width * columns, 2.0, 2), floats(width * columns, 2.0, 3));
        let mut stream = before.clone();
        let mut output = Activations::default();
        output.resize(width, columns, true);
        add_and_norm((&mut pool, isa), &mut stream, &mut change, norm, &mut output).unwrap();
        let sums: Vec<f32> = before.iter().zip(&change).map(|(a, b)| a + b).collect();
        assert_eq!(stream, sums);
        let wanted: Vec<f32> = sums
            .chunks(width)
            .flat_map(|column| {
                let mean = column.iter().map(|value| value * value).sum::<f32>() / width as f32;
                column
                    .iter()
                    .zip(&weights)
                    .map(move |(value, weight)| value / (mean + 1e-5).sqrt() * weight)
            })
            .collect();
        assert_close(output.floats(), &wanted, 1e-6, isa.name());

        let (mut gates, mut values) = (floats(width * columns, 9.0, 4), floats(width * columns, 2.0, 5));
        gate((&mut pool, isa), &mut gates, &mut values, &mut output).unwrap();
        let wanted: Vec<f32> = gates
            .iter()
            .zip(&values)
            .map(|(g, v)| g / (1.0 + (-g).exp()) * v)
            .collect();
        assert_close(output.floats(), &wanted, 1e-6, isa.name());

        let (mut queries, mut keys) = (vec![1.0; 64], vec![2.0; 32]);
        let mut angles = vec![[0.0, 1.0]; 16];
        angles[15] = [1.0, 0.0];
        rotate((&mut pool, isa), &mut queries, &mut keys, &mut angles, (1, 32)).unwrap();
        assert_eq!(
            (queries[..2].to_vec(), queries[30..34].to_vec()),
            (vec![-1.0, 1.0], vec![1.0, 1.0, -1.0, 1.0])
        );
        assert_eq!(
            (keys[..2].to_vec(), keys[30..].to_vec()),
            (vec![-2.0, 2.0], vec![2.0, 2.0])
        );
    }
}

/// Keys and values of some tokens, and queries over them.
struct Memory {
    keys: Vec<f32>,
    values: Vec<f32>,
    queries: Vec<f32>,
    tokens: usize,
}

const SIZE: usize = 32;
const PAIRS: usize = 2;
const SHARING: usize = 3;

fn place(token: usize, pair: usize) -> usize {
    (token * PAIRS + pair) * SIZE
}

impl Memory {
    fn new(tokens: usize, rows: usize) -> Self {
        let keys = floats(tokens * PAIRS * SIZE, 1.0, 8);
        let values = floats(tokens * PAIRS * SIZE, 1.0, 9);
        let queries = floats(rows * PAIRS * SHARING * SIZE, 2.0, 10);
        Self {
            keys,
            values,
            queries,
            tokens,
        }
    }

    /// By the definition: means of the values, weighted by the exponentials of the products.
    fn plain(&self, sees: usize) -> Vec<f32> {
        let mut result = Vec::new();
        for (index, query) in self.queries.chunks(SIZE).enumerate() {
            let (row, pair) = (index / (PAIRS * SHARING), index % (PAIRS * SHARING) / SHARING);
            let weight = |token| {
                let key = &self.keys[place(token, pair)..][..SIZE];
                let product: f32 = query.iter().zip(key).map(|(a, b)| a * b).sum();
                (product / (SIZE as f32).sqrt()).exp()
            };
            let weights: Vec<f32> = (0..sees + row).map(weight).collect();
            let whole: f32 = weights.iter().sum();
            result.extend((0..SIZE).map(|d| {
                let parts = weights
                    .iter()
                    .enumerate()
                    .map(|(token, w)| w * self.values[place(token, pair) + d]);
                parts.sum::<f32>() / whole
            }));
        }
        result
    }

    /// One head's blocks, as the cache keeps them.
    fn blocks(&self, isa: Isa, pair: usize) -> Vec<(Vec<[u16; LANES]>, Vec<u16>)> {
        let mut blocks = vec![(vec![[0; LANES]; SIZE], vec![0; SIZE * LANES]); self.tokens.div_ceil(LANES)];
        for token in 0..self.tokens {
            let (keys, values) = &mut blocks[token / LANES];
            let mut halves = vec![0; SIZE];
            narrow(isa, &self.keys[place(token, pair)..][..SIZE], &mut halves);
            (0..SIZE).for_each(|d| keys[d][token % LANES] = halves[d]);
            narrow(
                isa,
                &self.values[place(token, pair)..][..SIZE],
                &mut values[token % LANES * SIZE..][..SIZE],
            );
        }
        blocks
    }
}

#[test]
fn attention_is_a_weighted_mean_of_what_is_seen() {
    // Rows at the start, inside and behind a chunk of blocks, and some far away.
    for (sees, rows) in [(1, 1), (1, 40), (16, 3), (120, 20), (128, 1), (129, 1), (300, 5)] {
        let memory = Memory::new(sees + rows - 1, rows);
        let wanted = memory.plain(sees);
        for isa in Isa::all() {
            let blocks: Vec<_> = (0..PAIRS).map(|pair| memory.blocks(isa, pair)).collect();
            let mut heads: Vec<Vec<_>> = Vec::new();
            for blocks in &blocks {
                heads.push(
                    blocks
                        .iter()
                        .map(|(keys, values)| HeadBlock { keys, values })
                        .collect(),
                );
            }
            let mut output = vec![f32::NAN; wanted.len()];
            let spans = [Span {
                row: 0,
                rows,
                sees,
                heads: &heads,
            }];
            let sizes = Heads {
                queries: PAIRS * SHARING,
                pairs: PAIRS,
                size: SIZE,
            };
            attend(
                (&mut Pool::new(2), isa),
                sizes,
                &spans,
                &memory.queries,
                &mut output,
            )
            .unwrap();
            assert_close(&output, &wanted, 2e-3, &format!("{} {sees} {rows}", isa.name()));
        }
    }
}

#[test]
fn a_job_does_every_item_once() {
    for threads in [1, 2, 5] {
        let mut pool = Pool::new(threads);
        assert_eq!(pool.threads(), threads);
        for items in (0..200).chain([10_000]) {
            let counts: Vec<_> = (0..items).map(|_| AtomicUsize::new(0)).collect();
            pool.run(items, 1, &|range| {
                counts[range].iter().for_each(|count| {
                    count.fetch_add(1, Ordering::Relaxed);
                })
            })
            .unwrap();
            assert!(
                counts.iter().all(|count| count.load(Ordering::Relaxed) == 1),
                "{threads} {items}"
            );
        }
    }
}

#[test]
fn a_panic_fails_the_job_and_not_the_pool() {
    let mut pool = Pool::new(3);
    for _ in 0..50 {
        let failed = pool.run(100, 1, &|range| assert!(!range.contains(&50), "asked for"));
        assert_eq!(failed, Err(WorkerFailed));
        assert_eq!(pool.run(100, 1, &|_| ()), Ok(()));
    }
}

#[test]
fn a_pool_can_move_to_another_thread() {
    let mut pool = Pool::new(3);
    let worker =
        std::thread::spawn(move || (0..200).try_for_each(|_| pool.run(64, 1, &|_| std::thread::yield_now())));
    assert_eq!(worker.join().unwrap(), Ok(()));
    assert!(catch_unwind(|| Pool::new(2)).is_ok());
}
