//! Weights, repacked on loading: sixteen rows side by side, so that one vector holds the same place of sixteen rows.

use super::simd::{LANES, Simd, widen_half};

/// Rows per panel.
pub(super) const ROWS: usize = LANES;
/// Consecutive weights of a row that share a scale.
pub(super) const GROUP: usize = 32;
/// Vectors of four bytes per row that make up a group.
pub(super) const QUADS: usize = GROUP / 4;

/// A group of 32 activations, rounded to whole numbers of 15 bits, each in two bytes for the byte instructions: `high ×
/// 128 + low`.
///
/// One byte would be faster where arithmetic is the limit, but its rounding changes the likeliest token now and then.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Group {
    /// Signed bytes from -127 to 127, four at a time.
    pub(super) high: [i32; QUADS],
    /// Signed bytes from -64 to 63, four at a time.
    pub(super) low: [i32; QUADS],
    /// What one counts.
    pub(super) scale: f32,
    /// Sum of all numbers times the scale.
    pub(super) scaled_sum: f32,
    /// -8 times the sum of all numbers, for nibbles stored plus 8.
    pub(super) start_nibbles: i32,
    /// -128 times the sum of all numbers, for bytes stored plus 128.
    pub(super) start_bytes: i32,
}

/// Sixteen rows of a group of quantised weights.
pub(super) trait Panel: Sized + Send + Sync {
    /// Bytes of one row's group in the file.
    const BLOCK: usize;

    /// Puts one row's group, as it is in the file, in its place.
    fn set_row(&mut self, row: usize, block: &[u8]);
    /// A panel of zeros.
    fn zero() -> Self;
    fn unpack<S: Simd>(&self, simd: S) -> [S::Integers; QUADS];
    fn start<S: Simd>(simd: S, group: &Group) -> S::Integers;
    fn dot<S: Simd>(simd: S, sum: S::Integers, weights: S::Integers, bytes: S::Integers) -> S::Integers;
    fn scales(&self) -> &[u16; ROWS];
    fn minimums(&self) -> Option<&[u16; ROWS]>;
    /// The weights of one row.
    fn row(&self, row: usize) -> [f32; GROUP];
}

/// 4-bit weights with a scale and a minimum. Byte `64 q + 4 r + b` has weight `4 q + b` of row `r` in its lower half and
/// weight `16 + 4 q + b` in its upper half.
#[repr(C, align(64))]
pub(super) struct Nibbles1 {
    nibbles: [u8; 256],
    scales: [u16; ROWS],
    minimums: [u16; ROWS],
}

/// 4-bit weights with a scale, stored plus 8; laid out as [`Nibbles1`].
#[repr(C, align(32))]
pub(super) struct Nibbles0 {
    nibbles: [u8; 256],
    scales: [u16; ROWS],
}

/// 8-bit weights with a scale, stored plus 128. Byte `64 q + 4 r + b` is weight `4 q + b` of row `r`.
#[repr(C, align(32))]
pub(super) struct Bytes0 {
    bytes: [u8; 512],
    scales: [u16; ROWS],
}

/// Copies a row's bytes to every sixteenth quad.
fn scatter(target: &mut [u8], row: usize, bytes: impl Iterator<Item = u8>) {
    let places = target.chunks_exact_mut(4).skip(row).step_by(ROWS).flatten();
    for (place, byte) in places.zip(bytes) {
        *place = byte;
    }
}

/// A row's bytes, back in order.
fn gather(source: &[u8], row: usize) -> impl Iterator<Item = u8> {
    source.chunks_exact(4).skip(row).step_by(ROWS).flatten().copied()
}

fn set_half(target: &mut [u16; ROWS], row: usize, block: &[u8], at: usize) {
    if let (Some(target), Some([low, high])) = (target.get_mut(row), block.get(at..at.saturating_add(2))) {
        *target = u16::from_le_bytes([*low, *high]);
    }
}

fn half(halves: &[u16; ROWS], row: usize) -> f32 {
    halves.get(row).map_or(0.0, |bits| widen_half(*bits))
}

fn row_of_nibbles(nibbles: &[u8; 256], row: usize, value: impl Fn(u8) -> f32) -> [f32; GROUP] {
    let mut result = [0.0; GROUP];
    let (lower, upper) = result.split_at_mut(GROUP / 2);
    for ((low, high), byte) in lower.iter_mut().zip(upper).zip(gather(nibbles, row)) {
        *low = value(byte & 0x0f);
        *high = value(byte >> 4);
    }
    result
}

#[inline(always)]
fn unpack_nibbles<S: Simd>(simd: S, nibbles: &[u8; 256]) -> [S::Integers; QUADS] {
    let mut result = [simd.splat_integer(0); QUADS];
    let (lower, upper) = result.split_at_mut(QUADS / 2);
    let (vectors, _) = nibbles.as_chunks::<64>();
    for ((low, high), vector) in lower.iter_mut().zip(upper).zip(vectors) {
        let both = simd.load_bytes(vector);
        *low = simd.low_nibbles(both);
        *high = simd.high_nibbles(both);
    }
    result
}

