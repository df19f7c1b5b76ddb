//! Inputs of matrix products: one column per token, as floats and, where weights are quantised, rounded to bytes.

use super::panels::{GROUP, Group};
use super::simd::{LANES, Simd};

/// Columns of equal length.
#[derive(Default)]
pub(crate) struct Activations {
    width: usize,
    columns: usize,
    floats: Vec<f32>,
    groups: Vec<Group>,
    quantised: bool,
}

impl Activations {
    /// Makes room for `columns` of `width` floats each, what was there is unspecified. Only if `quantised`, which needs
    /// a width that is a multiple of 32, are they also kept as bytes.
    pub(crate) fn resize(&mut self, width: usize, columns: usize, quantised: bool) {
        (self.width, self.columns, self.quantised) = (width, columns, quantised);
        self.floats.resize(width.saturating_mul(columns), 0.0);
        let groups = if quantised { self.floats.len() / GROUP } else { 0 };
        self.groups.resize(groups, Group::default());
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// All columns, one after the other.
    pub(crate) fn floats(&self) -> &[f32] {
        &self.floats
    }

    /// All columns, one after the other, to be written; then [`super::quantise`] makes the bytes follow.
    pub(crate) fn floats_mut(&mut self) -> &mut [f32] {
        &mut self.floats
    }

    /// The columns as floats and as bytes, and the number of groups in each column.
    pub(super) fn parts(&mut self) -> (&mut [f32], &mut [Group], usize) {
        let groups = if self.quantised { self.width / GROUP } else { 0 };
        (&mut self.floats, &mut self.groups, groups)
    }

    /// The rounded columns, one after the other, with `width / 32` groups each.
    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }
}

/// Rounds floats to groups of bytes.
#[inline(always)]
pub(super) fn round<S: Simd>(simd: S, floats: &[f32], groups: &mut [Group]) {
    let (chunks, _) = floats.as_chunks::<GROUP>();
    for (group, floats) in groups.iter_mut().zip(chunks) {
        *group = round_group(simd, floats);
    }
}

#[inline(always)]
fn round_group<S: Simd>(simd: S, floats: &[f32; GROUP]) -> Group {
    let (halves, _) = floats.as_chunks::<LANES>();
    let mut peak = simd.splat(0.0);
    for half in halves {
        peak = simd.max(peak, simd.abs(simd.load(half)));
    }
    let scale = simd.highest(peak) / 127.0;
    let inverse = if scale > 0.0 {
        (1.0 / scale).min(f32::MAX)
    } else {
        0.0
    };
    let inverse = simd.splat(inverse);
    let limit = simd.splat(127.0);
    let mut bytes = [0_i8; GROUP];
    let (targets, _) = bytes.as_chunks_mut::<LANES>();
    for (target, half) in targets.iter_mut().zip(halves) {
        let scaled = simd.mul(simd.load(half), inverse);
        *target = simd.round_bytes(simd.max(simd.min(scaled, limit), simd.sub(simd.splat(0.0), limit)));
    }
    let mut group = Group {
        scale,
        ..Group::default()
    };
    let (quads, _) = bytes.as_chunks::<4>();
    for (quad, bytes) in group.quads.iter_mut().zip(quads) {
        *quad = i32::from_le_bytes(bytes.map(i8::cast_unsigned));
    }
    let sum = bytes
        .iter()
        .fold(0_i32, |sum, byte| sum.wrapping_add(i32::from(*byte)));
    #[expect(clippy::cast_precision_loss, reason = "at most 32 × 127")]
    let float = sum as f32;
    group.scaled_sum = scale * float;
    group.start_nibbles = sum.wrapping_mul(-8);
    group.start_bytes = sum.wrapping_mul(-128);
    group
}
