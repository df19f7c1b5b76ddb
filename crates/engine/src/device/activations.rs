//! Inputs of matrix products: one column per token, as floats and, where weights are quantised, rounded to whole numbers.

use zeroize::Zeroize;

use super::panels::{GROUP, Group, QUADS};
use super::shared::Shared;
use super::simd::{LANES, Simd};

/// Columns that are multiplied together, at most.
pub(super) const COLUMNS: usize = 8;

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
    /// a width that is a multiple of 32, are they also kept as whole numbers.
    pub(crate) fn resize(&mut self, width: usize, columns: usize, quantised: bool) {
        (self.width, self.columns, self.quantised) = (width, columns, quantised);
        self.floats.resize(width.saturating_mul(columns), 0.0);
        let groups = if quantised { self.floats.len() / GROUP } else { 0 };
        self.groups.resize(groups, Group::default());
    }

    /// Wipes all columns, those of earlier and larger steps included.
    pub(crate) fn wipe(&mut self) {
        self.floats.zeroize();
        self.groups.clear();
        self.groups.resize(self.groups.capacity(), Group::default());
        self.groups.clear();
        self.columns = 0;
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

    /// All columns, one after the other, to be written; then [`super::quantise`] makes those follow.
    pub(crate) fn floats_mut(&mut self) -> &mut [f32] {
        &mut self.floats
    }

    /// The columns as floats and as whole numbers.
    pub(super) fn parts(&mut self) -> (&mut [f32], Groups<'_>) {
        let width = if self.quantised { self.width / GROUP } else { 0 };
        let groups = Groups {
            shared: Shared::new(&mut self.groups),
            width,
            columns: self.columns,
        };
        (&mut self.floats, groups)
    }

    /// The rounded columns in tiles of [`COLUMNS`]: within a tile, the first group of each column, then the second of
    /// each, and so on.
    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }
}

/// Rounded columns, to be written.
pub(super) struct Groups<'a> {
    shared: Shared<'a, Group>,
    width: usize,
    columns: usize,
}

impl Groups<'_> {
    /// Rounds one column's floats.
    ///
    /// # Safety
    /// Nobody else rounds the same column at the same time.
    #[inline(always)]
    pub(super) unsafe fn round<S: Simd>(&self, simd: S, column: usize, floats: &[f32]) {
        let tile = column / COLUMNS * COLUMNS;
        let turns = self.columns.saturating_sub(tile).min(COLUMNS);
        let (chunks, _) = floats.as_chunks::<GROUP>();
        for (index, floats) in chunks.iter().take(self.width).enumerate() {
            let place = tile * self.width + index * turns + (column - tile);
            // SAFETY: each column has places of its own, and the caller is alone with this one.
            let place = unsafe { self.shared.part(place, 1) };
            place.fill(round_group(simd, floats));
        }
    }
}

/// The largest number of a group, 127 × 128.
const PEAK: f32 = 16_256.0;

#[inline(always)]
fn round_group<S: Simd>(simd: S, floats: &[f32; GROUP]) -> Group {
    let (halves, _) = floats.as_chunks::<LANES>();
    let mut peak = simd.splat(0.0);
    for half in halves {
        peak = simd.max(peak, simd.abs(simd.load(half)));
    }
    let scale = simd.highest(peak) / PEAK;
    let inverse = if scale > 0.0 {
        (1.0 / scale).min(f32::MAX)
    } else {
        0.0
    };
    let (inverse, most, least) = (simd.splat(inverse), simd.splat(PEAK), simd.splat(-PEAK));
    let mut high = [0_i8; GROUP];
    let mut low = [0_i8; GROUP];
    let mut sum = 0_i32;
    let places = high
        .as_chunks_mut::<LANES>()
        .0
        .iter_mut()
        .zip(low.as_chunks_mut::<LANES>().0);
    for ((high, low), half) in places.zip(halves) {
        let scaled = simd.mul(simd.load(half), inverse);
        let numbers = simd.round(simd.max(simd.min(scaled, most), least));
        for ((high, low), number) in high.iter_mut().zip(low).zip(numbers) {
            (*high, *low) = split(number);
            sum = sum.wrapping_add(number);
        }
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "at most 32 × 127 × 128, which is below 2²⁴"
    )]
    let float = sum as f32;
    Group {
        high: quads(&high),
        low: quads(&low),
        scale,
        scaled_sum: scale * float,
        start_nibbles: sum.wrapping_mul(-8),
        start_bytes: sum.wrapping_mul(-128),
    }
}

/// The bytes of a number.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "numbers are from -127 × 128 to 127 × 128"
)]
fn split(number: i32) -> (i8, i8) {
    let high = number.wrapping_add(64) >> 7;
    (high as i8, number.wrapping_sub(high << 7) as i8)
}

#[inline(always)]
fn quads(bytes: &[i8; GROUP]) -> [i32; QUADS] {
    let mut result = [0; QUADS];
    let (quads, _) = bytes.as_chunks::<4>();
    for (quad, bytes) in result.iter_mut().zip(quads) {
        *quad = i32::from_le_bytes(bytes.map(i8::cast_unsigned));
    }
    result
}
