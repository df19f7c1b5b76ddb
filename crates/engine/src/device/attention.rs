//! Attention of some query vectors over one sequence's keys and values, block by block.

use super::pool::{Pool, WorkerFailed};
use super::shared::Shared;
use super::simd::{Isa, Kernel, LANES, Simd};

/// Query vectors that are computed together, at most.
const QUERIES: usize = 12;
/// Blocks whose scores are computed before their values are added up.
const BLOCKS: usize = 8;
/// Tokens in so many blocks.
const TOKENS: usize = BLOCKS * LANES;

/// Keys and values of one head for sixteen tokens.
#[derive(Clone, Copy)]
pub(crate) struct HeadBlock<'a> {
    /// For each component, that of all sixteen keys.
    pub(crate) keys: &'a [[u16; LANES]],
    /// The values, one after the other.
    pub(crate) values: &'a [u16],
}

/// Neighbouring rows of one sequence.
pub(crate) struct Span<'a> {
    /// The first row's index among all rows.
    pub(crate) row: usize,
    pub(crate) rows: usize,
    /// Tokens that the first row sees, itself included; each further row sees one more.
    pub(crate) sees: usize,
    /// For each head of keys and values, the sequence's blocks.
    pub(crate) heads: &'a [Vec<HeadBlock<'a>>],
}

/// Sizes that all rows share.
#[derive(Clone, Copy)]
pub(crate) struct Heads {
    pub(crate) queries: usize,
    pub(crate) pairs: usize,
    pub(crate) size: usize,
}

/// One piece of work: some queries of one span over one head of keys and values.
struct Piece<'a> {
    span: &'a Span<'a>,
    pair: usize,
    /// First and last query, counting row by row the heads that share the keys.
    first: usize,
    count: usize,
}

/// Computes all heads of all rows. `queries` and `output` have `heads.queries × heads.size` floats per row.
pub(crate) fn attend(
    (pool, isa): (&mut Pool, Isa),
    heads: Heads,
    spans: &[Span<'_>],
    queries: &[f32],
    output: &mut [f32],
) -> Result<(), WorkerFailed> {
    let sharing = heads.queries / heads.pairs.max(1);
    let mut pieces = Vec::new();
    let mut work = 0_usize;
    for span in spans {
        let total = span.rows * sharing;
        work += total * heads.pairs * heads.size * (span.sees + span.rows / 2);
        for pair in 0..heads.pairs {
            for first in (0..total).step_by(QUERIES) {
                pieces.push(Piece {
                    span,
                    pair,
                    first,
                    count: QUERIES.min(total - first),
                });
            }
        }
    }
    let output = Shared::new(output);
    // Less than this is done sooner than a thread is woken.
    let least = (pieces.len() * 16_384).checked_div(work).unwrap_or(0).max(1);
    pool.run(pieces.len(), least, &|range| {
        for piece in pieces.get(range).unwrap_or_default() {
            piece.attend(isa, heads, queries, &output);
        }
    })
}

impl Piece<'_> {
    fn attend(&self, isa: Isa, heads: Heads, queries: &[f32], output: &Shared<'_, f32>) {
        let sharing = heads.queries / heads.pairs.max(1);
        let mut places = [0_usize; QUERIES];
        let mut sees = [0_usize; QUERIES];
        for (offset, (place, sees)) in places.iter_mut().zip(&mut sees).enumerate() {
            // Places that are left over repeat the last query, and are not written.
            let query = self.first + offset.min(self.count.saturating_sub(1));
            let (row, head) = (query / sharing, query % sharing);
            *place = ((self.span.row + row) * heads.queries + self.pair * sharing + head) * heads.size;
            *sees = self.span.sees + row;
        }
        let vectors = places.map(|place| queries.get(place..place + heads.size).unwrap_or_default());
        let blocks = self.span.heads.get(self.pair).map_or(&[][..], Vec::as_slice);
        let mut results = vec![0.0; QUERIES * heads.size];
        isa.run(Attend {
            vectors,
            sees,
            count: self.count,
            blocks,
            results: &mut results,
        });
        for (place, result) in places
            .iter()
            .zip(results.chunks_exact(heads.size))
            .take(self.count)
        {
            // SAFETY: this piece alone computes these queries, and their places do not overlap.
            let place = unsafe { output.part(*place, heads.size) };
            place.copy_from_slice(result);
        }
    }
}

struct Attend<'a> {
    vectors: [&'a [f32]; QUERIES],
    sees: [usize; QUERIES],
    count: usize,
    blocks: &'a [HeadBlock<'a>],
    results: &'a mut [f32],
}

impl Kernel for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.count {
            0 | 1 => self.queries::<S, 1>(simd),
            2 => self.queries::<S, 2>(simd),
            3 => self.queries::<S, 3>(simd),
            4 => self.queries::<S, 4>(simd),
            5 | 6 => self.queries::<S, 6>(simd),
            7 | 8 => self.queries::<S, 8>(simd),
            _ => self.queries::<S, QUERIES>(simd),
        }
    }
}

/// What has been added up so far for one query.
#[derive(Clone, Copy)]
struct Sum {
    peak: f32,
    weight: f32,
}