impl Panel for Nibbles1 {
    const BLOCK: usize = 20;

    fn set_row(&mut self, row: usize, block: &[u8]) {
        set_half(&mut self.scales, row, block, 0);
        set_half(&mut self.minimums, row, block, 2);
        scatter(&mut self.nibbles, row, block.iter().skip(4).copied());
    }
    fn zero() -> Self {
        Self {
            nibbles: [0; 256],
            scales: [0; ROWS],
            minimums: [0; ROWS],
        }
    }
    #[inline(always)]
    fn unpack<S: Simd>(&self, simd: S) -> [S::Integers; QUADS] {
        unpack_nibbles(simd, &self.nibbles)
    }
    #[inline(always)]
    fn start<S: Simd>(simd: S, _: &Group) -> S::Integers {
        simd.splat_integer(0)
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, sum: S::Integers, weights: S::Integers, bytes: S::Integers) -> S::Integers {
        simd.dot_nibbles(sum, weights, bytes)
    }
    #[inline(always)]
    fn scales(&self) -> &[u16; ROWS] {
        &self.scales
    }
    #[inline(always)]
    fn minimums(&self) -> Option<&[u16; ROWS]> {
        Some(&self.minimums)
    }
    fn row(&self, row: usize) -> [f32; GROUP] {
        let (scale, minimum) = (half(&self.scales, row), half(&self.minimums, row));
        row_of_nibbles(&self.nibbles, row, |nibble| f32::from(nibble) * scale + minimum)
    }
}

impl Panel for Nibbles0 {
    const BLOCK: usize = 18;

    fn set_row(&mut self, row: usize, block: &[u8]) {
        set_half(&mut self.scales, row, block, 0);
        scatter(&mut self.nibbles, row, block.iter().skip(2).copied());
    }
    fn zero() -> Self {
        Self {
            nibbles: [0; 256],
            scales: [0; ROWS],
        }
    }
    #[inline(always)]
    fn unpack<S: Simd>(&self, simd: S) -> [S::Integers; QUADS] {
        unpack_nibbles(simd, &self.nibbles)
    }
    #[inline(always)]
    fn start<S: Simd>(simd: S, group: &Group) -> S::Integers {
        simd.splat_integer(group.start_nibbles)
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, sum: S::Integers, weights: S::Integers, bytes: S::Integers) -> S::Integers {
        simd.dot_nibbles(sum, weights, bytes)
    }
    #[inline(always)]
    fn scales(&self) -> &[u16; ROWS] {
        &self.scales
    }
    #[inline(always)]
    fn minimums(&self) -> Option<&[u16; ROWS]> {
        None
    }
    fn row(&self, row: usize) -> [f32; GROUP] {
        let scale = half(&self.scales, row);
        row_of_nibbles(&self.nibbles, row, |nibble| (f32::from(nibble) - 8.0) * scale)
    }
}

impl Panel for Bytes0 {
    const BLOCK: usize = 34;

    fn set_row(&mut self, row: usize, block: &[u8]) {
        set_half(&mut self.scales, row, block, 0);
        scatter(&mut self.bytes, row, block.iter().skip(2).map(|byte| byte ^ 0x80));
    }
    fn zero() -> Self {
        Self {
            bytes: [0x80; 512],
            scales: [0; ROWS],
        }
    }
    #[inline(always)]
    fn unpack<S: Simd>(&self, simd: S) -> [S::Integers; QUADS] {
        let mut result = [simd.splat_integer(0); QUADS];
        let (vectors, _) = self.bytes.as_chunks::<64>();
        for (result, vector) in result.iter_mut().zip(vectors) {
            *result = simd.load_bytes(vector);
        }
        result
    }
    #[inline(always)]
    fn start<S: Simd>(simd: S, group: &Group) -> S::Integers {
        simd.start_biased(group.start_bytes)
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, sum: S::Integers, weights: S::Integers, bytes: S::Integers) -> S::Integers {
        simd.dot_biased(sum, weights, bytes)
    }
    #[inline(always)]
    fn scales(&self) -> &[u16; ROWS] {
        &self.scales
    }
    #[inline(always)]
    fn minimums(&self) -> Option<&[u16; ROWS]> {
        None
    }
    fn row(&self, row: usize) -> [f32; GROUP] {
        let scale = half(&self.scales, row);
        let mut result = [0.0; GROUP];
        for (value, byte) in result.iter_mut().zip(gather(&self.bytes, row)) {
            *value = f32::from((byte ^ 0x80).cast_signed()) * scale;
        }
        result
    }
}
