//! What happens to each token's vector by itself: norms, rotations, gates, rounding.

use super::activations::{Activations, Groups};
use super::pool::{Pool, WorkerFailed};
use super::shared::Shared;
use super::simd::{Isa, Kernel, LANES, Simd};

/// Columns that are worth another thread.
const LEAST: usize = 16;

/// Runs a kernel on each column of up to three buffers that are cut into `count` columns each.
#[expect(clippy::needless_pass_by_value, reason = "three borrows, handed over")]
fn each<A: Send, B: Send, C: Send>(
    pool: &mut Pool,
    count: usize,
    buffers: (&mut [A], &mut [B], &mut [C]),
    work: impl Fn(usize, &mut [A], &mut [B], &mut [C]) + Sync,
) -> Result<(), WorkerFailed> {
    let divisor = count.max(1);
    let widths = (
        buffers.0.len() / divisor,
        buffers.1.len() / divisor,
        buffers.2.len() / divisor,
    );
    let (first, second, third) = (
        Shared::new(buffers.0),
        Shared::new(buffers.1),
        Shared::new(buffers.2),
    );
    pool.run(count, LEAST, &|range| {
        for column in range {
            // SAFETY: a job hands out each column once, and columns do not overlap.
            let first = unsafe { first.part(column * widths.0, widths.0) };
            // SAFETY: as above.
            let second = unsafe { second.part(column * widths.1, widths.1) };
            // SAFETY: as above.
            let third = unsafe { third.part(column * widths.2, widths.2) };
            work(column, first, second, third);
        }
    })
}

/// How vectors are normalised: to a root mean square of one, then weighted.
#[derive(Clone, Copy)]
pub(crate) struct Norm<'a> {
    pub(crate) weights: &'a [f32],
    pub(crate) epsilon: f32,
}

/// Adds `change` (if it is as long) to the residual `stream` and sets `output` to its normalised columns.
pub(crate) fn add_and_norm(
    (pool, isa): (&mut Pool, Isa),
    stream: &mut [f32],
    change: &mut [f32],
    norm: Norm<'_>,
    output: &mut Activations,
) -> Result<(), WorkerFailed> {
    let count = output.columns();
    let (floats, groups) = output.parts();
    each(
        pool,
        count,
        (stream, change, floats),
        |column, stream, change, floats| {
            isa.run(AddAndNorm {
                stream,
                change,
                norm,
                floats,
                groups: &groups,
                column,
            });
        },
    )
}

struct AddAndNorm<'a> {
    stream: &'a mut [f32],
    change: &'a [f32],
    norm: Norm<'a>,
    floats: &'a mut [f32],
    groups: &'a Groups<'a>,
    column: usize,
}

impl Kernel for AddAndNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (stream, _) = self.stream.as_chunks_mut::<LANES>();
        let (change, _) = self.change.as_chunks::<LANES>();
        for (value, change) in stream.iter_mut().zip(change) {
            *value = simd.store(simd.add(simd.load(value), simd.load(change)));
        }
        let mut squares = simd.splat(0.0);
        for value in stream.iter() {
            let value = simd.load(value);
            squares = simd.fma(value, value, squares);
        }
        #[expect(clippy::cast_precision_loss, reason = "widths are far below 2²⁴")]
        let width = self.norm.weights.len().max(1) as f32;
        let factor = simd.splat(1.0 / (simd.total(squares) / width + self.norm.epsilon).sqrt());
        let (weights, _) = self.norm.weights.as_chunks::<LANES>();
        let (floats, _) = self.floats.as_chunks_mut::<LANES>();
        for ((float, value), weight) in floats.iter_mut().zip(stream).zip(weights) {
            *float = simd.store(simd.mul(simd.mul(simd.load(value), factor), simd.load(weight)));
        }
        // SAFETY: `each` hands out each column once.
        unsafe { self.groups.round(simd, self.column, self.floats) };
    }
}

/// Sets `output` to `gates × sigmoid(gates) × values`, column by column.
pub(crate) fn gate(
    (pool, isa): (&mut Pool, Isa),
    gates: &mut [f32],
    values: &mut [f32],
    output: &mut Activations,
) -> Result<(), WorkerFailed> {
    let count = output.columns();
    let (floats, groups) = output.parts();
    each(
        pool,
        count,
        (gates, values, floats),
        |column, gates, values, floats| {
            isa.run(Gate {
                gates,
                values,
                floats,
                groups: &groups,
                column,
            });
        },
    )
}

struct Gate<'a> {
    gates: &'a [f32],
    values: &'a [f32],
    floats: &'a mut [f32],
    groups: &'a Groups<'a>,
    column: usize,
}

impl Kernel for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (gates, _) = self.gates.as_chunks::<LANES>();
        let (values, _) = self.values.as_chunks::<LANES>();
        let (floats, _) = self.floats.as_chunks_mut::<LANES>();
        for ((float, gate), value) in floats.iter_mut().zip(gates).zip(values) {
            let (gate, value) = (simd.load(gate), simd.load(value));
            let decay = simd.exp(simd.sub(simd.splat(0.0), gate));
            let open = simd.div(gate, simd.add(simd.splat(1.0), decay));
            *float = simd.store(simd.mul(open, value));
        }
        // SAFETY: `each` hands out each column once.
        unsafe { self.groups.round(simd, self.column, self.floats) };
    }
}

/// Makes the whole numbers of columns follow their floats.
pub(crate) fn quantise((pool, isa): (&mut Pool, Isa), columns: &mut Activations) -> Result<(), WorkerFailed> {
    let count = columns.columns();
    let (floats, groups) = columns.parts();
    each(
        pool,
        count,
        (floats, &mut [(); 0], &mut [(); 0]),
        |column, floats, _, _| {
            isa.run(Round {
                floats,
                groups: &groups,
                column,
            });
        },
    )
}

struct Round<'a> {
    floats: &'a [f32],
    groups: &'a Groups<'a>,
    column: usize,
}

impl Kernel for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // SAFETY: `each` hands out each column once.
        unsafe { self.groups.round(simd, self.column, self.floats) };
    }
}

/// Rotates pairs of neighbours in each head of the queries and the keys. `angles` has, column by column, the cosine and
/// the sine of each pair of a head.
pub(crate) fn rotate(
    (pool, isa): (&mut Pool, Isa),
    queries: &mut [f32],
    keys: &mut [f32],
    angles: &mut [[f32; 2]],
    (count, head): (usize, usize),
) -> Result<(), WorkerFailed> {
    each(
        pool,
        count,
        (queries, keys, angles),
        |_, queries, keys, angles| {
            isa.run(Rotate {
                heads: queries,
                head,
                angles,
            });
            isa.run(Rotate {
                heads: keys,
                head,
                angles,
            });
        },
    )
}

struct Rotate<'a> {
    heads: &'a mut [f32],
    head: usize,
    angles: &'a [[f32; 2]],
}

impl Kernel for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for head in self.heads.chunks_exact_mut(self.head) {
            let (pairs, _) = head.as_chunks_mut::<2>();
            for ([a, b], [cosine, sine]) in pairs.iter_mut().zip(self.angles) {
                (*a, *b) = (*a * cosine - *b * sine, *a * sine + *b * cosine);
            }
        }
    }
}