impl Attend<'_> {
    #[inline(always)]
    fn queries<S: Simd, const N: usize>(self, simd: S) {
        let size = self.vectors.first().map_or(1, |vector| vector.len().max(1));
        let vectors: [&[f32]; N] = first(self.vectors);
        let sees: [usize; N] = first(self.sees);
        let most = sees.iter().copied().max().unwrap_or_default();
        let mut sums = [Sum {
            peak: f32::NEG_INFINITY,
            weight: 0.0,
        }; N];
        let mut scores = [[[0.0; LANES]; BLOCKS]; N];
        let used = self.blocks.get(..most.div_ceil(LANES)).unwrap_or(self.blocks);
        for (chunk, blocks) in used.chunks(BLOCKS).enumerate() {
            for (index, block) in blocks.iter().enumerate() {
                let block_scores = score::<S, N>(simd, vectors, block.keys);
                for (scores, block_scores) in scores.iter_mut().zip(block_scores) {
                    if let Some(place) = scores.get_mut(index) {
                        *place = block_scores;
                    }
                }
            }
            for (((scores, sum), sees), result) in scores
                .iter_mut()
                .zip(&mut sums)
                .zip(sees)
                .zip(self.results.chunks_exact_mut(size))
            {
                let scores = scores.get_mut(..blocks.len()).unwrap_or_default();
                weigh(simd, scores, sees.saturating_sub(chunk * TOKENS), sum, result);
            }
            let tokens = most.saturating_sub(chunk * TOKENS).min(blocks.len() * LANES);
            accumulate::<S, N>(simd, &scores, (blocks, tokens), self.results, size);
        }
        for (sum, result) in sums.iter().zip(self.results.chunks_exact_mut(size)) {
            let inverse = 1.0 / sum.weight;
            result.iter_mut().for_each(|value| *value *= inverse);
        }
    }
}

/// The first `N` of some places.
#[inline(always)]
fn first<T: Copy + Default, const N: usize>(all: [T; QUERIES]) -> [T; N] {
    let mut places = all.into_iter();
    std::array::from_fn(|_| places.next().unwrap_or_default())
}

/// Products of each query with sixteen keys, divided by the root of the head's size.
#[inline(always)]
fn score<S: Simd, const N: usize>(simd: S, vectors: [&[f32]; N], keys: &[[u16; LANES]]) -> [[f32; LANES]; N] {
    // Two sums per query, so that one addition need not wait for the last.
    let mut even = [simd.splat(0.0); N];
    let mut odd = [simd.splat(0.0); N];
    let (pairs, _) = keys.as_chunks::<2>();
    for (index, [first, second]) in pairs.iter().enumerate() {
        let (first, second) = (simd.load_half(first), simd.load_half(second));
        for ((even, odd), vector) in even.iter_mut().zip(&mut odd).zip(vectors) {
            if let Some([a, b]) = vector.get(index * 2..index * 2 + 2) {
                *even = simd.fma(first, simd.splat(*a), *even);
                *odd = simd.fma(second, simd.splat(*b), *odd);
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "heads are far smaller than 2²⁴")]
    let factor = simd.splat(1.0 / (keys.len().max(1) as f32).sqrt());
    let mut result = [[0.0; LANES]; N];
    for ((result, even), odd) in result.iter_mut().zip(even).zip(odd) {
        *result = simd.store(simd.mul(simd.add(even, odd), factor));
    }
    result
}

/// Turns scores into weights relative to the highest score so far, and rescales what was added up under a lower one.
#[inline(always)]
fn weigh<S: Simd>(simd: S, scores: &mut [[f32; LANES]], sees: usize, sum: &mut Sum, result: &mut [f32]) {
    for hidden in scores.as_flattened_mut().iter_mut().skip(sees) {
        *hidden = f32::NEG_INFINITY;
    }
    let mut peak = simd.splat(sum.peak);
    for scores in scores.iter() {
        peak = simd.max(peak, simd.load(scores));
    }
    let peak = simd.highest(peak);
    let shift = simd.splat(peak);
    let mut weight = simd.splat(0.0);
    for scores in scores.iter_mut() {
        let weights = simd.exp(simd.sub(simd.load(scores), shift));
        *scores = simd.store(weights);
    }
    for hidden in scores.as_flattened_mut().iter_mut().skip(sees) {
        *hidden = 0.0;
    }
    for scores in scores.iter() {
        weight = simd.add(weight, simd.load(scores));
    }
    let correction = if sum.weight > 0.0 {
        simd.store(simd.exp(simd.splat(sum.peak - peak)))[0]
    } else {
        0.0
    };
    if correction != 1.0 {
        result.iter_mut().for_each(|value| *value *= correction);
    }
    sum.weight = sum.weight * correction + simd.total(weight);
    sum.peak = peak;
}

/// Adds the values of `tokens` tokens, weighted, to each query's result.
#[inline(always)]
fn accumulate<S: Simd, const N: usize>(
    simd: S,
    weights: &[[[f32; LANES]; BLOCKS]; N],
    (blocks, tokens): (&[HeadBlock<'_>], usize),
    results: &mut [f32],
    size: usize,
) {
    for part in 0..size / LANES {
        let mut sums = [simd.splat(0.0); N];
        let mut left = tokens;
        for (index, block) in blocks.iter().enumerate() {
            let rows = block.values.chunks_exact(size).take(left.min(LANES)).enumerate();
            left = left.saturating_sub(LANES);
            for (token, values) in rows {
                let (parts, _) = values.as_chunks::<LANES>();
                let Some(values) = parts.get(part) else { continue };
                let values = simd.load_half(values);
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    let weight = weights
                        .get(index)
                        .and_then(|block| block.get(token))
                        .copied()
                        .unwrap_or_default();
                    *sum = simd.fma(values, simd.splat(weight), *sum);
                }
            }
        }
        for (sum, result) in sums.into_iter().zip(results.chunks_exact_mut(size)) {
            let (parts, _) = result.as_chunks_mut::<LANES>();
            if let Some(place) = parts.get_mut(part) {
                *place = simd.store(simd.add(simd.load(place), sum));
            }
        }
    }
}
