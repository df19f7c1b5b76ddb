//! The vector operations that kernels are written in: sixteen lanes, whatever the registers' width.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod half;
mod isa;

pub(super) use half::{widen_bfloat, widen_half};
pub(crate) use isa::Isa;
pub(super) use isa::Kernel;

use half::narrow_half;

/// Lanes of every vector.
pub(super) const LANES: usize = 16;

/// Operations on sixteen lanes. A value of an implementing type is the proof that the processor can execute them.
pub(super) trait Simd: Copy + Send + Sync {
    /// Sixteen floats.
    type Floats: Copy;
    /// Sixteen 32-bit integers, or sixteen groups of four bytes.
    type Integers: Copy;

    fn splat(self, value: f32) -> Self::Floats;
    fn load(self, values: &[f32; LANES]) -> Self::Floats;
    fn load_half(self, values: &[u16; LANES]) -> Self::Floats;
    fn load_bfloat(self, values: &[u16; LANES]) -> Self::Floats;
    fn store(self, values: Self::Floats) -> [f32; LANES];
    fn store_half(self, values: Self::Floats) -> [u16; LANES];
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn sub(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn mul(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn div(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a × b + c`.
    fn fma(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    fn min(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn max(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn abs(self, a: Self::Floats) -> Self::Floats;
    /// `a × 2ⁿ` for whole `n` from -126 to 127.
    fn scale(self, a: Self::Floats, n: Self::Floats) -> Self::Floats;
    fn highest(self, a: Self::Floats) -> f32;
    fn total(self, a: Self::Floats) -> f32;

    fn splat_integer(self, value: i32) -> Self::Integers;
    fn load_bytes(self, bytes: &[u8; LANES * 4]) -> Self::Integers;
    /// The lower four bits of each byte.
    fn low_nibbles(self, bytes: Self::Integers) -> Self::Integers;
    /// The upper four bits of each byte.
    fn high_nibbles(self, bytes: Self::Integers) -> Self::Integers;
    /// Adds to each lane the products of four weights from 0 to 15 and four signed bytes.
    fn dot_nibbles(
        self,
        sum: Self::Integers,
        weights: Self::Integers,
        bytes: Self::Integers,
    ) -> Self::Integers;
    /// What to start [`Simd::dot_biased`] with, given -128 times the sum of all its signed bytes.
    fn start_biased(self, start: i32) -> Self::Integers;
    /// Adds to each lane the products of four weights, each stored plus 128, and four signed bytes above -128.
    fn dot_biased(
        self,
        sum: Self::Integers,
        weights: Self::Integers,
        bytes: Self::Integers,
    ) -> Self::Integers;
    fn to_floats(self, integers: Self::Integers) -> Self::Floats;
    /// `high × 128 + low`.
    fn join(self, high: Self::Integers, low: Self::Integers) -> Self::Integers;
    /// The nearest whole numbers, of floats that are far from the limits of the type.
    fn round(self, floats: Self::Floats) -> [i32; LANES];

    /// `eˣ` to about one unit in the last place; 0 below -87.
    #[inline(always)]
    fn exp(self, x: Self::Floats) -> Self::Floats {
        // x = n ln 2 + r with |r| ≤ ln 2 / 2; adding and taking away 1.5 × 2²³ rounds to whole numbers.
        let magic = self.splat(12_582_912.0);
        let x = self.max(self.min(x, self.splat(88.0)), self.splat(-87.3));
        let n = self.sub(self.fma(x, self.splat(std::f32::consts::LOG2_E), magic), magic);
        let r = self.fma(n, self.splat(-0.693_359_4), x);
        let r = self.fma(n, self.splat(2.121_944_4e-4), r);
        let mut p = self.splat(1.987_569_1e-4);
        for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
            p = self.fma(p, r, self.splat(coefficient));
        }
        let p = self.add(self.fma(self.mul(r, r), p, r), self.splat(1.0));
        self.scale(p, n)
    }
}

/// Plain Rust, for any processor and as the yardstick of the others.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

type Lanes = [f32; LANES];

fn map(a: Lanes, b: Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
    let mut result = a;
    for (a, b) in result.iter_mut().zip(b) {
        *a = f(*a, b);
    }
    result
}

fn quads(integers: [i32; LANES], f: impl Fn(u8) -> u8) -> [i32; LANES] {
    integers.map(|quad| i32::from_le_bytes(quad.to_le_bytes().map(&f)))
}

fn dot(sum: [i32; LANES], weights: [i32; LANES], bytes: [i32; LANES]) -> [i32; LANES] {
    let mut result = sum;
    for ((sum, weights), bytes) in result.iter_mut().zip(weights).zip(bytes) {
        for (weight, byte) in weights.to_le_bytes().into_iter().zip(bytes.to_le_bytes()) {
            *sum += i32::from(weight) * i32::from(byte.cast_signed());
        }
    }
    result
}

impl Simd for Portable {
    type Floats = Lanes;
    type Integers = [i32; LANES];

    fn splat(self, value: f32) -> Lanes {
        [value; LANES]
    }
    fn load(self, values: &Lanes) -> Lanes {
        *values
    }
    fn load_half(self, values: &[u16; LANES]) -> Lanes {
        values.map(widen_half)
    }
    fn load_bfloat(self, values: &[u16; LANES]) -> Lanes {
        values.map(widen_bfloat)
    }
    fn store(self, values: Lanes) -> Lanes {
        values
    }
    fn store_half(self, values: Lanes) -> [u16; LANES] {
        values.map(narrow_half)
    }
    fn add(self, a: Lanes, b: Lanes) -> Lanes {
        map(a, b, |a, b| a + b)
    }
    fn sub(self, a: Lanes, b: Lanes) -> Lanes {
        map(a, b, |a, b| a - b)
    }
    fn mul(self, a: Lanes, b: Lanes) -> Lanes {
        map(a, b, |a, b| a * b)
    }
    fn div(self, a: Lanes, b: Lanes) -> Lanes {
        map(a, b, |a, b| a / b)
    }
    fn fma(self, a: Lanes, b: Lanes, c: Lanes) -> Lanes {
        map(map(a, b, |a, b| a * b), c, |ab, c| ab + c)
    }
    fn min(self, a: Lanes, b: Lanes) -> Lanes {
        map(a, b, f32::min)
    }
    fn max(self, a: Lanes, b: Lanes) -> Lanes {
        map(a, b, f32::max)
    }
    fn abs(self, a: Lanes) -> Lanes {
        a.map(f32::abs)
    }
    fn scale(self, a: Lanes, n: Lanes) -> Lanes {
        map(a, n, |a, n| a * exp2(n))
    }
    fn highest(self, a: Lanes) -> f32 {
        a.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
    fn total(self, a: Lanes) -> f32 {
        a.into_iter().sum()
    }
    fn splat_integer(self, value: i32) -> [i32; LANES] {
        [value; LANES]
    }
    fn load_bytes(self, bytes: &[u8; LANES * 4]) -> [i32; LANES] {
        let (quads, _) = bytes.as_chunks::<4>();
        let mut result = [0; LANES];
        for (result, quad) in result.iter_mut().zip(quads) {
            *result = i32::from_le_bytes(*quad);
        }
        result
    }
    fn low_nibbles(self, bytes: [i32; LANES]) -> [i32; LANES] {
        quads(bytes, |byte| byte & 0x0f)
    }
    fn high_nibbles(self, bytes: [i32; LANES]) -> [i32; LANES] {
        quads(bytes, |byte| byte >> 4)
    }
    fn dot_nibbles(self, sum: [i32; LANES], weights: [i32; LANES], bytes: [i32; LANES]) -> [i32; LANES] {
        dot(sum, weights, bytes)
    }
    fn start_biased(self, start: i32) -> [i32; LANES] {
        [start; LANES]
    }
    fn dot_biased(self, sum: [i32; LANES], weights: [i32; LANES], bytes: [i32; LANES]) -> [i32; LANES] {
        dot(sum, weights, bytes)
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "sums of 32 products of bytes are below 2²⁴"
    )]
    fn to_floats(self, integers: [i32; LANES]) -> Lanes {
        integers.map(|integer| integer as f32)
    }
    fn join(self, high: [i32; LANES], low: [i32; LANES]) -> [i32; LANES] {
        let mut result = low;
        for (result, high) in result.iter_mut().zip(high) {
            *result += high << 7;
        }
        result
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the caller keeps far from the limits"
    )]
    fn round(self, floats: Lanes) -> [i32; LANES] {
        floats.map(|float| float.round_ties_even() as i32)
    }
}

/// `2ⁿ` for whole `n` from -126 to 127.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the caller keeps to the range of an exponent"
)]
fn exp2(n: f32) -> f32 {
    f32::from_bits(((n as i32 + 127) << 23).cast_unsigned())
}
