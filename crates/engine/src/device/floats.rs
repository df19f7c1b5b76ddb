//! Products of float weights and float activations.

use super::simd::{LANES, Simd, widen_bfloat, widen_half};

/// The same weight of sixteen rows.
pub(super) trait FloatLanes: Copy + Send + Sync {
    /// Bytes of one weight in the file.
    const BYTES: usize;

    fn zero() -> Self;
    fn set(&mut self, row: usize, bytes: &[u8]);
    fn get(&self, row: usize) -> f32;
    fn widen<S: Simd>(&self, simd: S) -> S::Floats;
}

/// Sixteen weights as f32.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Singles(pub(super) [f32; LANES]);

/// Sixteen weights as f16.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(super) struct Halves([u16; LANES]);

/// Sixteen weights as bf16.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(super) struct Bfloats([u16; LANES]);

fn set_word(lanes: &mut [u16; LANES], row: usize, bytes: &[u8]) {
    if let (Some(lane), Ok(bytes)) = (lanes.get_mut(row), bytes.try_into()) {
        *lane = u16::from_le_bytes(bytes);
    }
}

impl FloatLanes for Singles {
    const BYTES: usize = 4;

    fn zero() -> Self {
        Self([0.0; LANES])
    }
    fn set(&mut self, row: usize, bytes: &[u8]) {
        if let (Some(lane), Ok(bytes)) = (self.0.get_mut(row), bytes.try_into()) {
            *lane = f32::from_le_bytes(bytes);
        }
    }
    fn get(&self, row: usize) -> f32 {
        self.0.get(row).copied().unwrap_or_default()
    }
    #[inline(always)]
    fn widen<S: Simd>(&self, simd: S) -> S::Floats {
        simd.load(&self.0)
    }
}

impl FloatLanes for Halves {
    const BYTES: usize = 2;

    fn zero() -> Self {
        Self([0; LANES])
    }
    fn set(&mut self, row: usize, bytes: &[u8]) {
        set_word(&mut self.0, row, bytes);
    }
    fn get(&self, row: usize) -> f32 {
        self.0.get(row).map_or(0.0, |bits| widen_half(*bits))
    }
    #[inline(always)]
    fn widen<S: Simd>(&self, simd: S) -> S::Floats {
        simd.load_half(&self.0)
    }
}

impl FloatLanes for Bfloats {
    const BYTES: usize = 2;

    fn zero() -> Self {
        Self([0; LANES])
    }
    fn set(&mut self, row: usize, bytes: &[u8]) {
        set_word(&mut self.0, row, bytes);
    }
    fn get(&self, row: usize) -> f32 {
        self.0.get(row).map_or(0.0, |bits| widen_bfloat(*bits))
    }
    #[inline(always)]
    fn widen<S: Simd>(&self, simd: S) -> S::Floats {
        simd.load_bfloat(&self.0)
    }
}

/// Multiplies one panel with `N` columns, which follow each other.
#[inline(always)]
pub(super) fn float_tile<S: Simd, T: FloatLanes, const N: usize>(
    simd: S,
    panel: &[T],
    columns: &[f32],
    results: &mut [[f32; LANES]],
) {
    let mut places = columns.chunks_exact(panel.len().max(1));
    let columns: [&[f32]; N] = std::array::from_fn(|_| places.next().unwrap_or_default());
    // Two sums per column, so that one addition need not wait for the last.
    let mut even = [simd.splat(0.0); N];
    let mut odd = [simd.splat(0.0); N];
    for (pair, weights) in panel.chunks(2).enumerate() {
        let [first, rest @ ..] = weights else { break };
        accumulate(simd, &mut even, *first, &columns, pair * 2);
        if let [second] = rest {
            accumulate(simd, &mut odd, *second, &columns, pair * 2 + 1);
        }
    }
    for ((result, even), odd) in results.iter_mut().zip(even).zip(odd) {
        *result = simd.store(simd.add(even, odd));
    }
}

#[inline(always)]
fn accumulate<S: Simd, T: FloatLanes, const N: usize>(
    simd: S,
    sums: &mut [S::Floats; N],
    weights: T,
    columns: &[&[f32]; N],
    index: usize,
) {
    let weights = weights.widen(simd);
    for (sum, column) in sums.iter_mut().zip(columns) {
        let Some(value) = column.get(index) else { continue };
        *sum = simd.fma(weights, simd.splat(*value), *sum);
    }
}
